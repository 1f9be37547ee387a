import { type Signal, useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { describe } from "../../data/describe";
import { canEdit } from "../../data/fields";
import { isRange } from "../../data/filters";
import type { ExplorerState } from "../../state/explorer";
import { CloseIcon, PlusIcon, WarningIcon } from "../ui/icons";
import { FilterPopover, type Opened } from "./FilterPopover";

/** The filters as chips, and one more. */
export function FilterBar({ state }: { state: ExplorerState }) {
  const bar = useRef<HTMLDivElement>(null);
  const add = useRef<HTMLButtonElement>(null);
  const opened = useSignal<Opened | null>(null);
  const frame = state.frame.value;
  if (!frame) return null;
  const clauses = state.filtering.clauses.value;
  const all = Object.keys(clauses);
  // The histogram of the scores shows their range.
  const keys = all.filter(
    (key) => !(key === frame.score && state.scoreShown.value && isRange(clauses[key])),
  );
  return (
    <div ref={bar} class="filters" role="group" aria-label="Filters">
      <ul class="chips" aria-label="Filters in force">
        {keys.map((key) => (
          <FilterChip
            key={key}
            name={key}
            state={state}
            opened={opened}
            onRemoved={() => add.current?.focus()}
          />
        ))}
      </ul>
      <button
        ref={add}
        type="button"
        class="add-filter"
        aria-haspopup="dialog"
        aria-expanded={opened.value?.listed === true}
        onClick={(event) => {
          const opener = event.currentTarget;
          opened.value = opened.value?.listed ? null : { key: null, listed: true, opener };
        }}
      >
        <PlusIcon /> Add filter
      </button>
      {all.length > 0 && (
        <button
          type="button"
          class="plain-text"
          onClick={() => {
            state.resetFilters();
            add.current?.focus();
          }}
        >
          Reset filters
        </button>
      )}
      {opened.value && (
        <FilterPopover
          // Opened at another chip, it is another one.
          key={opened.value.listed ? "" : opened.value.key}
          state={state}
          opened={opened}
          holder={bar.current!}
          onClosed={(opener) => (opener.isConnected ? opener : add.current!).focus()}
        />
      )}
    </div>
  );
}

interface FilterChipProps {
  name: string;
  state: ExplorerState;
  opened: Signal<Opened | null>;
  onRemoved(): void;
}

function FilterChip({ name: key, state, opened, onRemoved }: FilterChipProps) {
  const clause = state.filtering.clauses.value[key];
  const { columns } = state.frame.value!;
  const { pending, error } = state.filtering.statusOf(key);
  if (clause === undefined) return null;
  const { name, text } = describe(key, clause, columns);
  const words = (
    <>
      {error !== null && <WarningIcon />}
      <span class="name">{name}</span>
      {text !== "" && <span class="text">{text}</span>}
    </>
  );
  const title = error === null ? `${name} ${text}`.trim() : `Not in force: ${error}`;
  return (
    <li class={error === null ? "chip filter" : "chip filter off"} aria-busy={pending}>
      {canEdit(key) ? (
        <button
          type="button"
          class="edit"
          title={title}
          aria-haspopup="dialog"
          aria-expanded={opened.value?.key === key}
          onClick={(event) => {
            const opener = event.currentTarget;
            opened.value = opened.value?.key === key ? null : { key, listed: false, opener };
          }}
        >
          {words}
        </button>
      ) : (
        <span class="edit" title={title}>
          {words}
        </span>
      )}
      {error !== null && <span class="visually-hidden">Not in force: {error}</span>}
      <button
        type="button"
        class="remove"
        title="Remove this filter"
        aria-label={`Remove filter: ${name} ${text}`.trim()}
        onClick={() => {
          state.filtering.set(key, null);
          onRemoved();
        }}
      >
        <CloseIcon />
      </button>
    </li>
  );
}
