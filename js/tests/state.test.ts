import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Bitset } from "../src/data/bitset";
import { ExplorerState } from "../src/state/explorer";
import { HistogramState } from "../src/state/range-histogram";
import type { Replies } from "../src/wire/protocol";
import { settle, smallFrame, TestModel, Told } from "./fake";

let lifetime: AbortController;
beforeEach(() => {
  vi.useFakeTimers();
  lifetime = new AbortController();
});
afterEach(() => {
  lifetime.abort();
  vi.useRealTimers();
});

async function make(answers: TestModel["answers"] = {}, traits: Record<string, unknown> = {}) {
  const model = new TestModel({ open_review: () => smallFrame(), ...answers }, traits);
  const state = new ExplorerState(model, { signal: lifetime.signal });
  await settle();
  return { model, state };
}

const bits = (size: number, ...rows: number[]) => {
  const set = new Bitset(size);
  for (const row of rows) set.add(row);
  return set.bytes;
};

describe("ExplorerState", () => {
  it("shows everything in groups by uniqueness, keepers first, unreadable last", async () => {
    const { state } = await make();
    expect([...state.shown.value!.items.rows]).toEqual([1, 3, 4, 2, 6, 5, 0, 7]);
    expect(state.shown.value!.banded.groups).toBe(2);
  });

  it("filters in the browser and keeps the hidden keeper as a context tile", async () => {
    const { model, state } = await make();
    state.setRange([0, 0.0001]);
    const { count, items, mask, banded } = state.shown.value!;
    expect(count).toBe(1);
    expect([...items.rows]).toEqual([1, 3]);
    expect(mask[1]).toBe(0);
    expect(banded.groups).toBe(1);
    expect(model.sent.map(({ content }) => content.kind)).toEqual(["open_review"]);
  });

  it("leaves context tiles out when keepers are not to be shown", async () => {
    const { state } = await make();
    state.setRange([0, 0.0001]);
    state.screen.showKeepers.value = false;
    expect([...state.shown.value!.items.rows]).toEqual([3]);
  });

  it("writes the filters at most five times a second, the last one always", async () => {
    const { model, state } = await make();
    const saved = vi.spyOn(model, "save_changes");
    for (let i = 1; i <= 50; i++) {
      state.setRange([0, i / 100]);
      vi.advanceTimersByTime(10);
    }
    vi.advanceTimersByTime(200);
    expect(saved.mock.calls.length).toBeLessThanOrEqual(4);
    expect(model.get("_filters")).toEqual({ uniqueness: [0, 0.5] });
  });

  it("follows the traits that Python sets", async () => {
    const { model, state } = await make({}, { _filters: { uniqueness: [0, 0.05] } });
    expect(state.range.value).toEqual([0, 0.05]);
    model.change("_filters", {});
    expect(state.range.value).toBeNull();
    model.change("_sort", { column: "uniqueness", descending: true, grouped: false });
    expect([...state.shown.value!.items.rows]).toEqual([0, 5, 1, 6, 2, 4, 3, 7]);
  });

  it("asks Python for the ranks of other columns", async () => {
    const { model, state } = await make();
    state.setSort({ column: "path", grouped: false });
    expect(state.sorting.value).toBe("path");
    const rank = Uint32Array.from([7, 6, 5, 4, 3, 2, 1, 0]);
    model.reply(model.ofKind("order")[0], { rank });
    await settle();
    expect([...state.shown.value!.items.rows]).toEqual([7, 6, 5, 4, 3, 2, 1, 0]);
    expect(state.sorting.value).toBeNull();
  });

  it("says so when a column cannot be sorted by, and keeps the order", async () => {
    const { state } = await make({ order: () => new TypeError("it holds lists") });
    state.setSort({ column: "embedding" });
    await settle();
    expect(state.sortError.value).toContain("it holds lists");
    expect(state.shown.value!.items).toHaveLength(8);
  });

  it("tells how many picked rows the filter hides", async () => {
    const { state } = await make();
    state.selection.replace([0, 3]);
    state.setRange([0, 0.0001]);
    expect(state.selection.count).toBe(2);
    expect(state.hiddenPicked.value).toBe(1);
  });

  it("sends the selection at most ten times a second, the last one always", async () => {
    const { model, state } = await make({ select: () => ({ count: 0 }) });
    for (let i = 0; i < 30; i++) {
      state.selection.only(i % 8);
      vi.advanceTimersByTime(10);
    }
    vi.advanceTimersByTime(200);
    const sent = model.sent.filter(({ content }) => content.kind === "select");
    expect(sent.length).toBeLessThanOrEqual(5);
    expect([...new Uint8Array(sent.at(-1)!.buffers[0])]).toEqual([...bits(8, 29 % 8)]);
  });

  it("takes over a selection from Python or another page, not its own echo", async () => {
    const { model, state } = await make();
    const event = (origin: number | null) =>
      model.tell({ event: "selection", rows: bits(8, 2, 5), origin });
    event(state.rpc.client);
    expect(state.selection.count).toBe(0);
    event(null);
    expect(state.selection.count).toBe(2);
    vi.advanceTimersByTime(500);
    expect(model.ofKind("select")).toHaveLength(0);
  });

  it("sends what is selected before it makes a collection of it", async () => {
    const collections = [{ name: "Keep", size: 2, description: "" }];
    const members = bits(8, 1, 2).slice();
    const { model, state } = await make({
      collect: () => new Told([{ event: "collections", collections, members }], { size: 2 }),
    });
    state.selection.replace([1, 2]);
    const size = await state.catalogue.collect({ name: "Keep", of: "selection", how: "replace" });
    expect(size).toBe(2);
    expect(model.sent.map(({ content }) => content.kind)).toEqual([
      "open_review",
      "select",
      "collect",
    ]);
    expect(state.catalogue.collections.value).toEqual(collections);
    expect(state.catalogue.tagsOf(2)).toEqual(["Keep"]);
  });

  it("opens again when the frame was replaced", async () => {
    const { model, state } = await make();
    const next: Replies["open_review"] = {
      ...smallFrame(),
      rows: 2,
      scores: Float32Array.of(0.3, 0.2),
    };
    for (const name of ["kind", "keep"] as const) next[name] = new Uint8Array(2);
    for (const name of ["banded", "band_sizes"] as const) next[name] = new Uint32Array(0);
    model.answers.open_review = () => next;
    state.open();
    expect(state.status.value.kind).toBe("loading");
    await settle();
    expect([...state.shown.value!.items.rows]).toEqual([1, 0]);
  });

  it("shows Python's error and opens again on demand", async () => {
    const { model, state } = await make({ open_review: () => new Error("no column “path”") });
    const { status } = state;
    expect(status.value).toMatchObject({ kind: "error", message: "no column “path”" });
    model.answers.open_review = () => smallFrame();
    if (status.value.kind === "error") status.value.retry();
    await settle();
    expect(status.value.kind).toBe("ready");
  });

  it("opens anew when a kernel that was lost is back", async () => {
    const model = new TestModel();
    const state = new ExplorerState(model, { signal: lifetime.signal });
    await vi.advanceTimersByTimeAsync(8100);
    expect(state.rpc.lost.value).toBe(true);
    model.answers = { open_review: () => smallFrame(), ping: () => ({}) };
    await vi.advanceTimersByTimeAsync(3100);
    await settle();
    expect(state.status.value.kind).toBe("ready");
    expect(state.rpc.lost.value).toBe(false);
  });
});

describe("HistogramState", () => {
  it("counts what its range leaves", async () => {
    const values = Float32Array.from([0, 0.1, 0.5, 1]);
    const model = new TestModel(
      { open_histogram: () => ({ values }) },
      { value: [0, 0.5], log: true },
    );
    const state = new HistogramState(model, { signal: lifetime.signal });
    await settle();
    expect(state.count.value).toBe(3);
    state.setRange(null);
    vi.advanceTimersByTime(200);
    expect(model.get("value")).toEqual([0, 1]);
    expect(state.shownRange.value).toBeNull();
  });
});
