import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nextName, slug } from "../src/state/dataset";
import { ExplorerState } from "../src/state/explorer";
import type { DatasetForm, Replies } from "../src/wire/protocol";
import { type SentMessage, settle, smallFrame, TestModel, Told } from "./fake";

let lifetime: AbortController;
beforeEach(() => {
  vi.useFakeTimers();
  lifetime = new AbortController();
});
afterEach(() => {
  lifetime.abort();
  vi.useRealTimers();
});

const preview = (change: Partial<Replies["preview"]> = {}): Replies["preview"] => ({
  path: "/data/datasets/unique",
  images: 5,
  bytes: 1000,
  new_bytes: 0,
  free_bytes: 1e9,
  placed: { hardlink: 5 },
  splits: { train: 5 },
  renamed: 0,
  unreadable: 1,
  removed: 3,
  copies: 0,
  companions: 0,
  left_behind: 0,
  lost_groups: 0,
  ...change,
});

const result = (change: Partial<Replies["create"]> = {}): Replies["create"] => ({
  name: "unique",
  path: "/data/datasets/unique",
  images: 5,
  bytes: 1000,
  removed: 3,
  project_url: null,
  problem: null,
  ...change,
});

const oneCollection = (name: string) => ({
  event: "collections",
  collections: [{ name, size: 2, description: "" }],
  members: Uint8Array.of(0b11),
});

async function make(answers: TestModel["answers"] = {}) {
  const model = new TestModel({
    open_review: () => smallFrame(),
    select: () => ({ count: 0 }),
    ping: () => ({}),
    ...answers,
  });
  const state = new ExplorerState(model, { signal: lifetime.signal });
  await settle();
  return { model, state, maker: state.dataset };
}

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  await settle();
}

const datasetOf = (message: SentMessage) => message.dataset as DatasetForm;

const cancelled = Object.assign(new Error("cancelled"), { name: "CancelledError" });

function tell(model: TestModel, request: SentMessage, done: number, text = "writing") {
  const { client, seq: target } = request;
  model.tell({ event: "progress", client, target, done, total: 10, text });
}

describe("what the dialog starts with", () => {
  it("is what stays under the plan", async () => {
    const { maker } = await make();
    maker.open();
    expect(maker.draft.value).toMatchObject({ source: { kind: "plan" }, name: "clean" });
  });

  it("is what is shown when there is no plan", async () => {
    const open_review = () => {
      const frame = smallFrame();
      return { ...frame, review: { ...frame.review!, off: "no scores" } };
    };
    const { maker } = await make({ open_review });
    maker.open();
    expect(maker.draft.value.source).toEqual({ kind: "view" });
    expect(maker.choices.value.map(({ source }) => source.kind)).toEqual(["selection", "view"]);
  });

  it("is the collection that was made last, and can be submitted at once", async () => {
    const { model, state, maker } = await make({
      collect: () => new Told([oneCollection("My picks")], { size: 2 }),
      create: () => result(),
    });
    await state.catalogue.collect({ name: "My picks", of: "rest", how: "replace" });
    maker.open();
    expect(maker.ready.value).toBe(true);
    await maker.submit();
    expect(datasetOf(model.ofKind("create")[0])).toEqual({
      source: { kind: "collection", name: "My picks" },
      name: "my-picks",
      description: "",
      project: "",
      project_description: "",
      root: "datasets",
      mode: "hardlink",
      format: "imagefolder",
      copies: false,
      merge: false,
      splits: true,
      annotate: null,
    });
  });

  it("is what was typed before, until a newer collection is made", async () => {
    const { state, maker } = await make({
      collect: ({ name }) => new Told([oneCollection(name as string)], { size: 2 }),
    });
    state.selection.replace([1, 2]);
    const close = maker.open();
    maker.set({ source: { kind: "selection" }, description: "mine", token: "t" });
    close();
    maker.open()();
    expect(maker.draft.value).toMatchObject({ source: { kind: "selection" }, description: "mine" });
    await state.catalogue.collect({ name: "New", of: "selection", how: "replace" });
    maker.open()();
    expect(maker.draft.value).toMatchObject({
      source: { kind: "collection", name: "New" },
      name: "new",
      description: "mine",
    });
  });

  it("is what was selected last, unless all of it goes", async () => {
    const { state, maker } = await make({
      collect: ({ name }) => new Told([oneCollection(name as string)], { size: 2 }),
    });
    await state.catalogue.collect({ name: "New", of: "selection", how: "replace" });
    state.selection.replace([0, 1]);
    maker.open()();
    expect(maker.draft.value.source).toEqual({ kind: "selection" });
    state.selection.replace([2, 3]);
    maker.open()();
    expect(maker.draft.value.source).toEqual({ kind: "selection" });
    await state.catalogue.collect({ name: "Newer", of: "rest", how: "replace" });
    maker.open()();
    expect(maker.draft.value.source).toEqual({ kind: "collection", name: "Newer" });
  });

  it("is never a collection that the filter keeps out, but what is shown", async () => {
    const { state, maker } = await make({
      collect: ({ name }) => new Told([oneCollection(name as string)], { size: 2 }),
    });
    await state.catalogue.collect({ name: "Near", of: "selection", how: "replace" });
    state.filtering.set("collections", { exclude: ["Near"] });
    maker.open()();
    expect(maker.draft.value.source).toEqual({ kind: "view" });
  });

  it("is what stays under the plan, while what was accepted has no name yet", async () => {
    const { state, maker } = await make();
    state.acceptPlan();
    maker.open()();
    expect(maker.draft.value.source).toEqual({ kind: "plan" });
  });

  it("keeps a name that was typed, and suggests one again when it is cleared", async () => {
    const { maker } = await make();
    maker.open();
    maker.set({ name: "holiday" });
    maker.set({ source: { kind: "view" } });
    expect(maker.draft.value.name).toBe("holiday");
    maker.set({ name: "" });
    expect(maker.ready.value).toBe(false);
    maker.set({ source: { kind: "selection" } });
    expect(maker.draft.value.name).toBe("selection");
  });
});

