/**
 * The messages between the browser and Python, as the browser uses them: typed arrays where
 * `messages.ts`, which is made from Python's types, has their place in the buffers.
 */
import type * as wire from "./messages";

export type {
  CollectionInfo,
  ColumnInfo,
  DatasetForm,
  ReviewInfo,
  SimilarItem,
  SummaryInfo,
  TileInfo,
} from "./messages";
export { ImageKind, Keep, NULL_RANK } from "./messages";

/** tornado drops what is larger than 10 MiB in silence; this stays well below. */
export const MAX_MESSAGE_BYTES = 4_000_000;

const ARRAY_TYPES = {
  float32: Float32Array,
  float64: Float64Array,
  uint32: Uint32Array,
  uint8: Uint8Array,
} as const;

type Dtype = keyof typeof ARRAY_TYPES;

interface Typed {
  float32: Float32Array;
  float64: Float64Array;
  uint32: Uint32Array;
  uint8: Uint8Array;
}

type WireArray = wire.Float32 | wire.Float64 | wire.Uint32 | wire.Uint8;

/** The fields of a message, with typed arrays. */
type Read<T> = {
  [K in keyof T]: T[K] extends WireArray | null | undefined
    ? T[K] extends infer W
      ? W extends WireArray
        ? Typed[W["dtype"]]
        : W
      : never
    : T[K];
};

export type RequestKind = keyof wire.Requests;
export type EventKind = keyof wire.Events;

/** A request's arguments as the caller gives them. */
export type Requests = {
  [K in RequestKind]: Read<Omit<wire.Requests[K], "kind" | "seq" | "client">>;
};

/** Replies as the caller gets them. */
export type Replies = { [K in RequestKind]: Read<wire.Replies[K]> };

/** What Python tells of. */
export type Events = { [K in EventKind]: Read<wire.Events[K]> };

export type Change = wire.DecideRequest["change"];
export type CollectionChange = wire.CollectionRequest["change"];
export type Numbers = Float32Array | Float64Array;

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
          : value instanceof Float64Array
            ? "float64"
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
