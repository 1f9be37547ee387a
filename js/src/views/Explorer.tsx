import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import * as format from "../data/format";
import { hasGroups } from "../data/frame";
import { EXACT, type ExplorerState } from "../state/explorer";
import { GridView } from "../state/grid-view";
import { Analytics } from "./Analytics";
import { Collections } from "./collections/Collections";
import { CollectionsPanel } from "./collections/CollectionsPanel";
import { CreateDataset, type Opening } from "./dataset/DatasetDialog";
import { FilterBar } from "./filters/FilterBar";
import { Overview } from "./filters/Overview";
import { Grid } from "./grid/Grid";
import { AllButKeepers, SelectionControls, SizeSlider, SortControls } from "./grid/Toolbar";
import { RangeHistogram } from "./histogram/RangeHistogram";
import { ReviewBar, ReviewProblem, reviewKey, UndoRedo } from "./review/ReviewBar";
import { SimilarPopover } from "./similar/SimilarPopover";
import { LostBanner, Placeholder } from "./ui/Banner";
import { type Tab, Tabs } from "./ui/Tabs";

export interface ExplorerProps {
  state: ExplorerState;
  signal: AbortSignal;
  /** An ImageGrid is an Explorer without histogram, shortcuts and collections. */
  gridOnly?: boolean;
}

export function Explorer({ state, signal, gridOnly = false }: ExplorerProps) {
  const view = useMemo(() => new GridView(state, signal), [state, signal]);
  const tab = useSignal<Tab>("images");
  const opening = useSignal<Opening | null>(null);
  const panel = useRef<HTMLDivElement>(null);
  const status = state.status.value;
  const frame = state.frame.value;
  if (!frame || status.kind !== "ready") {
    return (
      <section class="app" aria-label="Image explorer">
        <LostBanner rpc={state.rpc} />
        <Placeholder status={status} height={Math.min(240, state.height.value)} />
      </section>
    );
  }
  if (frame.rows === 0) {
    return (
      <section class="app" aria-label="Image explorer">
        <LostBanner rpc={state.rpc} />
        <div class="placeholder">
          <strong>No images</strong>
          <span>There is nothing in this frame to show.</span>
        </div>
      </section>
    );
  }
  if (gridOnly) {
    return (
      <section class="app" aria-label="Image grid">
        <LostBanner rpc={state.rpc} />
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
      </section>
    );
  }
  const choose = (next: Tab) => {
    // A page that becomes shorter would scroll away from here.
    const { style, offsetHeight } = panel.current!;
    style.setProperty("--tall", next === "images" ? "0px" : `${offsetHeight}px`);
    tab.value = next;
  };
  return (
    <section
      class="app"
      aria-label="Image explorer"
      onKeyDown={(event) => reviewKey(state.review, event)}
    >
      <LostBanner rpc={state.rpc} />
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
      <ReviewProblem review={state.review} />
    </section>
  );
}

/** The grid with what belongs to it. */
function Images({ state, view }: { state: ExplorerState; view: GridView }) {
  return (
    <>
      {state.sortError.value && (
        <div class="banner" role="alert">
          {state.sortError.value}
        </div>
      )}
      <div class="stage">
        <Grid view={view} />
        <Empty state={state} />
      </div>
      <SimilarPopover view={view} />
      <Announcement text={`${countText(state)}, ${format.count(selected(state))} selected`} />
    </>
  );
}

/** Tells a screen reader the counts once they have come to rest. */
function Announcement({ text }: { text: string }) {
  const said = useSignal("");
  useEffect(() => {
    const timer = setTimeout(() => {
      said.value = text;
    }, 700);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <p class="visually-hidden" role="status">
      {said.value}
    </p>
  );
}

function selected(state: ExplorerState): number {
  state.selection.version.value;
  return state.selection.count;
}

/** "1,204 images · 87 groups · 3 unreadable": always with the unit. */
function countText(state: ExplorerState): string {
  const shown = state.shown.value;
  const frame = state.frame.value;
  if (!shown || !frame) return "";
  const parts = [format.images(shown.order.length)];
  if (hasGroups(frame)) parts.push(format.groups(shown.groups));
  const { unreadable } = frame.summary;
  if (unreadable > 0 && shown.order.length === frame.rows) {
    parts.push(`${format.count(unreadable)} unreadable`);
  }
  return parts.join(" · ");
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
        { value: EXACT, label: "duplicates" },
        { value: frame.near, label: "near-duplicates" },
      ]}
      count={countText(state)}
      log={state.log.value}
      canBeLog={bars.canBeLog.value}
      onRange={(range) => state.setRange(range)}
      onLog={(log) => {
        state.log.value = log;
      }}
    />
  );
}

/** Lies over the grid while there is nothing in it. */
function Empty({ state }: { state: ExplorerState }) {
  if (state.shown.value?.order.length !== 0) return null;
  return (
    <div class="placeholder over">
      <strong>No image passes these filters</strong>
      <button type="button" onClick={() => state.resetFilters()}>
        Reset filters
      </button>
    </div>
  );
}
