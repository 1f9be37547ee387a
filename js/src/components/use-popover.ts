import type { RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";
import { placeBelow } from "../popover";

export interface PopoverOptions {
  /** What opens and closes it: a press there is left to its own handler. */
  opener: Element;
  /** What moves with the page; the popover keeps its distance to it, whatever else moves. */
  holder: Element;
  close(): void;
}

/**
 * Show an element in the top layer, below what opened it, until it is closed elsewhere.
 *
 * The place is found once: what opened it may move while filters come and go, or go itself.
 */
export function usePopover(
  panel: RefObject<HTMLElement | null>,
  { opener, holder, close }: PopoverOptions,
): void {
  useLayoutEffect(() => {
    const element = panel.current!;
    element.showPopover?.();
    const start = opener.getBoundingClientRect();
    const origin = holder.getBoundingClientRect();
    const place = () => {
      const now = holder.getBoundingClientRect();
      const { left, top } = placeBelow(
        {
          left: now.left + Math.min(start.left - origin.left, now.width),
          top: now.top + start.top - origin.top,
          width: start.width,
          height: start.height,
        },
        element.getBoundingClientRect(),
        { width: window.innerWidth, height: window.innerHeight },
      );
      element.style.left = `${left}px`;
      element.style.top = `${top}px`;
    };
    place();
    const listeners = new AbortController();
    const { signal } = listeners;
    const resized = new ResizeObserver(place);
    resized.observe(element);
    window.addEventListener("resize", place, { signal });
    // Captured on the page: the notebook scrolls in an element of its own.
    window.addEventListener("scroll", place, { capture: true, passive: true, signal });
    window.addEventListener(
      "pointerdown",
      (event) => {
        const path = event.composedPath();
        if (!path.includes(element) && !path.includes(opener)) close();
      },
      { capture: true, signal },
    );
    return () => {
      listeners.abort();
      resized.disconnect();
    };
  }, [opener, holder]);
}
