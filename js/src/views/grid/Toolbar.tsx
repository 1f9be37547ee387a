import type { ComponentChildren } from "preact";
import * as format from "../../data/format";
import { hasGroups, readableOf, withoutKept } from "../../data/frame";
import type { GridState } from "../../state/grid";
import { AllIcon } from "../ui/icons";

/** Puts images in order that decisions left where they were. */
export function SortAgain({ state }: { state: GridState }) {
  if (!state.review.on.value) return null;
  // Its place is kept, so that nothing moves when the first decision lets it appear.
  return (
    <button
      type="button"
      class={state.orderKept.value ? "roomy" : "roomy unseen"}
      title="Decisions left everything in its place: put it in order again"
      onClick={() => state.sortAgain()}
    >
      Sort again
    </button>
  );
}

/** Selects all that is shown, where there is no room for words. */
export function SelectAll({ state }: { state: GridState }) {
  const mask = state.mask.value;
  const none = state.shown.value?.count === 0;
  return (
    <button
      type="button"
      class="plain"
      aria-label="Select all shown"
      title="Select what the filter shows, and nothing else (Ctrl+A)"
      disabled={!mask || none}
      onClick={() => state.selectShown("only")}
    >
      <AllIcon />
    </button>
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
  const none = shown.count === 0;
  return (
    <span class="controls">
      <span class="picked-count">
        <strong>{format.count(selection.count)}</strong> selected
        {hidden > 0 && <span class="muted"> · {format.count(hidden)} hidden</span>}
      </span>
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
      disabled={state.shown.value?.count === 0}
      title="Select the images shown that have a keeper: one of each group stays"
      onClick={() => state.selection.onlyShown(withoutKept(frame, mask))}
    >
      All but keepers
    </button>
  );
}
