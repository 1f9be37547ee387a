import type { AnyModel } from "../../wire/model";

/**
 * Hide what a notebook shows in place of a widget while this one is alive: an output of its own,
 * which Python names. A rule of the page also hides one that is drawn later.
 */
export function hideSaved(model: AnyModel, page: Document, signal: AbortSignal): void {
  const name = model.get("_saved");
  if (typeof name !== "string" || !/^[\w-]+$/.test(name)) return;
  const rule = page.createElement("style");
  rule.textContent = `.${name}, .jp-OutputArea-child:has(.${name}) { display: none !important; }`;
  page.head.append(rule);
  signal.addEventListener("abort", () => rule.remove(), { once: true });
}
