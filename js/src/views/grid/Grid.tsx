import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Bitset } from "../../data/bitset";
import { type Fact, factOf } from "../../data/facts";
import * as format from "../../data/format";
import { badgeOf, type Frame, inGroup } from "../../data/frame";
import { modifiers } from "../../data/keys";
import type { Shown } from "../../state/grid";
import type { GridView, Rect } from "../../state/grid-view";
import { Keep, type TileInfo } from "../../wire/protocol";
import { GridTile } from "./GridTile";

/** Pixels that the pointer moves before a press becomes a rubber band. */
const THRESHOLD = 6;
/** Distance from an edge, in pixels, at which a rubber band scrolls the grid. */
const EDGE = 8;
/** Size, in pixels, below which a tile is small. */
const SMALL = 140;

function target(event: Event): { row: number | null; action: string | null } {
  const element = event.target as Element;
  const cell = element.closest<HTMLElement>("[data-row]");
  const onTile = element.closest(".tile");
  return {
    row: cell && onTile ? Number(cell.dataset.row) : null,
    action: element.closest<HTMLElement>("[data-action]")?.dataset.action ?? null,
  };
}

export function Grid({ view }: { view: GridView }) {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const { state } = view;

  useLayoutEffect(() => {
    const element = scroller.current!;
    view.attach((height, scrollTop) => {
      content.current!.style.height = `${height}px`;
      if (element.scrollTop !== scrollTop) element.scrollTop = scrollTop;
    });
    const observer = new ResizeObserver(() => view.resize({ width: element.clientWidth }));
    observer.observe(element);
    view.resize({ width: element.clientWidth });
    return () => {
      observer.disconnect();
      view.attach(null);
    };
  }, [view]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.altKey || !view.key(event.key, modifiers(event))) return;
    event.preventDefault();
    event.stopPropagation();
  };

  const active = view.active.value;
  const rowCount = view.rowCount.value;
  return (
    <div
      ref={scroller}
      class={classOf(view)}
      role="grid"
      tabIndex={0}
      aria-label="Images"
      aria-multiselectable="true"
      aria-rowcount={rowCount}
      aria-colcount={view.cells.value.columns}
      aria-activedescendant={active === null ? undefined : `cell-${active}`}
      style={{ height: `${state.height.value}px` }}
      onScroll={(event) => view.scrolled(event.currentTarget.scrollTop)}
      onKeyDown={onKeyDown}
      onFocus={(event) => {
        if (event.target === event.currentTarget) view.focused();
      }}
      {...usePointer(view, scroller)}
    >
      <div ref={content} class="content" role="presentation">
        <Lines view={view} />
        <RubberBand view={view} />
      </div>
    </div>
  );
}

function classOf({ banded, related }: GridView): string {
  const classes = ["grid"];
  if (!banded.value) classes.push("ungrouped");
  if (related.value) classes.push("related");
  return classes.join(" ");
}

/** The lines of tiles on screen. */
function Lines({ view }: { view: GridView }) {
  const { frame, shown } = view.drawn.value;
  if (!frame || !shown) return null;
  const lines = [];
  // Elements that scroll out of sight show what comes into it: making others takes longer.
  const room = view.lineRoom.value;
  for (let line = view.firstRow.value; line < view.endRow.value; line++) {
    lines.push(<Line key={line % room} line={line} view={view} frame={frame} shown={shown} />);
  }
  return <>{lines}</>;
}

interface LineProps {
  line: number;
  view: GridView;
  frame: Frame;
  shown: Shown;
}

function Line({ line, view, frame, shown }: LineProps) {
  const { state } = view;
  const { columns, width, height } = view.cells.value;
  const { items } = shown;
  const { grouped, column } = state.sort.value;
  const sortKey = column || (frame.score ?? "");
  const small = view.size.value < SMALL;
  // Reading the counters subscribes this line to the changes.
  state.tiles.version.value;
  state.selection.version.value;
  const cells = [];
  const from = line * columns;
  for (let position = from; position < Math.min(from + columns, items.length); position++) {
    const row = items.at(position)!;
    const tile = state.tiles.get(row);
    const info = tile?.info;
    const facts = info ? state.facts.value.map((key) => factOf(key, info, frame.columns)) : [];
    const sorted = sortedBy(sortKey, row, frame, info);
    // A small tile has no room for it beside the name.
    if (small) facts.unshift(sorted);
    cells.push(
      <GridTile
        key={position - from}
        id={`cell-${row}`}
        row={row}
        column={position - from}
        tile={tile}
        facts={facts.filter((fact) => fact !== null)}
        sorted={small ? null : sorted}
        badge={badgeOf(frame, row)}
        goes={frame.keep[row] === Keep.goes}
        grouped={inGroup(frame, row)}
        decides={state.review.on.value}
        tags={state.catalogue.tagsOf(row)}
        context={!shown.mask[row]}
        picked={state.selection.has(row)}
        focused={view.focus.value === row}
        flashed={view.flash.value === row}
        band={grouped && frame.band[row] ? bandAt(frame, shown, position, small) : null}
      />,
    );
  }
  const style = {
    transform: `translateY(${line * height + view.origin.value}px)`,
    height: `${height}px`,
    gridTemplateColumns: `repeat(${columns}, ${width}px)`,
  };
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the grid holds the focus (aria-activedescendant)
    <div class="cells" role="row" aria-rowindex={line + 1} style={style}>
      {cells}
    </div>
  );
}

