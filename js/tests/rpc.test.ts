import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CancelledError, RemoteError, RetryError, Rpc } from "../src/wire/rpc";
import { settle, TestModel } from "./fake";

let lifetime: AbortController;
beforeEach(() => {
  vi.useFakeTimers();
  lifetime = new AbortController();
});
afterEach(() => {
  lifetime.abort();
  vi.useRealTimers();
});

const connect = (model: TestModel) => new Rpc(model, { signal: lifetime.signal });

describe("request", () => {
  it("is matched with its reply by an integer, whatever the order", async () => {
    const model = new TestModel();
    const rpc = connect(model);
    const first = rpc.request("order", { column: "a" });
    const second = rpc.request("order", { column: "b" });
    const [a, b] = model.sent.map(({ content }) => content);
    expect(Number.isInteger(a.seq)).toBe(true);
    model.reply(b, { rank: Uint32Array.of(2) });
    model.reply(a, { rank: Uint32Array.of(1) });
    expect([...(await first).rank]).toEqual([1]);
    expect([...(await second).rank]).toEqual([2]);
  });

  it("takes no reply meant for another page", async () => {
    const model = new TestModel();
    const rpc = connect(model);
    const answer = vi.fn();
    rpc.request("ping", {}).then(answer, () => {});
    model.reply({ seq: model.sent[0].content.seq, client: rpc.client + 1 }, {});
    await settle();
    expect(answer).not.toHaveBeenCalled();
  });

  it("is answered in pieces where the host passes on small messages only", async () => {
    const model = new TestModel();
    const rpc = connect(model);
    const answer = rpc.request("order", { column: "a" });
    const { seq } = model.sent[0].content;
    const rank = { dtype: "uint32", shape: [3], buffer: 0 };
    const message = { seq, client: rpc.client, reply: { rank, of: "Größe" }, events: [] };
    const text = new TextEncoder().encode(JSON.stringify(message));
    const bytes = new Uint8Array(Uint32Array.of(1, 2, 3).buffer);
    const pieces = [
      bytes.subarray(0, 5),
      bytes.subarray(5),
      text.subarray(0, 70),
      text.subarray(70),
    ];
    for (const piece of pieces)
      model.emit("msg:custom", { chunk: 4 }, [new DataView(piece.slice().buffer)]);
    const chunks = { number: 4, sizes: [12, text.length] };
    model.emit("msg:custom", { chunks }, []);
    expect([...(await answer).rank]).toEqual([1, 2, 3]);
  });

  it("rejects with Python's error", async () => {
    const model = new TestModel({ similar: () => new TypeError("no embedding column") });
    const request = connect(model).request("similar", { row: 1, k: 2 });
    await expect(request).rejects.toMatchObject({
      constructor: RemoteError,
      type: "TypeError",
      message: "no embedding column",
    });
  });

  it("sends arrays as buffers, and reads those that are not aligned", async () => {
    const model = new TestModel();
    const rpc = connect(model);
    rpc.request("select", { rows: Uint8Array.of(5, 6) }).catch(() => {});
    expect(model.sent[0].content.rows).toEqual({ dtype: "uint8", shape: [2], buffer: 0 });
    expect([...new Uint8Array(model.sent[0].buffers[0])]).toEqual([5, 6]);

    const answer = rpc.request("order", { column: "a" });
    const { seq } = model.sent[1].content;
    const bytes = new Uint8Array(9);
    bytes.set(new Uint8Array(Uint32Array.of(7, 8).buffer), 1);
    const rank = { dtype: "uint32", shape: [2], buffer: 0 };
    const unaligned = new DataView(bytes.buffer, 1, 8);
    model.emit("msg:custom", { seq, client: rpc.client, reply: { rank }, events: [] }, [unaligned]);
    expect([...(await answer).rank]).toEqual([7, 8]);
  });

  it("refuses what would vanish on the way", async () => {
    const model = new TestModel();
    const request = connect(model).request("select", { rows: new Uint8Array(4_000_001) });
    await expect(request).rejects.toBeInstanceOf(RangeError);
    expect(model.sent).toHaveLength(0);
  });
});

