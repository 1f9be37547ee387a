import type { AnyModel } from "../../wire/model";
import styles from "./charts.css";

/**
 * Say what is under the mouse in the chart beside an element, and let pick there, until `signal`
 * aborts.
 *
 * The chart is bqplot's, in the page's own tree: so are the styles, which come with this.
 */
export function point(model: AnyModel, el: HTMLElement, signal: AbortSignal): void {
  const page = el.ownerDocument;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(styles);
  page.adoptedStyleSheets = [...page.adoptedStyleSheets, sheet];
  const guide = page.createElement("div");
  const tip = page.createElement("div");
  guide.className = "dw-guide";
  tip.className = "dw-tip";
  guide.hidden = tip.hidden = true;
  el.append(guide, tip);

  const places = () => model.get("places") as number[];
  let held = false;

  const under = (event: PointerEvent) => {
    const chart = el.closest(".dw-chart");
    const plot = chart?.querySelector(".plotarea_events")?.getBoundingClientRect();
    if (!chart || !plot || plot.width < 1) return null;
    const { clientX: x, clientY: y } = event;
    const share = (x - plot.left) / plot.width;
    const inside = share >= 0 && share <= 1 && y >= plot.top && y <= plot.bottom;
    return {
      plot,
      index: nearest(places(), share),
      over: inside && chart.contains(event.composedPath()[0] as Node),
    };
  };

  const show = (event: PointerEvent) => {
    const at = under(event);
    const text = at && (at.over || held) ? (model.get("texts") as string[])[at.index] : "";
    guide.hidden = tip.hidden = !text;
    if (!at || !text) return;
    const share = places()[at.index];
    const origin = el.getBoundingClientRect();
    const left = `${at.plot.left - origin.left + share * at.plot.width}px`;
    const top = `${at.plot.top - origin.top}px`;
    Object.assign(guide.style, { left, top, height: `${at.plot.height}px` });
    Object.assign(tip.style, { left, top });
    tip.classList.toggle("dw-before", share > 0.5);
    tip.textContent = text;
  };

  const on = (
    name: "pointermove" | "pointerdown" | "pointerup" | "pointercancel",
    listener: (event: PointerEvent) => void,
  ) => page.addEventListener(name, listener, { signal });
  on("pointermove", show);
  on("pointerdown", (event) => {
    held = event.button === 0 && Boolean(under(event)?.over);
  });
  on("pointerup", (event) => {
    const picked = held ? under(event)?.index : undefined;
    held = false;
    if (picked !== undefined) model.send({ picked });
  });
  on("pointercancel", () => {
    held = false;
  });
  signal.addEventListener(
    "abort",
    () => {
      page.adoptedStyleSheets = page.adoptedStyleSheets.filter((other) => other !== sheet);
      el.replaceChildren();
    },
    { once: true },
  );
  model.send({ shown: true });
}

/** The index of the place that is nearest; -1 where there are none. */
function nearest(places: readonly number[], share: number): number {
  const far = places.map((place) => Math.abs(place - share));
  return far.indexOf(Math.min(...far));
}
