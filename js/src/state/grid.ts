import { batch, computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { textOf, WORDS } from "../data/filters";
import { countGroups, type Frame, frameOf } from "../data/frame";
import { denseRank, displayOrder, withKeepers } from "../data/order";
import { readSort, type Sort } from "../data/sort";
import type { AnyModel } from "../wire/model";
import type { Replies } from "../wire/protocol";
import { CancelledError, RetryError } from "../wire/rpc";
import { syncTrait } from "../wire/sync";
import type { Throttled } from "../wire/throttle";
import { Catalogue } from "./catalogue";
import { Filtering, PLANNED } from "./filtering";
import { PickState, type StateOptions } from "./pick";
import { Review } from "./review";
import { Screen } from "./screen";

/** What the filters leave, in display order. */
export interface Shown {
  mask: Uint8Array;
  /** The rows that the filters leave. */
  order: Uint32Array;
  /** The same with context tiles; `mask` has them as 0. */
  items: Uint32Array;
  groups: number;
}

/** The ranks of a column; those of words are of a text. */
interface Ranked {
  column: string;
  text: string | null;
  rank: Uint32Array;
  frame: Frame;
}

const readHeight = (raw: unknown) => (typeof raw === "number" && raw > 0 ? raw : 560);

/**
 * Everything that all displays of one ImageGrid share; an Explorer is a grid and more.
 *
 * What only one display knows is its GridView's.
 */
export class GridState extends PickState {
  // Python has these too: a change here is sent there, and a change there comes here.
  readonly frame: Signal<Frame | null> = signal(null);
  readonly filtering: Filtering;
  /** Empty without collections, as in an ImageGrid. */
  readonly catalogue: Catalogue;
  /** Off without a plan, as in an ImageGrid. */
  readonly review: Review;
  readonly sort: Signal<Sort> = signal(readSort(null));
  readonly height: Signal<number> = signal(560);

  // Only this page has these.
  readonly screen = new Screen();
  /** The column whose ranks are on their way. */
  readonly sorting: Signal<string | null> = signal(null);
  readonly sortError: Signal<string | null> = signal(null);

  #rank: Signal<Ranked | null> = signal(null);
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
      grouped && this.screen.showKeepers.value
        ? withKeepers(order, band, place, mask, bands)
        : order;
    return { mask, order, items, groups: countGroups(frame, mask) };
  });

  /** How many picked rows the filter hides. */
  readonly hiddenPicked = computed(() => {
    this.selection.version.value;
    const mask = this.mask.value;
    return mask ? this.selection.count - this.selection.rows.countIn(mask) : 0;
  });

  constructor(model: AnyModel, options: StateOptions, opens?: "open_grid" | "open_review") {
    super(model, options, opens);
    const { rpc, outbox, frame } = this;
    const { signal: abort } = options;
    this.catalogue = new Catalogue(rpc, outbox);
    this.filtering = new Filtering(model, {
      frame,
      catalogue: this.catalogue,
      rpc,
      outbox,
      signal: abort,
    });
    this.review = new Review(rpc, outbox, abort);
    this.#pushSort = syncTrait(model, "_sort", this.sort, readSort, abort);
    syncTrait(model, "height", this.height, readHeight, abort);
    const stop = effect(() => {
      const frame = this.frame.value;
      const column = this.sort.value.column;
      const text = column === WORDS ? textOf(this.filtering.clauses.value[WORDS]) : null;
      this.rpc.recovered.value;
      if (frame) this.#rankBy(frame, column, text);
    });
    abort.addEventListener("abort", stop, { once: true });
    this.open();
  }

  override open(): void {
    this.#rank.value = null;
    this.frame.value = null;
    super.open();
  }

  protected override opened(reply: Replies["open_grid"]): void {
    super.opened(reply);
    this.frame.value = frameOf(reply);
    this.catalogue.load(reply.rows, { collections: [], members: new Uint8Array(0) });
  }

  resetFilters(): void {
    this.filtering.reset();
  }

  setSort(change: Partial<Sort>): void {
    this.sort.value = { ...this.sort.value, ...change };
    this.#pushSort();
  }

  /** Show the images that show what some words say, the nearest first; null for all again. */
  findByWords(text: string | null): void {
    const path = this.frame.peek()?.path ?? "";
    this.filtering.change({ [WORDS]: text === null ? null : { contains: text }, [path]: null });
    const isByWords = this.sort.peek().column === WORDS;
    if (text !== null) this.setSort({ column: WORDS, descending: false, grouped: false });
    else if (isByWords)
      this.setSort({ ...readSort(null), column: this.frame.peek()?.score ?? path });
  }

  /** Ranks of the score are computed here; those of other columns are Python's. */
  #rankBy(frame: Frame, column: string, text: string | null): void {
    const present = this.#rank.peek();
    if (column === "" || column === frame.score) {
      this.sorting.value = null;
      this.sortError.value = null;
      if (present) this.#rank.value = null;
      return;
    }
    const holds = present?.frame === frame || !PLANNED.includes(column);
    if (present?.column === column && present.text === text && holds) return;
    this.sorting.value = column;
    this.rpc.request("order", { column }, { latest: "order" }).then(
      ({ rank }) => {
        if (this.frame.peek() !== frame || this.sort.peek().column !== column) return;
        batch(() => {
          this.#rank.value = { column, text, rank, frame };
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