describe("the preview", () => {
  it("is asked for at once, and then when the typing rests", async () => {
    const { model, maker } = await make({ preview: () => preview() });
    maker.open();
    await pass(0);
    expect(maker.preview.value?.images).toBe(5);
    for (const name of ["a", "ab", "abc"]) {
      maker.set({ name });
      await pass(100);
    }
    expect(maker.checking.value).toBe(true);
    expect(model.ofKind("preview")).toHaveLength(1);
    await pass(200);
    expect(model.ofKind("preview").map((message) => datasetOf(message).name)).toEqual([
      "clean",
      "abc",
    ]);
    expect(maker.checking.value).toBe(false);
  });

  it("is not asked for when a description changes, or when nobody looks", async () => {
    const { model, state, maker } = await make({ preview: () => preview() });
    const close = maker.open();
    await pass(0);
    maker.set({ description: "of summer", project: "holidays" });
    await pass(500);
    expect(model.ofKind("preview")).toHaveLength(1);
    close();
    state.selection.only(1);
    await pass(500);
    expect(model.ofKind("preview")).toHaveLength(1);
  });

  it("is not that of the last time when the dialog opens again", async () => {
    const { maker } = await make({ preview: () => preview() });
    const close = maker.open();
    await pass(0);
    close();
    maker.open({ kind: "selection" });
    expect(maker.preview.value).toBeNull();
    await pass(0);
    expect(maker.preview.value?.images).toBe(5);
  });

  it("is asked for anew when the selection changes, which Python hears of first", async () => {
    const { model, state, maker } = await make({ preview: () => preview() });
    maker.open({ kind: "selection" });
    await pass(0);
    state.selection.only(1);
    await pass(250);
    const kinds = model.sent.map(({ content }) => content.kind);
    expect(kinds).toEqual(["open_review", "preview", "select", "preview"]);
  });

  it("keeps its counts when only the annotation server is missing", async () => {
    const { maker } = await make({
      preview: (message) =>
        datasetOf(message).annotate ? new Error("there is no token") : preview({ images: 7 }),
    });
    maker.open();
    maker.set({ send: true });
    await pass(300);
    expect(maker.preview.value?.images).toBe(7);
    expect(maker.problem.value).toBe("there is no token");
    expect(maker.ready.value).toBe(false);
    maker.set({ send: false });
    await pass(300);
    expect(maker.ready.value).toBe(true);
  });

  it("says nothing about a name that was erased", async () => {
    const { maker } = await make({ preview: () => new Error("it exists already") });
    maker.open();
    await pass(0);
    expect(maker.problem.value).toBe("it exists already");
    maker.set({ name: " " });
    await pass(300);
    expect(maker.problem.value).toBeNull();
  });

  it("does not take an answer to what is no longer asked", async () => {
    const { model, maker } = await make();
    maker.open();
    await pass(0);
    const [old] = model.ofKind("preview");
    maker.set({ name: "other" });
    model.reply(old, preview({ images: 99 }));
    await pass(300);
    expect(maker.preview.value).toBeNull();
    expect(maker.checking.value).toBe(true);
    model.reply(model.ofKind("preview")[1], preview({ images: 7 }));
    await settle();
    expect(maker.preview.value?.images).toBe(7);
    expect(model.ofKind("cancel")).toMatchObject([{ target: old.seq }]);
  });

  it("says why there can be no such dataset, and lets one try the next name at once", async () => {
    const { model, maker } = await make({ preview: () => new Error("“clean” exists") });
    maker.open();
    await pass(0);
    expect(maker.problem.value).toBe("“clean” exists");
    expect(maker.ready.value).toBe(false);
    model.answers.preview = () => preview();
    maker.set({ name: "clean-2" });
    expect(maker.ready.value).toBe(true);
    await pass(250);
    expect(maker.problem.value).toBeNull();
  });

  it("says so when the disk has no room for it", async () => {
    const { maker } = await make({
      preview: () => preview({ new_bytes: 5_000_000, free_bytes: 1_000_000 }),
    });
    maker.open();
    await pass(0);
    expect(maker.problem.value).toBe("It needs 5.0 MB, and 1.0 MB are free there.");
    expect(maker.ready.value).toBe(false);
  });

  it("says that shards hold copies, whatever was chosen before", async () => {
    const { model, maker } = await make({ preview: () => preview() });
    maker.open();
    maker.set({ mode: "symlink", format: "webdataset" });
    await pass(250);
    expect(datasetOf(model.ofKind("preview").at(-1)!).mode).toBe("copy");
  });
});

