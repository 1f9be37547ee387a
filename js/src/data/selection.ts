import { type ReadonlySignal, signal } from "@preact/signals";
import { Bitset } from "./bitset";
import type { DisplayOrder } from "./order";

/**
 * The picked rows. It outlives filters: a row that the filter hides stays picked.
 *
 * `version` counts the changes: reading it subscribes to them.
 */
export class Selection {
  #rows = new Bitset(0);
  #version = signal(0);
  #count = 0;
  #onChange: () => void;

  constructor(onChange: () => void = () => {}) {
    this.#onChange = onChange;
  }

  get version(): ReadonlySignal<number> {
    return this.#version;
  }

  get rows(): Bitset {
    return this.#rows;
  }

  get count(): number {
    return this.#count;
  }

  has(row: number): boolean {
    return this.#rows.has(row);
  }

  /** Take over Python's selection; it is not sent back. */
  load(size: number, bytes?: Uint8Array): void {
    this.#rows = new Bitset(size, bytes);
    this.#bump();
  }

  only(row: number): void {
    this.#rows.clear();
    this.#rows.add(row);
    this.#changed();
  }

  toggle(row: number): void {
    this.#rows.toggle(row);
    this.#changed();
  }

  set(row: number, picked: boolean): void {
    if (picked) this.#rows.add(row);
    else this.#rows.delete(row);
    this.#changed();
  }

  /** Pick `rows`, on top of `base` (nothing by default). */
  replace(rows: Iterable<number>, base?: Bitset): void {
    this.#rows = base ? base.copy() : new Bitset(this.#rows.size);
    for (const row of rows) this.#rows.add(row);
    this.#changed();
  }

  /** Pick every row that `mask` shows, and no other. */
  onlyShown(mask: Uint8Array): void {
    this.replace(rowsOf(mask));
  }

  /** Add every row that `mask` shows. */
  addShown(mask: Uint8Array): void {
    for (let row = 0; row < mask.length; row++) if (mask[row]) this.#rows.add(row);
    this.#changed();
  }

  /** Turn round what `mask` shows; hidden rows stay as they are. */
  invertShown(mask: Uint8Array): void {
    for (let row = 0; row < mask.length; row++) if (mask[row]) this.#rows.toggle(row);
    this.#changed();
  }

  clear(): void {
    if (this.#count === 0) return;
    this.#rows.clear();
    this.#changed();
  }

  #changed(): void {
    this.#bump();
    this.#onChange();
  }

  #bump(): void {
    this.#count = this.#rows.count();
    this.#version.value = this.#version.peek() + 1;
  }
}

/** The rows between two positions of the display, both ends included, without context tiles. */
export function* rangeBetween(
  items: DisplayOrder,
  from: number,
  to: number,
  mask: Uint8Array,
): Generator<number> {
  const first = Math.max(0, Math.min(from, to));
  const last = Math.min(items.length - 1, Math.max(from, to));
  for (const row of items.slice(first, last + 1)) if (mask[row]) yield row;
}

/** The rows that a mask shows. */
export function* rowsOf(mask: Uint8Array): Generator<number> {
  for (let row = 0; row < mask.length; row++) if (mask[row]) yield row;
}
