import { type Affine, corners, type Rect, type Size } from "../../data/zoom";
import type { Piece } from "../../state/pictures";

/** What there is to draw of one picture: the whole, if only as a thumbnail, and a part of it. */
export interface Drawable {
  whole: ImageBitmap | HTMLImageElement | null;
  part: Piece | null;
  size: Size | null;
}

/** The map from the unit square of a picture to pixels of the canvas. */
export function toCanvas(map: Affine, { left, top, width, height }: Rect, density: number): Affine {
  const [a, b, c, d, e, f] = map;
  const [w, h] = [width * density, height * density];
  return [a * w, b * w, c * w + left * density, d * h, e * h, f * h + top * density];
}

function use(context: CanvasRenderingContext2D, [a, b, c, d, e, f]: Affine): void {
  context.setTransform(a, d, b, e, c, f);
}

/** Draw a picture, what there is of it in detail on top. */
export function draw(context: CanvasRenderingContext2D, drawable: Drawable, map: Affine): void {
  const { whole, part, size } = drawable;
  use(context, map);
  context.imageSmoothingQuality = "high";
  // From some zoom on, pixels are what one wants to see.
  const scale = size ? Math.hypot(map[0], map[3]) / size.width : 1;
  context.imageSmoothingEnabled = scale < 3;
  // A bitmap that was given up has no size.
  if (whole && whole.width > 0) context.drawImage(whole, 0, 0, 1, 1);
  if (part && part.bitmap.width > 0) {
    const [left, top, right, bottom] = part.box;
    context.drawImage(part.bitmap, left, top, right - left, bottom - top);
  }
  context.setTransform(1, 0, 0, 1, 0, 0);
}

/** Trace what a map makes of the unit square. */
function trace(context: CanvasRenderingContext2D, map: Affine): void {
  context.beginPath();
  for (const [x, y] of corners(map)) context.lineTo(x, y);
  context.closePath();
}

/** Outline what a map makes of the unit square: white on black, to be seen on any picture. */
export function outline(context: CanvasRenderingContext2D, map: Affine, density: number): void {
  trace(context, map);
  context.lineJoin = "round";
  context.setLineDash([]);
  context.lineWidth = 4 * density;
  context.strokeStyle = "rgb(0 0 0 / 70%)";
  context.stroke();
  context.setLineDash([8 * density, 4 * density]);
  context.lineWidth = 2 * density;
  context.strokeStyle = "#fff";
  context.stroke();
  context.setLineDash([]);
}

/** Draw only inside what a map makes of the unit square. */
export function within(
  context: CanvasRenderingContext2D,
  maps: readonly Affine[],
  paint: () => void,
): void {
  context.save();
  for (const map of maps) {
    trace(context, map);
    context.clip();
  }
  paint();
  context.restore();
}

/** Draw the difference of two pictures where both are, some times as strong. */
export function drawDifference(
  context: CanvasRenderingContext2D,
  [one, other]: readonly [Drawable, Drawable],
  [map, otherMap]: readonly [Affine, Affine],
  gain: number,
): void {
  const { canvas } = context;
  const sheet = canvas.ownerDocument.createElement("canvas");
  sheet.width = canvas.width;
  sheet.height = canvas.height;
  const on = sheet.getContext("2d");
  if (!on) return;
  draw(on, one, map);
  on.globalCompositeOperation = "difference";
  draw(on, other, otherMap);
  // Adding it to itself doubles it; a filter would do the same, but not in every browser.
  on.globalCompositeOperation = "lighter";
  for (let by = 1; by < gain; by *= 2) on.drawImage(sheet, 0, 0);
  within(context, [map, otherMap], () => context.drawImage(sheet, 0, 0));
}
