import type { AnyModel } from "../src/wire/model";
import {
  type Events,
  encode,
  type Replies,
  type RequestKind,
  type ReviewInfo,
  type TileInfo,
} from "../src/wire/protocol";

type Listener = (...args: unknown[]) => void;

export interface SentMessage {
  seq: number;
  client: number;
  kind: string;
  [field: string]: unknown;
}

/** An answer that also tells of what changed. */
export class Told {
  constructor(
    readonly events: readonly Record<string, unknown>[],
    readonly reply: Record<string, unknown> = {},
  ) {}
}

type Answers = {
  [K in RequestKind]?: (request: SentMessage, buffers: ArrayBuffer[]) => Replies[K] | Error | Told;
};

/** A model whose other side is a table of answers; kinds without one stay unanswered. */
export class TestModel implements AnyModel {
  readonly sent: { content: SentMessage; buffers: ArrayBuffer[] }[] = [];
  answers: Answers;
  /** What draws one widget within another; marimo's cannot. */
  widget_manager: object = { create_view: () => {} };
  #traits: Map<string, unknown>;
  #listeners = new Map<string, Set<Listener>>();

  constructor(answers: Answers = {}, traits: Record<string, unknown> = {}) {
    this.answers = answers;
    this.#traits = new Map(Object.entries(traits));
  }

  get(name: string): unknown {
    return this.#traits.get(name);
  }

  set(name: string, value: unknown): void {
    this.#traits.set(name, value);
  }

  save_changes(): void {}

  on(event: string, callback: Listener): void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(callback));
  }

  off(event: string, callback: Listener): void {
    this.#listeners.get(event)?.delete(callback);
  }

  send(content: unknown, _callbacks?: unknown, buffers: ArrayBuffer[] = []): void {
    const message = content as SentMessage;
    this.sent.push({ content: message, buffers });
    const answer = this.answers[message.kind as RequestKind];
    if (!answer) return;
    queueMicrotask(() => this.reply(message, answer(message, buffers)));
  }

  reply(request: { seq: number; client: number }, result: object | Error): void {
    const { seq, client } = request;
    if (result instanceof Error) {
      const error = { type: result.name, message: result.message };
      this.receive({ seq, client, error, events: [] });
      return;
    }
    const told = result instanceof Told ? result : new Told([], { ...result });
    const [reply, ...events] = this.#encoded([told.reply, ...told.events]);
    this.receive({ seq, client, reply: reply.content, events: events.map((it) => it.content) }, [
      ...reply.buffers,
      ...events.flatMap((it) => it.buffers),
    ]);
  }

  /** Tell of something that changed; typed arrays travel in buffers. */
  tell(event: Record<string, unknown>): void {
    const [{ content, buffers }] = this.#encoded([event]);
    this.receive({ events: [content] }, buffers);
  }

  /** Parts of one message, whose arrays share its buffers. */
  #encoded(parts: Record<string, unknown>[]) {
    let used = 0;
    return parts.map((part) => {
      const { content, buffers } = encode(part);
      for (const value of Object.values(content)) {
        if (typeof value === "object" && value !== null && "buffer" in value) {
          (value as { buffer: number }).buffer += used;
        }
      }
      used += buffers.length;
      return { content, buffers };
    });
  }

  receive(content: object, buffers: ArrayBuffer[] = []): void {
    const views = buffers.map((buffer) => new DataView(buffer));
    this.emit("msg:custom", content, views);
  }

  /** Python changes a trait. */
  change(name: string, value: unknown): void {
    this.set(name, value);
    this.emit(`change:${name}`);
  }

  emit(event: string, ...args: unknown[]): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) listener(...args);
  }

  listeners(event: string): number {
    return this.#listeners.get(event)?.size ?? 0;
  }

  ofKind(kind: string): SentMessage[] {
    return this.sent.map(({ content }) => content).filter((content) => content.kind === kind);
  }
}

/** Let promises and microtasks run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

/**
 * Eight images: row 1 keeps the exact copy 3, row 4 keeps the near-duplicates 2 and 6; rows 0 and
 * 5 are unique; 7 could not be read.
 */
