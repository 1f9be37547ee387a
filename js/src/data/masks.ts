// Loops, and not `map` and `reduce`, which take ten times as long of a million rows.

/** The mask of some rows, of so many. */
export function maskOf(some: Uint32Array, rows: number): Uint8Array {
  const mask = new Uint8Array(rows);
  for (let i = 0; i < some.length; i++) mask[some[i]] = 1;
  return mask;
}

/** How many rows a mask has, besides those of another. */
export function countOf(mask: Uint8Array, besides: Uint8Array | null = null): number {
  let count = 0;
  if (besides === null) for (let row = 0; row < mask.length; row++) count += mask[row];
  else for (let row = 0; row < mask.length; row++) count += mask[row] & ~besides[row];
  return count;
}

/** Above this part of rows that change, all is worked out from the beginning. */
const MOST = 1 / 4;

/** The rows that one mask shows and another does not, and the other way round; each in lists. */
export interface Turned {
  on: readonly Uint32Array[];
  off: readonly Uint32Array[];
}

/** Masks that were made from others, and where they differ from these. */
const made = new WeakMap<Uint8Array, { from: WeakRef<Uint8Array>; turned: Turned }>();

/** The mask that differs from another in these rows, and in no other. */
export function turn(from: Uint8Array, turned: Turned): Uint8Array {
  const mask = from.slice();
  for (const rows of turned.on) for (let i = 0; i < rows.length; i++) mask[rows[i]] = 1;
  for (const rows of turned.off) for (let i = 0; i < rows.length; i++) mask[rows[i]] = 0;
  made.set(mask, { from: new WeakRef(from), turned });
  return mask;
}

/** Where two masks differ; null where that is in many rows. */
export function turnedRows(mask: Uint8Array, from: Uint8Array): Turned | null {
  const known = made.get(mask);
  const turned = known?.from.deref() === from ? known.turned : compared(mask, from);
  return turned && isFew(turned, mask.length) ? turned : null;
}

export const lengthOf = (lists: readonly Uint32Array[]): number =>
  lists.reduce((sum, { length }) => sum + length, 0);

/** Whether to go on from there takes less than to begin anew. */
export const isFew = ({ on, off }: Turned, rows: number): boolean =>
  lengthOf(on) + lengthOf(off) <= Math.ceil(rows * MOST);

function compared(mask: Uint8Array, other: Uint8Array): Turned | null {
  const on: number[] = [];
  const off: number[] = [];
  const most = Math.ceil(mask.length * MOST);
  // Four at a time: most are alike.
  const words = mask.length >> 2;
  const now = new Uint32Array(mask.buffer, mask.byteOffset, words);
  const then = new Uint32Array(other.buffer, other.byteOffset, words);
  const between = (from: number, to: number) => {
    for (let row = from; row < to; row++) {
      if (mask[row] !== other[row]) (mask[row] ? on : off).push(row);
    }
  };
  for (let word = 0; word < words; word++) {
    if (now[word] === then[word]) continue;
    if (on.length + off.length > most) return null;
    between(4 * word, 4 * word + 4);
  }
  between(4 * words, mask.length);
  return { on: [Uint32Array.from(on)], off: [Uint32Array.from(off)] };
}

/** Masks, and the rows that all of them keep. */
export interface Combined {
  readonly masks: readonly Uint8Array[];
  readonly rows: Uint8Array;
}

/** The rows that all masks keep; one mask alone is given back as it is. */
export function allOf(
  masks: readonly Uint8Array[],
  rows: number,
  before: Combined | null = null,
): Uint8Array {
  if (masks.length === 1) return masks[0];
  const one = before && turnedOne(masks, before.masks);
  if (one) {
    const kept = before.rows;
    const isKept = (row: number) => masks.every((mask) => mask[row] === 1);
    const on = one.on.map((some) => some.filter(isKept));
    return turn(kept, { on, off: one.off.map((some) => some.filter((row) => kept[row] === 1)) });
  }
  const kept = masks.length === 0 ? new Uint8Array(rows).fill(1) : masks[0].slice();
  for (const mask of masks.slice(1)) for (let row = 0; row < rows; row++) kept[row] &= mask[row];
  return kept;
}

/** The rows in which one of some masks differs from what it was; null where others do too. */
function turnedOne(masks: readonly Uint8Array[], before: readonly Uint8Array[]): Turned | null {
  if (masks.length !== before.length) return null;
  const others = [...masks.keys()].filter((i) => masks[i] !== before[i]);
  if (others.length !== 1) return null;
  return turnedRows(masks[others[0]], before[others[0]]);
}
