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
    from dedup_widgets import dataset, filters, keepers
    from dedup_widgets.annotate import annotate
    from dedup_widgets.collections import Collection
    from dedup_widgets.dataset import create_dataset
    from dedup_widgets.errors import (
        AnnotateError,
        DatasetError,
        DedupError,
        ImageError,
        InputError,
        ModelError,
        StoreError,
    )
    from dedup_widgets.job import Job, score_async
    from dedup_widgets.label_studio import LabelStudio
    from dedup_widgets.labels import label_conflicts, leakage, merge_labels
    from dedup_widgets.plan import plan, threshold_curve
    from dedup_widgets.replay import replay
    from dedup_widgets.review import Decisions
    from dedup_widgets.scoring import score
    from dedup_widgets.similar import similar
    from dedup_widgets.uniqueness import uniqueness
    from dedup_widgets.widgets.analytics import Analytics
    from dedup_widgets.widgets.explorer import Explorer
    from dedup_widgets.widgets.image_grid import ImageGrid
    from dedup_widgets.widgets.range_histogram import RangeHistogram
    from dedup_widgets.widgets.similar_items import SimilarItems

__version__ = "0.1.0"

__all__ = [
    "Analytics",
    "AnnotateError",
    "Collection",
    "DatasetError",
    "Decisions",
    "DedupError",
    "Explorer",
    "ImageError",
    "ImageGrid",
    "InputError",
    "Job",
    "LabelStudio",
    "ModelError",
    "RangeHistogram",
    "SimilarItems",
    "StoreError",
    "annotate",
    "create_dataset",
    "dataset",
    "filters",
    "keepers",
    "label_conflicts",
    "leakage",
    "merge_labels",
    "plan",
    "replay",
    "score",
    "score_async",
    "similar",
    "threshold_curve",
    "uniqueness",
]

_HOMES = {
    "Analytics": "widgets.analytics",
    "AnnotateError": "errors",
    "Collection": "collections",
    "DatasetError": "errors",
    "Decisions": "review",
    "DedupError": "errors",
    "Explorer": "widgets.explorer",
    "ImageError": "errors",
    "ImageGrid": "widgets.image_grid",
    "InputError": "errors",
    "Job": "job",
    "LabelStudio": "label_studio",
    "ModelError": "errors",
    "RangeHistogram": "widgets.range_histogram",
    "SimilarItems": "widgets.similar_items",
    "StoreError": "errors",
    "annotate": "annotate",
    "create_dataset": "dataset",
    "label_conflicts": "labels",
    "leakage": "labels",
    "merge_labels": "labels",
    "plan": "plan",
    "replay": "replay",
    "score": "scoring",
    "score_async": "job",
    "similar": "similar",
    "threshold_curve": "plan",
    "uniqueness": "uniqueness",
}


_MODULES = ("dataset", "filters", "keepers")
"""What people write as ``dw.keepers.highest("votes")``."""


class _Package(ModuleType):
    """Imports each public name when it is first used, so that importing the package is quick.

    A function may have its module's name: the import system binds the module under that name,
    and this puts the function in its place.
    """

    def __getattr__(self, name: str) -> Any:
        if name in _MODULES:
            return import_module(f"{__name__}.{name}")
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
