"""Figures as Markdown tables."""

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.quality.edits import FURTHER, STANDARD
from benchmarks.quality.modes import EDITED

Results = dict[str, Any]


def everything(results: Results) -> str:
    """Return all tables, for a terminal."""
    methods = results["methods"]
    return "\n\n".join([summary(methods), edits(methods), negatives(methods), keepers(methods)])


def summary(methods: Results) -> str:
    """Return one row a method: pairs, exact duplicates, keepers, different photos, cost."""
    heads = [
        "method",
        "P %",
        "R %",
        "F1",
        "F1 before grouping",
        "further edits F1",
        "exact right",
        "keepers right",
        "hard negatives called near",
        "different photos grouped",
        "ms a photo",
        "second run",
    ]
    rows = []
    for name, found in methods.items():
        standard, further = found.get("standard edits", {}), found.get("further edits", {})
        pairs = standard.get("pairs", {})
        cost = found.get("cost", {}).get("standard edits", {})
        rows.append(
            [
                name,
                percent(pairs.get("precision"), 2),
                percent(pairs.get("recall"), 1),
                percent(pairs.get("f1"), 1),
                percent(found.get("alone", {}).get("f1"), 1),
                percent(further.get("pairs", {}).get("f1"), 1),
                _of(standard.get("exact", {}), "right", "sources"),
                _of(standard.get("keepers", {}), "right", "groups"),
                _of(_last(found.get("negatives")), "called", "images"),
                _of(_last(found.get("different photos")), "called", "images"),
                _number(cost.get("first")),
                _number(cost.get("second")),
            ]
        )
    return table(heads, rows)


def edits(methods: Results) -> str:
    """Return one row an edit: the share of copies in one group with their original."""
    columns = [
        {one["edit"]: one for part in EDITED for one in found.get(part, {}).get("edits", [])}
        for found in methods.values()
    ]
    rows = []
    for edit in (*STANDARD, *FURTHER):
        cells = [column.get(edit.name, {}) for column in columns]
        copies = max((cell.get("copies", 0) for cell in cells), default=0)
        if copies:
            shares = [percent(cell.get("with_original"), 0) for cell in cells]
            rows.append([edit.name, str(copies), *shares])
    return table(["edit", "copies", *methods], rows)


def negatives(methods: Results) -> str:
    """Return one row a set of negatives: images called near, wrong pairs, images dropped."""
    rows: dict[str, list[str]] = {}
    for found in methods.values():
        for one in (*found.get("negatives", []), *found.get("bursts", [])):
            row = rows.setdefault(one["set"], [one["set"], str(one["images"])])
            row.append(f"{one['called']} / {one['wrong']:,} / {one['dropped']}")
    return table(["called near / wrong pairs / dropped", "images", *methods], rows.values())


def keepers(methods: Results) -> str:
    """Return what is kept in place of an original."""
    rows = []
    for name, found in methods.items():
        for part in EDITED:
            kept = found.get(part, {}).get("keepers")
            if kept:
                instead = ", ".join(f"{edit} {n}" for edit, n in list(kept["instead"].items())[:6])
                rows.append([name, part, _of(kept, "right", "groups"), instead or "–"])
    return table(["method", "copies", "original kept, of groups", "kept instead"], rows)


def relations(methods: Results) -> str:
    """Return what the copies of each edit are called, by the first method that says so."""
    for found in methods.values():
        rows = []
        named = {
            one["edit"]: one for part in EDITED for one in found.get(part, {}).get("relations", [])
        }
        for edit in (*STANDARD, *FURTHER):
            if one := named.get(edit.name):
                names = ", ".join(f"{name} {n}" for name, n in one["as"].items())
                rows.append([edit.name, names, str(one["named"])])
        if rows:
            return table(["edit", "said to be", "copies"], rows)
    return "No method measured here says it."


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, the first column to the left and the others to the right."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(share: float | None, digits: int) -> str:
    """Return a share as a percentage; never 100 where it is less.

    >>> percent(0.9999, 1), percent(1, 1), percent(None, 1)
    ('99.9', '100', '–')
    """
    if share is None:
        return "–"
    if share == 1:
        return "100"
    scale = 10**digits
    return f"{int(share * 100 * scale) / scale:.{digits}f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _last(found: Sequence[dict[str, Any]] | None) -> dict[str, Any]:
    return found[-1] if found else {}


def _of(found: dict[str, Any], part: str, whole: str) -> str:
    return f"{found[part]} of {found[whole]}" if found.get(whole) else "–"
