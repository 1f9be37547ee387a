import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { opens } from "../../data/keys";
import type { GridState } from "../../state/grid";
import { GridView } from "../../state/grid-view";
import { KeyHelp } from "../ui/KeyHelp";
import { App } from "./App";
import { Images, ShownCount } from "./Images";
import { AllButKeepers, SelectAll, SelectionControls, SortAgain } from "./Toolbar";
import { ViewMenu } from "./ViewMenu";

/** The images of a frame: nothing but a grid, its order, and the selection. */
export function GridApp({ state, signal }: { state: GridState; signal: AbortSignal }) {
  const view = useMemo(() => new GridView(state, signal), [state, signal]);
  const keys = useSignal(false);
  const onKeyDown = (event: KeyboardEvent) => {
    if (opens(event) !== "keys") return;
    event.preventDefault();
    keys.value = !keys.value;
  };
  return (
    <App state={state} label="Image grid" onKeyDown={onKeyDown}>
      <div class="bar">
        <ShownCount state={state} />
        <span class="spring" />
        <SortAgain state={state} />
        <SelectAll state={state} />
        <ViewMenu state={state} view={view} />
        <KeyHelp open={keys} />
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
