/**
 * The messages between the browser and Python. `widgets/protocol.py` is the same list; a Python
 * test compares the two, so kinds and fields stay in these exported objects.
 */

/** Requests, each with the names of its arguments. */
export const REQUEST_FIELDS = {
  open: [],
  tiles: ["rows", "thumbs"],
  order: ["column"],
  select: ["rows"],
  similar: ["row", "k"],
  column: ["column"],
  match: ["key", "clause"],
  decide: ["change"],
  undo: [],
  redo: [],
  collect: ["name", "of", "how"],
  collection: ["name", "change"],
  preview: ["dataset"],
  create: ["dataset"],
  analytics: [],
  cancel: ["target"],
  ping: [],
} as const;

/** Events that Python sends of its own accord, each with the names of its fields. */
export const EVENT_FIELDS = {
  data: [],
  selection: ["rows", "origin"],
  plan: ["band", "place", "kind", "keep", "summary", "review"],
  review: ["review"],
  collections: ["collections", "members"],
  progress: ["client", "target", "done", "total", "text"],
} as const;

export type Kind = keyof typeof REQUEST_FIELDS;
export type EventKind = keyof typeof EVENT_FIELDS;

/** How a row stands: `kind` of the frame as a byte. */
export const ImageKind = { unique: 0, near: 1, exact: 2, none: 255 } as const;

/** What the plan does with a row, as a byte; `beside`: it stays, in no group, near a member. */
export const Keep = { goes: 0, stays: 1, beside: 2, none: 255 } as const;

/** The null of a rank: always last, in both directions. */
export const NULL_RANK = 0xffffffff;

/** tornado drops what is larger than 10 MiB in silence; this stays well below. */
export const MAX_MESSAGE_BYTES = 4_000_000;

export type Dtype = "float32" | "float64" | "uint32" | "uint8";

export interface WireArray {
  dtype: Dtype;
  shape: number[];
  buffer: number;
}

/** How a column can be filtered; null when it cannot. */
export type Facet = "number" | "date" | "category" | "boolean" | "text" | null;

export interface Column {
  name: string;
  type: string;
  sortable: boolean;
  /** As far as the type tells: a category with very many values turns out to be text. */
  facet: Facet;
}

export interface Summary {
  images: number;
  exact: number;
  near: number;
  groups: number;
  unreadable: number;
  /** Groups whose labels disagree; null without a label column. */
  label_conflicts: number | null;
  /** Groups that straddle splits; null without a split column. */
  leakage: number | null;
}

export interface CollectionInfo {
  name: string;
  size: number;
  description: string;
}

/** What the plan follows, and what can be taken back. */
export interface ReviewInfo {
  /** Why there is no plan for this frame; null when there is one. */
  off: string | null;
  near: number;
  /** The boundary that the frame was scored with. */
  scored_near: number;
  /** Whether images can be grouped anew at another boundary, and how far it may go. */
  near_max: number | null;
  /** What moving the boundary changed: "31 groups (+7), 40 images go (+12)"; empty for nothing. */
  changes: string;
  /** The rules in effect, strongest first, in words; names where they have one. */
  rules: { name: string | null; about: string }[];
  rule_choices: { name: string; about: string }[];
  /** Decisions made by hand in this frame. */
  keepers: number;
  not_duplicates: number;
  /** What the next undo or redo does, in words; null for nothing. */
  undo: string | null;
  redo: string | null;
}

export type Change =
  | { keepers: { add: number[]; remove: number[] } }
  /** These images are no duplicates of anything else in their groups. */
  | { apart: number[] }
  /** Take such decisions about these images back. */
  | { together: number[] }
  | { near: number | null }
  | { rules: string[] | null };

export interface DatasetRequest {
  source: { kind: "plan" | "selection" | "view" } | { kind: "collection"; name: string };
  name: string;
  description: string;
  project: string;
  project_description: string;
  root: string;
  mode: "hardlink" | "copy" | "symlink" | "paths";
  format: "imagefolder" | "webdataset";
  /** Carry labels and tags of duplicates that are left out over to their keepers. */
  merge: boolean;
  /** Send it to a Label Studio server; null for not. Empty texts stand for the environment's. */
  annotate: { url: string; token: string } | null;
}

