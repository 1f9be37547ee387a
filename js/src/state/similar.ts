import { effect, type Signal, signal, untracked } from "@preact/signals";
import type { SimilarItem } from "../wire/protocol";
import { CancelledError, RetryError, type Rpc } from "../wire/rpc";
import type { TileCache } from "./tiles";

type SimilarStatus =
  | { kind: "loading" }
  | { kind: "ready"; items: SimilarItem[] }
  | { kind: "error"; message: string };

/** The nearest images of one row, asked for anew when the kernel comes back. */
export class SimilarQuery {
  readonly status: Signal<SimilarStatus> = signal({ kind: "loading" });

  constructor(
    rpc: Rpc,
    tiles: TileCache,
    question: { row: number; k: number },
    abort: AbortSignal,
  ) {
    const stop = effect(() => {
      rpc.recovered.value;
      this.status.value = { kind: "loading" };
      untracked(() => tiles.want(this, [question.row]));
      const controller = new AbortController();
      rpc.request("similar", question, { signal: controller.signal }).then(
        (reply) => {
          const rows = [question.row, ...reply.items.map((item) => item.row)];
          // Their tiles come along; only what they lack is asked for.
          void tiles.add(reply.tiles, reply.blob).then(() => {
            if (!abort.aborted) tiles.want(this, rows);
          });
          this.status.value = { kind: "ready", items: reply.items };
        },
        (error: Error) => {
          if (error instanceof CancelledError || error instanceof RetryError) return;
          this.status.value = { kind: "error", message: error.message };
        },
      );
      return () => controller.abort();
    });
    abort.addEventListener(
      "abort",
      () => {
        stop();
        tiles.want(this, []);
      },
      { once: true },
    );
  }
}
