import type { ComponentChildren } from "preact";
import * as format from "../../data/format";
import { hasGroups, readableOf, withoutKept } from "../../data/frame";
import type { GridState } from "../../state/grid";
import type { GridView } from "../../state/grid-view";
import { AscendingIcon, DescendingIcon, LargeTilesIcon, SmallTilesIcon } from "../ui/icons";

export function SortControls({ state }: { state: GridState }) {
  const frame = state.frame.value;
  const { column, descending, grouped } = state.sort.value;
  if (!frame) return null;
  const names = frame.columns.filter(({ sortable }) => sortable).map(({ name }) => name);
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
      {state.orderKept.value && (
        <button
          type="button"
          title="Decisions left everything in its place: put it in order again"
          onClick={() => state.sortAgain()}
        >
          Sort again
        </button>
      )}
      {hasGroups(frame) && <GroupToggles state={state} grouped={grouped} />}
    </span>
  );
}

function GroupToggles({ state, grouped }: { state: GridState; grouped: boolean }) {
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
        aria-pressed={state.screen.showKeepers.value}
        disabled={!grouped}
        title="Show keepers: a group’s keeper stays, dimmed, where the filter hides it"
        onClick={() => {
          state.screen.showKeepers.value = !state.screen.showKeepers.value;
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

interface SelectionControlsProps {
  state: GridState;
  /** Further ways to select, or what to do with the selection. */
  children?: ComponentChildren;
}

export function SelectionControls({ state, children }: SelectionControlsProps) {
  state.selection.version.value;
  const { selection } = state;
  const mask = state.mask.value;
  const shown = state.shown.value;
  const frame = state.frame.value;
  if (!mask || !shown) return null;
  const hidden = state.hiddenPicked.value;
  const none = shown.order.length === 0;
  return (
    <span class="controls">
      <span class="picked-count">
        <strong>{format.count(selection.count)}</strong> selected
        {hidden > 0 && <span class="muted"> · {format.count(hidden)} hidden</span>}
      </span>
      <button
        type="button"
        disabled={none}
        title="Select what the filter shows, and nothing else (Ctrl+A)"
        onClick={() => state.selectShown("only")}
      >
        Select all shown
      </button>
      {selection.count > 0 && (
        <button
          type="button"
          disabled={none}
          title="Add what the filter shows to the selection (Ctrl+Shift+A)"
          onClick={() => state.selectShown("add")}
        >
          Add shown
        </button>
      )}
      <button
        type="button"
        disabled={none}
        title="Turn the selection round among the images shown"
        onClick={() => frame && selection.invertShown(readableOf(frame, mask))}
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
      {children}
    </span>
  );
}

/** Where there is no plan to accept, what its keepers leave can still be selected. */
export function AllButKeepers({ state }: { state: GridState }) {
  const frame = state.frame.value;
  const mask = state.mask.value;
  if (!frame || !mask || !hasGroups(frame)) return null;
  return (
    <button
      type="button"
      disabled={state.shown.value?.order.length === 0}
      title="Select the images shown that have a keeper: one of each group stays"
      onClick={() => state.selection.onlyShown(withoutKept(frame, mask))}
    >
      All but keepers
    </button>
  );
}