describe("writing", () => {
  async function started(answers: TestModel["answers"] = {}) {
    const made = await make({ preview: () => preview(), ...answers });
    made.maker.open();
    await pass(0);
    void made.maker.submit();
    const [request] = made.model.ofKind("create");
    return { ...made, request };
  }

  it("shows its own progress, not that of another page or request", async () => {
    const { model, maker, request } = await started();
    tell(model, { ...request, client: request.client + 1 }, 9);
    tell(model, { ...request, seq: request.seq + 1 }, 9);
    expect(maker.work.value).toMatchObject({ kind: "running", done: 0 });
    tell(model, request, 4);
    expect(maker.work.value).toMatchObject({ kind: "running", done: 4, total: 10 });
    model.reply(request, result());
    await settle();
    expect(maker.work.value).toMatchObject({ kind: "done", result: result() });
  });

  it("takes as long as it takes while the kernel lives", async () => {
    const { model, state, maker, request } = await started();
    await pass(60_000);
    expect(state.rpc.lost.value).toBe(false);
    model.reply(request, result());
    await settle();
    expect(maker.work.value.kind).toBe("done");
  });

  it("goes on when the kernel was busy for a while and is heard again", async () => {
    const { model, state, maker, request } = await started();
    model.answers.ping = undefined;
    await pass(9_000);
    expect(state.rpc.lost.value).toBe(true);
    tell(model, request, 5);
    expect(state.rpc.lost.value).toBe(false);
    model.reply(request, result());
    await settle();
    expect(maker.work.value.kind).toBe("done");
  });

  it("is not begun twice", async () => {
    const { model, maker } = await started();
    await maker.submit();
    expect(model.ofKind("create")).toHaveLength(1);
  });

  it("is stopped by Python, who says that nothing was written", async () => {
    const { model, maker, request } = await started();
    tell(model, request, 4);
    maker.stop();
    expect(model.ofKind("cancel")).toMatchObject([{ target: request.seq }]);
    tell(model, request, 5);
    expect(maker.work.value).toMatchObject({ kind: "running", stopping: true });
    model.reply(request, cancelled);
    await settle();
    expect(maker.work.value.kind).toBe("draft");
    expect(maker.failure.value).toBe("Stopped. Nothing was written.");
  });

  it("does not deny a dataset that was complete before it was stopped", async () => {
    const { model, maker, request } = await started();
    maker.stop();
    model.reply(request, result());
    await settle();
    expect(maker.work.value.kind).toBe("done");
  });

  it("tells that the dataset is there when only sending it was stopped", async () => {
    const { model, maker, request } = await started();
    tell(model, request, 4, "sending");
    maker.stop();
    model.reply(request, cancelled);
    await settle();
    expect(maker.failure.value).toContain("on disk is complete");
  });

  it("need not be waited for", async () => {
    const { model, maker, request } = await started();
    maker.stop();
    maker.abandon();
    expect(maker.failure.value).toContain("“clean” in “datasets”");
    model.reply(request, result());
    await settle();
    expect(maker.work.value.kind).toBe("draft");
  });

  it("says why it failed, until something is changed", async () => {
    const { maker } = await started({ create: () => new Error("the disk is full") });
    await settle();
    expect(maker.work.value.kind).toBe("draft");
    expect(maker.failure.value).toBe("the disk is full");
    maker.set({ root: "/elsewhere" });
    expect(maker.failure.value).toBeNull();
  });

  it("forgets the token, and suggests another name for the next dataset", async () => {
    const { model, maker, request } = await started();
    maker.set({ send: true, token: "secret" });
    model.reply(request, result({ name: "clean" }));
    await settle();
    expect(maker.draft.value.token).toBe("");
    maker.again();
    expect(maker.work.value.kind).toBe("draft");
    expect(maker.draft.value.name).toBe("clean-2");
  });

  it("sends server and token only when that is wanted", async () => {
    const { model, maker } = await make({ preview: () => preview() });
    maker.open();
    maker.set({ url: " http://here:8080 ", token: "t" });
    maker.set({ send: true });
    void maker.submit();
    const annotate = { url: "http://here:8080", token: "t" };
    expect(datasetOf(model.ofKind("create")[0]).annotate).toEqual(annotate);
  });
});

describe("names", () => {
  it("are made of letters of every script", () => {
    expect(slug("Été 2024: best!")).toBe("ete-2024-best");
    expect(slug("写真 / Tokyo")).toBe("写真-tokyo");
    expect(slug("A ∪ B")).toBe("a-b");
    expect(slug("../..")).toBe("dataset");
  });

  it("count on", () => {
    expect(nextName("unique")).toBe("unique-2");
    expect(nextName("clean-v9")).toBe("clean-v10");
  });
});
