import { describe, expect, it, vi } from "vitest";
import { Bitset } from "../src/data/bitset";
import { DisplayOrder } from "../src/data/order";
import { rangeBetween, Selection } from "../src/data/selection";

const rowsOf = (bits: Bitset) => {
  const rows: number[] = [];
  bits.forEach((row) => {
    rows.push(row);
  });
  return rows;
};

describe("Bitset", () => {
  it("lays bit i & 7 of byte i >> 3", () => {
    const bits = new Bitset(12);
    bits.add(0);
    bits.add(9);
    expect([...bits.bytes]).toEqual([1, 2]);
  });

  it("visits its rows in order, the 8th bit of a byte included", () => {
    const bits = new Bitset(40);
    for (const row of [31, 7, 8, 0]) bits.add(row);
    expect(rowsOf(bits)).toEqual([0, 7, 8, 31]);
    expect(bits.count()).toBe(4);
  });

  it("ignores bits beyond its size", () => {
    expect(new Bitset(3, new Uint8Array([0xff])).count()).toBe(3);
  });
});

describe("Selection", () => {
  const make = (rows = 10) => {
    const changed = vi.fn();
    const selection = new Selection(changed);
    selection.load(rows);
    return { selection, changed };
  };

  it("tells of a change, but not of what it was loaded with", () => {
    const { selection, changed } = make();
    expect(changed).not.toHaveBeenCalled();
    selection.toggle(3);
    expect(changed).toHaveBeenCalledOnce();
    expect(selection.count).toBe(1);
  });

  it("keeps hidden rows when it selects or inverts what is shown", () => {
    const { selection } = make(4);
    selection.only(3);
    const mask = Uint8Array.from([1, 1, 0, 0]);
    selection.addShown(mask);
    expect(rowsOf(selection.rows)).toEqual([0, 1, 3]);
    selection.toggle(1);
    selection.invertShown(mask);
    expect(rowsOf(selection.rows)).toEqual([1, 3]);
    expect(selection.rows.countIn(mask)).toBe(1);
  });
});

describe("rangeBetween", () => {
  it("goes by display order, both ends included, and leaves context tiles out", () => {
    const items = Uint32Array.from([5, 2, 9, 1]);
    const mask = new Uint8Array(10).fill(1);
    mask[2] = 0;
    expect([...rangeBetween(new DisplayOrder(items), 2, 0, mask)]).toEqual([5, 9]);
    expect([...rangeBetween(new DisplayOrder(items), 2, 99, mask)]).toEqual([9, 1]);
  });
});
