import { countIn, type Range } from "../data/range";
import { Keep } from "../wire/protocol";
import { type Clause, type Clauses, sameClause } from "./filters";
import * as format from "./format";
import type { Frame } from "./frame";
import { DUPLICATES } from "./scale";

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
  /** Bytes on disk of what can go; null where they are not known. */
  exactBytes: number | null;
  nearBytes: number | null;
}

const EXACT: Range = [0, DUPLICATES];

export function countsOf(frame: Frame): Counts {
  const { band, rows, scores, summary } = frame;
  const exact = new Set<number>();
  const near = new Set<number>();
  let exactRows = 0;
  let nearRows = 0;
  for (const row of going(frame)) {
    const isExact = isExactScore(scores[row]);
    if (isExact) exactRows++;
    else nearRows++;
    (isExact ? exact : near).add(band[row]);
  }
  return {
    exact: exactRows,
    near: nearRows,
    kept: rows - exactRows - nearRows - summary.unreadable,
    unreadable: summary.unreadable,
    exactGroups: exact.size,
    nearGroups: near.size,
    exactBytes: null,
    nearBytes: null,
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

/** A count that sets the filters to what it counts. */
export interface Shortcut {
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
  const { columns, near, rows, score, scores, summary } = frame;
  const shortcuts: Shortcut[] = [
    {
      count: rows,
      unit: rows === 1 ? "image" : "images",
      title: "All images: resets the filters",
      set: null,
    },
  ];
  const add = (
    count: number,
    [one, many]: readonly [string, string],
    set: Record<string, Clause>,
    title: string,
    apart?: true,
  ) => shortcuts.push({ count, unit: count === 1 ? one : many, title, set, apart });
  if (score !== null) {
    const goes: Record<string, Clause> = counts ? { plan: { any: ["remove"] } } : {};
    const range: Range = [DUPLICATES, near];
    add(
      counts?.exact ?? countIn(scores, EXACT),
      ["exact copy", "exact copies"],
      { [score]: EXACT },
      "The same picture as another image, which stays",
    );
    add(
      counts?.near ?? countIn(scores, range),
      ["near-duplicate", "near-duplicates"],
      { [score]: range, ...goes },
      nearTitle(frame, counts !== null),
    );
  }
  const known = columns.some(({ name, facet }) => name === "error" && facet !== null);
  if (counts) {
    const set: Record<string, Clause> = { plan: { any: ["keep"] } };
    if (known) set.error = { null: true };
    add(counts.kept, ["kept", "kept"], set, "Images that stay, with no copy that stays too");
  }
  const { unreadable, label_conflicts: conflicts, leakage } = summary;
  if (known) {
    const title = "Files that could not be read";
    add(unreadable, ["unreadable", "unreadable"], { error: { null: false } }, title);
  }
  if (conflicts !== null) {
    const title = "Images in groups whose labels disagree";
    const units = ["label conflict", "label conflicts"] as const;
    add(conflicts, units, { label_conflict: true }, title, true);
  }
  if (leakage !== null) {
    const title = `Images in ${format.groups(leakage)} with members in several splits`;
    add(leakage, ["leakage", "leakage"], { leakage: true }, title, true);
  }
  return shortcuts;
}

function nearTitle({ summary }: Frame, goes: boolean): string {
  const what = goes ? "Near another image, which stays" : "Near another image, not the same";
  const { compared, unconfirmed } = summary;
  if (compared === null) return what;
  if (unconfirmed === 0) return `${what}; confirmed by laying one picture over the other`;
  return `${what}; of ${format.images(unconfirmed)} only the vectors say so, nobody has confirmed them`;
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
