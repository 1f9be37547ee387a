import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Bitset } from "../data/bitset";
import { type Frame, hasGroups, inGroup } from "../data/frame";
import type { Modifiers } from "../data/keys";
import { DisplayOrder } from "../data/order";
import { rangeBetween } from "../data/selection";
import { type Cells, cellsFor, reveal, rowsAt, ScrollMap } from "../data/viewport";
import type { GridState, Shown } from "./grid";

/** A rectangle in the content's own coordinates. */
export interface Rect {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** What is on the page. */
interface Drawn {
  frame: Frame | null;
  shown: Shown | null;
}

/** What the grid was laid out from. */
interface Layout {
  frame: Frame | null;
  items: DisplayOrder;
  cells: Cells;
}

const NO_ITEMS = new DisplayOrder(new Uint32Array(0));

/** Lines of tiles beyond each edge of what is seen. */
const OVERSCAN = 1;

/** While a filter is dragged: milliseconds, and changes, between two times that images are drawn. */
const DRAW_EVERY = 80;
const CHANGES = 3;
/** Milliseconds without a change after which they are drawn. */
const RESTS = 120;

/** Milliseconds for which a tile that one was taken to stands out. */
const FLASH = 1400;

/** What only one display of the grid knows: its size, scroll position, focus and popover. */
export class GridView {
  readonly width = signal(0);
  readonly size = signal(168);
  readonly top = signal(0);
  readonly origin = signal(0);
  /** The row (of the frame) that the keyboard is on. */
  readonly focus: Signal<number | null> = signal(null);
  readonly flash: Signal<number | null> = signal(null);
  /** The row whose similar items are open. */
  readonly similarTo: Signal<number | null> = signal(null);
  readonly rubberBand: Signal<Rect | null> = signal(null);

  /** Opens the review mode, at the group of a row or where it is due; null where there is none. */
  open: ((row: number | null) => void) | null = null;

