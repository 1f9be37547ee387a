import * as format from "../../data/format";
import { nearStops, stopOf } from "../../data/near";
import { notConfirmed } from "../../data/scale";
import type { Review } from "../../state/review";
import type { ReviewInfo, Summary } from "../../wire/protocol";
import { Dropdown } from "../ui/Dropdown";
import { DownIcon } from "../ui/icons";
import { HandMade } from "./HandMade";

interface NearControlProps {
  review: Review;
  summary: Pick<Summary, "compared">;
}

/** Moves the near threshold; the groups follow at once. */
export function NearControl({ review, summary }: NearControlProps) {
  const info = review.info.value;
  if (!info) return null;
  const near = review.near.value;
  const moved = near !== info.scored_near;
  const hint = notConfirmed(near, summary);
  const about = info.changes || "Images up to this far from a keeper are its near-duplicates";
  return (
    <Dropdown
      class={moved ? "drop moved" : "drop"}
      heading="Near-duplicate threshold"
      title={hint ? `${about}\n${hint}` : about}
      busy={review.busy.value}
      label={
        <>
          near ≤ <span class="n">{format.bound(near)}</span>
          <DownIcon />
        </>
      }
    >
      {info.near_max === null ? (
        <p class="reason">
          It stays at {format.bound(near)}: without a column “embedding”, images cannot be grouped
          anew.
        </p>
      ) : (
        <Threshold
          review={review}
          info={info}
          near={near}
          hint={hint}
          max={Math.max(info.near_max, info.scored_near, info.near)}
        />
      )}
    </Dropdown>
  );
}

interface ThresholdProps {
  review: Review;
  info: ReviewInfo;
  near: number;
  /** What nobody has confirmed there. */
  hint: string | null;
  max: number;
}

function Threshold({ review, info, near, hint, max }: ThresholdProps) {
  const stops = nearStops(max);
  const last = stops.length - 1;
  const scored = info.scored_near;
  const place = stopOf(stops, scored) / last;
  const text = format.bound(near);
  return (
    <>
      <div class="threshold">
        <div class="slide">
          <input
            type="range"
            min={0}
            max={last}
            step={1}
            value={stopOf(stops, near)}
            aria-label="Near-duplicate threshold"
            aria-valuetext={text}
            onInput={(event) => review.setNear(stops[event.currentTarget.valueAsNumber])}
          />
          <div class="slide-marks" aria-hidden="true">
            <span style={{ left: 0 }}>0</span>
            {place > 0.1 && place < 0.9 && (
              <span class="scored" style={{ left: `${(place * 100).toFixed(2)}%` }}>
                {format.bound(scored)} scored
              </span>
            )}
            <span style={{ left: "100%" }}>{format.bound(max)}</span>
          </div>
        </div>
        <input
          type="number"
          class="bound"
          aria-label="Near-duplicate threshold, as a number"
          min={0}
          max={max}
          step="any"
          value={text}
          onChange={(event) => {
            const field = event.currentTarget;
            const typed = field.valueAsNumber;
            if (Number.isFinite(typed)) review.setNear(Math.min(max, Math.max(0, typed)));
            field.value = format.bound(review.near.peek());
          }}
        />
      </div>
      <p class="outcome" role="status">
        {info.changes || "As scored: nothing changed."}
      </p>
      {hint && <p class="unconfirmed">{hint}</p>}
      <HandMade info={info} />
      <div class="drop-foot">
        <button type="button" disabled={near === scored} onClick={() => review.setNear(null)}>
          Back to {format.bound(scored)}
        </button>
      </div>
    </>
  );
}
