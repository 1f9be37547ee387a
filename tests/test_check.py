"""A gate for pipelines: an exit code, JSON, and a report that works offline."""

import json
import re
import shutil

import polars as pl
import pytest
from typer.testing import CliRunner

import dedup_widgets as dw
from dedup_widgets.cli import app
from dedup_widgets.errors import InputError

pytestmark = pytest.mark.lengthy


def check(*arguments):
    done = CliRunner().invoke(app, ["check", "--model", "perceptual", "-q", *map(str, arguments)])
    told = json.loads(done.stdout) if done.stdout.startswith("{") else None
    return done.exit_code, told, done.output


@pytest.fixture
def tree(tmp_path, make_photo):
    """Return a set of two splits and classes, in which nothing is twice."""
    seed = 0
    for split in ("train", "test"):
        for label in ("cat", "dog"):
            folder = tmp_path / "set" / split / label
            folder.mkdir(parents=True)
            for i in range(2):
                seed += 1
                make_photo(seed).save(folder / f"{i}.png")
    return tmp_path / "set"


def test_a_clean_set_passes(tree):
    code, told, _ = check(tree)
    assert code == 0
    assert told["found"] == dict.fromkeys(
        ("exact", "near", "leakage", "label-conflict", "unreadable"), 0
    )
    assert (told["images"], told["failed"], told["can_go"]) == (8, [], [])


@pytest.mark.parametrize(
    ("copied", "to", "failed"),
    [
        ("train/cat/0.png", "train/cat/copy.png", ["exact"]),
        ("train/cat/0.png", "test/cat/copy.png", ["exact", "leakage"]),
        ("train/cat/0.png", "train/dog/copy.png", ["exact", "label-conflict"]),
    ],
)
def test_what_is_found_fails_and_is_named(tree, copied, to, failed):
    shutil.copy(tree / copied, tree / to)
    code, told, _ = check(tree)
    assert (code, told["failed"]) == (1, failed)
    (row,) = told["can_go"]
    assert {row["path"], row["keeper"]} == {str(tree / copied), str(tree / to)}
    only = check(tree, "--fail-on", "near")
    assert (only[0], only[1]["failed"]) == (0, [])


def test_a_new_set_is_checked_against_an_old_one(tree, tmp_path, make_photo):
    new = tmp_path / "new"
    new.mkdir()
    make_photo(50).save(new / "fresh.png")
    shutil.copy(tree / "train/cat/0.png", tree / "train/cat/again.png")
    assert check(new, "--against", tree)[0] == 0
    shutil.copy(tree / "test/dog/0.png", new / "known.png")
    code, told, _ = check(new, "--against", tree, "--fail-on", "exact,near")
    assert (code, told["failed"]) == (1, ["exact"])
    assert [row["path"] for row in told["can_go"]] == [str(new / "known.png")]


def test_scores_of_a_file_are_checked_as_they_are(tree, tmp_path):
    shutil.copy(tree / "train/cat/0.png", tree / "train/cat/copy.png")
    df = dw.score(tree, model="perceptual", progress=False)
    df.write_parquet(tmp_path / "scores.parquet")
    shutil.rmtree(tree)
    code, told, _ = check(tmp_path / "scores.parquet")
    assert (code, told["failed"]) == (1, ["exact"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["no-such-folder"], "no such directory"),
        (["{set}", "--fail-on", "typos"], "nothing to fail on"),
        (["{flat}", "--fail-on", "leakage"], "without a column of splits"),
        (["{set}", "--report", "report.pdf"], "must end in .html"),
    ],
)
def test_errors_are_told_apart_from_findings(tree, arguments, says):
    places = {"set": tree, "flat": tree / "train" / "cat"}
    code, _, output = check(*(argument.format(**places) for argument in arguments))
    assert code == 2
    assert says in output


def test_the_report_is_one_file_with_its_pictures(tree, tmp_path):
    shutil.copy(tree / "train/cat/0.png", tree / "train/cat/<b>copy & co.png")
    (tree / "train" / "cat" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    file = tmp_path / "report.html"
    code, told, _ = check(tree, "--report", file, "--json", tmp_path / "found.json")
    assert (code, told) == (1, None)
    assert json.loads((tmp_path / "found.json").read_text())["failed"] == ["exact"]
    page = file.read_text()
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert page.count("data:image/jpeg;base64,") == 2
    assert "&lt;b&gt;copy &amp; co.png" in page
    assert "<b>copy" not in page
    assert "cut.png" in page
    assert "prefers-color-scheme" in page


def test_an_explorer_writes_the_same_report(tree, tmp_path):
    shutil.copy(tree / "train/cat/0.png", tree / "train/cat/copy.png")
    df = dw.score(tree, model="perceptual", progress=False)
    ex = dw.Explorer(df)
    written = ex.report(tmp_path / "a.html", groups=0)
    assert "1 more group not shown" in written.read_text()
    with pytest.raises(InputError, match=r"let it end in .html"):
        ex.report(tmp_path / "a.pdf")
    bare = dw.Session(df.select("path", pl.col("uniqueness")))
    assert "There is no plan" in bare.report(tmp_path / "b.html").read_text()