/** Codes as they travel: of four rows a byte. */
export function packed(codes: number[]): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(codes.length / 4));
  for (const [row, code] of codes.entries()) bytes[row >> 2] |= (code & 3) << (2 * (row & 3));
  return bytes;
}

export function smallFrame(): Replies["open_review"] {
  return {
    rows: 8,
    columns: [
      { name: "path", type: "String", sortable: true, facet: "text" },
      { name: "uniqueness", type: "Float32", sortable: true, facet: "number" },
      { name: "kind", type: "Enum", sortable: true, facet: "category" },
      { name: "group", type: "UInt32", sortable: true, facet: "number" },
      { name: "width", type: "Int64", sortable: true, facet: "number" },
      { name: "error", type: "String", sortable: true, facet: "text" },
      { name: "embedding", type: "Array", sortable: false, facet: null },
    ],
    score: "uniqueness",
    near: 0.05,
    similar: null,
    words: false,
    path: "path",
    summary: {
      images: 8,
      exact: 1,
      near: 2,
      kept: 4,
      exact_bytes: 2048,
      near_bytes: 4096,
      groups: 2,
      exact_groups: 1,
      near_groups: 1,
      waiting: 0,
      unreadable: 1,
      unconfirmed: 0,
      compared: null,
      left_out: 0,
      old: 0,
      annotated: 0,
      not_taken: 0,
      about_folder: "",
      label_conflicts: null,
      leakage: null,
    },
    review: smallReview(),
    collections: [],
    members: new Uint8Array(0),
    scores: new Float32Array([0.9, 0.4, 0.02, 0, 0.01, 0.5, 0.03, Number.NaN]),
    kind: packed([0, 2, 1, 2, 1, 0, 1, 255]),
    keep: packed([1, 1, 0, 0, 1, 1, 0, 255]),
    banded: new Uint32Array([1, 3, 4, 2, 6]),
    band_sizes: new Uint32Array([2, 3]),
    selected: new Uint8Array([0]),
    mergeable: [],
    reviewed_rows: new Uint32Array(0),
    reviewed: new Uint32Array(0),
    version: 0,
  };
}

/** What a tile tells of its row: nothing special, unless `change` says so. */
export function smallTile(row: number, change: Partial<TileInfo> = {}): TileInfo {
  return {
    row,
    name: `${row}.jpg`,
    path: `/photos/${row}.jpg`,
    caption: null,
    chosen: false,
    not_duplicate: false,
    width: 4,
    height: 3,
    facts: {},
    error: null,
    thumb: null,
    ...change,
  };
}

/** The tiles of the rows that a page asks for. */
export function smallTiles(of: (row: number) => Partial<TileInfo> = () => ({})) {
  return ({ rows }: SentMessage) => ({
    tiles: (rows as number[]).map((row) => smallTile(row, of(row))),
    blob: new Uint8Array(0),
  });
}

/** What Python tells of when the plan of {@link smallFrame} changes. */
export function smallPlan(change: Partial<Events["plan"]> = {}): Record<string, unknown> {
  const { scores, near, summary } = smallFrame();
  return {
    event: "plan",
    version: 1,
    keep_order: false,
    rows: null,
    scores,
    band: new Uint32Array([0, 1, 2, 1, 2, 0, 2, 0]),
    place: new Uint32Array([0, 0, 1, 1, 0, 0, 2, 0]),
    kind: new Uint8Array([0, 2, 1, 2, 1, 0, 1, 255]),
    keep: new Uint8Array([1, 1, 0, 0, 1, 1, 0, 255]),
    near,
    summary,
    ...change,
  };
}

export function smallReview(): ReviewInfo {
  return {
    off: null,
    near: 0.05,
    scored_near: 0.05,
    near_max: 0.2,
    changes: "",
    rules: [{ name: "pixels", about: "most pixels" }],
    rule_choices: [
      { name: "pixels", about: "most pixels" },
      { name: "bytes", about: "most bytes" },
    ],
    keepers: 0,
    not_duplicates: 0,
    undo: null,
    redo: null,
    went_on: "",
  };
}
