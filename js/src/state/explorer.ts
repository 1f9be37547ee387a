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
import { rowsOf, Selection } from "../data/selection";
import { readSort, type Sort } from "../data/sort";
import { Bars } from "../histogram/bars";
import { countIn, type Range, rangeOrNull } from "../histogram/histogram";
import type { AnyModel } from "../wire/model";
import type { Events, Replies, Requests } from "../wire/protocol";
import { CancelledError, RetryError, Rpc } from "../wire/rpc";
import { syncTrait } from "../wire/sync";
import { type Throttled, throttle } from "../wire/throttle";
import { Catalogue } from "./catalogue";
import { Charts } from "./charts";
import { DatasetMaker } from "./dataset";
import { Filtering, PLANNED } from "./filtering";
import { NameForm } from "./naming";
import { Review } from "./review";
import { TileCache } from "./tiles";

export type Status =
  | { kind: "loading" }
  | { kind: "ready" }
  | { kind: "error"; message: string; retry: () => void };

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

export interface StateOptions {
  signal: AbortSignal;
  rpc?: Rpc;
  tiles?: TileCache;
}

const NO_SCORES = new Float32Array(0);

const readHeight = (raw: unknown) => (typeof raw === "number" && raw > 0 ? raw : 560);

/** The selection and what follows from it; shared by every widget that shows images. */
export class PickState {
  readonly rpc: Rpc;
  readonly tiles: TileCache;
  readonly selection: Selection;
  readonly status: Signal<Status> = signal({ kind: "loading" });
  protected readonly signal: AbortSignal;
  protected readonly pushSelection: Throttled;

  constructor(model: AnyModel, { signal: abort, rpc, tiles }: StateOptions) {
    this.signal = abort;
    this.rpc = rpc ?? new Rpc(model, { signal: abort });
    this.tiles = tiles ?? new TileCache(this.rpc, { signal: abort });
    this.pushSelection = throttle(() => this.#sendSelection(), 100, abort);
    this.selection = new Selection(() => this.pushSelection());
    this.rpc.on("selection", ({ rows, origin }) => {
      if (origin === this.rpc.client || this.pushSelection.due) return;
      this.selection.load(this.selection.rows.size, rows);
    });
    this.rpc.on("data", () => this.open());
    const stop = effect(() => {
      if (this.rpc.recovered.value > 0) this.tiles.retry();
    });
    abort.addEventListener("abort", stop, { once: true });
  }

  /** Ask for the data; again when the frame was replaced or the connection came back. */
  open(): void {
    this.status.value = { kind: "loading" };
    this.tiles.reset();
    this.rpc.request("open", {}, { latest: "open" }).then(
      (reply) =>
        batch(() => {
          try {
            this.opened(reply);
            this.status.value = { kind: "ready" };
          } catch (error) {
            this.#failed(error as Error);
          }
        }),
      (error: Error) => {
        if (error instanceof RetryError) this.open();
        else if (!(error instanceof CancelledError)) this.#failed(error);
      },
    );
  }

  protected opened(reply: Replies["open"]): void {
    this.selection.load(reply.rows ?? 0, reply.selected);
  }

  #failed(error: Error): void {
    this.status.value = { kind: "error", message: error.message, retry: () => this.open() };
  }

  #sendSelection(): void {
    this.rpc.request("select", { rows: this.selection.rows.bytes }).catch((error: Error) => {
      if (error instanceof RetryError) this.pushSelection();
    });
  }
}

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

/** What all displays of one stand-alone RangeHistogram share. */
export class HistogramState {
  readonly rpc: Rpc;
  readonly status: Signal<Status> = signal({ kind: "loading" });
  readonly values: Signal<Float32Array> = signal(new Float32Array(0));
  readonly range: Signal<Range | null> = signal(null);
  readonly log: Signal<boolean> = signal(false);
  readonly label: Signal<string> = signal("");
  #pushRange: Throttled;
  #pushLog: Throttled;

  readonly bars = new Bars({ values: () => this.values.value, log: () => this.log.value });
  readonly count = computed(() => {
    const range = this.range.value;
    return range ? countIn(this.values.value, range) : this.values.value.length;
  });
  /** Null while the range spans the whole axis. */
  readonly shownRange = computed(() => {
    const range = this.range.value;
    return range && rangeOrNull(range, this.bars.scale.value);
  });

  constructor(model: AnyModel, { signal: abort, rpc }: StateOptions) {
    this.rpc = rpc ?? new Rpc(model, { signal: abort });
    const readRange = (raw: unknown) =>
      Array.isArray(raw) && raw.length === 2 && raw.every((end) => Number.isFinite(end))
        ? ([raw[0], raw[1]] as const)
        : null;
    this.#pushRange = syncTrait(model, "value", this.range, readRange, abort);
    this.#pushLog = syncTrait(model, "log", this.log, (raw) => raw === true, abort);
    syncTrait(model, "label", this.label, (raw) => String(raw ?? ""), abort);
    this.rpc.on("data", () => this.open());
    this.open();
  }

  open(): void {
    this.status.value = { kind: "loading" };
    this.rpc.request("open", {}, { latest: "open" }).then(
      ({ values, scores }) =>
        batch(() => {
          this.values.value = values ?? scores ?? new Float32Array(0);
          this.status.value = { kind: "ready" };
        }),
      (error: Error) => {
        if (error instanceof RetryError) this.open();
        else if (!(error instanceof CancelledError)) {
          const retry = () => this.open();
          this.status.value = { kind: "error", message: error.message, retry };
        }
      },
    );
  }

  setRange(range: Range | null): void {
    // The trait is always a pair: without a range it is the whole axis.
    const { min, max } = this.bars.scale.value;
    this.range.value = range ?? [min, max];
    this.#pushRange();
  }

  setLog(log: boolean): void {
    this.log.value = log;
    this.#pushLog();
  }
}

/** What all displays of one stand-alone SimilarItems share. */
export class SimilarItemsState extends PickState {
  readonly row: Signal<number> = signal(0);
  readonly k: Signal<number> = signal(12);

  constructor(model: AnyModel, options: StateOptions) {
    super(model, options);
    const whole = (fallback: number) => (raw: unknown) =>
      Number.isInteger(raw) ? (raw as number) : fallback;
    syncTrait(model, "_row", this.row, whole(0), options.signal);
    syncTrait(model, "k", this.k, whole(12), options.signal);
    this.open();
  }
}
