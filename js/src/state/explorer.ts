import { batch, computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { isRange } from "../data/filters";
import {
  countGroups,
  countStaying,
  type Frame,
  frameOf,
  replanned,
  withoutKept,
} from "../data/frame";
import { denseRank, displayOrder, withKeepers } from "../data/order";
import { shortcutsOf } from "../data/overview";
import type { Range } from "../data/range";
import { rowsOf } from "../data/selection";
import { readSort, type Sort } from "../data/sort";
import { Bars } from "../histogram/bars";
import type { AnyModel } from "../wire/model";
import type { Events, Replies, Requests } from "../wire/protocol";
import { CancelledError, RetryError } from "../wire/rpc";
import { syncTrait } from "../wire/sync";
import type { Throttled } from "../wire/throttle";
import { Catalogue } from "./catalogue";
import { Charts } from "./charts";
import { DatasetMaker } from "./dataset";
import { Filtering, PLANNED } from "./filtering";
import { NameForm } from "./naming";
import { PickState, type StateOptions } from "./pick";
import { Review } from "./review";

/** Exact duplicates that go have a score of 0; people type this boundary for them. */
export const EXACT = 0.0001;

/** What the filters leave, in display order. */
export interface Shown {
  mask: Uint8Array;
  /** The rows that the filters leave. */
  order: Uint32Array;
  /** The same with context tiles; `mask` tells them apart. */
  items: Uint32Array;
  groups: number;
}

const NO_SCORES = new Float32Array(0);

const readHeight = (raw: unknown) => (typeof raw === "number" && raw > 0 ? raw : 560);

/** Everything that all displays of one Explorer or ImageGrid share. */
export class ExplorerState extends PickState {
  readonly frame: Signal<Frame | null> = signal(null);
  readonly filtering: Filtering;
  readonly review: Review;
  readonly catalogue: Catalogue;
  readonly nameForm: NameForm;
  readonly dataset: DatasetMaker;
  readonly charts: Charts;
  readonly sort: Signal<Sort> = signal(readSort(null));
  readonly height: Signal<number> = signal(560);
  readonly showKeepers = signal(true);
  readonly log = signal(true);
  /** The column whose ranks are on their way. */
  readonly sorting: Signal<string | null> = signal(null);
  readonly sortError: Signal<string | null> = signal(null);

  #rank: Signal<{ column: string; rank: Uint32Array; frame: Frame } | null> = signal(null);
  /** Another plan keeps the scores, and so their ranks. */
  #scores = computed(() => {
    const frame = this.frame.value;
    return frame && frame.scores.length === frame.rows ? frame.scores : null;
  });
  #scoreRank = computed(() => this.#scores.value && denseRank(this.#scores.value));
  #pushSort: Throttled;

  /** The rows that the filters leave. */
  readonly mask: ReadonlySignal<Uint8Array | null> = computed(() => this.filtering.mask.value);

  readonly shown: ReadonlySignal<Shown | null> = computed(() => {
    const frame = this.frame.value;
    const mask = this.mask.value;
    if (!frame || !mask) return null;
    const { band, place, bands } = frame;
    const { descending, grouped } = this.sort.value;
    const rank = this.#rank.value?.rank ?? this.#scoreRank.value ?? new Uint32Array(frame.rows);
    const order = displayOrder(rank, band, place, mask, descending, grouped, bands);
    const items =
      grouped && this.showKeepers.value ? withKeepers(order, band, place, mask, bands) : order;
    return { mask, order, items, groups: countGroups(frame, mask) };
  });

  /** The histogram of the scores. */
  readonly bars = new Bars({
    values: () => this.frame.value?.scores ?? NO_SCORES,
    log: () => this.log.value,
    left: () => {
      const frame = this.frame.value;
      const rows = frame?.score ? this.filtering.besides(frame.score).value : null;
      return rows && rows.length === frame?.scores.length ? rows : null;
    },
  });

  /** Whether there is a histogram of the scores. */
  readonly scoreShown = computed(() => this.frame.value?.score != null && !this.bars.empty.value);

  readonly shortcuts = computed(() => {
    const frame = this.frame.value;
    return frame ? shortcutsOf(frame) : [];
  });

  /** The range of the score; null without one. */
  readonly range: ReadonlySignal<Range | null> = computed(() => {
    const score = this.frame.value?.score;
    const clause = score ? this.filtering.clauses.value[score] : null;
    if (!isRange(clause)) return null;
    const { min, max } = this.bars.scale.value;
    return [clause[0] ?? min, clause[1] ?? max];
  });

  /** How many picked rows the filter hides. */
  readonly hiddenPicked = computed(() => {
    this.selection.version.value;
    const mask = this.mask.value;
    return mask ? this.selection.count - this.selection.rows.countIn(mask) : 0;
  });

  /** How many images stay under the plan; null without one. */
  readonly staying: ReadonlySignal<number | null> = computed(() => {
    const frame = this.frame.value;
    const off = this.review.info.value?.off ?? null;
    if (!frame || !this.review.info.value || off !== null) return null;
    return countStaying(frame);
  });

  constructor(model: AnyModel, options: StateOptions) {
    super(model, options);
    const { signal: abort } = options;
    this.catalogue = new Catalogue(this.rpc);
    this.review = new Review(this.rpc, () => this.flush(), abort);
    this.filtering = new Filtering(model, {
      frame: this.frame,
      catalogue: this.catalogue,
      rpc: this.rpc,
      signal: abort,
    });
    this.charts = new Charts(this.rpc);
    this.nameForm = new NameForm({
      catalogue: this.catalogue,
      selection: this.selection,
      frame: this.frame,
      collect: (args) => this.collect(args),
      signal: abort,
    });
    this.dataset = new DatasetMaker({
      rpc: this.rpc,
      catalogue: this.catalogue,
      staying: () => this.staying.value,
      selected: () => {
        this.selection.version.value;
        return this.selection.count;
      },
      shown: () => this.shown.value?.order.length ?? 0,
      flush: () => this.flush(),
      signal: abort,
    });
    this.#pushSort = syncTrait(model, "_sort", this.sort, readSort, abort);
    syncTrait(model, "height", this.height, readHeight, abort);
    this.rpc.on("plan", (plan) => this.#replan(plan));
    const stop = effect(() => {
      const frame = this.frame.value;
      const column = this.sort.value.column;
      this.rpc.recovered.value;
      if (frame) this.#rankBy(frame, column);
    });
    abort.addEventListener("abort", stop, { once: true });
    this.open();
  }

  override open(): void {
    this.#rank.value = null;
    this.frame.value = null;
    super.open();
  }

  protected override opened(reply: Replies["open"]): void {
    super.opened(reply);
    this.frame.value = frameOf(reply);
    this.catalogue.load(reply.rows ?? 0, reply);
    this.review.info.value = reply.review ?? null;
  }

  setRange(range: Range | null): void {
    const score = this.frame.value?.score;
    if (score) this.filtering.set(score, range);
  }

  resetFilters(): void {
    this.filtering.reset();
  }

  /** Select what the plan removes of the images shown, and offer to name what stays. */
  acceptPlan(): void {
    const frame = this.frame.value;
    const mask = this.mask.value;
    if (!frame || !mask) return;
    this.selection.replace(rowsOf(withoutKept(frame, mask)));
    this.catalogue.propose("rest", "Unique");
  }

  /** What Python knows of this page is what is on screen. */
  flush(): void {
    this.filtering.flush();
    this.pushSelection.flush();
    this.review.flush();
  }

  setSort(change: Partial<Sort>): void {
    this.sort.value = { ...this.sort.value, ...change };
    this.#pushSort();
  }

  /** Name the selection, or what is not selected; returns the size of the collection. */
  collect(args: Requests["collect"]): Promise<number> {
    this.flush();
    return this.catalogue.collect(args);
  }

  /** The plan changed: other groups and keepers, the same images and scores. */
  #replan({ review, ...plan }: Events["plan"]): void {
    const frame = this.frame.value;
    if (!frame) return;
    batch(() => {
      this.frame.value = replanned(frame, plan, review.near);
      this.review.info.value = review;
    });
    this.tiles.refresh();
  }

  /** Ranks of the score are computed here; those of other columns are Python's. */
  #rankBy(frame: Frame, column: string): void {
    const present = this.#rank.peek();
    if (column === "" || column === frame.score) {
      this.sorting.value = null;
      this.sortError.value = null;
      if (present) this.#rank.value = null;
      return;
    }
    const holds = present?.frame === frame || !PLANNED.includes(column);
    if (present?.column === column && holds) return;
    this.sorting.value = column;
    this.rpc.request("order", { column }, { latest: "order" }).then(
      ({ rank }) => {
        if (this.frame.peek() !== frame || this.sort.peek().column !== column) return;
        batch(() => {
          this.#rank.value = { column, rank, frame };
          this.sorting.value = null;
          this.sortError.value = null;
        });
      },
      (error: Error) => {
        if (error instanceof CancelledError || error instanceof RetryError) return;
        this.sorting.value = null;
        this.sortError.value = `Cannot sort by ${column}: ${error.message}`;
      },
    );
  }
}
