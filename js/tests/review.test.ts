import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ExplorerState } from "../src/state/explorer";
import type { ReviewInfo } from "../src/wire/protocol";
import {
  type SentMessage,
  settle,
  smallFrame,
  smallPlan,
  smallReview,
  TestModel,
  Told,
} from "./fake";

let lifetime: AbortController;
beforeEach(() => {
  vi.useFakeTimers();
  lifetime = new AbortController();
});
afterEach(() => {
  lifetime.abort();
  vi.useRealTimers();
});

const reviewed = (change: Partial<ReviewInfo> = {}) => ({
  event: "review",
  review: { ...smallReview(), ...change },
});
const told = (change: Partial<ReviewInfo> = {}) => new Told([reviewed(change)]);
const near = ({ change }: SentMessage) => (change as { near: number | null }).near;

async function make(answers: TestModel["answers"] = {}) {
  const model = new TestModel({ open_review: () => smallFrame(), ...answers });
  const state = new ExplorerState(model, { signal: lifetime.signal });
  await settle();
  const decided = () => model.ofKind("decide").map(({ change }) => change);
  return { model, state, review: state.review, decided };
}

describe("moving the near boundary", () => {
  it("sends one value at a time, and always the last one", async () => {
    const { model, review } = await make();
    review.setNear(0.01);
    await vi.advanceTimersByTimeAsync(0);
    for (const value of [0.02, 0.03, 0.04]) {
      review.setNear(value);
      await vi.advanceTimersByTimeAsync(200);
    }
    expect(model.ofKind("decide").map(near)).toEqual([0.01]);
    model.reply(model.ofKind("decide")[0], told({ near: 0.01 }));
    await vi.advanceTimersByTimeAsync(200);
    expect(model.ofKind("decide").map(near)).toEqual([0.01, 0.04]);
    model.reply(model.ofKind("decide")[1], told({ near: 0.04 }));
    await vi.advanceTimersByTimeAsync(1000);
    expect(model.ofKind("decide")).toHaveLength(2);
    expect(review.busy.value).toBe(false);
  });

  it("goes at a pace that Python can follow", async () => {
    const { model, review } = await make({ decide: (sent) => told({ near: near(sent)! }) });
    for (let i = 0; i < 100; i++) {
      review.setNear(i / 1000);
      await vi.advanceTimersByTimeAsync(10);
    }
    await vi.advanceTimersByTimeAsync(200);
    const sent = model.ofKind("decide").map(near);
    expect(sent.length).toBeLessThanOrEqual(12);
    expect(sent.at(-1)).toBe(0.099);
  });

  it("shows the value under the hand, not the one that Python is at", async () => {
    const { model, review } = await make();
    review.setNear(0.01);
    await vi.advanceTimersByTimeAsync(0);
    review.setNear(0.02);
    model.reply(model.ofKind("decide")[0], told({ near: 0.01 }));
    await settle();
    expect(review.info.value?.near).toBe(0.01);
    expect(review.near.value).toBe(0.02);
  });

  it("falls back to what holds when Python refuses, and says why", async () => {
    const { review } = await make({ decide: () => new Error("near is 2; it must lie in [0, 1]") });
    review.setNear(2);
    await vi.advanceTimersByTimeAsync(200);
    expect(review.near.value).toBe(0.05);
    expect(review.error.value).toBe("near is 2; it must lie in [0, 1]");
  });

  it("back to where the frame was scored sends null", async () => {
    const { review, decided } = await make();
    review.info.value = { ...smallReview(), near: 0.08 };
    review.setNear(null);
    expect(review.near.value).toBe(0.05);
    await vi.advanceTimersByTimeAsync(200);
    expect(decided()).toEqual([{ what: "near", near: null }]);
  });
});

