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

/** Masks that were made from others, and the rows in which they differ from these. */
const made = new WeakMap<Uint8Array, { from: WeakRef<Uint8Array>; rows: Uint32Array }>();

/** Make a mask of another by turning round those of some rows to which another value belongs. */
export function turned(
  from: Uint8Array,
  some: readonly Uint32Array[],
  valueAt: (row: number) => number,
): Uint8Array {
  const mask = from.slice();
  const changed = new Uint32Array(some.reduce((sum, { length }) => sum + length, 0));
  let count = 0;
  for (const rows of some) {
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i];
      const value = valueAt(row);
      if (mask[row] === value) continue;
      mask[row] = value;
      changed[count++] = row;
    }
  }
  made.set(mask, { from: new WeakRef(from), rows: changed.subarray(0, count) });
  return mask;
}

/** The rows in which two masks differ; null where these are many. */
export function turnedRows(mask: Uint8Array, from: Uint8Array): Uint32Array | null {
  const known = made.get(mask);
  const rows = known?.from.deref() === from ? known.rows : compared(mask, from);
  return rows && isFew(rows.length, mask.length) ? rows : null;
}

/** Whether what changes of so many rows takes less than to begin anew. */
export const isFew = (changed: number, rows: number): boolean => changed <= Math.ceil(rows * MOST);

function compared(mask: Uint8Array, other: Uint8Array): Uint32Array | null {
  const changed: number[] = [];
  const { length } = mask;
  // Four at a time: most are alike.
  const words = length >> 2;
  const now = new Uint32Array(mask.buffer, mask.byteOffset, words);
  const then = new Uint32Array(other.buffer, other.byteOffset, words);
  const between = (from: number, to: number) => {
    for (let row = from; row < to; row++) if (mask[row] !== other[row]) changed.push(row);
  };
  for (let word = 0; word < words; word++) {
    if (now[word] === then[word]) continue;
    if (!isFew(changed.length, length)) return null;
    between(4 * word, 4 * word + 4);
  }
  between(4 * words, length);
  return Uint32Array.from(changed);
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
  const changed = before && turnedOne(masks, before.masks);
  if (changed) {
    return turned(before.rows, [changed], (row) => {
      let kept = 1;
      for (const mask of masks) kept &= mask[row];
      return kept;
    });
  }
  const kept = masks.length === 0 ? new Uint8Array(rows).fill(1) : masks[0].slice();
  for (const mask of masks.slice(1)) for (let row = 0; row < rows; row++) kept[row] &= mask[row];
  return kept;
}

/** The rows in which one of some masks differs from what it was; null where others do too. */
function turnedOne(
  masks: readonly Uint8Array[],
  before: readonly Uint8Array[],
): Uint32Array | null {
  if (masks.length !== before.length) return null;
  const others = [...masks.keys()].filter((i) => masks[i] !== before[i]);
  if (others.length !== 1) return null;
  return turnedRows(masks[others[0]], before[others[0]]);
}
