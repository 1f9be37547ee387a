"""The messages between the kernel and the browser.

The browser sends requests, the kernel replies. A request carries ``seq``, an integer, and
``client``, which names the page; the answer carries both again, for it reaches every page that
shows the widget, and either ``reply`` or ``error``. News come as ``events``: of their own accord,
or in the answer to the request that caused them, so that what one click changes is one message.
Every page takes them.

Messages are checked when they come in. ``js/src/wire/messages.ts`` has the same types, made from
these by ``scripts/wire.py``.

An array travels as its dtype, its shape, and the number of one of the binary buffers of its
message.
"""

from typing import Any, ClassVar, Literal, Union

import msgspec
import numpy as np

from dedup_widgets.filters.facets import Kind


class Array(msgspec.Struct, frozen=True, tag_field="dtype"):
    """An array of one of the types below."""

    shape: list[int]
    buffer: int


class Float32(Array, frozen=True, tag="float32"):
    """An array of float32."""


class Float64(Array, frozen=True, tag="float64"):
    """An array of float64."""


class Uint32(Array, frozen=True, tag="uint32"):
    """An array of uint32."""


class Uint8(Array, frozen=True, tag="uint8"):
    """An array of uint8; of rows it is a bitset, in which row i is bit ``i & 7`` of byte i >> 3."""


def tag_of(struct: type[msgspec.Struct]) -> str:
    """Return the name that a request, an event or a type of arrays goes by."""
    return str(struct.__struct_config__.tag)


ARRAYS: dict[str, type[Array]] = {tag_of(it): it for it in Array.__subclasses__()}


class Reply(msgspec.Struct, kw_only=True):
    """What a request is answered with: nothing, but for the events it caused."""


class Request(
    msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", forbid_unknown_fields=True
):
    """What the browser requests.

    Attributes
    ----------
    seq : int
        Of this request.
    client : int
        The page that sent it.
    """

    reply: ClassVar[type[Reply]] = Reply
    seq: int
    client: int


class Event(msgspec.Struct, kw_only=True, tag_field="event"):
    """What changed."""


# Any widget


class PingRequest(Request, frozen=True, tag="ping"):
    """Check that the kernel answers."""


class CancelRequest(Request, frozen=True, tag="cancel"):
    """Forget an earlier request; the only kind without an answer."""

    target: int


class ProgressEvent(Event, tag="progress"):
    """How far a long answer is."""

    client: int
    """The page that sent the request."""
    target: int
    """Its request's ``seq``."""
    done: int
    total: int
    text: str


class WorkingEvent(Event, tag="working"):
    """A request is still worked on; said each second until it is answered."""

    client: int
    """The page that sent the request."""
    target: int
    """Its request's ``seq``."""


# The histogram


class HistogramReply(Reply):
    """The numbers of a histogram."""

    values: Float32


class OpenHistogramRequest(Request, frozen=True, tag="open_histogram"):
    """Everything that a histogram needs to start."""

    reply = HistogramReply


# A grid


class ColumnInfo(msgspec.Struct):
    """A column of the frame."""

    name: str
    type: str
    sortable: bool
    facet: Kind | None
    """How it can be filtered, judged by its type; null when it cannot."""


class SummaryInfo(msgspec.Struct):
    """What the frame holds, counted; exact + near + kept + unreadable + waiting = images."""

    images: int
    exact: int
    """Exact copies that can go."""
    near: int
    """Near-duplicates that can go."""
    kept: int
    exact_bytes: int | None
    """What those exact copies take on disk; null where that is not known."""
    near_bytes: int | None
    groups: int
    exact_groups: int
    near_groups: int
    unreadable: int
    waiting: int
    """Images that a job has still to score."""
    unconfirmed: int
    """Near-duplicates beyond what was confirmed by laying pictures over each other."""
    compared: int | None
    """Pairs of pictures that were laid over each other; null where vectors alone decide."""
    left_out: int
    """Images whose copies may have been missed."""
    old: int
    """Images of an older set that the others were compared with."""
    annotated: int
    """Images on which objects are annotated."""
    not_taken: int
    """Files and folders of the folder that were not taken."""
    about_folder: str
    """What was not taken of the folder, and what its names and label files gave; or empty."""
    label_conflicts: int | None
    """Groups whose labels disagree; null without a label column."""
    leakage: int | None
    """Groups that straddle splits; null without a split column."""


