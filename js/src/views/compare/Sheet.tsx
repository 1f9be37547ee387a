import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { FIT, IDENTITY, rectOf } from "../../data/zoom";
import type { Compare } from "../../state/compare";
import { Name } from "../ui/Name";
import { draw, toCanvas } from "./draw";
import { StatusBadge } from "./PaneHead";

/** Pictures that are shown larger than their thumbnails. */
const MOST = 24;
const SIDE = 640;

/** All members of a group at once. */
export function Sheet({ compare }: { compare: Compare }) {
  const members = compare.members.value;
  useEffect(() => {
    compare.want(members.slice(0, MOST).map((row) => ({ row, side: SIDE, box: null })));
  }, [members]);
  return (
    <ul class="sheet" aria-label="All images of this group">
      {members.map((row) => (
        <li key={row}>
          <Member compare={compare} row={row} />
        </li>
      ))}
    </ul>
  );
}

function Member({ compare, row }: { compare: Compare; row: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  compare.pictures.version.value;
  compare.state.tiles.version.value;
  const tile = compare.state.tiles.get(row);
  const whole = compare.pictures.get(row)?.whole?.bitmap ?? tile?.picture ?? null;
  useLayoutEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context || !whole || whole.width === 0) return;
    element.width = whole.width;
    element.height = whole.height;
    const size = { width: whole.width, height: whole.height };
    draw(context, { whole, part: null, size }, toCanvas(IDENTITY, rectOf(FIT, size, size), 1));
  }, [whole]);
  return (
    <button
      type="button"
      class="member"
      aria-pressed={compare.candidate.value === row}
      title={tile?.info.path}
      onClick={() => compare.choose(row)}
      onDblClick={() => {
        compare.choose(row);
        compare.setMode("side by side");
      }}
    >
      <canvas ref={canvas} />
      <span class="label">
        <StatusBadge compare={compare} row={row} />
        <Name name={tile?.info.name ?? ""} path={tile?.info.path ?? ""} />
      </span>
    </button>
  );
}
