import { describe, expect, it } from "vitest";
import {
  accepted,
  badgeOf,
  bandedBy,
  frameOf,
  keptBeside,
  readableOf,
  readableRows,
  seenRows,
  withoutKept,
  withStanding,
} from "../src/data/frame";
import { packed, smallFrame } from "./fake";

const frame = frameOf({
  ...smallFrame(),
  rows: 5,
  columns: [],
  score: "uniqueness",
  near: 0.05,
  similar: null,
  words: false,
  scores: new Float32Array([0, 0.2, 0.01, 0.9, Number.NaN]),
  kind: packed([2, 2, 1, 0, 255]),
  keep: packed([0, 1, 0, 1, 255]),
  banded: new Uint32Array([1, 0, 2]),
  band_sizes: new Uint32Array([3]),
  selected: new Uint8Array(1),
});

describe("what is suggested to go", () => {
  it("is what is shown without keepers, images in no group and unreadable files", () => {
    expect([...withoutKept(frame, new Uint8Array([1, 1, 1, 1, 1]))]).toEqual([1, 0, 1, 0, 0]);
  });

  it("never has an image that the filter hides", () => {
    expect([...withoutKept(frame, new Uint8Array([0, 1, 1, 1, 1]))]).toEqual([0, 0, 1, 0, 0]);
  });
});

describe("groups", () => {
  it("count when a member is shown", () => {
    expect(bandedBy(frame, new Uint8Array([0, 0, 1, 1, 1]), true).groups).toBe(1);
    expect(bandedBy(frame, new Uint8Array([0, 0, 0, 1, 1]), true).groups).toBe(0);
  });

  it("have their hidden keepers beside what is shown of them, where these are wanted", () => {
    const seen = (mask: Uint8Array, keepers: boolean) => [
      ...seenRows(frame, mask, bandedBy(frame, mask, keepers)),
    ];
    const mask = new Uint8Array([1, 0, 0, 1, 0]);
    expect(seen(mask, true)).toEqual([1, 1, 0, 1, 0]);
    expect(seen(mask, false)).toEqual([1, 0, 0, 1, 0]);
    expect(seen(new Uint8Array([0, 0, 0, 1, 1]), true)).toEqual([0, 0, 0, 1, 1]);
  });
});

describe("what stays on screen though the filter hides it by now", () => {
  it("is seen, and not counted as hidden of what goes", () => {
    const mask = new Uint8Array([0, 0, 1, 0, 0]);
    const banded = bandedBy(frame, mask, false);
    expect(accepted(frame, banded)).toEqual({ count: 2, hidden: 1 });
    const standing = withStanding(frame, banded, Uint32Array.of(0, 2));
    expect(accepted(frame, standing)).toEqual({ count: 2, hidden: 0 });
    expect([...banded.drawn].filter(Boolean)).toHaveLength(1);
  });
});

describe("the badge", () => {
  it("is what an image goes as, also where its copies go too", () => {
    const copies = frameOf({ ...smallFrame(), kind: packed([0, 2, 2, 2, 1, 0, 2, 3]) });
    copies.scores[6] = 0;
    expect([1, 2, 3, 4, 5, 6].map((row) => badgeOf(copies, row))).toEqual([
      ...["keeper", "near", "exact", "keeper", null, "exact"],
    ]);
  });
});

describe("readableRows", () => {
  it("leaves out what could not be read, where the frame tells", () => {
    expect([...readableRows(frameOf(smallFrame()))]).toEqual([0, 1, 2, 3, 4, 5, 6]);
    const silent = { ...smallFrame(), kind: new Uint8Array(8).fill(255) };
    expect(readableRows(frameOf(silent)).count()).toBe(8);
  });
});

describe("a plan that is accepted", () => {
  const all = new Uint8Array(8).fill(1);
  // 1 keeps its copy 3, and 4, of which 6 is a copy.
  const mixed = frameOf({
    ...smallFrame(),
    scores: new Float32Array([0.9, 0.02, 0.5, 0, 0.02, 0.5, 0, Number.NaN]),
    keep: packed([1, 1, 1, 0, 0, 1, 0, 255]),
    banded: new Uint32Array([1, 3, 4, 6]),
    band_sizes: new Uint32Array([4]),
  });
  const rows = (mask: Uint8Array) => {
    const goes = new Uint8Array(8);
    const { count } = accepted(mixed, bandedBy(mixed, mask, true), goes);
    const all = [...goes].flatMap((on, i) => (on ? [i] : []));
    expect(all).toHaveLength(count);
    return all;
  };

  it("takes what goes and is shown", () => {
    expect(rows(all)).toEqual([3, 4, 6]);
    expect(rows(new Uint8Array([1, 1, 1, 1, 0, 0, 0, 0]))).toEqual([3]);
  });

  it("takes the exact copies of a near-duplicate's group along, shown or not", () => {
    const mask = new Uint8Array([0, 0, 0, 0, 1, 0, 0, 0]);
    expect(rows(mask)).toEqual([3, 4, 6]);
    expect(accepted(mixed, bandedBy(mixed, mask, true)).hidden).toBe(2);
  });
});

describe("who is kept so that an exact copy stays", () => {
  const small = frameOf(smallFrame());

  it("is the copy and the keepers of its group", () => {
    expect(keptBeside(small, 3)).toEqual([1, 3]);
  });

  it("is the whole group, of a keeper of nothing but its copies", () => {
    expect(keptBeside(small, 1)).toEqual([1, 3]);
  });

  it("is nobody for what is another picture", () => {
    expect([0, 2, 4, 7].map((row) => keptBeside(small, row))).toEqual([null, null, null, null]);
  });
});

describe("readable rows of what is shown", () => {
  const small = frameOf(smallFrame());

  it("are all but the files that could not be read", () => {
    expect([...readableOf(small, new Uint8Array([0, 0, 0, 0, 0, 1, 1, 1]))]).toEqual([
      0, 0, 0, 0, 0, 1, 1, 0,
    ]);
  });

  it("are those files where no other is shown", () => {
    const broken = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 1]);
    expect(readableOf(small, broken)).toEqual(broken);
  });
});