class GridReply(Reply):
    """The frame behind a grid."""

    rows: int
    columns: list[ColumnInfo]
    score: str | None
    path: str
    near: float
    similar: str | None
    """Why similar items are off; null when they are on."""
    words: bool
    """Whether images may be found by words."""
    scores: Float32
    selected: Uint8
    banded: Uint32
    """The rows that stand in bands, band by band, each in the order of its places."""
    band_sizes: Uint32
    """How many of them each band has, from band 1 on."""
    kind: Uint8
    keep: Uint8
    """Codes of four rows a byte, as `pack_codes` lays them."""
    summary: SummaryInfo
    version: int
    """Counts the plans; the next `PlanEvent` has one more."""


class OpenGridRequest(Request, frozen=True, tag="open_grid"):
    """Everything that a grid needs to start."""

    reply = GridReply


class TileInfo(msgspec.Struct):
    """What a tile shows of its row."""

    row: int
    name: str
    path: str
    caption: str | None
    """What it is to others, in words: "keeper: most pixels", "exact duplicate of a.jpg"."""
    chosen: bool
    """Chosen to be a keeper by hand."""
    not_duplicate: bool
    """Declared by hand to be no duplicate."""
    width: int | None
    height: int | None
    facts: dict[str, int | float | str | bool | None]
    """The values of the columns requested; dates in milliseconds since 1970, in UTC."""
    error: str | None
    thumb: tuple[int, int] | None
    """Where in the blob its JPEG is, and how long."""


class TilesReply(Reply):
    """Some tiles."""

    tiles: list[TileInfo]
    blob: Uint8


class TilesRequest(Request, frozen=True, tag="tiles"):
    """Name, facts and caption of some rows, and their thumbnails if requested."""

    reply = TilesReply
    rows: list[int]
    thumbs: bool = True
    facts: list[str] = []
    """The columns whose values are shown."""


class OrderReply(Reply):
    """Dense rank of each row in one column."""

    rank: Uint32


class OrderRequest(Request, frozen=True, tag="order"):
    """Dense rank of each row in one column; rows then stand where they belong by now."""

    reply = OrderReply
    column: str


class SelectReply(Reply):
    """How many are selected."""

    count: int


class SelectRequest(Request, frozen=True, tag="select"):
    """Replace the selection."""

    reply = SelectReply
    rows: Uint8


class SimilarItem(msgspec.Struct):
    """A similar image, and how far it is on the scale of uniqueness."""

    row: int
    score: float
    relation: str | None
    """What it is of the image that was asked for, in words; null where that is not known."""


class SimilarReply(TilesReply):
    """The nearest images to a row, with their tiles."""

    items: list[SimilarItem]


class SimilarRequest(Request, frozen=True, tag="similar"):
    """The nearest images to a row, with their tiles."""

    reply = SimilarReply
    row: int
    k: int


class ColumnReply(Reply, omit_defaults=True):
    """What one column holds: numbers; or categories, as codes and labels; or text."""

    facet: Kind | None
    """Null where the column cannot be filtered."""
    values: Float32 | Float64 | None = None
    codes: Uint32 | None = None
    labels: list[str | bool | None] | None = None
    """``codes[row]`` is an index of these; null is the label of rows without a value."""


class ColumnRequest(Request, frozen=True, tag="column"):
    """What one column holds, to filter by it."""

    reply = ColumnReply
    column: str


class MatchReply(Reply):
    """The rows that a clause keeps."""

    rows: Uint8


class MatchRequest(Request, frozen=True, tag="match"):
    """The rows that a clause keeps which the browser cannot evaluate itself."""

    reply = MatchReply
    key: str
    clause: Any


class SelectionEvent(Event, tag="selection"):
    """The selection changed, by Python or by another page."""

    rows: Uint8
    origin: int | None
    """The page that did it; null for Python."""


# A review


class RuleInfo(msgspec.Struct):
    """A keeper rule in words."""

    name: str
    """What a `RulesChange` calls it: its name, or a number for one that has none."""
    about: str


class NewFolderRule(msgspec.Struct, frozen=True, tag_field="prefers", tag="folder"):
    """Prefer images in a folder."""

    folder: str


class NewValuesRule(msgspec.Struct, frozen=True, tag_field="prefers", tag="values"):
    """Prefer some values of a column, the best first."""

    column: str
    values: list[str | bool]


class NewColumnRule(msgspec.Struct, frozen=True, tag_field="prefers", tag="column"):
    """Prefer one end of a column."""

    column: str
    best: Literal["highest", "lowest", "oldest", "newest"]


