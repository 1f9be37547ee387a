import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import * as format from "../../data/format";
import {
  areaOf,
  boxUnder,
  IDENTITY,
  inverse,
  movedBy,
  needed,
  rectOf,
  type Size,
  settled,
  toggled,
  visible,
  zoomedAt,
} from "../../data/zoom";
import type { Compare } from "../../state/compare";
import type { Wanted } from "../../state/pictures";
import { BrokenIcon } from "../ui/icons";
import { type Drawable, draw, drawDifference, outline, toCanvas, within } from "./draw";
import { PaneHead } from "./PaneHead";
import { Sheet } from "./Sheet";

/** Below this share of a picture it is worth to draw which part of it another one shows. */
const PART = 0.97;
const WHEEL = 0.0015;

/** The pictures: two of them in one of several ways, all as a sheet, or a single one. */
export function Stage({ compare }: { compare: Compare }) {
  const place = useSignal<Size>({ width: 0, height: 0 });
  const mode = compare.mode.value;
  const base = compare.base.value;
  const candidate = compare.candidate.value;
  const isPair = base !== candidate;
  if (mode === "all" && compare.isGroup.value) return <Sheet compare={compare} />;
  const sideBySide = isPair && mode === "side by side";
  return (
    <div class={sideBySide ? "panes two" : "panes"}>
      <Want compare={compare} place={place} />
      <Pane compare={compare} place={place} row={base} measure />
      {sideBySide && <Pane compare={compare} place={place} row={candidate} />}
    </div>
  );
}

interface PlaceProps {
  compare: Compare;
  place: { value: Size };
}

const densityOf = () => globalThis.devicePixelRatio || 1;

/** Fetches what is in sight, in the size in which it is shown. */
function Want({ compare, place }: PlaceProps) {
  const wanted = useComputed(() => {
    const { width } = place.value;
    if (width === 0) return [];
    const base = compare.base.value;
    const size = compare.sizeOf(base) ?? place.value;
    const seen = visible(compare.zoom.value, size, place.value);
    const rect = rectOf(compare.zoom.value, size, place.value);
    const mode = compare.mode.value;
    const rows = new Set([base, compare.candidate.value]);
    const found: Wanted[] = [];
    for (const row of rows) {
      const own = compare.sizeOf(row) ?? size;
      let side = Math.max(rect.width, rect.height) * densityOf();
      let box = seen;
      if (row !== base && mode !== "side by side") {
        const { map } = compare.mapOf(row);
        const back = inverse(map);
        if (back) box = boxUnder(back, seen);
        const across = Math.hypot(map[0] * rect.width, map[3] * rect.height);
        const down = Math.hypot(map[1] * rect.width, map[4] * rect.height);
        side = Math.max(across, down) * densityOf();
      } else if (row !== base) {
        const its = rectOf(compare.zoom.value, own, place.value);
        side = Math.max(its.width, its.height) * densityOf();
        box = visible(compare.zoom.value, own, place.value);
      }
      const need = needed(own, side, box);
      if (need.box) found.push({ row, ...needed(own, Math.min(side, 2048), box) });
      found.push({ row, ...need });
    }
    return found;
  }).value;
  const key = JSON.stringify(wanted);
  useEffect(() => {
    if (wanted.length > 0) compare.want(wanted);
  }, [key]);
  return null;
}

interface PaneProps extends PlaceProps {
  row: number;
  /** Whether this one tells how large the panes are. */
  measure?: boolean;
}

function drawableOf(compare: Compare, row: number): Drawable {
  const picture = compare.pictures.get(row);
  return {
    whole: picture?.whole?.bitmap ?? compare.state.tiles.get(row)?.picture ?? null,
    part: picture?.part ?? null,
    size: compare.sizeOf(row),
  };
}

