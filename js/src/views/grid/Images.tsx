import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import * as format from "../../data/format";
import { hasGroups } from "../../data/frame";
import type { GridState } from "../../state/grid";
import type { GridView } from "../../state/grid-view";
import { SimilarPopover } from "../similar/SimilarPopover";
import { Grid } from "./Grid";

/** The grid with what belongs to it. */
export function Images({ state, view }: { state: GridState; view: GridView }) {
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

/** Gives a screen reader the counts once they have come to rest. */
function Announcement({ text }: { text: string }) {
  const announced = useSignal("");
  useEffect(() => {
    const timer = setTimeout(() => {
      announced.value = text;
    }, 700);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <p class="visually-hidden" role="status">
      {announced.value}
    </p>
  );
}

function selected(state: GridState): number {
  state.selection.version.value;
  return state.selection.count;
}

/** "1,204 images · 87 groups": how many are shown, always with the unit. */
function countText(state: GridState): string {
  return countParts(state).join(" · ");
}

/** The same; where there is no room, without the groups. */
export function ShownCount({ state }: { state: GridState }) {
  const [images, groups] = countParts(state);
  return (
    <output class="count" aria-live="off">
      {images}
      {groups && <span class="roomy"> · {groups}</span>}
    </output>
  );
}

function countParts(state: GridState): string[] {
  const shown = state.shown.value;
  const frame = state.frame.value;
  if (!shown || !frame) return [];
  const parts = [format.images(shown.count)];
  if (hasGroups(frame)) parts.push(format.groups(shown.banded.groups));
  return parts;
}

/** Lies over the grid while there is nothing in it. */
function Empty({ state }: { state: GridState }) {
  if (state.shown.value?.count !== 0) return null;
  return (
    <div class="placeholder over">
      <strong>No image passes these filters</strong>
      <button type="button" onClick={() => state.resetFilters()}>
        Reset filters
      </button>
    </div>
  );
}
