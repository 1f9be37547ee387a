import { type ReadonlySignal, signal } from "@preact/signals";
import type { TileInfo } from "../wire/protocol";
import { CancelledError, RetryError, type Rpc } from "../wire/rpc";

/** What a tile shows. `picture` is null where there is none to show. */
export interface Tile {
  info: TileInfo;
  picture: HTMLImageElement | null;
  error: string | null;
}

interface TileOptions {
  signal: AbortSignal;
  /** Bytes of pictures to keep, as JPEG: the browser has pixels of those on screen only. */
  maxBytes?: number;
  maxTiles?: number;
  load?: (jpeg: Uint8Array) => Promise<HTMLImageElement>;
}

const BATCH = 120;
const IN_FLIGHT = 2;
/** Milliseconds that a batch runs before it is worth cancelling. */
const CANCEL_AFTER = 150;
/** Milliseconds between two batches while what is shown changes from frame to frame. */
const HOLD = 200;

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

/** What of a tile depends on the plan and the facts chosen; all else depends on the file alone. */
type PlanInfo = Pick<TileInfo, "row" | "caption" | "chosen" | "not_duplicate" | "facts">;

/**
 * Tiles by row, the least recently wanted given up first.
 *
 * Only what a view wants to show is requested, in batches. While two batches are under way no third
 * is sent, so that of a fast scroll only the places where it rests are loaded. A tile made under
 * another plan is stale: it stays on screen until what depends on the plan has been updated.
 */