function Pane({ compare, place, row, measure }: PaneProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const base = compare.base.value;
  const candidate = compare.candidate.value;
  const mode = compare.mode.value;
  const isPair = base !== candidate;
  const isBase = row === base;
  // In one pane both pictures lie on each other, and side by side so they do while Space is held.
  const overlays = isPair && isBase && (mode !== "side by side" || compare.flipped.value);
  compare.pictures.version.value;
  compare.state.tiles.version.value;

  useLayoutEffect(() => {
    if (!measure) return;
    const element = frame.current!;
    const read = () => {
      const { clientWidth: width, clientHeight: height } = element;
      if (width !== place.value.width || height !== place.value.height) {
        place.value = { width, height };
      }
    };
    const observer = new ResizeObserver(read);
    observer.observe(element);
    read();
    return () => observer.disconnect();
  }, [measure, place]);

  const { width, height } = place.value;
  const size = compare.sizeOf(row);
  const density = densityOf();
  const view = compare.zoom.value;
  const split = compare.split.value;
  const gain = compare.gain.value;
  const other = overlays ? compare.mapOf(candidate) : null;
  const between = isPair ? compare.mapOf(candidate) : null;

  useLayoutEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context || !size || width === 0) return;
    element.width = Math.round(width * density);
    element.height = Math.round(height * density);
    const rect = rectOf(view, size, { width, height });
    const own = toCanvas(IDENTITY, rect, density);
    const one = drawableOf(compare, row);
    if (!other) {
      draw(context, one, own);
      const part = between?.known ? (isBase ? between.map : inverse(between.map)) : null;
      if (part && areaOf(boxUnder(part, [0, 0, 1, 1])) < PART) {
        within(context, [own], () => outline(context, toCanvas(part, rect, density), density));
      }
      return;
    }
    const its = toCanvas(other.map, rect, density);
    const two = drawableOf(compare, candidate);
    if (mode === "difference" && !compare.flipped.value) {
      drawDifference(context, [one, two], [own, its], gain);
      outline(context, own, density / 2);
    } else if (mode === "split" && !compare.flipped.value) {
      draw(context, one, own);
      const right = [1, 0, split, 0, 1, 0] as const;
      const whole = { left: 0, top: 0, width, height };
      within(context, [toCanvas(right, whole, density)], () => {
        context.clearRect(0, 0, element.width, element.height);
        draw(context, two, its);
      });
    } else if (compare.flipped.value) draw(context, two, its);
    else draw(context, one, own);
  });

  const picture = compare.pictures.get(overlays && compare.flipped.value ? candidate : row);
  const tile = compare.state.tiles.get(row);
  const error = picture?.error ?? null;
  const isComing = !picture?.whole && error === null;
  return (
    <figure class="pane">
      <PaneHead
        compare={compare}
        row={row}
        over={overlays ? candidate : null}
        place={place.value}
      />
      <div
        ref={frame}
        class={mode === "difference" && overlays ? "picture dark" : "picture"}
        {...usePointer(compare, place, row)}
      >
        <canvas
          ref={canvas}
          role="img"
          aria-label={altOf(compare, row, overlays ? candidate : null)}
          aria-busy={isComing}
        />
        {overlays && mode === "split" && !compare.flipped.value && <Divider compare={compare} />}
        {isComing && tile && <span class="spinner" aria-hidden="true" />}
        {error !== null && (
          <p class="unreadable" role="alert">
            <BrokenIcon />
            <span>
              {format.sentence(error)}
              {tile?.picture && ". This is its stored thumbnail."}
            </span>
          </p>
        )}
      </div>
    </figure>
  );
}

function altOf(compare: Compare, row: number, over: number | null): string {
  const name = (it: number) => compare.state.tiles.get(it)?.info.name ?? "picture";
  if (over === null) return name(row);
  const mode = compare.mode.value;
  if (mode === "difference") return `Difference of ${name(row)} and ${name(over)}`;
  if (mode === "split") return `${name(row)} on the left, ${name(over)} on the right`;
  return name(compare.flipped.value ? over : row);
}

