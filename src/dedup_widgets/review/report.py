"""A review as one HTML file that works offline, and what a gate of a pipeline asks of it."""

import base64
import os
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import polars as pl
from humanize import naturalsize

from dedup_widgets._text import counted, named_place
from dedup_widgets._version import __version__
from dedup_widgets.errors import DedupError, InputError
from dedup_widgets.frame.annotations import in_words, is_annotations
from dedup_widgets.frame.table import file_name
from dedup_widgets.images.decode import shown
from dedup_widgets.images.source import source_for
from dedup_widgets.images.thumbnail import thumbnail
from dedup_widgets.review.review import Review

FINDINGS = {
    "exact": "exact copies that can go",
    "near": "near-duplicates that can go",
    "leakage": "groups with members in several splits",
    "label-conflict": "groups whose labels disagree",
    "unreadable": "files that could not be read",
}
"""What may be found, and how it is counted."""


MOST_GROUPS = 200
"""Groups that a report shows unless told otherwise."""


MOST_IN_GROUP = 24
"""Images of one group that a report shows."""


def findings(review: Review) -> dict[str, int | None]:
    """Return how many there are of each of :data:`FINDINGS`; None where no column tells."""
    summary, groups = review.summary, review.disagreements
    return {
        "exact": summary.exact,
        "near": summary.near,
        "leakage": groups["leakage"],
        "label-conflict": groups["label_conflicts"],
        "unreadable": summary.unreadable,
    }


def failed(found: Mapping[str, int | None], fail_on: Iterable[str]) -> list[str]:
    """Return which of the findings that must not be there are.

    Raises
    ------
    InputError
        When one is unknown, or no column tells.
    """
    wanted = list(dict.fromkeys(fail_on))
    for name in wanted:
        if name not in FINDINGS:
            raise InputError(f"{name!r} is nothing to fail on; choose from {', '.join(FINDINGS)}")
        if found[name] is None:
            column = "splits" if name == "leakage" else "labels"
            raise InputError(
                f"{name} cannot be told without a column of {column}: name one, or let folders "
                "name them"
            )
    return [name for name in wanted if found[name]]


def report(review: Review, path: str | os.PathLike[str], *, groups: int = MOST_GROUPS) -> Path:
    """Write a review as one HTML file: see :meth:`Session.report`."""
    target = Path(named_place("path", path)).expanduser()
    if target.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{target.name} is no name of a page; let it end in .html")
    try:
        target.write_text(_page(review, groups), encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}") from error
    return target


def _page(review: Review, most: int) -> str:
    plan = review.plan
    parts = [_head(review)]
    if plan is None:
        parts.append(f"<p>There is no plan: {escape(review.why_no_plan or '')}.</p>")
    else:
        parts += _groups(review, plan, most)
    parts += _unreadable(review)
    body = "\n".join(parts)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Duplicates: {escape(_of_what(review))}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def _of_what(review: Review) -> str:
    folders = {os.path.dirname(path) for path in review.paths}  # noqa: PTH120
    return os.path.commonpath(folders) if folders and "" not in folders else "images"


def _head(review: Review) -> str:
    def count_of(name: str, count: int) -> str:
        words = f"<dt>{escape(FINDINGS[name])}</dt><dd>{count:,}</dd>"
        return f'<div class="{"some" if count else "none"}">{words}</div>'

    found = findings(review).items()
    rows = [count_of(name, count) for name, count in found if count is not None]
    about = (
        f"Near-duplicates within {review.near:g}. Made by dedup_widgets {__version__}; nothing was "
        "changed or deleted."
    )
    return "\n".join(
        [
            "<h1>Duplicates</h1>",
            f'<p class="where">{escape(_of_what(review))}</p>',
            f"<p>{escape(str(review.summary))}.</p>",
            f"<dl>{''.join(rows)}</dl>",
            f'<p class="muted">{about}</p>',
        ]
    )


def _groups(review: Review, plan: pl.DataFrame, most: int) -> list[str]:
    frame = review.frame
    known = pl.DataFrame(
        {
            "row": pl.Series(range(len(frame)), dtype=pl.UInt32),
            **{name: plan[name] for name in ("group", "action", "kind", "reason", "rank")},
        }
    ).drop_nulls("group")
    order = (
        known.group_by("group")
        .agg(
            goes=(pl.col("action") == "remove").sum(),
            is_near=(pl.col("kind") == "near").any(),
        )
        .sort("is_near", "group", descending=[True, False])
    )
    sections = []
    for group, goes, _ in order.head(most).rows():
        members = known.filter(pl.col("group") == group).sort(
            pl.col("action") == "remove", "rank", nulls_last=True
        )
        some = members.head(MOST_IN_GROUP)
        figures = "".join(_figure(review, row) for row in some.iter_rows(named=True))
        more = len(members) - len(some)
        rest = f'<p class="muted">and {counted(more, "more image")}</p>' if more else ""
        sections.append(
            f'<section><h2>Group {group} <span class="muted">{counted(len(members), "image")}, '
            f'{goes:,} can go</span></h2><div class="group">{figures}</div>{rest}</section>'
        )
    if len(order) > most:
        sections.append(
            f'<p class="muted">{counted(len(order) - most, "more group")} not shown.</p>'
        )
    return sections or ["<p>There are no groups of duplicates.</p>"]


