import { NULL_RANK } from "../wire/protocol";
import { countOf } from "./masks";

/** Members of each band in display order, as offsets into one array (compressed rows). */
export interface Bands {
  /** `members[start[b]] … members[start[b + 1] - 1]` are the rows of band `b`; band 0 is empty. */
  start: Uint32Array;
  members: Uint32Array;
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
  for (let b = 1; b <= count; b++) {
    if (start[b + 1] - start[b] < 2) continue;
    const rows = members.subarray(start[b], start[b + 1]);
    rows.sort((a, z) => place[a] - place[z] || a - z);
  }
  return { start, members };
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

interface Sorted {
  rows: Uint32Array;
  keys: Uint32Array;
}

/** Keys in ascending order, and the rows that had them: a radix sort, 11 bits a round. */
function sortedKeys(keys: Uint32Array): Sorted {
  const n = keys.length;
  let from: Sorted = { rows: new Uint32Array(n), keys };
  let to: Sorted = { rows: new Uint32Array(n), keys: new Uint32Array(n) };
  for (let row = 0; row < n; row++) from.rows[row] = row;
  for (let shift = 0; shift < 32; shift += DIGIT) {
    const next = new Uint32Array(2 ** DIGIT + 1);
    const digitOf = (key: number) => (key >>> shift) & (2 ** DIGIT - 1);
    for (let i = 0; i < n; i++) next[digitOf(from.keys[i]) + 1]++;
    for (let digit = 1; digit < next.length; digit++) next[digit] += next[digit - 1];
    for (let i = 0; i < n; i++) {
      const place = next[digitOf(from.keys[i])]++;
      to.rows[place] = from.rows[i];
      to.keys[place] = from.keys[i];
    }
    [from, to] = [to, from];
  }
  return from;
}

/** Unsigned integers in the order of the floats; all NaN become the last. */
function sortableBits(values: Float32Array): Uint32Array {
  const bits = new Uint32Array(new Float32Array(values).buffer);
  for (let i = 0; i < bits.length; i++) {
    if (Number.isNaN(values[i])) bits[i] = NULL_RANK;
    // -0 equals 0. Otherwise negative numbers sort backwards by their bits.
    else if (values[i] === 0) bits[i] = 0x80000000;
    else bits[i] = bits[i] >>> 31 ? ~bits[i] : bits[i] | 0x80000000;
  }
  return bits;
}

/**
 * The visible rows in display order.
 *
 * A unit is a single image or, when grouped, the visible members of a band. Its key is its rank,
 * a band's the lowest of its members' when ascending and the highest when descending; null ranks
 * count only where there is no other, and come last in both directions. Ties: lowest row number.
 */
export function displayOrder(
  rank: Uint32Array,
  band: Uint32Array,
  place: Uint32Array,
  mask: Uint8Array,
  descending: boolean,
  grouped: boolean,
  bands: Bands = bandsOf(band, place),
): Uint32Array {
  const { rows, bandAt, tieEnd } = inOrder(rank, band, descending);
  const order = new Uint32Array(rows.length);
  const isPlaced = new Uint8Array(grouped ? bands.start.length : 0);
  let position = 0;
  for (let i = 0; i < rows.length; i++) {
    if (grouped && tieEnd[i] !== 0) {
      for (const unit of unitsOf(rows, bandAt, i, tieEnd[i], mask, isPlaced, bands)) {
        if (band[unit] === 0) order[position++] = unit;
        else position = putBand(order, position, bands, band[unit], mask);
      }
      i = tieEnd[i] - 1;
      continue;
    }
    const row = rows[i];
    if (!mask[row]) continue;
    const b = grouped ? bandAt[i] : 0;
    if (b === 0) order[position++] = row;
    else if (!isPlaced[b]) {
      isPlaced[b] = 1;
      position = putBand(order, position, bands, b, mask);
    }
  }
  return order.slice(0, position);
}

/** The units at one rank that are not placed yet, by the first visible row of each. */
function unitsOf(
  rows: Uint32Array,
  bandAt: Uint32Array,
  from: number,
  to: number,
  mask: Uint8Array,
  isPlaced: Uint8Array,
  bands: Bands,
): Uint32Array {
  const units = new Uint32Array(to - from);
  let count = 0;
  for (let i = from; i < to; i++) {
    const b = bandAt[i];
    if (!mask[rows[i]] || (b !== 0 && isPlaced[b])) continue;
    if (b !== 0) isPlaced[b] = 1;
    units[count++] = b === 0 ? rows[i] : firstOf(bands, b, mask);
  }
  return units.subarray(0, count).sort();
}

/** Write down the visible rows of a band; return the position after them. */
function putBand(
  order: Uint32Array,
  position: number,
  { start, members }: Bands,
  b: number,
  mask: Uint8Array,
): number {
  let to = position;
  for (let m = start[b]; m < start[b + 1]; m++) if (mask[members[m]]) order[to++] = members[m];
  return to;
}

/** The lowest of the visible rows of a band. */
function firstOf({ start, members }: Bands, b: number, mask: Uint8Array): number {
  let first = Number.POSITIVE_INFINITY;
  for (let m = start[b]; m < start[b + 1]; m++)
    if (mask[members[m]] && members[m] < first) first = members[m];
  return first;
}

/** All rows in their order, with the band of each: read one after the other. */
interface Ordered {
  rows: Uint32Array;
  bandAt: Uint32Array;
  /**
   * Where rows of one rank begin of which some are in a band: where they end. Else 0: rows of one
   * rank that are in none are in order already.
   */
  tieEnd: Uint32Array;
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
    found = { rows, bandAt, tieEnd: tiesOf(of(rank, rows), bandAt), band };
    known[+descending] = found;
  }
  return found;
}

function of(values: Uint32Array, rows: Uint32Array): Uint32Array {
  const taken = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) taken[i] = values[rows[i]];
  return taken;
}

function tiesOf(ranks: Uint32Array, bandAt: Uint32Array): Uint32Array {
  const tieEnd = new Uint32Array(ranks.length);
  for (let i = 0; i < ranks.length; ) {
    const from = i;
    let banded = false;
    for (; i < ranks.length && ranks[i] === ranks[from]; i++) banded ||= bandAt[i] !== 0;
    if (banded && i - from > 1) tieEnd[from] = i;
  }
  return tieEnd;
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
 * Put rows that the filter hides, such as keepers, beside the visible members of their bands.
 *
 * Such a row is a context tile: it is the one kind of row in the result that `mask` does not show.
 */
export function withHidden(
  order: Uint32Array,
  band: Uint32Array,
  mask: Uint8Array,
  hidden: Uint8Array,
  bands: Bands,
): Uint32Array {
  const more = countOf(hidden);
  if (more === 0) return order;
  const items = new Uint32Array(order.length + more);
  let to = 0;
  for (let position = 0; position < order.length; ) {
    const b = band[order[position]];
    if (b === 0) {
      items[to++] = order[position++];
      continue;
    }
    for (let m = bands.start[b]; m < bands.start[b + 1]; m++) {
      const row = bands.members[m];
      if (mask[row]) position++;
      if (mask[row] || hidden[row]) items[to++] = row;
    }
  }
  return items.subarray(0, to);
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