  readonly state: GridState;
  /**
   * What is shown; while the range of a filter is dragged, what was a moment ago: other images with
   * each frame are none that one could look at.
   */
  readonly drawn: ReadonlySignal<Drawn> = computed(() => {
    this.#redraws.value;
    const { frame, shown, screen } = this.state;
    const now = { frame: frame.value, shown: shown.value };
    const isHeld = screen.dragging.value && now.frame === this.#drawn.frame && !this.#rests;
    clearTimeout(this.#drawTimer);
    this.#changes += 1;
    if (isHeld && (this.#changes < CHANGES || Date.now() - this.#drawnAt < DRAW_EVERY)) {
      this.#drawTimer = setTimeout(() => this.#redraw(), RESTS);
      return this.#drawn;
    }
    this.#drawnAt = Date.now();
    this.#changes = 0;
    this.#drawn = now;
    return now;
  });
  readonly items = computed(() => this.drawn.value.shown?.items ?? NO_ITEMS);
  /** Whether images stand in bands, which need room for their labels. */
  readonly banded = computed(() => {
    const frame = this.state.frame.value;
    return frame !== null && hasGroups(frame) && this.state.sort.value.grouped;
  });
  /** Whether images are copies of others, which a line of their tiles says. */
  readonly related = computed(() => {
    const frame = this.state.frame.value;
    return frame !== null && hasGroups(frame);
  });
  readonly cells = computed(() =>
    cellsFor(Math.max(1, this.width.value), this.size.value, this.banded.value, this.related.value),
  );
  readonly rowCount = computed(() => Math.ceil(this.items.value.length / this.cells.value.columns));
  /** How many lines of tiles are on the page at once, at most. */
  readonly lineRoom = computed(
    () => Math.ceil(this.state.height.value / this.cells.value.height) + 1 + 2 * OVERSCAN,
  );
  readonly firstRow = computed(() => this.#rows(OVERSCAN).first);
  readonly endRow = computed(() => this.#rows(OVERSCAN).end);
  #focusLine = computed(() => {
    const row = this.focus.value;
    const position = row === null ? -1 : this.items.value.indexOf(row);
    return position < 0 ? -1 : Math.floor(position / this.cells.value.columns);
  });
  /** The row that the keyboard is on, as far as its tile is on the page. */
  readonly active = computed(() => {
    const line = this.#focusLine.value;
    return line >= this.firstRow.value && line < this.endRow.value ? this.focus.value : null;
  });

  #drawn: Drawn = { frame: null, shown: null };
  #drawnAt = 0;
  /** Since then. */
  #changes = 0;
  #rests = false;
  #redraws = signal(0);
  #drawTimer: ReturnType<typeof setTimeout> | undefined;
  #map = new ScrollMap();
  #apply: (height: number, scrollTop: number) => void = () => {};
  #anchor: number | null = null;
  /** The last position of the focus, for when its row has gone. */
  #position = 0;
  #layout: Layout | null = null;
  /** The row that stays where it is while a job fills the frame, until a person scrolls. */
  #stays: number | null = null;
  #down = true;
  #flashTimer: ReturnType<typeof setTimeout> | undefined;
  #settleTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(state: GridState, abort: AbortSignal) {
    this.state = state;
    const stops = [
      effect(() => this.#relayout()),
      effect(() => this.#want()),
      effect(() => {
        // A new order starts at its beginning; a filter keeps the place.
        state.sort.value;
        this.scrollTo(0);
      }),
    ];
    abort.addEventListener(
      "abort",
      () => {
        for (const stop of stops) stop();
        clearTimeout(this.#drawTimer);
        clearTimeout(this.#flashTimer);
        clearTimeout(this.#settleTimer);
        state.tiles.want(this, []);
      },
      { once: true },
    );
  }

  /**
   * Give a function that sets the height of the content and the scroll position, in this order and
   * at once: a position beyond the present height would be cut off. Null when the element has gone.
   */
  attach(apply: ((height: number, scrollTop: number) => void) | null): void {
    this.#apply = apply ?? (() => {});
    this.#apply(this.#map.height, this.#map.scrollTop);
  }

  scrolled(scrollTop: number): void {
    if (scrollTop === this.#map.scrollTop) return;
    this.#stays = null;
    this.#down = scrollTop > this.#map.scrollTop;
    this.#map.scrolled(scrollTop);
    this.#publish();
    clearTimeout(this.#settleTimer);
    this.#settleTimer = setTimeout(() => {
      const before = this.#map.scrollTop;
      const after = this.#map.settle();
      if (Math.abs(after - before) > 1) this.#apply(this.#map.height, after);
      this.#publish();
    }, 200);
  }

  scrollTo(top: number): void {
    const scrollTop = this.#map.goTo(top);
    this.#publish();
    this.#apply(this.#map.height, scrollTop);
  }

  /** A new width or tile size keeps the first image on screen where it is. */
  resize(change: { width?: number; size?: number }): void {
    const { columns, height } = this.cells.peek();
    const first = Math.floor(this.#map.top / height) * columns;
    if (change.width !== undefined) this.width.value = change.width;
    if (change.size !== undefined) this.size.value = change.size;
    const cells = this.cells.peek();
    if (cells.columns === columns && cells.height === height) return;
    this.scrollTo(Math.floor(first / cells.columns) * cells.height);
  }

  positionOf(row: number): number {
    return this.items.peek().indexOf(row);
  }

  /** Scroll to a row, put the focus on it and let it stand out; false when the filter hides it. */
  goTo(row: number): boolean {
    const position = this.positionOf(row);
    if (position < 0) return false;
    const { columns, height } = this.cells.peek();
    const viewport = this.state.height.peek();
    const middle = Math.floor(position / columns) * height - (viewport - height) / 2;
    this.scrollTo(Math.max(0, middle));
    this.#focusOn(position);
    this.#anchor = row;
    this.flash.value = row;
    clearTimeout(this.#flashTimer);
    this.#flashTimer = setTimeout(() => {
      this.flash.value = null;
    }, FLASH);
    return true;
  }

  click(row: number, { toggle, shift }: Modifiers): void {
    const { selection } = this.state;
    const position = this.positionOf(row);
    if (position < 0) return;
    if (shift) this.#extendTo(position, toggle ? selection.rows.copy() : undefined);
    else {
      if (toggle) selection.toggle(row);
      else selection.only(row);
      this.#anchor = row;
    }
    this.#focusOn(position);
  }

  /** The checkbox of a tile: toggles it, or with shift fills up to it, and keeps the rest. */
  check(row: number, { shift }: Modifiers): void {
    this.click(row, { toggle: true, shift });
  }

  /** Make an image the keeper of its group by hand, or take that back. */
  keep(row: number): void {
    const { frame, review, tiles } = this.state;
    const chosen = tiles.get(row)?.info.chosen ?? false;
    const present = frame.peek();
    if (!review.on.peek() || !present || !(chosen || inGroup(present, row))) return;
    this.#focusOnRow(row);
    void review.keep(row, !chosen);
  }

  /** Declare an image no duplicate, with all others selected if it is; or take that back. */
  notDuplicate(row: number): void {
    const { review, selection, tiles } = this.state;
    if (!review.on.peek()) return;
    const rows = selection.has(row) ? [...selection.rows] : [row];
    this.#focusOnRow(row);
    if (tiles.get(row)?.info.not_duplicate) void review.notDuplicates(rows, false);
    else this.state.notDuplicates(rows);
  }

  /** Act on a key; false when it is not one of the grid's. */
  key(key: string, { toggle, shift }: Modifiers): boolean {
    const { selection } = this.state;
    const items = this.items.peek();
    const { columns, height } = this.cells.peek();
    const page = Math.max(1, Math.floor(this.state.height.peek() / height)) * columns;
    const steps: Record<string, number> = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: columns,
      ArrowUp: -columns,
      PageDown: page,
      PageUp: -page,
      Home: -items.length,
      End: items.length,
    };
    if (key in steps) {
      this.#move(steps[key], shift);
      return true;
    }
    const row = this.focus.peek();
    if (toggle && key.toLowerCase() === "a") {
      this.state.selectShown(shift ? "add" : "only");
      return true;
    }
    if (toggle) return false;
    if (key === "[" || key === ",") return this.toGroup(-1);
    if (key === "]" || key === ".") return this.toGroup(1);
    if (key === "Escape") {
      if (selection.count === 0) return false;
      selection.clear();
      return true;
    }
    if (row === null) return false;
    if (key === " ") {
      this.click(row, { toggle: true, shift });
      return true;
    }
    if (shift || this.positionOf(row) < 0) return false;
    const letter = key.toLowerCase();
    if (key === "Enter" || letter === "s") {
      this.#move(0, false);
      if (key === "Enter" && this.open) {
        this.open(row);
        return true;
      }
      this.similarTo.value = row;
      return true;
    }
    if (!this.state.review.on.peek() || (letter !== "k" && letter !== "n")) return false;
    this.#move(0, false);
    if (letter === "k") this.keep(row);
    else this.notDuplicate(row);
    return true;
  }

  /** Put the focus on the first image of the next group or the one before; true where groups are. */
  toGroup(step: 1 | -1): boolean {
    const frame = this.state.frame.peek();
    if (!frame || !this.banded.peek()) return false;
    const items = this.items.peek();
    const bandAt = (position: number) => frame.band[items.at(position) ?? -1] ?? 0;
    const isThere = (position: number) => position >= 0 && position < items.length;
    this.focused();
    let position = this.#position;
    const here = bandAt(position);
    // From within a group the way back leads to its own beginning first.
    while (step < 0 && here > 0 && position > 0 && bandAt(position - 1) === here) position--;
    const isBegun = step < 0 && position < this.#position;
    if (!isBegun) {
      position += step;
      while (isThere(position) && (bandAt(position) === 0 || bandAt(position) === here)) {
        position += step;
      }
      if (!isThere(position)) return true;
      const band = bandAt(position);
      while (position > 0 && bandAt(position - 1) === band) position--;
    }
    this.#move(position - this.#position, false);
    return true;
  }

  /** Start the focus when the grid gets it: on the first tile on screen, or where it was. */
  focused(): void {
    const row = this.focus.peek();
    if (row !== null && this.positionOf(row) >= 0) return;
    const items = this.items.peek();
    if (items.length === 0) return;
    const { columns, height } = this.cells.peek();
    this.#focusOn(Math.min(items.length - 1, Math.ceil(this.#map.top / height) * columns));
  }

  /** Pick what a rubber band touches, on top of `base`. */
  pickIn(rect: Rect, base?: Bitset): void {
    this.rubberBand.value = rect;
    const items = this.items.peek();
    const mask = this.state.mask.peek();
    if (!mask) return;
    this.state.selection.replace(this.#rowsIn(rect, items, mask), base);
  }

  *#rowsIn(rect: Rect, items: DisplayOrder, mask: Uint8Array): Generator<number> {
    const { columns, width, height } = this.cells.peek();
    const firstColumn = Math.max(0, Math.floor(rect.left / width));
    const lastColumn = Math.min(columns - 1, Math.floor(rect.right / width));
    const firstRow = Math.max(0, Math.floor(rect.top / height));
    const lastRow = Math.floor(rect.bottom / height);
    for (let line = firstRow; line <= lastRow; line++) {
      const from = line * columns + firstColumn;
      if (from >= items.length) return;
      yield* rangeBetween(items, from, line * columns + lastColumn, mask);
    }
  }

  /**
   * Under a new plan bands move: where to scroll so that the image with the focus, or what took its
   * place, stays where it is on screen; while a job fills the frame, else the first image on screen.
   */
  #following(before: Layout, { items, cells }: Layout): number | null {
    if (items.length === 0) return null;
    const viewport = this.state.height.peek();
    const row = this.focus.peek();
    const from = row === null ? -1 : before.items.indexOf(row);
    const offset = Math.floor(from / before.cells.columns) * before.cells.height - this.#map.top;
    if (from < 0 || offset <= -before.cells.height || offset >= viewport) {
      const filled = this.state.frame.peek()?.filled !== before.frame?.filled;
      return filled ? this.#firstStays(before, { items, cells }) : null;
    }
    const found = items.indexOf(row!);
    this.#focusOn(found >= 0 ? found : Math.min(from, items.length - 1));
    const line = Math.floor(this.#position / cells.columns);
    const top = Math.max(0, line * cells.height - offset);
    return reveal(line, cells.height, top, viewport);
  }

  /** Where to scroll so that the first image on screen stays there; null at the very top. */
  #firstStays(before: Layout, { items, cells }: Pick<Layout, "items" | "cells">): number | null {
    const { columns, height } = before.cells;
    const row = this.#stays ?? before.items.at(Math.floor(this.#map.top / height) * columns);
    const found = row === undefined ? -1 : items.indexOf(row);
    if (row === undefined || this.#map.top === 0 || found < 0) return null;
    this.#stays = row;
    const offset = Math.floor(before.items.indexOf(row) / columns) * height - this.#map.top;
    return Math.max(0, Math.floor(found / cells.columns) * cells.height - offset);
  }

  #redraw(): void {
    this.#rests = true;
    this.#redraws.value += 1;
    this.#rests = false;
  }

  #rows(overscan: number) {
    const { height } = this.cells.value;
    return rowsAt(this.top.value, this.state.height.value, height, this.rowCount.value, overscan);
  }

  #publish(): void {
    this.top.value = this.#map.top;
    this.origin.value = this.#map.origin;
  }

  /** The content became shorter or taller: stay inside it. */
  #relayout(): void {
    const { height } = this.state;
    const { frame } = this.drawn.value;
    const after = { frame, items: this.items.value, cells: this.cells.value };
    const before = this.#layout;
    this.#layout = after;
    const replanned = before?.frame && after.frame && before.frame !== after.frame;
    const top = replanned ? this.#following(before, after) : null;
    this.#map.resize(this.rowCount.value * after.cells.height, height.value);
    if (top !== null) this.#map.goTo(top);
    this.#publish();
    this.#apply(this.#map.height, this.#map.scrollTop);
  }

  /** Ask for the tiles on screen, then for those half a screen further on. */
  #want(): void {
    const items = this.items.value;
    const { columns, height } = this.cells.value;
    if (this.width.value === 0 || items.length === 0) {
      this.state.tiles.want(this, []);
      return;
    }
    const { first, end } = this.#rows(0);
    const slice = (from: number, to: number) =>
      Array.from(items.slice(from * columns, to * columns));
    const more = Math.ceil(this.state.height.value / height / 2);
    const next = this.#down ? slice(end, end + more) : slice(first - more, first);
    const other = this.#down ? slice(first - 1, first) : slice(end, end + 1);
    const moving = this.state.screen.dragging.value;
    this.state.tiles.want(this, slice(first, end), [...next, ...other], moving);
  }

