"""Find duplicate and near-duplicate images in a notebook, and decide what to keep.

>>> import dedup_widgets as dw
>>> df = dw.score("photos/")  # doctest: +SKIP
>>> dw.Explorer(df)  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# A function that has its module's name must be bound before anything else imports that module.
from dedup_widgets.similar import similar
from dedup_widgets.uniqueness import uniqueness

if TYPE_CHECKING:
    from dedup_widgets.collections import Collection
    from dedup_widgets.errors import DedupError, ImageError, InputError, ModelError, StoreError
    from dedup_widgets.scoring import score
    from dedup_widgets.widgets.explorer import Explorer
    from dedup_widgets.widgets.image_grid import ImageGrid
    from dedup_widgets.widgets.range_histogram import RangeHistogram
    from dedup_widgets.widgets.similar_items import SimilarItems

__version__ = "0.1.0"

# The others are imported when they are first used, so that importing the package stays quick.
_HOMES = {
    "Collection": "collections",
    "DedupError": "errors",
    "Explorer": "widgets.explorer",
    "ImageError": "errors",
    "ImageGrid": "widgets.image_grid",
    "InputError": "errors",
    "ModelError": "errors",
    "RangeHistogram": "widgets.range_histogram",
    "SimilarItems": "widgets.similar_items",
    "StoreError": "errors",
    "score": "scoring",
}

__all__ = [
    "Collection",
    "DedupError",
    "Explorer",
    "ImageError",
    "ImageGrid",
    "InputError",
    "ModelError",
    "RangeHistogram",
    "SimilarItems",
    "StoreError",
    "score",
    "similar",
    "uniqueness",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
