interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

const MARGIN = 8;
const GAP = 4;

/** Where to put what a button drops down: below it, above it where there is no room. */
export function placeBelow(
  anchor: Box,
  popover: { width: number; height: number },
  screen: { width: number; height: number },
): { left: number; top: number } {
  const maxLeft = Math.max(MARGIN, screen.width - popover.width - MARGIN);
  const maxTop = Math.max(MARGIN, screen.height - popover.height - MARGIN);
  const below = anchor.top + anchor.height + GAP;
  const top = below <= maxTop ? below : anchor.top - popover.height - GAP;
  return {
    left: Math.min(Math.max(anchor.left, MARGIN), maxLeft),
    top: Math.min(Math.max(top, MARGIN), maxTop),
  };
}

/**
 * Where what an element opens belongs: below it, at the same distance to `holder` for as long as it
 * is open. What opened it may move while filters come and go, or go itself.
 */
export function below(opener: Element, holder: Element) {
  const start = opener.getBoundingClientRect();
  const origin = holder.getBoundingClientRect();
  return (popover: { width: number; height: number }) => {
    const now = holder.getBoundingClientRect();
    // It ends where the holder ends, if it fits into that.
    const left = Math.min(start.left - origin.left, Math.max(0, now.width - popover.width));
    const anchor = {
      left: now.left + left,
      top: now.top + start.top - origin.top,
      width: start.width,
      height: start.height,
    };
    return placeBelow(anchor, popover, screenSize());
  };
}

export const screenSize = () => ({ width: window.innerWidth, height: window.innerHeight });

/**
 * Where to put a popover: beside its anchor where there is room, below or above otherwise, and
 * wholly on the screen in any case.
 */
export function placeBeside(
  anchor: Box,
  popover: { width: number; height: number },
  screen: { width: number; height: number },
): { left: number; top: number } {
  const maxLeft = Math.max(MARGIN, screen.width - popover.width - MARGIN);
  const maxTop = Math.max(MARGIN, screen.height - popover.height - MARGIN);
  const clampLeft = (left: number) => Math.min(Math.max(left, MARGIN), maxLeft);
  const clampTop = (top: number) => Math.min(Math.max(top, MARGIN), maxTop);
  const right = anchor.left + anchor.width + MARGIN;
  if (right <= maxLeft) return { left: right, top: clampTop(anchor.top) };
  const left = anchor.left - popover.width - MARGIN;
  if (left >= MARGIN) return { left, top: clampTop(anchor.top) };
  const below = anchor.top + anchor.height + MARGIN;
  const top = below <= maxTop ? below : anchor.top - popover.height - MARGIN;
  return { left: clampLeft(anchor.left), top: clampTop(top) };
}
