import type { Bitset } from "./bitset";
import * as format from "./format";
import { type Frame, readableRows } from "./frame";
import { type Counts, exactCopies, going } from "./overview";

/** How far the review is: what the first line says, and what it offers. */
export interface Headline {
  text: string;
  /** The collection that holds what stays; null until there is one. */
  done: string | null;
  /** How many images each of the two buttons is about; 0 hides it. */
  exact: number;
  near: number;
  /** How many of the groups of near-duplicates were looked at, of how many. */
  reviewed: readonly [done: number, of: number];
}

interface Reviewed {
  frame: Frame;
  /** Null without a plan. */
  counts: Counts | null;
  /** Why there is no plan. */
  off: string | null;
  collections: ReadonlyMap<string, Bitset>;
}

/** Say in one or two sentences what can go, or what was done. */
export function headlineOf({ frame, counts, off, collections }: Reviewed): Headline {
  const images = format.images(frame.rows);
  const reviewed = [counts?.nearReviewed ?? 0, counts?.nearGroups ?? 0] as const;
  const nothing = { done: null, exact: 0, near: 0, reviewed };
  if (off !== null || !counts) {
    return {
      ...nothing,
      text: off === null ? `${images}.` : `${images}. No plan: ${off.replace(/\.+$/, "")}.`,
    };
  }
  const { exact, near, unreadable } = counts;
  const broken =
    unreadable === 0
      ? ""
      : ` ${format.count(unreadable)} ${unreadable === 1 ? "file" : "files"} cannot be read.`;
  if (exact + near === 0) {
    return { ...nothing, text: `${images}, and no duplicate that can go.${broken}` };
  }
  const look = near === 0 ? "" : ` ${nearText(counts)}.`;
  const made = collections.size > 0;
  const all = made ? collectionWithout(frame, collections, going(frame)) : null;
  if (all !== null) {
    const text = `“${all.name}” holds the ${format.images(all.size)} that stay; ${format.images(exact + near)} can go.`;
    return { ...nothing, text, done: all.name };
  }
  const some =
    made && exact > 0 && near > 0
      ? collectionWithout(frame, collections, exactCopies(frame))
      : null;
  if (some !== null) {
    const text = `“${some.name}” holds ${format.images(some.size)}, without the ${copies(exact)}.${look}`;
    return { text, done: some.name, exact: 0, near, reviewed };
  }
  if (exact === 0) return { ...nothing, text: `${images}: ${nearText(counts)}.`, near };
  const where = format.groups(counts.exactGroups);
  const size = counts.exactBytes === null ? "" : ` (${format.roundBytes(counts.exactBytes)})`;
  return {
    text: `${images}: ${copies(exact)} in ${where} can go${size}.${look}`,
    done: null,
    exact,
    near,
    reviewed,
  };
}

const copies = (n: number) => `${format.count(n)} exact ${n === 1 ? "copy" : "copies"}`;

function nearText({ near, nearGroups, nearReviewed, exact }: Counts): string {
  const what = `${format.count(near)} ${near === 1 ? "near-duplicate" : "near-duplicates"}`;
  const where = exact === 0 ? ` in ${format.groups(nearGroups)}` : "";
  if (nearReviewed === nearGroups) return `${what}${where} can go, and you have looked at them`;
  return `${what}${where} ${near === 1 ? "wants" : "want"} a look`;
}

/** The collection of all readable images but those of some that go; null for none. */
function collectionWithout(
  frame: Frame,
  collections: ReadonlyMap<string, Bitset>,
  going: Iterable<number>,
): { name: string; size: number } | null {
  const stays = readableRows(frame);
  for (const row of going) stays.delete(row);
  const size = stays.count();
  for (const [name, members] of collections) {
    if (members.count() === size && members.difference(stays).count() === 0) return { name, size };
  }
  return null;
}
