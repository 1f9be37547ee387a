import { GridState } from "../state/grid";
import compare from "../views/compare/compare.css";
import { GridApp } from "../views/grid/GridApp";
import grid from "../views/grid/grid.css";
import similar from "../views/similar/similar.css";
import dropdown from "../views/ui/Dropdown.css";
import keys from "../views/ui/KeyHelp.css";
import { widget } from "../views/ui/mount";
import popover from "../views/ui/Popover.css";
import thumb from "../views/ui/Thumb.css";

export default widget({
  create: (model, signal) => new GridState(model, { signal }),
  view: (state, signal) => <GridApp state={state} signal={signal} />,
  styles: [thumb, popover, dropdown, keys, grid, similar, compare],
});
