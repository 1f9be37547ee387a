import { useEffect, useMemo, useRef } from "preact/hooks";
import { type End, isDate, type Measure, read, write } from "../../data/measure";
import type { Range } from "../../data/range";
import { keyStep, moveBoth, moveEnd, rangeOrNull } from "../../histogram/histogram";
import { binEnd, type Scale } from "../../histogram/scale";

interface Mark {
  value: number;
  label: string;
  /** What more there is to say of it. */
  hint?: string | null;
}

interface RangeHistogramProps {
  /** What the values are, e.g. "uniqueness". */
  label: string;
  measure?: Measure;
  scale: Scale;
  bars: Uint32Array;
  /** What other filters leave of the bars; all when there are none. */
  left?: Uint32Array;
  range: Range | null;
  marks?: readonly Mark[];
  /** What the range leaves, in words; nothing where that is told elsewhere. */
  count?: string;
  log: boolean;
  canBeLog: boolean;
  onRange(range: Range | null): void;
  onLog(log: boolean): void;
  /** Told when a drag begins and ends. */
  onDrag?(dragging: boolean): void;
}

/** Distance along the axis below which one thumb hides the other. */
const OVERLAP = 0.012;

export function RangeHistogram(props: RangeHistogramProps) {
  const { label, scale, range, measure = "number", onRange } = props;
  const shown: Range = range ?? [scale.min, scale.max];
  const set = (next: Range) => onRange(rangeOrNull(next, scale));
  const setEnd = (end: End, value: number) => set(moveEnd(shown, end, value));
  return (
    <div class="histogram">
      <div class="bar">
        <span class="title">{label}</span>
        <span class="bounds">
          <Bound
            label={endLabel(label, measure, 0)}
            value={shown[0]}
            end={0}
            measure={measure}
            scale={scale}
            onValue={(value) => set([value, Math.max(value, shown[1])])}
          />
          <span aria-hidden="true">…</span>
          <Bound
            label={endLabel(label, measure, 1)}
            value={shown[1]}
            end={1}
            measure={measure}
            scale={scale}
            onValue={(value) => set([Math.min(value, shown[0]), value])}
          />
        </span>
        {props.count !== undefined && (
          <output class="count" aria-live="off">
            {props.count}
          </output>
        )}
        <span class="spring" />
        {!isDate(measure) && (
          <button
            type="button"
            class="toggle"
            aria-pressed={props.log && props.canBeLog}
            disabled={!props.canBeLog}
            title="Logarithmic axis"
            onClick={() => props.onLog(!props.log)}
          >
            log scale
          </button>
        )}
      </div>
      <Plot {...props} shown={shown} onShown={set} onEnd={setEnd} />
    </div>
  );
}

function endLabel(label: string, measure: Measure, end: End): string {
  if (isDate(measure)) return `${end === 0 ? "Earliest" : "Latest"} ${label}`;
  return `${end === 0 ? "Lowest" : "Highest"} ${label}`;
}

interface PlotProps extends RangeHistogramProps {
  shown: Range;
  onShown(range: Range): void;
  onEnd(end: End, value: number): void;
}

