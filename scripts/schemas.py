"""Write the JSON schemas of what is exported into ``docs``: a frame's row, and a plan's.

With ``--check`` nothing is written, and it fails where a file differs.
"""

import json
import sys
from pathlib import Path
from typing import Any

import polars as pl

import dedup_widgets as dw
from dedup_widgets.frame.schema import COLUMNS

DOCS = Path(__file__).parents[1] / "docs"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

PLAN_MEANINGS = {
    "path": "the image",
    "action": "whether it stays",
    "reason": "why, for people to read",
    "keeper": "the image that this one is a duplicate of; of a keeper itself",
    "kind": "what it is to its keeper",
    "rule": "of a keeper, what tells it apart from its runner-up",
    "group": "images with one number are duplicates of each other",
    "distance": "from its keeper, 0 to 1",
    "rank": "place in the order of keepers, 0 for the best",
    "fingerprint": "hash of the decoded picture",
}


def documents() -> dict[str, dict[str, Any]]:
    """Return the schema of a row of each table, by file name."""
    frame = {
        column.name: {**_of(column.dtype), "description": column.meaning}
        for column in COLUMNS.values()
    }
    rows = {"path": ["a", "b"], "group": [1, 1], "keep": [True, False], "fingerprint": ["f", "f"]}
    plan = {
        name: {**_of(dtype), "description": PLAN_MEANINGS[name]}
        for name, dtype in dw.plan(pl.DataFrame(rows)).schema.items()
    }
    return {
        "frame.schema.json": _schema("A row of the frame of dw.score", frame, ["path"]),
        "plan.schema.json": _schema("A row of dw.plan", plan, ["path", "action", "reason"]),
    }


def _schema(title: str, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {
        "$schema": DIALECT,
        "title": title,
        "type": "object",
        "properties": properties,
        "required": required,
    }


def _of(dtype: Any) -> dict[str, Any]:
    """Return the schema of a value of a Polars type, as it is in JSON lines."""
    if isinstance(dtype, pl.Enum):
        return {"enum": [*dtype.categories, None]}
    base = dtype.base_type()
    if base.is_integer():
        return {"type": ["integer", "null"]}
    if base.is_numeric():
        return {"type": ["number", "null"]}
    if base in (pl.List, pl.Array):
        return {"type": ["array", "null"]}
    if base == pl.Struct:
        return {"type": ["object", "null"]}
    return {"type": ["boolean" if base == pl.Boolean else "string", "null"]}


def main(*arguments: str) -> None:
    stale = []
    for name, schema in documents().items():
        file, text = DOCS / name, json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in arguments:
                file.write_text(text, encoding="utf-8")
    print(*(stale or ["nothing"]), "differs" if "--check" in arguments else "written")
    sys.exit(bool(stale) and "--check" in arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
