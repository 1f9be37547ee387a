import { batch, computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { type Clauses, maskOf, readClauses, withClause } from "./filters";
import { countGroups, type Frame, frameOf } from "./frame";
import {
  binCounts,
  canBeLog,
  countIn,
  extentOf,
  type Range,
  rangeOrNull,
  scaleFor,
} from "./histogram";
import { type AnyModel, listen } from "./model";
import { denseRank, displayOrder, withKeepers } from "./order";
import type { CollectionInfo, Replies } from "./protocol";
import { CancelledError, RetryError, Rpc } from "./rpc";
import { Selection } from "./selection";
import { readSort, type Sort } from "./sort";
import { type Throttled, throttle } from "./throttle";
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

/** Write a trait at most ten times a second, and follow it when Python changes it. */
function syncTrait<T>(
  model: AnyModel,
  name: string,
  value: Signal<T>,
  read: (raw: unknown) => T,
  abort: AbortSignal,
): Throttled {
  value.value = read(model.get(name));
  const push = throttle(
    () => {
      model.set(name, value.value);
      model.save_changes();
    },
    100,
    abort,
  );
  const pull = () => {
    const next = read(model.get(name));
    // What this page is about to write is newer than what it hears.
    if (push.due || JSON.stringify(next) === JSON.stringify(value.value)) return;
    value.value = next;
  };
  listen(model, `change:${name}`, pull, abort);
  return push;
}

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
  readonly clauses: Signal<Clauses> = signal({});
  readonly sort: Signal<Sort> = signal(readSort(null));
  readonly height: Signal<number> = signal(560);
  readonly showKeepers = signal(true);
  readonly log = signal(true);
  readonly collections: Signal<CollectionInfo[]> = signal([]);
  /** The column whose ranks are on their way. */
  readonly sorting: Signal<string | null> = signal(null);
  readonly sortError: Signal<string | null> = signal(null);

  #rank: Signal<{ column: string; rank: Uint32Array } | null> = signal(null);
  #scoreRank = computed(() => {
    const frame = this.frame.value;
    return frame && frame.scores.length === frame.rows ? denseRank(frame.scores) : null;
  });
  #pushFilters: Throttled;
  #pushSort: Throttled;

  readonly mask: ReadonlySignal<Uint8Array | null> = computed(() => {
    const frame = this.frame.value;
    return frame && maskOf(frame, this.clauses.value);
  });

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

  /** The range of the score; null without one. */
  readonly range: ReadonlySignal<Range | null> = computed(() => {
    const score = this.frame.value?.score;
    return score ? (this.clauses.value[score] ?? null) : null;
  });

  readonly scale = computed(() => {
    const frame = this.frame.value;
    return frame && scaleFor(frame.extent, this.log.value);
  });

  /** Bars of the score's histogram: what all other clauses leave. */
  readonly bars = computed(() => {
    const frame = this.frame.value;
    const scale = this.scale.value;
    if (!frame || !scale || frame.score === null) return null;
    return binCounts(frame.scores, scale);
  });

  readonly shortcuts = computed(() => {
    const frame = this.frame.value;
    if (!frame) return null;
    return {
      exact: countIn(frame.scores, [0, EXACT]),
      near: countIn(frame.scores, [0, frame.near]),
    };
  });

  /** How many picked rows the filter hides. */
  readonly hiddenPicked = computed(() => {
    this.selection.version.value;
    const mask = this.mask.value;
    return mask ? this.selection.count - this.selection.rows.countIn(mask) : 0;
  });

  constructor(model: AnyModel, options: StateOptions) {
    super(model, options);
    const { signal: abort } = options;
    this.#pushFilters = syncTrait(model, "_filters", this.clauses, readClauses, abort);
    this.#pushSort = syncTrait(model, "_sort", this.sort, readSort, abort);
    syncTrait(model, "height", this.height, readHeight, abort);
    this.rpc.on("collections", ({ collections }) => {
      this.collections.value = collections;
    });
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
    this.collections.value = reply.collections ?? [];
    this.frame.value = frameOf(reply);
  }

  setRange(range: Range | null): void {
    const score = this.frame.value?.score;
    if (!score) return;
    this.clauses.value = withClause(this.clauses.value, score, range);
    this.#pushFilters();
  }

  resetFilters(): void {
    this.clauses.value = {};
    this.#pushFilters();
  }

  setSort(change: Partial<Sort>): void {
    this.sort.value = { ...this.sort.value, ...change };
    this.#pushSort();
  }

  /** Make a named collection of the selection; returns its size. */
  async collect(name: string): Promise<number> {
    this.#pushFilters.flush();
    this.pushSelection.flush();
    const size = this.selection.count;
    const { collections } = await this.rpc.request("collect", { name });
    this.collections.value = collections;
    return size;
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
    if (present?.column === column) return;
    this.sorting.value = column;
    this.rpc.request("order", { column }, { latest: "order" }).then(
      ({ rank }) => {
        if (this.frame.peek() !== frame || this.sort.peek().column !== column) return;
        batch(() => {
          this.#rank.value = { column, rank };
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
  #extent = computed(() => extentOf(this.values.value));
  #pushRange: Throttled;
  #pushLog: Throttled;

  readonly scale = computed(() => scaleFor(this.#extent.value, this.log.value));
  readonly bars = computed(() => binCounts(this.values.value, this.scale.value));
  readonly count = computed(() => {
    const range = this.range.value;
    return range ? countIn(this.values.value, range) : this.values.value.length;
  });
  /** Null while the range spans the whole axis. */
  readonly shownRange = computed(() => {
    const range = this.range.value;
    return range && rangeOrNull(range, this.scale.value);
  });
  readonly canBeLog = computed(() => canBeLog(this.#extent.value));

  constructor(model: AnyModel, { signal: abort, rpc }: StateOptions) {
    this.rpc = rpc ?? new Rpc(model, { signal: abort });
    const readRange = (raw: unknown) => readClauses({ value: raw }).value ?? null;
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
    this.range.value = range ?? [this.scale.value.min, this.scale.value.max];
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
