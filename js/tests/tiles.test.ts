import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TileCache } from "../src/state/tiles";
import type { TileInfo } from "../src/wire/protocol";
import { Rpc } from "../src/wire/rpc";
import { type SentMessage, settle, TestModel } from "./fake";

let lifetime: AbortController;
beforeEach(() => {
  lifetime = new AbortController();
});
afterEach(() => lifetime.abort());

function info(row: number, thumb: TileInfo["thumb"] = [0, 1]): TileInfo {
  const name = `${row}.jpg`;
  const path = `/photos/${name}`;
  const about = {
    caption: null,
    chosen: false,
    not_duplicate: false,
    width: 8,
    height: 8,
    facts: {},
    error: null,
  };
  return { row, name, path, ...about, thumb };
}

const answer = ({ rows }: SentMessage) => ({
  tiles: (rows as number[]).map((row) => info(row)),
  blob: Uint8Array.of(255),
});

/** Pictures that note what was read. */
async function load(jpeg: Uint8Array): Promise<HTMLImageElement> {
  return { width: 10, height: 10, alt: `${jpeg}` } as HTMLImageElement;
}

function make(model: TestModel, options = {}) {
  const { signal } = lifetime;
  return new TileCache(new Rpc(model, { signal }), { signal, load, ...options });
}

