import { batch, type Signal, signal } from "@preact/signals";
import { type AnyModel, listen } from "./model";
import {
  decode,
  type EventKind,
  type Events,
  encode,
  MAX_MESSAGE_BYTES,
  type Replies,
  type RequestKind,
  type Requests,
} from "./protocol";

/** Python answered with an error; `type` is the name of its class. */
export class RemoteError extends Error {
  constructor(
    readonly type: string,
    message: string,
  ) {
    super(message);
    this.name = "RemoteError";
  }
}

/** The request will not be answered: cancelled, superseded, or the view is gone. */
export class CancelledError extends Error {
  override name = "CancelledError";
}

/** The connection broke while the request was under way and works again: ask anew. */
export class RetryError extends Error {
  override name = "RetryError";
}

interface RequestOptions {
  /** A new request with the same key cancels the one before it. */
  latest?: string;
  signal?: AbortSignal;
  /**
   * Told how far the answer is. Such a request does long work in Python: it is not given up while
   * the connection lives, and when `signal` aborts, Python's reply still tells what came of it.
   */
  progress?: (progress: Events["progress"]) => void;
}

/** Why a request failed, for people. */
export function reasonOf(error: unknown): string {
  if (error instanceof RetryError) return "The connection broke on the way. Try again.";
  return error instanceof Error ? error.message : String(error);
}

interface RpcOptions {
  signal: AbortSignal;
  /** Milliseconds without any sign of life after which the kernel counts as lost. */
  timeout?: number;
  /** Milliseconds between the first two pings of a lost kernel; doubles up to ten times that. */
  pingEvery?: number;
}

interface Pending {
  kind: RequestKind;
  latest?: string;
  progress?: RequestOptions["progress"];
  sentAt: number;
  /** Whether Python has said that it works on it. */
  working?: boolean;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Milliseconds that a kernel has to answer after the host said that something happened to it. */
const SUSPICIOUS = 2500;

/** Milliseconds after which a person is told that an answer takes its time. */
const SLOW = 1000;

/** What shows by itself that it waits, or is not waited for. */
const WAITS_ALONE: ReadonlySet<RequestKind> = new Set<RequestKind>([
  ...(["ping", "tiles", "picture", "beside", "similar", "create", "analytics"] as const),
  ...(["open_grid", "open_review", "open_histogram"] as const),
]);

/** What a message that came in pieces is put together from. */
interface Chunks {
  number: number;
  sizes: number[];
}

/** Requests to Python, matched with their replies by an integer. */
export class Rpc {
  /** This page's number for the model: replies reach every page, and each takes its own. */
  readonly client = Math.floor(Math.random() * 0x7fffffff) + 1;
  /** True while nothing is heard from the kernel. */
  readonly lost: Signal<boolean> = signal(false);
  /** How many requests wait for longer than a second, other than what shows it by itself. */
  readonly slow: Signal<number> = signal(0);
  /** Counts the times that a lost kernel was heard again: what is on screen asks anew. */
  readonly recovered: Signal<number> = signal(0);

  #model: AnyModel;
  #signal: AbortSignal;
  #timeout: number;
  /** The timeout that holds at present. */
  #patience: number;
  #pingEvery: number;
  #seq = 0;
  #pending = new Map<number, Pending>();
  #handlers = new Map<EventKind, (event: never) => void>();
  #chunks = new Map<number, ArrayBufferView[]>();
  #heardAt = 0;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #ping: ReturnType<typeof setTimeout> | undefined;

