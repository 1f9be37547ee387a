import * as format from "../../data/format";
import { groupedOf } from "../../data/frame";
import { historyStep } from "../../data/keys";
import type { ExplorerState } from "../../state/explorer";
import type { Review } from "../../state/review";
import { CloseIcon, RedoIcon, UndoIcon, WarningIcon } from "../ui/icons";

export function NotDuplicates({ state }: { state: ExplorerState }) {
  state.selection.version.value;
  const frame = state.frame.value;
  if (!frame || !state.review.on.value) return null;
  const known = frame.columns.some(({ name }) => name === "fingerprint");
  const grouped = known ? groupedOf(frame, state.selection.rows) : [];
  const ready = grouped.length > 0;
  const seen = ready ? state.visible.value : null;
  const hidden = seen ? grouped.filter((row) => !seen[row]).length : 0;
  return (
    <button
      type="button"
      disabled={!ready}
      title={
        ready
          ? "The images selected are no duplicates of any other in their groups (N)"
          : known
            ? "Select images of groups first"
            : "This frame has no column “fingerprint” to remember it by"
      }
      onClick={() => state.notDuplicates([...state.selection.rows])}
    >
      Not duplicates{ready && ` (${format.withHidden(grouped.length, hidden)})`}
    </button>
  );
}

/** What goes through the history: the review itself, or what is on screen. */
type Steps = { undo(): unknown; redo(): unknown };

/** Take the last step back, or do it again. */
export function UndoRedo({ state, by }: { state: ExplorerState; by: Steps }) {
  const { review } = state;
  const info = review.info.value;
  if (!info) return null;
  return (
    <span class="controls history">
      <Step name="Undo" does={info.undo} onClick={() => void by.undo()} />
      <Step name="Redo" does={info.redo} onClick={() => void by.redo()} />
    </span>
  );
}

interface StepProps {
  name: "Undo" | "Redo";
  does: string | null;
  onClick(): void;
}

/** Keeps the focus after the last step: a disabled button would lose it. */
function Step({ name, does, onClick }: StepProps) {
  return (
    <button
      type="button"
      class="plain"
      aria-label={name}
      aria-disabled={does === null}
      title={does === null ? `Nothing to ${name.toLowerCase()}` : `${name}: ${does}`}
      onClick={() => does !== null && onClick()}
    >
      {name === "Undo" ? <UndoIcon /> : <RedoIcon />}
    </button>
  );
}

/** Undo and redo by key, wherever the focus is. */
export function reviewKey(review: Review, event: KeyboardEvent, by: Steps = review): void {
  const step = historyStep(event);
  if (!step || !review.info.peek()) return;
  event.preventDefault();
  event.stopPropagation();
  void by[step]();
}

/** What can be done instead of the last decision that was asked for. */
export function ReviewOffer({ review }: { review: Review }) {
  const offer = review.offer.value;
  if (offer === null) return null;
  const dismiss = () => {
    review.offer.value = null;
  };
  return (
    <div class="problem">
      <div class="banner" role="alert">
        <span>{offer.text}</span>
        <button type="button" onClick={() => void review.keepAll(offer.rows)}>
          {offer.label}
        </button>
        <span class="spring" />
        <button type="button" class="plain" aria-label="Dismiss" onClick={dismiss}>
          <CloseIcon />
        </button>
      </div>
    </div>
  );
}

/** Why the last decision came to nothing. */
export function ReviewProblem({ review }: { review: Review }) {
  const message = review.error.value;
  if (message === null) return null;
  return (
    <div class="problem">
      <div class="banner" role="alert">
        <WarningIcon />
        <span>{format.sentence(message)}</span>
        <span class="spring" />
        <button
          type="button"
          class="plain"
          aria-label="Dismiss"
          onClick={() => {
            review.error.value = null;
          }}
        >
          <CloseIcon />
        </button>
      </div>
    </div>
  );
}
