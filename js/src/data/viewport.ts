/** Browsers cap the height of an element (Firefox at 17.8 million px); this is safe in all. */
export const MAX_HEIGHT = 6_000_000;

/** Height of a tile's parts besides the thumbnail: the band's label strip, and lines of text. */
const STRIP = 22;
const TEXT = 42;
const LINE = 16;
const PADDING = 12;

export interface Cells {
  columns: number;
  width: number;
  height: number;
}

/**
 * Equal cells of at least `size` px that fill the width, with room for band labels, and for a third
 * line that says what an image is to others.
 */
export function cellsFor(width: number, size: number, banded = true, related = false): Cells {
  const columns = Math.max(1, Math.floor(width / size));
  const cell = width / columns;
  const strip = banded ? STRIP : 0;
  const text = TEXT + (related ? LINE : 0);
  return { columns, width: cell, height: Math.round(cell * 0.8) + strip + text + PADDING };
}

interface Rows {
  first: number;
  /** One past the last. */
  end: number;
}

/** The rows of cells that a viewport at `top` touches, and `overscan` more on both sides. */
export function rowsAt(
  top: number,
  viewport: number,
  cellHeight: number,
  rowCount: number,
  overscan = 0,
): Rows {
  const first = Math.floor(top / cellHeight) - overscan;
  const end = Math.ceil((top + viewport) / cellHeight) + overscan;
  return {
    first: Math.min(Math.max(0, first), Math.max(0, rowCount - 1)),
    end: Math.min(rowCount, Math.max(0, end)),
  };
}

/**
 * Maps the scroll position of a capped element to the content's own, taller coordinates.
 *
 * Small steps (wheel, keys, touch) move the content one to one; a jump of the scroll bar is taken
 * as a proportion. Below the cap both are the same.
 */
export class ScrollMap {
  /** Position in the content. */
  top = 0;
  /** Position of the element. */
  scrollTop = 0;
  #content = 0;
  #viewport = 0;

  resize(contentHeight: number, viewport: number): void {
    this.#content = contentHeight;
    this.#viewport = viewport;
    this.top = Math.min(this.top, this.#maxTop);
    this.scrollTop = Math.round(this.toScroll(this.top));
  }

  /** Height to give the element. */
  get height(): number {
    return Math.min(this.#content, MAX_HEIGHT);
  }

  /** What to add to a position in the content to get one in the element. */
  get origin(): number {
    return this.scrollTop - this.top;
  }

  get #maxTop(): number {
    return Math.max(0, this.#content - this.#viewport);
  }

  get #maxScroll(): number {
    return Math.max(0, this.height - this.#viewport);
  }

  /** The proportional place of a content position in the element. */
  toScroll(top: number): number {
    if (this.#content <= MAX_HEIGHT || this.#maxTop === 0) return top;
    return (top / this.#maxTop) * this.#maxScroll;
  }

  /** The element was scrolled. */
  scrolled(scrollTop: number): void {
    const delta = scrollTop - this.scrollTop;
    this.scrollTop = scrollTop;
    if (this.#content <= MAX_HEIGHT) {
      this.top = scrollTop;
    } else if (scrollTop <= 0) {
      this.top = 0;
    } else if (scrollTop >= this.#maxScroll - 1) {
      this.top = this.#maxTop;
    } else if (Math.abs(delta) <= this.#viewport) {
      this.top = Math.min(Math.max(0, this.top + delta), this.#maxTop);
    } else {
      this.top = (scrollTop / this.#maxScroll) * this.#maxTop;
    }
  }

  /** Go to a position in the content; returns the scroll position to set on the element. */
  goTo(top: number): number {
    this.top = Math.min(Math.max(0, top), this.#maxTop);
    this.scrollTop = Math.round(this.toScroll(this.top));
    return this.scrollTop;
  }

  /** Small steps let the two positions drift apart; at rest they are brought together again. */
  settle(): number {
    return this.goTo(this.top);
  }
}

/** The position nearest to `top` at which a row of cells is wholly in the viewport. */
export function reveal(row: number, cellHeight: number, top: number, viewport: number): number {
  const start = row * cellHeight;
  const end = start + cellHeight;
  if (start < top) return start;
  if (end > top + viewport) return Math.max(0, end - viewport);
  return top;
}
