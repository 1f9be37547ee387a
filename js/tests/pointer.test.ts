// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { point } from "../src/views/charts/pointer";
import { TestModel } from "./fake";

const traits = { places: [0.1, 0.5, 0.9], texts: ["few", "some", ""] };

let end: AbortController;

beforeEach(() => {
  end = new AbortController();
});

afterEach(() => {
  end.abort();
  document.body.replaceChildren();
});

/** A chart whose plot lies from 100 to 300, and the pointer in it. */
function chart() {
  const model = new TestModel({}, traits);
  const sent: unknown[] = [];
  vi.spyOn(model, "send").mockImplementation((content) => {
    sent.push(content);
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
  return { sent, el, mouse, tip };
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

test("a press picks the place that is nearest when it is let go, wherever that is", () => {
  const { sent, mouse, tip } = chart();
  sent.length = 0;
  mouse("pointerdown", 125);
  mouse("pointermove", 205, { on: document.body });
  expect(tip()?.text).toBe("some");
  mouse("pointerup", 400, { on: document.body });
  mouse("pointerup", 125);
  expect(sent).toEqual([{ picked: 2 }]);
});

test("no other button picks, nor a press beside the plot, nor one that the page takes back", () => {
  const { sent, mouse } = chart();
  sent.length = 0;
  mouse("pointerdown", 125, { button: 2 });
  mouse("pointerup", 125);
  mouse("pointerdown", 50);
  mouse("pointerup", 125);
  mouse("pointerdown", 125);
  mouse("pointercancel", 125);
  mouse("pointerup", 125);
  expect(sent).toEqual([]);
});

test("it says that it is shown, and brings the styles for as long as it is", () => {
  const before = document.adoptedStyleSheets.length;
  const { sent, el } = chart();
  expect(sent).toEqual([{ shown: true }]);
  expect(document.adoptedStyleSheets).toHaveLength(before + 1);
  end.abort();
  expect(document.adoptedStyleSheets).toHaveLength(before);
  expect(el.childElementCount).toBe(0);
});
