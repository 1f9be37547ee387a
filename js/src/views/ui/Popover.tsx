import { effect } from "@preact/signals";
import type { ComponentChildren, RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";
import { historyStep } from "../../data/keys";
import { CloseIcon } from "./icons";

interface PopoverProps {
  panel: RefObject<HTMLDivElement | null>;
  class?: string;
  label: string;
  /** What stands beside the button that closes it. */
  head: ComponentChildren;
  /** Where a panel of this size belongs now, on the screen; null closes it. */
  place(size: DOMRect): { left: number; top: number } | null;
  /** Reads the signals that move its place. */
  moves?(): void;
  /** Whether a press is on what opens it, which has a handler of its own. */
  isOpener(path: EventTarget[]): boolean;
  /** `byHand`: with Escape or its button, so that the focus goes back. */
  onClose(byHand: boolean): void;
  children: ComponentChildren;
}

/** A panel in the top layer, for the output cell of a notebook clips. */
export function Popover(props: PopoverProps) {
  const { panel, label, head, onClose, children } = props;
  useLayoutEffect(() => keepInPlace(panel.current!, props), []);
  useLayoutEffect(() => focusFirst(panel.current!), []);
  const onKeyDown = (event: KeyboardEvent) => {
    if (!historyStep(event)) event.stopPropagation();
    if (event.key !== "Escape") return;
    event.preventDefault();
    onClose(true);
  };
  return (
    <div
      ref={panel}
      class={props.class ? `popover ${props.class}` : "popover"}
      popover="manual"
      role="dialog"
      tabIndex={-1}
      aria-label={label}
      onKeyDown={onKeyDown}
    >
      <div class="popover-head">
        {head}
        <button type="button" class="plain" aria-label="Close" onClick={() => onClose(true)}>
          <CloseIcon />
        </button>
      </div>
      {children}
    </div>
  );
}

/** Focus what one most likely wants, unless the focus is in the panel already. */
export function focusFirst(panel: HTMLElement): void {
  const active = (panel.getRootNode() as ShadowRoot | Document).activeElement;
  if (active !== panel && panel.contains(active)) return;
  (panel.querySelector<HTMLElement>("[data-first]") ?? panel).focus({ preventScroll: true });
}

/** Show a panel where it belongs until it is closed; returns what ends that. */
function keepInPlace(
  panel: HTMLElement,
  { place, moves, isOpener, onClose }: PopoverProps,
): () => void {
  panel.showPopover?.();
  const put = () => {
    const at = place(panel.getBoundingClientRect());
    if (!at) return onClose(false);
    panel.style.left = `${at.left}px`;
    panel.style.top = `${at.top}px`;
  };
  put();
  const listeners = new AbortController();
  const { signal } = listeners;
  const moved = effect(() => {
    moves?.();
    requestAnimationFrame(() => signal.aborted || put());
  });
  const resized = new ResizeObserver(put);
  resized.observe(panel);
  window.addEventListener("resize", put, { signal });
  // Captured on the page: the notebook scrolls in an element of its own.
  window.addEventListener("scroll", put, { capture: true, passive: true, signal });
  window.addEventListener(
    "pointerdown",
    (event) => {
      const path = event.composedPath();
      if (!path.includes(panel) && !isOpener(path)) onClose(false);
    },
    { capture: true, signal },
  );
  return () => {
    listeners.abort();
    moved();
    resized.disconnect();
  };
}
