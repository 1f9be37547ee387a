import { describe, expect, it } from "vitest";
import { countGroups, countStaying, frameOf, readableRows, withoutKept } from "../src/data/frame";
import { smallFrame } from "./fake";

const frame = frameOf({
  ...smallFrame(),
  rows: 5,
  columns: [],
  score: "uniqueness",
  near: 0.05,
  similar: null,
  words: false,
  scores: new Float32Array([0, 0.2, 0.01, 0.9, Number.NaN]),
  kind: new Uint8Array([2, 2, 1, 0, 255]),
  keep: new Uint8Array([0, 1, 0, 1, 255]),
  band: new Uint32Array([1, 1, 1, 0, 0]),
  place: new Uint32Array([1, 0, 2, 0, 0]),
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
    expect(countGroups(frame, new Uint8Array([0, 0, 1, 1, 1]))).toBe(1);
    expect(countGroups(frame, new Uint8Array([0, 0, 0, 1, 1]))).toBe(0);
  });
});

describe("readableRows", () => {
  it("leaves out what could not be read, where the frame tells", () => {
    expect([...readableRows(frameOf(smallFrame()))]).toEqual([0, 1, 2, 3, 4, 5, 6]);
    const silent = { ...smallFrame(), kind: new Uint8Array(8).fill(255) };
    expect(readableRows(frameOf(silent)).count()).toBe(8);
  });
});

describe("countStaying", () => {
  it("counts images beside a group, and none that could not be read", () => {
    const keep = new Uint8Array([1, 1, 0, 0, 1, 1, 2, 255]);
    expect(countStaying(frameOf({ ...smallFrame(), keep }))).toBe(5);
  });
});
