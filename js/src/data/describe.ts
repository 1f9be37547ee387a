import type { ColumnInfo } from "../wire/protocol";
import {
  anyOf,
  type Clause,
  type CollectionsClause,
  isRange,
  presenceOf,
  textOf,
  type Value,
  WORDS,
} from "./filters";
import { measureOf, write } from "./measure";

/** A clause in words: "width", "100 … 500". */
interface Description {
  name: string;
  text: string;
}

/** Values that a chip lists before it counts the rest. */
const LISTED = 3;

/** What it means to have a value here, and to have none. */
const PRESENCE: Readonly<Record<string, readonly [string, string]>> = {
  error: ["unreadable", "readable"],
  group: ["in a group", "in no group"],
};

export function describe(key: string, clause: Clause, columns: readonly ColumnInfo[]): Description {
  if (key === "label_conflict") return { name: "label conflicts", text: "" };
  if (key === "leakage") return { name: "leakage", text: "" };
  if (key === "where" && clause !== true && "text" in clause) {
    return { name: "where", text: String(clause.text) };
  }
  const any = anyOf(clause);
  if (key === "plan" && any) return { name: "plan", text: list(any.map(actionName)) };
  if (key === "reviewed" && any)
    return { name: any.includes(true) ? "reviewed" : "not reviewed", text: "" };
  if (key === "collections" && clause !== true) return collections(clause as CollectionsClause);
  if (isRange(clause)) return { name: key, text: range(clause, columns.find(named(key))) };
  if (any) return { name: key, text: list(any.map(valueName)) };
  const text = textOf(clause);
  if (key === WORDS && text !== null) return { name: "shows", text: `“${text}”` };
  if (text !== null) return { name: key, text: `contains “${text}”` };
  const missing = presenceOf(clause);
  const word = missing === null ? undefined : PRESENCE[key]?.[missing ? 1 : 0];
  if (word !== undefined) return { name: word, text: "" };
  if (missing !== null) return { name: key, text: missing ? "no value" : "any value" };
  return { name: key, text: JSON.stringify(clause) };
}

const named =
  (key: string) =>
  ({ name }: ColumnInfo) =>
    name === key;

export function valueName(value: Value): string {
  if (value === null) return "no value";
  if (value === "") return "empty text";
  return typeof value === "boolean" ? (value ? "yes" : "no") : value;
}

const actionName = (action: Value): string =>
  action === "keep" ? "stays" : action === "remove" ? "goes" : valueName(action);

function list(names: readonly string[]): string {
  const rest = names.length - LISTED;
  if (rest <= 1) return names.join(", ");
  return `${names.slice(0, LISTED).join(", ")} and ${rest} more`;
}

function collections({ include = [], exclude = [] }: CollectionsClause): Description {
  if (exclude.length === 0) return { name: "in", text: list(include) };
  if (include.length === 0) return { name: "not in", text: list(exclude) };
  return { name: "in", text: `${list(include)}; not in ${list(exclude)}` };
}

function range([low, high]: readonly [number | null, number | null], column?: ColumnInfo): string {
  const measure = column ? measureOf(column) : "number";
  const from = low === null ? null : write(measure, low, 0);
  const to = high === null ? null : write(measure, high, 1);
  if (from === null) return to === null ? "any value" : `up to ${to}`;
  if (to === null) return `from ${from}`;
  return from === to ? from : `${from} … ${to}`;
}
