import { batch, computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { type Arranged, arranged } from "../data/arranged";
import { columnsOf, usualFacts } from "../data/facts";
import { type Clauses, textOf, WORDS } from "../data/filters";
import * as format from "../data/format";
import {
  accepted,
  bandedBy,
  type Frame,
  frameOf,
  groupedOf,
  keptBeside,
  readableOf,
  seenRows,
  withStanding,
} from "../data/frame";
import { countOf, maskOf } from "../data/masks";
import { DisplayOrder, denseRank, withNewcomers } from "../data/order";
import { readSort, type Sort } from "../data/sort";
import { type AnyModel, canEmbed, listen } from "../wire/model";
import type { Replies } from "../wire/protocol";
import { CancelledError, RetryError } from "../wire/rpc";
import { syncTrait } from "../wire/sync";
import { type Throttled, throttle } from "../wire/throttle";
import { Catalogue } from "./catalogue";
import { Filtering, isPlanned } from "./filtering";
import { PickState, type StateOptions } from "./pick";
import { Review } from "./review";
import { Reviewed } from "./reviewed";
import { Screen } from "./screen";

/** What the filters leave, in display order. */
export interface Shown extends Omit<Arranged, "items" | "by"> {
  /** The rows that the filters leave, with context tiles; `mask` has these as 0. */
  items: DisplayOrder;
}

/** The ranks of a column; those of words are of a text. */
interface Ranked {
  column: string;
  text: string | null;
  rank: Uint32Array;
  frame: Frame;
}

/** What is shown, which stays where it is as long as sort and filters are these. */
interface KeptOrder {
  items: Uint32Array;
  band: Uint32Array;
  sort: Sort;
  clauses: Clauses;
}

const readHeight = (raw: unknown) => (typeof raw === "number" && raw > 0 ? raw : null);

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
  /** Nothing without a review. */
  readonly reviewed: Reviewed;
  readonly sort: Signal<Sort> = signal(readSort(null));
  /** What Python sets; null for what the window has room for. */
  readonly #height: Signal<number | null> = signal(null);

  // Only this page has these.
  readonly screen: Screen;
  /** Of the grid, in pixels. */
  readonly height: ReadonlySignal<number> = computed(
    () => this.#height.value ?? this.screen.room.value,
  );
  /** The column whose ranks are on their way. */
  readonly sorting: Signal<string | null> = signal(null);
  readonly sortError: Signal<string | null> = signal(null);

  #rank: Signal<Ranked | null> = signal(null);
  #kept: Signal<KeptOrder | null> = signal(null);
  /** The same array under another plan, unless that has changed a score. */
  #scores = computed(() => {
    const frame = this.frame.value;
    return frame && frame.scores.length === frame.rows ? frame.scores : null;
  });
  /** What was shown last in its order: the next is like it in most. */
  #arranged: Arranged | null = null;
  #scoreRank = computed(() => this.#scores.value && denseRank(this.#scores.value));
  #pushSort: Throttled;

  /** Whether rows stand where they stood before the last decisions. */
  readonly orderKept: ReadonlySignal<boolean> = computed(() => {
    const kept = this.#kept.value;
    const { clauses } = this.filtering;
    return kept !== null && kept.sort === this.sort.value && kept.clauses === clauses.value;
  });

  /** The rows that the filters leave. */
  readonly mask: ReadonlySignal<Uint8Array | null> = computed(() => this.filtering.mask.value);

  readonly shown: ReadonlySignal<Shown | null> = computed(() => {
    const frame = this.frame.value;
    const mask = this.mask.value;
    if (!frame || !mask) {
      this.#arranged = null;
      return null;
    }
    const { descending, grouped } = this.sort.value;
    const keepers = grouped && this.screen.showKeepers.value;
    if (this.orderKept.value) {
      const kept = this.#kept.value!;
      const banded = bandedBy(frame, mask, keepers);
      const rows = withNewcomers(kept.items, seenRows(frame, mask, banded), kept.band);
      const items = new DisplayOrder(rows);
      const standing = withStanding(frame, banded, rows);
      const goes = accepted(frame, standing);
      return { mask, count: countOf(mask), items, banded: standing, accepted: goes };
    }
    const rank = this.#rank.value?.rank ?? this.#scoreRank.value ?? new Uint32Array(frame.rows);
    const by = { frame, rank, descending, grouped, keepers };
    this.#arranged = arranged(by, mask, this.#arranged);
    return this.#arranged;
  });

  /** The rows that one can see, keepers outside the filter and what was left in its place too. */
  readonly visible: ReadonlySignal<Uint8Array | null> = computed(() => {
    const frame = this.frame.value;
    const shown = this.shown.value;
    if (!frame || !shown) return null;
    const { mask, banded, items } = shown;
    return this.orderKept.value ? maskOf(items.rows, frame.rows) : seenRows(frame, mask, banded);
  });

  /** The facts that tiles show of their images. */
  readonly facts: ReadonlySignal<readonly string[]> = computed(() => {
    const frame = this.frame.value;
    return this.screen.facts.value ?? (frame ? usualFacts(frame) : []);
  });

  /** How many picked rows the filter hides. */
  readonly hiddenPicked = computed(() => {
    this.selection.version.value;
    if (this.selection.count === 0) return 0;
    const visible = this.visible.value;
    return visible ? this.selection.count - this.selection.rows.countIn(visible) : 0;
  });

  constructor(model: AnyModel, options: StateOptions, opens?: "open_grid" | "open_review") {
    super(model, options, opens);
    const { rpc, outbox, frame } = this;
    const { signal: abort } = options;
    this.screen = new Screen(abort);
    this.catalogue = new Catalogue(rpc, outbox);
    this.reviewed = new Reviewed(rpc, frame);
    this.filtering = new Filtering(model, {
      frame,
      catalogue: this.catalogue,
      reviewed: this.reviewed,
      rpc,
      outbox,
      signal: abort,
    });
    this.review = new Review(rpc, outbox, abort);
    this.#pushSort = syncTrait(model, "_sort", this.sort, readSort, abort);
    syncTrait(model, "height", this.#height, readHeight, abort);
    const stops = [
      effect(() => {
        const frame = this.frame.value;
        const column = this.sort.value.column;
        const text = column === WORDS ? textOf(this.filtering.clauses.value[WORDS]) : null;
        this.rpc.recovered.value;
        if (frame && !this.orderKept.value) this.#rankBy(frame, column, text);
      }),
      effect(() => {
        if (this.frame.value) this.#showFacts(this.frame.value);
      }),
    ];
    abort.addEventListener(
      "abort",
      () => {
        for (const stop of stops) stop();
      },
      { once: true },
    );
    if (!canEmbed(model)) this.#answer(model, abort);
    this.open();
  }

  /** marimo runs cells again after what a page sets, and not after what Python changes. */
  #answer(model: AnyModel, abort: AbortSignal): void {
    const answer = throttle(
      () => {
        model.set("_seen", model.get("revision"));
        model.save_changes();
      },
      200,
      abort,
    );
    listen(model, "change:revision", answer, abort);
  }

  override open(): void {
    this.#kept.value = null;
    this.#rank.value = null;
    this.frame.value = null;
    super.open();
  }

  protected override opened(reply: Replies["open_grid"]): void {
    super.opened(reply);
    const before = this.frame.peek();
    const frame = frameOf(reply, before ? before.filled + 1 : 0);
    // Before tiles are requested for it, or they would be requested twice.
    this.#showFacts(frame);
    this.frame.value = frame;
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
    const { path = "", score = null } = this.frame.peek() ?? {};
    batch(() => {
      this.filtering.change({ [WORDS]: text === null ? null : { contains: text }, [path]: null });
      if (text !== null) this.setSort({ column: WORDS, descending: false, grouped: false });
      else if (this.sort.peek().column === WORDS)
        this.setSort({ ...readSort(null), column: score ?? path });
    });
  }

  #showFacts(frame: Frame): void {
    const chosen = this.screen.facts.value ?? usualFacts(frame);
    this.tiles.showFacts(columnsOf(chosen, frame, this.sort.value.column));
  }

  /** Let rows stand where they stand, whatever changes, until other filters or a sort. */
  protected keepOrder(): void {
    const shown = this.shown.peek();
    const frame = this.frame.peek();
    if (!shown || !frame || this.orderKept.peek()) return;
    this.#kept.value = {
      items: shown.items.rows,
      band: frame.band,
      sort: this.sort.peek(),
      clauses: this.filtering.clauses.peek(),
    };
  }

  /** Let rows stand where they belong by now. */
  protected sortAfresh(): void {
    this.#kept.value = null;
  }

  /** The same, as a person asks for it: Python's view follows. */
  sortAgain(): void {
    this.sortAfresh();
    const column = this.sort.peek().column || this.frame.peek()?.score;
    if (column) this.rpc.request("order", { column }).catch(() => {});
  }

  /**
   * Declare images no duplicates of the others in their groups. Exact copies always are: there it
   * is offered to keep both.
   */
  notDuplicates(rows: readonly number[]): void {
    const frame = this.frame.peek();
    if (!frame || !this.review.on.peek()) return;
    const grouped = groupedOf(frame, rows);
    const beside = grouped.map((row) => keptBeside(frame, row));
    const others = grouped.filter((_, i) => beside[i] === null);
    if (others.length > 0) {
      void this.review.notDuplicates(others, true);
      return;
    }
    if (grouped.length === 0) return;
    const names = grouped.map((row) => this.tiles.get(row)?.info.name ?? "");
    const one = grouped.length === 1;
    this.review.offer.value = {
      text: one
        ? `${names[0] ? `“${names[0]}”` : "It"} has a copy with identical pixels, so it stays a duplicate.`
        : `These ${format.images(grouped.length)} have copies with identical pixels, so they stay duplicates.`,
      label: one && beside[0]?.length === 2 ? "Keep both" : "Keep them all",
      rows: [...new Set(beside.flatMap((kept) => kept ?? []))],
    };
  }

  /** Select what is shown, and nothing else; or add it to what is selected. Unreadable files stay out. */
  selectShown(how: "only" | "add"): void {
    const frame = this.frame.peek();
    const mask = this.mask.peek();
    if (!frame || !mask) return;
    const rows = readableOf(frame, mask);
    if (how === "only") this.selection.onlyShown(rows);
    else this.selection.addShown(rows);
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
    const holds =
      present?.frame === frame ||
      (present?.frame.filled === frame.filled && !isPlanned(column, frame));
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
