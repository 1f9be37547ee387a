import { computed, type ReadonlySignal } from "@preact/signals";
import { turnedRows } from "../data/masks";
import type { Measure } from "../data/measure";
import type { Numbers } from "../wire/protocol";
import {
  binCounts,
  binCountsAgain,
  binsOf,
  canBeLog,
  extentOf,
  isEmpty,
  scaleFor,
} from "./histogram";
import type { Scale } from "./scale";

interface BarsOptions {
  values(): Numbers;
  log(): boolean;
  measure?: Measure;
  /** The rows that other filters leave; null for all. */
  left?(): Uint8Array | null;
}

/** What was counted of the rows that other filters have left. */
interface Left {
  of: Uint8Array;
  rows: Uint8Array;
  counts: Uint32Array;
}

/** What a histogram of some values draws. */
export class Bars {
  readonly scale: ReadonlySignal<Scale>;
  /** How many values each bin has. */
  readonly counts: ReadonlySignal<Uint32Array>;
  /** The same of the rows that other filters leave. */
  readonly left: ReadonlySignal<Uint32Array>;
  readonly empty: ReadonlySignal<boolean>;
  readonly canBeLog: ReadonlySignal<boolean>;

  constructor({ values: read, log, measure, left = () => null }: BarsOptions) {
    // Values that stay the same array cost nothing when what they are read from changes.
    const values = computed(read);
    const extent = computed(() => extentOf(values.value));
    const bins = computed(() => binsOf(values.value, this.scale.value));
    this.empty = computed(() => isEmpty(extent.value));
    this.canBeLog = computed(() => canBeLog(extent.value));
    this.scale = computed(() => scaleFor(extent.value, log(), measure));
    this.counts = computed(() => binCounts(bins.value, this.scale.value));
    let before: Left | null = null;
    this.left = computed(() => {
      const rows = left();
      if (!rows) return this.counts.value;
      const of = bins.value;
      const changed = before?.of === of ? turnedRows(rows, before.rows) : null;
      const counts =
        before && changed
          ? binCountsAgain(before.counts, of, changed)
          : binCounts(of, this.scale.value, rows);
      before = { of, rows, counts };
      return counts;
    });
  }
}
