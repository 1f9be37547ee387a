"""The nearest images to one image of a frame, as a strip of tiles."""

import os
from typing import Any

import traitlets

from dedup_widgets.frame.table import require_columns, to_polars
from dedup_widgets.store.open import Store
from dedup_widgets.widgets.base import front_end
from dedup_widgets.widgets.image_grid import ImageGrid


class SimilarItems(ImageGrid):
    """An image and its nearest neighbours, with their distances, to look at and pick from.

    Parameters
    ----------
    data
        A table with a column of paths and an ``embedding`` column, as
        :func:`dedup_widgets.score` makes it.
    query
        The path of the image to start from; see :attr:`query`.
    k
        How many neighbours to show.
    path
        The column of paths.
    store
        Where thumbnails are remembered; see :func:`dedup_widgets.score`.

    Raises
    ------
    InputError
        When data lacks a column, or the query is not in it.

    Examples
    --------
    >>> import polars as pl
    >>> frame = pl.DataFrame(
    ...     {"path": ["/a.jpg", "/b.jpg"], "embedding": [[1, 0], [0, 1]]},
    ...     schema_overrides={"embedding": pl.Array(pl.Float32, 2)},
    ... )
    >>> items = SimilarItems(frame, "/a.jpg", k=5)
    >>> items.query = "/b.jpg"
    """

    _esm, _code = front_end("similar_items")
    _row = traitlets.Int(0).tag(sync=True)
    k = traitlets.Int(12, min=1, max=200).tag(sync=True)

    def __init__(
        self,
        data: Any,
        query: str | os.PathLike[str],
        k: int = 12,
        *,
        path: str = "path",
        store: "str | os.PathLike[str] | Store | None" = None,
    ) -> None:
        frame = to_polars(data)
        require_columns(frame, [path, "embedding"], "SimilarItems")
        super().__init__(frame, path=path, store=store)
        self.k = k
        self.query = os.fspath(query)

    @property
    def query(self) -> str:
        """The path of the image whose neighbours are shown; set it to move on."""
        path: str = self.session.paths[self._row]
        return path

    @query.setter
    def query(self, path: str | os.PathLike[str]) -> None:
        self._row = self.session.row_of(path)
