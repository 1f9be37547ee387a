import {
  type ColumnInfo,
  type Events,
  ImageKind,
  Keep,
  type Replies,
  type SummaryInfo,
} from "../wire/protocol";
import { Bitset } from "./bitset";
import { maskOf } from "./masks";
import { type Bands, bandsOf, bandsOfSizes, standingIn } from "./order";

/** What `open` brings: everything the browser needs to filter, sort and group by itself. */
export interface Frame {
  rows: number;
  columns: ColumnInfo[];
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
  summary: SummaryInfo;
  /** Counts the plans. */
  version: number;
  /** Counts the times that scores and facts were filled in, while a job goes on. */
  filled: number;
  scores: Float32Array;
  kind: Uint8Array;
  keep: Uint8Array;
  band: Uint32Array;
  place: Uint32Array;
  bands: Bands;
  /** Of each member of `bands`, what it is there: a sum of {@link Role}. */
  roles: Uint8Array;
  /** Number of images of each band's group, those that are near but in no group not counted. */
  groupSize: Uint32Array;
}

/** Read one after the other, where the columns would be read here and there. */
const Role = { inGroup: 1, keeper: 2, goes: 4, exact: 8 } as const;

type Opened = Replies["open_grid"] & Partial<Pick<Replies["open_review"], "mergeable">>;

export function frameOf(opened: Opened, filled = 0): Frame {
  const { selected: _, banded, band_sizes, ...reply } = opened;
  const kind = codesOf(reply.kind, reply.rows);
  const keep = codesOf(reply.keep, reply.rows);
  const bands = bandsOfSizes(banded, band_sizes);
  const stands = standingIn(bands, reply.rows);
  return withRoles({ mergeable: [], filled, ...reply, ...stands, bands, kind, keep });
}

/** The codes of four rows, which are a byte on the wire; there the highest is none. */
const FOURS = new Uint8Array(4 * 256);
for (let i = 0; i < FOURS.length; i++) {
  const code = ((i >> 2) >> (2 * (i & 3))) & 3;
  FOURS[i] = code === 3 ? ImageKind.none : code;
}

/** A code for each of so many rows. */
function codesOf(packed: Uint8Array, rows: number): Uint8Array {
  const fours = new Uint32Array(FOURS.buffer);
  const codes = new Uint32Array(packed.length);
  for (let i = 0; i < packed.length; i++) codes[i] = fours[packed[i]];
  return new Uint8Array(codes.buffer, 0, rows);
}

/** The same images under another plan; null when a plan between the two was missed. */
export function replanned(frame: Frame, plan: Events["plan"]): Frame | null {
  if (plan.version !== frame.version + 1) return null;
  const { near, summary, version } = plan;
  const band = merged(frame.band, plan.rows, plan.band);
  const place = merged(frame.place, plan.rows, plan.place);
  const kind = merged(frame.kind, plan.rows, plan.kind);
  const keep = merged(frame.keep, plan.rows, plan.keep);
  const scores = merged(frame.scores, plan.rows, plan.scores);
  const bands = bandsOf(band, place);
  const now = { scores, band, place, kind, keep, bands };
  return withRoles({ ...frame, ...now, near, summary, version });
}

/**
 * All values, of which those of some rows are new; without rows all are. The same array where
 * nothing changed, so that what follows from it need not be worked out again.
 */
function merged<T extends Uint8Array | Uint32Array | Float32Array>(
  old: T,
  rows: Uint32Array | null,
  now: T,
): T {
  if (!rows) return now;
  if (rows.every((row, i) => Object.is(old[row], now[i]))) return old;
  const values = old.slice() as T;
  for (let i = 0; i < rows.length; i++) values[rows[i]] = now[i];
  return values;
}

