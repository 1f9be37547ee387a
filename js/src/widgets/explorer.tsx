import { ExplorerState } from "../state/explorer";
import { Explorer } from "../views/Explorer";
import { embed } from "../views/ui/embed";
import { widget } from "../views/ui/mount";
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

export default widget(
  (model, signal) => new ExplorerState(model, { signal }),
  (state, signal) => <Explorer state={state} signal={signal} />,
  slotCharts,
);
