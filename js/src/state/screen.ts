import { signal } from "@preact/signals";

/** What all displays of a widget share on this page, and Python neither reads nor sets. */
export class Screen {
  readonly showKeepers = signal(true);
  /** Whether the axis of the scores is logarithmic. */
  readonly log = signal(true);
}
