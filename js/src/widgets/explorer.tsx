import { ExplorerState } from "../state/explorer";
import collections from "../views/collections/collections.css";
import compare from "../views/compare/compare.css";
import dataset from "../views/dataset/dataset.css";
import { Explorer } from "../views/explorer/Explorer";
import explorer from "../views/explorer/explorer.css";
import filters from "../views/filters/filters.css";
import grid from "../views/grid/grid.css";
import histogram from "../views/histogram/histogram.css";
import review from "../views/review/review.css";
import similar from "../views/similar/similar.css";
import dropdown from "../views/ui/Dropdown.css";
import { embed } from "../views/ui/embed";
import keys from "../views/ui/KeyHelp.css";
import { widget } from "../views/ui/mount";
import popover from "../views/ui/Popover.css";
import thumb from "../views/ui/Thumb.css";
import type { AnyModel } from "../wire/model";

/** The charts are a widget of bqplot, whose styles do not reach into the shadow root. */
function slotCharts(
  state: ExplorerState,
  model: AnyModel,
  host: HTMLElement,
  signal: AbortSignal,
): void {
  const into = host.ownerDocument.createElement("div");
  into.slot = "analytics";
  host.append(into);
  const draw = () => {
    embed(model, "_analytics", into, signal).catch((error) => {
      // It waits until the slot is there again, which it is after a new try.
      state.charts.fail(error);
      draw();
    });
  };
  draw();
}

export default widget({
  create: (model, signal) => new ExplorerState(model, { signal }),
  view: (state, signal) => <Explorer state={state} signal={signal} />,
  styles: [
    thumb,
    popover,
    dropdown,
    keys,
    histogram,
    grid,
    similar,
    filters,
    review,
    collections,
    dataset,
    compare,
    explorer,
  ],
  slot: slotCharts,
});
