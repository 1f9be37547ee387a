import { batch, effect, type Signal, signal } from "@preact/signals";
import { Selection } from "../data/selection";
import type { AnyModel } from "../wire/model";
import { Outbox } from "../wire/outbox";
import type { Replies } from "../wire/protocol";
import { CancelledError, RetryError, Rpc } from "../wire/rpc";
import { type Throttled, throttle } from "../wire/throttle";
import { TileCache } from "./tiles";

export type Status =
  | { kind: "loading" }
  | { kind: "ready" }
  | { kind: "error"; message: string; retry: () => void };

export interface StateOptions {
  signal: AbortSignal;
  rpc?: Rpc;
  tiles?: TileCache;
}

/** The selection and what follows from it; shared by every widget that shows images. */
export class PickState {
  readonly rpc: Rpc;
  readonly tiles: TileCache;
  readonly selection: Selection;
  readonly status: Signal<Status> = signal({ kind: "loading" });
  /** What of all this Python does not know yet. */
  readonly outbox = new Outbox();
  #pushSelection: Throttled;
  readonly #opens: "open_grid" | "open_review";

  constructor(
    model: AnyModel,
    { signal: abort, rpc, tiles }: StateOptions,
    opens: "open_grid" | "open_review" = "open_grid",
  ) {
    this.#opens = opens;
    this.rpc = rpc ?? new Rpc(model, { signal: abort });
    this.tiles = tiles ?? new TileCache(this.rpc, { signal: abort });
    this.#pushSelection = this.outbox.add(throttle(() => this.#sendSelection(), 100, abort));
    this.selection = new Selection(() => this.#pushSelection());
    this.rpc.on("selection", ({ rows, origin }) => {
      if (origin === this.rpc.client || this.#pushSelection.due) return;
      this.selection.load(this.selection.rows.size, rows);
      this.selectedElsewhere();
    });
    const stop = effect(() => {
      if (this.rpc.recovered.value > 0) this.tiles.retry();
    });
    abort.addEventListener("abort", stop, { once: true });
  }

  /** Ask for the data; again when the frame was replaced or the connection came back. */
  open(): void {
    this.status.value = { kind: "loading" };
    this.tiles.reset();
    this.ask();
  }

  /** Ask for the data; what is on screen stays until it is there. */
  protected ask(): void {
    this.rpc.request(this.#opens, {}, { latest: "open" }).then(
      (reply) =>
        batch(() => {
          try {
            this.opened(reply);
            this.status.value = { kind: "ready" };
          } catch (error) {
            this.#failed(error as Error);
          }
        }),
      (error: Error) => {
        if (error instanceof RetryError) this.open();
        else if (!(error instanceof CancelledError)) this.#failed(error);
      },
    );
  }

  /** Python, or another page, changed the selection. */
  protected selectedElsewhere(): void {}

  protected opened(reply: Replies["open_grid"]): void {
    // What this page is about to send is newer.
    if (this.selection.rows.size === reply.rows && this.#pushSelection.due) return;
    this.selection.load(reply.rows, reply.selected);
  }

  #failed(error: Error): void {
    this.status.value = { kind: "error", message: error.message, retry: () => this.open() };
  }

  #sendSelection(): void {
    this.rpc.request("select", { rows: this.selection.rows.bytes }).catch((error: Error) => {
      if (error instanceof RetryError) this.#pushSelection();
    });
  }
}
