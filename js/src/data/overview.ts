import { countIn, type Range } from "../data/range";
import { Keep } from "../wire/protocol";
import { type Clause, type Clauses, sameClause } from "./filters";
import * as format from "./format";
import type { Frame } from "./frame";
import { CONFIRMED, DUPLICATES } from "./scale";

/** What there is of images, each counted once: the first four add up to all of them. */
export interface Counts {
  /** Exact copies that can go. */
  exact: number;
  /** Near-duplicates that can go. */
  near: number;
  /** Images that stay. */
  kept: number;
  unreadable: number;
  /** Groups in which exact copies, or near-duplicates, can go. */
  exactGroups: number;
  nearGroups: number;
  /** Those of the latter that were reviewed. */
  nearReviewed: number;
  /** Bytes on disk of what can go; null where they are not known. */
  exactBytes: number | null;
  nearBytes: number | null;
}

const EXACT: Range = [0, DUPLICATES];
/** What the plan removes. */
const GOES = { any: ["remove"] };

/** `reviewed` has a 1 for each band that was. */
export function countsOf(frame: Frame, reviewed: Uint8Array | null = null): Counts {
  const { keep, scores, summary } = frame;
  const { start, members } = frame.bands;
  let exactGroups = 0;
  let nearGroups = 0;
  let nearReviewed = 0;
  for (let b = 1; b + 1 < start.length; b++) {
    let exact = 0;
    let near = 0;
    for (let m = start[b]; m < start[b + 1]; m++) {
      if (keep[members[m]] !== Keep.goes) continue;
      if (isExactScore(scores[members[m]])) exact = 1;
      else near = 1;
    }
    exactGroups += exact;
    nearGroups += near;
    if (near && reviewed?.[b]) nearReviewed++;
  }
  return {
    exact: summary.exact,
    near: summary.near,
    kept: summary.kept,
    unreadable: summary.unreadable,
    exactGroups,
    nearGroups,
    nearReviewed,
    exactBytes: summary.exact_bytes,
    nearBytes: summary.near_bytes,
  };
}

const isExactScore = (score: number) => score <= Math.fround(DUPLICATES);

/** The images that the plan removes. */
export function* going({ keep, rows }: Frame): Generator<number> {
  for (let row = 0; row < rows; row++) if (keep[row] === Keep.goes) yield row;
}

/** Those of them that are exact copies. */
export function* exactCopies(frame: Frame): Generator<number> {
  for (const row of going(frame)) if (isExactScore(frame.scores[row])) yield row;
}

type Counted =
  | "all"
  | "exact"
  | "near"
  | "similar"
  | "kept"
  | "unreadable"
  | "label_conflict"
  | "leakage"
  | "new"
  | "annotated";

/** A count that sets the filters to what it counts. */
interface Shortcut {
  of: Counted;
  count: number;
  /** What is counted: "20", "exact copies". */
  unit: string;
  title: string;
  /** Null for the one that resets all filters. */
  set: Clauses | null;
  /** Counted a second time: it does not add up with the others. */
  apart?: true;
}

/** The counts to show; without a plan, what the scores alone tell. */
export function shortcutsOf(frame: Frame, counts: Counts | null): Shortcut[] {
  const { columns, rows, score, scores, summary } = frame;
  const shortcuts: Shortcut[] = [
    {
      of: "all",
      count: rows,
      unit: rows === 1 ? "image" : "images",
      title: "All images: resets the filters",
      set: null,
    },
  ];
  const add = (
    of: Counted,
    count: number,
    [one, many]: readonly [string, string],
    set: Clauses,
    title: string,
    apart?: true,
  ) => shortcuts.push({ of, count, unit: count === 1 ? one : many, title, set, apart });
  if (score !== null) {
    const exact = counts?.exact ?? countIn(scores, EXACT);
    // The documented range holds exactly these, but in a part of a frame whose keepers are missing.
    const more: Clauses = countIn(scores, EXACT) === exact ? {} : { plan: GOES };
    const title = "Can go: the same picture as another image, which stays";
    add("exact", exact, ["exact copy", "exact copies"], { [score]: EXACT, ...more }, title);
    for (const { of, from, to, count, units, title } of nearShortcuts(frame, counts)) {
      const goes: Clauses = counts ? { plan: GOES } : {};
      const range: Clause = counts ? rangeOf(frame, [from, to], count) : [from, to];
      add(of, count, units, { [score]: range, ...goes }, title);
    }
  }
  const known = columns.some(({ name, facet }) => name === "error" && facet !== null);
  if (counts) {
    const set: Record<string, Clause> = { plan: { any: ["keep"] } };
    if (known) set.error = { null: true };
    add(
      "kept",
      counts.kept,
      ["kept", "kept"],
      set,
      "Images that stay, with no copy that stays too",
    );
  }
  const { unreadable, label_conflicts: conflicts, leakage, old, annotated } = summary;
  if (known) {
    const title = "Files that could not be read";
    add("unreadable", unreadable, ["unreadable", "unreadable"], { error: { null: false } }, title);
  }
  if (conflicts !== null) {
    const title = "Images in groups whose labels disagree";
    const units = ["label conflict", "label conflicts"] as const;
    add("label_conflict", conflicts, units, { label_conflict: true }, title, true);
  }
  if (leakage !== null) {
    const title = `Images in ${format.groups(leakage)} with members in several splits`;
    add("leakage", leakage, ["leakage", "leakage"], { leakage: true }, title, true);
  }
  if (old > 0) {
    const title = `New images, without the ${format.count(old)} that were there before`;
    add("new", rows - old, ["new", "new"], { role: { any: ["new"] } }, title, true);
  }
  if (annotated > 0) {
    const title = "Images on which objects are annotated";
    const set = { annotations: { null: false } };
    add("annotated", annotated, ["annotated", "annotated"], set, title, true);
  }
  return shortcuts;
}