  constructor(model: AnyModel, { signal, timeout = 8000, pingEvery = 3000 }: RpcOptions) {
    this.#model = model;
    this.#signal = signal;
    this.#timeout = timeout;
    this.#patience = timeout;
    this.#pingEvery = pingEvery;
    listen(
      model,
      "msg:custom",
      (content, buffers) => this.#receive(content, buffers ?? []),
      signal,
    );
    // ipywidgets fires this when the kernel goes; the proxy does not tell to which side it changed.
    listen(model, "comm_live_update", () => this.#suspect(), signal);
    signal.addEventListener("abort", () => this.#close(), { once: true });
  }

  request<K extends RequestKind>(
    kind: K,
    args: Requests[K],
    { latest, signal, progress }: RequestOptions = {},
  ): Promise<Replies[K]> {
    if (this.#signal.aborted || signal?.aborted) {
      return Promise.reject(new CancelledError(`${kind} was cancelled`));
    }
    if (latest !== undefined) {
      for (const [seq, pending] of this.#pending) {
        if (pending.latest === latest) this.#cancel(seq);
      }
    }
    const seq = ++this.#seq;
    const { content, buffers } = encode(args);
    const size = buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
    if (size > MAX_MESSAGE_BYTES) {
      return Promise.reject(new RangeError(`${kind} of ${size} bytes is too large to send`));
    }
    const answer = new Promise<Replies[K]>((resolve, reject) => {
      this.#pending.set(seq, {
        kind,
        latest,
        progress,
        sentAt: Date.now(),
        resolve: resolve as (value: unknown) => void,
        reject,
      });
      signal?.addEventListener("abort", () => this.#cancel(seq), { once: true });
      this.#send({ seq, client: this.client, kind, ...content }, buffers);
      this.#arm();
    });
    if (!WAITS_ALONE.has(kind)) this.#noteSlow(answer);
    return answer;
  }

  #noteSlow(answer: Promise<unknown>): void {
    let isSlow = false;
    const timer = setTimeout(() => {
      isSlow = true;
      this.slow.value += 1;
    }, SLOW);
    const end = () => {
      clearTimeout(timer);
      if (isSlow) this.slow.value -= 1;
    };
    answer.then(end, end);
  }

  on<K extends EventKind>(event: K, handler: (fields: Events[K]) => void): void {
    this.#handlers.set(event, handler as (event: never) => void);
  }

  /** Ask for a sign of life; without one within the timeout the kernel counts as lost. */
  probe(): void {
    this.request("ping", {}, { latest: "ping" }).catch(() => {});
  }

  /** The kernel may have gone: it has less time to answer. */
  #suspect(): void {
    this.#patience = Math.min(SUSPICIOUS, this.#timeout);
    clearTimeout(this.#watch);
    this.#watch = undefined;
    this.probe();
  }

  #send(content: Record<string, unknown>, buffers: ArrayBuffer[] = []): void {
    try {
      this.#model.send(content, undefined, buffers);
    } catch {
      this.#lose();
    }
  }

