// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { point } from "../src/views/charts/pointer";
import { TestModel } from "./fake";

const traits = {
  places: [0.1, 0.5, 0.9],
  texts: ["few", "some", ""],
  values: [] as number[],
  shown: false,
};

let end: AbortController;

beforeEach(() => {
  end = new AbortController();
});

afterEach(() => {
  end.abort();
  document.body.replaceChildren();
});

/** A chart whose plot lies from 100 to 300, and the pointer in it. */
function chart(changed: Partial<typeof traits> = {}) {
  const model = new TestModel({}, { ...traits, ...changed });
  const saved: Record<string, unknown>[] = [];
  let set: Record<string, unknown> = {};
  vi.spyOn(model, "set").mockImplementation((name, value) => {
    set[name] = value;
  });
  vi.spyOn(model, "save_changes").mockImplementation(() => {
    saved.push(set);
    set = {};
  });
  document.body.innerHTML =
    '<div class="dw-chart"><div id="el"></div><div class="plotarea_events"></div></div>';
  const el = document.querySelector<HTMLElement>("#el")!;
  const plot = document.querySelector<HTMLElement>(".plotarea_events")!;
  plot.getBoundingClientRect = () => new DOMRect(100, 50, 200, 100);
  point(model, el, end.signal);
  const mouse = (type: string, x: number, { y = 100, button = 0, on = plot as EventTarget } = {}) =>
    on.dispatchEvent(
      new PointerEvent(type, { clientX: x, clientY: y, button, bubbles: true, composed: true }),
    );
  const tip = () => {
    const shown = el.querySelector<HTMLElement>(".dw-tip:not([hidden])");
    return shown && { text: shown.textContent, left: shown.style.left };
  };
  return { model, saved, el, mouse, tip };
}

test("the mouse reads what is at the nearest place", () => {
  const { mouse, tip } = chart();
  mouse("pointermove", 125);
  expect(tip()).toEqual({ text: "few", left: "120px" });
  mouse("pointermove", 215);
  expect(tip()).toEqual({ text: "some", left: "200px" });
});

test("nothing is said where there is nothing to say, or beside the plot, or over another one", () => {
  const { mouse, tip } = chart();
  mouse("pointermove", 125);
  mouse("pointermove", 290);
  expect(tip()).toBeNull();
  mouse("pointermove", 125);
  mouse("pointermove", 95);
  expect(tip()).toBeNull();
  mouse("pointermove", 125, { y: 160 });
  expect(tip()).toBeNull();
  mouse("pointermove", 125, { on: document.body });
  expect(tip()).toBeNull();
});

test("a press picks the value at the nearest place when it is let go, wherever that is", () => {
  const { saved, mouse } = chart({ values: [0, 0.01, 0.05] });
  saved.length = 0;
  mouse("pointerdown", 125);
  mouse("pointermove", 128);
  mouse("pointermove", 205);
  mouse("pointerup", 400, { on: document.body });
  expect(saved).toEqual([
    { held: 0 },
    { held: 0.01 },
    { held: 0.05 },
    { picked: 0.05, held: null },
  ]);
});

test("no other button picks, nor a press beside the plot, nor one where nothing can be picked", () => {
  const { saved, mouse } = chart({ values: [0, 0.01, 0.05] });
  saved.length = 0;
  mouse("pointerdown", 125, { button: 2 });
  mouse("pointerup", 125);
  mouse("pointerdown", 50);
  mouse("pointerup", 125);
  expect(saved).toEqual([]);
  const other = chart();
  other.saved.length = 0;
  other.mouse("pointerdown", 125);
  other.mouse("pointerup", 125);
  expect(other.saved).toEqual([]);
});

test("it says that it is shown, and brings the styles for as long as it is", () => {
  const before = document.adoptedStyleSheets.length;
  const { saved, el } = chart();
  expect(saved).toEqual([{ shown: true }]);
  expect(document.adoptedStyleSheets).toHaveLength(before + 1);
  end.abort();
  expect(document.adoptedStyleSheets).toHaveLength(before);
  expect(el.childElementCount).toBe(0);
});
