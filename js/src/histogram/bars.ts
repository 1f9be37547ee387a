import { computed, type ReadonlySignal } from "@preact/signals";
import type { Measure } from "../data/measure";
import type { Numbers } from "../wire/protocol";
import { binCounts, binsOf, canBeLog, extentOf, isEmpty, scaleFor } from "./histogram";
import type { Scale } from "./scale";

interface BarsOptions {
  values(): Numbers;
  log(): boolean;
  measure?: Measure;
  /** The rows that other filters leave; null for all. */
  left?(): Uint8Array | null;
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
    this.left = computed(() => {
      const rows = left();
      return rows ? binCounts(bins.value, this.scale.value, rows) : this.counts.value;
    });
  }
}
