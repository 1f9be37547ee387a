"""From a folder to a frame of scores."""

from dedup_widgets.scoring import keepers

__all__ = ["keepers"]
