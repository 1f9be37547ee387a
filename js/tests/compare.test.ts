import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Compare } from "../src/state/compare";
import { ExplorerState } from "../src/state/explorer";
import { GridView } from "../src/state/grid-view";
import type { Replies, TileInfo } from "../src/wire/protocol";
import {
  type SentMessage,
  settle,
  smallFrame,
  smallPlan,
  smallReview,
  smallTiles,
  TestModel,
  Told,
} from "./fake";

let lifetime: AbortController;
beforeEach(() => {
  lifetime = new AbortController();
});
afterEach(() => lifetime.abort());

/** Groups of rows 1, 3 (same pixels) and 4, 2, 6; rows 0 and 5 are in none. */
async function make(
  change: Partial<Replies["open_review"]> = {},
  hand: Record<number, Partial<TileInfo>> = {},
) {
  const frame = { ...smallFrame(), ...change };
  frame.columns = [
    ...frame.columns,
    { name: "fingerprint", type: "String", sortable: true, facet: "text" },
  ];
  const model = new TestModel(
    {
      open_review: () => frame,
      tiles: smallTiles((row) => ({ width: 400, height: 300, ...hand[row] })),
      beside: ({ others }) => ({
        facts: [],
        others: (others as number[]).map(() => ({
          identical: false,
          words: "resized to 50 %",
          agreement: 0.9,
          score: 0.1,
          map: [1, 0, 0, 0, 1, 0],
          box: [0, 0, 1, 1],
        })),
      }),
      decide: () => ({}),
      undo: () => ({}),
      redo: () => ({}),
    },
    { height: 300 },
  );
  const state = new ExplorerState(model, { signal: lifetime.signal });
  await settle();
  const view = new GridView(state, lifetime.signal);
  view.resize({ width: 600, size: 200 });
  const compare = new Compare(state, view, lifetime.signal);
  const press = async (...keys: string[]) => {
    for (const key of keys) {
      compare.key(key, { toggle: false, shift: false });
      await settle();
    }
  };
  const decided = () => model.ofKind("decide").map(({ change: it }) => it);
  return { model, state, view, compare, press, decided };
}

/** Answer a request by an event that marks rows as looked at together. */
const seen = (rows: number[], label: number) => (_: SentMessage) =>
  new Told([
    {
      event: "reviewed",
      rows: Uint32Array.from(rows),
      reviewed: new Uint32Array(rows.length).fill(label),
    },
  ]);

