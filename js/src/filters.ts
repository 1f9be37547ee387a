import type { Frame } from "./frame";
import type { Range } from "./histogram";
import { scoreMask } from "./order";

/**
 * One clause a column, as in the trait `_filters`. A view that sets a column's clause leaves that
 * column out when it asks what to draw, so that it does not filter itself.
 */
export type Clauses = Readonly<Record<string, Range>>;

/** Read a trait that Python or a saved notebook may have filled with anything. */
export function readClauses(value: unknown): Clauses {
  const clauses: Record<string, Range> = {};
  if (typeof value !== "object" || value === null) return clauses;
  for (const [column, range] of Object.entries(value)) {
    if (Array.isArray(range) && range.length === 2 && range.every((end) => Number.isFinite(end))) {
      clauses[column] = [range[0], range[1]];
    }
  }
  return clauses;
}

export function withClause(clauses: Clauses, column: string, range: Range | null): Clauses {
  const { [column]: _, ...others } = clauses;
  return range ? { ...others, [column]: range } : others;
}

/** Mark the rows that all clauses keep, except that of `besides`. */
export function maskOf(frame: Frame, clauses: Clauses, besides?: string): Uint8Array {
  const { score } = frame;
  const range = score !== null && score !== besides ? (clauses[score] ?? null) : null;
  if (frame.scores.length === frame.rows) return scoreMask(frame.scores, range);
  return new Uint8Array(frame.rows).fill(1);
}