export class TileCache {
  #rpc: Rpc;
  #tiles = new Map<number, Tile>();
  #wanted = new Map<object, Wanted>();
  #flights = new Set<Flight>();
  #stale = new Set<number>();
  #facts: readonly string[] = [];
  /** Counts plans and choices of facts: what was requested under an older one may be out of date. */
  #plan = 0;
  #version = signal(0);
  #bytes = 0;
  #maxBytes: number;
  #maxTiles: number;
  #read: (jpeg: Uint8Array) => Promise<HTMLImageElement>;
  /** Counts the frames: replies for an older one are dropped. */
  #epoch = 0;
  #moving = false;
  /** Until when nothing is asked for while it moves. */
  #heldUntil = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(
    rpc: Rpc,
    { signal, maxBytes = 24e6, maxTiles = 4000, load = loadPicture }: TileOptions,
  ) {
    this.#rpc = rpc;
    this.#maxBytes = maxBytes;
    this.#maxTiles = maxTiles;
    this.#read = load;
    signal.addEventListener(
      "abort",
      () => {
        this.#closed = true;
        this.reset();
      },
      { once: true },
    );
  }

  /** Counts the changes: reading it subscribes to them. */
  get version(): ReadonlySignal<number> {
    return this.#version;
  }

  get(row: number): Tile | undefined {
    return this.#tiles.get(row);
  }

  /**
   * Set what a view shows, and what it may show next; an empty list when it goes. While that moves
   * from frame to frame, as a filter is dragged, some of it is asked for now and then.
   */
  want(
    view: object,
    shown: readonly number[],
    ahead: readonly number[] = [],
    moving = false,
  ): void {
    this.#moving = moving;
    if (shown.length === 0) this.#wanted.delete(view);
    else this.#wanted.set(view, { shown, ahead });
    for (const row of shown) this.#touch(row);
    // No view is left: a widget whose cell was run again must not hold on to its pictures.
    if (this.#wanted.size === 0 && this.#tiles.size > 0) this.reset();
    this.#dropUnwanted();
    this.#next();
  }

  /** Take tiles that came along with another reply, which has no facts: these are asked for. */
  async add(infos: readonly TileInfo[], blob: Uint8Array): Promise<void> {
    const known = infos.map((info) => {
      return { ...info, facts: this.#tiles.get(info.row)?.info.facts ?? {} };
    });
    await this.#take(known, blob, this.#plan);
    if (this.#facts.length === 0) return;
    for (const { row } of infos) if (this.#tiles.has(row)) this.#stale.add(row);
    this.#next();
  }

  async #take(infos: readonly TileInfo[], blob: Uint8Array, plan: number): Promise<void> {
    const epoch = this.#epoch;
    const unknown = infos.filter((info) => !this.#updatePlanInfo(info, plan));
    const read = await Promise.all(unknown.map((info) => this.#tileOf(info, blob)));
    if (epoch !== this.#epoch || this.#closed) return;
    for (const tile of read) this.#put(tile, plan);
    this.#evict();
    this.#bump();
  }

  /** The plan changed: request again what depends on it. */
  refresh(): void {
    this.#plan += 1;
    for (const row of this.#tiles.keys()) this.#stale.add(row);
    this.#next();
  }

  /** Choose the columns whose values tiles have. */
  showFacts(columns: readonly string[]): void {
    if (columns.join("\n") === this.#facts.join("\n")) return;
    this.#facts = columns;
    this.refresh();
  }

  /** Forget everything: the frame was replaced, or the widget is gone. */
  reset(): void {
    this.#epoch += 1;
    clearTimeout(this.#timer);
    for (const flight of this.#flights) flight.abort.abort();
    this.#flights.clear();
    this.#tiles.clear();
    this.#stale.clear();
    this.#wanted.clear();
    this.#bytes = 0;
    this.#bump();
  }

  /** Ask again for what is missing on screen. */
  retry(): void {
    this.#next();
  }

  /** What to request next; null when nothing is missing or it can wait. */
  #nextBatch(): { rows: number[]; thumbs: boolean } | null {
    const coming = new Set<number>();
    for (const flight of this.#flights) for (const row of flight.rows) coming.add(row);
    const find = (part: keyof Wanted, thumbs: boolean) => {
      const rows = new Set<number>();
      for (const wanted of this.#wanted.values()) {
        for (const row of wanted[part]) {
          if (rows.size === BATCH) break;
          const missing = thumbs ? !this.#tiles.has(row) : this.#stale.has(row);
          if (missing && !coming.has(row)) rows.add(row);
        }
      }
      return rows.size > 0 ? { rows: [...rows], thumbs } : null;
    };
    const shown = find("shown", true) ?? find("shown", false);
    // What may come next waits until nothing on screen is under way.
    if (shown || this.#moving || this.#flights.size > 0) return shown;
    return find("ahead", true) ?? find("ahead", false);
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
    clearTimeout(this.#timer);
    while (this.#flights.size < IN_FLIGHT) {
      const hold = this.#moving ? this.#heldUntil - Date.now() : 0;
      if (hold > 0) {
        this.#timer = setTimeout(() => this.#next(), hold);
        return;
      }
      const batch = this.#nextBatch();
      if (!batch) return;
      this.#heldUntil = Date.now() + HOLD;
      void this.#load(batch.rows, batch.thumbs);
    }
  }

  async #load(rows: number[], thumbs: boolean): Promise<void> {
    const abort = new AbortController();
    const plan = this.#plan;
    const flight: Flight = { rows: new Set(rows), abort, sentAt: Date.now() };
    this.#flights.add(flight);
    const epoch = this.#epoch;
    const fail = (failed: Iterable<number>, error: string) =>
      thumbs ? this.#fail(failed, error) : this.#clearPlanInfo(failed, plan);
    try {
      const { tiles, blob } = await this.#rpc.request(
        "tiles",
        { rows, thumbs, facts: [...this.#facts] },
        { signal: abort.signal },
      );
      if (epoch !== this.#epoch) return;
      if (thumbs) await this.#take(tiles, blob, plan);
      else this.#updatePlanInfos(tiles, plan);
      for (const { row } of tiles) flight.rows.delete(row);
      if (flight.rows.size > 0) fail(flight.rows, "No answer for this image.");
    } catch (error) {
      const asksAgain = error instanceof CancelledError || error instanceof RetryError;
      if (!asksAgain && epoch === this.#epoch) fail(rows, (error as Error).message);
    } finally {
      this.#flights.delete(flight);
    }
    this.#next();
  }

  /** Show why there is no tile, rather than request it over and over. */
  #fail(rows: Iterable<number>, error: string): void {
    for (const row of rows) {
      const info: TileInfo = {
        row,
        name: "",
        path: "",
        caption: null,
        chosen: false,
        not_duplicate: false,
        width: null,
        height: null,
        facts: {},
        error,
        thumb: null,
      };
      this.#put({ info, picture: null, error }, this.#plan);
    }
    this.#bump();
  }

  /** Without an answer, show nothing of the plan rather than what no longer holds. */
  #clearPlanInfo(rows: Iterable<number>, plan: number): void {
    this.#updatePlanInfos(
      [...rows].map((row) => ({
        row,
        caption: null,
        chosen: false,
        not_duplicate: false,
        facts: {},
      })),
      plan,
    );
  }

  #updatePlanInfos(infos: readonly PlanInfo[], plan: number): void {
    for (const info of infos) this.#updatePlanInfo(info, plan);
    this.#bump();
  }

  /** Update what a tile shows of this plan; false when there is no such tile. */
  #updatePlanInfo({ row, caption, chosen, not_duplicate, facts }: PlanInfo, plan: number): boolean {
    const tile = this.#tiles.get(row);
    if (!tile) return false;
    this.#tiles.delete(row);
    this.#tiles.set(row, {
      ...tile,
      info: { ...tile.info, caption, chosen, not_duplicate, facts },
    });
    if (plan === this.#plan) this.#stale.delete(row);
    return true;
  }

  async #tileOf(info: TileInfo, blob: Uint8Array): Promise<Tile> {
    if (!info.thumb) return { info, picture: null, error: info.error };
    const [offset, length] = info.thumb;
    try {
      const picture = await this.#read(blob.subarray(offset, offset + length));
      return { info, picture, error: info.error };
    } catch {
      return { info, picture: null, error: info.error ?? "The thumbnail cannot be drawn." };
    }
  }

  #put(tile: Tile, plan: number): void {
    const { row } = tile.info;
    const old = this.#tiles.get(row);
    if (old) this.#bytes -= bytesOf(old);
    this.#bytes += bytesOf(tile);
    this.#tiles.delete(row);
    this.#tiles.set(row, tile);
    if (plan === this.#plan) this.#stale.delete(row);
    else this.#stale.add(row);
  }

  #touch(row: number): void {
    const tile = this.#tiles.get(row);
    if (!tile) return;
    this.#tiles.delete(row);
    this.#tiles.set(row, tile);
  }

  #evict(): void {
    const shown = this.#rowsOf("shown");
    for (const [row, tile] of this.#tiles) {
      if (this.#bytes <= this.#maxBytes && this.#tiles.size <= this.#maxTiles) return;
      if (shown.has(row)) continue;
      this.#tiles.delete(row);
      this.#stale.delete(row);
      this.#bytes -= bytesOf(tile);
    }
  }

  #bump(): void {
    this.#version.value = this.#version.peek() + 1;
  }

  /** Cancel batches of which nothing is wanted any more, if they have been slow. */
  #dropUnwanted(): void {
    const wanted = this.#rowsOf("shown", "ahead");
    const now = Date.now();
    for (const flight of this.#flights) {
      if (now - flight.sentAt < CANCEL_AFTER) continue;
      let needed = false;
      for (const row of flight.rows) needed ||= wanted.has(row);
      if (needed) continue;
      this.#flights.delete(flight);
      flight.abort.abort();
    }
  }
}

const bytesOf = (tile: Tile): number => (tile.picture ? (tile.info.thumb?.[1] ?? 0) : 0);

/** Bytes that are spelled out at once: each is an argument of a function. */
const SPELLED = 8192;

/**
 * A picture of its own that is loaded, so that others of the same address appear at once.
 *
 * An address that holds the bytes: a blob's is asked for from another process of the browser, and a
 * bitmap is drawn on a canvas, each of which takes as long as all of this.
 */
function loadPicture(jpeg: Uint8Array): Promise<HTMLImageElement> {
  let bytes = "";
  for (let at = 0; at < jpeg.length; at += SPELLED) {
    // Spread, they would be taken one by one, which takes seven times as long.
    const part: ArrayLike<number> = jpeg.subarray(at, at + SPELLED);
    bytes += String.fromCharCode.apply(null, part as number[]);
  }
  const picture = new Image();
  return new Promise((resolve, reject) => {
    picture.onload = () => resolve(picture);
    picture.onerror = () => reject(new Error("no picture"));
    picture.src = `data:image/jpeg;base64,${btoa(bytes)}`;
  });
}
