import { Bitset } from "../src/bitset";
import type { AnyModel } from "../src/model";
import type { TileInfo, TileRole } from "../src/protocol";

export interface FakeOptions {
  rows: number;
  /** Milliseconds that each answer takes. */
  delay: number;
  /** What goes wrong, if anything. */
  fault: "" | "error" | "silent" | "lost" | "no-similar";
  traits: Record<string, unknown>;
}

type Listener = (...args: unknown[]) => void;

/** A random number generator that gives the same numbers every time. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const FOLDERS = ["holiday", "holiday/raw", "archive/2019", "inbox"];

/** Plays the Python side: a made-up frame with groups, and thumbnails drawn on the spot. */
export class FakeModel implements AnyModel {
  readonly traits: Map<string, unknown>;
  readonly sent: Record<string, unknown>[] = [];
  readonly scores: Float32Array;
  readonly kind: Uint8Array;
  readonly keep: Uint8Array;
  readonly band: Uint32Array;
  readonly place: Uint32Array;
  readonly rows: number;
  fault: FakeOptions["fault"];
  #delay: number;
  #groups = 0;
  #keeperOf = new Map<number, number>();
  #listeners = new Map<string, Set<Listener>>();
  #selected: Uint8Array;
  #collections = [{ name: "Blurred", size: 12 }];

  constructor({ rows, delay, fault, traits }: FakeOptions) {
    this.rows = rows;
    this.fault = fault;
    this.#delay = delay;
    this.traits = new Map(Object.entries(traits));
    this.scores = new Float32Array(rows);
    this.kind = new Uint8Array(rows);
    this.keep = new Uint8Array(rows).fill(1);
    this.band = new Uint32Array(rows);
    this.place = new Uint32Array(rows);
    this.#selected = new Bitset(rows).bytes;
    this.#fill();
  }

  get(name: string): unknown {
    return this.traits.get(name);
  }

  set(name: string, value: unknown): void {
    this.traits.set(name, value);
    this.#emit(`change:${name}`);
  }

  save_changes(): void {}

