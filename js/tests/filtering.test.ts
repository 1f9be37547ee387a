import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Bitset } from "../src/data/bitset";
import type { Clause } from "../src/data/filters";
import { ExplorerState } from "../src/state/explorer";
import { type SentMessage, settle, smallFrame, smallPlan, TestModel } from "./fake";

let lifetime: AbortController;
beforeEach(() => {
  vi.useFakeTimers();
  lifetime = new AbortController();
});
afterEach(() => {
  lifetime.abort();
  vi.useRealTimers();
});

const bits = (...rows: number[]) => {
  const set = new Bitset(8);
  for (const row of rows) set.add(row);
  return set.bytes;
};

const widths = () => ({
  facet: "number" as const,
  values: Float64Array.of(100, 200, 300, 400, 500, 600, 700, Number.NaN),
});
const kinds = () => ({
  facet: "category" as const,
  codes: Uint32Array.of(2, 0, 1, 0, 1, 2, 1, 3),
  labels: ["exact", "near", "unique", null],
});
const columns: Record<string, () => ReturnType<typeof widths> | ReturnType<typeof kinds>> = {
  width: widths,
  kind: kinds,
};
const column = ({ column }: SentMessage) => columns[column as string]();

async function make(answers: TestModel["answers"] = {}, filters: Record<string, Clause> = {}) {
  const model = new TestModel(
    { open_review: () => smallFrame(), ...answers },
    { _filters: filters },
  );
  const state = new ExplorerState(model, { signal: lifetime.signal });
  await settle();
  const rows = () => [...state.filtering.mask.value!].flatMap((on, row) => (on ? [row] : []));
  return { model, state, filtering: state.filtering, rows };
}

const everything = [0, 1, 2, 3, 4, 5, 6, 7];

