import { type ReadonlySignal, signal } from "@preact/signals";
import type { TileInfo } from "./protocol";
import { CancelledError, RetryError, type Rpc } from "./rpc";

/** What a tile shows. `bitmap` is null where there is no picture to show. */
export interface Tile {
  info: TileInfo;
  bitmap: ImageBitmap | null;
  error: string | null;
}

export interface TileOptions {
  signal: AbortSignal;
  /** Decoded pixels to keep: 24 million are 96 MB. */
  maxPixels?: number;
  maxTiles?: number;
  decode?: (blob: Blob) => Promise<ImageBitmap>;
}

const BATCH = 120;
const IN_FLIGHT = 2;
/** Milliseconds that a batch runs before it is worth cancelling. */
const PATIENCE = 150;

/** What a view shows, and what it is likely to show next; both most important first. */
interface Wanted {
  shown: readonly number[];
  ahead: readonly number[];
}

interface Flight {
  rows: Set<number>;
  abort: AbortController;
  sentAt: number;
}

/**
 * Tiles by row, the least recently wanted given up first.
 *
 * Each view says what it wants to show; only that is asked for, in batches. While two batches are
 * under way no third is sent, so that of a fast scroll only the places where it rests are loaded.
 */
export class TileCache {
  #rpc: Rpc;
  #tiles = new Map<number, Tile>();
  #wanted = new Map<object, Wanted>();
  #flights = new Set<Flight>();
  #version = signal(0);
  #pixels = 0;
  #maxPixels: number;
  #maxTiles: number;
  #decode: (blob: Blob) => Promise<ImageBitmap>;
  /** Counts the frames: what comes for an older one is thrown away. */
  #epoch = 0;
  #closed = false;

  constructor(rpc: Rpc, { signal, maxPixels = 24e6, maxTiles = 4000, decode }: TileOptions) {
    this.#rpc = rpc;
    this.#maxPixels = maxPixels;
    this.#maxTiles = maxTiles;
    this.#decode = decode ?? ((blob) => createImageBitmap(blob));
    signal.addEventListener(
      "abort",
      () => {
        this.#closed = true;
        this.reset();
      },
      { once: true },
    );
  }

  /** Counts the changes; whoever draws tiles reads it. */
  get version(): ReadonlySignal<number> {
    return this.#version;
  }

  get(row: number): Tile | undefined {
    return this.#tiles.get(row);
  }

