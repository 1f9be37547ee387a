import { describe, expect, it } from "vitest";
import { Bitset } from "../src/data/bitset";
import {
  basisOf,
  collectionsMask,
  columnMask,
  labelCounts,
  planMask,
  rangeMask,
  readClauses,
  unpack,
  withClauses,
} from "../src/data/filters";
import { frameOf } from "../src/data/frame";
import { smallFrame } from "./fake";
import { random } from "./random";

const NONE = Number.NaN;

describe("readClauses", () => {
  it("takes what a saved notebook holds, whatever that is", () => {
    for (const junk of [null, undefined, 3, "x", [1, 2]]) expect(readClauses(junk)).toEqual({});
  });

  it("keeps clauses that it does not understand, and drops nulls", () => {
    const clauses = { width: [1, null], odd: { new: "kind" }, leakage: true, gone: null };
    const { gone, ...kept } = clauses;
    expect(readClauses(clauses)).toEqual(kept);
    expect(gone).toBeNull();
  });
});

describe("withClauses", () => {
  it("sets and takes away, and leaves the others as they are", () => {
    const width = [1, 2] as const;
    const next = withClauses({ width, group: { null: false } }, { group: null, leakage: true });
    expect(next).toEqual({ width: [1, 2], leakage: true });
    expect(next.width).toBe(width);
  });
});

describe("ranges", () => {
  it("include both ends and no rows without a value", () => {
    const values = Float64Array.of(1, 2, 3, 4, NONE);
    expect([...rangeMask(values, [2, 3])]).toEqual([0, 1, 1, 0, 0]);
  });

  it("may be open at an end, which takes infinities in but no NaN", () => {
    const values = Float64Array.of(Number.NEGATIVE_INFINITY, 1, Number.POSITIVE_INFINITY, NONE);
    expect([...rangeMask(values, [null, 1])]).toEqual([1, 1, 0, 0]);
    expect([...rangeMask(values, [1, null])]).toEqual([0, 1, 1, 0]);
  });

  it("compare in the column's own type", () => {
    // As float32, 0.1 is more than the double 0.1.
    expect([...rangeMask(Float32Array.of(0.1), [0, 0.1])]).toEqual([1]);
    expect([...rangeMask(Float64Array.of(Math.fround(0.1)), [0, 0.1])]).toEqual([0]);
    // As doubles, whole numbers beyond 2 ** 24 stay apart.
    const large = Float64Array.of(2 ** 30, 2 ** 30 + 1);
    expect([...rangeMask(large, [2 ** 30 + 1, null])]).toEqual([0, 1]);
  });

  it.each([
    ["many equal", (next: number) => Float32Array.of(Math.round(9 * next))[0]],
    ["as float32 equal", (next: number) => 2 ** 40 + Math.round(9 * next)],
    ["all others", (next: number) => 1e9 * (next - 0.5)],
  ])("are the same from what another has left: %s", (_, made) => {
    const next = random(4);
    const values = Float64Array.from({ length: 200 }, () =>
      next() < 0.1 ? Number.NaN : next() < 0.05 ? Number.POSITIVE_INFINITY : made(next()),
    );
    for (const of of [values, Float32Array.from(values)]) {
      const end = () => (next() < 0.2 ? null : values.find((one) => next() < 0.02 && one < 1e30));
      let clause: readonly [number | null, number | null] = [null, null];
      let mask = rangeMask(of, clause);
      for (let step = 0; step < 80; step++) {
        // As a drag does: one end moves, or both do.
        const [low, high] = [end() ?? null, end() ?? null];
        const to = step % 3 ? ([clause[0], high] as const) : ([low, high] as const);
        const before = mask.slice();
        const now = rangeMask(of, to, { clause, mask });
        expect([...now]).toEqual([...rangeMask(of, to)]);
        expect(mask).toEqual(before);
        [clause, mask] = [to, now];
      }
    }
  });
});

