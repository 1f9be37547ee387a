import { type Signal, signal } from "@preact/signals";
import { type AnyModel, canEmbed } from "../wire/model";
import { CancelledError, RetryError, type Rpc, reasonOf } from "../wire/rpc";

type ChartsStatus = { kind: "none" | "loading" | "ready" } | { kind: "error"; message: string };

/** The charts are a widget of their own, which Python makes when they are first looked at. */
export class Charts {
  readonly status: Signal<ChartsStatus> = signal({ kind: "none" });
  #rpc: Rpc;
  /** Whether the host can draw them at all. */
  readonly canEmbed: boolean;

  constructor(rpc: Rpc, model: AnyModel) {
    this.#rpc = rpc;
    this.canEmbed = canEmbed(model);
  }

  /** Request the charts, unless they are here or under way. */
  request(): void {
    if (!this.canEmbed) {
      this.fail(
        new Error(
          "This notebook cannot show one widget within another; JupyterLab can. " +
            "In Python, threshold_curve(df) has the numbers.",
        ),
      );
      return;
    }
    const { kind } = this.status.peek();
    if (kind === "loading" || kind === "ready") return;
    this.status.value = { kind: "loading" };
    this.#rpc.request("analytics", {}).then(
      () => {
        this.status.value = { kind: "ready" };
      },
      (error: unknown) => {
        if (error instanceof CancelledError) return;
        this.status.value = { kind: "none" };
        if (error instanceof RetryError) this.request();
        else this.fail(error);
      },
    );
  }

  fail(error: unknown): void {
    this.status.value = { kind: "error", message: reasonOf(error) };
  }
}
