import * as format from "../../data/format";
import type { ExplorerState } from "../../state/explorer";

interface HeadlineProps {
  state: ExplorerState;
  /** Look at the near-duplicates, group by group. */
  onReview(): void;
}

/** What can go, in a sentence, and the two ways to begin; nothing is deleted by either. */
export function Headline({ state, onReview }: HeadlineProps) {
  const headline = state.headline.value;
  if (!headline) return null;
  const { text, done, exact, near, reviewed } = headline;
  const [seen, groups] = reviewed;
  const undo = state.review.info.value?.undo ?? null;
  // What was made last can be taken back here; before it come other steps.
  const canUndo = done !== null && undo?.includes(`“${done}”`);
  return (
    <div class="headline">
      <p>{text}</p>
      {canUndo && (
        <button type="button" title={`Undo: ${undo}`} onClick={() => void state.review.undo()}>
          Undo
        </button>
      )}
      {exact > 0 && (
        <button
          type="button"
          class="primary"
          title="Shows and selects them: one of each picture stays. Nothing is deleted: you name what stays, and make a dataset of it."
          onClick={() => state.acceptExact()}
        >
          Remove exact<span class="roomy"> copies</span>…
        </button>
      )}
      {near > 0 && (
        <button
          type="button"
          class={exact > 0 ? undefined : "primary"}
          title="Look at them group by group. Nothing is deleted."
          onClick={onReview}
        >
          {seen > 0 && seen < groups ? (
            <>
              Go on reviewing{" "}
              <span class="n">({`${format.count(seen)} of ${format.count(groups)}`})</span>
            </>
          ) : (
            <>
              Review near<span class="roomy">-duplicates</span>
              <span class="tight">…</span>
            </>
          )}
        </button>
      )}
      {near > 0 && <AcceptPlan state={state} />}
    </div>
  );
}

/** Takes the plan as it is, near-duplicates too. */
function AcceptPlan({ state }: { state: ExplorerState }) {
  const { count, hidden } = state.accepting.value;
  return (
    <button
      type="button"
      class="plain-text"
      disabled={count === 0}
      title={
        count > 0
          ? "Selects all that goes of the images shown, near-duplicates too: one of each group stays. Nothing is deleted."
          : "The filter shows none of the images that go"
      }
      onClick={() => state.acceptPlan()}
    >
      Accept plan <span class="n">({format.withHidden(count, hidden)})</span>
    </button>
  );
}
