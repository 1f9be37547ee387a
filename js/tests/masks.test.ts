import { describe, expect, it } from "vitest";
import { allOf, type Combined, countOf, maskOf, turn, turnedRows } from "../src/data/masks";
import { random } from "./random";

/** In which rows two masks are said to differ. */
function told(mask: Uint8Array, from: Uint8Array) {
  const turned = turnedRows(mask, from);
  const rows = (lists: readonly Uint32Array[]) =>
    lists.flatMap((list) => [...list]).sort((a, b) => a - b);
  return turned && { on: rows(turned.on), off: rows(turned.off) };
}

/** A mask in which some rows are turned round. */
function turnedRound(mask: Uint8Array, rows: Uint32Array): Uint8Array {
  const other = [...new Set(rows)];
  const on = Uint32Array.from(other.filter((row) => !mask[row]));
  return turn(mask, { on: [on], off: [Uint32Array.from(other.filter((row) => mask[row]))] });
}

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
    from[2] = 0;
    const mask = turn(from, {
      on: [Uint32Array.of(2)],
      off: [Uint32Array.of(4), Uint32Array.of(9)],
    });
    expect([...mask.keys()].filter((row) => !mask[row])).toEqual([4, 9]);
    expect(told(mask, from)).toEqual({ on: [2], off: [4, 9] });
    expect(told(mask.slice(), from)).toEqual({ on: [2], off: [4, 9] });
    expect(told(from, mask)).toEqual({ on: [4, 9], off: [2] });
    expect(told(mask, mask)).toEqual({ on: [], off: [] });
    expect(countOf(from)).toBe(29);
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
        const old = before.rows;
        const differ = (to: number) =>
          [...rows.keys()].filter((row) => rows[row] === to && old[row] !== to);
        const said = told(rows, old);
        if (said) expect(said).toEqual({ on: differ(1), off: differ(0) });
      }
      before = { masks, rows };
      const moved = Uint32Array.from({ length: 20 }, () => Math.floor(200 * next()));
      masks = masks.map((one, i) => (i === step % masks.length ? turnedRound(one, moved) : one));
      if (next() < 0.1) masks = next() < 0.5 ? masks.slice(1) : [...masks, mask()];
    }
  });
});
