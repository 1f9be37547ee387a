import { Keep, type Numbers, type Replies } from "../wire/protocol";
import type { Bitset } from "./bitset";
import type { Frame } from "./frame";
import { isFew, turn } from "./masks";
import { rowsByValue } from "./order";

/**
 * The filters, as in the trait `_filters`: one clause for each column or reserved name; all hold.
 * `clauses.py` is the other side, and both keep the same rows.
 */
export type Clauses = Readonly<Record<string, Clause>>;

/** Both ends included; null is an open end. */
type RangeClause = readonly [low: number | null, high: number | null];
export type Value = string | boolean | null;
export type CollectionsClause = {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
};

/**
 * Besides ranges: `{any: values}`, `{contains: text}`, `{null: whether rows without a value}`,
 * {@link CollectionsClause}, true, and what only Python understands.
 */
export type Clause = RangeClause | true | { readonly [field: string]: unknown };

export type ColumnData =
  | { facet: "number" | "date"; values: Numbers }
  /** `codes[row]` is an index of `labels`; null is the label of rows without a value. */
  | { facet: "category" | "boolean"; codes: Uint32Array; labels: (string | boolean | null)[] }
  | { facet: "text" };

/** Read what Python says of a column: what its facet says is there. */
export function columnData({ facet, values, codes, labels }: Replies["column"]): ColumnData {
  if ((facet === "number" || facet === "date") && values) return { facet, values };
  if ((facet === "category" || facet === "boolean") && codes && labels) {
    return { facet, codes, labels };
  }
  return { facet: "text" };
}

/** The key of images found by words, and the name of their order by nearness. */
export const WORDS = "words";

/** Keys that stand for no column. */
export const RESERVED: readonly string[] = [
  "collections",
  "plan",
  "reviewed",
  "label_conflict",
  "leakage",
  WORDS,
  "where",
];

const isObject = (clause: unknown): clause is { readonly [field: string]: unknown } =>
  typeof clause === "object" && clause !== null && !Array.isArray(clause);

const isEnd = (end: unknown) => end === null || Number.isFinite(end);

export const isRange = (clause: Clause | null | undefined): clause is RangeClause =>
  Array.isArray(clause) && clause.length === 2 && clause.every(isEnd);

export const anyOf = (clause: Clause | null | undefined): readonly Value[] | null =>
  isObject(clause) && Array.isArray(clause.any) ? clause.any : null;

export const textOf = (clause: Clause | null | undefined): string | null =>
  isObject(clause) && typeof clause.contains === "string" ? clause.contains : null;

/** Whether rows without a value are kept (true) or those with one (false). */
export const presenceOf = (clause: Clause | null | undefined): boolean | null =>
  isObject(clause) && typeof clause.null === "boolean" ? clause.null : null;

/** Read a trait that Python or a saved notebook may have filled with anything. */
export function readClauses(value: unknown): Clauses {
  if (!isObject(value)) return {};
  const clauses = Object.entries(value).filter(([, clause]) => clause !== null);
  return Object.fromEntries(clauses) as Clauses;
}

/** Set some clauses; null takes one away. Those that stay the same keep their identity. */
export function withClauses(
  clauses: Clauses,
  changes: Readonly<Record<string, Clause | null>>,
): Clauses {
  const next: Record<string, Clause> = { ...clauses };
  for (const [key, clause] of Object.entries(changes)) {
    if (clause === null) delete next[key];
    else next[key] = clause;
  }
  return next;
}

export const sameClause = (a: Clause | null | undefined, b: Clause | null | undefined): boolean =>
  a === b || JSON.stringify(a) === JSON.stringify(b);

/** What a clause is applied to. */
type Basis = "scores" | "collections" | "plan" | "reviewed" | "column" | "match";

export function basisOf(key: string, clause: Clause, frame: Frame): Basis {
  if (key === "collections" && isObject(clause)) return "collections";
  if ((key === "plan" || key === "reviewed") && anyOf(clause)) return key;
  if (RESERVED.includes(key)) return "match";
  const isScore = key === frame.score && frame.scores.length === frame.rows;
  if (isScore && (isRange(clause) || presenceOf(clause) !== null)) return "scores";
  const facet = frame.columns.find(({ name }) => name === key)?.facet ?? null;
  return facet !== null && fits(facet, clause) ? "column" : "match";
}

/** Whether a clause can be applied to data of this kind. */
export function fits(facet: ColumnData["facet"], clause: Clause): boolean {
  if (facet === "number" || facet === "date") return isRange(clause);
  if (facet === "text") return false;
  return anyOf(clause) !== null || textOf(clause) !== null;
}

/** The rows that another clause of the same column has left. */
export interface Left {
  readonly clause: Clause;
  readonly mask: Uint8Array;
}