describe("the mask", () => {
  it("asks for a column once, and keeps everything while it is on its way", async () => {
    const { model, filtering, rows } = await make();
    filtering.set("width", [200, 400]);
    expect(rows()).toEqual(everything);
    expect(filtering.pending.value).toBe(true);
    expect(filtering.statusOf("width")).toMatchObject({ pending: true, error: null });
    const [request] = model.ofKind("column");
    expect(request.column).toBe("width");
    model.reply(request, widths());
    await settle();
    expect(rows()).toEqual([1, 2, 3]);
    expect(filtering.pending.value).toBe(false);
    filtering.set("width", [null, 200]);
    expect(rows()).toEqual([0, 1]);
    expect(model.ofKind("column")).toHaveLength(1);
  });

  it("asks Python for what it cannot tell, and reads the bitset", async () => {
    const { model, filtering, rows } = await make();
    filtering.set("path", { contains: "img" });
    const [request] = model.ofKind("match");
    expect(request).toMatchObject({ key: "path", clause: { contains: "img" } });
    model.reply(request, { rows: bits(0, 5, 7) });
    await settle();
    expect(rows()).toEqual([0, 5, 7]);
  });

  it("is the same for the score's clauses without asking", async () => {
    const { model, filtering, rows } = await make();
    filtering.set("uniqueness", [0, 0]);
    expect(rows()).toEqual([3]);
    filtering.set("uniqueness", { null: true });
    expect(rows()).toEqual([7]);
    filtering.set("uniqueness", { null: false });
    expect(rows()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    filtering.set("plan", { any: ["remove"] });
    expect(rows()).toEqual([2, 3, 6]);
    expect(model.sent.map(({ content }) => content.kind)).toEqual(["open_review"]);
  });

  it("needs all clauses to hold", async () => {
    const { filtering, rows } = await make({ column, match: () => ({ rows: bits(1, 2, 3, 4) }) });
    filtering.change({
      width: [200, null],
      kind: { any: ["exact", "near"] },
      group: { null: false },
    });
    await settle();
    expect(rows()).toEqual([1, 2, 3, 4]);
    filtering.set("kind", { any: ["near", null] });
    expect(rows()).toEqual([2, 4]);
    filtering.set("kind", null);
    filtering.set("group", null);
    expect(rows()).toEqual([1, 2, 3, 4, 5, 6]);
    filtering.reset();
    expect(rows()).toEqual(everything);
  });

  it("keeps what a clause kept while its next answer is on its way", async () => {
    const { model, filtering, rows } = await make();
    filtering.set("path", { contains: "a" });
    model.reply(model.ofKind("match")[0], { rows: bits(1, 2) });
    await settle();
    expect(rows()).toEqual([1, 2]);
    filtering.set("path", { contains: "ab" });
    expect(rows()).toEqual([1, 2]);
    expect(filtering.statusOf("path").pending).toBe(true);
    model.reply(model.ofKind("match")[1], { rows: bits(2) });
    await settle();
    expect(rows()).toEqual([2]);
  });

  it("does not ask again for a clause that comes back", async () => {
    const { model, filtering, rows } = await make({ match: () => ({ rows: bits(1) }) });
    for (const clause of [{ null: false }, null, { null: false }]) {
      filtering.set("group", clause);
      await settle();
    }
    expect(rows()).toEqual([1]);
    expect(model.ofKind("match")).toHaveLength(1);
  });

  it("asks anew after a clause was cancelled by the next one", async () => {
    const { model, filtering, rows } = await make();
    filtering.set("path", { contains: "a" });
    filtering.set("path", { contains: "ab" });
    await settle();
    filtering.set("path", { contains: "a" });
    await settle();
    model.reply(model.ofKind("match").at(-1)!, { rows: bits(4) });
    await settle();
    expect(rows()).toEqual([4]);
    expect(filtering.pending.value).toBe(false);
  });

  it("turns to Python when a category turns out to be text", async () => {
    const { filtering, rows } = await make({
      column: () => ({ facet: "text" }),
      match: () => ({ rows: bits(6) }),
    });
    filtering.set("kind", { any: ["near"] });
    await settle();
    expect(rows()).toEqual([6]);
  });

  it("leaves clauses of an unknown kind to Python", async () => {
    const { model, filtering, rows } = await make({ match: () => ({ rows: bits(2, 3) }) });
    model.change("_filters", { width: { between: [1, 2] } });
    await settle();
    expect(model.ofKind("match")[0]).toMatchObject({
      key: "width",
      clause: { between: [1, 2] },
    });
    expect(rows()).toEqual([2, 3]);
    expect(filtering.clauses.value).toEqual({ width: { between: [1, 2] } });
  });

  it("says which clause is not in force and why, and tries again on demand", async () => {
    const { model, filtering, rows } = await make({
      match: () => new Error("set it again"),
      column,
    });
    filtering.change({ where: { text: "…", expression: "x" }, width: [200, 300] });
    await settle();
    expect(filtering.statusOf("where")).toMatchObject({ pending: false, error: "set it again" });
    expect(filtering.statusOf("width").error).toBeNull();
    expect(rows()).toEqual([1, 2]);
    model.answers.match = () => ({ rows: bits(2) });
    filtering.retry("where");
    await settle();
    expect(rows()).toEqual([2]);
  });

  it("asks again for what a lost kernel did not answer", async () => {
    const { model, rows, filtering } = await make();
    filtering.set("group", { null: false });
    await vi.advanceTimersByTimeAsync(8100);
    model.answers = {
      open_review: () => smallFrame(),
      ping: () => ({}),
      match: () => ({ rows: bits(3) }),
    };
    await vi.advanceTimersByTimeAsync(3100);
    await settle();
    expect(rows()).toEqual([3]);
  });
});

describe("collections", () => {
  it("filter at once when their members change", async () => {
    const { model, filtering, rows } = await make();
    const tell = (...members: number[]) =>
      model.tell({
        event: "collections",
        collections: [{ name: "A", size: members.length, description: "" }],
        members: bits(...members),
      });
    tell(1, 2);
    filtering.set("collections", { exclude: ["A"] });
    expect(rows()).toEqual([0, 3, 4, 5, 6, 7]);
    tell(1);
    expect(rows()).toEqual([0, 2, 3, 4, 5, 6, 7]);
  });
});

describe("another plan", () => {
  const plan = () => smallPlan({ keep: Uint8Array.of(1, 1, 1, 0, 1, 1, 1, 255) });

  it("changes what the plan's own filter keeps", async () => {
    const { model, filtering, rows } = await make();
    filtering.set("plan", { any: ["remove"] });
    model.tell(plan());
    expect(rows()).toEqual([3]);
  });

  it("asks anew for groups and kinds, and keeps what they were until then", async () => {
    const { model, filtering, rows } = await make({
      column,
      match: () => ({ rows: bits(1, 2, 3, 4) }),
    });
    filtering.change({
      kind: { any: ["near"] },
      group: { null: false },
      width: [0, null],
      path: { contains: "a" },
    });
    await settle();
    expect(rows()).toEqual([2, 4]);
    const asked = model.sent.length;
    model.answers = {};
    model.tell(plan());
    await settle();
    expect(rows()).toEqual([2, 4]);
    expect(filtering.pending.value).toBe(true);
    const again = model.sent.slice(asked).map(({ content }) => content);
    expect(again.map(({ kind, column: name, key }) => [kind, name ?? key])).toEqual([
      ["column", "kind"],
      ["match", "group"],
    ]);
    model.reply(again[0], { ...kinds(), codes: Uint32Array.of(1, 1, 1, 0, 0, 0, 0, 0) });
    model.reply(again[1], { rows: bits(0, 1) });
    await settle();
    expect(rows()).toEqual([1]);
    expect(filtering.pending.value).toBe(false);
  });

  it("asks for everything anew when the frame was replaced", async () => {
    const { model, state, filtering, rows } = await make({ column });
    filtering.set("width", [200, 300]);
    await settle();
    model.answers.column = () => ({ ...widths(), values: new Float64Array(8).fill(250) });
    state.open();
    await settle();
    expect(rows()).toEqual(everything);
    expect(model.ofKind("column")).toHaveLength(2);
  });
});

describe("besides", () => {
  it("leaves one clause out, so that its own view is not filtered by it", async () => {
    const { filtering } = await make({ column });
    filtering.change({ uniqueness: [0, 0.05], width: [300, 500] });
    await settle();
    const rows = (key: string) => [...filtering.maskWithout(key).value!];
    expect(rows("uniqueness")).toEqual([0, 0, 1, 1, 1, 0, 0, 0]);
    expect(rows("width")).toEqual([0, 0, 1, 1, 1, 0, 1, 0]);
    expect(rows("path")).toEqual([0, 0, 1, 1, 1, 0, 0, 0]);
  });

  it("is the same array while the clause that is left out moves", async () => {
    const { filtering } = await make({ column });
    filtering.change({ uniqueness: [0, 0.05], width: [300, 500], kind: { any: ["near"] } });
    await settle();
    const before = filtering.maskWithout("width").value;
    filtering.set("width", [300, 400]);
    expect(filtering.maskWithout("width").value).toBe(before);
    filtering.set("kind", { any: ["exact"] });
    expect(filtering.maskWithout("width").value).not.toBe(before);
  });

  it("gives the histogram of the scores what the other clauses leave", async () => {
    const { state, filtering } = await make({ column });
    const sum = (counts: Uint32Array) => counts.reduce((total, count) => total + count, 0);
    filtering.change({ uniqueness: [0, 0.05], width: [300, 500] });
    await settle();
    expect(sum(state.bars.counts.value)).toBe(7);
    expect(sum(state.bars.left.value)).toBe(3);
    filtering.set("width", null);
    expect(sum(state.bars.left.value)).toBe(7);
  });
});

describe("the trait", () => {
  it("is written with every kind of clause, the last state always", async () => {
    const { model, state, filtering } = await make({ column });
    filtering.set("width", [null, 400]);
    filtering.set("collections", { exclude: ["A"] });
    vi.advanceTimersByTime(200);
    expect(model.get("_filters")).toEqual({ width: [null, 400], collections: { exclude: ["A"] } });
    filtering.set("width", null);
    state.outbox.flush();
    expect(model.get("_filters")).toEqual({ collections: { exclude: ["A"] } });
  });

  it("is not written when nothing changes", async () => {
    const { model, filtering } = await make({}, { plan: { any: ["keep"] } });
    const saved = vi.spyOn(model, "save_changes");
    filtering.change({ plan: { any: ["keep"] }, group: null });
    vi.advanceTimersByTime(200);
    expect(saved).not.toHaveBeenCalled();
  });

  it("sets what Python writes in force", async () => {
    const { model, rows } = await make({ column });
    model.change("_filters", { plan: { any: ["remove"] }, width: [300, null] });
    await settle();
    expect(rows()).toEqual([2, 3, 6]);
    model.change("_filters", {});
    expect(rows()).toEqual(everything);
  });
});
