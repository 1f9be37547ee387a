/** What anywidget hands to a front-end module; each hook gets its own proxy of one model. */
export interface AnyModel {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBufferView[] | ArrayBuffer[]): void;
  // biome-ignore lint/suspicious/noExplicitAny: the host passes a different list for each event
  on(event: string, callback: (...args: any[]) => void): void;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  off(event: string, callback: (...args: any[]) => void): void;
}

interface InitializeProps {
  model: AnyModel;
  signal?: AbortSignal;
}

interface RenderProps extends InitializeProps {
  el: HTMLElement;
}

export interface Widget {
  /** Both return their clean-up, for hosts that pass no signal. */
  initialize(props: InitializeProps): () => void;
  render(props: RenderProps): () => void;
}

/** Listen to one of the model's events until `signal` aborts. */
export function listen(
  model: AnyModel,
  event: string,
  // biome-ignore lint/suspicious/noExplicitAny: the host passes a different list for each event
  callback: (...args: any[]) => void,
  signal: AbortSignal,
): void {
  if (signal.aborted) return;
  model.on(event, callback);
  signal.addEventListener("abort", () => model.off(event, callback), { once: true });
}

/** Whether the host can draw one widget within another, which marimo cannot. */
export function canEmbed(model: AnyModel): boolean {
  const { widget_manager } = model as { widget_manager?: { create_view?: unknown } };
  return typeof widget_manager?.create_view === "function";
}
