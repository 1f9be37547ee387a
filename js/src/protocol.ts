/**
 * The messages between the browser and Python. `widgets/protocol.py` is the same list; a Python
 * test compares the two, so kinds and fields stay in these exported objects.
 */

/** Requests, each with the names of its arguments. */
export const REQUEST_FIELDS = {
  open: [],
  tiles: ["rows"],
  order: ["column"],
  select: ["rows"],
  similar: ["row", "k"],
  collect: ["name"],
  cancel: ["target"],
  ping: [],
} as const;

/** Events that Python sends of its own accord, each with the names of its fields. */
export const EVENT_FIELDS = {
  data: [],
  selection: ["rows", "origin"],
  collections: ["collections"],
} as const;

export type Kind = keyof typeof REQUEST_FIELDS;
export type EventKind = keyof typeof EVENT_FIELDS;

/** How a row stands: `kind` of the frame as a byte. */
export const ImageKind = { unique: 0, near: 1, exact: 2, none: 255 } as const;

/** The null of a rank: always last, in both directions. */
export const NULL_RANK = 0xffffffff;

/** tornado drops what is larger than 10 MiB in silence; this stays well below. */
export const MAX_MESSAGE_BYTES = 4_000_000;

export type Dtype = "float32" | "uint32" | "uint8";

export interface WireArray {
  dtype: Dtype;
  shape: number[];
  buffer: number;
}

export interface Column {
  name: string;
  type: string;
}

export interface Summary {
  images: number;
  exact: number;
  near: number;
  groups: number;
  unreadable: number;
}

export interface CollectionInfo {
  name: string;
  size: number;
}

export type TileRole = "keeper" | "copy" | "near" | "beside" | null;

export interface TileInfo {
  row: number;
  name: string;
  path: string;
  of: string | null;
  role: TileRole;
  width: number | null;
  height: number | null;
  error: string | null;
  thumb: [offset: number, length: number] | null;
}

export interface SimilarItem {
  row: number;
  distance: number;
}

/** A request's arguments as the caller gives them: typed arrays go into buffers. */
export interface Requests {
  open: Record<string, never>;
  tiles: { rows: number[] };
  order: { column: string };
  select: { rows: Uint8Array };
  similar: { row: number; k: number };
  collect: { name: string };
  ping: Record<string, never>;
}

/** Replies as the caller gets them: wire arrays are read into typed arrays. */
export interface Replies {
  open: {
    rows?: number;
    columns?: Column[];
    score?: string | null;
    near?: number;
    similar?: string | null;
    summary?: Summary;
    collections?: CollectionInfo[];
    scores?: Float32Array;
    kind?: Uint8Array;
    keep?: Uint8Array;
    band?: Uint32Array;
    place?: Uint32Array;
    selected?: Uint8Array;
    values?: Float32Array;
  };
  tiles: { tiles: TileInfo[]; blob: Uint8Array };
  order: { rank: Uint32Array };
  select: { count: number };
  similar: { items: SimilarItem[]; tiles: TileInfo[]; blob: Uint8Array };
  collect: { collections: CollectionInfo[] };
  ping: Record<string, never>;
}

export interface Events {
  data: Record<string, never>;
  selection: { rows: Uint8Array; origin: number | null };
  collections: { collections: CollectionInfo[] };
}

export type RequestKind = keyof Requests & Kind;

const ARRAY_TYPES = {
  float32: Float32Array,
  uint32: Uint32Array,
  uint8: Uint8Array,
} as const;

function isWireArray(value: unknown): value is WireArray {
  return (
    typeof value === "object" &&
    value !== null &&
    "dtype" in value &&
    "buffer" in value &&
    "shape" in value &&
    (value as WireArray).dtype in ARRAY_TYPES
  );
}

/** A view of the buffer where alignment allows, otherwise a copy. */
function readArray(wire: WireArray, buffers: readonly ArrayBufferView[]) {
  const view = buffers[wire.buffer];
  const type = ARRAY_TYPES[wire.dtype];
  const length = wire.shape.reduce((product, size) => product * size, 1);
  const bytes = length * type.BYTES_PER_ELEMENT;
  if (!view || view.byteLength < bytes) {
    throw new RangeError(`buffer ${wire.buffer} holds fewer than the ${bytes} bytes announced`);
  }
  if (view.byteOffset % type.BYTES_PER_ELEMENT === 0) {
    return new type(view.buffer as ArrayBuffer, view.byteOffset, length);
  }
  const copy = new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, bytes).slice();
  return new type(copy.buffer, 0, length);
}

/** Replace the wire arrays among the message's fields by typed arrays. */
export function decode(
  content: Record<string, unknown>,
  buffers: readonly ArrayBufferView[],
): Record<string, unknown> {
  const decoded: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(content)) {
    decoded[name] = isWireArray(value) ? readArray(value, buffers) : value;
  }
  return decoded;
}

/** Move typed arrays out of the fields into a list of buffers. */
export function encode(fields: Record<string, unknown>): {
  content: Record<string, unknown>;
  buffers: ArrayBuffer[];
} {
  const content: Record<string, unknown> = {};
  const buffers: ArrayBuffer[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (ArrayBuffer.isView(value)) {
      const bytes = new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
      const dtype: Dtype =
        value instanceof Float32Array
          ? "float32"
          : value instanceof Uint32Array
            ? "uint32"
            : "uint8";
      const size = ARRAY_TYPES[dtype].BYTES_PER_ELEMENT;
      content[name] = { dtype, shape: [value.byteLength / size], buffer: buffers.length };
      // A copy: the caller goes on changing its array while the message waits to be sent.
      buffers.push(bytes.slice().buffer);
    } else {
      content[name] = value;
    }
  }
  return { content, buffers };
}
