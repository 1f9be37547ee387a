import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Pictures } from "../src/state/pictures";
import { Rpc } from "../src/wire/rpc";
import { type SentMessage, settle, TestModel } from "./fake";

let lifetime: AbortController;
let closed: number[];
beforeEach(() => {
  lifetime = new AbortController();
  closed = [];
});
afterEach(() => lifetime.abort());

const WHOLE: [number, number, number, number] = [0, 0, 1, 1];

/** Pictures of 4,000 × 3,000 pixels. */
function make(maxPixels = 24e6) {
  const model = new TestModel();
  const rpc = new Rpc(model, { signal: lifetime.signal });
  const decode = async (blob: Blob) => {
    const [row, width, height] = JSON.parse(await blob.text());
    return { width, height, close: () => closed.push(row) } as unknown as ImageBitmap;
  };
  const pictures = new Pictures(rpc, { signal: lifetime.signal, maxPixels, decode });
  const answer = async (request: SentMessage) => {
    const { row, side } = request as unknown as { row: number; side: number };
    const box = (request.box as typeof WHOLE | null) ?? WHOLE;
    const share = box[2] - box[0];
    const width = Math.min(side, 4000 * share);
    const jpeg = new TextEncoder().encode(JSON.stringify([row, width, width * 0.75]));
    model.reply(request, { width: 4000, height: 3000, box, jpeg });
    await settle();
    await new Promise((resolve) => setTimeout(resolve, 5));
  };
  return { model, pictures, answer };
}

const whole = (row: number, side = 1024) => ({ row, side, box: null });

describe("pictures", () => {
  it("are asked for two at a time, the most important first", async () => {
    const { model, pictures, answer } = make();
    pictures.want([whole(1), whole(2), whole(3)]);
    expect(model.ofKind("picture").map(({ row }) => row)).toEqual([1, 2]);
    await answer(model.ofKind("picture")[0]);
    expect(model.ofKind("picture").map(({ row }) => row)).toEqual([1, 2, 3]);
    expect(pictures.get(1)?.size).toEqual({ width: 4000, height: 3000 });
  });

  it("are not asked for again in a size that is there", async () => {
    const { model, pictures, answer } = make();
    pictures.want([whole(1)]);
    await answer(model.ofKind("picture")[0]);
    pictures.want([whole(1, 640)]);
    expect(model.ofKind("picture")).toHaveLength(1);
    pictures.want([whole(1, 2048)]);
    expect(model.ofKind("picture")).toHaveLength(2);
  });

  it("bring a part in more detail on top of the whole", async () => {
    const { model, pictures, answer } = make();
    pictures.want([whole(1)]);
    await answer(model.ofKind("picture")[0]);
    pictures.want([{ row: 1, side: 1000, box: [0.25, 0.25, 0.5, 0.5] }]);
    await answer(model.ofKind("picture")[1]);
    const { whole: small, part } = pictures.get(1)!;
    expect(small?.side).toBe(1024);
    expect(part?.side).toBe(4000);
    pictures.want([{ row: 1, side: 1000, box: [0.25, 0.25, 0.5, 0.5] }]);
    expect(model.ofKind("picture")).toHaveLength(2);
  });

  it("that are no longer wanted are cancelled", async () => {
    const { model, pictures } = make();
    pictures.want([whole(1), whole(2)]);
    pictures.want([whole(2), whole(5)]);
    const [first] = model.ofKind("picture");
    expect(model.ofKind("cancel").map(({ target }) => target)).toEqual([first.seq]);
    await settle();
    expect(model.ofKind("picture").map(({ row }) => row)).toEqual([1, 2, 5]);
  });

  it("say why they cannot be had, and are asked for again only when told so", async () => {
    const { model, pictures } = make();
    pictures.want([whole(1)]);
    model.reply(model.ofKind("picture")[0], new Error("gone.jpg: does not exist"));
    await settle();
    expect(pictures.get(1)?.error).toBe("gone.jpg: does not exist");
    pictures.want([whole(1)]);
    expect(model.ofKind("picture")).toHaveLength(1);
    pictures.retry();
    expect(model.ofKind("picture")).toHaveLength(2);
  });

  it("are given up once there are many, those on screen last; and all when the widget goes", async () => {
    const { model, pictures, answer } = make(1.2e6);
    for (const row of [1, 2, 3]) {
      pictures.want([whole(row)]);
      await answer(model.ofKind("picture")[row - 1]);
    }
    expect(closed).toEqual([1, 2]);
    lifetime.abort();
    expect(closed).toEqual([1, 2, 3]);
  });
});
