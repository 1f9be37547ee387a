import { useComputed } from "@preact/signals";
import * as format from "../../data/format";
import { groupedOf } from "../../data/frame";
import { historyStep, keyHelp } from "../../data/keys";
import type { ExplorerState } from "../../state/explorer";
import type { Review } from "../../state/review";
import { SelectionControls } from "../grid/Toolbar";
import { Dropdown } from "../ui/Dropdown";
import { CloseIcon, RedoIcon, UndoIcon, WarningIcon } from "../ui/icons";
import { NearControl } from "./NearControl";
import { RulesEditor } from "./RulesEditor";

/** What the plan does with the images shown, and below it the selection. */
export function ReviewBar({ state }: { state: ExplorerState }) {
  return (
    <>
      <Plan state={state} />
      <SelectionControls state={state}>
        <NotDuplicates state={state} />
      </SelectionControls>
    </>
  );
}

function Plan({ state }: { state: ExplorerState }) {
  const { review } = state;
  const info = review.info.value;
  const frame = state.frame.value;
  if (!info) return null;
  return (
    <div class="controls plan" role="group" aria-label="Plan">
      {info.off === null ? (
        <>
          <AcceptPlan state={state} />
          {frame && <NearControl review={review} summary={frame.summary} />}
          <RulesEditor review={review} />
        </>
      ) : (
        <span class="no-plan">No plan: {info.off}</span>
      )}
      {info.off === null && <span class="spring" />}
      <KeyHelp />
    </div>
  );
}

function AcceptPlan({ state }: { state: ExplorerState }) {
  const { selection } = state;
  const summary = state.frame.value?.summary;
  const all = summary ? summary.exact + summary.near : 0;
  const goes = useComputed(() => state.accepting.value?.reduce((sum, row) => sum + row, 0) ?? 0);
  const hidden = useComputed(() => {
    const rows = state.accepting.value;
    const seen = state.visible.value;
    return rows && seen ? rows.reduce((sum, goes, row) => sum + (seen[row] ? 0 : goes), 0) : 0;
  });
  const accepted = useComputed(() => {
    selection.version.value;
    const shown = goes.value;
    const rows = state.accepting.value;
    if (!rows || shown === 0 || selection.count !== shown) return false;
    return selection.rows.countIn(rows) === shown;
  });
  const shown = goes.value;
  const rows = state.frame.value?.rows ?? 0;
  return (
    <>
      <span
        class="plan-count"
        role="status"
        title={`${format.count(all)} of ${format.images(rows)}`}
      >
        Plan: {format.images(all)} {all === 1 ? "goes" : "go"}
      </span>
      <button
        type="button"
        class="primary"
        disabled={shown === 0}
        aria-pressed={accepted.value}
        title={
          shown > 0
            ? "Selects these images: one of each group stays. Nothing is deleted."
            : all > 0
              ? "The filter shows none of the images that go"
              : "No image goes: there are no duplicates"
        }
        onClick={() => state.acceptPlan()}
      >
        Accept plan <span class="n">({format.withHidden(shown, hidden.value)})</span>
      </button>
    </>
  );
}

function NotDuplicates({ state }: { state: ExplorerState }) {
  state.selection.version.value;
  const frame = state.frame.value;
  if (!frame || !state.review.on.value) return null;
  const known = frame.columns.some(({ name }) => name === "fingerprint");
  const grouped = known ? groupedOf(frame, state.selection.rows) : [];
  const ready = grouped.length > 0;
  const seen = state.visible.value;
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

function KeyHelp() {
  return (
    <Dropdown class="plain" heading="Keys of the grid" title="Keys" label="?">
      <dl class="keys">
        {keyHelp().map(({ keys, does }) => (
          <div key={does}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </Dropdown>
  );
}

/** Take the last step back, or do it again. */
export function UndoRedo({ state }: { state: ExplorerState }) {
  const { review } = state;
  const info = review.info.value;
  if (!info) return null;
  return (
    <span class="controls history">
      <Step name="Undo" does={info.undo} onClick={() => void review.undo()} />
      <Step name="Redo" does={info.redo} onClick={() => void review.redo()} />
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
export function reviewKey(review: Review, event: KeyboardEvent): void {
  const step = historyStep(event);
  if (!step || !review.info.peek()) return;
  event.preventDefault();
  event.stopPropagation();
  void review[step]();
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
