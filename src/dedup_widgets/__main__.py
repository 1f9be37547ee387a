"""``python -m dedup_widgets`` is the command ``dedup-widgets``."""

from dedup_widgets.cli import app

app(prog_name="dedup-widgets")
