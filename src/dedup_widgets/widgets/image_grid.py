"""The image grid: rows of a frame as tiles, and the selection as a frame."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl
import traitlets

from dedup_widgets.errors import InputError
from dedup_widgets.filters import filters as filtering
from dedup_widgets.filters.filters import Context, Filters
from dedup_widgets.frame.schema import recognised
from dedup_widgets.frame.summary import summarize
from dedup_widgets.frame.table import checked_paths, file_name, is_frame, require_columns, to_polars
from dedup_widgets.images.source import LocalFiles
from dedup_widgets.review.display import Bands, bands, codes, dense_rank, display_order, sortable
from dedup_widgets.search.similar import SimilarImages
from dedup_widgets.store.database import Store
from dedup_widgets.store.open import open_store
from dedup_widgets.widgets.base import Widget, bundle
from dedup_widgets.widgets.protocol import (
    Buffers,
    Event,
    Request,
    pack_bits,
    read_array,
    unpack_bits,
)
from dedup_widgets.widgets.thumbnails import Thumbnail, load_thumbnails


class ImageGrid(Widget):
    """A virtual grid of the images of a frame.

    Parameters
    ----------
    data
        Any table with a column of paths: Polars, pandas, pyarrow, ….
    path
        The column of paths.
    score
        A column of numbers in [0, 1] to show on the tiles and sort by; None for none. It is used
        where the frame has it.
    near
        Near-duplicate boundary on the scale of the score.
    store
        Where thumbnails are remembered; see :func:`dedup_widgets.score`.
    height
        Height of the grid in CSS pixels.

    Raises
    ------
    InputError
        When data is no table or lacks a column; the message lists those there are.
    """

    _esm = bundle("image_grid")
    slow = Widget.slow | {Request.COLUMN, Request.MATCH}
    _filters = traitlets.Dict().tag(sync=True)
    _sort = traitlets.Dict().tag(sync=True)
    height = traitlets.Int(560, min=160).tag(sync=True)

    def __init__(
        self,
        data: Any,
        *,
        path: str = "path",
        score: str | None = "uniqueness",
        near: float = 0.05,
        store: "str | os.PathLike[str] | Store | None" = None,
        height: int = 560,
    ) -> None:
        frame = to_polars(data)
        paths = checked_paths(frame, path)
        if frame.schema[path] == pl.Object:
            frame = frame.with_columns(pl.Series(path, paths, dtype=pl.String))
        if score is not None and score not in frame.columns:
            score = None
        self._path, self._score, self._near = path, score, near
        self._paths = paths
        self._row_of = {p: row for row, p in enumerate(paths)}
        self._selected = np.zeros(len(frame), bool)
        self._store = open_store(store)
        self._source = LocalFiles()
        self._similar = (
            SimilarImages(frame, path, beside=self._store.path)
            if "embedding" in frame.columns
            else None
        )
        self._context = self._filter_context()
        self._show(frame)
        super().__init__(
            height=height,
            _sort={
                "column": score if score and sortable(frame[score].dtype) else path,
                "descending": False,
                "grouped": True,
            },
        )
        self._handlers |= {
            Request.OPEN: self._open,
            Request.TILES: self._tiles,
            Request.ORDER: self._order,
            Request.SELECT: self._select,
            Request.SIMILAR: self._answer_similar,
            Request.COLUMN: self._column,
            Request.MATCH: self._match,
        }

    def _show(self, frame: pl.DataFrame) -> None:
        """Take a frame of the same images for what is shown."""
        self._frame = frame
        self._known = recognised(frame, self._path, self._score)
        self._bands: Bands = bands(self._known)
        self._summary = summarize(self._known, self._score and "uniqueness", self._near)
        self._ranks: dict[str, np.ndarray] = {}

    def _filter_context(self) -> Context:
        return Context(path=self._path, score=self._score)

    # What Python reads and sets

    @property
    def frame(self) -> pl.DataFrame:
        """The frame behind the grid, all rows and columns."""
        return self._frame

    @property
    def selection(self) -> pl.DataFrame:
        """What is selected, in display order, with all columns.

        Set it to a frame with the same path column, a list of paths, or a boolean mask over the
        rows of :attr:`frame`. ``observe(handler, names="selection")`` calls back on each change.
        """
        with self._lock:
            selected = self._selected
        rows = self._display_order(self._view_mask() | selected)
        return self._rows(rows[selected[rows]])

    @selection.setter
    def selection(self, what: Any) -> None:
        self._set_selection(self._mask(what), origin=None)

    @property
    def view(self) -> pl.DataFrame:
        """What the filters leave, in display order, with all columns."""
        return self._rows(self._display_order(self._view_mask()))

    @property
    def filters(self) -> Filters:
        """The filters of the view, by column.

        Set them to a mapping, to a Polars expression, or to None for none; what each type of
        column takes is told in :func:`dedup_widgets.filters.parse`. As an expression,
        ``frame.filter(grid.filters.expression)`` has the rows of :attr:`view`.

        >>> grid.filters = {"uniqueness": (0, 0.05), "kind": ["near"]}  # doctest: +SKIP
        """
        return self._read(self._filters)

    @filters.setter
    def filters(self, given: Any) -> None:
        self._filters = filtering.parse(self._frame, given, self._context)

    @property
    def sort(self) -> dict[str, Any]:
        """The order of display: ``column``, ``descending``, and ``grouped`` (bands together).

        Set it to a column name, or to a dict with some of the three.
        """
        return dict(self._sort)

    @sort.setter
    def sort(self, by: str | Mapping[str, Any]) -> None:
        wanted = {**self._sort, **({"column": by} if isinstance(by, str) else by)}
        self._check_sort(wanted)
        self._sort = wanted

    def similar(self, path: str | os.PathLike[str], k: int = 12) -> pl.DataFrame:
        """Return the k nearest images to one of the frame; see :func:`dedup_widgets.similar`."""
        if self._similar is None:
            raise InputError(f"similar items are off: {self._why_no_similar()}")
        return self._similar.frame(os.fspath(path), k)

    def __len__(self) -> int:
        return len(self._frame)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._summary})"

    # Rows and order

    def _mask(self, what: Any) -> np.ndarray:
        """Return the mask of rows that a frame, paths or a mask stand for."""
        n = len(self._frame)
        if is_frame(what):
            frame = to_polars(what)
            require_columns(frame, [self._path], "a selection given as a frame")
            values = frame[self._path].to_list()
        elif isinstance(what, np.ndarray) and what.dtype == bool and what.shape == (n,):
            return what.copy()
        elif isinstance(what, str | os.PathLike):
            values = [what]
        elif hasattr(what, "__arrow_c_stream__"):
            series = pl.Series(what)
            # A null, such as the score of an unreadable file compared to a number, is not picked.
            values = (series.fill_null(False) if series.dtype == pl.Boolean else series).to_list()
        elif isinstance(what, Iterable):
            values = list(what)
        else:
            raise InputError(
                f"cannot select by {type(what).__name__}; give a frame, paths, or a mask over rows"
            )
        if values and all(isinstance(value, bool | np.bool_) for value in values):
            if len(values) != n:
                raise InputError(f"the mask has {len(values)} values for {n} rows")
            return np.array(values, bool)
        rows = [self._row_of.get(_as_text(value)) for value in values]
        if unknown := [value for value, row in zip(values, rows, strict=True) if row is None]:
            raise InputError(
                f"{len(unknown)} paths are not in this frame, {str(unknown[0])!r} first; "
                f"give values of its column {self._path!r}"
            )
        mask = np.zeros(n, bool)
        mask[np.array(rows, np.int64)] = True
        return mask

    def _rows(self, rows: np.ndarray) -> pl.DataFrame:
        return self._frame.select(pl.all().gather(rows))

    def _read(self, json: Any) -> Filters:
        """Return filters as far as they make sense of what the trait holds."""
        clauses = filtering.read(self._frame, json, self._context)
        return Filters(self._frame, clauses, self._context)

    def _view_mask(self) -> np.ndarray:
        clauses = filtering.read(self._frame, self._filters, self._context)
        return filtering.mask(self._frame, clauses, self._context)

    def _rank(self, column: str) -> np.ndarray:
        require_columns(self._frame, [column], "sorting")
        if not sortable(self._frame[column].dtype):
            raise InputError(f"cannot sort by {column!r}, which holds {self._frame[column].dtype}")
        rank = self._ranks.get(column)
        if rank is None:
            rank = self._ranks[column] = dense_rank(self._frame[column])
        return rank

    def _display_order(self, mask: np.ndarray) -> np.ndarray:
        sort = self._sort
        return display_order(
            self._rank(sort["column"]),
            self._bands.band,
            self._bands.place,
            mask,
            descending=sort["descending"],
            grouped=sort["grouped"],
        )

    def _set_selection(self, mask: np.ndarray, origin: int | None) -> None:
        observed = self._is_observed("selection")
        old = self.selection if observed else None
        with self._lock:
            if np.array_equal(mask, self._selected):
                return
            self._selected = mask
        out = Buffers()
        self._tell(Event.SELECTION, {"rows": out.add(pack_bits(mask)), "origin": origin}, out)
        if observed:
            self._notify("selection", old, self.selection)

    def _check_sort(self, wanted: Mapping[str, Any]) -> None:
        names = ("column", "descending", "grouped")
        if odd := sorted(set(wanted) ^ set(names), key=str):
            raise InputError(f"sort has {', '.join(names)}, each once; not so {odd[0]!r}")
        for name in names[1:]:
            if not isinstance(wanted[name], bool):
                raise InputError(f"sort: {name} is {wanted[name]!r}; it must be True or False")
        self._rank(wanted["column"])

    @traitlets.validate("_sort")
    def _from_a_page(self, proposal: Any) -> Any:
        try:
            self._check_sort(proposal["value"])
        except InputError as error:
            raise traitlets.TraitError(str(error)) from error
        return proposal["value"]

    @traitlets.observe("_filters")
    def _filters_changed(self, change: Any) -> None:
        if self._is_observed("filters"):
            self._notify("filters", *(self._read(change[which]) for which in ("old", "new")))

    @traitlets.observe("_sort")
    def _sort_changed(self, change: Any) -> None:
        self._notify("sort", change["old"], change["new"])

    def _notify(self, name: str, old: Any, new: Any) -> None:
        """Call back who observes a property that is no trait."""
        self.notify_change(traitlets.Bunch(name=name, old=old, new=new, owner=self, type="change"))

    def _is_observed(self, name: str) -> bool:
        observers = self._trait_notifiers
        return any(observers.get(key, {}).get("change") for key in (name, traitlets.All))

    # Answers

    def _open(self, _message: dict[str, Any], _in: list[Any], out: Buffers) -> dict[str, Any]:
        frame = self._frame
        scores = (
            self._known["uniqueness"].fill_null(float("nan")).to_numpy()
            if self._score
            else np.full(len(frame), np.nan, np.float32)
        )
        with self._lock:
            selected = pack_bits(self._selected)
        return {
            "rows": len(frame),
            "columns": [
                {
                    "name": name,
                    "type": str(dtype),
                    "sortable": sortable(dtype),
                    "facet": self._context.kind(name, dtype),
                }
                for name, dtype in frame.schema.items()
            ],
            "score": self._score,
            "path": self._path,
            "near": self._near,
            "similar": self._why_no_similar(),
            "scores": out.add(scores),
            "selected": out.add(selected),
            **self._plan_arrays(out),
        }

    def _plan_arrays(self, out: Buffers) -> dict[str, Any]:
        """Return what changes with the plan."""
        kind, keep = codes(self._known, self._near, self._bands.beside)
        return {
            "band": out.add(self._bands.band),
            "place": out.add(self._bands.place),
            "kind": out.add(kind),
            "keep": out.add(keep),
            "summary": self._summary.as_dict(),
        }

    def _why_no_similar(self) -> str | None:
        if self._similar is not None:
            return None
        return "this frame has no column 'embedding'; dedup_widgets.score makes one"

    def _tiles(self, message: dict[str, Any], _in: list[Any], out: Buffers) -> dict[str, Any]:
        rows = self._checked_rows(message["rows"])
        return self._tile_payload(rows, out, thumbs=message.get("thumbs", True))

    def _checked_rows(self, rows: Iterable[Any]) -> list[int]:
        rows = [int(row) if isinstance(row, np.integer) else row for row in rows]
        if not all(type(row) is int and 0 <= row < len(self._frame) for row in rows):
            raise ValueError(f"rows must be numbers below {len(self._frame)}")
        return rows

    def _tile_payload(
        self, rows: list[int], out: Buffers, *, thumbs: bool = True
    ) -> dict[str, Any]:
        part = self._known[rows]
        errors = part.get_column("error", default=pl.Series([None] * len(rows))).to_list()
        readable = [row for row, error in zip(rows, errors, strict=True) if error is None]
        thumbnails = self._thumbnails(readable) if thumbs else {}
        tiles, blob = [], bytearray()
        for row, error in zip(rows, errors, strict=True):
            thumbnail = thumbnails.get(row)
            thumb = None
            if thumbnail is not None and thumbnail.jpeg is not None:
                thumb = [len(blob), len(thumbnail.jpeg)]
                blob += thumbnail.jpeg
            tiles.append(
                {
                    "row": row,
                    "name": file_name(self._paths[row]),
                    "path": self._paths[row],
                    "caption": self._caption(row),
                    **self._by_hand(row),
                    "width": self._fact(row, "width"),
                    "height": self._fact(row, "height"),
                    "error": error or (thumbnail.error if thumbnail else None),
                    "thumb": thumb,
                }
            )
        return {"tiles": tiles, "blob": out.add(np.frombuffer(bytes(blob), np.uint8))}

    def _thumbnails(self, rows: list[int]) -> dict[int, Thumbnail]:
        prints = self._known.get_column("fingerprint", default=None)
        loaded = load_thumbnails(
            [self._paths[row] for row in rows],
            [None] * len(rows) if prints is None else prints.gather(rows).to_list(),
            self._store,
            self._source,
        )
        return dict(zip(rows, loaded, strict=True))

    def _fact(self, row: int, column: str) -> Any:
        return self._known[column][row] if column in self._known.columns else None

    def _caption(self, row: int) -> str | None:
        """Say what an image is to the others, as far as the frame's own columns tell."""
        frame = self._known
        if not {"uniqueness", "group", "keep", "nearest"} <= set(frame.columns):
            return None
        if self._bands.beside[row]:
            return f"near {file_name(frame['nearest'][row])}, in no group"
        if frame["group"][row] is None or frame["keep"][row]:
            return None
        if frame["uniqueness"][row] == 0:
            return f"exact duplicate of {file_name(frame['nearest'][row])}"
        keeper = self._paths[self._bands.keeper[frame["group"][row]]]
        return f"near-duplicate of {file_name(keeper)}"

    def _by_hand(self, _row: int) -> dict[str, bool]:
        """Tell what a person decided about an image."""
        return {"chosen": False, "apart": False}

    def _answer_similar(
        self, message: dict[str, Any], _in: list[Any], out: Buffers
    ) -> dict[str, Any]:
        if self._similar is None:
            raise InputError(f"similar items are off: {self._why_no_similar()}")
        (row,), k = self._checked_rows([message["row"]]), message["k"]
        if type(k) is not int or k < 0:
            raise ValueError(f"k is {k!r}; it must be a number of images")
        rows, distances = self._similar.rows(row, k)
        return {
            "items": [
                {"row": row, "distance": distance}
                for row, distance in zip(rows.tolist(), distances.tolist(), strict=True)
            ],
            **self._tile_payload(rows.tolist(), out),
        }

    def _order(self, message: dict[str, Any], _in: list[Any], out: Buffers) -> dict[str, Any]:
        return {"rank": out.add(self._rank(message["column"]))}

    def _select(self, message: dict[str, Any], buffers: list[Any], _out: Buffers) -> dict[str, Any]:
        mask = unpack_bits(read_array(message["rows"], buffers), len(self._frame))
        self._set_selection(mask, origin=message["client"])
        return {"count": int(mask.sum())}

    def _column(self, message: dict[str, Any], _in: list[Any], out: Buffers) -> dict[str, Any]:
        require_columns(self._frame, [message["column"]], "a filter")
        facet = filtering.facet(self._frame, message["column"], self._context)
        reply: dict[str, Any] = {"facet": facet.kind}
        if facet.values is not None:
            reply["values"] = out.add(facet.values)
        if facet.codes is not None:
            reply |= {"codes": out.add(facet.codes), "labels": facet.labels}
        return reply

    def _match(self, message: dict[str, Any], _in: list[Any], out: Buffers) -> dict[str, Any]:
        asked = {message["key"]: message["clause"]}
        clauses = filtering.read(self._frame, asked, self._context)
        if not clauses:
            raise InputError(f"the filter of {message['key']!r} makes no sense for this frame")
        mask = filtering.mask(self._frame, clauses, self._context)
        return {"rows": out.add(pack_bits(mask))}


def _as_text(path: Any) -> str:
    """Return a path as text; of what is none, no path has it."""
    if isinstance(path, str):
        return path
    return os.fspath(path) if isinstance(path, os.PathLike) else ""
