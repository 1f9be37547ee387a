import { describe, expect, it } from "vitest";
import {
  type Affine,
  actualSize,
  applied,
  FIT,
  fitOver,
  inverse,
  movedBy,
  needed,
  rectOf,
  settled,
  toggled,
  visible,
  zoomedAt,
} from "../src/data/zoom";

const photo = { width: 4000, height: 3000 };
const place = { width: 600, height: 500 };

describe("a zoom", () => {
  it("that fits shows the whole picture in the middle", () => {
    expect(rectOf(FIT, photo, place)).toEqual({ left: 0, top: 25, width: 600, height: 450 });
    expect(visible(FIT, photo, place)).toEqual([0, 0, 1, 1]);
  });

  it("keeps the point under the pointer where it is", () => {
    const at = { x: 150, y: 200 };
    const before = rectOf(FIT, photo, place);
    const view = zoomedAt(FIT, 5, at, photo, place, 1);
    const after = rectOf(view, photo, place);
    expect((at.x - after.left) / after.width).toBeCloseTo((at.x - before.left) / before.width);
    expect((at.y - after.top) / after.height).toBeCloseTo((at.y - before.top) / before.height);
  });

  it("goes to one pixel of the picture for one of the screen, and back, at any density", () => {
    for (const density of [1, 2]) {
      const view = toggled(FIT, photo, place, density);
      expect(rectOf(view, photo, place).width * density).toBeCloseTo(4000);
      expect(view.zoom).toBeCloseTo(actualSize(photo, place, density));
      expect(toggled(view, photo, place, density)).toEqual(FIT);
    }
  });

  it("leaves no empty space at a side that the picture can fill", () => {
    const view = movedBy({ zoom: 4, x: 0.5, y: 0.5 }, { x: 9e9, y: -9e9 }, photo, place, 1);
    const { left, top, height } = rectOf(view, photo, place);
    expect(left).toBeCloseTo(0);
    expect(top + height).toBeCloseTo(place.height);
  });

  it("stays between the whole picture and eight times its pixels", () => {
    expect(settled({ zoom: 0.01, x: 0, y: 0 }, photo, place, 1)).toEqual(FIT);
    const most = settled({ zoom: 1e9, x: 0.5, y: 0.5 }, photo, place, 1);
    expect(rectOf(most, photo, place).width).toBeCloseTo(8 * 4000);
    const icon = { width: 32, height: 32 };
    expect(rectOf(settled({ ...FIT, zoom: 0 }, icon, place, 1), icon, place).width).toBeCloseTo(32);
  });

  it("in fractions serves a picture of half the size as well", () => {
    const half = { width: 2000, height: 1500 };
    const view = { zoom: 3, x: 0.3, y: 0.6 };
    expect(visible(view, half, place)).toEqual(visible(view, photo, place));
  });
});

describe("what is asked for", () => {
  it("is the whole picture in the next of a few sizes, never more than there is", () => {
    expect(needed(photo, 600, [0, 0, 1, 1])).toEqual({ side: 640, box: null });
    expect(needed(photo, 1200, [0, 0, 1, 1])).toEqual({ side: 1536, box: null });
    expect(needed({ width: 500, height: 300 }, 9000, [0, 0, 1, 1])).toEqual({
      side: 640,
      box: null,
    });
  });

  it("is the part in sight, at its own pixels, once the whole would be too much", () => {
    const { side, box } = needed(photo, 4000, [0.3, 0.3, 0.45, 0.5]);
    expect(box).toEqual([0.25, 0.25, 0.5, 0.5]);
    expect(side).toBe(1000);
  });
});

describe("a map from one picture to the other", () => {
  it("leads back by its inverse", () => {
    const map: Affine = [0, -0.5, 0.9, 0.8, 0, 0.1];
    const [x, y] = applied(map, 0.25, 0.75);
    const [u, v] = applied(inverse(map)!, x, y);
    expect([u, v].map((it) => Number(it.toFixed(9)))).toEqual([0.25, 0.75]);
    expect(inverse([1, 1, 0, 1, 1, 0])).toBeNull();
  });

  it("fits a picture of another shape into the middle", () => {
    expect(fitOver({ width: 100, height: 50 }, { width: 50, height: 50 })).toEqual([
      1, 0, 0, 0, 0.5, 0.25,
    ]);
  });
});
