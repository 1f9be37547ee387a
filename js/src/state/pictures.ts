import { type ReadonlySignal, signal } from "@preact/signals";
import { type Box, covers, MAX_SIDE, type Need, type Size } from "../data/zoom";
import { CancelledError, RetryError, type Rpc } from "../wire/rpc";

/** A picture, or a part of it, ready to be drawn. */
export interface Piece {
  bitmap: ImageBitmap;
  /** What of the picture it shows. */
  box: Box;
  /** Pixels that the longest side of the whole picture would have. */
  side: number;
}

/** What is known of the picture of a row. */
interface Picture {
  /** The whole picture in pixels; null until it is known. */
  size: Size | null;
  /** The whole, as large as there is one. */
  whole: Piece | null;
  /** A part of it, larger. */
  part: Piece | null;
  error: string | null;
}

export interface Wanted extends Need {
  row: number;
}

interface Options {
  signal: AbortSignal;
  /** Decoded pixels to keep: 24 million are 96 MB. */
  maxPixels?: number;
  decode?: (blob: Blob) => Promise<ImageBitmap>;
}

const IN_FLIGHT = 2;

interface Flight {
  wanted: Wanted;
  abort: AbortController;
}

/**
 * Large pictures by row: only what is wanted is asked for, the most important first, and what is no
 * longer wanted is cancelled. The least recently wanted are given up first.
 */
export class Pictures {
  #rpc: Rpc;
  #pictures = new Map<number, Picture>();
  #wanted: readonly Wanted[] = [];
  #flights = new Set<Flight>();
  #version = signal(0);
  #maxPixels: number;
  #decode: (blob: Blob) => Promise<ImageBitmap>;
  #closed = false;

  constructor(rpc: Rpc, { signal: abort, maxPixels = 24e6, decode }: Options) {
    this.#rpc = rpc;
    this.#maxPixels = maxPixels;
    this.#decode = decode ?? ((blob) => createImageBitmap(blob));
    abort.addEventListener("abort", () => this.#close(), { once: true });
  }

  /** Counts the changes: reading it subscribes to them. */
  get version(): ReadonlySignal<number> {
    return this.#version;
  }

  get(row: number): Picture | undefined {
    return this.#pictures.get(row);
  }

  /** Set what is shown and may be shown next, most important first. */
  want(wanted: readonly Wanted[]): void {
    this.#wanted = wanted;
    for (const { row } of wanted) {
      const picture = this.#pictures.get(row);
      if (!picture) continue;
      this.#pictures.delete(row);
      this.#pictures.set(row, picture);
    }
    for (const flight of this.#flights) {
      if (wanted.some((one) => isSame(one, flight.wanted))) continue;
      this.#flights.delete(flight);
      flight.abort.abort();
    }
    this.#next();
  }

  /** Ask again for what could not be had. */
  retry(): void {
    for (const [row, { error }] of this.#pictures) if (error !== null) this.#pictures.delete(row);
    this.#next();
  }

  /** Forget everything. */
  clear(): void {
    this.#wanted = [];
    for (const flight of this.#flights) flight.abort.abort();
    this.#flights.clear();
    for (const picture of this.#pictures.values()) release(picture);
    this.#pictures.clear();
  }

  #close(): void {
    this.#closed = true;
    this.clear();
  }

  #has({ row, side, box }: Wanted): boolean {
    const picture = this.#pictures.get(row);
    if (!picture) return false;
    if (picture.error !== null) return true;
    const { size, whole, part } = picture;
    const most = size ? Math.max(size.width, size.height) : Number.POSITIVE_INFINITY;
    if (box === null) return whole !== null && whole.side >= Math.min(side, most) - 1;
    return part !== null && covers(part.box, box) && part.side >= sideOf({ side, box }, size) * 0.9;
  }

  #next(): void {
    if (this.#closed || this.#rpc.lost.peek()) return;
    for (const wanted of this.#wanted) {
      if (this.#flights.size >= IN_FLIGHT) return;
      const coming = [...this.#flights].some((flight) => isSame(flight.wanted, wanted));
      if (!coming && !this.#has(wanted)) void this.#load(wanted);
    }
  }

  async #load(wanted: Wanted): Promise<void> {
    const { row, side, box } = wanted;
    const flight: Flight = { wanted, abort: new AbortController() };
    this.#flights.add(flight);
    try {
      const reply = await this.#rpc.request(
        "picture",
        {
          row,
          side: Math.min(side, MAX_SIDE),
          box: box as [number, number, number, number] | null,
        },
        { signal: flight.abort.signal },
      );
      const bytes = reply.jpeg as Uint8Array<ArrayBuffer>;
      const bitmap = await this.#decode(new Blob([bytes], { type: "image/jpeg" }));
      if (this.#closed || flight.abort.signal.aborted) {
        bitmap.close();
        return;
      }
      const size = { width: reply.width, height: reply.height };
      const shown = reply.box as Box;
      const longest = Math.max(
        bitmap.width / (shown[2] - shown[0]),
        bitmap.height / (shown[3] - shown[1]),
      );
      this.#put(row, size, { bitmap, box: shown, side: longest }, box === null);
    } catch (error) {
      if (!(error instanceof CancelledError || error instanceof RetryError)) {
        const known = this.#pictures.get(row) ?? NOTHING;
        this.#pictures.set(row, { ...known, error: (error as Error).message });
        this.#bump();
      }
    } finally {
      this.#flights.delete(flight);
    }
    this.#next();
  }

  #put(row: number, size: Size, piece: Piece, whole: boolean): void {
    const known = this.#pictures.get(row) ?? NOTHING;
    (whole ? known.whole : known.part)?.bitmap.close();
    this.#pictures.delete(row);
    this.#pictures.set(row, { ...known, size, error: null, [whole ? "whole" : "part"]: piece });
    this.#evict();
    this.#bump();
  }

  #evict(): void {
    const needed = new Set(this.#wanted.map(({ row }) => row));
    let pixels = 0;
    for (const picture of this.#pictures.values()) pixels += pixelsOf(picture);
    for (const [row, picture] of this.#pictures) {
      if (pixels <= this.#maxPixels) return;
      if (needed.has(row)) continue;
      pixels -= pixelsOf(picture);
      release(picture);
      this.#pictures.delete(row);
    }
  }

  #bump(): void {
    this.#version.value = this.#version.peek() + 1;
  }
}

const NOTHING: Picture = { size: null, whole: null, part: null, error: null };

const isSame = (a: Wanted, b: Wanted): boolean =>
  a.row === b.row && a.side === b.side && JSON.stringify(a.box) === JSON.stringify(b.box);

/** The longest side of the whole picture, if a part of it has so many pixels. */
function sideOf({ side, box }: Need, size: Size | null): number {
  if (!box || !size) return side;
  const own = Math.max(size.width, size.height);
  const share = Math.max(
    ((box[2] - box[0]) * size.width) / own,
    ((box[3] - box[1]) * size.height) / own,
  );
  return Math.min(own, side / share);
}

function release({ whole, part }: Picture): void {
  whole?.bitmap.close();
  part?.bitmap.close();
}

function pixelsOf({ whole, part }: Picture): number {
  return [whole, part].reduce(
    (sum, piece) => sum + (piece ? piece.bitmap.width * piece.bitmap.height : 0),
    0,
  );
}
