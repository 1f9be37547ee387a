/* Made by scripts/wire.py from src/dedup_widgets/widgets/protocol.py; not to be edited. */

export interface Messages {
  Requests: Requests;
  Replies: Replies;
  Events: Events;
}
export interface Requests {
  ping: PingRequest;
  cancel: CancelRequest;
  open_histogram: OpenHistogramRequest;
  open_grid: OpenGridRequest;
  tiles: TilesRequest;
  order: OrderRequest;
  select: SelectRequest;
  similar: SimilarRequest;
  column: ColumnRequest;
  match: MatchRequest;
  open_review: OpenReviewRequest;
  decide: DecideRequest;
  folders: FoldersRequest;
  undo: UndoRequest;
  redo: RedoRequest;
  begin_anew: BeginAnewRequest;
  collect: CollectRequest;
  collection: CollectionRequest;
  picture: PictureRequest;
  beside: BesideRequest;
  analytics: AnalyticsRequest;
  preview: PreviewRequest;
  create: CreateRequest;
}
/**
 * Check that the kernel answers.
 */
export interface PingRequest {
  kind: "ping";
  seq: number;
  client: number;
}
/**
 * Forget an earlier request; the only kind without an answer.
 */
export interface CancelRequest {
  kind: "cancel";
  target: number;
  seq: number;
  client: number;
}
/**
 * Everything that a histogram needs to start.
 */
export interface OpenHistogramRequest {
  kind: "open_histogram";
  seq: number;
  client: number;
}
/**
 * Everything that a grid needs to start.
 */
export interface OpenGridRequest {
  kind: "open_grid";
  seq: number;
  client: number;
}
/**
 * Name, facts and caption of some rows, and their thumbnails if requested.
 */
export interface TilesRequest {
  kind: "tiles";
  rows: number[];
  thumbs?: boolean;
  facts?: string[];
  seq: number;
  client: number;
}
/**
 * Dense rank of each row in one column; rows then stand where they belong by now.
 */
export interface OrderRequest {
  kind: "order";
  column: string;
  seq: number;
  client: number;
}
/**
 * Replace the selection.
 */
export interface SelectRequest {
  kind: "select";
  rows: Uint8;
  seq: number;
  client: number;
}
/**
 * An array of uint8; of rows it is a bitset, in which row i is bit ``i & 7`` of byte i >> 3.
 */
export interface Uint8 {
  dtype: "uint8";
  shape: number[];
  buffer: number;
}
/**
 * The nearest images to a row, with their tiles.
 */
export interface SimilarRequest {
  kind: "similar";
  row: number;
  k: number;
  seq: number;
  client: number;
}
/**
 * What one column holds, to filter by it.
 */
export interface ColumnRequest {
  kind: "column";
  column: string;
  seq: number;
  client: number;
}
/**
 * The rows that a clause keeps which the browser cannot evaluate itself.
 */
export interface MatchRequest {
  kind: "match";
  key: string;
  clause: any;
  seq: number;
  client: number;
}
/**
 * Everything that a review needs to start.
 */
export interface OpenReviewRequest {
  kind: "open_review";
  seq: number;
  client: number;
}
/**
 * Change what the plan follows.
 */
export interface DecideRequest {
  kind: "decide";
  change: KeepersChange | NotDuplicateChange | ReviewedChange | NearChange | RulesChange;
  seq: number;
  client: number;
}
/**
 * Let some rows be keepers, and leave the groups of others to the rules.
 */
export interface KeepersChange {
  what: "keepers";
  add: number[];
  remove: number[];
}
/**
 * These images are no duplicates of anything else in their groups; or take that back.
 */
export interface NotDuplicateChange {
  what: "not_duplicate";
  rows: number[];
  value: boolean;
}
/**
 * These images were looked at side by side; or forget that they were beside others.
 */
export interface ReviewedChange {
  what: "reviewed";
  rows: number[];
  value: boolean;
}
/**
 * Move the near-duplicate boundary; null for where the frame was scored.
 */
export interface NearChange {
  what: "near";
  near: number | null;
}
/**
 * Choose the keeper rules, strongest first; null for those the frame was scored with.
 */
export interface RulesChange {
  what: "rules";
  rules: (string | (NewFolderRule | NewValuesRule | NewColumnRule))[] | null;
}
/**
 * Prefer images in a folder.
 */
