"""Find duplicate and near-duplicate images in a notebook, and decide what to keep.

>>> import dedup_widgets as dw
>>> df = dw.score("photos/")  # doctest: +SKIP
>>> dw.Explorer(df)  # doctest: +SKIP
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dedup_widgets._version import __version__ as __version__

if TYPE_CHECKING:
    from dedup_widgets import dataset
    from dedup_widgets.dataset.annotate import annotate
    from dedup_widgets.dataset.create import create_dataset
    from dedup_widgets.dataset.label_studio import LabelStudio
    from dedup_widgets.errors import (
        AnnotateError,
        DatasetError,
        DedupError,
        ImageError,
        InputError,
        ModelError,
        StoreError,
    )
    from dedup_widgets.filters import filters
    from dedup_widgets.frame.collection import Collection
    from dedup_widgets.planning.labels import label_conflicts, leakage, merge_labels
    from dedup_widgets.planning.plan import plan, threshold_curve
    from dedup_widgets.review.decisions import Decisions
    from dedup_widgets.review.replay import replay
    from dedup_widgets.scoring import keepers
    from dedup_widgets.scoring.job import Job
    from dedup_widgets.scoring.score import score
    from dedup_widgets.scoring.uniqueness import uniqueness
    from dedup_widgets.search.similar import similar
    from dedup_widgets.widgets.analytics.analytics import Analytics
    from dedup_widgets.widgets.background import score_async
    from dedup_widgets.widgets.explorer import Explorer
    from dedup_widgets.widgets.image_grid import ImageGrid
    from dedup_widgets.widgets.range_histogram import RangeHistogram
    from dedup_widgets.widgets.similar_items import SimilarItems


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
    "Analytics": "widgets.analytics.analytics",
    "AnnotateError": "errors",
    "Collection": "frame.collection",
    "DatasetError": "errors",
    "Decisions": "review.decisions",
    "DedupError": "errors",
    "Explorer": "widgets.explorer",
    "ImageError": "errors",
    "ImageGrid": "widgets.image_grid",
    "InputError": "errors",
    "Job": "scoring.job",
    "LabelStudio": "dataset.label_studio",
    "ModelError": "errors",
    "RangeHistogram": "widgets.range_histogram",
    "SimilarItems": "widgets.similar_items",
    "StoreError": "errors",
    "annotate": "dataset.annotate",
    "create_dataset": "dataset",
    "label_conflicts": "planning.labels",
    "leakage": "planning.labels",
    "merge_labels": "planning.labels",
    "plan": "planning.plan",
    "replay": "review.replay",
    "score": "scoring.score",
    "score_async": "widgets.background",
    "similar": "search.similar",
    "threshold_curve": "planning.plan",
    "uniqueness": "scoring.uniqueness",
}


_MODULES = {
    "dataset": "dataset",
    "filters": "filters",
    "keepers": "scoring.keepers",
}
"""What people write as ``dw.keepers.highest("votes")``."""


class _Package(ModuleType):
    """Imports each public name when it is first used, so that importing the package is quick."""

    def __getattr__(self, name: str) -> Any:
        if name in _MODULES:
            return import_module(f"{__name__}.{_MODULES[name]}")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Package
