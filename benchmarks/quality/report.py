"""Writes docs/quality.md, its chart and its contact sheets from the kept figures.

``python -m benchmarks.quality.report`` writes; with ``--check`` it writes nothing and fails where
the page differs from the figures. Where README has the marks, the short table goes there too.
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.charts import grouped_bars
from benchmarks.quality import modes, sheets, tables
from benchmarks.quality.edits import FURTHER, STANDARD
from benchmarks.quality.tables import Results
from benchmarks.quality.truth import PHOTOS_SET, STANDARD_SET

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RESULTS = HERE.parent / "results" / "quality.json"
README, GUIDE, CHART = ROOT / "README.md", ROOT / "docs/quality.md", ROOT / "docs/quality.svg"
BEGIN, END = "<!-- quality: begin -->", "<!-- quality: end -->"
VARIED = ("pages", "tables", "screens")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.report")
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    results: Results = json.loads(RESULTS.read_text())
    written = documents(results)
    stale = [path for path, text in written.items() if not _is(path, text)]
    for path in stale:
        print(f"{path.relative_to(ROOT)} {'differs from the figures' if check else 'written'}")
        if not check:
            path.write_text(written[path])
    if not check:
        with tempfile.TemporaryDirectory() as folder:
            sheets.all_edits(ROOT / "docs/quality-edits.jpg", Path(folder))
            sheets.all_negatives(ROOT / "docs/quality-negatives.jpg", Path(folder))
    sys.exit(bool(stale and check))


def documents(results: Results) -> dict[Path, str]:
    """Return what belongs into each file."""
    parts: dict[str, Callable[[Results], str]] = {
        "about": about,
        "summary": lambda it: tables.summary(it["methods"]),
        "standard": lambda it: ", ".join(edit.name for edit in STANDARD),
        "further": lambda it: str(len(FURTHER)),
        "aside": lambda it: str(it["made"]["aside"]),
        "edits": lambda it: tables.edits(beside(it)),
        "negatives": lambda it: tables.negatives(beside(it)),
        "variations": variations,
        "relations": lambda it: tables.relations(it["methods"]),
        "looked_at": looked_at,
        "keepers": lambda it: tables.keepers(beside(it)),
        "machine": machine,
    }
    template = (HERE / "quality.md.in").read_text()
    written = {
        GUIDE: re.sub(r"\{\{(\w+)\}\}", lambda m: parts[m[1]](results), template),
        CHART: chart(results),
    }
    before, mark, rest = README.read_text().partition(BEGIN)
    if mark:
        _, _, after = rest.partition(END)
        written[README] = f"{before}{BEGIN}\n{short(results)}\n{END}{after}"
    return written


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


def beside(results: Results) -> dict[str, dict[str, Any]]:
    """Return one setting a method: the product's own, and of the others the best F1.

    A library that has only its default has that.
    """
    methods: dict[str, dict[str, Any]] = results["methods"]
    has_best = {one["by"] for one in methods.values() if one["chosen"] == modes.BEST}
    return {
        _short_name(one): one
        for one in methods.values()
        if one["of"] == "product"
        or one["chosen"] == (modes.BEST if one["by"] in has_best else "default")
    }


def _short_name(one: dict[str, Any]) -> str:
    return f"{one['by']}, vectors alone" if one["of"] == "vectors" else str(one["by"])


def chart(results: Results) -> str:
    """Draw copies found and hard negatives called near, for the methods of `beside`."""
    bars = {}
    for name, one in beside(results).items():
        negatives = one["negatives"][-1]
        bars[name] = {
            "F1 of copies found (higher is better)": _shown(one[STANDARD_SET]["pairs"]["f1"]),
            "look-alikes called copies (lower is better)": (
                100 * negatives["called"] / negatives["images"]
            ),
        }
    return grouped_bars(bars)


def _shown(share: float) -> float:
    """Return the percentage that the tables show, which round down."""
    return float(tables.percent(share, 1))


def short(results: Results) -> str:
    """Return the table of README: the product and the two best of the others."""
    methods = beside(results)
    peers = [name for name, one in methods.items() if one["of"] == "peer"]
    peers.sort(key=lambda name: -methods[name][STANDARD_SET]["pairs"]["f1"])
    ours = [name for name, one in methods.items() if one["of"] == "product"]
    heads = ["", "copies found: F1", "look-alikes called copies", "different photos grouped"]
    rows = []
    for name in (*ours, *peers[:2]):
        one = methods[name]
        rows.append(
            [
                name,
                tables.percent(one[STANDARD_SET]["pairs"]["f1"], 1),
                *(
                    f"{found['called']} of {found['images']}"
                    for found in (one["negatives"][-1], one[PHOTOS_SET][-1])
                ),
            ]
        )
    return tables.table(heads, rows)


def about(results: Results) -> str:
    """Say what was measured on."""
    made = results["made"]
    few = "" if made["is_own"] else " These photos are few, and the figures coarse."
    return (
        f"Measured on {made['photos']} photos and {made['pictures']:,} pictures made of them or "
        f"drawn, in {made['minutes']:.0f} minutes.{few} {made.get('note', '')}".rstrip()
    )


def machine(results: Results) -> str:
    """Say on which machine, and with which versions."""
    it = results["machine"]
    names = ("imagehash", "imagededup", "cleanvision", "pdqhash", "czkawka", "fastdup")
    versions = [f"{name} {it['packages'][name]}" for name in names if name in it["packages"]]
    others = f" {', '.join(versions)}." if versions else ""
    return f"{it['cpu']}, {it['cores']} cores, Python {it['python']}.{others}"


def looked_at(results: Results) -> str:
    """Say how many pairs of pictures were laid over each other."""
    texts = []
    for name, one in results["methods"].items():
        parts = one.get("looked_at", {})
        counts = [
            f"{part}: {it['pairs']:,} pairs, {it['left_out']} images left out"
            for part, it in parts.items()
        ]
        texts += [f"{name}: {'; '.join(counts)}."] if counts else []
    return " ".join(texts)


def variations(results: Results) -> str:
    """Return one row a variation of the sets that differ by little."""
    methods = beside(results)
    found = {
        name: {
            (it["set"], edit): share
            for it in one["negatives"]
            for edit, share in it["variations"].items()
        }
        for name, one in methods.items()
    }
    keys = list(dict.fromkeys(key for one in found.values() for key in one if key[0] in VARIED))
    rows = [
        [f"{key[0]}: {key[1]}", *(tables.percent(one.get(key), 0) for one in found.values())]
        for key in keys
    ]
    return tables.table(["", *methods], rows)


if __name__ == "__main__":
    main()