describe("undo", () => {
  it("comes after all that is on screen: selection, filters and a boundary still moving", async () => {
    const { model, state, review } = await make();
    review.setNear(0.01);
    await vi.advanceTimersByTimeAsync(0);
    review.setNear(0.02);
    state.selection.only(3);
    void review.undo();
    await settle();
    const kinds = () => model.sent.map(({ content }) => content.kind);
    // Python works on slow requests beside others, so each waits for the one before it.
    expect(kinds()).toEqual(["open_review", "decide", "select"]);
    model.answers.decide = (sent) => told({ near: near(sent)! });
    model.reply(model.ofKind("decide")[0], told({ near: 0.01 }));
    await settle();
    expect(kinds()).toEqual(["open_review", "decide", "select", "decide", "undo"]);
    expect(near(model.ofKind("decide")[1])).toBe(0.02);
  });

  it("says why it cannot be done; the next success takes that away", async () => {
    const { model, review } = await make({ undo: () => new Error("the store is locked") });
    await review.undo();
    expect(review.error.value).toBe("the store is locked");
    model.answers.redo = () => told({ undo: "select 2 images" });
    await review.redo();
    expect(review.error.value).toBeNull();
    expect(review.info.value?.undo).toBe("select 2 images");
  });
});

describe("a decision", () => {
  it("follows what was selected before it", async () => {
    const { model, state, review } = await make();
    state.selection.only(3);
    void review.keep(3, true);
    await settle();
    expect(model.sent.slice(-2).map(({ content }) => content.kind)).toEqual(["select", "decide"]);
  });

  it("that was lost on the way is sent again, for doing it twice changes nothing", async () => {
    const { model, review, decided } = await make();
    void review.notDuplicates([2], true);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(review.error.value).toBeNull();
    model.answers.decide = () => told({ not_duplicates: 1 });
    model.tell(reviewed());
    await vi.advanceTimersByTimeAsync(0);
    const change = { what: "not_duplicate", rows: [2], value: true };
    expect(decided()).toEqual([change, change]);
    expect(review.info.value?.not_duplicates).toBe(1);
  });
});

describe("a connection that breaks while the boundary is moved", () => {
  it("comes back to the value that was set last", async () => {
    const { model, review } = await make();
    review.setNear(0.01);
    await vi.advanceTimersByTimeAsync(0);
    review.setNear(0.02);
    await vi.advanceTimersByTimeAsync(20_000);
    model.answers.decide = (sent) => told({ near: near(sent)! });
    model.tell(reviewed());
    await vi.advanceTimersByTimeAsync(1000);
    expect(model.ofKind("decide").map(near)).toEqual([0.01, 0.01, 0.02]);
    expect(review.near.value).toBe(0.02);
    expect(review.busy.value).toBe(false);
  });
});

describe("the keeper rules", () => {
  it("show as edited before Python answers", async () => {
    const { review, decided } = await make();
    review.setRules(["bytes", "pixels"]);
    expect(review.rules.value.map(({ about }) => about)).toEqual(["most bytes", "most pixels"]);
    await vi.advanceTimersByTimeAsync(0);
    expect(decided()).toEqual([{ what: "rules", rules: ["bytes", "pixels"] }]);
  });
});

describe("another plan", () => {
  const tellPlan = async (model: TestModel) => {
    model.tell(smallPlan({ near: 0.08 }));
    model.tell(reviewed({ near: 0.08 }));
    await settle();
  };

  it("moves the near boundary of the frame, and what the tiles say is asked for anew", async () => {
    const { model, state } = await make({
      tiles: () => ({ tiles: [], blob: new Uint8Array(0) }),
    });
    state.tiles.want(state, [1, 3]);
    await settle();
    await tellPlan(model);
    expect(state.frame.value?.near).toBe(0.08);
    expect(state.review.near.value).toBe(0.08);
    expect(model.ofKind("tiles").at(-1)).toMatchObject({ rows: [1, 3], thumbs: false });
  });

  it("asks anew for the order by what it changes, and by nothing else", async () => {
    const order = () => ({ rank: new Uint32Array(8) });
    const { model, state } = await make({ order });
    state.setSort({ column: "width" });
    await settle();
    await tellPlan(model);
    expect(model.ofKind("order")).toHaveLength(1);
    state.setSort({ column: "group" });
    await settle();
    await tellPlan(model);
    expect(model.ofKind("order").map(({ column }) => column)).toEqual(["width", "group", "group"]);
  });
});