export interface NewFolderRule {
  prefers: "folder";
  folder: string;
}
/**
 * Prefer some values of a column, the best first.
 */
export interface NewValuesRule {
  prefers: "values";
  column: string;
  values: (string | boolean)[];
}
/**
 * Prefer one end of a column.
 */
export interface NewColumnRule {
  prefers: "column";
  column: string;
  best: "highest" | "lowest" | "newest" | "oldest";
}
/**
 * The folders that images lie in, to prefer one.
 */
export interface FoldersRequest {
  kind: "folders";
  seq: number;
  client: number;
}
/**
 * Take the last review step back.
 */
export interface UndoRequest {
  kind: "undo";
  seq: number;
  client: number;
}
/**
 * Do the step again that was taken back last.
 */
export interface RedoRequest {
  kind: "redo";
  seq: number;
  client: number;
}
/**
 * Look at all images again, at the boundary and by the rules that they were scored with.
 */
export interface BeginAnewRequest {
  kind: "begin_anew";
  seq: number;
  client: number;
}
/**
 * Keep the selection, or every readable image that is not selected, under a name.
 */
export interface CollectRequest {
  kind: "collect";
  name: string;
  of: "rest" | "selection";
  how: "add" | "remove" | "replace";
  seq: number;
  client: number;
}
/**
 * Rename, describe or delete a collection.
 */
export interface CollectionRequest {
  kind: "collection";
  name: string;
  change: Rename | Describe | Delete;
  seq: number;
  client: number;
}
/**
 * Give a collection another name.
 */
export interface Rename {
  what: "rename";
  to: string;
}
/**
 * Describe what a collection is for.
 */
export interface Describe {
  what: "describe";
  text: string;
}
/**
 * Delete a collection.
 */
export interface Delete {
  what: "delete";
}
/**
 * The picture of a row, or a part of it, in the size in which it is shown.
 */
export interface PictureRequest {
  kind: "picture";
  row: number;
  side: number;
  box?: [number, number, number, number] | null;
  seq: number;
  client: number;
}
/**
 * Facts of a row and of others, and what each other one is beside the row.
 */
export interface BesideRequest {
  kind: "beside";
  row: number;
  others: number[];
  seq: number;
  client: number;
}
/**
 * Make the analytics, whose widget then is in the trait ``_analytics``.
 */
export interface AnalyticsRequest {
  kind: "analytics";
  seq: number;
  client: number;
}
/**
 * Count what a dataset would hold and cost.
 */
export interface PreviewRequest {
  kind: "preview";
  dataset: DatasetForm;
  seq: number;
  client: number;
}
/**
 * The form of the dialog: a dataset to preview or create.
 */
export interface DatasetForm {
  source: PlanSource | SelectionSource | ViewSource | CollectionSource;
  name: string;
  description: string;
  project: string;
  project_description: string;
  root: string;
  mode: "copy" | "hardlink" | "paths" | "symlink";
  format: "imagefolder" | "webdataset";
  copies: boolean;
  merge: boolean;
  annotate: Server | null;
  splits?: boolean;
}
/**
 * The images that stay under the plan.
 */
export interface PlanSource {
  kind: "plan";
}
/**
 * The selected images.
 */
export interface SelectionSource {
  kind: "selection";
}
/**
 * The images that the filters leave.
 */
export interface ViewSource {
  kind: "view";
}
/**
 * The images of a collection.
 */
export interface CollectionSource {
  kind: "collection";
  name: string;
}
/**
 * A Label Studio server; empty texts stand for the environment's.
 */
export interface Server {
  url: string;
  token: string;
}
/**
 * Write a dataset; progress is reported.
 */
export interface CreateRequest {
  kind: "create";
  dataset: DatasetForm;
  seq: number;
  client: number;
}
export interface Replies {
  ping: Reply;
  cancel: Reply;
  open_histogram: HistogramReply;
  open_grid: GridReply;
  tiles: TilesReply;
  order: OrderReply;
  select: SelectReply;
  similar: SimilarReply;
  column: ColumnReply;
  match: MatchReply;
  open_review: ReviewReply;
  decide: Reply;
  folders: FoldersReply;
  undo: Reply;
  redo: Reply;
  begin_anew: Reply;
  collect: CollectReply;
  collection: Reply;
  picture: PictureReply;
  beside: BesideReply;
  analytics: Reply;
  preview: PreviewReply;
  create: CreateReply;
}
/**
 * What a request is answered with: nothing, but for the events it caused.
 */
