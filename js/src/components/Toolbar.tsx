import * as format from "../format";
import { hasGroups, withoutKept } from "../frame";
import type { GridView } from "../grid-view";
import type { Range } from "../histogram";
import { EXACT, type ExplorerState } from "../state";
import { AscendingIcon, DescendingIcon, LargeTilesIcon, SmallTilesIcon } from "./icons";

const same = (a: Range | null, b: Range | null) =>
  a === b || (a !== null && b !== null && a[0] === b[0] && a[1] === b[1]);

/** The ranges that people use, with what each holds. */
export function Shortcuts({ state, view }: { state: ExplorerState; view: GridView }) {
  const frame = state.frame.value;
  const counts = state.shortcuts.value;
  if (!frame || !counts || frame.score === null) return null;
  const choices: { label: string; range: Range | null; count: number; title: string }[] = [
    { label: "All", range: null, count: frame.rows, title: "No filter" },
    {
      label: "Duplicates",
      range: [0, EXACT],
      count: counts.exact,
      title: `${frame.score} 0 … ${EXACT}: exact duplicates, and copies that hardly differ`,
    },
    {
      label: "Near-duplicates",
      range: [0, frame.near],
      count: counts.near,
      title: `${frame.score} 0 … ${frame.near}: exact and near-duplicates`,
    },
  ];
  const present = state.range.value;
  return (
    <div class="segments" role="group" aria-label="Shortcuts">
      {choices.map(({ label, range, count, title }) => (
        <button
          key={label}
          type="button"
          aria-pressed={same(present, range)}
          title={title}
          onClick={() => {
            if (range) state.setRange(range);
            else state.resetFilters();
            view.scrollTo(0);
          }}
        >
          {label} <span class="n">{format.count(count)}</span>
        </button>
      ))}
    </div>
  );
}

export function SortControls({ state }: { state: ExplorerState }) {
  const frame = state.frame.value;
  const { column, descending, grouped } = state.sort.value;
  if (!frame) return null;
  const names = frame.columns.map(({ name }) => name);
  const present = column === "" ? (frame.score ?? "") : column;
  if (present !== "" && !names.includes(present)) names.unshift(present);
  return (
    <span class="controls">
      <label class="field">
        <span class="wide">Sort by</span>
        <select
          aria-label="Sort by"
          value={present}
          aria-busy={state.sorting.value !== null}
          onChange={(event) => state.setSort({ column: event.currentTarget.value })}
        >
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <button
        type="button"
        class="plain"
        aria-label={descending ? "Descending" : "Ascending"}
        title={descending ? "Descending: highest first" : "Ascending: lowest first"}
        onClick={() => state.setSort({ descending: !descending })}
      >
        {descending ? <DescendingIcon /> : <AscendingIcon />}
      </button>
      {hasGroups(frame) && <GroupToggles state={state} grouped={grouped} />}
    </span>
  );
}

function GroupToggles({ state, grouped }: { state: ExplorerState; grouped: boolean }) {
  return (
    <>
      <button
        type="button"
        class="toggle"
        aria-pressed={grouped}
        title="Keep the images of a group together"
        onClick={() => state.setSort({ grouped: !grouped })}
      >
        Groups
      </button>
      <button
        type="button"
        class="toggle"
        aria-pressed={state.showKeepers.value}
        disabled={!grouped}
        title="Show keepers: a group’s keeper stays, dimmed, where the filter hides it"
        onClick={() => {
          state.showKeepers.value = !state.showKeepers.value;
        }}
      >
        Keepers
      </button>
    </>
  );
}

export function SizeSlider({ view }: { view: GridView }) {
  return (
    <label class="size" title="Thumbnail size">
      <SmallTilesIcon />
      <input
        type="range"
        min={112}
        max={352}
        step={8}
        value={view.size.value}
        aria-label="Thumbnail size"
        onInput={(event) => view.resize({ size: event.currentTarget.valueAsNumber })}
      />
      <LargeTilesIcon />
    </label>
  );
}

export function SelectionControls({ state }: { state: ExplorerState }) {
  state.selection.version.value;
  const { selection } = state;
  const frame = state.frame.value;
  const mask = state.mask.value;
  const shown = state.shown.value;
  if (!frame || !mask || !shown) return null;
  const hidden = state.hiddenPicked.value;
  const none = shown.order.length === 0;
  return (
    <span class="controls">
      <span class="picked-count">
        <strong>{format.count(selection.count)}</strong> selected
        {hidden > 0 && <span class="muted"> · {format.count(hidden)} hidden by the filter</span>}
      </span>
      <button
        type="button"
        disabled={none}
        title="Add all images that the filter shows (Ctrl+A)"
        onClick={() => selection.addShown(mask)}
      >
        Select all shown
      </button>
      {hasGroups(frame) && (
        <button
          type="button"
          disabled={none}
          title="Add the images shown that have a keeper: one of each group stays"
          onClick={() => selection.addShown(withoutKept(frame, mask))}
        >
          All but keepers
        </button>
      )}
      <button
        type="button"
        disabled={none}
        title="Turn the selection round among the images shown"
        onClick={() => selection.invertShown(mask)}
      >
        Invert
      </button>
      <button
        type="button"
        disabled={selection.count === 0}
        title="Select nothing (Escape)"
        onClick={() => selection.clear()}
      >
        Clear
      </button>
    </span>
  );
}
