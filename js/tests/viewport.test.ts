import { describe, expect, it } from "vitest";
import { cellsFor, MAX_HEIGHT, reveal, rowsAt, ScrollMap } from "../src/data/viewport";

describe("cellsFor", () => {
  it("fills the width with equal cells, at least one", () => {
    expect(cellsFor(1000, 168)).toMatchObject({ columns: 5, width: 200 });
    expect(cellsFor(100, 168)).toMatchObject({ columns: 1, width: 100 });
  });
});

describe("rowsAt", () => {
  it("covers every row that the viewport touches", () => {
    expect(rowsAt(150, 300, 100, 50)).toEqual({ first: 1, end: 5 });
    expect(rowsAt(150, 300, 100, 50, 1)).toEqual({ first: 0, end: 6 });
  });

  it("stays inside the content", () => {
    expect(rowsAt(0, 300, 100, 2, 1)).toEqual({ first: 0, end: 2 });
    expect(rowsAt(0, 300, 100, 0, 1)).toEqual({ first: 0, end: 0 });
  });
});

describe("reveal", () => {
  it("moves no further than needed", () => {
    expect(reveal(2, 100, 150, 300)).toBe(150);
    expect(reveal(0, 100, 150, 300)).toBe(0);
    expect(reveal(5, 100, 150, 300)).toBe(300);
  });
});

describe("ScrollMap", () => {
  const tall = () => {
    const map = new ScrollMap();
    map.resize(25_000_000, 500);
    return map;
  };

  it("is the identity below the cap", () => {
    const map = new ScrollMap();
    map.resize(100_000, 500);
    map.scrolled(1234);
    expect(map.top).toBe(1234);
    expect(map.origin).toBe(0);
    expect(map.height).toBe(100_000);
  });

  it("never makes an element taller than browsers allow", () => {
    expect(tall().height).toBe(MAX_HEIGHT);
  });

  it("moves one to one on small steps", () => {
    const map = tall();
    map.goTo(10_000_000);
    map.scrolled(map.scrollTop + 100);
    expect(map.top).toBe(10_000_100);
  });

  it("takes a jump of the scroll bar as a proportion", () => {
    const map = tall();
    map.scrolled(MAX_HEIGHT / 2);
    expect(map.top / 25_000_000).toBeCloseTo(0.5, 3);
  });

  it("reaches both ends", () => {
    const map = tall();
    map.scrolled(MAX_HEIGHT - 500);
    expect(map.top).toBe(25_000_000 - 500);
    map.scrolled(0);
    expect(map.top).toBe(0);
  });

  it("brings the two positions together at rest without moving the content", () => {
    const map = tall();
    for (let i = 1; i <= 50; i++) map.scrolled(i * 400);
    const { top } = map;
    map.settle();
    expect(map.top).toBe(top);
    expect(map.scrollTop).toBe(Math.round(map.toScroll(top)));
    expect(map.scrollTop + -map.origin).toBeCloseTo(top, 6);
  });

  it("stays inside content that became shorter", () => {
    const map = tall();
    map.goTo(20_000_000);
    map.resize(1000, 500);
    expect(map.top).toBe(500);
    expect(map.scrollTop).toBe(500);
  });
});