describe("the review", () => {
  it("opens by Enter at the group of the tile, keeper left and candidate right", async () => {
    const { view, compare } = await make();
    view.click(6, { toggle: false, shift: false });
    view.key("Enter", { toggle: false, shift: false });
    expect(compare.at.value).toBe(1);
    expect([...compare.members.value]).toEqual([4, 2, 6]);
    expect([compare.base.value, compare.candidate.value]).toEqual([4, 6]);
    expect(view.similarTo.value).toBeNull();
  });

  it("opens without a row at the first group that was not reviewed", async () => {
    const { compare } = await make({
      reviewed_rows: Uint32Array.from([1, 3]),
      reviewed: Uint32Array.from([2, 2]),
    });
    compare.open(null);
    expect([compare.at.value, compare.count.value]).toEqual([1, 2]);
  });

  it("shows an image of no group alone, and the next one in the grid's order", async () => {
    const { compare, press, decided } = await make();
    compare.open(5);
    expect([...compare.members.value]).toEqual([5]);
    await press("ArrowRight", "k", "n", "x");
    expect([...compare.members.value]).toEqual([0]);
    expect(decided()).toEqual([]);
  });

  it("takes one key for a group whose suggestion is right", async () => {
    const { compare, press, decided } = await make();
    compare.open(null);
    await press("Enter", "Enter");
    expect(decided()).toEqual([
      { what: "reviewed", rows: [1, 3], value: true },
      { what: "reviewed", rows: [4, 2, 6], value: true },
    ]);
    expect(compare.notice.value).toMatch(/last group/);
    await press("Escape");
    expect(compare.course.value).toBeNull();
  });

  it("keeps its order whatever is decided", async () => {
    const { model, compare, press } = await make();
    compare.open(4);
    // Another keeper, and row 6 in no group: the bands have other members in another order.
    model.answers.decide = () =>
      new Told([
        smallPlan({
          band: new Uint32Array([0, 2, 1, 2, 1, 0, 0, 0]),
          place: new Uint32Array([0, 0, 0, 1, 1, 0, 0, 0]),
          keep: new Uint8Array([1, 1, 1, 0, 0, 1, 1, 255]),
        }),
      ]);
    await press("k");
    expect([...compare.members.value]).toEqual([4, 2, 6]);
    expect([compare.base.value, compare.candidate.value]).toEqual([4, 2]);
    expect([compare.at.value, compare.count.value]).toEqual([1, 2]);
    // The next candidate is compared with the keeper as of now.
    await press("ArrowRight");
    expect([compare.base.value, compare.candidate.value]).toEqual([2, 6]);
  });

  it("goes through the candidates and leaves the keeper out", async () => {
    const { compare, press } = await make();
    compare.open(4);
    const passed = [compare.candidate.value];
    for (let i = 0; i < 3; i++) {
      await press("ArrowRight");
      passed.push(compare.candidate.value);
    }
    expect(passed).toEqual([2, 6, 2, 6]);
    await press("ArrowLeft");
    expect(compare.candidate.value).toBe(2);
  });

  it("sends what each key decides", async () => {
    const { compare, press, decided } = await make();
    compare.open(4);
    await press("k", "x", "b", "n");
    expect(decided()).toEqual([
      { what: "keepers", add: [2], remove: [] },
      { what: "keepers", add: [4, 2], remove: [] },
      { what: "keepers", add: [4, 2], remove: [] },
      { what: "not_duplicate", rows: [2], value: true },
    ]);
  });

  it("offers to keep both where pixels are identical, instead of not a duplicate", async () => {
    const { compare, press, decided } = await make();
    compare.open(1);
    await press("n");
    expect(decided()).toEqual([]);
    expect(compare.notice.value).toMatch(/Press B to keep both/);
  });

  it("takes back by U all that was decided of the group", async () => {
    const { compare, press, decided } = await make(
      {
        reviewed_rows: Uint32Array.from([2, 4, 6]),
        reviewed: Uint32Array.from([3, 3, 3]),
      },
      { 4: { chosen: true }, 6: { not_duplicate: true } },
    );
    compare.open(4);
    await settle();
    expect(compare.decided.value).toBe(2);
    await press("u");
    await settle();
    await settle();
    expect(decided()).toEqual([
      { what: "keepers", add: [], remove: [4] },
      { what: "not_duplicate", rows: [6], value: false },
      { what: "reviewed", rows: [4, 2, 6], value: false },
    ]);
  });

  it("comes back by undo to the group where the step was made", async () => {
    const { model, state, compare, press } = await make();
    model.answers.decide = seen([1, 3], 2);
    compare.open(null);
    await press("Enter");
    state.review.info.value = { ...smallReview(), undo: "mark 2 images as reviewed" };
    expect(compare.at.value).toBe(1);
    compare.undo();
    await settle();
    expect(compare.at.value).toBe(0);
    expect(model.ofKind("undo")).toHaveLength(1);
    state.review.info.value = { ...smallReview(), redo: "mark 2 images as reviewed" };
    compare.go(1);
    compare.redo();
    expect(compare.at.value).toBe(0);
  });

  it("counts what was reviewed, and can be filtered by it", async () => {
    const { model, state, compare, press } = await make();
    model.answers.decide = seen([1, 3], 2);
    compare.open(null);
    expect(state.reviewed.progress.value).toEqual({ groups: 2, reviewed: 0 });
    await press("Enter");
    expect(state.reviewed.progress.value).toEqual({ groups: 2, reviewed: 1 });
    state.filtering.set("reviewed", { any: [false] });
    expect([...state.shown.value!.items.rows]).toEqual([4, 2, 6]);
    state.filtering.set("reviewed", { any: [true] });
    expect([...state.shown.value!.items.rows]).toEqual([1, 3]);
  });

  it("says that a group with a new picture was not reviewed", async () => {
    const { state } = await make({
      reviewed_rows: Uint32Array.from([1, 3, 4, 2]),
      reviewed: Uint32Array.from([2, 2, 3, 3]),
    });
    expect(state.reviewed.progress.value).toEqual({ groups: 2, reviewed: 1 });
  });

  it("fetches the next group's pictures before they are seen", async () => {
    const { model, compare } = await make();
    compare.open(null);
    compare.want([{ row: 1, side: 1024, box: null }]);
    await settle();
    expect(model.ofKind("picture").map(({ row }) => row)).toEqual([1, 4]);
    expect(model.ofKind("beside").map(({ row }) => row)).toEqual([1, 4]);
    compare.close();
    expect(model.ofKind("cancel")).toHaveLength(2);
  });

  it("shows the other picture while Space is held", async () => {
    const { compare, press } = await make();
    compare.open(null);
    await press("2", " ");
    expect([compare.mode.value, compare.flipped.value]).toEqual(["flip", true]);
    compare.keyUp(" ");
    expect(compare.flipped.value).toBe(false);
  });
});
