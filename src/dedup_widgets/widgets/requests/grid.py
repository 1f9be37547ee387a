"""What the browser asks of a grid: rows as tiles, their order, filters, similar items."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from dedup_widgets.errors import InputError
from dedup_widgets.frame.table import file_name
from dedup_widgets.images.source import LocalFiles
from dedup_widgets.review.display import codes, sortable
from dedup_widgets.review.view import View
from dedup_widgets.widgets.base import Handler
from dedup_widgets.widgets.protocol import Buffers, Request, pack_bits, read_array, unpack_bits
from dedup_widgets.widgets.thumbnails import Thumbnail, load_thumbnails


class GridRequests:
    """Answers a grid.

    Parameters
    ----------
    view
        What the grid shows.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._source = LocalFiles()

    @property
    def handlers(self) -> dict[str, Handler]:
        """What answers which request."""
        return {
            Request.OPEN: self.open,
            Request.TILES: self._tiles,
            Request.ORDER: self._order,
            Request.SELECT: self._select,
            Request.SIMILAR: self._similar,
            Request.COLUMN: self._column,
            Request.MATCH: self._match,
        }

    def open(self, _message: dict[str, Any], _in: list[Any], out: Buffers) -> dict[str, Any]:
        """Return all that a page needs to start."""
        view = self._view
        frame = view.frame
        scores = (
            view.known["uniqueness"].fill_null(float("nan")).to_numpy()
            if view.score
            else np.full(len(frame), np.nan, np.float32)
        )
        return {
            "rows": len(frame),
            "columns": [
                {
                    "name": name,
                    "type": str(dtype),
                    "sortable": sortable(dtype),
                    "facet": view.facet_kind(name),
                }
                for name, dtype in frame.schema.items()
            ],
            "score": view.score,
            "path": view.path,
            "near": view.near,
            "similar": view.why_no_similar,
            "scores": out.add(scores),
            "selected": out.add(pack_bits(view.selected)),
            **self.plan_arrays(out),
        }

    def plan_arrays(self, out: Buffers) -> dict[str, Any]:
        """Return what changes with the plan."""
        view = self._view
        kind, keep = codes(view.known, view.near, view.bands.beside)
        return {
            "band": out.add(view.bands.band),
            "place": out.add(view.bands.place),
            "kind": out.add(kind),
            "keep": out.add(keep),
            "summary": view.summary.as_dict(),
        }

    def _tiles(self, message: dict[str, Any], _in: list[Any], out: Buffers) -> dict[str, Any]:
        rows = self._checked(message["rows"])
        return self._tiles_of(rows, out, thumbs=message.get("thumbs", True))

    def _checked(self, rows: Iterable[Any]) -> list[int]:
        rows = list(rows)
        if not all(type(row) is int and 0 <= row < len(self._view) for row in rows):
            raise ValueError(f"rows must be numbers below {len(self._view)}")
        return rows

    def _tiles_of(self, rows: list[int], out: Buffers, *, thumbs: bool = True) -> dict[str, Any]:
        view = self._view
        errors = view.known[rows].get_column("error", default=pl.Series([None] * len(rows)))
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
                    "name": file_name(view.paths[row]),
                    "path": view.paths[row],
                    "caption": view.caption(row),
                    **view.by_hand(row),
                    "width": view.fact(row, "width"),
                    "height": view.fact(row, "height"),
                    "error": error or (thumbnail.error if thumbnail else None),
                    "thumb": thumb,
                }
            )
        return {"tiles": tiles, "blob": out.add(np.frombuffer(bytes(blob), np.uint8))}

    def _thumbnails(self, rows: list[int]) -> dict[int, Thumbnail]:
        view = self._view
        prints = view.known.get_column("fingerprint", default=None)
        loaded = load_thumbnails(
            [view.paths[row] for row in rows],
            [None] * len(rows) if prints is None else prints.gather(rows).to_list(),
            view.store.cache,
            self._source,
        )
        return dict(zip(rows, loaded, strict=True))

    def _similar(self, message: dict[str, Any], _in: list[Any], out: Buffers) -> dict[str, Any]:
        if self._view.why_no_similar:
            raise InputError(f"similar items are off: {self._view.why_no_similar}")
        (row,), k = self._checked([message["row"]]), message["k"]
        if type(k) is not int or k < 0:
            raise ValueError(f"k is {k!r}; it must be a number of images")
        rows, distances = self._view.similar_rows(row, k)
        return {
            "items": [
                {"row": row, "distance": distance}
                for row, distance in zip(rows.tolist(), distances.tolist(), strict=True)
            ],
            **self._tiles_of(rows.tolist(), out),
        }

    def _order(self, message: dict[str, Any], _in: list[Any], out: Buffers) -> dict[str, Any]:
        return {"rank": out.add(self._view.rank(message["column"]))}

    def _select(self, message: dict[str, Any], buffers: list[Any], _out: Buffers) -> dict[str, Any]:
        mask = unpack_bits(read_array(message["rows"], buffers), len(self._view))
        self._view.select(mask, origin=message["client"])
        return {"count": int(mask.sum())}

    def _column(self, message: dict[str, Any], _in: list[Any], out: Buffers) -> dict[str, Any]:
        facet = self._view.facet(message["column"])
        reply: dict[str, Any] = {"facet": facet.kind}
        if facet.values is not None:
            reply["values"] = out.add(facet.values)
        if facet.codes is not None:
            reply |= {"codes": out.add(facet.codes), "labels": facet.labels}
        return reply

    def _match(self, message: dict[str, Any], _in: list[Any], out: Buffers) -> dict[str, Any]:
        return {"rows": out.add(pack_bits(self._view.matching(message["key"], message["clause"])))}
