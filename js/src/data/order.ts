import { NULL_RANK, type Numbers } from "../wire/protocol";
import type { Turned } from "./masks";

/** Members of each band in display order, as offsets into one array (compressed rows). */
export interface Bands {
  /** `members[start[b]] … members[start[b + 1] - 1]` are the rows of band `b`; band 0 is empty. */
  start: Uint32Array;
  members: Uint32Array;
}

/** The bands of rows that come band by band, in order, with the size of each band from 1 on. */
export function bandsOfSizes(members: Uint32Array, sizes: Uint32Array): Bands {
  const start = new Uint32Array(sizes.length + 2);
  for (let b = 0; b < sizes.length; b++) start[b + 2] = start[b + 1] + sizes[b];
  return { start, members };
}

/** The band of each of so many rows, and its place there; 0 and 0 for a row on its own. */
export function standingIn({ start, members }: Bands, rows: number) {
  const band = new Uint32Array(rows);
  const place = new Uint32Array(rows);
  for (let b = 1; b + 1 < start.length; b++) {
    for (let m = start[b]; m < start[b + 1]; m++) {
      band[members[m]] = b;
      place[members[m]] = m - start[b];
    }
  }
  return { band, place };
}

/** Rows of every band, sorted by place, then row. */
export function bandsOf(band: Uint32Array, place: Uint32Array): Bands {
  let count = 0;
  for (let row = 0; row < band.length; row++) count = Math.max(count, band[row]);
  const start = new Uint32Array(count + 2);
  for (let row = 0; row < band.length; row++) if (band[row]) start[band[row] + 1]++;
  for (let b = 1; b < start.length; b++) start[b] += start[b - 1];
  const members = new Uint32Array(start[count + 1]);
  const next = start.slice();
  for (let row = 0; row < band.length; row++) if (band[row]) members[next[band[row]]++] = row;
  for (let b = 1; b <= count; b++) sortByPlace(members, start[b], start[b + 1], place);
  return { start, members };
}

/** Members of a band that are sorted one by one: a sort that asks a function takes longer. */
const FEW = 24;

/** Sort the rows between two positions, which are in order, by their places. */
function sortByPlace(rows: Uint32Array, from: number, to: number, place: Uint32Array): void {
  if (to - from > FEW) {
    rows.subarray(from, to).sort((a, z) => place[a] - place[z] || a - z);
    return;
  }
  for (let i = from + 1; i < to; i++) {
    const row = rows[i];
    let at = i;
    for (; at > from && place[rows[at - 1]] > place[row]; at--) rows[at] = rows[at - 1];
    rows[at] = row;
  }
}

/** Dense ranks of the scores, ascending; NaN ranks last as null. */
export function denseRank(scores: Float32Array): Uint32Array {
  const { rows, keys } = sortedKeys(sortableBits(scores));
  ascending.set(scores, rows);
  const rank = new Uint32Array(rows.length);
  let distinct = -1;
  let previous = -1;
  for (let i = 0; i < rows.length; i++) {
    const key = keys[i];
    if (key !== previous) distinct++;
    previous = key;
    rank[rows[i]] = key === NULL_RANK ? NULL_RANK : distinct;
  }
  ascending.set(rank, rows);
  return rank;
}

/** Rows in ascending order, by ranks or by values. */
const ascending = new WeakMap<Uint32Array | Numbers, Uint32Array>();

/** All rows in ascending order of their values, NaN last; known once it was asked for. */
export function rowsByValue(values: Numbers): Uint32Array {
  const known = ascending.get(values);
  if (known) return known;
  const { rows, keys } = sortedKeys(sortableBits(Float32Array.from(values)));
  // What is equal as float32 may differ in its last digits.
  const end = values instanceof Float32Array ? 0 : rows.length;
  for (let from = 0, to = 1; from < end; from = to++) {
    let differ = false;
    for (; to < end && keys[to] === keys[from]; to++) {
      differ ||= values[rows[to]] !== values[rows[from]];
    }
    if (differ && keys[from] !== NULL_RANK)
      rows.subarray(from, to).sort((a, z) => values[a] - values[z]);
  }
  ascending.set(values, rows);
  return rows;
}

const DIGIT = 11;
const LAST_DIGIT = 2 ** DIGIT - 1;

interface Sorted {
  rows: Uint32Array;
  keys: Uint32Array;
}

/**
 * Keys in ascending order, and the rows that had them: a radix sort, 11 bits a round. It writes into
 * the keys that it is given.
 */
