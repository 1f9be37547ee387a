import type { SummaryInfo } from "../wire/protocol";
import { write } from "./measure";

/** Exact duplicates that can go score 0, and nothing else scores as low as this. */
export const DUPLICATES = 0.0001;

/** Up to this score, near-duplicates were confirmed by laying pictures over each other. */
export const CONFIRMED = 0.05;

/**
 * What nobody has confirmed at a near-duplicate boundary; null where that is nothing, and where
 * vectors alone decide.
 */
export function notConfirmed(
  near: number,
  { compared }: Pick<SummaryInfo, "compared">,
): string | null {
  if (compared === null || near <= CONFIRMED) return null;
  const limit = write("number", CONFIRMED, 1);
  return `Beyond ${limit} images are similar by their vectors; nobody has confirmed them.`;
}