/** What a tile is sorted by; null for what it shows anyway, and where there is nothing. */
function sortedBy(key: string, row: number, frame: Frame, info: TileInfo | undefined): Fact | null {
  if (key === frame.path) return null;
  if (key !== frame.score) return info ? factOf(key, info, frame.columns) : null;
  const text = format.score(frame.scores[row] ?? Number.NaN);
  return text === "" ? null : { name: key, text, exactly: String(frame.scores[row]) };
}

function bandAt(frame: Frame, { items, mask }: Shown, position: number, small: boolean) {
  const bandOf = (at: number) => frame.band[items.at(at) ?? -1] ?? 0;
  const band = bandOf(position);
  const starts = bandOf(position - 1) !== band;
  const ends = bandOf(position + 1) !== band;
  return { starts, ends, label: starts ? bandLabel(frame, mask, band, small) : null };
}

/** "Group 7 · 4 images", or "Group 7 · 2 of 4 images" where the filter hides some. */
function bandLabel(frame: Frame, mask: Uint8Array, band: number, small: boolean): string {
  const { start, members } = frame.bands;
  const size = frame.groupSize[band];
  let visible = 0;
  for (let m = start[band]; m < start[band + 1]; m++) {
    const row = members[m];
    if (mask[row] && inGroup(frame, row)) visible++;
  }
  if (size === 0) return "";
  const shown = visible === size ? "" : `${format.count(visible)} of `;
  const of = small ? format.count(size) : format.images(size);
  return `Group ${format.count(band)} · ${shown}${of}`;
}

function RubberBand({ view }: { view: GridView }) {
  const rect = view.rubberBand.value;
  if (!rect) return null;
  const style = {
    left: `${rect.left}px`,
    top: `${rect.top + view.origin.value}px`,
    width: `${rect.right - rect.left}px`,
    height: `${rect.bottom - rect.top}px`,
  };
  return <div class="rubber-band" style={style} />;
}

/** Clicks and the rubber band. */
function usePointer(view: GridView, scroller: { current: HTMLDivElement | null }) {
  const drag = useRef<Drag | null>(null);
  useEffect(() => () => drag.current?.end(), []);
  return {
    onDblClick(event: MouseEvent) {
      const { row, action } = target(event);
      if (row !== null && !action) view.open?.(row);
    },
    onPointerDown(event: PointerEvent) {
      drag.current?.end();
      drag.current = null;
      if (event.button !== 0 || event.pointerType === "touch" || target(event).action) return;
      drag.current = startDrag(view, scroller.current!, event);
    },
    onClick(event: MouseEvent) {
      // The click that ends a rubber band is not a click on what lies below it.
      const dragged = drag.current?.moved ?? false;
      drag.current = null;
      if (dragged) return;
      const { row, action } = target(event);
      if (row === null) return;
      // Keys go to the grid, not to the button that was clicked.
      if (action) scroller.current?.focus({ preventScroll: true });
      if (action === "similar") {
        view.similarTo.value = view.similarTo.peek() === row ? null : row;
      } else if (action === "keep") {
        view.keep(row);
      } else if (action === "apart") {
        view.notDuplicate(row);
      } else if (action === "check") {
        view.check(row, modifiers(event));
      } else {
        view.click(row, modifiers(event));
      }
    },
  };
}

interface Drag {
  moved: boolean;
  end(): void;
}

function startDrag(view: GridView, scroller: HTMLElement, start: PointerEvent): Drag {
  const listeners = new AbortController();
  const { signal } = listeners;
  const page = scroller.ownerDocument;
  const inContent = (event: { clientX: number; clientY: number }) => {
    const box = scroller.getBoundingClientRect();
    return {
      x: event.clientX - box.left - scroller.clientLeft,
      y: event.clientY - box.top - scroller.clientTop + view.top.peek(),
    };
  };
  const origin = inContent(start);
  let base: Bitset | undefined;
  let last = { clientX: start.clientX, clientY: start.clientY };
  let frame = 0;
  const drag: Drag = {
    moved: false,
    end() {
      cancelAnimationFrame(frame);
      listeners.abort();
      view.rubberBand.value = null;
    },
  };
  const pick = () => {
    const now = inContent(last);
    const rect: Rect = {
      left: Math.max(0, Math.min(origin.x, now.x)),
      right: Math.min(scroller.clientWidth, Math.max(origin.x, now.x)),
      top: Math.max(0, Math.min(origin.y, now.y)),
      bottom: Math.max(origin.y, now.y),
    };
    view.pickIn(rect, base);
  };
  const scrollAtEdge = () => {
    const box = scroller.getBoundingClientRect();
    const above = box.top + EDGE - last.clientY;
    const below = last.clientY - (box.bottom - EDGE);
    const speed = above > 0 ? -above : Math.max(0, below);
    if (speed !== 0) {
      scroller.scrollTop += Math.max(-40, Math.min(40, speed / 2));
      pick();
    }
    frame = requestAnimationFrame(scrollAtEdge);
  };
  const move = (event: PointerEvent) => {
    last = { clientX: event.clientX, clientY: event.clientY };
    if (!drag.moved) {
      const distance = Math.hypot(last.clientX - start.clientX, last.clientY - start.clientY);
      if (distance < THRESHOLD) return;
      drag.moved = true;
      scroller.setPointerCapture(event.pointerId);
      const { toggle, shift } = modifiers(start);
      if (toggle || shift) base = view.state.selection.rows.copy();
      frame = requestAnimationFrame(scrollAtEdge);
    }
    pick();
  };
  page.addEventListener("pointermove", move, { signal });
  page.addEventListener("pointerup", () => drag.end(), { signal });
  page.addEventListener("pointercancel", () => drag.end(), { signal });
  return drag;
}
