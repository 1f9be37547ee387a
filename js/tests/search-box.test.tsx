// @vitest-environment happy-dom
import { expect, it, vi } from "vitest";
import explorer from "../src/widgets/explorer";
import { type SentMessage, smallFrame, TestModel } from "./fake";
import { display, painted } from "./screen";

// Another program on the machine must not fail these.
vi.setConfig({ testTimeout: 20_000 });

const rows = (...kept: number[]) => ({
  rows: Uint8Array.of(kept.reduce((all, r) => all | (1 << r), 0)),
});

async function show(words: boolean) {
  const model = new TestModel({
    open_review: () => ({ ...smallFrame(), words }),
    match: ({ key, clause }: SentMessage) =>
      (clause as { contains: string }).contains === "nothing"
        ? new Error("no model")
        : rows(...(key === "words" ? [2, 5] : [1, 2])),
    order: () => ({ rank: Uint32Array.of(9, 9, 1, 9, 9, 0, 9, 9) }),
  });
  const [root] = await display(explorer, model);
  root.querySelector<HTMLButtonElement>("button.drop[aria-expanded]")!.click();
  await painted();
  const box = root.querySelector<HTMLInputElement>("input[type=search]")!;
  const type = async (text: string, key?: string) => {
    box.value = text;
    box.dispatchEvent(new Event("input", { bubbles: true }));
    if (key) box.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    else await new Promise((resolve) => setTimeout(resolve, 220));
    await painted();
    await painted();
  };
  return { model, box, type };
}

it("finds by name as one types", async () => {
  const { model, box, type } = await show(false);
  expect(box.placeholder).toBe("Find by name");
  await type("beach");
  expect(model.get("_filters")).toEqual({ path: { contains: "beach" } });
  await type("");
  expect(model.get("_filters")).toEqual({});
});

it("finds by words on Enter, the nearest first", async () => {
  const { model, box, type } = await show(true);
  expect(box.placeholder).toContain("by words");
  await type("a red car", "Enter");
  expect(model.get("_filters")).toEqual({ words: { contains: "a red car" } });
  expect(model.get("_sort")).toEqual({ column: "words", descending: false, grouped: false });
  expect(model.ofKind("order").map(({ column }) => column)).toEqual(["words"]);
});

it("goes back to names and the usual order when one types on", async () => {
  const { model, type } = await show(true);
  await type("a red car", "Enter");
  await type("a red cart");
  expect(model.get("_filters")).toEqual({ path: { contains: "a red cart" } });
  expect(model.get("_sort")).toMatchObject({ column: "uniqueness", grouped: true });
});

it("asks for another order when the words are others", async () => {
  const { model, type } = await show(true);
  await type("a red car", "Enter");
  await type("snow", "Enter");
  expect(model.get("_filters")).toEqual({ words: { contains: "snow" } });
  expect(model.ofKind("order")).toHaveLength(2);
});
