import { countIn, type Range } from "../data/range";
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
  set: { key: string; clause: Clause } | null;
}

const EXACT: Range = [0, DUPLICATES];

export function shortcutsOf({ rows, score, scores, near, summary }: Frame): Shortcut[] {
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
    key: string,
    clause: Clause,
    title: string,
  ) => shortcuts.push({ count, unit: count === 1 ? one : many, title, set: { key, clause } });
  if (score !== null) {
    add(
      countIn(scores, EXACT),
      ["exact duplicate", "exact duplicates"],
      score,
      EXACT,
      `${score} up to ${write("number", DUPLICATES, 1)}: the same picture as another image, which is the keeper`,
    );
    for (const { to, from, units, title } of nearShortcuts(near, summary.compared !== null)) {
      const range: Range = [from, to];
      const bounds = `above ${write("number", from, 0)}, up to ${write("number", to, 1)}`;
      add(countIn(scores, range), units, score, range, `${score} ${bounds}: ${title}`);
    }
  }
  const { groups, unreadable, label_conflicts: conflicts, leakage } = summary;
  const inGroups = "Images in groups of exact duplicates and near-duplicates";
  add(groups, ["group", "groups"], "group", { null: false }, inGroups);
  const broken = "Files that could not be read";
  add(unreadable, ["unreadable", "unreadable"], "error", { null: false }, broken);
  if (conflicts !== null) {
    const title = "Images in groups whose labels disagree";
    add(conflicts, ["label conflict", "label conflicts"], "label_conflict", true, title);
  }
  if (leakage !== null) {
    const title = `Images in ${format.groups(leakage)} with members in several splits`;
    add(leakage, ["leakage", "leakage"], "leakage", true, title);
  }
  return shortcuts;
}

interface NearShortcut {
  from: number;
  to: number;
  units: readonly [string, string];
  title: string;
}

/** Near-duplicates; and apart from them what is only similar, where others were confirmed. */
function nearShortcuts(near: number, compared: boolean): NearShortcut[] {
  if (!compared) {
    const units = ["near-duplicate", "near-duplicates"] as const;
    return [{ from: DUPLICATES, to: near, units, title: "near another image, not the same" }];
  }
  const shortcuts: NearShortcut[] = [
    {
      from: DUPLICATES,
      to: Math.min(near, CONFIRMED),
      units: ["near-duplicate (confirmed)", "near-duplicates (confirmed)"],
      title: "copies of another image, confirmed by laying one picture over the other",
    },
  ];
  if (near > CONFIRMED) {
    shortcuts.push({
      from: CONFIRMED,
      to: near,
      units: ["similar (not confirmed)", "similar (not confirmed)"],
      title: "similar to another image by their vectors; nobody has confirmed them",
    });
  }
  return shortcuts;
}

/** Whether a shortcut's filter is set, and none of another one. */
export function isPressed(shortcut: Shortcut, all: readonly Shortcut[], clauses: Clauses): boolean {
  const { set } = shortcut;
  if (set === null) return Object.keys(clauses).length === 0;
  return keysOf(all).every((key) =>
    key === set.key ? sameClause(clauses[key], set.clause) : clauses[key] === undefined,
  );
}

/** The clauses that a shortcut sets and takes away; others stay. */
export function changesOf(
  shortcut: Shortcut,
  all: readonly Shortcut[],
): Record<string, Clause | null> {
  const { set } = shortcut;
  return Object.fromEntries(
    keysOf(all).map((key) => [key, set !== null && key === set.key ? set.clause : null]),
  );
}

/** Keys that shortcuts set; those of another frame's shortcuts may still be in force. */
const keysOf = (all: readonly Shortcut[]): string[] => [
  ...new Set([
    ...all.flatMap(({ set }) => (set ? [set.key] : [])),
    "group",
    "error",
    "label_conflict",
    "leakage",
  ]),
];
