import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Frame } from "../data/frame";
import { reviewedBands, type Seen, seenAfter, seenOf } from "../data/reviewed";
import type { Replies } from "../wire/protocol";
import type { Rpc } from "../wire/rpc";

/** Which groups were reviewed, wherever and whenever that was. */
export class Reviewed {
  readonly seen: Signal<Seen> = signal(new Uint32Array(0));
  /** By band: 1 for groups that were reviewed; null without a review. */
  readonly bands: ReadonlySignal<Uint8Array | null>;
  /** Groups in all, and those that were reviewed. */
  readonly progress = computed(() => {
    const frame = this.#frame.value;
    const done = this.bands.value;
    let groups = 0;
    let reviewed = 0;
    for (let band = 1; frame && done && band < done.length; band++) {
      groups += +(frame.groupSize[band] > 0);
      reviewed += done[band];
    }
    return { groups, reviewed };
  });
  #frame: ReadonlySignal<Frame | null>;

  constructor(rpc: Rpc, frame: ReadonlySignal<Frame | null>) {
    this.#frame = frame;
    this.bands = computed(() => {
      const present = frame.value;
      const seen = this.seen.value;
      return present && seen.length === present.rows ? reviewedBands(present, seen) : null;
    });
    rpc.on("reviewed", ({ rows, reviewed }) => {
      this.seen.value = seenAfter(this.seen.peek(), rows, reviewed);
    });
  }

  load(reply: Replies["open_review"]): void {
    this.seen.value = seenOf(reply);
  }
}
