import { type Signal, signal } from "@preact/signals";

/** Pixels of a window that are not the grid's: what lies above it, and the notebook's own bars. */
const AROUND = 300;
const LEAST = 320;
const MOST = 960;
/** Within a frame of another site the window's height is that of the output, not of the screen. */
const UNKNOWN = 560;

/** What all displays of a widget share on this page, and Python neither reads nor sets. */
export class Screen {
  readonly showKeepers = signal(true);
  /** Whether the axis of the scores is logarithmic. */
  readonly log = signal(true);
  /** The facts that tiles show; null for the usual ones. */
  readonly facts = signal<readonly string[] | null>(null);
  /** Whether the filters are unfolded; null for once one is set. */
  readonly filtersOpen = signal<boolean | null>(null);
  /** Whether the range of a filter is held and dragged. */
  readonly dragging = signal(false);
  /** The height that a grid has where nobody sets it. */
  readonly room: Signal<number> = signal(roomFor(outerWindow()?.innerHeight ?? null));

  constructor(abort: AbortSignal) {
    const outer = outerWindow();
    outer?.addEventListener(
      "resize",
      () => {
        this.room.value = roomFor(outer.innerHeight);
      },
      { signal: abort },
    );
  }
}

function roomFor(height: number | null): number {
  if (height === null) return UNKNOWN;
  return Math.min(MOST, Math.max(LEAST, height - AROUND));
}

/** The window that people see; null where the page may not ask for it. */
function outerWindow(): Window | null {
  if (typeof window === "undefined") return null;
  try {
    const outer = window.top ?? window;
    return Number.isFinite(outer.innerHeight) ? outer : null;
  } catch {
    return null;
  }
}
