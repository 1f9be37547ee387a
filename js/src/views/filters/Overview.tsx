import * as format from "../../data/format";
import { changesOf, isPressed } from "../../data/overview";
import type { ExplorerState } from "../../state/explorer";
import type { GridView } from "../../state/grid-view";

/** How many of what there is; each count is a shortcut that sets the filters. */
export function Overview({ state, view }: { state: ExplorerState; view: GridView }) {
  const shortcuts = state.shortcuts.value;
  const clauses = state.filtering.clauses.value;
  const buttons = (apart: boolean) =>
    shortcuts
      .filter((shortcut) => (shortcut.apart === true) === apart)
      .map((shortcut) => {
        const pressed = isPressed(shortcut, shortcuts, clauses);
        return (
          <button
            key={shortcut.of}
            type="button"
            class={shortcut.set === null ? "all" : undefined}
            aria-pressed={pressed}
            disabled={shortcut.set !== null && shortcut.count === 0 && !pressed}
            title={
              pressed && shortcut.set ? `${shortcut.title}. Press again for all.` : shortcut.title
            }
            onClick={() => {
              if (shortcut.set) state.filtering.change(changesOf(shortcut, shortcuts, pressed));
              else state.resetFilters();
              view.scrollTo(0);
            }}
          >
            <strong>{format.count(shortcut.count)}</strong> {shortcut.unit}
          </button>
        );
      });
  const apart = buttons(true);
  const summary = state.frame.value?.summary;
  return (
    <>
      <div class="segments overview" role="group" aria-label="Overview">
        {buttons(false)}
      </div>
      {apart.length > 0 && (
        <div class="segments overview" role="group" aria-label="To check">
          {apart}
        </div>
      )}
      {summary && summary.about_folder !== "" && (
        <span class="muted of-folder" title={summary.about_folder}>
          {summary.not_taken > 0
            ? `${format.count(summary.not_taken)} not taken`
            : summary.about_folder}
        </span>
      )}
    </>
  );
}
