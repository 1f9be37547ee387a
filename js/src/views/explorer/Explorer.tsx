import { useSignal } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { opens } from "../../data/keys";
import { changesOf } from "../../data/overview";
import { Compare as CompareState } from "../../state/compare";
import type { ExplorerState } from "../../state/explorer";
import { GridView } from "../../state/grid-view";
import { Outcome } from "../collections/Collections";
import { CollectionsPanel } from "../collections/CollectionsPanel";
import { Compare } from "../compare/Compare";
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
import { WentOn } from "./WentOn";

export function Explorer({ state, signal }: { state: ExplorerState; signal: AbortSignal }) {
  const view = useMemo(() => new GridView(state, signal), [state, signal]);
  const compare = useMemo(() => new CompareState(state, view, signal), [state, view, signal]);
  const tab = useSignal<Tab>("images");
  const opening = useSignal<Opening | null>(null);
  const keys = useSignal(false);
  const searches = useSignal(0);
  const panel = useRef<HTMLDivElement>(null);
  // A page that becomes shorter would scroll away from here.
  const stayTall = (tall: boolean) => {
    const { style, offsetHeight } = panel.current!;
    style.setProperty("--tall", tall ? `${offsetHeight}px` : "0px");
    return offsetHeight;
  };
  const choose = (next: Tab) => {
    stayTall(next !== "images");
    tab.value = next;
  };
  compare.room = () => stayTall(true);
  const focusGrid = () =>
    panel.current?.querySelector<HTMLElement>(".grid")?.focus({ preventScroll: true });
  const comparing = compare.course.value !== null;
  useLayoutEffect(() => {
    if (!comparing) return;
    return () => {
      focusGrid();
      stayTall(false);
    };
  }, [comparing]);
  const history = comparing ? compare : state.review;
  const onKeyDown = (event: KeyboardEvent) => {
    reviewKey(state.review, event, history);
    const opened = tab.value === "images" && !comparing ? opens(event) : null;
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
      {state.scoring.value && (
        <div class="scoring" role="status">
          <span class="spinner" aria-hidden="true" />
          <span>Scoring: {state.scoring.value}</span>
        </div>
      )}
      <div class="bar top">
        <Tabs state={state} tab={tab} onChoose={choose} />
        {tab.value === "images" && !comparing && <SkipToImages />}
        <span class="spring" />
        {tab.value === "images" && !comparing && <SortAgain state={state} />}
        <UndoRedo state={state} by={history} />
        <CreateDataset state={state} opening={opening} />
      </div>
      <div
        ref={panel}
        id={`panel-${tab.value}`}
        class="panel"
        role="tabpanel"
        aria-labelledby={`tab-${tab.value}`}
      >
        {tab.value === "images" && comparing && <Compare compare={compare} />}
        {tab.value === "images" && !comparing && (
          <>
            <WentOn review={state.review} onGone={focusGrid} />
            <FirstLine state={state} onReview={() => reviewNear(state, view)} />
            <div class="bar counts">
              <Overview state={state} view={view} />
              <span class="spring" />
              <span class="bar menus">
                <SelectAll state={state} />
                <ShownCount state={state} />
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

/** Review the groups of near-duplicates, one after the other. */
function reviewNear(state: ExplorerState, view: GridView): void {
  const all = state.shortcuts.peek();
  const near = all.find(({ of }) => of === "near");
  if (near) state.filtering.change(changesOf(near, all));
  view.scrollTo(0);
  view.open?.(null);
}
