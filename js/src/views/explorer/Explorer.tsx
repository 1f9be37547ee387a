import { useSignal } from "@preact/signals";
import { useMemo, useRef } from "preact/hooks";
import { opens } from "../../data/keys";
import { changesOf } from "../../data/overview";
import type { ExplorerState } from "../../state/explorer";
import { GridView } from "../../state/grid-view";
import { Outcome } from "../collections/Collections";
import { CollectionsPanel } from "../collections/CollectionsPanel";
import { CreateDataset, type Opening } from "../dataset/DatasetDialog";
import { FilterRow, FilterToggle } from "../filters/FilterRow";
import { Overview } from "../filters/Overview";
import { App } from "../grid/App";
import { Images, ShownCount } from "../grid/Images";
import { SelectAll, SortAgain } from "../grid/Toolbar";
import { ViewMenu } from "../grid/ViewMenu";
import { PlanMenu } from "../review/PlanMenu";
import { ReviewOffer, ReviewProblem, reviewKey, UndoRedo } from "../review/ReviewBar";
import { KeyHelp } from "../ui/KeyHelp";
import { Analytics } from "./Analytics";
import { Headline } from "./Headline";
import { isSelecting, SelectionBar } from "./SelectionBar";
import { type Tab, Tabs } from "./Tabs";

export function Explorer({ state, signal }: { state: ExplorerState; signal: AbortSignal }) {
  const view = useMemo(() => new GridView(state, signal), [state, signal]);
  const tab = useSignal<Tab>("images");
  const opening = useSignal<Opening | null>(null);
  const keys = useSignal(false);
  const searches = useSignal(0);
  const panel = useRef<HTMLDivElement>(null);
  const choose = (next: Tab) => {
    // A page that becomes shorter would scroll away from here.
    const { style, offsetHeight } = panel.current!;
    style.setProperty("--tall", next === "images" ? "0px" : `${offsetHeight}px`);
    tab.value = next;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    reviewKey(state.review, event);
    const opened = tab.value === "images" ? opens(event) : null;
    if (opened === null) return;
    event.preventDefault();
    event.stopPropagation();
    if (opened === "keys") keys.value = !keys.value;
    else {
      state.screen.filtersOpen.value = true;
      searches.value += 1;
    }
  };
  return (
    <App state={state} label="Image explorer" onKeyDown={onKeyDown}>
      <div class="bar top">
        <Tabs state={state} tab={tab} onChoose={choose} />
        {tab.value === "images" && <SkipToImages />}
        <span class="spring" />
        <UndoRedo state={state} />
        <CreateDataset state={state} opening={opening} />
      </div>
      <div
        ref={panel}
        id={`panel-${tab.value}`}
        class="panel"
        role="tabpanel"
        aria-labelledby={`tab-${tab.value}`}
      >
        {tab.value === "images" && (
          <>
            <FirstLine state={state} onReview={() => showNear(state, view)} />
            <div class="bar counts">
              <Overview state={state} view={view} />
              <span class="spring" />
              <span class="bar menus">
                <SelectAll state={state} />
                <ShownCount state={state} />
                <SortAgain state={state} />
                <FilterToggle state={state} />
                <PlanMenu state={state} />
                <ViewMenu state={state} view={view} />
                <KeyHelp open={keys} />
              </span>
            </div>
            <FilterRow state={state} searches={searches} />
            <Images state={state} view={view} />
          </>
        )}
        {tab.value === "analytics" && <Analytics state={state} />}
        {tab.value === "collections" && (
          <CollectionsPanel
            state={state}
            onShow={() => choose("images")}
            onCreate={(source) => {
              opening.value = { source };
            }}
          />
        )}
      </div>
      <ReviewOffer review={state.review} />
      <ReviewProblem review={state.review} />
    </App>
  );
}

interface FirstLineProps {
  state: ExplorerState;
  onReview(): void;
}

/**
 * What can go, or what to do with what is selected. Both take their place, so that the images stay
 * where they are when a selection begins.
 */
function FirstLine({ state, onReview }: FirstLineProps) {
  const selecting = isSelecting(state);
  return (
    <div class="first-line">
      <div class={selecting ? "unseen" : undefined}>
        <Headline state={state} onReview={onReview} />
      </div>
      <div class={selecting ? undefined : "unseen"}>
        <SelectionBar state={state} />
      </div>
      <Outcome state={state} />
    </div>
  );
}

/** From the tabs to the grid, past all that stands between them. */
function SkipToImages() {
  return (
    <button
      type="button"
      class="skip"
      onClick={(event) => {
        const root = event.currentTarget.getRootNode() as ShadowRoot;
        root.querySelector<HTMLElement>('[role="grid"]')?.focus();
      }}
    >
      Skip to images
    </button>
  );
}

function showNear(state: ExplorerState, view: GridView): void {
  const all = state.shortcuts.peek();
  const near = all.find(({ unit }) => unit.startsWith("near"));
  if (near) state.filtering.change(changesOf(near, all));
  view.scrollTo(0);
}
