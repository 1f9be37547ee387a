"""Find duplicate and near-duplicate images in a notebook, and decide what to keep.

>>> import dedup_widgets as dw
>>> df = dw.score("photos/")  # doctest: +SKIP
>>> dw.Explorer(df)  # doctest: +SKIP
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dedup_widgets.collections import Collection
    from dedup_widgets.dataset import create_dataset
    from dedup_widgets.errors import (
        DatasetError,
        DedupError,
        ImageError,
        InputError,
        ModelError,
        StoreError,
    )
    from dedup_widgets.labels import label_conflicts, leakage, merge_labels
    from dedup_widgets.plan import plan
    from dedup_widgets.scoring import score
    from dedup_widgets.similar import similar
    from dedup_widgets.uniqueness import uniqueness
    from dedup_widgets.widgets.explorer import Explorer
    from dedup_widgets.widgets.image_grid import ImageGrid
    from dedup_widgets.widgets.range_histogram import RangeHistogram
    from dedup_widgets.widgets.similar_items import SimilarItems

__version__ = "0.1.0"

__all__ = [
    "Collection",
    "DatasetError",
    "DedupError",
    "Explorer",
    "ImageError",
    "ImageGrid",
    "InputError",
    "ModelError",
    "RangeHistogram",
    "SimilarItems",
    "StoreError",
    "create_dataset",
    "label_conflicts",
    "leakage",
    "merge_labels",
    "plan",
    "score",
    "similar",
    "uniqueness",
]

_HOMES = {
    "Collection": "collections",
    "DatasetError": "errors",
    "DedupError": "errors",
    "Explorer": "widgets.explorer",
    "ImageError": "errors",
    "ImageGrid": "widgets.image_grid",
    "InputError": "errors",
    "ModelError": "errors",
    "RangeHistogram": "widgets.range_histogram",
    "SimilarItems": "widgets.similar_items",
    "StoreError": "errors",
    "create_dataset": "dataset",
    "label_conflicts": "labels",
    "leakage": "labels",
    "merge_labels": "labels",
    "plan": "plan",
    "score": "scoring",
    "similar": "similar",
    "uniqueness": "uniqueness",
}


class _Package(ModuleType):
    """Imports each public name when it is first used, so that importing the package is quick.

    A function may have its module's name: the import system binds the module under that name,
    and this puts the function in its place.
    """

    def __getattr__(self, name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        setattr(self, name, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType) and name in _HOMES:
            value = getattr(value, name)
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Package