describe("cancelling", () => {
  it("tells Python when a newer request takes its place", async () => {
    const model = new TestModel();
    const rpc = connect(model);
    const old = rpc.request("order", { column: "a" }, { latest: "order" });
    rpc.request("order", { column: "b" }, { latest: "order" }).catch(() => {});
    await expect(old).rejects.toBeInstanceOf(CancelledError);
    expect(model.ofKind("cancel")).toMatchObject([{ target: model.sent[0].content.seq }]);
  });

  it("follows the caller's signal", async () => {
    const model = new TestModel();
    const stop = new AbortController();
    const request = connect(model).request("ping", {}, { signal: stop.signal });
    stop.abort();
    await expect(request).rejects.toBeInstanceOf(CancelledError);
  });

  it("ends with the view, and leaves no listener or timer behind", async () => {
    const model = new TestModel();
    const request = connect(model).request("open_grid", {});
    lifetime.abort();
    await expect(request).rejects.toBeInstanceOf(CancelledError);
    expect(model.listeners("msg:custom")).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a request that tells of its progress", () => {
  const create = (model: TestModel, progress: () => void, signal?: AbortSignal) =>
    connect(model).request("analytics", {}, { progress, signal });

  it("is told how far it is, and nobody else is", async () => {
    const model = new TestModel();
    const progress = vi.fn();
    create(model, progress).catch(() => {});
    const { client, seq } = model.sent[0].content;
    const event = { event: "progress", client, target: seq, done: 1, total: 2, text: "writing" };
    model.tell(event);
    model.tell({ ...event, client: client + 1 });
    model.tell({ ...event, target: seq + 1 });
    expect(progress).toHaveBeenCalledTimes(1);
    expect(progress).toHaveBeenCalledWith(expect.objectContaining({ done: 1, total: 2 }));
  });

  it("waits for Python's own word when it is cancelled", async () => {
    const model = new TestModel();
    const stop = new AbortController();
    const request = create(model, () => {}, stop.signal);
    stop.abort();
    const [{ content }] = model.sent;
    expect(model.ofKind("cancel")).toMatchObject([{ target: content.seq }]);
    model.reply(content, { done: true });
    expect(await request).toMatchObject({ done: true });
  });

  it("is not taken for lost while others are answered", async () => {
    const model = new TestModel();
    const request = create(model, () => {});
    await vi.advanceTimersByTimeAsync(8100);
    model.answers = { ping: () => ({}) };
    await vi.advanceTimersByTimeAsync(3100);
    model.reply(model.sent[0].content, { done: true });
    expect(await request).toMatchObject({ done: true });
  });
});

describe("a kernel that does not answer", () => {
  it("counts as lost after 8 s, and not before", async () => {
    const rpc = connect(new TestModel());
    rpc.request("open_grid", {}).catch(() => {});
    await vi.advanceTimersByTimeAsync(7900);
    expect(rpc.lost.value).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    expect(rpc.lost.value).toBe(true);
  });

  it("is not lost while it answers pings: the request is only slow", async () => {
    const model = new TestModel({ ping: () => ({}) });
    const rpc = connect(model);
    const open = rpc.request("open_grid", {});
    await vi.advanceTimersByTimeAsync(60_000);
    expect(rpc.lost.value).toBe(false);
    model.reply(model.sent[0].content, { rows: 3 });
    expect((await open).rows).toBe(3);
  });

  it("is pinged, and when it is back what was dropped is asked for anew", async () => {
    const model = new TestModel();
    const rpc = connect(model);
    const open = rpc.request("open_grid", {});
    const outcome = expect(open).rejects.toBeInstanceOf(RetryError);
    await vi.advanceTimersByTimeAsync(8100);
    model.answers = { ping: () => ({}) };
    await vi.advanceTimersByTimeAsync(3100);
    await outcome;
    expect(rpc.lost.value).toBe(false);
    expect(rpc.recovered.value).toBe(1);
  });

  it("still has its late answer taken", async () => {
    const model = new TestModel();
    const rpc = connect(model);
    const open = rpc.request("open_grid", {});
    await vi.advanceTimersByTimeAsync(9000);
    model.reply(model.sent[0].content, { rows: 3 });
    expect((await open).rows).toBe(3);
    expect(rpc.lost.value).toBe(false);
  });

  it("is asked for a sign of life when the host says that the comm changed", () => {
    const model = new TestModel();
    connect(model);
    model.emit("comm_live_update");
    expect(model.ofKind("ping")).toHaveLength(1);
  });
});

describe("an answer that takes its time", () => {
  it("is told of after a second, until it comes", async () => {
    const model = new TestModel();
    const rpc = connect(model);
    const undo = rpc.request("undo", {});
    await vi.advanceTimersByTimeAsync(900);
    expect(rpc.slow.value).toBe(0);
    await vi.advanceTimersByTimeAsync(200);
    expect(rpc.slow.value).toBe(1);
    model.reply(model.sent[0].content, {});
    await undo;
    await settle();
    expect(rpc.slow.value).toBe(0);
  });

  it("is never taken for a lost kernel while Python says that it works on it", async () => {
    const model = new TestModel();
    const rpc = connect(model);
    const undo = rpc.request("undo", {});
    const { client, seq } = model.sent[0].content;
    for (let second = 0; second < 60; second++) {
      await vi.advanceTimersByTimeAsync(1000);
      model.tell({ event: "working", client, target: seq });
      expect(rpc.lost.value).toBe(false);
    }
    model.reply(model.sent[0].content, {});
    await expect(undo).resolves.toBeDefined();
  });

  it("is still waited for where the first sign of work comes after a loss", async () => {
    const model = new TestModel();
    const rpc = connect(model);
    const undo = rpc.request("undo", {});
    const { client, seq } = model.sent[0].content;
    await vi.advanceTimersByTimeAsync(9000);
    expect(rpc.lost.value).toBe(true);
    model.tell({ event: "working", client, target: seq });
    expect(rpc.lost.value).toBe(false);
    model.reply(model.sent[0].content, {});
    await expect(undo).resolves.toBeDefined();
  });

  it("shows by itself that it waits, where it has a place for that", async () => {
    const rpc = connect(new TestModel());
    rpc.request("tiles", { rows: [0], thumbs: true, facts: [] }).catch(() => {});
    await vi.advanceTimersByTimeAsync(2000);
    expect(rpc.slow.value).toBe(0);
  });
});
