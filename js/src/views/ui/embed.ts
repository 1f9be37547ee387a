import { type AnyModel, listen } from "../../wire/model";

/** What is used here of the host's widget manager and its views, from @jupyter-widgets/base. */
interface WidgetManager {
  get_model(id: string): Promise<unknown>;
  create_view(model: unknown): Promise<WidgetView>;
}

interface WidgetView {
  readonly el: HTMLElement;
  readonly luminoWidget?: { processMessage(message: LuminoMessage): void };
  remove(): void;
}

interface LuminoMessage {
  type: "before-attach" | "after-attach" | "before-detach" | "after-detach";
  isConflatable: boolean;
  conflate(other: unknown): boolean;
}

const REFERENCE = "IPY_MODEL_";

/**
 * Draw the widget that a trait refers to into an element: none while the trait is null, and the
 * other one when the trait changes.
 *
 * The element must lie in the page's own tree, for styles of other widgets do not reach into a
 * shadow root; a slot shows it there. Nothing is drawn before the element has a width: charts that
 * start without one have to be measured again.
 *
 * @returns A promise that resolves when `signal` aborts, and rejects when drawing fails.
 */
export async function embed(
  model: AnyModel,
  trait: string,
  into: HTMLElement,
  signal: AbortSignal,
): Promise<void> {
  await hasWidth(into, signal);
  if (signal.aborted) return;
  const manager = (model as { widget_manager?: WidgetManager }).widget_manager;
  if (!manager) throw new Error("this notebook host cannot show one widget within another");
  // Ends with the first failure, too: a second try must not leave two that follow the trait.
  const own = new AbortController();
  const end = () => own.abort();
  signal.addEventListener("abort", end, { once: true });
  try {
    await follow(manager, model, trait, into, own.signal);
  } finally {
    signal.removeEventListener("abort", end);
    end();
  }
}

function follow(
  manager: WidgetManager,
  model: AnyModel,
  trait: string,
  into: HTMLElement,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let drawn: unknown = null;
    let view = new AbortController();
    const update = () => {
      const reference = model.get(trait);
      if (reference === drawn) return;
      drawn = reference;
      view.abort();
      view = new AbortController();
      if (reference) draw(manager, reference, into, view.signal).catch(reject);
    };
    const end = () => {
      view.abort();
      resolve();
    };
    listen(model, `change:${trait}`, update, signal);
    signal.addEventListener("abort", end, { once: true });
    update();
  });
}

async function draw(
  manager: WidgetManager,
  reference: unknown,
  into: HTMLElement,
  signal: AbortSignal,
): Promise<void> {
  if (typeof reference !== "string" || !reference.startsWith(REFERENCE)) {
    throw new TypeError(`not a reference to a widget: ${JSON.stringify(reference)}`);
  }
  const model = await manager.get_model(reference.slice(REFERENCE.length));
  const view = await manager.create_view(model);
  if (signal.aborted) {
    view.remove();
    return;
  }
  notify(view, "before-attach");
  into.append(view.el);
  notify(view, "after-attach");
  signal.addEventListener(
    "abort",
    () => {
      // Notified first: a view that is not detached yet cannot be removed once its element has left
      // the page.
      notify(view, "before-detach");
      view.el.remove();
      notify(view, "after-detach");
      view.remove();
    },
    { once: true },
  );
}

/** Send what Lumino's layouts send: widgets draw themselves once they were attached. */
function notify(view: WidgetView, type: LuminoMessage["type"]): void {
  view.luminoWidget?.processMessage({ type, isConflatable: false, conflate: () => false });
}

/** Wait until an element has a width, or `signal` aborts. */
function hasWidth(element: HTMLElement, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      observer.disconnect();
      resolve();
    };
    const observer = new ResizeObserver(([entry]) => {
      if (entry.contentRect.width > 0) end();
    });
    observer.observe(element);
    if (signal.aborted) end();
    signal.addEventListener("abort", end, { once: true });
  });
}
