import { type Signal, signal } from "@preact/signals";
import type { AnyModel } from "../wire/model";
import { syncTrait } from "../wire/sync";
import { PickState, type StateOptions } from "./pick";

/** What all displays of one stand-alone SimilarItems share. */
export class SimilarItemsState extends PickState {
  readonly row: Signal<number> = signal(0);
  readonly k: Signal<number> = signal(12);

  constructor(model: AnyModel, options: StateOptions) {
    super(model, options);
    const whole = (fallback: number) => (raw: unknown) =>
      Number.isInteger(raw) ? (raw as number) : fallback;
    syncTrait(model, "_row", this.row, whole(0), options.signal);
    syncTrait(model, "k", this.k, whole(12), options.signal);
    this.open();
  }
}
