"""What is written about the project is true of it: names, links, tables, schemas, workflows."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import dedup_widgets as dw
import schemas
from dedup_widgets.cli import app

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PACKAGE = ROOT / "src/dedup_widgets"


def test_the_readme_is_read_in_a_minute():
    words = (ROOT / "README.md").read_text(encoding="utf-8").split()
    assert len(words) <= 500


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "SECURITY.md"])
def test_links_of_the_repository_lead_somewhere(name):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / name).read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.stem)
def test_links_of_a_page_lead_somewhere_on_a_code_host_too(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_option_and_environment_variable_is_explained():
    page = (DOCS / "command_line.md").read_text(encoding="utf-8")
    commands = typer.main.get_command(app).commands.values()
    options = {name for it in commands for param in it.params for name in param.opts}
    source = "".join(file.read_text(encoding="utf-8") for file in PACKAGE.rglob("*.py"))
    variables = set(re.findall(r'"(DEDUP_WIDGETS_[A-Z_]+)"', source))
    assert "--near" in options
    assert "DEDUP_WIDGETS_STORE" in variables
    missing = {name for name in options | variables if f"`{name}`" not in page}
    assert {name for name in missing if not name.islower() or name.startswith("-")} == set()


def test_every_public_name_is_in_the_reference():
    named = re.findall(r"(?m)^::: dedup_widgets\.(\w+)$", (DOCS / "reference.md").read_text())
    assert sorted(named) == sorted(dw.__all__)


def members_in_the_reference():
    """What the reference has of each module."""
    text = (DOCS / "reference.md").read_text(encoding="utf-8")
    found = re.findall(
        r"(?m)^::: dedup_widgets\.(\w+)\n    options:\n      members: \[(.*)\]$", text
    )
    return {module: names.split(", ") for module, names in found}


def test_the_reference_has_of_each_module_what_users_call_and_no_more():
    members = members_in_the_reference()
    assert sorted(members) == sorted(MODULES)
    missing = [
        f"{module}.{name}"
        for module, names in members.items()
        for name in names
        if not hasattr(getattr(dw, module), name)
    ]
    assert missing == []
    pages = [ROOT / "README.md", *DOCS.rglob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
    called = {
        (module, name)
        for page in pages
        for module, name in re.findall(
            rf"\bdw\.({'|'.join(MODULES)})\.(\w+)", page.read_text(encoding="utf-8")
        )
    }
    assert len(called) > 5
    assert {(module, name) for module, name in called if name not in members[module]} == set()


ERRORS = [name for name in dw.__all__ if name.endswith("Error")]
MODULES = ["dataset", "filters", "keepers", "scale", "engines"]


# A Job is made by score_async, whose example shows it.
@pytest.mark.parametrize("name", sorted({*dw.__all__} - {*ERRORS, *MODULES, "Job"}))
def test_every_public_name_has_an_example(name):
    assert ">>>" in getattr(dw, name).__doc__


@pytest.mark.parametrize("name", dw.__all__)
def test_every_public_name_is_documented(name):
    thing = getattr(dw, name)
    assert len(thing.__doc__ or "") > 20
    if isinstance(thing, type):
        members = [m for m in vars(thing) if not m.startswith("_") and callable(vars(thing)[m])]
        assert [member for member in members if not getattr(thing, member).__doc__] == []


def test_the_schemas_are_those_of_the_code():
    for name, schema in schemas.documents().items():
        assert json.loads((DOCS / name).read_text(encoding="utf-8")) == schema


@pytest.mark.lengthy
def test_rows_as_other_tools_read_them_follow_the_schemas(photo_folder):
    import jsonschema  # takes seconds

    df = dw.score(photo_folder(4, copies=2), model="perceptual", progress=False)
    made = schemas.documents()
    for name, frame in (("frame.schema.json", df), ("plan.schema.json", dw.plan(df))):
        rows = [json.loads(line) for line in frame.write_ndjson().splitlines()]
        for row in rows:
            jsonschema.validate(row, made[name])
        wrong = {**rows[0], "path": 3}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, made[name])


@pytest.mark.slow
def test_the_site_is_built_without_a_broken_link_and_needs_no_other_host(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True)
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 20
    loads = re.compile(
        r'(?:<script|<img|<iframe)[^>]+src="https?:|<link[^>]+stylesheet[^>]+https?:'
    )
    assert [page.name for page in pages if loads.search(page.read_text(encoding="utf-8"))] == []
    assert ":func:" not in (tmp_path / "reference.html").read_text(encoding="utf-8")
    assert (tmp_path / "search/search_index.js").exists(), "opened from a folder it is searched too"


def test_workflows_run_what_was_looked_at():
    # A tag can be moved to other code; a commit cannot.
    files = (ROOT / ".github/workflows").glob("*.yml")
    used = re.findall(r"uses: (.*)", "".join(file.read_text() for file in files))
    assert used
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", it) for it in used)


@pytest.mark.lengthy
def test_workflows_are_what_the_code_host_reads():
    files = sorted(map(str, (ROOT / ".github/workflows").glob("*.yml")))
    assert files
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
    ]
    subprocess.run([*command, *files], check=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "said"),
    [
        ("hugging_face", "80 images, 20 without copies"),
        ("jupyter_scatter", "2 images selected on the map"),
        ("marimo_app", "80 images, 0 selected"),
    ],
)
def test_each_example_runs(example, said, tmp_path):
    from dedup_widgets.demo import demo_photos

    photos = demo_photos(tmp_path / "photos")
    command = [sys.executable, str(ROOT / "examples" / f"{example}.py"), str(photos)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.strip().endswith(said)