def _figure(review: Review, row: Mapping[str, Any]) -> str:
    at = row["row"]
    path = review.paths[at]
    facts = []
    for name in ("width", "bytes", review.split, review.label, "role"):
        if name is None or name not in review.frame.columns:
            continue
        value = review.frame[name][at]
        if value is None:
            continue
        if name == "width" and "height" in review.frame.columns:
            facts.append(f"{value:,} × {review.frame['height'][at]:,}")
        elif name == "bytes":
            facts.append(naturalsize(value))
        elif is_annotations(review.frame.schema[name]):
            facts += [words or "" for words in in_words(review.frame[name][at : at + 1])]
        else:
            facts.append(str(value))
    goes = row["action"] == "remove"
    picture = _picture(review, at)
    image = (
        f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(picture).decode()}">'
        if picture
        else '<div class="no-picture">no picture</div>'
    )
    return (
        f'<figure class="{"goes" if goes else "stays"}">{image}<figcaption>'
        f'<strong title="{escape(path)}">{escape(file_name(path))}</strong>'
        f'<span class="badge">{"can go" if goes else "stays"}</span>'
        f"<span>{escape(str(row['reason']))}</span>"
        f'<span class="muted">{escape(" · ".join(facts))}</span>'
        "</figcaption></figure>"
    )


def _picture(review: Review, row: int) -> bytes:
    """Return the thumbnail of an image, of the store or made anew; nothing where it has none."""
    if "fingerprint" in review.frame.columns:
        name = review.frame["fingerprint"][row]
        if name is not None and (known := review.store.cache.thumbnails([name])):
            return known[name]
    path = review.paths[row]
    try:
        return thumbnail(shown(source_for(path).read(path)))
    except DedupError:
        return b""


def _unreadable(review: Review) -> list[str]:
    if "error" not in review.frame.columns:
        return []
    rows = review.frame.select(path=pl.col(review.path).cast(pl.String), error="error")
    bad = rows.drop_nulls("error")
    if bad.is_empty():
        return []
    lines = "".join(
        f"<li><code>{escape(path)}</code>: {escape(error.removeprefix(f'{path}: '))}</li>"
        for path, error in bad.head(1000).rows()
    )
    more = len(bad) - 1000
    rest = f'<p class="muted">and {more:,} more</p>' if more > 0 else ""
    return [f"<section><h2>Unreadable</h2><ul>{lines}</ul>{rest}</section>"]


_STYLE = """
:root { color-scheme: light dark; --line: #8884; --muted: #666; --go: #b3261e; --stay: #1b7f3b; }
@media (prefers-color-scheme: dark) { :root { --muted: #aaa; --go: #ff8a80; --stay: #7ddc97; } }
body { margin: 0; font: 14px/1.45 system-ui, sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { margin: 0; font-size: 24px; }
h2 { margin: 32px 0 8px; font-size: 16px; }
.where { margin: 0 0 12px; overflow-wrap: anywhere; }
.muted, .where { color: var(--muted); font-weight: normal; }
dl { display: flex; flex-wrap: wrap; gap: 8px; margin: 16px 0; }
dl div { display: flex; flex-direction: column-reverse; padding: 8px 14px; border: 1px solid
  var(--line); border-radius: 8px; }
dt { color: var(--muted); }
dd { margin: 0; font-size: 22px; font-variant-numeric: tabular-nums; }
.some dd { color: var(--go); }
.group { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 12px; }
figure { display: flex; flex-direction: column; margin: 0; overflow: hidden; border: 1px solid
  var(--line); border-radius: 8px; }
.stays { border-color: var(--stay); }
img, .no-picture { width: 100%; height: 160px; object-fit: contain; background: #8881; }
.no-picture { display: grid; place-items: center; color: var(--muted); }
figcaption { display: grid; gap: 2px; padding: 8px 10px; overflow-wrap: anywhere; }
.badge { font-size: 12px; color: var(--stay); }
.goes .badge { color: var(--go); }
ul { padding-left: 20px; }
code { overflow-wrap: anywhere; }
"""
