import { valueName } from "./describe";
import { anyOf, type Clause, presenceOf, searcher, type Value } from "./filters";

/** How many values are listed at once. */
export const LISTED = 200;

/** The values that a clause chooses. */
export function chosenOf(clause: Clause | undefined, labels: readonly Value[]): readonly Value[] {
  const missing = presenceOf(clause);
  if (missing !== null) return labels.filter((label) => (label === null) === missing);
  return anyOf(clause) ?? [];
}

/** The clause that chooses these values; to choose none is no filter. */
export const clauseOf = (chosen: Iterable<Value>): Clause | null => {
  const any = [...new Set(chosen)];
  return any.length > 0 ? { any } : null;
};

export function toggled(chosen: readonly Value[], value: Value): Value[] {
  return chosen.includes(value) ? chosen.filter((one) => one !== value) : [...chosen, value];
}

/** Indices of the labels that hold a text. */
export function findLabels(labels: readonly Value[], text: string): number[] {
  const holds = searcher(text.trim());
  return labels.flatMap((label, i) => (holds(valueName(label)) ? [i] : []));
}
