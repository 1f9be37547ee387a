import { describe, expect, it } from "vitest";
import { frameOf } from "../src/data/frame";
import { changesOf, isPressed, shortcutsOf } from "../src/data/overview";
import { smallFrame } from "./fake";

const frame = frameOf(smallFrame());
const all = shortcutsOf(frame);
const labels = (shortcuts: typeof all) => shortcuts.map(({ count, unit }) => `${count} ${unit}`);
const named = (unit: string) => all.find((shortcut) => shortcut.unit.startsWith(unit))!;

describe("the overview", () => {
  it("counts what can go: exact duplicates, and what is near but not the same", () => {
    expect(labels(all)).toEqual([
      "8 images",
      "1 exact duplicate",
      "2 near-duplicates",
      "2 groups",
      "1 unreadable",
    ]);
  });

  it("tells what was confirmed from what is only similar, where pictures were compared", () => {
    const summary = { ...frame.summary, compared: 12 };
    expect(labels(shortcutsOf({ ...frame, summary })).slice(2, 3)).toEqual([
      "2 near-duplicates (confirmed)",
    ]);
    const keep = frame.keep.slice();
    keep[5] = 0;
    const more = { ...summary, near: 3, unconfirmed: 1 };
    const wide = shortcutsOf({ ...frame, keep, summary: more, near: 0.5 });
    expect(labels(wide).slice(2, 4)).toEqual([
      "2 near-duplicates (confirmed)",
      "1 similar (not confirmed)",
    ]);
    expect(wide[3].set).toEqual({ uniqueness: [0.05, 0.5], plan: { any: ["remove"] } });
  });

  it("has label conflicts and leakage where the frame has labels and splits", () => {
    const summary = { ...frame.summary, label_conflicts: 3, leakage: 0 };
    expect(labels(shortcutsOf({ ...frame, summary })).slice(5)).toEqual([
      "3 label conflicts",
      "0 leakage",
    ]);
  });

  it("says of a frame without scores what there is", () => {
    const plain = frameOf({
      ...smallFrame(),
      score: null,
      scores: new Float32Array(8).fill(Number.NaN),
    });
    expect(labels(shortcutsOf(plain))).toEqual(["8 images", "2 groups", "1 unreadable"]);
  });

  it("takes the other shortcuts' clauses away and leaves the rest", () => {
    expect(changesOf(named("exact"), all)).toEqual({
      uniqueness: [0, 0.0001],
      plan: null,
      group: null,
      error: null,
      label_conflict: null,
      leakage: null,
    });
    expect(changesOf(named("group"), all)).toMatchObject({
      uniqueness: null,
      group: { null: false },
    });
  });

  it("shows which shortcut is in force", () => {
    const pressed = (clauses: object) =>
      all.filter((shortcut) => isPressed(shortcut, all, { ...clauses })).map(({ unit }) => unit);
    expect(pressed({})).toEqual(["images"]);
    expect(pressed({ uniqueness: [0, 0.0001] })).toEqual(["exact duplicate"]);
    expect(
      pressed({ uniqueness: [0.0001, 0.05], plan: { any: ["remove"] }, width: [0, 9] }),
    ).toEqual(["near-duplicates"]);
    expect(pressed({ uniqueness: [0, 0.0001], group: { null: false } })).toEqual([]);
    expect(pressed({ width: [0, 9] })).toEqual([]);
  });

  it("takes an open range where scores are a scale of their own", () => {
    const [, , near] = shortcutsOf({ ...frame, near: 0.02 });
    expect(near.set).toEqual({ uniqueness: [0.0001, null], plan: { any: ["remove"] } });
  });
});
