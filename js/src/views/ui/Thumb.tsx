import type { Tile } from "../../state/tiles";
import { BrokenIcon } from "./icons";

/** The picture of a tile; a placeholder of the same size until it is there. */
export function Thumb({ tile }: { tile: Tile | undefined }) {
  if (!tile) return <div class="thumb skeleton" />;
  if (!tile.picture) {
    return (
      <div class="thumb broken" title={tile.error ?? undefined}>
        <BrokenIcon />
        <span>{tile.error ?? "No thumbnail."}</span>
      </div>
    );
  }
  return (
    <div class="thumb">
      {/* Dragging draws a rubber band, and takes no picture along. */}
      <img src={tile.picture.src} alt="" decoding="sync" draggable={false} />
    </div>
  );
}
