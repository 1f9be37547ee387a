import { afterEach, beforeEach, vi } from "vitest";
import type { AnyModel, Widget } from "../src/wire/model";
import { settle, type TestModel } from "./fake";

/** Ends what a test displays. */
export let lifetime: AbortController;

beforeEach(() => {
  lifetime = new AbortController();
  vi.stubGlobal("createImageBitmap", async () => ({ width: 1, height: 1, close() {} }));
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(600);
});
afterEach(() => {
  lifetime.abort();
  document.body.replaceChildren();
  vi.restoreAllMocks();
});

/** Let requests, timers and frames run. */
export async function painted(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    await settle();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Another proxy of the same model, as anywidget makes one for each hook. */
const proxy = (model: TestModel): AnyModel =>
  new Proxy(model, {
    get: (target, name) => {
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });

/** Display a widget as a host does, once for each view. */
export async function display(make: () => Widget, model: TestModel, views = 1) {
  const { initialize, render } = make();
  initialize({ model: proxy(model), signal: lifetime.signal });
  const roots: ShadowRoot[] = [];
  for (let i = 0; i < views; i++) {
    const el = document.createElement("div");
    document.body.append(el);
    render({ model: proxy(model), el, signal: lifetime.signal });
    roots.push((el.firstElementChild as HTMLElement).shadowRoot!);
  }
  await painted();
  return roots;
}
