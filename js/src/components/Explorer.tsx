import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import * as format from "../format";
import { hasGroups } from "../frame";
import { GridView } from "../grid-view";
import { canBeLog } from "../histogram";
import { EXACT, type ExplorerState } from "../state";
import { LostBanner, Placeholder } from "./Banner";
import { Collections } from "./Collections";
import { Grid } from "./Grid";
import { RangeHistogram } from "./RangeHistogram";
import { SimilarPopover } from "./SimilarPopover";
import { SelectionControls, Shortcuts, SizeSlider, SortControls } from "./Toolbar";

export interface ExplorerProps {
  state: ExplorerState;
  signal: AbortSignal;
  /** An ImageGrid is an Explorer without histogram, shortcuts and collections. */
  gridOnly?: boolean;
}

export function Explorer({ state, signal, gridOnly = false }: ExplorerProps) {
  const view = useMemo(() => new GridView(state, signal), [state, signal]);
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
  return (
    <section class="app" aria-label="Image explorer">
      <LostBanner rpc={state.rpc} />
      <div class="bar">
        {!gridOnly && <Shortcuts state={state} view={view} />}
        {gridOnly && <span class="count">{countText(state)}</span>}
        <span class="spring" />
        <SortControls state={state} />
        <SizeSlider view={view} />
      </div>
      {!gridOnly && <ScoreHistogram state={state} />}
      <div class="bar">
        <SelectionControls state={state} />
        <span class="spring" />
        {!gridOnly && <Collections state={state} />}
      </div>
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
    </section>
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
  const scale = state.scale.value;
  const bars = state.bars.value;
  if (!frame || !scale || !bars || frame.score === null) return null;
  if (frame.extent.min > frame.extent.max) {
    return <output class="count">{countText(state)} · no scores</output>;
  }
  return (
    <RangeHistogram
      label={frame.score}
      scale={scale}
      bars={bars}
      range={state.range.value}
      marks={[
        { value: EXACT, label: "duplicates" },
        { value: frame.near, label: "near-duplicates" },
      ]}
      count={countText(state)}
      log={state.log.value}
      canBeLog={canBeLog(frame.extent)}
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
      <strong>No image in this range</strong>
      <button type="button" onClick={() => state.resetFilters()}>
        Reset filters
      </button>
    </div>
  );
}
