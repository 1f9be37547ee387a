import { useEffect, useRef } from "preact/hooks";
import * as format from "../../data/format";
import type { Compare } from "../../state/compare";
import { Thumb } from "../ui/Thumb";
import { StatusBadge } from "./PaneHead";

/** The members of the group, in an order that no decision changes. */
export function Filmstrip({ compare }: { compare: Compare }) {
  const list = useRef<HTMLOListElement>(null);
  const { tiles } = compare.state;
  tiles.version.value;
  const base = compare.base.value;
  const candidate = compare.candidate.value;
  useEffect(() => {
    const strip = list.current;
    const item = strip?.querySelector<HTMLElement>('[aria-current="true"]')?.parentElement;
    if (!strip || !item) return;
    // As little as shows both neighbours; scrollIntoView would scroll the page too.
    const { offsetLeft, offsetWidth } = item;
    const least = offsetLeft + 2 * offsetWidth - strip.clientWidth;
    strip.scrollLeft = Math.min(Math.max(strip.scrollLeft, least), offsetLeft - offsetWidth);
  }, [candidate]);
  return (
    <ol ref={list} class="filmstrip" aria-label="Images of this group">
      {compare.members.value.map((row) => {
        const tile = tiles.get(row);
        const it = compare.besideOf(row);
        const name = tile?.info.name ?? "";
        const far = row === base ? "compared with" : farText(it?.score ?? null, it?.identical);
        return (
          <li key={row}>
            <button
              type="button"
              class={row === base ? "frame base" : "frame"}
              aria-current={row === candidate}
              aria-label={[name, far].filter(Boolean).join(", ")}
              title={[name, it?.words].filter(Boolean).join("\n")}
              onClick={() => compare.choose(row)}
            >
              <Thumb tile={tile} />
              <StatusBadge compare={compare} row={row} />
              <span class="far n">{far}</span>
            </button>
          </li>
        );
      })}
    </ol>
  );
}

function farText(score: number | null, identical = false): string {
  if (identical) return "same pixels";
  return score === null ? "" : format.score(score);
}
