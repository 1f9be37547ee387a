import { batch, computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { isRange } from "../data/filters";
import { type Accepted, accepted, replanned } from "../data/frame";
import { headlineOf } from "../data/headline";
import { changesOf, countsOf, exactCopies, shortcutsOf } from "../data/overview";
import type { Range } from "../data/range";
import { Bars } from "../histogram/bars";
import type { AnyModel } from "../wire/model";
import { type Events, Keep, type Replies } from "../wire/protocol";
import { syncTrait } from "../wire/sync";
import { Charts } from "./charts";
import { DatasetMaker } from "./dataset";
import { GridState } from "./grid";
import { NameForm } from "./naming";
import type { StateOptions } from "./pick";

const NO_SCORES = new Float32Array(0);

/** Everything that all displays of one Explorer share. */
export class ExplorerState extends GridState {
  // Only this page has these: forms until they are sent, and how far a request is.
  readonly nameForm: NameForm;
  readonly dataset: DatasetMaker;
  readonly charts: Charts;
  /** How far the job is that scores the images; empty without one. */
  readonly scoring: Signal<string> = signal("");

  /** The histogram of the scores. */
  readonly bars = new Bars({
    values: () => this.frame.value?.scores ?? NO_SCORES,
    log: () => this.screen.log.value,
    left: () => {
      const frame = this.frame.value;
      const rows = frame?.score ? this.filtering.maskWithout(frame.score).value : null;
      return rows && rows.length === frame?.scores.length ? rows : null;
    },
  });

  /** Whether there is a histogram of the scores. */
  readonly scoreShown = computed(() => this.frame.value?.score != null && !this.bars.empty.value);

  /** What can go and what stays, counted; null without a plan. */
  readonly counts = computed(() => {
    const frame = this.frame.value;
    return frame && this.review.on.value ? countsOf(frame, this.reviewed.bands.value) : null;
  });

  readonly shortcuts = computed(() => {
    const frame = this.frame.value;
    return frame ? shortcutsOf(frame, this.counts.value) : [];
  });

  readonly headline = computed(() => {
    const frame = this.frame.value;
    const off = this.review.info.value?.off ?? null;
    const collections = this.catalogue.members.value;
    return frame && headlineOf({ frame, counts: this.counts.value, off, collections });
  });

  /** The range of the score; null without one. */
  readonly range: ReadonlySignal<Range | null> = computed(() => {
    const score = this.frame.value?.score;
    const clause = score ? this.filtering.clauses.value[score] : null;
    if (!isRange(clause)) return null;
    const { min, max } = this.bars.scale.value;
    return [clause[0] ?? min, clause[1] ?? max];
  });

  /** How many images stay under the plan; null without one. */
  readonly staying: ReadonlySignal<number | null> = computed(() => {
    const frame = this.frame.value;
    const off = this.review.info.value?.off ?? null;
    if (!frame || !this.review.info.value || off !== null) return null;
    return frame.summary.kept;
  });

  /** How much goes when the plan is accepted as it is shown. */
  readonly accepting: ReadonlySignal<Accepted> = computed(() => {
    return this.shown.value?.accepted ?? { count: 0, hidden: 0 };
  });

  constructor(model: AnyModel, options: StateOptions) {
    super(model, options, "open_review");
    const { rpc, outbox, catalogue, selection, frame } = this;
    const { signal } = options;
    this.charts = new Charts(rpc, model);
    this.nameForm = new NameForm({ catalogue, selection, frame, visible: this.visible, signal });
    this.dataset = new DatasetMaker({
      rpc,
      outbox,
      catalogue,
      staying: () => this.staying.value,
      selected: () => {
        selection.version.value;
        return selection.count;
      },
      shown: () => this.shown.value?.count ?? 0,
      filters: () => this.filtering.clauses.value,
      leftover: () => !this.#onlyGoes(),
      signal,
    });
    const stop = effect(() => {
      selection.version.value;
      if (selection.count === 0) this.#withdraw();
    });
    signal.addEventListener("abort", stop, { once: true });
    rpc.on("plan", (plan) => this.#replan(plan));
    rpc.on("frame", () => this.ask());
    syncTrait(
      model,
      "_scoring",
      this.scoring,
      (raw) => (typeof raw === "string" ? raw : ""),
      signal,
    );
  }

  protected override opened(reply: Replies["open_review"]): void {
    super.opened(reply);
    this.catalogue.load(reply.rows, reply);
    this.review.info.value = reply.review;
    this.reviewed.load(reply);
    // What they say of the plan is of another frame.
    this.tiles.refresh();
  }

  /** Undo takes back what was accepted, and so does Python. */
  protected override selectedElsewhere(): void {
    if (!this.#onlyGoes()) this.#withdraw();
  }

  setRange(range: Range | null): void {
    const score = this.frame.value?.score;
    if (score) this.filtering.set(score, range);
  }

  /** Select what goes with the images shown, and offer to name what stays. */
  acceptPlan(): void {
    const frame = this.frame.peek();
    const shown = this.shown.peek();
    if (!frame || !shown) return;
    const goes = new Uint8Array(frame.rows);
    accepted(frame, shown.banded, goes);
    this.selection.onlyShown(goes);
    this.catalogue.propose("rest", "Unique");
  }

  /** Show and select the exact copies that go, and offer to name what stays. */
  acceptExact(): void {
    const frame = this.frame.value;
    const all = this.shortcuts.value;
    const exact = all.find(({ of }) => of === "exact");
    if (!frame || !exact) return;
    this.filtering.change(changesOf(exact, all));
    this.selection.replace(exactCopies(frame));
    this.catalogue.propose("rest", "Unique");
  }

  /** Whether all that is selected goes under the plan. */
  #onlyGoes(): boolean {
    const frame = this.frame.peek();
    if (!frame || this.selection.count === 0) return false;
    for (const row of this.selection.rows) if (frame.keep[row] !== Keep.goes) return false;
    return true;
  }

  /** What was accepted is no longer selected: what stays need not be named. */
  #withdraw(): void {
    if (this.catalogue.naming.peek().of === "rest") this.catalogue.propose("selection", "");
  }

  /** The plan changed: other groups and keepers, the same images. */
  #replan(plan: Events["plan"]): void {
    const frame = this.frame.value;
    if (!frame) return;
    const next = replanned(frame, plan);
    if (!next) {
      this.open();
      return;
    }
    batch(() => {
      if (plan.keep_order) this.keepOrder();
      else this.sortAfresh();
      this.frame.value = next;
    });
    this.tiles.refresh();
  }
}