function Plot(props: PlotProps) {
  const { label, scale, bars, left = bars, range, shown, onShown, onEnd } = props;
  const { marks = [], measure = "number", onDrag } = props;
  const plot = useRef<HTMLDivElement>(null);
  const thumbs = [useRef<HTMLDivElement>(null), useRef<HTMLDivElement>(null)] as const;
  const drag = useRef<((place: number) => void) | null>(null);
  const path = useMemo(() => barsPath(scale, bars, bars), [scale, bars]);
  const leftPath = useMemo(() => barsPath(scale, left, bars), [scale, bars, left]);
  const low = scale.toPlace(shown[0]);
  const high = scale.toEnd(shown[1]);

  const placeOf = (event: PointerEvent) => {
    const box = plot.current!.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const valueAt = (place: number, end: End) => {
    if (place <= 0) return scale.min;
    return place >= 1 ? scale.max : scale.snap(scale.toValue(place), end);
  };

  const grab = (end: End) => {
    thumbs[end].current?.focus();
    drag.current = (place) => onEnd(end, valueAt(place, end));
  };
  const onPointerDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    event.preventDefault();
    plot.current!.setPointerCapture(event.pointerId);
    onDrag?.(true);
    const start = placeOf(event);
    const end = (event.target as Element).closest<HTMLElement>("[data-end]")?.dataset.end;
    if (end !== undefined && high - low < OVERLAP) {
      // One thumb lies on the other: the direction of the first move decides which is meant.
      drag.current = (place) => {
        if (Math.abs(place - start) < 0.004) return;
        grab(place < start ? 0 : 1);
      };
    } else if (end !== undefined) {
      grab(end === "0" ? 0 : 1);
    } else if (range && start > low && start < high) {
      drag.current = (place) => onShown(moveBoth(shown, place - start, scale));
    } else {
      // A press outside the range draws a new one.
      drag.current = (place) => {
        if (Math.abs(place - start) < 0.004) return;
        onShown([valueAt(Math.min(start, place), 0), valueAt(Math.max(start, place), 1)]);
      };
    }
  };
  const drop = () => {
    drag.current = null;
    onDrag?.(false);
  };
  // What is dragged may go away: with the popover that it is in.
  useEffect(() => drop, []);
  const onKeyDown = (event: KeyboardEvent, end: End) => {
    const value = keyStep(event.key, shown[end], scale, event.shiftKey, end);
    if (value === null) return;
    event.preventDefault();
    event.stopPropagation();
    onEnd(end, value);
  };

  const percent = (place: number) => `${(place * 100).toFixed(3)}%`;
  const kept = `inset(0 ${percent(1 - high)} 0 ${percent(low)})`;
  return (
    <div class="axis">
      <div
        ref={plot}
        class={range ? "plot ranged" : "plot"}
        onPointerDown={onPointerDown}
        onPointerMove={(event) => drag.current?.(placeOf(event))}
        onPointerUp={drop}
        onPointerCancel={drop}
      >
        <svg viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true">
          <path class="bars" d={path} />
          <path class="bars left" d={leftPath} />
        </svg>
        {/* A picture of its own: a path is clipped by its extent, not by the axis. */}
        <svg
          viewBox="0 0 1000 100"
          preserveAspectRatio="none"
          aria-hidden="true"
          style={{ clipPath: kept }}
        >
          <path class="bars kept" d={leftPath} />
        </svg>
        <div class="span" style={{ left: percent(low), right: percent(1 - high) }} />
        {marks.map((mark) => (
          <div
            key={mark.label}
            class="mark"
            style={{ left: percent(scale.toPlace(mark.value)) }}
            title={[`${mark.label}: ${label} up to ${write(measure, mark.value, 1)}`, mark.hint]
              .filter(Boolean)
              .join("\n")}
          >
            {scale.toPlace(mark.value) > 0.03 && (
              <span class={scale.toPlace(mark.value) > 0.3 ? "before" : undefined}>
                {mark.label}
              </span>
            )}
          </div>
        ))}
        {([0, 1] as const).map((end) => (
          <div
            key={end}
            ref={thumbs[end]}
            class="thumb-handle"
            data-end={end}
            role="slider"
            tabIndex={0}
            aria-label={endLabel(label, measure, end)}
            aria-valuemin={end === 0 ? scale.min : shown[0]}
            aria-valuemax={end === 0 ? shown[1] : scale.max}
            aria-valuenow={shown[end]}
            aria-valuetext={write(measure, shown[end], end)}
            style={{ left: percent(end === 0 ? low : high) }}
            onKeyDown={(event) => onKeyDown(event, end)}
          />
        ))}
      </div>
      <div class="ticks" aria-hidden="true">
        {scale.ticks.map((tick) => (
          <span
            key={tick.place}
            class={tick.crowded ? "crowded" : edgeClass(tick.place)}
            style={{ left: percent(tick.place) }}
          >
            {tick.label}
          </span>
        ))}
      </div>
    </div>
  );
}

/** A label at the end of the axis does not reach beyond it. */
function edgeClass(place: number): string | undefined {
  if (place < 0.04) return "first";
  return place > 0.96 ? "last" : undefined;
}

/**
 * Heights grow with the square root of the counts: among 100,000 images 30 still show. The
 * highest bar of `all` is as high as the plot.
 */
function barsPath(scale: Scale, bars: Uint32Array, all: Uint32Array): string {
  let most = 1;
  for (const count of all) most = Math.max(most, count);
  const inset = scale.log ? 1 : 0.8;
  let path = "";
  for (let bin = 0; bin < bars.length; bin++) {
    if (bars[bin] === 0) continue;
    const left = scale.edges[bin] * 1000 + inset;
    const right = binEnd(scale, bin) * 1000 - inset;
    const top = 100 - Math.max(3, 96 * Math.sqrt(bars[bin] / most));
    path += `M${left.toFixed(1)} 100V${top.toFixed(1)}H${right.toFixed(1)}V100Z`;
  }
  return path;
}

interface BoundProps {
  label: string;
  value: number;
  end: End;
  measure: Measure;
  scale: Scale;
  onValue(value: number): void;
}

function Bound({ label, value, end, measure, scale, onValue }: BoundProps) {
  const text = write(measure, value, end);
  return (
    <input
      type="text"
      class={isDate(measure) ? "bound date" : "bound"}
      inputMode={measure === "number" || measure === "whole" ? "decimal" : undefined}
      aria-label={label}
      title={isDate(measure) ? "Such as 2024, 2024-05, 2024-05-17 or 2024-05-17 14:30" : undefined}
      value={text}
      onChange={(event) => {
        const field = event.currentTarget;
        const typed = field.value === text ? null : read(measure, field.value, end);
        if (typed !== null) onValue(Math.min(scale.max, Math.max(scale.min, typed)));
        field.value = text;
      }}
      onKeyDown={(event) => {
        const field = event.currentTarget;
        // With nothing typed, Escape is for what the field stands in.
        if (event.key !== "Escape" || field.value !== text) event.stopPropagation();
        if (event.key === "Escape") field.value = text;
      }}
    />
  );
}
