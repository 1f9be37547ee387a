import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { GridState } from "../../state/grid";
import type { GridView } from "../../state/grid-view";
import { Popover } from "../ui/Popover";
import { placeBeside, screenSize } from "../ui/place";
import { SimilarList } from "./SimilarList";
import { useSimilar } from "./use-similar";

type Go = (row: number) => void;

/** Opens beside the tile whose similar items were asked for. */
export function SimilarPopover({ view }: { view: GridView }) {
  const row = view.similarTo.value;
  return row === null ? null : <OfRow key={row} row={row} view={view} />;
}

function OfRow({ row, view }: { row: number; view: GridView }) {
  const { state } = view;
  const panel = useRef<HTMLDivElement>(null);
  const hidden = useSignal<number | null>(null);
  const close = (byHand: boolean) => {
    view.similarTo.value = null;
    if (byHand) gridOf(panel.current)?.focus({ preventScroll: true });
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
    <Popover
      panel={panel}
      label={`Similar items of ${name}`}
      head={
        <div>
          <strong>Similar items</strong>
          <span class="of" title={name}>
            {name}
          </span>
        </div>
      }
      place={(size) => {
        const tile = rootOf(panel.current)?.querySelector(`#cell-${row} .tile`);
        if (!tile || !meets(tile, gridOf(panel.current))) return null;
        return placeBeside(tile.getBoundingClientRect(), size, screenSize());
      }}
      // Filters and sorting, here or in Python, move the tile.
      moves={() => {
        view.items.value;
        view.top.value;
      }}
      isOpener={(path) =>
        path.some((node) => node instanceof HTMLElement && node.dataset.action === "similar")
      }
      onClose={close}
    >
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
    </Popover>
  );
}

function Nearest({ row, state, onGo }: { row: number; state: GridState; onGo: Go }) {
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
