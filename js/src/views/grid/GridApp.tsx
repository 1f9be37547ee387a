import { useSignal } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { opens } from "../../data/keys";
import { Compare as CompareState } from "../../state/compare";
import type { GridState } from "../../state/grid";
import { GridView } from "../../state/grid-view";
import { Compare } from "../compare/Compare";
import { KeyHelp } from "../ui/KeyHelp";
import { App } from "./App";
import { Images, ShownCount } from "./Images";
import { AllButKeepers, SelectAll, SelectionControls, SortAgain } from "./Toolbar";
import { ViewMenu } from "./ViewMenu";

/** The images of a frame: nothing but a grid, its order, the selection, and one image large. */
export function GridApp({ state, signal }: { state: GridState; signal: AbortSignal }) {
  const view = useMemo(() => new GridView(state, signal), [state, signal]);
  const compare = useMemo(() => new CompareState(state, view, signal), [state, view, signal]);
  const keys = useSignal(false);
  const panel = useRef<HTMLDivElement>(null);
  compare.room = () => panel.current!.offsetHeight;
  const comparing = compare.course.value !== null;
  useLayoutEffect(() => {
    if (!comparing) return;
    return () => panel.current?.querySelector<HTMLElement>(".grid")?.focus({ preventScroll: true });
  }, [comparing]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (comparing || opens(event) !== "keys") return;
    event.preventDefault();
    keys.value = !keys.value;
  };
  return (
    <App state={state} label="Image grid" onKeyDown={onKeyDown}>
      <div ref={panel}>
        {comparing ? (
          <Compare compare={compare} />
        ) : (
          <>
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
          </>
        )}
      </div>
    </App>
  );
}
