"""The browser's requests to a grid: rows as tiles, their order, filters, similar items."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np

from dedup_widgets.errors import InputError
from dedup_widgets.frame.provenance import offered
from dedup_widgets.frame.schema import NOT_SCORED
from dedup_widgets.frame.table import file_name
from dedup_widgets.review.display import sortable
from dedup_widgets.review.view import View
from dedup_widgets.review.watched import Change
from dedup_widgets.widgets import protocol
from dedup_widgets.widgets.base import Handler, News
from dedup_widgets.widgets.protocol import Buffers, pack_bits, pack_codes, read_array, unpack_bits
from dedup_widgets.widgets.thumbnails import LaterThumbnails, Thumbnail, load_thumbnails

MAX_TILES = 1_000
"""Images that are told of at once."""
MAX_SIMILAR = 1_000
"""Similar images that are found at once."""
FIRST_TILES = 40
"""Images of a first screen, whose thumbnails are made while the page loads."""


class GridRequests:
    """Answers a grid, and reports changes.

    Parameters
    ----------
    view
        What the grid shows.
    """

    slow: tuple[type[protocol.Request], ...] = (
        protocol.TilesRequest,
        protocol.SimilarRequest,
        protocol.ColumnRequest,
        protocol.MatchRequest,
    )

    def __init__(self, view: View) -> None:
        self._view = view
        self._version = 0
        self._later = LaterThumbnails(view.store.cache)
        self._first: tuple[frozenset[int], Future[dict[int, Thumbnail]]] = frozenset(), Future()

    @property
    def handlers(self) -> dict[type[protocol.Request], Handler[Any]]:
        """What answers which request."""
        return {
            protocol.OpenGridRequest: self._open,
            protocol.TilesRequest: self._tiles,
            protocol.OrderRequest: self._order,
            protocol.SelectRequest: self._select,
            protocol.SimilarRequest: self._similar,
            protocol.ColumnRequest: self._column,
            protocol.MatchRequest: self._match,
        }

    def is_slow(self, request: protocol.Request) -> bool:
        """Return whether a request needs a thread: the first words load a model."""
        match request:
            case protocol.MatchRequest(key="words") | protocol.OrderRequest(column="words"):
                return True
        return False

    def make_first_thumbnails(self) -> None:
        """Make what the first screen shows, for the page that is about to ask for it."""
        rows = self._view.first_rows(FIRST_TILES).tolist()
        made: Future[dict[int, Thumbnail]] = Future()
        self._first = frozenset(rows), made
        found: dict[int, Thumbnail] = {}
        try:
            found = self._thumbnails(rows)
        finally:
            made.set_result(found)

    def report_change(self, change: Change, news: News) -> None:
        """Add the events that report a change to pages."""
        if change.what == "selection":
            rows = news.arrays.add(pack_bits(change.new))
            news.events.append(protocol.SelectionEvent(rows=rows, origin=change.origin))

    def _open(
        self, _request: protocol.OpenGridRequest, _in: list[Any], out: Buffers
    ) -> protocol.GridReply:
        return protocol.GridReply(**self._opened(out))

    def _opened(self, out: Buffers) -> dict[str, Any]:
        """Return all that a page needs to start: the fields of a `GridReply`."""
        # Before what it is the number of: a page that got more than that opens again.
        version = self._version
        view = self._view
        frame = view.frame
        view.sort_again()
        return {
            "rows": len(frame),
            "columns": [
                protocol.ColumnInfo(name, str(dtype), sortable(dtype), view.facet_kind(name))
                for name, dtype in offered(frame).items()
            ],
            "score": view.score,
            "path": view.path,
            "near": view.near,
            "similar": view.why_no_similar,
            "words": view.words is not None and view.words.may_find,
            "selected": out.add(pack_bits(view.selected)),
            "scores": out.add(view.shown.scores),
            "banded": out.add(view.bands.members),
            "band_sizes": out.add(view.bands.sizes),
            "kind": out.add(pack_codes(view.shown.kind)),
            "keep": out.add(pack_codes(view.shown.keep)),
            "summary": self._summary(),
            "version": version,
        }

    def _plan_arrays(self) -> dict[str, np.ndarray]:
        """Return what the plan has for each row."""
        shown, bands = self._view.shown, self._view.bands
        return {
            "scores": shown.scores,
            "band": bands.band,
            "place": bands.place,
            "kind": shown.kind,
            "keep": shown.keep,
        }

    def _summary(self) -> protocol.SummaryInfo:
        summary = self._view.summary
        counts = summary.as_dict()
        counts["not_taken"] = sum(sum(names.values()) for names in summary.not_taken.values())
        counts["annotated"] = counts.pop("annotations").get("images", 0)
        del counts["from_folders"], counts["further_names"]
        parts = (
            *(summary.about_folders, summary.about_annotations),
            *(summary.about_further_names, summary.about_not_taken),
        )
        about = "; ".join(filter(None, parts))
        return protocol.SummaryInfo(
            **counts, about_folder=about, label_conflicts=None, leakage=None
        )

    def _tiles(
        self, request: protocol.TilesRequest, _in: list[Any], out: Buffers
    ) -> protocol.TilesReply:
        if len(request.rows) > MAX_TILES:
            raise InputError(f"{len(request.rows)} images at once; ask for {MAX_TILES} at most")
        rows = self._checked(dict.fromkeys(request.rows))
        tiles, blob = self._tiles_of(rows, request.thumbs, request.facts)
        return protocol.TilesReply(tiles=tiles, blob=out.add(blob))

    def _checked(self, rows: Iterable[int]) -> list[int]:
        rows = list(rows)
        if not all(0 <= row < len(self._view) for row in rows):
            raise ValueError(f"rows must be numbers below {len(self._view)}")
        return rows

    def _tiles_of(
        self, rows: list[int], thumbs: bool, facts: Sequence[str] = ()
    ) -> tuple[list[protocol.TileInfo], np.ndarray]:
        view = self._view
        values = view.facts(rows, facts)
        errors = self._errors(rows)
        thumbnails = self._first_made(rows) if thumbs else {}
        if thumbs:
            thumbnails |= self._thumbnails([row for row in rows if row not in thumbnails])
        tiles, blob = [], bytearray()
        for row, error, value in zip(rows, errors, values, strict=True):
            thumbnail = thumbnails.get(row)
            thumb = None
            if thumbnail is not None and thumbnail.jpeg is not None:
                thumb = (len(blob), len(thumbnail.jpeg))
                blob += thumbnail.jpeg
            is_waiting = error == NOT_SCORED
            if is_waiting:
                error = None
            chosen, not_duplicate = view.by_hand(row)
            tiles.append(
                protocol.TileInfo(
                    row=row,
                    name=file_name(view.paths[row]),
                    path=view.paths[row],
                    caption=NOT_SCORED if is_waiting else view.caption(row),
                    chosen=chosen,
                    not_duplicate=not_duplicate,
                    width=view.fact(row, "width"),
                    height=view.fact(row, "height"),
                    facts=value,
                    error=error or (thumbnail.error if thumbnail else None),
                    thumb=thumb,
                )
            )
        return tiles, np.frombuffer(bytes(blob), np.uint8)

    def _first_made(self, rows: list[int]) -> dict[int, Thumbnail]:
        """Return those of the first thumbnails that are among some rows, and forget all of them."""
        first, made = self._first
        if first.isdisjoint(rows):
            return {}
        self._first = frozenset(), Future()
        found = made.result()
        return {row: found[row] for row in rows if row in found}

    def _errors(self, rows: list[int]) -> list[str | None]:
        """Return why some rows cannot be read, None where they can or nobody has tried."""
        known = self._view.known.get_column("error", default=None)
        return [None] * len(rows) if known is None else known.gather(rows).to_list()

    def _thumbnails(self, among: list[int]) -> dict[int, Thumbnail]:
        """Return the thumbnails of those rows that may be readable."""
        view = self._view
        pairs = zip(among, self._errors(among), strict=True)
        rows = [row for row, error in pairs if error in (None, NOT_SCORED)]
        prints = view.known.get_column("fingerprint", default=None)
        with self._later.while_waiting():
            loaded = load_thumbnails(
                [view.paths[row] for row in rows],
                [None] * len(rows) if prints is None else prints.gather(rows).to_list(),
                view.store.cache,
                later=self._later.add,
            )
        return dict(zip(rows, loaded, strict=True))

    def _similar(
        self, request: protocol.SimilarRequest, _in: list[Any], out: Buffers
    ) -> protocol.SimilarReply:
        if self._view.why_no_similar:
            raise InputError(f"similar items are off: {self._view.why_no_similar}")
        if not 0 <= request.k <= MAX_SIMILAR:
            raise ValueError(
                f"k is {request.k}; it must be a number of images, {MAX_SIMILAR} at most"
            )
        (row,) = self._checked([request.row])
        rows, distances = self._view.similar_rows(row, request.k)
        tiles, blob = self._tiles_of(rows.tolist(), thumbs=True)
        relations = self._view.relations(rows, row)
        scores = self._view.on_scale(distances)
        found = zip(rows.tolist(), scores.tolist(), relations, strict=True)
        return protocol.SimilarReply(
            items=[protocol.SimilarItem(*item) for item in found],
            tiles=tiles,
            blob=out.add(blob),
        )

    def _order(
        self, request: protocol.OrderRequest, _in: list[Any], out: Buffers
    ) -> protocol.OrderReply:
        self._view.sort_again()
        return protocol.OrderReply(rank=out.add(self._view.rank(request.column)))

    def _select(
        self, request: protocol.SelectRequest, buffers: list[Any], _out: Buffers
    ) -> protocol.SelectReply:
        mask = unpack_bits(read_array(request.rows, buffers), len(self._view))
        self._view.select(mask, origin=request.client)
        return protocol.SelectReply(count=int(mask.sum()))

    def _column(
        self, request: protocol.ColumnRequest, _in: list[Any], out: Buffers
    ) -> protocol.ColumnReply:
        facet = self._view.facet(request.column)
        return protocol.ColumnReply(
            facet=facet.kind,
            values=None if facet.values is None else out.add(facet.values),
            codes=None if facet.codes is None else out.add(facet.codes),
            labels=None if facet.codes is None else facet.labels,
        )

    def _match(
        self, request: protocol.MatchRequest, _in: list[Any], out: Buffers
    ) -> protocol.MatchReply:
        mask = self._view.matching(request.key, request.clause)
        return protocol.MatchReply(rows=out.add(pack_bits(mask)))