  #receive(content: unknown, buffers: ArrayBufferView[]): void {
    if (typeof content !== "object" || content === null) return;
    let message = content as Record<string, unknown>;
    if (typeof message.chunk === "number") {
      this.#chunks.set(message.chunk, [...(this.#chunks.get(message.chunk) ?? []), ...buffers]);
      this.#heard(Number.POSITIVE_INFINITY);
      return;
    }
    if (message.chunks) {
      const parts = this.#joined(message.chunks as Chunks);
      message = JSON.parse(new TextDecoder().decode(parts.pop()));
      buffers = parts;
    }
    this.#takeEvents(message.events, buffers);
    if (message.client !== this.client || typeof message.seq !== "number") {
      this.#heard(Number.POSITIVE_INFINITY);
      return;
    }
    const pending = this.#pending.get(message.seq);
    this.#pending.delete(message.seq);
    this.#heard(message.seq);
    if (!pending) return;
    if (message.reply) {
      try {
        pending.resolve(decode(message.reply as Record<string, unknown>, buffers));
      } catch (error) {
        pending.reject(error as Error);
      }
    } else {
      const { type = "Error", message: text = "The request failed." } = (message.error ??
        {}) as Record<string, string>;
      pending.reject(new RemoteError(type, text));
    }
  }

  /**
   * The buffers of a message that came in pieces, and its content after them, for hosts that pass on
   * small messages only.
   */
  #joined({ number, sizes }: Chunks): ArrayBufferView[] {
    const whole = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
    let at = 0;
    for (const { buffer, byteOffset, byteLength } of this.#chunks.get(number) ?? []) {
      whole.set(new Uint8Array(buffer, byteOffset, byteLength), at);
      at += byteLength;
    }
    this.#chunks.delete(number);
    let end = 0;
    return sizes.map((size) => {
      end += size;
      return whole.subarray(end - size, end);
    });
  }

  /** What changed; in the answer to whoever caused it, for every page. */
  #takeEvents(events: unknown, buffers: ArrayBufferView[]): void {
    if (!Array.isArray(events)) return;
    batch(() => {
      for (const wired of events) {
        const event = decode(wired, buffers);
        if (event.event === "progress") this.#progressed(event as unknown as Events["progress"]);
        else if (event.event === "working") this.#works(event as unknown as Events["working"]);
        else this.#handlers.get(event.event as EventKind)?.(event as never);
      }
    });
  }

  #progressed(progress: Events["progress"]): void {
    if (progress.client !== this.client) return;
    this.#pending.get(progress.target)?.progress?.(progress);
  }

  #works({ client, target }: Events["working"]): void {
    const pending = client === this.client ? this.#pending.get(target) : undefined;
    if (pending) pending.working = true;
  }

  /** Note a sign of life. After a loss, requests sent before `seq` are taken for dropped. */
  #heard(seq: number): void {
    this.#heardAt = Date.now();
    this.#patience = this.#timeout;
    if (!this.lost.peek()) return;
    clearTimeout(this.#ping);
    for (const [earlier, pending] of [...this.#pending]) {
      if (earlier >= seq || pending.progress || pending.working) continue;
      this.#pending.delete(earlier);
      pending.reject(new RetryError(`${pending.kind} was lost on the way`));
    }
    this.lost.value = false;
    this.recovered.value = this.recovered.peek() + 1;
    this.#arm();
  }

  #arm(wait = this.#patience / 2): void {
    if (this.#watch !== undefined || this.#signal.aborted) return;
    this.#watch = setTimeout(() => this.#check(), wait);
  }

  /** Ping when an answer takes half the timeout; at the full timeout, without a sign, give up. */
  #check(): void {
    this.#watch = undefined;
    if (this.#pending.size === 0 || this.lost.peek()) return;
    const now = Date.now();
    let oldest = now;
    let pinged = false;
    for (const pending of this.#pending.values()) {
      oldest = Math.min(oldest, pending.sentAt);
      pinged ||= pending.kind === "ping";
    }
    const silence = now - Math.max(oldest, this.#heardAt);
    if (silence >= this.#patience) {
      this.#lose();
      return;
    }
    const half = this.#patience / 2;
    if (silence < half) {
      this.#arm(half - silence);
      return;
    }
    if (!pinged) this.probe();
    this.#arm(this.#patience - silence);
  }

  #lose(): void {
    if (this.lost.peek() || this.#signal.aborted) return;
    this.lost.value = true;
    let wait = this.#pingEvery;
    const again = () => {
      this.probe();
      wait = Math.min(wait * 2, this.#pingEvery * 10);
      this.#ping = setTimeout(again, wait);
    };
    this.#ping = setTimeout(again, wait);
  }

  #cancel(seq: number): void {
    const pending = this.#pending.get(seq);
    if (!pending) return;
    if (!pending.progress) {
      this.#pending.delete(seq);
      pending.reject(new CancelledError(`${pending.kind} was cancelled`));
    }
    if (pending.kind === "ping") return;
    this.#send({ seq: ++this.#seq, client: this.client, kind: "cancel", target: seq });
  }

  #close(): void {
    clearTimeout(this.#watch);
    clearTimeout(this.#ping);
    for (const pending of this.#pending.values()) {
      pending.reject(new CancelledError(`${pending.kind} was cancelled`));
    }
    this.#pending.clear();
  }
}
