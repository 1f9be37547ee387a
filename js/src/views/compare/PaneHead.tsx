import * as format from "../../data/format";
import { actualSize, type Size } from "../../data/zoom";
import type { Compare } from "../../state/compare";
import { GoesIcon, NotDuplicateIcon, PinIcon } from "../ui/icons";
import { Name } from "../ui/Name";

interface PaneHeadProps {
  compare: Compare;
  row: number;
  /** The picture that lies over it; null for none. */
  over: number | null;
  place: Size;
}

/** What is seen in a pane: its name, and what becomes of it. */
export function PaneHead({ compare, row, over, place }: PaneHeadProps) {
  const mode = compare.mode.value;
  const flipped = over !== null && compare.flipped.value;
  const both = over !== null && !flipped && (mode === "split" || mode === "difference");
  const shown = flipped ? over : row;
  return (
    <figcaption class="pane-head">
      <Label compare={compare} row={shown} />
      {both && (
        <>
          <span class="muted">{mode === "split" ? "|" : "−"}</span>
          <Label compare={compare} row={over} />
        </>
      )}
      <span class="spring" />
      {!both && <Percent compare={compare} row={shown} place={place} />}
    </figcaption>
  );
}

function Label({ compare, row }: { compare: Compare; row: number }) {
  compare.state.tiles.version.value;
  const tile = compare.state.tiles.get(row);
  return (
    <span class="label">
      <StatusBadge compare={compare} row={row} />
      {tile && <Name name={tile.info.name} path={tile.info.path} />}
    </span>
  );
}

/** At which size a picture is shown: 100 % is one of its pixels for one of the screen. */
function Percent({ compare, row, place }: { compare: Compare; row: number; place: Size }) {
  const size = compare.sizeOf(row);
  if (!size || place.width === 0) return null;
  const actual = actualSize(size, place, globalThis.devicePixelRatio || 1);
  const percent = Math.round((compare.zoom.value.zoom / actual) * 100);
  return (
    <span class="muted n percent">
      {format.count(size.width)} × {format.count(size.height)} · {format.count(percent)} %
    </span>
  );
}

/** What becomes of an image, in a word and a sign. */
export function StatusBadge({ compare, row }: { compare: Compare; row: number }) {
  if (!compare.isGroup.value) return null;
  const { badge, goes, chosen, apart } = compare.statusOf(row);
  const [kind, word] = apart
    ? ["apart", "not a duplicate"]
    : goes
      ? ["goes", "goes"]
      : badge === "keeper"
        ? ["keeper", chosen ? "kept by you" : "keeper"]
        : ["stays", "stays"];
  return (
    <span class={`fate ${kind}`}>
      {apart ? <NotDuplicateIcon /> : goes ? <GoesIcon /> : chosen ? <PinIcon /> : null}
      {word}
    </span>
  );
}
