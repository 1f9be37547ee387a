import { effect, useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { GridView } from "../grid-view";
import { placeBeside } from "../popover";
import type { ExplorerState } from "../state";
import { CloseIcon } from "./icons";
import { SimilarList } from "./SimilarList";
import { useSimilar } from "./use-similar";

type Go = (row: number) => void;

/** Opens beside the tile whose similar items were asked for. */
export function SimilarPopover({ view }: { view: GridView }) {
  const row = view.similarTo.value;
  return row === null ? null : <Popover key={row} row={row} view={view} />;
}

function Popover({ row, view }: { row: number; view: GridView }) {
  const { state } = view;
  const element = useRef<HTMLDivElement>(null);
  const hidden = useSignal<number | null>(null);
  const close = (refocus: boolean) => {
    view.similarTo.value = null;
    if (refocus) gridOf(element.current)?.focus({ preventScroll: true });
  };

  useLayoutEffect(() => {
    const popover = element.current!;
    popover.showPopover?.();
    const place = () => {
      const anchor = anchorOf(popover, row);
      if (!anchor || !meets(anchor, gridOf(popover))) {
        view.similarTo.value = null;
        return;
      }
      const { left, top } = placeBeside(
        anchor.getBoundingClientRect(),
        popover.getBoundingClientRect(),
        {
          width: window.innerWidth,
          height: window.innerHeight,
        },
      );
      popover.style.left = `${left}px`;
      popover.style.top = `${top}px`;
    };
    place();
    popover.focus();
    const listeners = new AbortController();
    const { signal } = listeners;
    // Filters and sorting, here or in Python, move the tile too.
    const moved = effect(() => {
      view.items.value;
      view.top.value;
      requestAnimationFrame(() => signal.aborted || place());
    });
    const resized = new ResizeObserver(place);
    resized.observe(popover);
    window.addEventListener("resize", place, { signal });
    // Captured on the page: the notebook scrolls in an element of its own.
    window.addEventListener("scroll", place, { capture: true, passive: true, signal });
    window.addEventListener(
      "pointerdown",
      (event) => {
        const path = event.composedPath();
        const opener = path.some(
          (node) => node instanceof HTMLElement && node.dataset.action === "similar",
        );
        if (!path.includes(popover) && !opener) view.similarTo.value = null;
      },
      { capture: true, signal },
    );
    return () => {
      listeners.abort();
      moved();
      resized.disconnect();
    };
  }, [row, view]);

  const onKeyDown = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key !== "Escape") return;
    event.preventDefault();
    close(true);
  };
  const go = (to: number) => {
    if (view.goTo(to)) close(true);
    else hidden.value = to;
  };
  state.tiles.version.value;
  const name = state.tiles.get(row)?.info.name ?? "";
  const blocked = hidden.value;
  const off = state.frame.value?.similar ?? null;
  return (
    <div
      ref={element}
      class="popover"
      popover="manual"
      role="dialog"
      tabIndex={-1}
      aria-label={`Similar items of ${name}`}
      onKeyDown={onKeyDown}
    >
      <div class="popover-head">
        <div>
          <strong>Similar items</strong>
          <span class="of" title={name}>
            {name}
          </span>
        </div>
        <button type="button" class="plain" aria-label="Close" onClick={() => close(true)}>
          <CloseIcon />
        </button>
      </div>
      {blocked !== null && (
        <div class="hint" role="status">
          <span>The filter hides this image.</span>
          <button
            type="button"
            onClick={() => {
              state.resetFilters();
              go(blocked);
            }}
          >
            Reset filters and go there
          </button>
        </div>
      )}
      {off ? (
        <p class="reason">Similar items are off: {off}.</p>
      ) : (
        <Nearest row={row} state={state} onGo={go} />
      )}
    </div>
  );
}

function Nearest({ row, state, onGo }: { row: number; state: ExplorerState; onGo: Go }) {
  const query = useSimilar(state.rpc, state.tiles, row, 12);
  return <SimilarList query={query} tiles={state.tiles} selection={state.selection} onGo={onGo} />;
}

function rootOf(element: Element | null): ParentNode | null {
  return (element?.getRootNode() as ParentNode | undefined) ?? null;
}

function gridOf(element: Element | null): HTMLElement | null {
  return rootOf(element)?.querySelector<HTMLElement>(".grid") ?? null;
}

/** Whether a tile is on screen in the grid, be it in part. */
function meets(tile: Element, grid: Element | null): boolean {
  if (!grid) return false;
  const { top, bottom } = tile.getBoundingClientRect();
  const box = grid.getBoundingClientRect();
  return bottom >= box.top && top <= box.bottom;
}

function anchorOf(element: Element, row: number): Element | null {
  return rootOf(element)?.querySelector(`#cell-${row} .tile`) ?? null;
}