  on(event: string, callback: Listener): void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(callback));
  }

  off(event: string, callback: Listener): void {
    this.#listeners.get(event)?.delete(callback);
  }

  send(content: unknown, _callbacks?: unknown, buffers: ArrayBufferView[] | ArrayBuffer[] = []) {
    const request = structuredClone(content) as Record<string, unknown>;
    this.sent.push(request);
    if (request.kind === "cancel" || this.fault === "silent") return;
    if (this.fault === "lost" && request.kind !== "open") return;
    setTimeout(() => void this.#answer(request, buffers), this.#delay);
  }

  event(content: Record<string, unknown>, buffers: ArrayBufferView[] = []): void {
    this.#emit("msg:custom", content, buffers);
  }

  #emit(event: string, ...args: unknown[]): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(...args);
  }

  #fill(): void {
    const random = generator(7);
    let row = 0;
    while (row < this.rows) {
      const size = random() < 0.12 ? 2 + Math.floor(random() * random() * 7) : 1;
      const end = Math.min(this.rows, row + size);
      if (end - row < 2) {
        this.scores[row] = 0.06 + 0.9 * random() ** 1.6;
        this.keep[row] = 1;
        row = end;
        continue;
      }
      const band = ++this.#groups;
      const exact = random() < 0.5;
      this.#keeperOf.set(band, row);
      for (let member = row; member < end; member++) {
        const place = member - row;
        const copy = exact && place > 0 && place < 3;
        this.band[member] = band;
        this.place[member] = place;
        this.kind[member] = copy || (exact && place === 0) ? 2 : 1;
        this.keep[member] = place === 0 ? 1 : 0;
        this.scores[member] = copy ? 0 : 10 ** (-5 + random() * 3.69);
      }
      row = end;
    }
    for (let bad = 40; bad < this.rows; bad += 997) {
      if (this.band[bad] !== 0) continue;
      this.scores[bad] = Number.NaN;
      this.kind[bad] = 255;
      this.keep[bad] = 255;
    }
  }

  async #answer(request: Record<string, unknown>, buffers: ArrayBufferView[] | ArrayBuffer[]) {
    const { seq, client, kind } = request;
    if (this.fault === "error" && kind === "open") {
      const error = { type: "InputError", message: "The frame has no column “uniqueness”." };
      this.event({ seq, client, ok: false, error });
      return;
    }
    const reply: Record<string, unknown> = { seq, client, ok: true };
    const out: ArrayBufferView[] = [];
    const wire = (array: Float32Array | Uint32Array | Uint8Array) => {
      const dtype = array.constructor.name.replace("Array", "").toLowerCase();
      const copy = array.slice();
      out.push(new DataView(copy.buffer));
      return { dtype, shape: [array.length], buffer: out.length - 1 };
    };
    if (kind === "open") Object.assign(reply, this.#open(wire));
    if (kind === "tiles") {
      Object.assign(reply, await this.#tiles(request.rows as number[], wire));
    }
    if (kind === "order") {
      const rank = Uint32Array.from({ length: this.rows }, (_, row) => (row * 7919) % this.rows);
      Object.assign(reply, { rank: wire(rank) });
    }
    if (kind === "select") {
      this.#selected = new Uint8Array((buffers[0] as ArrayBuffer).slice(0));
      reply.count = new Bitset(this.rows, this.#selected).count();
    }
    if (kind === "similar") {
      const row = request.row as number;
      const near = this.band[row] ? this.#members(this.band[row]).filter((r) => r !== row) : [];
      const rows = [...near];
      for (let i = 1; rows.length < (request.k as number); i++) {
        rows.push((row * 31 + i * 977) % this.rows);
      }
      reply.items = rows.map((r, i) => ({
        row: r,
        distance: i < near.length ? i * 0.012 : 0.2 + i * 0.02,
      }));
      Object.assign(reply, await this.#tiles(rows, wire));
    }
    if (kind === "collect") {
      const size = new Bitset(this.rows, this.#selected).count();
      this.#collections = [...this.#collections, { name: request.name as string, size }];
      reply.collections = this.#collections;
    }
    this.event(reply, out);
  }

  #open(wire: (array: Float32Array | Uint32Array | Uint8Array) => unknown) {
    const count = (test: (row: number) => boolean) =>
      Array.from({ length: this.rows }, (_, row) => row).filter(test).length;
    return {
      rows: this.rows,
      columns: [
        { name: "path", type: "String" },
        { name: "uniqueness", type: "Float32" },
        { name: "width", type: "Int64" },
        { name: "bytes", type: "Int64" },
      ],
      score: "uniqueness",
      near: 0.05,
      similar: this.fault === "no-similar" ? "The frame has no column “embedding”." : null,
      summary: {
        images: this.rows,
        exact: count((row) => this.kind[row] === 2),
        near: count((row) => this.kind[row] === 1),
        groups: this.#groups,
        unreadable: count((row) => this.kind[row] === 255),
      },
      collections: this.#collections,
      scores: wire(this.scores),
      kind: wire(this.kind),
      keep: wire(this.keep),
      band: wire(this.band),
      place: wire(this.place),
      selected: wire(this.#selected),
      values: wire(this.scores),
    };
  }

  #members(band: number): number[] {
    const first = this.#keeperOf.get(band) ?? 0;
    const members = [];
    for (let row = first; row < this.rows && this.band[row] === band; row++) members.push(row);
    return members;
  }

  #name(row: number): string {
    const long = row % 17 === 3 ? "_a_very_long_name_from_some_scanner_with_a_date_2024-05-17" : "";
    return row % 29 === 5 ? `<b>sunset & "sea"</b> ${row}.png` : `IMG${long}_${10000 + row}.jpg`;
  }

  async #tiles(
    rows: number[],
    wire: (array: Float32Array | Uint32Array | Uint8Array) => unknown,
  ): Promise<{ tiles: TileInfo[]; blob: unknown }> {
    const parts: Uint8Array[] = [];
    let offset = 0;
    const tiles: TileInfo[] = [];
    for (const row of rows) {
      const bad = this.kind[row] === 255;
      const jpeg = bad ? null : await drawJpeg(row, this.band[row], this.place[row]);
      const keeper = this.#keeperOf.get(this.band[row]);
      const grouped = keeper !== undefined && keeper !== row;
      const role: TileRole =
        keeper === undefined ? null : !grouped ? "keeper" : this.kind[row] === 2 ? "copy" : "near";
      tiles.push({
        row,
        name: this.#name(row),
        path: `/photos/${FOLDERS[row % 4]}/${this.#name(row)}`,
        of: grouped ? this.#name(keeper) : null,
        role,
        width: 4000,
        height: 3000,
        error: bad ? "UnidentifiedImageError: the file ends after 1,024 of 48,211 bytes" : null,
        thumb: jpeg ? [offset, jpeg.length] : null,
      });
      if (jpeg) {
        parts.push(jpeg);
        offset += jpeg.length;
      }
    }
    const blob = new Uint8Array(offset);
    let at = 0;
    for (const part of parts) {
      blob.set(part, at);
      at += part.length;
    }
    return { tiles, blob: wire(blob) };
  }
}

const drawn = new Map<number, Promise<Uint8Array>>();

/** A made-up landscape; the members of a band look alike. A few hundred kinds, drawn once each. */
function drawJpeg(row: number, band: number, place: number): Promise<Uint8Array> {
  const look = band === 0 ? row % 400 : 1000 + (band % 100) * 10 + Math.min(place, 9);
  const known = drawn.get(look);
  if (known) return known;
  const made = (async () => {
    const random = generator(band === 0 ? (row % 400) * 77 + 5 : (band % 100) * 991 + 3);
    random();
    const upright = random() < 0.3;
    const [width, height] = upright ? [168, 256] : [256, 176];
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d")!;
    const hue = Math.floor(random() * 360);
    const sky = context.createLinearGradient(0, 0, 0, height);
    const light = 60 + (place % 3) * 4;
    sky.addColorStop(0, `hsl(${hue} 45% ${light}%)`);
    sky.addColorStop(1, `hsl(${(hue + 40) % 360} 50% 85%)`);
    context.fillStyle = sky;
    context.fillRect(0, 0, width, height);
    context.fillStyle = `hsl(${(hue + 60) % 360} 80% 90%)`;
    context.beginPath();
    context.arc(random() * width, height * 0.3, 10 + random() * 16, 0, 7);
    context.fill();
    for (let ridge = 0; ridge < 3; ridge++) {
      context.fillStyle = `hsl(${(hue + 180 + ridge * 15) % 360} 30% ${45 - ridge * 12}%)`;
      context.beginPath();
      context.moveTo(0, height);
      const base = height * (0.5 + ridge * 0.16);
      for (let x = 0; x <= width; x += 16) context.lineTo(x, base + (random() - 0.5) * 36);
      context.lineTo(width, height);
      context.fill();
    }
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.8 });
    return new Uint8Array(await blob.arrayBuffer());
  })();
  drawn.set(look, made);
  return made;
}
