"""Scoring by many jobs, here or on many machines, over a work folder that remembers all.

>>> import dedup_widgets as dw
>>> run = dw.scale.run("s3://bucket/photos", work="s3://bucket/dedup")  # doctest: +SKIP
>>> dw.Explorer(run)  # doctest: +SKIP
"""

from dedup_widgets.scale import engines as engines
from dedup_widgets.scale.parts import Run as Run
from dedup_widgets.scale.parts import open_run as open  # noqa: A004
from dedup_widgets.scale.score import run as run

__all__ = ["Run", "engines", "open", "run"]
