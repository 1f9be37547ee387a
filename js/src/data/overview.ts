import { countIn, type Range } from "../data/range";
import { Keep } from "../wire/protocol";
import { type Clause, type Clauses, sameClause } from "./filters";
import * as format from "./format";
import type { Frame } from "./frame";
import { write } from "./measure";
import { CONFIRMED, DUPLICATES } from "./scale";

/** A count that sets the filter to what it counts. */
interface Shortcut {
  count: number;
  /** What is counted: "20", "exact duplicates". */
  unit: string;
  title: string;
  /** Null for the one that resets all filters. */
  set: Clauses | null;
}

const EXACT: Range = [0, DUPLICATES];

/** What the plan removes. */
const GOES = { any: ["remove"] };

export function shortcutsOf(frame: Frame): Shortcut[] {
  const { rows, score, scores, summary } = frame;
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
    set: Clauses,
    title: string,
  ) => shortcuts.push({ count, unit: count === 1 ? one : many, title, set });
  if (score !== null) {
    const { exact } = summary;
    // The documented range holds exactly these, but in a part of a frame whose keepers are missing.
    const more: Clauses = countIn(scores, EXACT) === exact ? {} : { plan: GOES };
    add(
      exact,
      ["exact duplicate", "exact duplicates"],
      { [score]: EXACT, ...more },
      `Can go: the same picture as another image, which stays (${score} up to ${write("number", DUPLICATES, 1)})`,
    );
    for (const { to, from, count, units, title } of nearShortcuts(frame)) {
      const bounds = `above ${write("number", from, 0)}, up to ${write("number", to, 1)}`;
      const set = { [score]: rangeOf(frame, [from, to], count), plan: GOES };
      add(count, units, set, `Can go: ${title} (${score} ${bounds})`);
    }
  }
  const { groups, unreadable, label_conflicts: conflicts, leakage } = summary;
  const inGroups = "Images in groups of exact duplicates and near-duplicates";
  add(groups, ["group", "groups"], { group: { null: false } }, inGroups);
  const broken = "Files that could not be read";
  add(unreadable, ["unreadable", "unreadable"], { error: { null: false } }, broken);
  if (conflicts !== null) {
    const title = "Images in groups whose labels disagree";
    add(conflicts, ["label conflict", "label conflicts"], { label_conflict: true }, title);
  }
  if (leakage !== null) {
    const title = `Images in ${format.groups(leakage)} with members in several splits`;
    add(leakage, ["leakage", "leakage"], { leakage: true }, title);
  }
  return shortcuts;
}

interface NearShortcut {
  from: number;
  to: number;
  count: number;
  units: readonly [string, string];
  title: string;
}

/** Near-duplicates; and apart from them what is only similar, where others were confirmed. */
function nearShortcuts({ near, summary }: Frame): NearShortcut[] {
  const { compared, unconfirmed } = summary;
  const count = summary.near - unconfirmed;
  if (compared === null) {
    const units = ["near-duplicate", "near-duplicates"] as const;
    return [{ from: DUPLICATES, to: near, count, units, title: "near another image, which stays" }];
  }
  const shortcuts: NearShortcut[] = [
    {
      from: DUPLICATES,
      to: Math.min(near, CONFIRMED),
      count,
      units: ["near-duplicate (confirmed)", "near-duplicates (confirmed)"],
      title: "copies of another image, confirmed by laying one picture over the other",
    },
  ];
  if (near > CONFIRMED) {
    shortcuts.push({
      from: CONFIRMED,
      to: near,
      count: unconfirmed,
      units: ["similar (not confirmed)", "similar (not confirmed)"],
      title: "similar to another image by their vectors; nobody has confirmed them",
    });
  }
  return shortcuts;
}

/** A range that holds so many of the images that go; open where scores are a scale of their own. */
function rangeOf({ scores, keep }: Frame, range: Range, count: number): Clause {
  const going = scores.filter((_, row) => keep[row] === Keep.goes);
  return countIn(going, range) === count ? range : [range[0], null];
}

/** Whether a shortcut's filter is set, and none of another one. */
export function isPressed(shortcut: Shortcut, all: readonly Shortcut[], clauses: Clauses): boolean {
  const { set } = shortcut;
  if (set === null) return Object.keys(clauses).length === 0;
  return keysOf(all).every((key) => sameClause(clauses[key] ?? null, set[key] ?? null));
}

/** The clauses that a shortcut sets and takes away; others stay. */
export function changesOf(
  shortcut: Shortcut,
  all: readonly Shortcut[],
): Record<string, Clause | null> {
  const { set } = shortcut;
  return Object.fromEntries(keysOf(all).map((key) => [key, set?.[key] ?? null]));
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