  #focusOn(position: number): void {
    this.#position = position;
    this.focus.value = this.items.peek().at(position) ?? null;
  }

  #focusOnRow(row: number): void {
    const position = this.positionOf(row);
    if (position >= 0) this.#focusOn(position);
  }

  #move(step: number, shift: boolean): void {
    const items = this.items.peek();
    if (items.length === 0) return;
    const row = this.focus.peek();
    const found = row === null ? -1 : this.positionOf(row);
    const from = found >= 0 ? found : Math.min(this.#position, items.length - 1);
    const start = row === null ? 0 : from + step;
    const to = Math.min(Math.max(0, start), items.length - 1);
    if (shift) {
      if (this.#anchor === null || this.positionOf(this.#anchor) < 0)
        this.#anchor = items.at(from)!;
      this.#extendTo(to);
    } else {
      this.#anchor = items.at(to)!;
    }
    this.#focusOn(to);
    const { columns, height } = this.cells.peek();
    const top = reveal(Math.floor(to / columns), height, this.#map.top, this.state.height.peek());
    if (top !== this.#map.top) this.scrollTo(top);
  }

  #extendTo(position: number, base?: Bitset): void {
    const items = this.items.peek();
    const mask = this.state.mask.peek();
    if (!mask) return;
    const anchor = this.#anchor === null ? -1 : this.positionOf(this.#anchor);
    if (anchor < 0) this.#anchor = items.at(position)!;
    const from = anchor < 0 ? position : anchor;
    this.state.selection.replace(rangeBetween(items, from, position, mask), base);
  }
}
