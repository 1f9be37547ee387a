"""ARCHITECTURE.md, the contracts of import-linter and the files say the same."""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "dedup_widgets"
OF_OTHERS = {"HF_DATASETS_OFFLINE", "HF_HUB_OFFLINE", "PCA"}


def table():
    """Return the rows of the table of rooms: names, and the modules that are said to lie there."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    body = text[text.index("| room |") :]
    rows = []
    for line in body[: body.index("\n\n")].splitlines()[2:]:
        room, _, inside, _ = (cell.strip() for cell in line.strip("|").split("|"))
        rows.append((re.findall(r"`([^`]+)`", room), re.findall(r"`([^`]+)`", inside)))
    return rows


def test_the_rooms_stand_in_the_order_that_lint_keeps():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    layers, circles = tools["importlinter"]["contracts"]
    assert (layers["type"], circles["type"]) == ("layers", "acyclic_siblings")
    assert layers["exhaustive"] is True
    kept = [sorted(layer.split(" : ")) for layer in layers["layers"]]
    assert [sorted(names) for names, _ in table()] == kept


def test_every_module_is_in_the_table_and_every_one_in_the_table_is_there():
    for names, said in table():
        if len(names) > 1:
            assert all((PACKAGE / f"{name}.py").exists() for name in names)
            continue
        room = PACKAGE / names[0]
        there = {path.stem for path in room.rglob("*.py")} - {"__init__"}
        folders = {f"{path.name}/" for path in room.iterdir() if (path / "__init__.py").exists()}
        assert set(said) == there | folders, names[0]


def test_no_two_classes_share_a_name():
    named = {}
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                assert node.name not in named, (named[node.name], file)
                named[node.name] = file


def test_tests_replace_nothing_private_and_no_constant_of_the_package():
    """Of what is named in a text; the lint rule SLF001 sees the rest."""
    for file in (ROOT / "tests").rglob("test_*.py"):
        text = file.read_text(encoding="utf-8")
        names = re.findall(
            r"setattr\(\s*(?:[\w.]+,\s*)?[\"'](?:\w+\.)*(_[^_\"]\w*|[A-Z][A-Z_]+)[\"']", text
        )
        assert set(names) <= OF_OTHERS, file.name
