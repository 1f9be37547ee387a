import * as format from "../../data/format";
import type { ReviewInfo } from "../../wire/protocol";

/** What no rule and no boundary overrides. */
export function HandMade({ info }: { info: ReviewInfo }) {
  const parts: string[] = [];
  const add = (n: number, one: string) => {
    if (n > 0) parts.push(`${format.count(n)} ${n === 1 ? one : `${one}s`}`);
  };
  add(info.keepers, "keeper");
  add(info.not_duplicates, "not-duplicate");
  if (parts.length === 0) return null;
  return <p class="muted hand-made">Hand-made choices stay: {parts.join(", ")}.</p>;
}
