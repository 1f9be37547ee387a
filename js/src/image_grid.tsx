import { Explorer } from "./components/Explorer";
import { widget } from "./mount";
import { ExplorerState } from "./state";

export default widget(
  (model, signal) => new ExplorerState(model, { signal }),
  (state, signal) => <Explorer state={state} signal={signal} gridOnly />,
);
