import { signal } from "@preact/signals";

/** What only this page knows, the same in all displays of a widget: Python neither reads nor sets it. */
export class Screen {
  readonly showKeepers = signal(true);
  /** Whether the axis of the scores is logarithmic. */
  readonly log = signal(true);
}
