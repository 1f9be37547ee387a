import { describe, expect, it } from "vitest";
import { Bitset } from "../src/data/bitset";
import { frameOf } from "../src/data/frame";
import { headlineOf } from "../src/data/headline";
import { changesOf, countsOf, furtherFilters, isPressed, shortcutsOf } from "../src/data/overview";
import { smallFrame } from "./fake";

const frame = frameOf(smallFrame());
const counts = countsOf(frame);
const all = shortcutsOf(frame, counts);
const labels = (shortcuts: typeof all) => shortcuts.map(({ count, unit }) => `${count} ${unit}`);
const named = (unit: string) => all.find((shortcut) => shortcut.unit.startsWith(unit))!;

describe("the overview", () => {
  it("counts each image once, as what can go, what stays, or what cannot be read", () => {
    expect(labels(all)).toEqual([
      "8 images",
      "1 exact copy",
      "2 near-duplicates",
      "4 kept",
      "1 unreadable",
    ]);
    const { exact, near, kept, unreadable } = counts;
    expect(exact + near + kept + unreadable).toBe(frame.rows);
    expect([counts.exactGroups, counts.nearGroups, counts.nearReviewed]).toEqual([1, 1, 0]);
    expect(countsOf(frame, Uint8Array.of(0, 1, 1)).nearReviewed).toBe(1);
  });

  it("counts by the scores alone where there is no plan", () => {
    const plain = shortcutsOf(frame, null);
    expect(labels(plain)).toEqual([
      "8 images",
      "1 exact copy",
      "3 near-duplicates",
      "1 unreadable",
    ]);
    expect(plain[2].set).toEqual({ uniqueness: [0.0001, 0.05] });
  });

  it("says of near-duplicates whether somebody laid them over each other", () => {
    const summary = { ...frame.summary, compared: 12, unconfirmed: 1 };
    const confirmed = shortcutsOf({ ...frame, summary }, counts);
    expect(confirmed[2].title).toContain("confirmed by laying one picture over the other");
    const wide = shortcutsOf({ ...frame, summary, near: 0.4 }, counts);
    expect(labels(wide).slice(2, 4)).toEqual(["1 near-duplicate", "1 similar (not confirmed)"]);
  });

  it("has label conflicts and leakage where the frame has labels and splits", () => {
    const summary = { ...frame.summary, label_conflicts: 3, leakage: 0 };
    const more = shortcutsOf({ ...frame, summary }, counts).filter(({ apart }) => apart);
    expect(labels(more)).toEqual(["3 label conflicts", "0 leakage"]);
  });

  it("says of a frame without scores what there is", () => {
    const plain = frameOf({
      ...smallFrame(),
      score: null,
      scores: new Float32Array(8).fill(Number.NaN),
    });
    expect(labels(shortcutsOf(plain, null))).toEqual(["8 images", "1 unreadable"]);
  });

  it("takes the other shortcuts' clauses away and leaves the rest", () => {
    const none = { uniqueness: null, plan: null, group: null, error: null };
    const set = { ...none, label_conflict: null, leakage: null };
    expect(changesOf(named("exact"), all)).toEqual({ ...set, uniqueness: [0, 0.0001] });
    expect(changesOf(named("kept"), all)).toEqual({
      ...set,
      plan: { any: ["keep"] },
      error: { null: true },
    });
    expect(changesOf(named("exact"), all, true)).toEqual(set);
  });

  it("shows which shortcut is in force, and which filters are beyond it", () => {
    const pressed = (clauses: object) =>
      all.filter((shortcut) => isPressed(shortcut, all, { ...clauses })).map(({ unit }) => unit);
    const exact = { uniqueness: [0, 0.0001] } as const;
    const near = { uniqueness: [0.0001, 0.05], plan: { any: ["remove"] } } as const;
    expect(pressed({})).toEqual(["images"]);
    expect(pressed(exact)).toEqual(["exact copy"]);
    expect(pressed({ ...near, width: [0, 9] })).toEqual(["near-duplicates"]);
    expect(pressed({ ...exact, group: { null: false } })).toEqual([]);
    expect(pressed({ width: [0, 9] })).toEqual([]);
    expect(furtherFilters(all, { ...near, width: [0, 9] })).toEqual(["width"]);
    expect(furtherFilters(all, { uniqueness: [0, 0.5] })).toEqual(["uniqueness"]);
  });

  it("counts the images on which objects are annotated, where there are some", () => {
    const more = { ...frame, summary: { ...frame.summary, annotated: 5 } };
    const found = shortcutsOf(more, null).filter(({ of }) => of === "annotated");
    expect(found.map(({ count, set }) => [count, set])).toEqual([
      [5, { annotations: { null: false } }],
    ]);
    expect(shortcutsOf(frame, null).some(({ of }) => of === "annotated")).toBe(false);
  });

  it("holds the near-duplicates that go, up to the boundary if their scores tell them", () => {
    const near = (boundary: number) => shortcutsOf({ ...frame, near: boundary }, counts)[2].set;
    expect(near(0.05)).toEqual({ uniqueness: [0.0001, 0.05], plan: { any: ["remove"] } });
    expect(near(0.02)).toEqual({ uniqueness: [0.0001, null], plan: { any: ["remove"] } });
  });
});

describe("the first line", () => {
  const line = (change: Partial<Parameters<typeof headlineOf>[0]> = {}) =>
    headlineOf({ frame, counts, off: null, collections: new Map(), ...change });
  const some = (...rows: number[]) => {
    const members = new Bitset(8);
    for (const row of rows) members.add(row);
    return new Map([["Unique", members]]);
  };

  it("says in one sentence what can go, and how much that frees", () => {
    expect(line()).toEqual({
      text: "8 images: 1 exact copy in 1 group can go (2 kB). 2 near-duplicates want a look.",
      done: null,
      exact: 1,
      near: 2,
      reviewed: [0, 1],
    });
    expect(line({ counts: countsOf(frame, Uint8Array.of(0, 0, 1)) }).text).toContain(
      "2 near-duplicates can go, and you have looked at them.",
    );
    expect(line({ counts: { ...counts, exactBytes: 7e6 } }).text).toContain("can go (7 MB).");
    expect(line({ counts: { ...counts, exact: 0 } }).text).toBe(
      "8 images: 2 near-duplicates in 1 group want a look.",
    );
  });

  it("says that there is nothing to do, or why nothing can be done", () => {
    const none = { ...counts, exact: 0, near: 0 };
    expect(line({ counts: none }).text).toBe(
      "8 images, and no duplicate that can go. 1 file cannot be read.",
    );
    expect(line({ counts: null, off: "no column “group”" })).toMatchObject({
      text: "8 images. No plan: no column “group”.",
      exact: 0,
      near: 0,
    });
  });

  it("says which collection holds what stays, once there is one", () => {
    expect(line({ collections: some(0, 1, 2, 4, 5, 6) })).toMatchObject({
      text: "“Unique” holds 6 images, without the 1 exact copy. 2 near-duplicates want a look.",
      done: "Unique",
      exact: 0,
      near: 2,
    });
    expect(line({ collections: some(0, 1, 4, 5) })).toEqual({
      text: "“Unique” holds the 4 images that stay; 3 images can go.",
      done: "Unique",
      exact: 0,
      near: 0,
      reviewed: [0, 1],
    });
    expect(line({ collections: some(0, 1, 4) }).done).toBeNull();
  });
});
