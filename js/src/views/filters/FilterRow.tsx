import type { Signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import * as format from "../../data/format";
import { furtherFilters } from "../../data/overview";
import { notConfirmed } from "../../data/scale";
import type { ExplorerState } from "../../state/explorer";
import { RangeHistogram } from "../histogram/RangeHistogram";
import { DownIcon, FilterIcon } from "../ui/icons";
import { FilterBar } from "./FilterBar";
import { SearchBox } from "./SearchBox";

/** Unfolds the filters; the number is that of those beyond the count that is pressed. */
export function FilterToggle({ state }: { state: ExplorerState }) {
  const set = furtherFilters(state.shortcuts.value, state.filtering.clauses.value).length;
  const open = isOpen(state);
  useEffect(() => {
    const { filtersOpen } = state.screen;
    if (set > 0 && filtersOpen.peek() === null) filtersOpen.value = true;
  }, [set, state.screen]);
  return (
    <button
      type="button"
      class="drop"
      aria-expanded={open}
      aria-controls={open ? "filter-row" : undefined}
      title={
        open
          ? "Fold the filters away; they stay in force"
          : "Filter by score, name or any column (/)"
      }
      onClick={() => {
        state.screen.filtersOpen.value = !open;
      }}
    >
      <FilterIcon />
      Filter
      {set > 0 && <span class="n">{format.count(set)}</span>}
      <DownIcon />
    </button>
  );
}

/** Once a filter is set the row is open; who folds it away finds it so. */
function isOpen(state: ExplorerState): boolean {
  const set = furtherFilters(state.shortcuts.value, state.filtering.clauses.value).length;
  return state.screen.filtersOpen.value ?? set > 0;
}

interface FilterRowProps {
  state: ExplorerState;
  /** Counts the times that the search was asked for. */
  searches: Signal<number>;
}

/** The histogram of the scores, a search of names, and the filters as chips. */
export function FilterRow({ state, searches }: FilterRowProps) {
  const row = useRef<HTMLDivElement>(null);
  const frame = state.frame.value;
  const open = isOpen(state);
  useLayoutEffect(() => {
    if (searches.value > 0) row.current?.querySelector<HTMLElement>("input[type=search]")?.focus();
  }, [searches.value]);
  if (!open || !frame) return null;
  return (
    <div ref={row} id="filter-row" class="filter-row">
      <div class="bar">
        <SearchBox state={state} />
        <FilterBar state={state} />
      </div>
      <ScoreHistogram state={state} />
    </div>
  );
}

function ScoreHistogram({ state }: { state: ExplorerState }) {
  const frame = state.frame.value;
  const { bars } = state;
  if (!frame || frame.score === null || !state.scoreShown.value) return null;
  return (
    <RangeHistogram
      label={frame.score}
      scale={bars.scale.value}
      bars={bars.counts.value}
      left={bars.left.value}
      range={state.range.value}
      marks={[
        {
          value: frame.near,
          label: "near-duplicates",
          hint: notConfirmed(frame.near, frame.summary),
        },
      ]}
      log={state.screen.log.value}
      canBeLog={bars.canBeLog.value}
      onRange={(range) => state.setRange(range)}
      onDrag={(dragging) => {
        state.screen.dragging.value = dragging;
      }}
      onLog={(log) => {
        state.screen.log.value = log;
      }}
    />
  );
}
