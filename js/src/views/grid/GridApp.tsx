import { useMemo } from "preact/hooks";
import type { GridState } from "../../state/grid";
import { GridView } from "../../state/grid-view";
import { App } from "./App";
import { countText, Images } from "./Images";
import { AllButKeepers, SelectionControls, SizeSlider, SortControls } from "./Toolbar";

/** The images of a frame: nothing but a grid, its order, and the selection. */
export function GridApp({ state, signal }: { state: GridState; signal: AbortSignal }) {
  const view = useMemo(() => new GridView(state, signal), [state, signal]);
  return (
    <App state={state} label="Image grid">
      <div class="bar">
        <span class="count">{countText(state)}</span>
        <span class="spring" />
        <SortControls state={state} />
        <SizeSlider view={view} />
      </div>
      <div class="bar">
        <SelectionControls state={state}>
          <AllButKeepers state={state} />
        </SelectionControls>
      </div>
      <Images state={state} view={view} />
    </App>
  );
}