const rows = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe("TileCache", () => {
  it("asks for what is on screen first, then for what may come next", async () => {
    const model = new TestModel({ tiles: answer });
    const tiles = make(model);
    tiles.want(tiles, [3, 4], [5, 6]);
    await settle();
    expect(model.ofKind("tiles").map((sent) => sent.rows)).toEqual([
      [3, 4],
      [5, 6],
    ]);
    expect(tiles.get(4)?.info.name).toBe("4.jpg");
  });

  it("keeps its facts when a tile comes along with similar items", async () => {
    const model = new TestModel({
      tiles: ({ rows, facts }: SentMessage) => ({
        tiles: (rows as number[]).map((row) => ({
          ...info(row),
          facts: Object.fromEntries((facts as string[]).map((fact) => [fact, "cat"])),
        })),
        blob: Uint8Array.of(255),
      }),
    });
    const tiles = make(model);
    tiles.showFacts(["label"]);
    tiles.want(tiles, [1, 2]);
    await settle();
    await tiles.add([info(1), info(3)], Uint8Array.of(255));
    expect(tiles.get(1)?.info.facts).toEqual({ label: "cat" });
    tiles.want(tiles, [1, 3]);
    await settle();
    expect([1, 3].map((row) => tiles.get(row)?.info.facts)).toEqual([
      { label: "cat" },
      { label: "cat" },
    ]);
  });

  it("reads of the bytes that came each picture's own", async () => {
    const model = new TestModel({
      tiles: () => ({ tiles: [info(1, [0, 2]), info(2, [2, 1])], blob: Uint8Array.of(7, 8, 9) }),
    });
    const tiles = make(model);
    tiles.want(tiles, [1, 2]);
    await settle();
    expect([1, 2].map((row) => tiles.get(row)?.picture?.alt)).toEqual(["7,8", "9"]);
  });

  it("asks for nothing twice", async () => {
    const model = new TestModel({ tiles: answer });
    const tiles = make(model);
    tiles.want(tiles, [1, 2]);
    tiles.want(tiles, [1, 2]);
    await settle();
    tiles.want(tiles, [2]);
    expect(model.ofKind("tiles")).toHaveLength(1);
  });

  it("loads only the place where a fast scroll comes to rest", async () => {
    const model = new TestModel();
    const tiles = make(model);
    for (let top = 0; top < 1000; top += 10) tiles.want(tiles, rows(top, top + 10));
    expect(model.ofKind("tiles")).toHaveLength(2);
    model.answers = { tiles: answer };
    for (const request of model.ofKind("tiles")) model.reply(request, answer(request));
    await settle();
    expect(model.ofKind("tiles").at(-1)?.rows).toEqual(rows(990, 1000));
    expect(model.ofKind("tiles")).toHaveLength(3);
  });

  it("asks a few times a second for what moves, and for all once it rests", async () => {
    vi.useFakeTimers();
    const model = new TestModel({ tiles: answer });
    const tiles = make(model);
    tiles.want(tiles, rows(0, 10));
    for (let frame = 1; frame <= 60; frame++) {
      await vi.advanceTimersByTimeAsync(16);
      tiles.want(tiles, rows(10 * frame, 10 * frame + 10), rows(2000, 2010), true);
    }
    const asked = () => model.ofKind("tiles").map((sent) => (sent.rows as number[])[0]);
    expect(asked().length).toBeLessThan(8);
    expect(asked().length).toBeGreaterThan(3);
    expect(asked()).not.toContain(2000);
    tiles.want(tiles, rows(600, 610), rows(2000, 2010));
    await vi.advanceTimersByTimeAsync(0);
    expect(asked().slice(-2)).toEqual([600, 2000]);
    expect(tiles.get(605)).toBeDefined();
    vi.useRealTimers();
  });

  it("cancels a slow batch of which nothing is wanted any more", () => {
    vi.useFakeTimers();
    const model = new TestModel();
    const tiles = make(model);
    tiles.want(tiles, [1]);
    vi.advanceTimersByTime(200);
    tiles.want(tiles, [50]);
    expect(model.ofKind("cancel")).toHaveLength(1);
    vi.useRealTimers();
  });

  it("gives up the pictures that were wanted least recently, never one on screen", async () => {
    const model = new TestModel({ tiles: answer });
    const tiles = make(model, { maxBytes: 5 });
    tiles.want(tiles, rows(0, 4));
    await settle();
    tiles.want(tiles, rows(4, 12));
    await settle();
    expect(rows(0, 4).some((row) => tiles.get(row))).toBe(false);
    expect(rows(4, 12).every((row) => tiles.get(row)?.picture)).toBe(true);
  });

  it("frees everything when the widget goes", async () => {
    const tiles = make(new TestModel({ tiles: answer }));
    tiles.want(tiles, rows(0, 4));
    await settle();
    expect(tiles.get(3)?.picture).toBeTruthy();
    lifetime.abort();
    expect(rows(0, 4).some((row) => tiles.get(row))).toBe(false);
  });

  it("throws away what comes for a frame that was replaced", async () => {
    const model = new TestModel();
    const tiles = make(model);
    tiles.want(tiles, [1]);
    tiles.reset();
    model.reply(model.ofKind("tiles")[0], answer(model.ofKind("tiles")[0]));
    await settle();
    expect(tiles.get(1)).toBeUndefined();
  });

  it("shows why there is no picture, and does not ask again", async () => {
    const model = new TestModel({ tiles: () => new Error("the store is locked") });
    const tiles = make(model);
    tiles.want(tiles, [1]);
    await settle();
    tiles.want(tiles, [1]);
    expect(tiles.get(1)?.error).toBe("the store is locked");
    expect(model.ofKind("tiles")).toHaveLength(1);
  });

  it("does not ask for ever for rows that Python leaves out", async () => {
    const model = new TestModel({ tiles: () => ({ tiles: [], blob: new Uint8Array(0) }) });
    const tiles = make(model);
    tiles.want(tiles, [1]);
    await settle();
    expect(model.ofKind("tiles")).toHaveLength(1);
    expect(tiles.get(1)?.error).toBeTruthy();
  });

  describe("under a new plan", () => {
    const captioned =
      (caption: string) =>
      ({ rows, thumbs }: SentMessage) => ({
        tiles: (rows as number[]).map((row) => ({
          ...info(row, thumbs ? [0, 1] : null),
          caption: `${caption} ${row}`,
        })),
        blob: Uint8Array.of(255),
      });

    it("says the new words under the same picture, which never goes away", async () => {
      const model = new TestModel({ tiles: captioned("keeper") });
      const tiles = make(model);
      tiles.want(tiles, [1, 2]);
      await settle();
      const { picture } = tiles.get(1)!;
      model.answers = {};
      tiles.refresh();
      await settle();
      expect(tiles.get(1)?.picture).toBe(picture);
      expect(tiles.get(1)?.info.caption).toBe("keeper 1");
      const [, request] = model.ofKind("tiles");
      expect(request).toMatchObject({ rows: [1, 2], thumbs: false });
      model.reply(request, captioned("copy")(request));
      await settle();
      expect(tiles.get(1)?.info.caption).toBe("copy 1");
      expect(tiles.get(1)?.picture).toBe(picture);
      expect(model.ofKind("tiles")).toHaveLength(2);
    });

    it("asks for what is on screen; for the rest only when it is wanted again", async () => {
      const model = new TestModel({ tiles: captioned("keeper") });
      const tiles = make(model);
      tiles.want(tiles, [1, 2]);
      await settle();
      tiles.want(tiles, [2, 3], [4]);
      await settle();
      const before = model.ofKind("tiles").length;
      model.answers = { tiles: captioned("copy") };
      tiles.refresh();
      await settle();
      expect(
        model
          .ofKind("tiles")
          .slice(before)
          .map((sent) => sent.rows),
      ).toEqual([[2, 3], [4]]);
      expect(tiles.get(1)?.info.caption).toBe("keeper 1");
      tiles.want(tiles, [1]);
      await settle();
      expect(tiles.get(1)?.info.caption).toBe("copy 1");
    });

    it("asks once more for what was under way when the plan changed, one request at a time", async () => {
      const model = new TestModel();
      const tiles = make(model);
      tiles.want(tiles, [1]);
      for (let i = 0; i < 5; i++) tiles.refresh();
      expect(model.ofKind("tiles")).toHaveLength(1);
      model.reply(model.ofKind("tiles")[0], captioned("keeper")(model.ofKind("tiles")[0]));
      await settle();
      for (let i = 0; i < 5; i++) tiles.refresh();
      expect(model.ofKind("tiles")).toHaveLength(2);
      model.answers = { tiles: captioned("copy") };
      const [, stale] = model.ofKind("tiles");
      model.reply(stale, captioned("keeper")(stale));
      await settle();
      expect(model.ofKind("tiles")).toHaveLength(3);
      expect(tiles.get(1)?.info.caption).toBe("copy 1");
    });

    it("says nothing rather than what no longer holds, and does not ask for ever", async () => {
      const model = new TestModel({ tiles: captioned("keeper") });
      const tiles = make(model);
      tiles.want(tiles, [1]);
      await settle();
      model.answers = { tiles: () => new Error("the store is locked") };
      tiles.refresh();
      await settle();
      expect(model.ofKind("tiles")).toHaveLength(2);
      expect(tiles.get(1)?.info.caption).toBeNull();
      expect(tiles.get(1)?.picture).toBeTruthy();
    });

    it("keeps a tile that another reply tells anew", async () => {
      const model = new TestModel({ tiles: captioned("keeper") });
      const tiles = make(model);
      tiles.want(tiles, [1]);
      await settle();
      const { picture } = tiles.get(1)!;
      await tiles.add([{ ...info(1), caption: "copy 1" }], Uint8Array.of(255));
      expect(tiles.get(1)).toMatchObject({ picture, info: { caption: "copy 1" } });
    });
  });
});