function sortedKeys(given: Uint32Array): Sorted {
  const n = given.length;
  let rows = new Uint32Array(n);
  let keys = given;
  let toRows = new Uint32Array(n);
  let toKeys: Uint32Array = new Uint32Array(n);
  for (let row = 0; row < n; row++) rows[row] = row;
  for (let shift = 0; shift < 32; shift += DIGIT) {
    const next = new Uint32Array(2 ** DIGIT + 1);
    for (let i = 0; i < n; i++) next[((keys[i] >>> shift) & LAST_DIGIT) + 1]++;
    // Often all have the same first bits.
    if (next.includes(n)) continue;
    for (let digit = 1; digit < next.length; digit++) next[digit] += next[digit - 1];
    for (let i = 0; i < n; i++) {
      const key = keys[i];
      const place = next[(key >>> shift) & LAST_DIGIT]++;
      toRows[place] = rows[i];
      toKeys[place] = key;
    }
    [rows, toRows] = [toRows, rows];
    [keys, toKeys] = [toKeys, keys];
  }
  return { rows, keys };
}

/** Unsigned integers in the order of the floats; all NaN become the last. */
function sortableBits(values: Float32Array): Uint32Array {
  const bits = new Uint32Array(values.slice().buffer);
  for (let i = 0; i < bits.length; i++) {
    const value = values[i];
    const own = bits[i];
    // -0 equals 0. Otherwise negative numbers sort backwards by their bits.
    if (value > 0) bits[i] = own | 0x80000000;
    else if (value === 0) bits[i] = 0x80000000;
    else bits[i] = value < 0 ? ~own : NULL_RANK;
  }
  return bits;
}

/** What of the bands is on screen; see {@link displayOrder}. */
interface BandOrder {
  bands: Bands;
  /** Of each member of a band, not 0 where it stands beside those that the mask shows. */
  drawn: Uint8Array;
}

export interface OrderOptions {
  rank: Uint32Array;
  band: Uint32Array;
  /** The rows that are visible. */
  mask: Uint8Array;
  descending: boolean;
  /**
   * Null where images are not grouped. Members that are drawn although the mask hides them, such as
   * keepers, are context tiles: the one kind of row in the order that it hides.
   */
  grouping: BandOrder | null;
}

/** What differs from another mask of the same frame. */
export interface Changes extends Turned {
  /** The bands of which one shows a member that the other hides. */
  bands: Uint32Array;
  /** What was drawn of the members of bands. */
  drawn: Uint8Array;
}

/** Rows in their order, in blocks that are laid out when somebody looks. */
interface Blocks {
  /** The position at which each block begins, and the end of the last one. */
  starts: Uint32Array;
  lay(block: number): Uint32Array;
  /** The block in which a row stands, if it stands in any. */
  blockOf(row: number): number;
}

/** Rows in their order, laid out where somebody looks. */
export class DisplayOrder {
  #blocks: Blocks;
  #laid: Map<number, Uint32Array>;
  /** Where somebody looked last. */
  #block = 0;

  /** @param blocks - The rows themselves, or blocks of them, some of which are laid out already. */
  constructor(blocks: Uint32Array | Blocks, laid = new Map<number, Uint32Array>()) {
    this.#blocks = ArrayBuffer.isView(blocks)
      ? { starts: Uint32Array.of(0, blocks.length), lay: () => blocks, blockOf: () => 0 }
      : blocks;
    this.#laid = laid;
  }

  get length(): number {
    return this.#blocks.starts.at(-1)!;
  }

  /** All of them. */
  get rows(): Uint32Array {
    return this.slice(0, this.length);
  }