/** The rows that a clause keeps by a column's data, which {@link fits}. */
export function columnMask(
  data: ColumnData,
  clause: Clause,
  before: Left | null = null,
): Uint8Array | null {
  if (!fits(data.facet, clause)) return null;
  if ("values" in data) return rangeMask(data.values, clause as RangeClause, before);
  if ("codes" in data) return codesMask(data.codes, data.labels.map(labelTest(clause)));
  return null;
}

function labelTest(clause: Clause): (label: Value) => boolean {
  const any = anyOf(clause);
  if (any) {
    const chosen = new Set(any);
    return (label) => chosen.has(label);
  }
  const holds = searcher(textOf(clause) ?? "");
  return (label) => label !== null && holds(String(label));
}

/** A test whether a text holds another; capitals and small letters are the same. */
export function searcher(text: string): (label: string) => boolean {
  const pattern = new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "iu");
  return (label) => pattern.test(label);
}

/**
 * Mark the values within the range; from what another range has left where that takes less. Bounds
 * are compared in the values' own type: as float32 the bound 0.1 is another number than as float64.
 */
export function rangeMask(
  values: Numbers,
  range: RangeClause,
  before: Left | null = null,
): Uint8Array {
  if (before && isRange(before.clause)) {
    const rows = rowsByValue(values);
    const [a, b] = placesOf(rows, values, before.clause);
    const [c, d] = placesOf(rows, values, range);
    const turned = {
      on: [rows.subarray(c, Math.min(a, d)), rows.subarray(Math.max(b, c), d)],
      off: [rows.subarray(a, Math.min(c, b)), rows.subarray(Math.max(d, a), b)],
    };
    if (isFew(turned, values.length)) return turn(before.mask, turned);
  }
  const [from, to] = boundsOf(values, range);
  const mask = new Uint8Array(values.length);
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    mask[row] = +(value >= from) & +(value <= to);
  }
  return mask;
}

function boundsOf(values: Numbers, [low, high]: RangeClause): readonly [number, number] {
  const own = values instanceof Float32Array ? Math.fround : (value: number) => value;
  return [
    low === null ? Number.NEGATIVE_INFINITY : own(low),
    high === null ? Number.POSITIVE_INFINITY : own(high),
  ];
}

/** Where, among rows by value, those of a range begin and end. */
function placesOf(rows: Uint32Array, values: Numbers, range: RangeClause): [number, number] {
  const [from, to] = boundsOf(values, range);
  const begin = firstOf(rows, (row) => !(values[row] < from));
  return [
    begin,
    Math.max(
      begin,
      firstOf(rows, (row) => !(values[row] <= to)),
    ),
  ];
}

/** Where the rows begin for which something holds that holds for all after them too. */
function firstOf(rows: Uint32Array, holds: (row: number) => boolean): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(rows[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Mark the rows without a number, or those with one. */
export function missingMask(values: Numbers, missing: boolean): Uint8Array {
  const mask = new Uint8Array(values.length);
  for (let row = 0; row < values.length; row++)
    mask[row] = +(Number.isNaN(values[row]) === missing);
  return mask;
}

function codesMask(codes: Uint32Array, keeps: readonly boolean[]): Uint8Array {
  const kept = Uint8Array.from(keeps, Number);
  const mask = new Uint8Array(codes.length);
  for (let row = 0; row < codes.length; row++) mask[row] = kept[codes[row]];
  return mask;
}

/** In one of the first, in none of the second; a collection that is gone has no members. */
export function collectionsMask(
  rows: number,
  members: ReadonlyMap<string, Bitset>,
  { include = [], exclude = [] }: CollectionsClause,
): Uint8Array {
  const mask = new Uint8Array(rows).fill(include.length > 0 ? 0 : 1);
  const mark = (names: readonly string[], value: number) => {
    for (const name of names) {
      members.get(name)?.forEach((row) => {
        mask[row] = value;
      });
    }
  };
  mark(include, 1);
  mark(exclude, 0);
  return mask;
}

/** What the plan does not remove it keeps, unreadable files among them. */
export function planMask(keep: Uint8Array, actions: readonly Value[]): Uint8Array {
  const kept = +actions.includes("keep");
  const removed = +actions.includes("remove");
  return keep.map((code) => (code === Keep.goes ? removed : kept));
}

/** The rows of a bitset, a byte each. */
export function unpack(bits: Uint8Array, rows: number): Uint8Array {
  const mask = new Uint8Array(rows);
  for (let row = 0; row < rows; row++) mask[row] = (bits[row >> 3] >> (row & 7)) & 1;
  return mask;
}

/** How many rows of `mask` have each label. */
export function labelCounts(codes: Uint32Array, labels: number, mask: Uint8Array): Uint32Array {
  const counts = new Uint32Array(labels);
  for (let row = 0; row < codes.length; row++) counts[codes[row]] += mask[row];
  return counts;
}
