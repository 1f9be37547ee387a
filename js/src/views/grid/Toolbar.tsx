import type { ComponentChildren } from "preact";
import * as format from "../../data/format";
import { hasGroups, withoutKept } from "../../data/frame";
import type { GridState } from "../../state/grid";
import { AllIcon } from "../ui/icons";

/** Selects all that is shown, where there is no room for words. */
export function SelectAll({ state }: { state: GridState }) {
  const mask = state.mask.value;
  const none = state.shown.value?.order.length === 0;
  return (
    <button
      type="button"
      class="plain"
      aria-label="Select all shown"
      title="Select all images that the filter shows (Ctrl+A)"
      disabled={!mask || none}
      onClick={() => mask && state.selection.addShown(mask)}
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
  if (!mask || !shown) return null;
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
        class="roomy"
        disabled={none}
        title="Add all images that the filter shows (Ctrl+A)"
        onClick={() => selection.addShown(mask)}
      >
        Select all shown
      </button>
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
      title="Add the images shown that have a keeper: one of each group stays"
      onClick={() => state.selection.addShown(withoutKept(frame, mask))}
    >
      All but keepers
    </button>
  );
}
