import { NULL_RANK } from "../wire/protocol";
import { maskOf } from "./masks";

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

/** Orders that are known from ranking. */
const ascending = new WeakMap<Uint32Array, Uint32Array>();

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
export interface BandOrder {
  bands: Bands;
  /** Of each member of a band, not 0 where it stands beside those that the mask shows. */
  drawn: Uint8Array;
  /** The lowest row of each band that the mask shows. */
  first: Uint32Array;
}

interface OrderOptions {
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
  /** How many rows that makes. */
  length: number;
}

/** Rows that are laid out beyond what was asked for, for who asks for the next ones. */
const MORE = 1000;

/** Rows in their order, laid out as far as somebody looks. */
export class DisplayOrder {
  #rows: Uint32Array;
  /** How many are laid out. */
  #laid: number;
  #lay: (until: number) => number;

  /**
   * @param rows - They, or the room for them.
   * @param lay - Lays out at least so many, and returns how many these are; by default all are.
   */
  constructor(rows: Uint32Array, lay?: (until: number) => number) {
    this.#rows = rows;
    this.#laid = lay ? 0 : rows.length;
    this.#lay = lay ?? (() => rows.length);
  }

  get length(): number {
    return this.#rows.length;
  }

  /** All of them. */
  get rows(): Uint32Array {
    this.#upTo(this.length);
    return this.#rows;
  }

  /** The row at a position; undefined where there is none. */
  at(position: number): number | undefined {
    this.#upTo(position + 1);
    return this.#rows[position];
  }

  /** The rows between two positions, as far as there are any. */
  slice(from: number, to: number): Uint32Array {
    this.#upTo(to);
    return this.#rows.slice(Math.max(0, from), Math.max(0, to));
  }

  /** The position of a row; -1 where it is not shown. */
  indexOf(row: number): number {
    for (let from = 0; ; ) {
      const found = this.#rows.subarray(from, this.#laid).indexOf(row);
      if (found >= 0) return from + found;
      from = this.#laid;
      if (from === this.length) return -1;
      this.#upTo(2 * from + MORE);
    }
  }

  #upTo(count: number): void {
    if (Math.min(count, this.length) > this.#laid) {
      this.#laid = this.#lay(Math.min(count + MORE, this.length));
    }
  }
}

/**
 * The visible rows in display order.
 *
 * A unit is a single image or, when grouped, the visible members of a band. Its key is its rank,
 * a band's the lowest of its members' when ascending and the highest when descending; null ranks
 * count only where there is no other, and come last in both directions. Ties: lowest row number.
 */
export function displayOrder(options: OrderOptions): DisplayOrder {
  const order = new Uint32Array(options.length);
  const { grouping } = options;
  return new DisplayOrder(
    order,
    grouping ? layUnits(options, grouping, order) : layRows(options, order),
  );
}

function layRows({ rank, band, mask, descending }: OrderOptions, order: Uint32Array) {
  const { rows } = inOrder(rank, band, descending);
  let i = 0;
  let to = 0;
  return (until: number) => {
    for (; to < until && i < rows.length; i++) if (mask[rows[i]]) order[to++] = rows[i];
    return to;
  };
}

