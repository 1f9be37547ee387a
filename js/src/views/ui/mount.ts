import { type ComponentChild, render } from "preact";
import type { AnyModel, Widget } from "../../wire/model";
import base from "./base.css";
import { hideSaved } from "./saved";
import { followTheme } from "./theme";

/**
 * Draw into a shadow root of its own, until `signal` aborts.
 *
 * The style sheet lives in the shadow root: what anywidget puts into the page's head leaks out and
 * does not reach in. The attribute keeps JupyterLab from acting on keys typed here.
 */
function mount(
  el: HTMLElement,
  child: ComponentChild,
  styles: readonly string[],
  signal: AbortSignal,
): HTMLElement {
  const host = el.ownerDocument.createElement("div");
  host.dataset.lmSuppressShortcuts = "true";
  const shadow = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync([base, ...styles].join("\n"));
  shadow.adoptedStyleSheets = [sheet];
  followTheme(host, signal);
  render(child, shadow);
  el.append(host);
  signal.addEventListener(
    "abort",
    () => {
      render(null, shadow);
      host.remove();
    },
    { once: true },
  );
  return host;
}

interface WidgetParts<S> {
  /** Makes what all views of one model share. */
  create(model: AnyModel, signal: AbortSignal): S;
  view(state: S, signal: AbortSignal): ComponentChild;
  /** The style sheets of the view; later ones win. */
  styles: readonly string[];
  /** May add children to the host element, for what needs the page's own styles. */
  slot?(state: S, model: AnyModel, host: HTMLElement, signal: AbortSignal): void;
}

/**
 * A front-end module for anywidget.
 *
 * The default export is a function, which anywidget calls once a model: `initialize` and `render`
 * get different proxies of the model, so what all views share is kept in the closure.
 */
export function widget<S>({ create, view, styles, slot }: WidgetParts<S>): () => Widget {
  return () => {
    let shared: S | undefined;
    return {
      initialize({ model, signal }) {
        const [own, end] = lifetime(signal);
        shared = create(model, own);
        return end;
      },
      render({ model, el, signal }) {
        const [own, end] = lifetime(signal);
        // Hosts that render without initialize get a state that lives as long as the view.
        const state = shared ?? create(model, own);
        hideSaved(model, el.ownerDocument, own);
        const host = mount(el, view(state, own), styles, own);
        slot?.(state, model, host, own);
        return end;
      },
    };
  };
}

/** A signal that also ends when the returned clean-up is called: older hosts pass no signal. */
function lifetime(signal?: AbortSignal): [AbortSignal, () => void] {
  const controller = new AbortController();
  if (signal?.aborted) controller.abort();
  signal?.addEventListener("abort", () => controller.abort(), { once: true });
  return [controller.signal, () => controller.abort()];
}
