import { ExplorerState } from "../state/explorer";
import { Explorer } from "../views/Explorer";
import { widget } from "../views/ui/mount";

export default widget(
  (model, signal) => new ExplorerState(model, { signal }),
  (state, signal) => <Explorer state={state} signal={signal} gridOnly />,
);