function layUnits(
  { rank, band, mask, descending }: OrderOptions,
  { bands, drawn, first }: BandOrder,
  order: Uint32Array,
) {
  const { rows, bandAt, tieEnds } = inOrder(rank, band, descending);
  const isPlaced = new Uint8Array(bands.start.length);
  let at = 0;
  let laid = 0;
  let tie = 0;
  /** Of the tie that is being laid out, and how many of them are. */
  let units: Uint32Array = new Uint32Array(0);
  let unit = 0;
  return (until: number) => {
    // Variables of its own are read faster than those that it shares.
    let i = at;
    let to = laid;
    while (to < until) {
      for (; unit < units.length && to < until; unit++) {
        const row = units[unit];
        if (band[row] === 0) order[to++] = row;
        else to = putBand(order, to, bands, band[row], drawn);
      }
      for (; i < rows.length && to < until; i++) {
        const row = rows[i];
        const b = bandAt[i];
        if (b >= TIED) break;
        if (b === 0) {
          if (mask[row]) order[to++] = row;
        } else if (!isPlaced[b] && mask[row]) {
          isPlaced[b] = 1;
          to = putBand(order, to, bands, b, drawn);
        }
      }
      if (i === rows.length) break;
      if (to >= until) continue;
      units = unitsOf(rows, bandAt, i, tieEnds[tie], mask, isPlaced, first);
      unit = 0;
      i = tieEnds[tie++];
    }
    at = i;
    laid = to;
    return to;
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

/** The units at one rank that are not placed yet, by the first visible row of each. */
function unitsOf(
  rows: Uint32Array,
  bandAt: Uint32Array,
  from: number,
  to: number,
  mask: Uint8Array,
  isPlaced: Uint8Array,
  first: Uint32Array,
): Uint32Array {
  const units = new Uint32Array(to - from);
  let count = 0;
  let inOrder = true;
  for (let i = from; i < to; i++) {
    const row = rows[i];
    const b = i === from ? bandAt[i] - TIED : bandAt[i];
    if (!mask[row] || (b !== 0 && isPlaced[b])) continue;
    if (b !== 0) isPlaced[b] = 1;
    const unit = b === 0 ? row : first[b];
    inOrder &&= count === 0 || units[count - 1] < unit;
    units[count++] = unit;
  }
  const found = units.subarray(0, count);
  return inOrder ? found : sorted(found, mask.length);
}

/** Sort rows, of which none is there twice, in their place. */
function sorted(some: Uint32Array, rows: number): Uint32Array {
  if (some.length < rows / 64) return some.sort();
  const has = maskOf(some, rows);
  let to = 0;
  for (let row = 0; row < rows; row++) if (has[row]) some[to++] = row;
  return some;
}

/** Added to the band at which rows of one rank begin, of which some are in a band. */
const TIED = 2 ** 31;

/** All rows in their order, with the band of each: read one after the other. */
interface Ordered {
  rows: Uint32Array;
  bandAt: Uint32Array;
  /** Where such rows of one rank end, in order; those of which none is in a band are in order. */
  tieEnds: Uint32Array;
  /** Which bands these are. */
  band: Uint32Array;
}

/** Orders that were asked for, upwards and downwards: a filter that is dragged goes by one. */
const ordered = new WeakMap<Uint32Array, [Ordered | null, Ordered | null]>();

/** All rows by rank, those without one last, equal ones by number. */
function inOrder(rank: Uint32Array, band: Uint32Array, descending: boolean): Ordered {
  const known = ordered.get(rank) ?? [null, null];
  ordered.set(rank, known);
  let found = known[+descending];
  if (found?.band !== band) {
    const rows = found?.rows ?? sortedBy(rank, descending);
    const bandAt = of(band, rows);
    found = { rows, bandAt, tieEnds: tiesOf(of(rank, rows), bandAt), band };
    known[+descending] = found;
  }
  return found;
}

function of(values: Uint32Array, rows: Uint32Array): Uint32Array {
  const taken = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) taken[i] = values[rows[i]];
  return taken;
}

/** Mark where ties with bands begin; return where each ends. */
function tiesOf(ranks: Uint32Array, bandAt: Uint32Array): Uint32Array {
  const ends: number[] = [];
  for (let i = 0; i < ranks.length; ) {
    const from = i;
    const rank = ranks[from];
    let banded = false;
    for (; i < ranks.length && ranks[i] === rank; i++) banded ||= bandAt[i] !== 0;
    if (!banded || i - from < 2) continue;
    bandAt[from] += TIED;
    ends.push(i);
  }
  return Uint32Array.from(ends);
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