  /** Say what a view shows, and what it may show next. An empty list when it goes. */
  want(view: object, shown: readonly number[], ahead: readonly number[] = []): void {
    if (shown.length === 0) this.#wanted.delete(view);
    else this.#wanted.set(view, { shown, ahead });
    for (const row of shown) this.#touch(row);
    // Nobody looks any more: a widget that was run again must not hold on to its pictures.
    if (this.#wanted.size === 0 && this.#tiles.size > 0) this.reset();
    this.#dropUnwanted();
    this.#next();
  }

  /** Take tiles that came along with another reply. */
  async add(infos: readonly TileInfo[], blob: Uint8Array): Promise<void> {
    const epoch = this.#epoch;
    const decoded = await Promise.all(
      infos.map((info) => this.#tiles.get(info.row) ?? this.#read(info, blob)),
    );
    if (epoch !== this.#epoch || this.#closed) {
      for (const tile of decoded) {
        if (this.#tiles.get(tile.info.row) !== tile) tile.bitmap?.close();
      }
      return;
    }
    for (const tile of decoded) this.#put(tile);
    this.#evict();
    this.#version.value = this.#version.peek() + 1;
  }

  /** Forget everything: the frame was replaced, or the widget is gone. */
  reset(): void {
    this.#epoch += 1;
    for (const flight of this.#flights) flight.abort.abort();
    this.#flights.clear();
    for (const tile of this.#tiles.values()) tile.bitmap?.close();
    this.#tiles.clear();
    this.#wanted.clear();
    this.#pixels = 0;
    this.#version.value = this.#version.peek() + 1;
  }

  /** Ask again for what is missing on screen. */
  retry(): void {
    this.#next();
  }

  #missing(): number[] {
    const coming = new Set<number>();
    for (const flight of this.#flights) for (const row of flight.rows) coming.add(row);
    const missingOf = (part: keyof Wanted) => {
      const missing = new Set<number>();
      for (const wanted of this.#wanted.values()) {
        for (const row of wanted[part]) {
          if (missing.size === BATCH) break;
          if (!this.#tiles.has(row) && !coming.has(row)) missing.add(row);
        }
      }
      return [...missing];
    };
    const shown = missingOf("shown");
    if (shown.length > 0) return shown;
    // What may come next waits until nothing on screen is under way.
    return this.#flights.size === 0 ? missingOf("ahead") : [];
  }

  #rowsOf(...parts: (keyof Wanted)[]): Set<number> {
    const rows = new Set<number>();
    for (const wanted of this.#wanted.values()) {
      for (const part of parts) for (const row of wanted[part]) rows.add(row);
    }
    return rows;
  }

  #next(): void {
    if (this.#closed || this.#rpc.lost.peek()) return;
    while (this.#flights.size < IN_FLIGHT) {
      const rows = this.#missing();
      if (rows.length === 0) return;
      void this.#load(rows);
    }
  }

  async #load(rows: number[]): Promise<void> {
    const abort = new AbortController();
    const flight: Flight = { rows: new Set(rows), abort, sentAt: Date.now() };
    this.#flights.add(flight);
    const epoch = this.#epoch;
    try {
      const { tiles, blob } = await this.#rpc.request("tiles", { rows }, { signal: abort.signal });
      if (epoch !== this.#epoch) return;
      await this.add(tiles, blob);
      for (const { row } of tiles) flight.rows.delete(row);
      if (flight.rows.size > 0) this.#fail(flight.rows, "No answer for this image.");
    } catch (error) {
      const asksAgain = error instanceof CancelledError || error instanceof RetryError;
      if (!asksAgain && epoch === this.#epoch) this.#fail(rows, (error as Error).message);
    } finally {
      this.#flights.delete(flight);
    }
    this.#next();
  }

  /** Show why there is no tile, rather than ask for it over and over. */
  #fail(rows: Iterable<number>, error: string): void {
    for (const row of rows) {
      const info: TileInfo = {
        row,
        name: "",
        path: "",
        of: null,
        role: null,
        width: null,
        height: null,
        error,
        thumb: null,
      };
      this.#put({ info, bitmap: null, error });
    }
    this.#version.value = this.#version.peek() + 1;
  }

  async #read(info: TileInfo, blob: Uint8Array): Promise<Tile> {
    if (!info.thumb) return { info, bitmap: null, error: info.error };
    const [offset, length] = info.thumb;
    try {
      const bytes = blob.subarray(offset, offset + length) as Uint8Array<ArrayBuffer>;
      const bitmap = await this.#decode(new Blob([bytes], { type: "image/jpeg" }));
      return { info, bitmap, error: info.error };
    } catch {
      return { info, bitmap: null, error: info.error ?? "The thumbnail cannot be drawn." };
    }
  }

  #put(tile: Tile): void {
    const { row } = tile.info;
    const old = this.#tiles.get(row);
    if (old && old !== tile) this.#release(old);
    if (old !== tile) this.#pixels += pixelsOf(tile);
    this.#tiles.delete(row);
    this.#tiles.set(row, tile);
  }

  #touch(row: number): void {
    const tile = this.#tiles.get(row);
    if (!tile) return;
    this.#tiles.delete(row);
    this.#tiles.set(row, tile);
  }

  #release(tile: Tile): void {
    this.#pixels -= pixelsOf(tile);
    tile.bitmap?.close();
  }

  #evict(): void {
    const shown = this.#rowsOf("shown");
    for (const [row, tile] of this.#tiles) {
      if (this.#pixels <= this.#maxPixels && this.#tiles.size <= this.#maxTiles) return;
      if (shown.has(row)) continue;
      this.#tiles.delete(row);
      this.#release(tile);
    }
  }

  /** Cancel batches of which nothing is wanted any more, if they have been slow. */
  #dropUnwanted(): void {
    const wanted = this.#rowsOf("shown", "ahead");
    const now = Date.now();
    for (const flight of this.#flights) {
      if (now - flight.sentAt < PATIENCE) continue;
      let needed = false;
      for (const row of flight.rows) needed ||= wanted.has(row);
      if (needed) continue;
      this.#flights.delete(flight);
      flight.abort.abort();
    }
  }
}

function pixelsOf(tile: Tile): number {
  return tile.bitmap ? tile.bitmap.width * tile.bitmap.height : 0;
}
