import type { ExplorerState } from "../../state/explorer";
import { Collections } from "../collections/Collections";
import { SelectionControls } from "../grid/Toolbar";
import { NotDuplicates } from "../review/ReviewBar";

/** What to do with the selection. */
export function SelectionBar({ state }: { state: ExplorerState }) {
  const rest = state.catalogue.naming.value.of === "rest";
  return (
    <div class="bar selection-bar" role="group" aria-label="Selection">
      <SelectionControls state={state}>
        {rest ? (
          <span class="muted">These go from what you name. Nothing is deleted.</span>
        ) : (
          <NotDuplicates state={state} />
        )}
      </SelectionControls>
      <span class="spring" />
      <Collections state={state} />
    </div>
  );
}

/** Whether there is a selection, or something waits for a name. */
export function isSelecting({ selection, catalogue }: ExplorerState): boolean {
  selection.version.value;
  return selection.count > 0 || catalogue.naming.value.of === "rest";
}