/** Where two pictures meet: drag it, or move it by the arrow keys. */
function Divider({ compare }: { compare: Compare }) {
  const percent = Math.round(compare.split.value * 100);
  const set = (value: number) => {
    compare.split.value = Math.min(1, Math.max(0, value));
  };
  return (
    <div
      class="divider"
      style={{ left: `${percent}%` }}
      role="slider"
      tabIndex={0}
      aria-label="Where the pictures meet"
      aria-orientation="horizontal"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      onKeyDown={(event) => {
        const by = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
        if (by === undefined) return;
        event.preventDefault();
        event.stopPropagation();
        set(compare.split.peek() + by);
      }}
      onPointerDown={(event) => {
        event.stopPropagation();
        event.preventDefault();
        const handle = event.currentTarget;
        handle.focus({ preventScroll: true });
        handle.setPointerCapture(event.pointerId);
        const box = handle.parentElement!.getBoundingClientRect();
        const move = ({ clientX }: PointerEvent) => set((clientX - box.left) / box.width);
        const end = () => {
          handle.removeEventListener("pointermove", move);
          handle.removeEventListener("pointerup", end);
          handle.removeEventListener("pointercancel", end);
        };
        handle.addEventListener("pointermove", move);
        handle.addEventListener("pointerup", end);
        handle.addEventListener("pointercancel", end);
      }}
    />
  );
}

/** Dragging, the wheel and two fingers; one of them moves all pictures. */
function usePointer(compare: Compare, place: { value: Size }, row: number) {
  const fingers = useRef(new Map<number, { x: number; y: number }>());
  const apply = (change: (size: Size) => typeof compare.zoom.value) => {
    const size = compare.sizeOf(row);
    if (size && place.value.width > 0) compare.zoom.value = change(size);
  };
  const gone = ({ pointerId }: PointerEvent) => fingers.current.delete(pointerId);
  return {
    onWheel(event: WheelEvent) {
      const isFit = compare.zoom.peek().zoom <= 1;
      // At its full size the page scrolls on.
      if (event.deltaY > 0 && isFit && !event.ctrlKey) return;
      event.preventDefault();
      const box = (event.currentTarget as Element).getBoundingClientRect();
      const at = { x: event.clientX - box.left, y: event.clientY - box.top };
      const speed = event.ctrlKey ? 6 : event.deltaMode === 1 ? 24 : 1;
      const factor = Math.exp(-event.deltaY * WHEEL * speed);
      apply((size) => zoomedAt(compare.zoom.peek(), factor, at, size, place.value, densityOf()));
    },
    onPointerDown(event: PointerEvent) {
      if (event.button !== 0) return;
      const element = event.currentTarget as HTMLElement;
      element.setPointerCapture(event.pointerId);
      fingers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
    },
    onPointerMove(event: PointerEvent) {
      const before = fingers.current.get(event.pointerId);
      if (!before) return;
      const now = { x: event.clientX, y: event.clientY };
      const others = [...fingers.current].filter(([id]) => id !== event.pointerId);
      fingers.current.set(event.pointerId, now);
      if (others.length === 0) {
        const by = { x: now.x - before.x, y: now.y - before.y };
        apply((size) => movedBy(compare.zoom.peek(), by, size, place.value, densityOf()));
        return;
      }
      const [, other] = others[0];
      const apart = (it: { x: number; y: number }) => Math.hypot(it.x - other.x, it.y - other.y);
      const box = (event.currentTarget as Element).getBoundingClientRect();
      const at = { x: (now.x + other.x) / 2 - box.left, y: (now.y + other.y) / 2 - box.top };
      const factor = apart(now) / Math.max(1, apart(before));
      apply((size) => zoomedAt(compare.zoom.peek(), factor, at, size, place.value, densityOf()));
    },
    onPointerUp: gone,
    onPointerCancel: gone,
    onDblClick(event: MouseEvent) {
      event.preventDefault();
      zoomToggle(compare, place.value, row);
    },
  };
}

/** Fit, or one pixel of the picture for each of the screen. */
export function zoomToggle(compare: Compare, place: Size, row = compare.base.peek()): void {
  const size = compare.sizeOf(row);
  if (!size || place.width === 0) return;
  compare.zoom.value = toggled(compare.zoom.peek(), size, place, densityOf());
}

/** One step in or out, around the middle. */
export function zoomBy(compare: Compare, place: Size, factor: number): void {
  const size = compare.sizeOf(compare.base.peek());
  if (!size || place.width === 0) return;
  const middle = { x: place.width / 2, y: place.height / 2 };
  const zoomed = zoomedAt(compare.zoom.peek(), factor, middle, size, place, densityOf());
  compare.zoom.value = settled(zoomed, size, place, densityOf());
}
