import { RESERVED, searcher } from "./filters";
import type { Frame } from "./frame";

/** What one can filter by. */
export interface Field {
  key: string;
  name: string;
  /** What it holds, in a word. */
  type: string;
}

interface FieldOptions {
  /** The score is left to its own histogram, where there is one. */
  scoreShown: boolean;
  planned: boolean;
}

/** Everything to filter by. */
export function fieldsOf(
  { columns, score }: Frame,
  { scoreShown, planned }: FieldOptions,
): Field[] {
  const fields: Field[] = [{ key: "collections", name: "Collections", type: "in or not in" }];
  if (planned) fields.push({ key: "plan", name: "Plan", type: "stays or goes" });
  // It is remembered by the pictures' fingerprints.
  if (planned && columns.some(({ name }) => name === "fingerprint"))
    fields.push({ key: "reviewed", name: "Reviewed", type: "yes or no" });
  for (const { name, type, facet } of columns) {
    if (facet === null || RESERVED.includes(name) || (scoreShown && name === score)) continue;
    // "Enum(categories=[…])" and the like are too long to list.
    fields.push({ key: name, name, type: type.replace(/\(.*$/s, "") });
  }
  return fields;
}

/** Whether there is an editor for a clause; the others can only be removed. */
export const canEdit = (key: string): boolean =>
  !RESERVED.includes(key) || ["collections", "plan", "reviewed"].includes(key);

export function searchFields(fields: readonly Field[], text: string): Field[] {
  const holds = searcher(text.trim());
  return fields.filter(({ name }) => holds(name));
}