export interface DatasetPreview {
  path: string;
  images: number;
  bytes: number;
  new_bytes: number;
  free_bytes: number;
  placed: Record<string, number>;
  splits: Record<string, number>;
  renamed: number;
  unreadable: number;
  removed: number;
  /** Groups of which no image is in the dataset. */
  lost_groups: number;
}

export interface DatasetResult {
  name: string;
  path: string;
  images: number;
  bytes: number;
  removed: number;
  /** Address of the project in the annotation tool; null when it was not sent. */
  project_url: string | null;
  /** Why sending failed although the dataset was written; null otherwise. */
  problem: string | null;
}

export interface TileInfo {
  row: number;
  name: string;
  path: string;
  /** What it is to others, in words: "keeper: most pixels", "exact duplicate of a.jpg". */
  caption: string | null;
  /** Chosen to be a keeper by hand. */
  chosen: boolean;
  /** Declared by hand to be no duplicate. */
  apart: boolean;
  width: number | null;
  height: number | null;
  error: string | null;
  thumb: [offset: number, length: number] | null;
}

export interface SimilarItem {
  row: number;
  distance: number;
}

export type Numbers = Float32Array | Float64Array;

/** A request's arguments as the caller gives them: typed arrays go into buffers. */
export interface Requests {
  open: Record<string, never>;
  tiles: { rows: number[]; thumbs: boolean };
  order: { column: string };
  select: { rows: Uint8Array };
  similar: { row: number; k: number };
  column: { column: string };
  match: { key: string; clause: unknown };
  decide: { change: Change };
  undo: Record<string, never>;
  redo: Record<string, never>;
  /** "rest" is every readable image that is not selected. */
  collect: { name: string; of: "selection" | "rest"; how: "replace" | "add" | "remove" };
  collection: {
    name: string;
    change: { rename: string } | { describe: string } | { delete: true };
  };
  preview: { dataset: DatasetRequest };
  create: { dataset: DatasetRequest };
  analytics: Record<string, never>;
  ping: Record<string, never>;
}

/** The collections that have images of this frame; bitset i of `members` is that of collection i. */
export interface CollectionsReply {
  collections: CollectionInfo[];
  members: Uint8Array;
}

export interface PlanArrays {
  band: Uint32Array;
  place: Uint32Array;
  kind: Uint8Array;
  keep: Uint8Array;
  summary: Summary;
  review: ReviewInfo;
}

/** Replies as the caller gets them: wire arrays are read into typed arrays. */
export interface Replies {
  open: Partial<PlanArrays> &
    Partial<CollectionsReply> & {
      rows?: number;
      columns?: Column[];
      score?: string | null;
      path?: string;
      /** The columns of labels and tags. */
      mergeable?: string[];
      near?: number;
      similar?: string | null;
      scores?: Float32Array;
      selected?: Uint8Array;
      values?: Float32Array;
    };
  tiles: { tiles: TileInfo[]; blob: Uint8Array };
  order: { rank: Uint32Array };
  select: { count: number };
  similar: { items: SimilarItem[]; tiles: TileInfo[]; blob: Uint8Array };
  column:
    | { facet: "number" | "date"; values: Numbers }
    /** `codes[row]` is an index of `labels`; null is the label of rows without a value. */
    | { facet: "category" | "boolean"; codes: Uint32Array; labels: (string | boolean | null)[] }
    | { facet: "text" };
  match: { rows: Uint8Array };
  decide: { review: ReviewInfo };
  undo: { review: ReviewInfo };
  redo: { review: ReviewInfo };
  collect: CollectionsReply & { size: number };
  collection: CollectionsReply;
  preview: DatasetPreview;
  create: DatasetResult;
  analytics: Record<string, never>;
  ping: Record<string, never>;
}

export interface Events {
  data: Record<string, never>;
  selection: { rows: Uint8Array; origin: number | null };
  plan: PlanArrays;
  review: { review: ReviewInfo };
  collections: CollectionsReply;
  /** `target` is the request's `seq`, `client` the page that asked. */
  progress: { client: number; target: number; done: number; total: number; text: string };
}

export type RequestKind = keyof Requests & Kind;

const ARRAY_TYPES = {
  float32: Float32Array,
  float64: Float64Array,
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
