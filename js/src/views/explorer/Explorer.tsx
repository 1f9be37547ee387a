import { useSignal } from "@preact/signals";
import { useMemo, useRef } from "preact/hooks";
import { DUPLICATES, notConfirmed } from "../../data/scale";
import type { ExplorerState } from "../../state/explorer";
import { GridView } from "../../state/grid-view";
import { Collections } from "../collections/Collections";
import { CollectionsPanel } from "../collections/CollectionsPanel";
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
  const tab = useSignal<Tab>("images");
  const opening = useSignal<Opening | null>(null);
  const panel = useRef<HTMLDivElement>(null);
  const choose = (next: Tab) => {
    // A page that becomes shorter would scroll away from here.
    const { style, offsetHeight } = panel.current!;
    style.setProperty("--tall", next === "images" ? "0px" : `${offsetHeight}px`);
    tab.value = next;
  };
  return (
    <App state={state} label="Image explorer" onKeyDown={(event) => reviewKey(state.review, event)}>
      {state.scoring.value && (
        <div class="scoring" role="status">
          <span class="spinner" aria-hidden="true" />
          <span>Scoring: {state.scoring.value}</span>
        </div>
      )}
      <div class="bar">
        <Tabs state={state} tab={tab} onChoose={choose} />
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
