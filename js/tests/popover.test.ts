import { describe, expect, it } from "vitest";
import { placeBelow, placeBeside } from "../src/views/ui/place";

const screen = { width: 1000, height: 800 };
const popover = { width: 300, height: 400 };
const anchor = (left: number, top: number) => ({ left, top, width: 160, height: 200 });

describe("placeBeside", () => {
  it("goes to the right of its anchor, or to the left where there is no room", () => {
    expect(placeBeside(anchor(100, 100), popover, screen)).toEqual({ left: 268, top: 100 });
    expect(placeBeside(anchor(800, 100), popover, screen)).toEqual({ left: 492, top: 100 });
  });

  it("stays on the screen", () => {
    expect(placeBeside(anchor(100, 700), popover, screen).top).toBe(392);
    const phone = { width: 320, height: 500 };
    const { left, top } = placeBeside(anchor(80, 200), popover, phone);
    expect(left).toBeGreaterThanOrEqual(8);
    expect(left + popover.width).toBeLessThanOrEqual(312);
    expect(top).toBeGreaterThanOrEqual(8);
    expect(top + popover.height).toBeLessThanOrEqual(492);
  });
});

describe("placeBelow", () => {
  it("goes below its anchor, or above where there is no room", () => {
    expect(placeBelow(anchor(100, 100), popover, screen)).toEqual({ left: 100, top: 304 });
    expect(placeBelow(anchor(100, 550), popover, screen)).toEqual({ left: 100, top: 146 });
  });

  it("stays on the screen", () => {
    expect(placeBelow(anchor(900, 100), popover, screen).left).toBe(692);
    expect(placeBelow(anchor(-50, 300), popover, { width: 320, height: 500 })).toEqual({
      left: 8,
      top: 8,
    });
  });
});
