// @vitest-environment happy-dom
import { beforeEach, expect, test, vi } from "vitest";
import { embed } from "../src/views/ui/embed";
import { settle, TestModel } from "./fake";

let widths: Map<Element, (width: number) => void>;

beforeEach(() => {
  widths = new Map();
  vi.stubGlobal(
    "ResizeObserver",
    class {
      #callback: (entries: { contentRect: { width: number } }[]) => void;
      constructor(callback: (entries: { contentRect: { width: number } }[]) => void) {
        this.#callback = callback;
      }
      observe(element: Element): void {
        widths.set(element, (width) => this.#callback([{ contentRect: { width } }]));
      }
      disconnect(): void {}
    },
  );
});

/** A host whose widgets are divs with their id for a text, and that notes what they are told. */
function host(trait: unknown) {
  const told: string[] = [];
  const model = Object.assign(new TestModel({}, { _child: trait }), {
    widget_manager: {
      get_model: async (id: string) => {
        if (id === "gone") throw new Error("widget model not found");
        return id;
      },
      create_view: async (id: unknown) => {
        const el = document.createElement("div");
        el.textContent = String(id);
        return {
          el,
          luminoWidget: {
            processMessage: ({ type }: { type: string }) =>
              told.push(`${id} ${type} ${el.isConnected}`),
          },
          remove: () => told.push(`${id} removed`),
        };
      },
    },
  });
  const into = document.body.appendChild(document.createElement("div"));
  return { model, into, told };
}

test("nothing is drawn before the element has a width", async () => {
  const { model, into } = host("IPY_MODEL_a");
  const end = new AbortController();
  void embed(model, "_child", into, end.signal);
  await settle();
  widths.get(into)?.(0);
  await settle();
  expect(into.textContent).toBe("");
  widths.get(into)?.(300);
  await settle();
  expect(into.textContent).toBe("a");
  end.abort();
});

test("the widget follows the trait, and is told in order where it stands", async () => {
  const { model, into, told } = host(null);
  const end = new AbortController();
  const ended = embed(model, "_child", into, end.signal);
  widths.get(into)?.(300);
  await settle();
  expect(into.childElementCount).toBe(0);
  model.change("_child", "IPY_MODEL_a");
  await settle();
  model.change("_child", "IPY_MODEL_b");
  await settle();
  expect(into.textContent).toBe("b");
  end.abort();
  await ended;
  expect(into.childElementCount).toBe(0);
  expect(told).toEqual([
    ...["a before-attach false", "a after-attach true"],
    ...["a before-detach true", "a after-detach false", "a removed"],
    ...["b before-attach false", "b after-attach true"],
    ...["b before-detach true", "b after-detach false", "b removed"],
  ]);
  expect(model.listeners("change:_child")).toBe(0);
});

test("a view that comes after the end is removed and never shown", async () => {
  const { model, into, told } = host("IPY_MODEL_a");
  const end = new AbortController();
  const ended = embed(model, "_child", into, end.signal);
  widths.get(into)?.(300);
  await Promise.resolve();
  end.abort();
  await ended;
  await settle();
  expect(into.childElementCount).toBe(0);
  expect(told.filter((line) => line.includes("attach"))).toEqual([]);
});

test("an end before the first width ends it", async () => {
  const { model, into } = host("IPY_MODEL_a");
  const end = new AbortController();
  const ended = embed(model, "_child", into, end.signal);
  end.abort();
  await expect(ended).resolves.toBeUndefined();
});

test("what cannot be drawn is told", async () => {
  for (const [trait, reason] of [
    ["IPY_MODEL_gone", "widget model not found"],
    ["nonsense", "not a reference to a widget"],
  ]) {
    const { model, into } = host(trait);
    const ended = embed(model, "_child", into, new AbortController().signal);
    widths.get(into)?.(300);
    await expect(ended).rejects.toThrow(reason);
    expect(model.listeners("change:_child")).toBe(0);
  }
  const into = document.body.appendChild(document.createElement("div"));
  const elsewhere = Object.assign(new TestModel(), { widget_manager: undefined });
  const ended = embed(elsewhere, "_child", into, new AbortController().signal);
  widths.get(into)?.(300);
  await expect(ended).rejects.toThrow("cannot show one widget within another");
});
