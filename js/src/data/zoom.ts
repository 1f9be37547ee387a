/** Width and height of a picture, or of the place where it is shown. */
export interface Size {
  width: number;
  height: number;
}

/**
 * What is looked at: `zoom` times the size at which the picture fits, around a point in fractions
 * of the picture. So one of them serves pictures of different sizes.
 */
export interface Zoom {
  zoom: number;
  x: number;
  y: number;
}

/** Left, top, right, bottom in fractions of a picture. */
export type Box = readonly [number, number, number, number];

/** An affine map by rows: x' = a x + b y + c, y' = d x + e y + f. */
export type Affine = readonly [number, number, number, number, number, number];

export interface Rect {
  left: number;
  top: number;
  width: number;
  height: number;
}

export const FIT: Zoom = { zoom: 1, x: 0.5, y: 0.5 };
export const IDENTITY: Affine = [1, 0, 0, 0, 1, 0];

/** Pixels of the longest side that Python sends in one piece. */
export const MAX_SIDE = 2048;
/** Sizes in which whole pictures are asked for, so that a small change asks for nothing new. */
const SIDES = [384, 640, 1024, 1536, MAX_SIDE];
/** How far beyond 100 % one can go. */
const ENLARGED = 8;

/** CSS pixels for one pixel of a picture that fits into a place. */
const fitting = (picture: Size, place: Size): number =>
  Math.min(place.width / picture.width, place.height / picture.height);

/** The zoom at which one pixel of the picture is one of the screen. */
export const actualSize = (picture: Size, place: Size, density: number): number =>
  1 / (fitting(picture, place) * density);

/** Where the whole picture lies, in CSS pixels of its place. */
export function rectOf({ zoom, x, y }: Zoom, picture: Size, place: Size): Rect {
  const scale = fitting(picture, place) * zoom;
  const width = picture.width * scale;
  const height = picture.height * scale;
  return { left: place.width / 2 - x * width, top: place.height / 2 - y * height, width, height };
}

/** The same without empty space at a side where the picture could fill it, and within limits. */
export function settled(view: Zoom, picture: Size, place: Size, density: number): Zoom {
  const actual = actualSize(picture, place, density);
  const zoom = Math.min(Math.max(view.zoom, Math.min(1, actual)), Math.max(1, actual) * ENLARGED);
  const scale = fitting(picture, place) * zoom;
  const within = (centre: number, side: number, room: number) => {
    const half = room / (2 * side * scale);
    return half >= 0.5 ? 0.5 : Math.min(Math.max(centre, half), 1 - half);
  };
  return {
    zoom,
    x: within(view.x, picture.width, place.width),
    y: within(view.y, picture.height, place.height),
  };
}

/** Zoom by a factor; the point of the picture that lies at `at` stays there. */
export function zoomedAt(
  view: Zoom,
  factor: number,
  at: { x: number; y: number },
  picture: Size,
  place: Size,
  density: number,
): Zoom {
  const wanted = { ...view, zoom: view.zoom * factor };
  const { zoom } = settled(wanted, picture, place, density);
  const before = rectOf(view, picture, place);
  const x = (at.x - before.left) / before.width;
  const y = (at.y - before.top) / before.height;
  const after = rectOf({ zoom, x, y }, picture, place);
  const moved = {
    zoom,
    x: x - (at.x - place.width / 2) / after.width,
    y: y - (at.y - place.height / 2) / after.height,
  };
  return settled(moved, picture, place, density);
}

/** Move the picture by some CSS pixels. */
export function movedBy(
  view: Zoom,
  by: { x: number; y: number },
  picture: Size,
  place: Size,
  density: number,
): Zoom {
  const { width, height } = rectOf(view, picture, place);
  const moved = { ...view, x: view.x - by.x / width, y: view.y - by.y / height };
  return settled(moved, picture, place, density);
}

/** Fit, or one pixel of the picture for each of the screen. */
export function toggled(view: Zoom, picture: Size, place: Size, density: number): Zoom {
  const actual = actualSize(picture, place, density);
  const isFit = Math.abs(view.zoom - 1) < 1e-3;
  return settled({ ...view, zoom: isFit ? actual : 1 }, picture, place, density);
}

/** What of the picture is in sight. */
export function visible(view: Zoom, picture: Size, place: Size): Box {
  const { left, top, width, height } = rectOf(view, picture, place);
  return clipped([
    -left / width,
    -top / height,
    (place.width - left) / width,
    (place.height - top) / height,
  ]);
}

/** What to ask for, to show a part of a picture at so many pixels of the screen. */
export interface Need {
  side: number;
  /** Null for the whole picture. */
  box: Box | null;
}

/**
 * What to ask for when the whole picture would have `width` pixels of the screen in its longest
 * side: the whole of it while that can be sent in one piece, then the part in sight and around it.
 */
export function needed(picture: Size, side: number, seen: Box): Need {
  const own = Math.max(picture.width, picture.height);
  const wanted = Math.min(side, own);
  if (wanted <= MAX_SIDE) {
    return { side: SIDES.find((it) => it >= wanted - 1) ?? MAX_SIDE, box: null };
  }
  // Eighths, so that moving a little asks for nothing new.
  const down = (at: number) => Math.floor(at * 8) / 8;
  const up = (at: number) => Math.ceil(at * 8) / 8;
  const box = clipped([down(seen[0]), down(seen[1]), up(seen[2]), up(seen[3])]);
  const share = Math.max(
    ((box[2] - box[0]) * picture.width) / own,
    ((box[3] - box[1]) * picture.height) / own,
  );
  return { side: Math.min(MAX_SIDE, Math.ceil(wanted * share)), box };
}

export const covers = (outer: Box, inner: Box): boolean =>
  outer[0] <= inner[0] + 1e-6 &&
  outer[1] <= inner[1] + 1e-6 &&
  outer[2] >= inner[2] - 1e-6 &&
  outer[3] >= inner[3] - 1e-6;

export const areaOf = (box: Box): number => (box[2] - box[0]) * (box[3] - box[1]);

const clipped = (box: Box): Box => box.map((at) => Math.min(Math.max(at, 0), 1)) as unknown as Box;

export const applied = ([a, b, c, d, e, f]: Affine, x: number, y: number): [number, number] => [
  a * x + b * y + c,
  d * x + e * y + f,
];

/** The map back; null where there is none. */
export function inverse([a, b, c, d, e, f]: Affine): Affine | null {
  const det = a * e - b * d;
  if (Math.abs(det) < 1e-9) return null;
  const [p, q, r, s] = [e / det, -b / det, -d / det, a / det];
  return [p, q, -(p * c + q * f), r, s, -(r * c + s * f)];
}

/** The corners of a unit square, in order, under a map. */
export const corners = (map: Affine): [number, number][] => [
  applied(map, 0, 0),
  applied(map, 1, 0),
  applied(map, 1, 1),
  applied(map, 0, 1),
];

/** The box of what a map makes of a box, inside the unit square. */
export function boxUnder(map: Affine, [left, top, right, bottom]: Box): Box {
  const points = [
    applied(map, left, top),
    applied(map, right, top),
    applied(map, right, bottom),
    applied(map, left, bottom),
  ];
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  return clipped([Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)]);
}

/** The map that lays a picture over another of a different shape so that it fits, in the middle. */
export function fitOver(picture: Size, other: Size): Affine {
  const own = picture.width / picture.height;
  const its = other.width / other.height;
  const [w, h] = own > its ? [1, its / own] : [own / its, 1];
  return [w, 0, (1 - w) / 2, 0, h, (1 - h) / 2];
}
