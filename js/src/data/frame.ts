import {
  type Column,
  type Events,
  ImageKind,
  Keep,
  type Replies,
  type Summary,
} from "../wire/protocol";
import { Bitset } from "./bitset";
import { type Bands, bandsOf } from "./order";

/** What `open` brings: everything the browser needs to filter, sort and group by itself. */
export interface Frame {
  rows: number;
  columns: Column[];
  /** Name of the score column; null when the frame has none. */
  score: string | null;
  /** Name of the column of paths. */
  path: string;
  /** The columns of labels and tags. */
  mergeable: readonly string[];
  /** The near-duplicate boundary, on the scale of the score. */
  near: number;
  /** Why similar items are off; null when they are on. */
  similar: string | null;
  /** Whether images may be found by words. */
  words: boolean;
  summary: Summary;
  /** Counts the plans. */
  version: number;
  scores: Float32Array;
  kind: Uint8Array;
  keep: Uint8Array;
  band: Uint32Array;
  place: Uint32Array;
  bands: Bands;
  /** Number of images of each band's group, those that are near but in no group not counted. */
  groupSize: Uint32Array;
}

type Opened = Replies["open_grid"] & Partial<Pick<Replies["open_review"], "mergeable">>;

export function frameOf({ selected: _, ...reply }: Opened): Frame {
  return withGroupSizes({
    mergeable: [],
    ...reply,
    bands: bandsOf(reply.band, reply.place),
    groupSize: new Uint32Array(0),
  });
}

/** The same images under another plan; null when a plan between the two was missed. */
export function replanned(frame: Frame, plan: Events["plan"]): Frame | null {
  if (plan.version !== frame.version + 1) return null;
  const { near, summary, version } = plan;
  const band = merged(frame.band, plan.rows, plan.band);
  const place = merged(frame.place, plan.rows, plan.place);
  const kind = merged(frame.kind, plan.rows, plan.kind);
  const keep = merged(frame.keep, plan.rows, plan.keep);
  const bands = bandsOf(band, place);
  return withGroupSizes({ ...frame, band, place, kind, keep, near, summary, version, bands });
}

/** All values, of which those of some rows are new; without rows all are. */
function merged<T extends Uint8Array | Uint32Array>(old: T, rows: Uint32Array | null, now: T): T {
  if (!rows) return now;
  const values = old.slice() as T;
  for (let i = 0; i < rows.length; i++) values[rows[i]] = now[i];
  return values;
}

function withGroupSizes(frame: Frame): Frame {
  const groupSize = new Uint32Array(frame.bands.start.length - 1);
  for (let row = 0; row < frame.rows; row++) {
    if (inGroup(frame, row)) groupSize[frame.band[row]]++;
  }
  return { ...frame, groupSize };
}

export function hasGroups({ groupSize }: Frame): boolean {
  return groupSize.length > 1;
}

/** Of one group several may be chosen to stay by hand. */
function isKeeper({ band, place, keep }: Frame, row: number): boolean {
  return band[row] !== 0 && (place[row] === 0 || keep[row] === Keep.stays);
}

/** A band also shows images that are near a member but in no group: they stay. */
export function inGroup(frame: Frame, row: number): boolean {
  return frame.band[row] !== 0 && frame.keep[row] !== Keep.beside;
}

/** The rows that could be read; all of them in a frame without that information. */
export function readableRows({ rows, kind, summary }: Frame): Bitset {
  const readable = new Bitset(rows);
  for (let row = 0; row < rows; row++) if (kind[row] !== ImageKind.none) readable.add(row);
  const known = readable.count() === rows - summary.unreadable;
  return known ? readable : new Bitset(rows, new Uint8Array((rows + 7) >> 3).fill(255));
}

/** How many images the plan removes, of those that `mask` shows. */
export function planned({ keep }: Frame, mask?: Uint8Array): number {
  let count = 0;
  for (let row = 0; row < keep.length; row++) {
    if (keep[row] === Keep.goes && (!mask || mask[row])) count++;
  }
  return count;
}

/** Whether one of some rows stands in a group. */
export function hasGrouped(frame: Frame, rows: Iterable<number>): boolean {
  for (const row of rows) if (inGroup(frame, row)) return true;
  return false;
}

/** Those of some rows that stand in groups. */
export function groupedOf(frame: Frame, rows: Iterable<number>): number[] {
  const grouped = [];
  for (const row of rows) if (inGroup(frame, row)) grouped.push(row);
  return grouped;
}

/** How many images stay. */
export function countStaying({ keep }: Frame): number {
  let count = 0;
  for (const code of keep) if (code === Keep.stays || code === Keep.beside) count++;
  return count;
}

/** What `mask` shows, without the images that are suggested to stay. */
export function withoutKept({ keep }: Frame, mask: Uint8Array): Uint8Array {
  return mask.map((shown, row) => (shown && keep[row] === Keep.goes ? 1 : 0));
}

/** How many groups have at least one member that `mask` shows. */
export function countGroups(frame: Frame, mask: Uint8Array): number {
  const seen = new Uint8Array(frame.groupSize.length);
  let count = 0;
  for (let row = 0; row < frame.rows; row++) {
    const band = frame.band[row];
    if (band === 0 || !mask[row] || seen[band] || !inGroup(frame, row)) continue;
    seen[band] = 1;
    count++;
  }
  return count;
}

/** The badge of a row: the keeper of a group is named as such, whatever its kind. */
export function badgeOf(frame: Frame, row: number): "keeper" | "exact" | "near" | null {
  if (isKeeper(frame, row)) return "keeper";
  if (frame.kind[row] === ImageKind.exact) return "exact";
  return frame.kind[row] === ImageKind.near ? "near" : null;
}