  /** The row at a position; undefined where there is none. */
  at(position: number): number | undefined {
    if (position < 0 || position >= this.length) return undefined;
    const { starts } = this.#blocks;
    if (position < starts[this.#block] || position >= starts[this.#block + 1])
      this.#block = lastUpTo(starts, position);
    return this.#lay(this.#block)[position - starts[this.#block]];
  }

  /** The rows between two positions, as far as there are any. */
  slice(from: number, to: number): Uint32Array {
    const { starts } = this.#blocks;
    const first = Math.max(0, from);
    const rows = new Uint32Array(Math.max(0, Math.min(to, this.length) - first));
    if (rows.length === 0) return rows;
    for (let block = lastUpTo(starts, first), at = 0; at < rows.length; block++) {
      const offset = Math.max(0, first - starts[block]);
      const part = this.#lay(block).subarray(offset, offset + rows.length - at);
      rows.set(part, at);
      at += part.length;
    }
    return rows;
  }

  /** The position of a row; -1 where it is not shown. */
  indexOf(row: number): number {
    const block = this.#blocks.blockOf(row);
    const found = block < 0 ? -1 : this.#lay(block).indexOf(row);
    return found < 0 ? -1 : this.#blocks.starts[block] + found;
  }

  /** The blocks that are laid out, but for those in which something changed. */
  protected laidBut(changed: Uint8Array): Map<number, Uint32Array> {
    return new Map([...this.#laid].filter(([block]) => !changed[block]));
  }

  #lay(block: number): Uint32Array {
    const known = this.#laid.get(block);
    if (known) return known;
    const rows = this.#blocks.lay(block);
    this.#laid.set(block, rows);
    return rows;
  }
}

/** The last place at which ascending numbers are not above a value. */
function lastUpTo(numbers: Uint32Array, value: number): number {
  let low = 0;
  let high = numbers.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (numbers[middle] <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * The visible rows in display order.
 *
 * By rank, null ranks last in both directions, equal ones by number. Grouped, the members of a band
 * stand together, where the first of those that are visible would stand alone.
 */
export function displayOrder(options: OrderOptions): PlacedOrder {
  return new PlacedOrder(options, placed(options));
}

/** How many rows stand in each block of all rows by rank, and at which of these each band stands. */
interface Placed {
  ordered: Ordered;
  counts: Uint32Array;
  /** Without meaning for bands of which nothing is visible. */
  at: Uint32Array;
}

/** An order that knows how to become that of another mask. */
export class PlacedOrder extends DisplayOrder {
  #placed: Placed;

  constructor(options: OrderOptions, placed: Placed, laid?: Map<number, Uint32Array>) {
    super(blocksOf(options, placed), laid);
    this.#placed = placed;
  }

  /** The order under other options, of which only the mask and what follows from it may differ. */
  again(options: OrderOptions, changes: Changes): PlacedOrder {
    const changed = new Uint8Array(this.#placed.counts.length);
    const now = placedAgain(options, this.#placed, changes, changed);
    return new PlacedOrder(options, now, this.laidBut(changed));
  }
}

function placed({ rank, band, mask, descending, grouping }: OrderOptions): Placed {
  const ordered = inOrder(rank, grouping && band, descending);
  const { rows, bandAt } = ordered;
  const counts = new Uint32Array(Math.ceil(rows.length / BLOCK));
  const at = new Uint32Array(grouping?.bands.start.length ?? 0).fill(NOWHERE);
  for (let i = 0; i < rows.length; i++) {
    if (!mask[rows[i]]) continue;
    const b = grouping ? bandAt[i] : 0;
    if (b === 0) counts[i >>> BLOCK_BITS]++;
    else if (at[b] === NOWHERE) {
      at[b] = i;
      counts[i >>> BLOCK_BITS] += drawnOf(grouping!.bands, b, grouping!.drawn);
    }
  }
  return { ordered, counts, at };
}

function placedAgain(
  { mask, grouping }: OrderOptions,
  before: Placed,
  changes: Changes,
  changed: Uint8Array,
): Placed {
  const { ordered } = before;
  const places = placesOf(ordered);
  const counts = before.counts.slice();
  const home = homeOf(ordered);
  const count = (lists: readonly Uint32Array[], by: 1 | -1) => {
    for (const rows of lists) {
      for (let i = 0; i < rows.length; i++) {
        const block = home[rows[i]];
        if (block === BANDED) continue;
        counts[block] += by;
        changed[block] = 1;
      }
    }
  };
  count(changes.on, 1);
  count(changes.off, -1);
  if (!grouping || changes.bands.length === 0) return { ordered, counts, at: before.at };
  const at = before.at.slice();
  const { bands, drawn } = grouping;
  const add = (i: number, count: number) => {
    const block = i >>> BLOCK_BITS;
    counts[block] += count;
    changed[block] = 1;
  };
  for (const b of changes.bands) {
    if (at[b] !== NOWHERE) add(at[b], -drawnOf(bands, b, changes.drawn));
    let first = NOWHERE;
    for (let m = bands.start[b]; m < bands.start[b + 1]; m++) {
      const row = bands.members[m];
      if (mask[row] && places[row] < first) first = places[row];
    }
    at[b] = first;
    if (first !== NOWHERE) add(first, drawnOf(bands, b, drawn));
  }
  return { ordered, counts, at };
}

const NOWHERE = 0xffffffff;

/** How many members of a band are drawn. */
function drawnOf({ start }: Bands, b: number, drawn: Uint8Array): number {
  let count = 0;
  for (let m = start[b]; m < start[b + 1]; m++) if (drawn[m]) count++;
  return count;
}

function blocksOf({ band, mask, grouping }: OrderOptions, { ordered, counts, at }: Placed): Blocks {
  const starts = new Uint32Array(counts.length + 1);
  for (let block = 0; block < counts.length; block++) {
    starts[block + 1] = starts[block] + counts[block];
  }
  const { rows, bandAt } = ordered;
  return {
    starts,
    blockOf(row) {
      const i = grouping && band[row] ? at[band[row]] : placesOf(ordered)[row];
      return i === NOWHERE || i === undefined ? -1 : i >>> BLOCK_BITS;
    },
    lay(block) {
      const laid = new Uint32Array(counts[block]);
      let to = 0;
      for (let i = block * BLOCK, end = i + BLOCK; i < end && to < laid.length; i++) {
        const b = grouping ? bandAt[i] : 0;
        if (b === 0) {
          if (mask[rows[i]]) laid[to++] = rows[i];
        } else if (at[b] === i) to = putBand(laid, to, grouping!.bands, b, grouping!.drawn);
      }
      return laid;
    },
  };
}

/** Write down what of a band is drawn; return the position after it. */
function putBand(
  order: Uint32Array,
  position: number,
  { start, members }: Bands,
  b: number,
  drawn: Uint8Array,
): number {
  let to = position;
  for (let m = start[b]; m < start[b + 1]; m++) if (drawn[m]) order[to++] = members[m];
  return to;
}

/** Rows, one after the other by rank, that are counted and laid out together. */
const BLOCK_BITS = 11;
const BLOCK = 2 ** BLOCK_BITS;

/** All rows in their order, with the band of each: read one after the other. */
interface Ordered {
  rows: Uint32Array;
  bandAt: Uint32Array;
  /** Which bands these are; null where they do not count. */
  band: Uint32Array | null;
  /** Where each row is; null until somebody asks. */
  places: Uint32Array | null;
  /** The block of each row that stands alone, in half of the memory; of others {@link BANDED}. */
  home: Uint16Array | null;
}

/** Orders that were asked for, upwards and downwards: a filter that is dragged goes by one. */
const ordered = new WeakMap<Uint32Array, [Ordered | null, Ordered | null]>();

/** All rows by rank, those without one last, equal ones by number. */
function inOrder(rank: Uint32Array, band: Uint32Array | null, descending: boolean): Ordered {
  const known = ordered.get(rank) ?? [null, null];
  ordered.set(rank, known);
  let found = known[+descending];
  if (found?.band !== band) {
    const rows = found?.rows ?? sortedBy(rank, descending);
    const bandAt = band ? of(band, rows) : NO_BANDS;
    found = { rows, bandAt, band, places: found?.places ?? null, home: null };
    known[+descending] = found;
  }
  return found;
}

const NO_BANDS = new Uint32Array(0);

/** The place of each row among all by rank. */
function placesOf(ordered: Ordered): Uint32Array {
  if (!ordered.places) {
    const { rows } = ordered;
    ordered.places = new Uint32Array(rows.length);
    for (let i = 0; i < rows.length; i++) ordered.places[rows[i]] = i;
  }
  return ordered.places;
}

const BANDED = 0xffff;

function homeOf(ordered: Ordered): Uint16Array {
  if (!ordered.home) {
    const { rows, band } = ordered;
    ordered.home = new Uint16Array(rows.length);
    for (let i = 0; i < rows.length; i++) {
      ordered.home[rows[i]] = band?.[rows[i]] ? BANDED : i >>> BLOCK_BITS;
    }
  }
  return ordered.home;
}

function of(values: Uint32Array, rows: Uint32Array): Uint32Array {
  const taken = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) taken[i] = values[rows[i]];
  return taken;
}

function sortedBy(rank: Uint32Array, descending: boolean): Uint32Array {
  const known = descending ? undefined : ascending.get(rank);
  if (known) return known;
  let highest = -1;
  for (const key of rank) if (key !== NULL_RANK && key > highest) highest = key;
  // Ranks are dense, so one counting sort places every row.
  const bucketOf = (key: number) =>
    key === NULL_RANK ? highest + 1 : descending ? highest - key : key;
  const next = new Uint32Array(highest + 3);
  for (const key of rank) next[bucketOf(key) + 1]++;
  for (let bucket = 1; bucket < next.length; bucket++) next[bucket] += next[bucket - 1];
  const rows = new Uint32Array(rank.length);
  for (let row = 0; row < rank.length; row++) rows[next[bucketOf(rank[row])]++] = row;
  return rows;
}

/**
 * What was shown, all of it and in its order, and rows that are visible now: each at the end of its
 * band, else at the end.
 */
export function withNewcomers(
  items: Uint32Array,
  visible: Uint8Array,
  band: Uint32Array,
): Uint32Array {
  const old = new Uint8Array(visible.length);
  for (const row of items) old[row] = 1;
  const newcomers = new Map<number, number[]>();
  let count = 0;
  for (let row = 0; row < visible.length; row++) {
    if (!visible[row] || old[row]) continue;
    count++;
    newcomers.set(band[row], [...(newcomers.get(band[row]) ?? []), row]);
  }
  if (count === 0) return items;
  const rows: number[] = [];
  items.forEach((row, position) => {
    rows.push(row);
    const b = band[row];
    if (b === 0 || band[items[position + 1]] === b) return;
    rows.push(...(newcomers.get(b) ?? []));
    newcomers.delete(b);
  });
  for (const left of newcomers.values()) rows.push(...left);
  return Uint32Array.from(rows);
}