export interface Reply {}
/**
 * The numbers of a histogram.
 */
export interface HistogramReply {
  values: Float32;
}
/**
 * An array of float32.
 */
export interface Float32 {
  dtype: "float32";
  shape: number[];
  buffer: number;
}
/**
 * The frame behind a grid.
 */
export interface GridReply {
  rows: number;
  columns: ColumnInfo[];
  score: string | null;
  path: string;
  near: number;
  similar: string | null;
  words: boolean;
  scores: Float32;
  selected: Uint8;
  banded: Uint32;
  band_sizes: Uint32;
  kind: Uint8;
  keep: Uint8;
  summary: SummaryInfo;
  version: number;
}
/**
 * A column of the frame.
 */
export interface ColumnInfo {
  name: string;
  type: string;
  sortable: boolean;
  facet: ("boolean" | "category" | "date" | "number" | "text") | null;
}
/**
 * An array of uint32.
 */
export interface Uint32 {
  dtype: "uint32";
  shape: number[];
  buffer: number;
}
/**
 * What the frame holds, counted; exact + near + kept + unreadable + waiting = images.
 */
export interface SummaryInfo {
  images: number;
  exact: number;
  near: number;
  kept: number;
  exact_bytes: number | null;
  near_bytes: number | null;
  groups: number;
  exact_groups: number;
  near_groups: number;
  unreadable: number;
  waiting: number;
  unconfirmed: number;
  compared: number | null;
  left_out: number;
  old: number;
  annotated: number;
  not_taken: number;
  about_folder: string;
  label_conflicts: number | null;
  leakage: number | null;
}
/**
 * Some tiles.
 */
export interface TilesReply {
  tiles: TileInfo[];
  blob: Uint8;
}
/**
 * What a tile shows of its row.
 */
export interface TileInfo {
  row: number;
  name: string;
  path: string;
  caption: string | null;
  chosen: boolean;
  not_duplicate: boolean;
  width: number | null;
  height: number | null;
  facts: {
    [k: string]: number | string | boolean | null;
  };
  error: string | null;
  thumb: [number, number] | null;
}
/**
 * Dense rank of each row in one column.
 */
export interface OrderReply {
  rank: Uint32;
}
/**
 * How many are selected.
 */
export interface SelectReply {
  count: number;
}
/**
 * The nearest images to a row, with their tiles.
 */
export interface SimilarReply {
  tiles: TileInfo[];
  blob: Uint8;
  items: SimilarItem[];
}
/**
 * A similar image, and how far it is on the scale of uniqueness.
 */
export interface SimilarItem {
  row: number;
  score: number;
  relation: string | null;
}
/**
 * What one column holds: numbers; or categories, as codes and labels; or text.
 */
export interface ColumnReply {
  facet: ("boolean" | "category" | "date" | "number" | "text") | null;
  values?: (Float32 | Float64) | null;
  codes?: Uint32 | null;
  labels?: (string | boolean | null)[] | null;
}
/**
 * An array of float64.
 */
export interface Float64 {
  dtype: "float64";
  shape: number[];
  buffer: number;
}
/**
 * The rows that a clause keeps.
 */
export interface MatchReply {
  rows: Uint8;
}
/**
 * The frame behind a review, and how the review stands.
 */
export interface ReviewReply {
  rows: number;
  columns: ColumnInfo[];
  score: string | null;
  path: string;
  near: number;
  similar: string | null;
  words: boolean;
  scores: Float32;
  selected: Uint8;
  banded: Uint32;
  band_sizes: Uint32;
  kind: Uint8;
  keep: Uint8;
  summary: SummaryInfo;
  version: number;
  review: ReviewInfo;
  collections: CollectionInfo[];
  members: Uint8;
  mergeable: string[];
  reviewed_rows: Uint32;
  reviewed: Uint32;
}
/**
 * What the plan follows, and what can be taken back.
 */
export interface ReviewInfo {
  off: string | null;
  near: number;
  scored_near: number;
  near_max: number | null;
  changes: string;
  rules: RuleInfo[];
  rule_choices: RuleInfo[];
  keepers: number;
  not_duplicates: number;
  undo: string | null;
  redo: string | null;
  went_on: string;
}
/**
 * A keeper rule in words.
 */
