"""The widgets: image grid, range-slider histogram, similar items, and the Explorer over them."""

from dedup_widgets.widgets.explorer import Explorer
from dedup_widgets.widgets.image_grid import ImageGrid
from dedup_widgets.widgets.range_histogram import RangeHistogram
from dedup_widgets.widgets.similar_items import SimilarItems

__all__ = ["Explorer", "ImageGrid", "RangeHistogram", "SimilarItems"]
