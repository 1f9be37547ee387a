import { countIn, type Range } from "../data/range";
import { type Clause, type Clauses, sameClause } from "./filters";
import * as format from "./format";
import type { Frame } from "./frame";
import { write } from "./measure";

/** A count that sets the filter to what it counts. */
interface Shortcut {
  count: number;
  /** What is counted: "20", "exact duplicates". */
  unit: string;
  title: string;
  /** Null for the one that resets all filters. */
  set: { key: string; clause: Clause } | null;
}

/** An exact duplicate scores 0, and no other image does: the lowest other score is 1e-12. */
const EXACT: Range = [0, 0];
const NOT_EXACT = 1e-12;

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
    const boundary = write("number", near, 1);
    const close: Range = [NOT_EXACT, near];
    add(
      countIn(scores, EXACT),
      ["exact duplicate", "exact duplicates"],
      score,
      EXACT,
      `${score} 0: the same picture as another image, which is the keeper`,
    );
    add(
      countIn(scores, close),
      ["near-duplicate", "near-duplicates"],
      score,
      close,
      `${score} above 0, up to ${boundary}: within ${boundary} of another image, not the same`,
    );
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
