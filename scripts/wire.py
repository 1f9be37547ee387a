"""Make the TypeScript types of the messages from those of Python.

``python scripts/wire.py`` writes ``js/src/wire/messages.ts``; with ``--check`` it fails where that
file says something else.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from dedup_widgets.review.display import KEEP_CODES, KIND_CODES, NO_CODE, NO_RANK
from dedup_widgets.widgets import protocol
from dedup_widgets.widgets.protocol import tag_of

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "js" / "src" / "wire" / "messages.ts"
HEAD = """\
/* Made by scripts/wire.py from src/dedup_widgets/widgets/protocol.py; not to be edited. */
"""


def schema() -> dict[str, Any]:
    """Return the JSON schema of all messages, and of three tables of them by name."""
    replies = {request.reply for request in protocol.REQUESTS}
    structs = [*protocol.REQUESTS, *sorted(replies, key=lambda it: it.__name__), *protocol.EVENTS]
    references, components = msgspec.json.schema_components(
        structs, ref_template="#/definitions/{name}"
    )
    reference = dict(zip(structs, references, strict=True))
    tables = {
        "Requests": {tag_of(it): reference[it] for it in protocol.REQUESTS},
        "Replies": {tag_of(it): reference[it.reply] for it in protocol.REQUESTS},
        "Events": {tag_of(it): reference[it] for it in protocol.EVENTS},
    }
    for component in components.values():
        component["additionalProperties"] = False
        for field in component.get("properties", {}).values():
            for kind in field.get("anyOf", [field]):
                if "prefixItems" in kind:  # a tuple, as json2ts reads it
                    kind["items"] = kind.pop("prefixItems")
    return {
        "title": "Messages",
        "type": "object",
        "properties": {
            name: {
                "title": name,
                "type": "object",
                "properties": table,
                "required": sorted(table),
                "additionalProperties": False,
            }
            for name, table in tables.items()
        },
        "required": sorted(tables),
        "additionalProperties": False,
        "definitions": components,
    }


def constants() -> str:
    """Return the codes that arrays hold."""
    kinds = json.dumps({**KIND_CODES, "none": NO_CODE}).replace('"', "")
    keeps = json.dumps({**KEEP_CODES, "none": NO_CODE}).replace('"', "")
    return (
        "\n/** How a row stands: `kind` of the frame as a byte. */\n"
        f"export const ImageKind = {kinds} as const;\n"
        "\n/** What the plan does with a row, as a byte. */\n"
        f"export const Keep = {keeps} as const;\n"
        "\n/** The rank of a null: last, in either direction. */\n"
        f"export const NULL_RANK = {NO_RANK:#x};\n"
    )


def typescript() -> str:
    """Return the TypeScript of all messages."""
    made = subprocess.run(
        ["npx", "--no-install", "json2ts", "--bannerComment", HEAD.strip(), "--no-unknownAny"],
        cwd=ROOT / "js",
        input=json.dumps(schema()),
        text=True,
        capture_output=True,
        check=True,
    )
    return made.stdout.rstrip() + "\n" + constants()


def main() -> None:
    """Write the file, or compare it."""
    text = typescript()
    if "--check" not in sys.argv:
        TARGET.write_text(text, encoding="utf-8")
    elif text != TARGET.read_text(encoding="utf-8"):
        sys.exit("js/src/wire/messages.ts is not what widgets/protocol.py says: make wire")


if __name__ == "__main__":
    main()
