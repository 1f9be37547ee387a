import { describe, expect, it } from "vitest";
import { allOf, type Combined, countOf, maskOf, turned, turnedRows } from "../src/data/masks";
import { random } from "./random";

describe("masks", () => {
  const one = Uint8Array.of(1, 0, 1, 1);
  const other = Uint8Array.of(0, 0, 1, 0);

  it("count their rows, and those besides another's", () => {
    expect(countOf(one)).toBe(3);
    expect(countOf(one, other)).toBe(2);
  });

  it("are made of rows in any order", () => {
    expect([...maskOf(Uint32Array.of(3, 0), 4)]).toEqual([1, 0, 0, 1]);
  });

  it("of others tell where they differ, however they were made", () => {
    const from = new Uint8Array(30).fill(1);
    const some = [Uint32Array.of(4, 9), Uint32Array.of(9, 2)];
    const mask = turned(from, some, (row) => +(row === 2));
    expect([...mask.keys()].filter((row) => !mask[row])).toEqual([4, 9]);
    expect([...turnedRows(mask, from)!]).toEqual([4, 9]);
    expect([...turnedRows(mask.slice(), from)!]).toEqual([4, 9]);
    expect([...turnedRows(mask, mask)!]).toEqual([]);
    expect(countOf(from)).toBe(30);
  });

  it("do not tell where they differ in much", () => {
    expect(turnedRows(new Uint8Array(30), new Uint8Array(30).fill(1))).toBeNull();
  });
});

describe("allOf", () => {
  it("is everything without a mask, and needs all of them", () => {
    expect([...allOf([], 3)]).toEqual([1, 1, 1]);
    const one = Uint8Array.of(1, 1, 0);
    expect(allOf([one], 3)).toBe(one);
    expect([...allOf([one, Uint8Array.of(0, 1, 1)], 3)]).toEqual([0, 1, 0]);
    expect([...one]).toEqual([1, 1, 0]);
  });

  it("is the same from what was there before, whatever moves, comes or goes", () => {
    const next = random(11);
    const mask = (): Uint8Array => Uint8Array.from({ length: 200 }, () => +(next() < 0.7));
    let masks = [mask(), mask(), mask()];
    let before: Combined | null = null;
    for (let step = 0; step < 100; step++) {
      const rows: Uint8Array = allOf(masks, 200, before);
      expect([...rows]).toEqual([...allOf(masks, 200)]);
      if (before) {
        const differ = [...rows.keys()].filter((row) => rows[row] !== before!.rows[row]);
        const told = turnedRows(rows, before.rows);
        if (told) expect([...told].sort((a, b) => a - b)).toEqual(differ);
      }
      before = { masks, rows };
      const moved = Uint32Array.from({ length: 20 }, () => Math.floor(200 * next()));
      const to = mask();
      masks = masks.map((one, i) =>
        i === step % masks.length ? turned(one, [moved], (row) => to[row]) : one,
      );
      if (next() < 0.1) masks = next() < 0.5 ? masks.slice(1) : [...masks, mask()];
    }
  });
});
