import * as format from "../../data/format";
import { changesOf, isPressed } from "../../data/overview";
import type { ExplorerState } from "../../state/explorer";
import type { GridView } from "../../state/grid-view";

/** How many of what there is; each count is a shortcut that sets the filter. */
export function Overview({ state, view }: { state: ExplorerState; view: GridView }) {
  const shortcuts = state.shortcuts.value;
  const clauses = state.filtering.clauses.value;
  const summary = state.frame.value?.summary;
  return (
    <>
      <div class="segments overview" role="group" aria-label="Overview">
        {shortcuts.map((shortcut) => (
          <button
            key={shortcut.unit}
            type="button"
            aria-pressed={isPressed(shortcut, shortcuts, clauses)}
            disabled={shortcut.set !== null && shortcut.count === 0}
            title={shortcut.title}
            onClick={() => {
              if (shortcut.set) state.filtering.change(changesOf(shortcut, shortcuts));
              else state.resetFilters();
              view.scrollTo(0);
            }}
          >
            <strong>{format.count(shortcut.count)}</strong> {shortcut.unit}
          </button>
        ))}
      </div>
      {summary && summary.left_out > 0 && (
        <span
          class="muted"
          title={`${format.count(summary.compared ?? 0)} pairs of pictures were laid over each other; that was the most there may be.`}
        >
          Copies of {format.images(summary.left_out)} may be missed
        </span>
      )}
    </>
  );
}