export interface RuleInfo {
  name: string;
  about: string;
}
/**
 * A collection, and how many images of this frame are in it.
 */
export interface CollectionInfo {
  name: string;
  size: number;
  description: string;
}
/**
 * The folders that there are.
 */
export interface FoldersReply {
  root: string;
  folders: FolderInfo[];
}
/**
 * A folder, and how many images lie in it and below.
 */
export interface FolderInfo {
  folder: string;
  images: number;
}
/**
 * How many images of this frame are in the collection now.
 */
export interface CollectReply {
  size: number;
}
/**
 * A picture, or a part of it, as a JPEG.
 */
export interface PictureReply {
  width: number;
  height: number;
  /**
   * @minItems 4
   * @maxItems 4
   */
  box: [number, number, number, number];
  jpeg: Uint8;
}
/**
 * Facts of a row and of others, in this order, and what each other one is beside the row.
 */
export interface BesideReply {
  facts: FactInfo[];
  others: BesideInfo[];
}
/**
 * One fact of some images.
 */
export interface FactInfo {
  name: string;
  texts: (string | null)[];
  numbers: (number | null)[] | null;
}
/**
 * What is known of an image beside another one.
 */
export interface BesideInfo {
  identical: boolean;
  words: string | null;
  agreement: number | null;
  score: number | null;
  map: [number, number, number, number, number, number] | null;
  box: [number, number, number, number] | null;
}
/**
 * What a dataset would hold and cost.
 */
export interface PreviewReply {
  path: string;
  images: number;
  bytes: number;
  new_bytes: number;
  free_bytes: number;
  placed: {
    [k: string]: number;
  };
  splits: {
    [k: string]: number;
  };
  renamed: number;
  unreadable: number;
  removed: number;
  copies: number;
  companions: number;
  left_behind: number;
  lost_groups: number;
}
/**
 * A dataset that was written.
 */
export interface CreateReply {
  name: string;
  path: string;
  images: number;
  bytes: number;
  removed: number;
  project_url: string | null;
  problem: string | null;
}
export interface Events {
  progress: ProgressEvent;
  working: WorkingEvent;
  selection: SelectionEvent;
  plan: PlanEvent;
  frame: FrameEvent;
  review: ReviewEvent;
  collections: CollectionsEvent;
  reviewed: ReviewedEvent;
}
/**
 * How far a long answer is.
 */
export interface ProgressEvent {
  event: "progress";
  client: number;
  target: number;
  done: number;
  total: number;
  text: string;
}
/**
 * A request is still worked on; said each second until it is answered.
 */
export interface WorkingEvent {
  event: "working";
  client: number;
  target: number;
}
/**
 * The selection changed, by Python or by another page.
 */
export interface SelectionEvent {
  event: "selection";
  rows: Uint8;
  origin: number | null;
}
/**
 * The plan changed; captions are to be requested anew.
 */
export interface PlanEvent {
  event: "plan";
  version: number;
  keep_order: boolean;
  rows: Uint32 | null;
  scores: Float32;
  band: Uint32;
  place: Uint32;
  kind: Uint8;
  keep: Uint8;
  near: number;
  summary: SummaryInfo;
}
/**
 * The same images have other scores and facts; all is to be requested anew.
 */
export interface FrameEvent {
  event: "frame";
}
/**
 * What the plan follows changed, or what can be undone or redone.
 */
export interface ReviewEvent {
  event: "review";
  review: ReviewInfo;
}
/**
 * Collections were made, changed or deleted.
 */
export interface CollectionsEvent {
  event: "collections";
  collections: CollectionInfo[];
  members: Uint8;
}
/**
 * Pictures were looked at side by side, or that was taken back.
 */
export interface ReviewedEvent {
  event: "reviewed";
  rows: Uint32;
  reviewed: Uint32;
}

/** How a row stands: `kind` of the frame as a byte. */
export const ImageKind = {unique: 0, near: 1, exact: 2, none: 255} as const;

/** What the plan does with a row, as a byte. */
export const Keep = {goes: 0, stays: 1, beside: 2, none: 255} as const;

/** The rank of a null: last, in either direction. */
export const NULL_RANK = 0xffffffff;
