import { useMemo, useRef } from "preact/hooks";
import * as format from "../format";
import { keyStep, moveBoth, moveEnd, type Range, rangeOrNull } from "../histogram";
import { binEnd, isLog, placeOfHigh, type Scale } from "../scale";

export interface Mark {
  value: number;
  label: string;
}

export interface RangeHistogramProps {
  /** What the values are, e.g. "uniqueness". */
  label: string;
  scale: Scale;
  bars: Uint32Array;
  range: Range | null;
  marks?: readonly Mark[];
  /** What the range leaves, in words. */
  count: string;
  log: boolean;
  canBeLog: boolean;
  onRange(range: Range | null): void;
  onLog(log: boolean): void;
}

/** Distance along the axis below which a pointer cannot tell the thumbs apart. */
const OVERLAP = 0.012;

/** Three digits are enough for a drag, and short to read. */
function snap(value: number): number {
  return value > 1e-6 ? Number(value.toPrecision(3)) : value;
}

export function RangeHistogram(props: RangeHistogramProps) {
  const { label, scale, range, onRange } = props;
  const shown: Range = range ?? [scale.min, scale.max];
  const set = (next: Range) => onRange(rangeOrNull(next, scale));
  const setEnd = (end: 0 | 1, value: number) => set(moveEnd(shown, end, value));
  return (
    <div class="histogram">
      <div class="bar">
        <span class="title">{label}</span>
        <span class="bounds">
          <Bound
            label={`Lowest ${label}`}
            value={shown[0]}
            scale={scale}
            onValue={(value) => set([value, Math.max(value, shown[1])])}
          />
          <span aria-hidden="true">…</span>
          <Bound
            label={`Highest ${label}`}
            value={shown[1]}
            scale={scale}
            onValue={(value) => set([Math.min(value, shown[0]), value])}
          />
        </span>
        <output class="count" aria-live="off">
          {props.count}
        </output>
        <span class="spring" />
        <button
          type="button"
          class="toggle"
          aria-pressed={props.log && props.canBeLog}
          disabled={!props.canBeLog}
          title="Logarithmic axis, with a bar of its own for exactly 0"
          onClick={() => props.onLog(!props.log)}
        >
          log scale
        </button>
      </div>
      <Plot {...props} shown={shown} onShown={set} onEnd={setEnd} />
    </div>
  );
}

interface PlotProps extends RangeHistogramProps {
  shown: Range;
  onShown(range: Range): void;
  onEnd(end: 0 | 1, value: number): void;
}

function Plot({ label, scale, bars, range, marks = [], shown, onShown, onEnd }: PlotProps) {
  const plot = useRef<HTMLDivElement>(null);
  const thumbs = [useRef<HTMLDivElement>(null), useRef<HTMLDivElement>(null)] as const;
  const drag = useRef<((place: number) => void) | null>(null);
  const path = useMemo(() => barsPath(scale, bars), [scale, bars]);
  const low = scale.toPlace(shown[0]);
  const high = placeOfHigh(scale, shown[1]);

  const placeOf = (event: PointerEvent) => {
    const box = plot.current!.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const valueAt = (place: number) => (place >= 1 ? scale.max : snap(scale.toValue(place)));

  const grab = (end: 0 | 1) => {
    thumbs[end].current?.focus();
    drag.current = (place) => onEnd(end, valueAt(place));
  };
  const onPointerDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    event.preventDefault();
    plot.current!.setPointerCapture(event.pointerId);
    const start = placeOf(event);
    const end = (event.target as Element).closest<HTMLElement>("[data-end]")?.dataset.end;
    if (end !== undefined && high - low < OVERLAP) {
      // One thumb lies on the other: the first move says which is meant.
      drag.current = (place) => {
        if (Math.abs(place - start) < 0.004) return;
        grab(place < start ? 0 : 1);
      };
    } else if (end !== undefined) {
      grab(end === "0" ? 0 : 1);
    } else if (range && start > low && start < high) {
      drag.current = (place) => {
        const [from, to] = moveBoth(shown, place - start, scale);
        onShown([snap(from), snap(to)]);
      };
    } else {
      // A press outside the range draws a new one.
      drag.current = (place) => {
        if (Math.abs(place - start) < 0.004) return;
        onShown([valueAt(Math.min(start, place)), valueAt(Math.max(start, place))]);
      };
    }
  };
  const onKeyDown = (event: KeyboardEvent, end: 0 | 1) => {
    const value = keyStep(event.key, shown[end], scale, event.shiftKey);
    if (value === null) return;
    event.preventDefault();
    event.stopPropagation();
    onEnd(end, value === scale.min || value === scale.max ? value : snap(value));
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
        onPointerUp={() => {
          drag.current = null;
        }}
        onPointerCancel={() => {
          drag.current = null;
        }}
      >
        <svg viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true">
          <path class="bars" d={path} />
          <path class="bars kept" d={path} style={{ clipPath: kept }} />
        </svg>
        <div class="span" style={{ left: percent(low), right: percent(1 - high) }} />
        {marks.map((mark) => (
          <div
            key={mark.label}
            class="mark"
            style={{ left: percent(scale.toPlace(mark.value)) }}
            title={`${mark.label}: ${label} up to ${format.bound(mark.value)}`}
          >
            {scale.toPlace(mark.value) > 0.03 && (
              <span class={scale.toPlace(mark.value) > 0.7 ? "before" : undefined}>
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
            aria-label={`${end === 0 ? "Lowest" : "Highest"} ${label}`}
            aria-valuemin={end === 0 ? scale.min : shown[0]}
            aria-valuemax={end === 0 ? shown[1] : scale.max}
            aria-valuenow={shown[end]}
            aria-valuetext={format.bound(shown[end])}
            style={{ left: percent(end === 0 ? low : high) }}
            onKeyDown={(event) => onKeyDown(event, end)}
          />
        ))}
      </div>
      <div class="ticks" aria-hidden="true">
        {scale.ticks.map((tick) => (
          <span
            key={tick.label}
            class={tick.crowded ? "crowded" : undefined}
            style={{ left: percent(tick.place) }}
          >
            {tick.label}
          </span>
        ))}
      </div>
    </div>
  );
}

/** Heights grow with the square root of the counts: among 100,000 images 30 still show. */
function barsPath(scale: Scale, bars: Uint32Array): string {
  let most = 1;
  for (const count of bars) most = Math.max(most, count);
  const inset = isLog(scale) ? 1 : 0.8;
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
  scale: Scale;
  onValue(value: number): void;
}

function Bound({ label, value, scale, onValue }: BoundProps) {
  const text = format.bound(value);
  return (
    <input
      type="number"
      class="bound"
      aria-label={label}
      step="any"
      min={scale.min}
      max={scale.max}
      value={text}
      onChange={(event) => {
        const field = event.currentTarget;
        const typed = field.valueAsNumber;
        if (Number.isFinite(typed)) onValue(Math.min(scale.max, Math.max(scale.min, typed)));
        field.value = text;
      }}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Escape") event.currentTarget.value = text;
      }}
    />
  );
}
