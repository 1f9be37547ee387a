"""The distribution of a metric, and the curve of near-duplicate boundaries."""