NewRule = NewFolderRule | NewValuesRule | NewColumnRule


class ReviewInfo(msgspec.Struct):
    """What the plan follows, and what can be taken back."""

    off: str | None
    """Why there is no plan for this frame; null when there is one."""
    near: float
    scored_near: float
    """The boundary that the frame was scored with."""
    near_max: float | None
    """How far the boundary may go; null where images cannot be grouped anew."""
    changes: str
    """What moving the boundary changed: "31 groups (+7), 40 images go (+12)"; empty for nothing."""
    rules: list[RuleInfo]
    """The rules in effect, strongest first."""
    rule_choices: list[RuleInfo]
    """The rules that have a name and suit this frame."""
    keepers: int
    """Keepers chosen by hand in this frame."""
    not_duplicates: int
    """Pairs of pictures declared by hand to be no duplicates."""
    undo: str | None
    """What the next undo does, in words; null for nothing."""
    redo: str | None
    went_on: str
    """Which earlier review this one goes on with, in words; empty where it begins anew."""


class CollectionInfo(msgspec.Struct):
    """A collection, and how many images of this frame are in it."""

    name: str
    size: int
    description: str


class ReviewReply(GridReply):
    """The frame behind a review, and how the review stands."""

    review: ReviewInfo
    collections: list[CollectionInfo]
    members: Uint8
    """Bitset i is that of collection i."""
    mergeable: list[str]
    """The columns of labels and tags."""
    reviewed_rows: Uint32
    reviewed: Uint32
    """As in a `ReviewedEvent`, of all rows that have one."""


class OpenReviewRequest(Request, frozen=True, tag="open_review"):
    """Everything that a review needs to start."""

    reply = ReviewReply


class KeepersChange(msgspec.Struct, frozen=True, tag_field="what", tag="keepers"):
    """Let some rows be keepers, and leave the groups of others to the rules."""

    add: list[int]
    remove: list[int]


class NotDuplicateChange(msgspec.Struct, frozen=True, tag_field="what", tag="not_duplicate"):
    """These images are no duplicates of anything else in their groups; or take that back."""

    rows: list[int]
    value: bool


class ReviewedChange(msgspec.Struct, frozen=True, tag_field="what", tag="reviewed"):
    """These images were looked at side by side; or forget that they were beside others."""

    rows: list[int]
    value: bool


class NearChange(msgspec.Struct, frozen=True, tag_field="what", tag="near"):
    """Move the near-duplicate boundary; null for where the frame was scored."""

    near: float | None


class RulesChange(msgspec.Struct, frozen=True, tag_field="what", tag="rules"):
    """Choose the keeper rules, strongest first; null for those the frame was scored with."""

    rules: list[str | NewRule] | None


class DecideRequest(Request, frozen=True, tag="decide"):
    """Change what the plan follows."""

    change: KeepersChange | NotDuplicateChange | ReviewedChange | NearChange | RulesChange


class FolderInfo(msgspec.Struct):
    """A folder, and how many images lie in it and below."""

    folder: str
    images: int


class FoldersReply(Reply):
    """The folders that there are."""

    root: str
    """The deepest folder that holds all images."""
    folders: list[FolderInfo]
    """Those below it, in the order of their names."""


class FoldersRequest(Request, frozen=True, tag="folders"):
    """The folders that images lie in, to prefer one."""

    reply = FoldersReply


class UndoRequest(Request, frozen=True, tag="undo"):
    """Take the last review step back."""


class RedoRequest(Request, frozen=True, tag="redo"):
    """Do the step again that was taken back last."""


class BeginAnewRequest(Request, frozen=True, tag="begin_anew"):
    """Look at all images again, at the boundary and by the rules that they were scored with."""


class CollectReply(Reply):
    """How many images of this frame are in the collection now."""

    size: int


class CollectRequest(Request, frozen=True, tag="collect"):
    """Keep the selection, or every readable image that is not selected, under a name."""

    reply = CollectReply
    name: str
    of: Literal["selection", "rest"]
    how: Literal["replace", "add", "remove"]


class Rename(msgspec.Struct, frozen=True, tag_field="what", tag="rename"):
    """Give a collection another name."""

    to: str


class Describe(msgspec.Struct, frozen=True, tag_field="what", tag="describe"):
    """Describe what a collection is for."""

    text: str


