import type { Replies } from "../wire/protocol";
import { type Frame, inGroup } from "./frame";

/** Which rows were looked at together: equal numbers for those that were, 0 for the others. */
export type Seen = Uint32Array;

/** The numbers once some rows have others. */
export function seenAfter(seen: Seen, rows: Uint32Array, labels: Uint32Array): Seen {
  const next = seen.slice();
  for (let i = 0; i < rows.length; i++) next[rows[i]] = labels[i];
  return next;
}

export const seenOf = (reply: Replies["open_review"]): Seen =>
  seenAfter(new Uint32Array(reply.rows), reply.reviewed_rows, reply.reviewed);

/** Whether all of some rows were looked at together. */
export function wereSeen(seen: Seen, rows: ArrayLike<number>): boolean {
  const first = rows.length > 0 ? seen[rows[0]] : 0;
  for (let i = 0; i < rows.length; i++) if (seen[rows[i]] !== first) return false;
  return first > 0;
}

/** The bands that are groups, 1 where all of it was looked at together. */
export function reviewedBands(frame: Frame, seen: Seen): Uint8Array {
  const { start, members } = frame.bands;
  const done = new Uint8Array(frame.groupSize.length);
  for (let band = 1; band < done.length; band++) {
    let label = 0;
    let same = frame.groupSize[band] > 0;
    for (let m = start[band]; same && m < start[band + 1]; m++) {
      if (!inGroup(frame, members[m])) continue;
      const own = seen[members[m]];
      same = own > 0 && (label === 0 || own === label);
      label = own;
    }
    done[band] = +same;
  }
  return done;
}

/** Those rows of a band that are in its group. */
export function groupRows(frame: Frame, rows: Uint32Array): Uint32Array {
  for (let i = 0; i < rows.length; i++) {
    if (!inGroup(frame, rows[i])) return rows.filter((row) => inGroup(frame, row));
  }
  return rows;
}

/** The rows in groups that were reviewed (true), or not yet (false). */
export function reviewedMask(frame: Frame, done: Uint8Array, values: readonly unknown[]) {
  const yes = +values.includes(true);
  const no = +values.includes(false);
  const mask = new Uint8Array(frame.rows);
  for (let row = 0; row < frame.rows; row++) {
    if (inGroup(frame, row)) mask[row] = done[frame.band[row]] ? yes : no;
  }
  return mask;
}

/** The bands of the groups of some rows, in their order, each once. */
export function groupsIn(frame: Frame, rows: Iterable<number>): Uint32Array {
  const known = new Uint8Array(frame.groupSize.length);
  const found: number[] = [];
  for (const row of rows) {
    const band = frame.band[row];
    if (band === 0 || known[band] || !inGroup(frame, row)) continue;
    known[band] = 1;
    found.push(band);
  }
  return Uint32Array.from(found);
}
