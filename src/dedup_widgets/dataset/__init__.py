"""A dataset on disk, and handing it over to an annotation tool."""

from dedup_widgets._progress import Progress
from dedup_widgets.dataset.create import create_dataset, preview
from dedup_widgets.dataset.naming import Clash, Format
from dedup_widgets.dataset.result import Dataset, Preview
from dedup_widgets.dataset.spec import Mode
from dedup_widgets.dataset.tables import REMOVED_SCHEMA

__all__ = [
    "REMOVED_SCHEMA",
    "Clash",
    "Dataset",
    "Format",
    "Mode",
    "Preview",
    "Progress",
    "create_dataset",
    "preview",
]
