import { ExplorerState } from "../state/explorer";
import { Explorer } from "../views/explorer/Explorer";
import grid from "../views/grid/grid.css";
import similar from "../views/similar/similar.css";
import { widget } from "../views/ui/mount";
import popover from "../views/ui/Popover.css";
import thumb from "../views/ui/Thumb.css";

export default widget({
  create: (model, signal) => new ExplorerState(model, { signal }),
  view: (state, signal) => <Explorer state={state} signal={signal} gridOnly />,
  styles: [thumb, popover, grid, similar],
});
