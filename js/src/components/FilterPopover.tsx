import type { Signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { fieldsOf } from "../fields";
import * as format from "../format";
import { historyStep } from "../keys";
import type { ExplorerState } from "../state";
import { FieldList } from "./FieldList";
import { FilterEditor } from "./FilterEditor";
import { BackIcon, CloseIcon } from "./icons";
import { usePopover } from "./use-popover";

export interface Opened {
  /** What is edited; null while it is to be chosen. */
  key: string | null;
  /** Whether it was chosen from the list, and one can go back there. */
  listed: boolean;
  opener: HTMLElement;
}

interface FilterPopoverProps {
  state: ExplorerState;
  opened: Signal<Opened | null>;
  holder: Element;
  onClosed(opener: HTMLElement): void;
}

/** Choose what to filter by, and how; filters change at once. */
export function FilterPopover({ state, opened, holder, onClosed }: FilterPopoverProps) {
  const panel = useRef<HTMLDivElement>(null);
  const { key, listed, opener } = opened.value!;
  const choose = (next: string | null) => {
    opened.value = { key: next, listed, opener };
  };
  usePopover(panel, {
    opener,
    holder,
    close: () => {
      opened.value = null;
    },
  });
  const focusFirst = () => {
    // Who went on while it was loading stays there.
    const element = panel.current!;
    const active = (element.getRootNode() as ShadowRoot | Document).activeElement;
    if (active !== element && element.contains(active)) return;
    const first = element.querySelector<HTMLElement>("[data-first]");
    (first ?? element).focus({ preventScroll: true });
  };
  useLayoutEffect(focusFirst, [key]);
  const close = () => {
    opened.value = null;
    onClosed(opener);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (!historyStep(event)) event.stopPropagation();
    if (event.key !== "Escape") return;
    event.preventDefault();
    close();
  };

  const frame = state.frame.value!;
  const fields = fieldsOf(frame, {
    scoreShown: state.scoreShown.value,
    planned: state.review.info.value?.off === null,
  });
  const field = fields.find((one) => one.key === key) ?? { name: key ?? "", type: "" };
  return (
    <div
      ref={panel}
      class="popover filter-popover"
      popover="manual"
      role="dialog"
      tabIndex={-1}
      aria-label={key === null ? "Add filter" : `Filter by ${field.name}`}
      onKeyDown={onKeyDown}
    >
      <div class="popover-head">
        {key !== null && listed && (
          <button
            type="button"
            class="plain"
            aria-label="All columns"
            title="All columns"
            onClick={() => choose(null)}
          >
            <BackIcon />
          </button>
        )}
        <strong title={field.name}>{key === null ? "Filter by" : field.name}</strong>
        <span class="muted type">{key !== null && field.type}</span>
        <button type="button" class="plain" aria-label="Close" onClick={close}>
          <CloseIcon />
        </button>
      </div>
      {key === null ? (
        <FieldList fields={fields} clauses={state.filtering.clauses.value} onChoose={choose} />
      ) : (
        <>
          <Problem name={key} state={state} />
          <FilterEditor key={key} name={key} state={state} onReady={focusFirst} />
          <output class="count" aria-live="off" aria-busy={state.filtering.pending.value}>
            {format.images(state.shown.value?.order.length ?? 0)} pass all filters
          </output>
        </>
      )}
    </div>
  );
}

/** Why the clause is not in force; the editor says so itself when it has no data. */
function Problem({ name, state: { filtering } }: { name: string; state: ExplorerState }) {
  const { error } = filtering.standing(name);
  if (error === null || filtering.data(name).error !== null) return null;
  return (
    <div class="hint" role="alert">
      <span>Not in force: {error}</span>
      <button type="button" onClick={() => filtering.retry(name)}>
        Try again
      </button>
    </div>
  );
}
