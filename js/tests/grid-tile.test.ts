import { describe, expect, it } from "vitest";
import { type GridTileProps, showsSame } from "../src/views/grid/GridTile";

const made = (more: Partial<GridTileProps> = {}): GridTileProps => ({
  row: 4,
  id: "cell-4",
  tile: undefined,
  facts: [{ name: "bytes", text: "2 kB" }],
  sorted: { name: "uniqueness", text: "0.2", exactly: "0.2" },
  badge: "keeper",
  goes: false,
  grouped: true,
  decides: true,
  tags: ["Unique"],
  context: false,
  picked: false,
  focused: false,
  flashed: false,
  band: { starts: true, ends: false, label: "Group 1 · 2 images" },
  column: 0,
  ...more,
});

describe("a tile", () => {
  it("is not drawn again for what says the same, read anew", () => {
    expect(showsSame(made(), made())).toBe(true);
  });

  it.each([
    { picked: true },
    { badge: null },
    { band: null },
    { band: { starts: true, ends: false, label: "Group 1 · 1 of 2 images" } },
    { facts: [] },
    { tags: ["Unique", "Best"] },
    { sorted: null },
    { tile: { info: {}, picture: null, error: "gone" } as never },
  ])("is drawn again for %j", (more) => {
    expect(showsSame(made(), made(more))).toBe(false);
    expect(showsSame(made(more), made())).toBe(false);
  });
});
