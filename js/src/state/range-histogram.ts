import { batch, computed, type Signal, signal } from "@preact/signals";
import { countIn, type Range } from "../data/range";
import { Bars } from "../histogram/bars";
import { rangeOrNull } from "../histogram/histogram";
import type { AnyModel } from "../wire/model";
import { CancelledError, RetryError, Rpc } from "../wire/rpc";
import { syncTrait } from "../wire/sync";
import type { Throttled } from "../wire/throttle";
import type { StateOptions, Status } from "./pick";

/** What all displays of one stand-alone RangeHistogram share. */
export class HistogramState {
  readonly rpc: Rpc;
  readonly status: Signal<Status> = signal({ kind: "loading" });
  readonly values: Signal<Float32Array> = signal(new Float32Array(0));
  readonly range: Signal<Range | null> = signal(null);
  readonly log: Signal<boolean> = signal(false);
  readonly label: Signal<string> = signal("");
  #pushRange: Throttled;
  #pushLog: Throttled;

  readonly bars = new Bars({ values: () => this.values.value, log: () => this.log.value });
  readonly count = computed(() => {
    const range = this.range.value;
    return range ? countIn(this.values.value, range) : this.values.value.length;
  });
  /** Null while the range spans the whole axis. */
  readonly shownRange = computed(() => {
    const range = this.range.value;
    return range && rangeOrNull(range, this.bars.scale.value);
  });

  constructor(model: AnyModel, { signal: abort, rpc }: StateOptions) {
    this.rpc = rpc ?? new Rpc(model, { signal: abort });
    const readRange = (raw: unknown) =>
      Array.isArray(raw) && raw.length === 2 && raw.every((end) => Number.isFinite(end))
        ? ([raw[0], raw[1]] as const)
        : null;
    this.#pushRange = syncTrait(model, "value", this.range, readRange, abort);
    this.#pushLog = syncTrait(model, "log", this.log, (raw) => raw === true, abort);
    syncTrait(model, "label", this.label, (raw) => String(raw ?? ""), abort);
    this.open();
  }

  open(): void {
    this.status.value = { kind: "loading" };
    this.rpc.request("open_histogram", {}, { latest: "open" }).then(
      ({ values }) =>
        batch(() => {
          this.values.value = values;
          this.status.value = { kind: "ready" };
        }),
      (error: Error) => {
        if (error instanceof RetryError) this.open();
        else if (!(error instanceof CancelledError)) {
          const retry = () => this.open();
          this.status.value = { kind: "error", message: error.message, retry };
        }
      },
    );
  }

  setRange(range: Range | null): void {
    // The trait is always a pair: without a range it is the whole axis.
    const { min, max } = this.bars.scale.value;
    this.range.value = range ?? [min, max];
    this.#pushRange();
  }

  setLog(log: boolean): void {
    this.log.value = log;
    this.#pushLog();
  }
}
