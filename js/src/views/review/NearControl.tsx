import * as format from "../../data/format";
import { nearStops, stopOf } from "../../data/near";
import { notConfirmed } from "../../data/scale";
import type { Review } from "../../state/review";
import type { ReviewInfo, SummaryInfo } from "../../wire/protocol";

interface NearControlProps {
  review: Review;
  info: ReviewInfo;
  summary: Pick<SummaryInfo, "compared" | "left_out">;
}

/** Moves the near boundary; the groups follow at once. */
export function NearControl({ review, info, summary }: NearControlProps) {
  const near = review.near.value;
  const { left_out: leftOut, compared } = summary;
  return (
    <section aria-label="Near-duplicate boundary">
      {info.near_max === null ? (
        <p class="reason">
          Near-duplicates are up to {format.bound(near)} from the image that stays. Without a column
          “embedding”, images cannot be grouped anew.
        </p>
      ) : (
        <Boundary
          review={review}
          info={info}
          near={near}
          hint={notConfirmed(near, summary)}
          max={Math.max(info.near_max, info.scored_near, info.near)}
        />
      )}
      {leftOut > 0 && (
        <p class="muted">
          Copies of {format.images(leftOut)} may be missed: {format.count(compared ?? 0)} pairs of
          pictures were laid over each other; that was the most there may be.
        </p>
      )}
    </section>
  );
}

interface BoundaryProps {
  review: Review;
  info: ReviewInfo;
  near: number;
  /** What nobody has confirmed there. */
  hint: string | null;
  max: number;
}

function Boundary({ review, info, near, hint, max }: BoundaryProps) {
  const stops = nearStops(max);
  const last = stops.length - 1;
  const scored = info.scored_near;
  const place = stopOf(stops, scored) / last;
  const text = format.bound(near);
  return (
    <>
      <p>Near-duplicates are up to this far from the image that stays:</p>
      <div class="boundary">
        <div class="slide">
          <input
            type="range"
            min={0}
            max={last}
            step={1}
            value={stopOf(stops, near)}
            aria-label="Near-duplicate boundary"
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
          aria-label="Near-duplicate boundary, as a number"
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
      <div class="drop-foot">
        <p class="outcome" role="status">
          {info.changes || "As scored: nothing changed."}
        </p>
        <span class="spring" />
        <button type="button" disabled={near === scored} onClick={() => review.setNear(null)}>
          Back to {format.bound(scored)}
        </button>
      </div>
      {hint && <p class="unconfirmed">{hint}</p>}
    </>
  );
}
