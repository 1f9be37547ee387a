import { describe, expect, it } from "vitest";
import { countOf, maskOf } from "../src/data/masks";

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
});
