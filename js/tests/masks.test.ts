import { describe, expect, it } from "vitest";
import { countOf, eitherOf } from "../src/data/masks";

describe("masks", () => {
  const one = Uint8Array.of(1, 0, 1, 1);
  const other = Uint8Array.of(0, 0, 1, 0);

  it("count their rows, and those besides another's", () => {
    expect(countOf(one)).toBe(3);
    expect(countOf(one, other)).toBe(2);
  });

  it("are put together without changing either", () => {
    expect([...eitherOf(other, Uint8Array.of(1, 0, 0, 0))]).toEqual([1, 0, 1, 0]);
    expect([...other]).toEqual([0, 0, 1, 0]);
  });
});