class Delete(msgspec.Struct, frozen=True, tag_field="what", tag="delete"):
    """Delete a collection."""


class CollectionRequest(Request, frozen=True, tag="collection"):
    """Rename, describe or delete a collection."""

    name: str
    change: Rename | Describe | Delete


class PlanEvent(Event, tag="plan"):
    """The plan changed; captions are to be requested anew."""

    version: int
    """Counts the plans; a page that missed one opens again."""
    keep_order: bool
    """Whether what is shown stays in the order it has, until a person asks for another."""
    rows: Uint32 | None
    """The rows that the arrays are about; null for all."""
    scores: Float32
    band: Uint32
    place: Uint32
    kind: Uint8
    keep: Uint8
    near: float
    summary: SummaryInfo


class FrameEvent(Event, tag="frame"):
    """The same images have other scores and facts; all is to be requested anew."""


class ReviewEvent(Event, tag="review"):
    """What the plan follows changed, or what can be undone or redone."""

    review: ReviewInfo


class CollectionsEvent(Event, tag="collections"):
    """Collections were made, changed or deleted."""

    collections: list[CollectionInfo]
    members: Uint8
    """Bitset i is that of collection i."""


class ReviewedEvent(Event, tag="reviewed"):
    """Pictures were looked at side by side, or that was taken back."""

    rows: Uint32
    """The rows that the numbers are about."""
    reviewed: Uint32
    """Equal numbers for rows that were looked at together; 0 for those that were not."""


# Pictures side by side


class PictureReply(Reply):
    """A picture, or a part of it, as a JPEG."""

    width: int
    """Of the whole picture, in pixels."""
    height: int
    box: tuple[float, float, float, float]
    """What of it is here: left, top, right, bottom as fractions."""
    jpeg: Uint8


class PictureRequest(Request, frozen=True, tag="picture"):
    """The picture of a row, or a part of it, in the size in which it is shown."""

    reply = PictureReply
    row: int
    side: int
    """The longest side, in pixels of the screen; 2,048 at most."""
    box: tuple[float, float, float, float] | None = None
    """The part: left, top, right, bottom as fractions; null for the whole."""


class FactInfo(msgspec.Struct):
    """One fact of some images."""

    name: str
    texts: list[str | None]
    numbers: list[float | None] | None
    """The same as numbers, where more or less of it says something."""


class BesideInfo(msgspec.Struct):
    """What is known of an image beside another one."""

    identical: bool
    words: str | None
    """What it is of the other, in words; null where that is not known."""
    agreement: float | None
    score: float | None
    """How far it is, on the scale of uniqueness; null where that is not known."""
    map: tuple[float, float, float, float, float, float] | None
    """From its unit square to that of the other, by rows; null where it is not known."""
    box: tuple[float, float, float, float] | None
    """What it shows of the other."""


class BesideReply(Reply):
    """Facts of a row and of others, in this order, and what each other one is beside the row."""

    facts: list[FactInfo]
    others: list[BesideInfo]


class BesideRequest(Request, frozen=True, tag="beside"):
    """Facts of a row and of others, and what each other one is beside the row."""

    reply = BesideReply
    row: int
    others: list[int]


class AnalyticsRequest(Request, frozen=True, tag="analytics"):
    """Make the analytics, whose widget then is in the trait ``_analytics``."""


# A dataset


class PlanSource(msgspec.Struct, frozen=True, tag_field="kind", tag="plan"):
    """The images that stay under the plan."""


class SelectionSource(msgspec.Struct, frozen=True, tag_field="kind", tag="selection"):
    """The selected images."""


class ViewSource(msgspec.Struct, frozen=True, tag_field="kind", tag="view"):
    """The images that the filters leave."""


class CollectionSource(msgspec.Struct, frozen=True, tag_field="kind", tag="collection"):
    """The images of a collection."""

    name: str


class Server(msgspec.Struct, frozen=True):
    """A Label Studio server; empty texts stand for the environment's."""

    url: str
    token: str


class DatasetForm(msgspec.Struct, frozen=True):
    """The form of the dialog: a dataset to preview or create."""

    source: PlanSource | SelectionSource | ViewSource | CollectionSource
    name: str
    description: str
    project: str
    project_description: str
    root: str
    mode: Literal["hardlink", "copy", "symlink", "paths"]
    format: Literal["imagefolder", "webdataset"]
    copies: bool
    """Keep exact copies of images in it, which are left out otherwise."""
    merge: bool
    """Carry labels and tags of duplicates that are left out over to their keepers."""
    annotate: Server | None
    """Where to send it; null for nowhere."""
    splits: bool = True
    """Go by the column of splits, if there is one."""


