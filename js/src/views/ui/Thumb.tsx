import { useLayoutEffect, useRef } from "preact/hooks";
import type { Tile } from "../../state/tiles";
import { BrokenIcon } from "./icons";

/** The picture of a tile; a placeholder of the same size until it is there. */
export function Thumb({ tile }: { tile: Tile | undefined }) {
  if (!tile) return <div class="thumb skeleton" />;
  if (!tile.bitmap) {
    return (
      <div class="thumb broken" title={tile.error ?? undefined}>
        <BrokenIcon />
        <span>{tile.error ?? "No thumbnail."}</span>
      </div>
    );
  }
  return (
    <div class="thumb">
      <Picture bitmap={tile.bitmap} />
    </div>
  );
}

function Picture({ bitmap }: { bitmap: ImageBitmap }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const element = canvas.current;
    // A bitmap that the cache gave up has no size; the canvas keeps what it shows.
    if (!element || bitmap.width === 0) return;
    element.width = bitmap.width;
    element.height = bitmap.height;
    element.getContext("2d")?.drawImage(bitmap, 0, 0);
  }, [bitmap]);
  return <canvas ref={canvas} />;
}
