"""A map of the images: their embeddings, projected onto a plane."""

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.errors import InputError
from dedup_widgets.frame.table import checked_paths, require_columns, to_polars
from dedup_widgets.store.open import Store, open_store

Method = Literal["pca", "umap"]

SEED = 0

MAX_FILES = 8
"""Maps that are kept beside a cache; of more, the oldest go."""

_FORMAT = 1


def projection(
    df: Any,
    *,
    method: Method = "pca",
    path: str = "path",
    store: "str | os.PathLike[str] | Store | None" = None,
) -> pl.DataFrame:
    """Project the embeddings of a frame onto a plane, for a map of the images.

    It is computed once: the coordinates are kept beside the cache, under a hash of the embeddings.

    Parameters
    ----------
    df
        A frame with columns of paths and ``embedding``, such as :func:`dedup_widgets.score`
        returns. Rows without an embedding are left out.
    method
        ``"pca"``: the two principal components [1]_, which takes a second for a million images;
        distant images lie far apart. ``"umap"``: UMAP [2]_ with cosine distances, which shows
        clusters, and takes minutes for a hundred thousand; of the package ``umap-learn``.
    path
        The column of paths.
    store
        Where the coordinates are kept; see :func:`dedup_widgets.score`.

    Returns
    -------
    pl.DataFrame
        The column of paths, and ``x`` and ``y`` (Float32).

    Raises
    ------
    InputError
        When a column is missing, the method is unknown, or UMAP is not installed.

    References
    ----------
    .. [1] I. T. Jolliffe, "Principal Component Analysis", Springer, 2002.
    .. [2] L. McInnes, J. Healy and J. Melville, "UMAP: Uniform Manifold Approximation and
       Projection for Dimension Reduction", 2018, arXiv:1802.03426.

    Examples
    --------
    >>> vectors = [[1.0, 0.0, 0.0], [0.9, 0.1, 0.0], [0.0, 0.0, 1.0]]
    >>> df = pl.DataFrame({"path": ["a.jpg", "b.jpg", "c.jpg"], "embedding": vectors})
    >>> projection(df).columns
    ['path', 'x', 'y']
    """
    if method not in get_args(Method):
        raise InputError(f"method is {method!r}; the methods are {', '.join(get_args(Method))}")
    frame = to_polars(df)
    require_columns(frame, [path, "embedding"], "a map")
    paths = pl.Series(path, checked_paths(frame, path), dtype=pl.String)
    known = frame["embedding"].is_not_null()
    vectors = np.array(frame["embedding"].filter(known).to_list(), np.float32)
    where = _kept(vectors, method, open_store(store).cache.path)
    return pl.DataFrame({path: paths.filter(known), "x": where[:, 0], "y": where[:, 1]})


def _kept(vectors: NDArray[np.float32], method: Method, cache: Path) -> NDArray[np.float32]:
    """Return the coordinates from their file beside the cache; make it where there is none."""
    what = f"{_FORMAT} {method} {vectors.shape}".encode()
    key = hashlib.sha256(what + np.ascontiguousarray(vectors).data).hexdigest()[:32]
    file = cache.with_name(f"{cache.stem}.maps") / f"{key}.npy"
    with suppress(OSError, ValueError, EOFError):
        found: NDArray[np.float32] = np.load(file)
        if found.shape == (len(vectors), 2):
            return found
    found = _pca(vectors) if method == "pca" else _umap(vectors)
    # A map that cannot be kept is drawn all the same, and computed again the next time.
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".tmp", delete=False) as part:
            np.save(part, found)
        Path(part.name).replace(file)
        by_age = sorted(file.parent.iterdir(), key=lambda it: it.stat().st_mtime)
        for old in by_age[:-MAX_FILES]:
            old.unlink()
    return found


def _pca(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    from sklearn.decomposition import PCA

    found = np.zeros((len(vectors), 2), np.float32)
    n = min(2, *vectors.shape)
    if len(vectors) > 1:
        found[:, :n] = PCA(n, svd_solver="covariance_eigh").fit_transform(vectors)
    return found


def _umap(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    try:
        from umap import UMAP
    except ImportError as error:
        raise InputError(
            'a map by UMAP takes the package umap-learn: pip install "dedup-widgets[map]"; or pass '
            'method="pca"'
        ) from error
    neighbors = min(15, len(vectors) - 1)
    if neighbors < 3:  # too few for a graph of neighbours
        return _pca(vectors)
    # Its usual start by eigenvectors fails for a handful of images.
    model = UMAP(n_neighbors=neighbors, metric="cosine", random_state=SEED, init="pca", n_jobs=1)
    return np.asarray(model.fit_transform(vectors), np.float32)