describe("categories and booleans", () => {
  const data = {
    facet: "category" as const,
    codes: Uint32Array.of(0, 1, 2, 0, 3),
    labels: ["JPEG", "png", "a.c", null],
  };
  const mask = (clause: Record<string, unknown>) => [...columnMask(data, clause)!];

  it("are one of the values, null among them", () => {
    expect(mask({ any: ["JPEG"] })).toEqual([1, 0, 0, 1, 0]);
    expect(mask({ any: ["png", null] })).toEqual([0, 1, 0, 0, 1]);
    expect(mask({ any: ["not there"] })).toEqual([0, 0, 0, 0, 0]);
  });

  it("hold a text, capitals or not, taken literally", () => {
    expect(mask({ contains: "jPe" })).toEqual([1, 0, 0, 1, 0]);
    expect(mask({ contains: "." })).toEqual([0, 0, 1, 0, 0]);
    expect(mask({ contains: "null" })).toEqual([0, 0, 0, 0, 0]);
  });

  it("of booleans tell true from the text true", () => {
    const flags = {
      facet: "boolean" as const,
      codes: Uint32Array.of(0, 1, 2),
      labels: [true, false, null],
    };
    expect([...columnMask(flags, { any: [true] })!]).toEqual([1, 0, 0]);
    expect([...columnMask(flags, { any: ["true"] })!]).toEqual([0, 0, 0]);
    expect([...columnMask(flags, { any: [false, null] })!]).toEqual([0, 1, 1]);
  });

  it("leave clauses of other kinds to Python", () => {
    expect(columnMask(data, [1, 2])).toBeNull();
    expect(columnMask({ facet: "text" }, { any: ["a"] })).toBeNull();
    expect(columnMask({ facet: "number", values: Float64Array.of(1) }, { any: ["a"] })).toBeNull();
  });

  it("are counted among the rows of a mask", () => {
    const counts = labelCounts(data.codes, 4, Uint8Array.of(1, 1, 0, 1, 0));
    expect([...counts]).toEqual([2, 1, 0, 0]);
  });
});

describe("collections", () => {
  const bits = (...rows: number[]) => {
    const set = new Bitset(5);
    for (const row of rows) set.add(row);
    return set;
  };
  const members = new Map([
    ["A", bits(0, 1)],
    ["B", bits(1, 2)],
    ["C", bits(2, 3)],
  ]);
  const mask = (clause: object) => [...collectionsMask(5, members, clause)];

  it("keep images in any of the first and in none of the second", () => {
    expect(mask({ include: ["A", "B"] })).toEqual([1, 1, 1, 0, 0]);
    expect(mask({ exclude: ["C"] })).toEqual([1, 1, 0, 0, 1]);
    expect(mask({ include: ["A", "B"], exclude: ["C"] })).toEqual([1, 1, 0, 0, 0]);
  });

  it("that are gone have no members", () => {
    expect(mask({ include: ["gone"] })).toEqual([0, 0, 0, 0, 0]);
    expect(mask({ exclude: ["gone"] })).toEqual([1, 1, 1, 1, 1]);
  });
});

describe("the plan", () => {
  it("keeps what it does not remove, unreadable files among them", () => {
    const keep = Uint8Array.of(0, 1, 2, 255);
    expect([...planMask(keep, ["remove"])]).toEqual([1, 0, 0, 0]);
    expect([...planMask(keep, ["keep"])]).toEqual([0, 1, 1, 1]);
    expect([...planMask(keep, ["keep", "remove"])]).toEqual([1, 1, 1, 1]);
  });
});

describe("bitsets", () => {
  it("have row i in bit i & 7 of byte i >> 3", () => {
    const mask = unpack(Uint8Array.of(0b00000001, 0b00000110), 11);
    expect([...mask]).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
  });
});

describe("what a clause needs", () => {
  const frame = frameOf(smallFrame());
  it("is here for scores, collections and the plan, and asked for otherwise", () => {
    const bases = {
      uniqueness: [[0, 1], "scores"],
      collections: [{ include: ["A"] }, "collections"],
      plan: [{ any: ["keep"] }, "plan"],
      width: [[0, null], "column"],
      kind: [{ any: ["near"] }, "column"],
      path: [{ contains: "a" }, "match"],
      group: [{ null: false }, "match"],
      label_conflict: [true, "match"],
      leakage: [true, "match"],
      where: [{ text: "…", expression: "1" }, "match"],
      embedding: [{ null: true }, "match"],
      "not there": [[0, 1], "match"],
    } as const;
    for (const [key, [clause, basis]] of Object.entries(bases)) {
      expect(basisOf(key, clause, frame), key).toBe(basis);
    }
  });

  it("is Python's to know where the clause is of an unknown kind", () => {
    expect(basisOf("width", { between: [1, 2] }, frame)).toBe("match");
    expect(basisOf("uniqueness", { any: ["a"] }, frame)).toBe("match");
  });
});
