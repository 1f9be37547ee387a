import type { Signal } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { fieldsOf } from "../../data/fields";
import * as format from "../../data/format";
import type { ExplorerState } from "../../state/explorer";
import { BackIcon } from "../ui/icons";
import { focusFirst, Popover } from "../ui/Popover";
import { below } from "../ui/place";
import { FieldList } from "./FieldList";
import { FilterEditor } from "./FilterEditor";

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
  const place = useMemo(() => below(opener, holder), [opener, holder]);
  const refocus = () => focusFirst(panel.current!);
  useLayoutEffect(refocus, [key]);

  const frame = state.frame.value!;
  const fields = fieldsOf(frame, {
    scoreShown: state.scoreShown.value,
    planned: state.review.info.value?.off === null,
  });
  const field = fields.find((one) => one.key === key) ?? { name: key ?? "", type: "" };
  return (
    <Popover
      panel={panel}
      class="filter-popover"
      label={key === null ? "Add filter" : `Filter by ${field.name}`}
      head={
        <>
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
        </>
      }
      place={place}
      isOpener={(path) => path.includes(opener)}
      onClose={(byHand) => {
        opened.value = null;
        if (byHand) onClosed(opener);
      }}
    >
      {key === null ? (
        <FieldList fields={fields} clauses={state.filtering.clauses.value} onChoose={choose} />
      ) : (
        <>
          <Problem name={key} state={state} />
          <FilterEditor key={key} name={key} state={state} onReady={refocus} />
          <output class="count" aria-live="off" aria-busy={state.filtering.pending.value}>
            {format.images(state.shown.value?.count ?? 0)} pass all filters
          </output>
        </>
      )}
    </Popover>
  );
}

/** Why the clause is not in force; the editor says so itself when it has no data. */
function Problem({ name, state: { filtering } }: { name: string; state: ExplorerState }) {
  const { error } = filtering.statusOf(name);
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
