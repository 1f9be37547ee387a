import { useSignal } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { DUPLICATES, notConfirmed } from "../../data/scale";
import { Compare as CompareState } from "../../state/compare";
import type { ExplorerState } from "../../state/explorer";
import { GridView } from "../../state/grid-view";
import { Collections } from "../collections/Collections";
import { CollectionsPanel } from "../collections/CollectionsPanel";
import { Compare } from "../compare/Compare";
import { CreateDataset, type Opening } from "../dataset/DatasetDialog";
import { FilterBar } from "../filters/FilterBar";
import { Overview } from "../filters/Overview";
import { App } from "../grid/App";
import { countText, Images } from "../grid/Images";
import { SizeSlider, SortControls } from "../grid/Toolbar";
import { RangeHistogram } from "../histogram/RangeHistogram";
import { ReviewBar, ReviewOffer, ReviewProblem, reviewKey, UndoRedo } from "../review/ReviewBar";
import { Analytics } from "./Analytics";
import { type Tab, Tabs } from "./Tabs";

export function Explorer({ state, signal }: { state: ExplorerState; signal: AbortSignal }) {
  const view = useMemo(() => new GridView(state, signal), [state, signal]);
  const compare = useMemo(() => new CompareState(state, view, signal), [state, view, signal]);
  const tab = useSignal<Tab>("images");
  const opening = useSignal<Opening | null>(null);
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
  const comparing = compare.course.value !== null;
  useLayoutEffect(() => {
    if (!comparing) return;
    return () => {
      panel.current?.querySelector<HTMLElement>(".grid")?.focus({ preventScroll: true });
      stayTall(false);
    };
  }, [comparing]);
  const history = comparing ? compare : state.review;
  return (
    <App
      state={state}
      label="Image explorer"
      onKeyDown={(event) => reviewKey(state.review, event, history)}
    >
      {state.scoring.value && (
        <div class="scoring" role="status">
          <span class="spinner" aria-hidden="true" />
          <span>Scoring: {state.scoring.value}</span>
        </div>
      )}
      <div class="bar">
        <Tabs state={state} tab={tab} onChoose={choose} />
        <span class="spring" />
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
            <div class="bar">
              <Overview state={state} view={view} />
            </div>
            <ScoreHistogram state={state} />
            <div class="bar">
              <FilterBar state={state} />
              <span class="spring" />
              <SortControls state={state} />
              <SizeSlider view={view} />
            </div>
            <div class="bar">
              <ReviewBar state={state} />
              <span class="spring" />
              <Collections state={state} />
            </div>
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

function ScoreHistogram({ state }: { state: ExplorerState }) {
  const frame = state.frame.value;
  const { bars } = state;
  if (!frame || frame.score === null) return null;
  if (!state.scoreShown.value) {
    return <output class="count">{countText(state)} · no scores</output>;
  }
  return (
    <RangeHistogram
      label={frame.score}
      scale={bars.scale.value}
      bars={bars.counts.value}
      left={bars.left.value}
      range={state.range.value}
      marks={[
        { value: DUPLICATES, label: "duplicates" },
        {
          value: frame.near,
          label: "near-duplicates",
          hint: notConfirmed(frame.near, frame.summary),
        },
      ]}
      count={countText(state)}
      log={state.screen.log.value}
      canBeLog={bars.canBeLog.value}
      onRange={(range) => state.setRange(range)}
      onLog={(log) => {
        state.screen.log.value = log;
      }}
    />
  );
}