interface NearShortcut {
  of: "near" | "similar";
  from: number;
  to: number;
  count: number;
  units: readonly [string, string];
  title: string;
}

/** Near-duplicates; and apart from them what is only similar, where others were confirmed. */
function nearShortcuts(frame: Frame, counts: Counts | null): NearShortcut[] {
  const { near, scores, summary } = frame;
  const { compared, unconfirmed } = summary;
  const units = ["near-duplicate", "near-duplicates"] as const;
  const end = compared === null ? near : Math.min(near, CONFIRMED);
  const found: NearShortcut[] = [
    {
      of: "near",
      from: DUPLICATES,
      to: end,
      count: counts
        ? counts.near - (compared === null ? 0 : unconfirmed)
        : countIn(scores, [DUPLICATES, end]),
      units,
      title:
        compared === null
          ? "Can go: near another image, which stays"
          : "Can go: copies of another image, confirmed by laying one picture over the other",
    },
  ];
  if (near > end) {
    found.push({
      of: "similar",
      from: end,
      to: near,
      count: counts ? unconfirmed : countIn(scores, [end, near]),
      units: ["similar (not confirmed)", "similar (not confirmed)"],
      title: "Can go: similar to another image by their vectors; nobody has confirmed them",
    });
  }
  return found;
}

/** A range that holds so many of the images that go; open where scores are a scale of their own. */
function rangeOf({ scores, keep }: Frame, range: Range, count: number): Clause {
  const [from, to] = range.map(Math.fround);
  let going = 0;
  for (let row = 0; row < scores.length; row++) {
    if (keep[row] === Keep.goes && scores[row] >= from && scores[row] <= to) going++;
  }
  return going === count ? range : [range[0], null];
}

/** Whether a shortcut's filters are set, and none of another one. */
export function isPressed({ set }: Shortcut, all: readonly Shortcut[], clauses: Clauses): boolean {
  if (set === null) return Object.keys(clauses).length === 0;
  return keysOf(all).every((key) => sameClause(clauses[key] ?? null, set[key] ?? null));
}

/** The clauses that a shortcut sets and takes away; others stay. Pressed again, it takes its own. */
export function changesOf(
  { set }: Shortcut,
  all: readonly Shortcut[],
  pressed = false,
): Record<string, Clause | null> {
  return Object.fromEntries(keysOf(all).map((key) => [key, (!pressed && set?.[key]) || null]));
}

/** The filters that are set beyond those of the shortcut that is pressed. */
export function furtherFilters(all: readonly Shortcut[], clauses: Clauses): string[] {
  const pressed = all.find((one) => one.set !== null && isPressed(one, all, clauses));
  return Object.keys(clauses).filter((key) => !pressed?.set || !(key in pressed.set));
}

/** Keys that shortcuts set; those of another frame's shortcuts may still be in force. */
const keysOf = (all: readonly Shortcut[]): string[] => [
  ...new Set([
    ...all.flatMap(({ set }) => Object.keys(set ?? {})),
    "plan",
    "group",
    "error",
    "label_conflict",
    "leakage",
  ]),
];