function withRoles(frame: Omit<Frame, "roles" | "groupSize">): Frame {
  const { keep, place, scores, bands } = frame;
  const { start, members } = bands;
  const roles = new Uint8Array(members.length);
  const groupSize = new Uint32Array(start.length - 1);
  for (let b = 1; b < groupSize.length; b++) {
    for (let m = start[b]; m < start[b + 1]; m++) {
      const row = members[m];
      if (keep[row] !== Keep.beside) {
        roles[m] = Role.inGroup;
        groupSize[b]++;
      }
      if (place[row] === 0 || keep[row] === Keep.stays) roles[m] |= Role.keeper;
      if (keep[row] === Keep.goes)
        roles[m] |= scores[row] === 0 ? Role.goes | Role.exact : Role.goes;
    }
  }
  return { ...frame, roles, groupSize };
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
  const known = readable.count() === rows - summary.unreadable - summary.waiting;
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

/** Those of some rows that stand in groups. */
export function groupedOf(frame: Frame, rows: Iterable<number>): number[] {
  const grouped = [];
  for (const row of rows) if (inGroup(frame, row)) grouped.push(row);
  return grouped;
}

/** What filters leave of the bands. */
export interface Banded {
  /** Of each member of a band: 1 where a mask shows it, 2 for a keeper that stands beside it. */
  drawn: Uint8Array;
  /** How many groups have a member that the mask shows. */
  groups: number;
  /** How many such keepers there are. */
  beside: number;
}

type Banding = Pick<Frame, "bands" | "roles">;

/** What a mask leaves of the bands, with hidden keepers of what it shows where these are wanted. */
export function bandedBy(frame: Banding, mask: Uint8Array, keepers: boolean): Banded {
  const { start, members } = frame.bands;
  const banded = {
    drawn: new Uint8Array(members.length),
    groups: 0,
    beside: 0,
  };
  for (let b = 1; b + 1 < start.length; b++) drawBand(frame, b, mask, keepers, banded);
  return banded;
}

/** The same as another mask left, which is unlike this one in some bands. */
export function bandedAgain(
  frame: Banding,
  before: Banded,
  bands: Uint32Array,
  mask: Uint8Array,
  keepers: boolean,
): Banded {
  const { drawn, groups, beside } = before;
  const banded = { drawn: drawn.slice(), groups, beside };
  for (const b of bands) {
    eraseBand(frame, b, banded);
    drawBand(frame, b, mask, keepers, banded);
  }
  return banded;
}

/** Write down what a mask leaves of a band of which nothing was counted. */
function drawBand(
  { bands, roles }: Banding,
  b: number,
  mask: Uint8Array,
  keepers: boolean,
  into: Banded,
): void {
  const { start, members } = bands;
  const { drawn } = into;
  const end = start[b + 1];
  let some = 0;
  let all = 1;
  let role = 0;
  for (let m = start[b]; m < end; m++) {
    const shown = mask[members[m]];
    drawn[m] = shown;
    some |= shown;
    all &= shown;
    if (shown) role |= roles[m];
  }
  into.groups += role & Role.inGroup;
  if (!keepers || !some || all) return;
  for (let m = start[b]; m < end; m++) {
    if (drawn[m] || !(roles[m] & Role.keeper)) continue;
    drawn[m] = 2;
    into.beside++;
  }
}

/** Count nothing of a band any more. */
function eraseBand({ bands: { start }, roles }: Banding, b: number, from: Banded): void {
  let role = 0;
  for (let m = start[b]; m < start[b + 1]; m++) {
    if (from.drawn[m] === 1) role |= roles[m];
    else if (from.drawn[m] === 2) from.beside--;
  }
  from.groups -= role & Role.inGroup;
}

/** The same where some rows stay on screen that the mask hides by now. */
export function withStanding({ rows, bands }: Frame, banded: Banded, items: Uint32Array): Banded {
  const stands = maskOf(items, rows);
  const drawn = banded.drawn.slice();
  for (let m = 0; m < drawn.length; m++) {
    if (drawn[m] === 0 && stands[bands.members[m]]) drawn[m] = 2;
  }
  return { ...banded, drawn };
}

/** The rows that a mask shows, and the keepers beside them. */
export function seenRows(
  { bands }: Frame,
  mask: Uint8Array,
  { drawn, beside }: Banded,
): Uint8Array {
  if (beside === 0) return mask;
  const rows = mask.slice();
  for (let m = 0; m < drawn.length; m++) if (drawn[m]) rows[bands.members[m]] = 1;
  return rows;
}

/** What goes when the plan is accepted: so many rows, of which some are not seen. */
export interface Accepted {
  count: number;
  hidden: number;
}

/**
 * What goes when the plan is accepted: what it removes of what is shown, and with near-duplicates
 * the exact copies of their groups, shown or not. `Session.accepted` agrees.
 */
export function accepted(frame: Banding, { drawn }: Banded, goes?: Uint8Array): Accepted {
  const sum = { count: 0, hidden: 0 };
  const bands = frame.bands.start.length - 1;
  for (let b = 1; b < bands; b++) acceptBand(frame, b, drawn, 1, sum, goes);
  return sum;
}

/** The same of other bands drawn, where it is known of those before. */
export function acceptedAgain(
  frame: Banding,
  known: Accepted,
  bands: Uint32Array,
  before: Uint8Array,
  now: Uint8Array,
): Accepted {
  const sum = { ...known };
  for (const b of bands) {
    acceptBand(frame, b, before, -1, sum);
    acceptBand(frame, b, now, 1, sum);
  }
  return sum;
}

/** Add what goes of a band, or take it away. */
function acceptBand(
  { bands: { start, members }, roles }: Banding,
  b: number,
  drawn: Uint8Array,
  sign: 1 | -1,
  sum: Accepted,
  goes?: Uint8Array,
): void {
  let withNear = false;
  let hasExact = false;
  for (let m = start[b]; m < start[b + 1]; m++) {
    if (!(roles[m] & Role.goes)) continue;
    if (drawn[m] === 1) {
      sum.count += sign;
      if (goes) goes[members[m]] = 1;
      withNear ||= !(roles[m] & Role.exact);
    } else if (roles[m] & Role.exact) hasExact = true;
  }
  if (!withNear || !hasExact) return;
  for (let m = start[b]; m < start[b + 1]; m++) {
    if (drawn[m] === 1 || (roles[m] & Role.exact) === 0) continue;
    sum.count += sign;
    if (drawn[m] === 0) sum.hidden += sign;
    if (goes) goes[members[m]] = 1;
  }
}

/** The members of a row's group. */
function groupOf(frame: Frame, row: number): number[] {
  const { band, bands } = frame;
  if (band[row] === 0) return [];
  const rows = bands.members.subarray(bands.start[band[row]], bands.start[band[row] + 1]);
  return groupedOf(frame, rows);
}

/**
 * Who would have to be kept so that some exact copies stay: they, and the keepers of their groups.
 * Copies go on being duplicates, whatever is said of them. Of a keeper of nothing but its copies,
 * all of these. None where a row is no such copy.
 */
export function keptBeside(frame: Frame, row: number): number[] | null {
  const { keep, scores } = frame;
  const group = groupOf(frame, row);
  if (group.length === 0) return null;
  if (keep[row] === Keep.stays) {
    const others = group.filter((member) => keep[member] === Keep.goes);
    const copies = others.length > 0 && others.every((member) => scores[member] === 0);
    return copies ? group : null;
  }
  if (scores[row] !== 0) return null;
  return group.filter((member) => member === row || keep[member] === Keep.stays);
}

/** The rows that a mask shows and that could be read; what it shows, where it shows no other. */
export function readableOf(frame: Frame, mask: Uint8Array): Uint8Array {
  const readable = readableRows(frame);
  const rows = mask.map((shown, row) => (shown && readable.has(row) ? 1 : 0));
  return rows.includes(1) ? rows : mask;
}

/** What `mask` shows, without the images that are suggested to stay. */
export function withoutKept({ keep }: Frame, mask: Uint8Array): Uint8Array {
  const goes = new Uint8Array(mask.length);
  for (let row = 0; row < mask.length; row++) goes[row] = +(keep[row] === Keep.goes) & mask[row];
  return goes;
}

/** The badge of a row: the keeper of a group is named as such, whatever its kind. */
export function badgeOf(frame: Frame, row: number): "keeper" | "exact" | "near" | null {
  if (isKeeper(frame, row)) return "keeper";
  // Of exact copies without a keeper among them, one goes for what it is to another picture.
  const goesAsNear = frame.keep[row] === Keep.goes && frame.scores[row] > 0;
  if (frame.kind[row] === ImageKind.exact) return goesAsNear ? "near" : "exact";
  return frame.kind[row] === ImageKind.near ? "near" : null;
}