class PreviewReply(Reply):
    """What a dataset would hold and cost."""

    path: str
    images: int
    bytes: int
    new_bytes: int
    free_bytes: int
    placed: dict[str, int]
    splits: dict[str, int]
    renamed: int
    unreadable: int
    removed: int
    copies: int
    """Exact copies of other images in it: left out, or kept if the form says so."""
    companions: int
    """Files of labels, captions, settings and masks that go along with their pictures."""
    left_behind: int
    """Those that this format or mode has no place for."""
    lost_groups: int
    """Groups of which no image is in the dataset."""


class PreviewRequest(Request, frozen=True, tag="preview"):
    """Count what a dataset would hold and cost."""

    reply = PreviewReply
    dataset: DatasetForm


class CreateReply(Reply):
    """A dataset that was written."""

    name: str
    path: str
    images: int
    bytes: int
    removed: int
    project_url: str | None
    """Address of the project in the annotation tool; null when it was not sent."""
    problem: str | None
    """Why sending failed although the dataset was written; null otherwise."""


class CreateRequest(Request, frozen=True, tag="create"):
    """Write a dataset; progress is reported."""

    reply = CreateReply
    dataset: DatasetForm


REQUESTS: tuple[type[Request], ...] = tuple(Request.__subclasses__())
EVENTS: tuple[type[Event], ...] = tuple(Event.__subclasses__())
_ANY_REQUEST: Any = Union[REQUESTS]  # noqa: UP007 - of a tuple


def read_request(content: dict[str, Any]) -> Request:
    """Return a message as the request that it is.

    Raises
    ------
    ValueError
        When it is none; the message has the reason.
    """
    try:
        request: Request = msgspec.convert(content, _ANY_REQUEST)
        return request
    except msgspec.ValidationError as error:
        raise ValueError(f"not a request: {error}") from error


class Buffers:
    """Collects the binary buffers of one message.

    >>> buffers = Buffers()
    >>> buffers.add(np.array([1, 2], np.uint32))
    Uint32(shape=[2], buffer=0)
    """

    def __init__(self) -> None:
        self.parts: list[memoryview] = []

    def add(self, array: np.ndarray) -> Any:
        """Append an array and return what stands for it: one of `ARRAYS`."""
        name = array.dtype.name
        if name not in ARRAYS:
            raise TypeError(f"{array.dtype} does not travel; use one of {', '.join(ARRAYS)}")
        self.parts.append(np.ascontiguousarray(array).data.cast("B"))
        return ARRAYS[name](list(array.shape), len(self.parts) - 1)


def read_array(wire: Array, buffers: list[Any]) -> np.ndarray:
    """Return the array that a value stands for.

    Raises
    ------
    ValueError
        When there is no such buffer, or it has another size.
    """
    try:
        dtype: Any = tag_of(type(wire))
        return np.frombuffer(buffers[wire.buffer], dtype).reshape(wire.shape)
    except (TypeError, IndexError) as error:
        raise ValueError(f"not an array: {wire!r}") from error


def pack_bits(mask: np.ndarray) -> np.ndarray:
    """Return a mask as a bitset: row i is bit ``i & 7`` of byte ``i >> 3``."""
    return np.packbits(mask, bitorder="little")


def pack_codes(codes: np.ndarray) -> np.ndarray:
    """Return codes from 0 to 2, or `NO_CODE`, four to a byte: that of row i is its bits 2 (i & 3).

    `NO_CODE` is 3 there, its lowest bits.

    >>> pack_codes(np.array([1, 0, 2, 255, 2], np.uint8)).tolist()
    [225, 2]
    """
    fours = np.zeros((-(-len(codes) // 4), 4), np.uint8)
    fours.reshape(-1)[: len(codes)] = codes & 3
    return fours[:, 0] | fours[:, 1] << 2 | fours[:, 2] << 4 | fours[:, 3] << 6


def unpack_bits(bits: np.ndarray, rows: int) -> np.ndarray:
    """Return a bitset of ``rows`` rows as a mask."""
    if bits.dtype != np.uint8 or bits.size != (rows + 7) // 8:
        raise ValueError(f"{bits.size} bytes are no bitset of {rows} rows")
    return np.unpackbits(bits, count=rows, bitorder="little").astype(bool)
