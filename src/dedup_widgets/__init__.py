"""Find duplicate and near-duplicate images in a notebook, and decide what to keep."""

__version__ = "0.1.0"
