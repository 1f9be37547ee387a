import json
import shlex
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest
from PIL import Image
from typer.testing import CliRunner

import dedup_widgets as dw
from dedup_widgets import __version__
from dedup_widgets.cli import app
from dedup_widgets.demo import EDITS, PHOTOS, demo_photos
from dedup_widgets.frame.provenance import provenances

runner = CliRunner()


def run(*arguments):
    return runner.invoke(app, [str(argument) for argument in arguments])


@pytest.mark.lengthy
def test_score_writes_the_frame_and_sums_it_up(photo_folder, tmp_path):
    out = tmp_path / "scores.parquet"
    result = run("score", photo_folder(3, copies=2), "-o", out, "--model", "efficientnet-lite0")
    assert result.exit_code == 0, result.output
    frame = pl.read_parquet(out)
    assert len(frame) == 5
    assert (frame["uniqueness"] == 0).sum() == 2
    assert "images  5" in result.output
    assert "exact groups  1 (2 images can go)" in result.output
    assert f"dedup-widgets explore {out}" in result.output.replace("\n", "")


@pytest.mark.lengthy
@pytest.mark.parametrize("name", ["scores.parquet", "scores.csv"])
def test_what_was_asked_of_score_is_known_to_those_who_open_its_file(photo_folder, tmp_path, name):
    out = tmp_path / name
    asked = ["--model", "efficientnet-lite0", "--near", "0.02", "--precision", "exact", "-q"]
    run("score", photo_folder(2), "-o", out, *asked)
    frame = pl.read_parquet(out) if name.endswith("parquet") else pl.read_csv(out)
    assert dw.Explorer(frame).near == 0.02
    (made,) = provenances(frame)
    assert (made.model, made.precision) == ("efficientnet-lite0", "exact")


@pytest.mark.lengthy
def test_score_writes_csv_without_embeddings(photo_folder, tmp_path):
    out = tmp_path / "scores.csv"
    assert (
        run("score", photo_folder(2), "-o", out, "--model", "efficientnet-lite0", "-q").output == ""
    )
    assert "embedding" not in pl.read_csv(out).columns


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["score", "no such folder"], 1, "no such folder"),
        (["score", ".", "-o", "x.xlsx"], 1, "its name must end in one of"),
        (["score", ".", "-o", "none/x.parquet"], 1, "no folder"),
        (["score", ".", "--near", "2"], 2, "--near"),
        (["score", ".", "--precision", "double"], 1, "'fast' or 'exact'"),
        (["score"], 2, "PHOTOS"),
        (["explore", "none.parquet"], 1, "no file none.parquet"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_errors_are_one_line_and_an_exit_code(arguments, code, says):
    result = run(*arguments)
    assert result.exit_code == code
    assert says in result.output
    assert "Traceback" not in result.output


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_an_interrupt_says_what_is_kept_and_the_same_command_goes_on(tmp_path):
    (tmp_path / "photos").mkdir()
    for i in range(120):
        pixels = np.random.default_rng(i).integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{i:03}.bmp")
    store = tmp_path / "store.sqlite"
    command = [
        *(sys.executable, "-m", "dedup_widgets", "score", str(tmp_path / "photos")),
        *("-o", str(tmp_path / "x.parquet"), "--model", "efficientnet-lite0"),
        *("--batch-size", "4", "--store", str(store)),
    ]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    while not store.exists() or (child.poll() is None and _count(store) < 8):
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    said = child.communicate()[1].replace("\n", "")
    assert child.returncode == 130, said
    assert f"kept in {store}, and the same command goes on from there" in said
    assert "Traceback" not in said
    before = _count(store)
    assert 8 <= before < 120
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert _count(store) == 120
    assert f"{before} from the store" in again.stderr


def _count(store):
    """Return of how many images a store has embeddings; another process may just be making it."""
    db = sqlite3.connect(store)
    try:
        of_model = "SELECT count(*) FROM embedding WHERE model LIKE 'efficientnet-lite0%'"
        return db.execute(of_model).fetchone()[0]
    except sqlite3.OperationalError:
        return 0
    finally:
        db.close()


@pytest.mark.lengthy
def test_several_folders_are_scored_together_and_from_anywhere(photo_folder, tmp_path, monkeypatch):
    folder = photo_folder(2)
    (tmp_path / "more").mkdir()
    (folder / "photo-000.png").rename(tmp_path / "more" / "x.png")
    monkeypatch.chdir(tmp_path)
    result = run("score", "photos", "more", "--model", "efficientnet-lite0", "-q")
    assert result.exit_code == 0, result.output
    paths = pl.read_parquet(tmp_path / "scores.parquet")["path"].to_list()
    assert paths == [str(folder / "photo-001.png"), str(tmp_path / "more" / "x.png")]


@pytest.mark.lengthy
def test_nothing_readable_is_an_error(tmp_path):
    (tmp_path / "junk.jpg").write_text("junk")
    out = tmp_path / "x.parquet"
    result = run("score", tmp_path / "junk.jpg", "-o", out, "--model", "efficientnet-lite0")
    assert result.exit_code == 1
    assert "none of the 1 files could be read" in result.output


@pytest.mark.lengthy
def test_an_empty_folder_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    out = tmp_path / "x.parquet"
    result = run("score", tmp_path / "empty", "-o", out, "--model", "efficientnet-lite0")
    assert result.exit_code == 1
    assert "no images in" in result.output
    assert not out.exists()


@pytest.mark.slow
def test_explore_makes_a_notebook_that_reads_the_scores_and_never_overwrites_one(tmp_path):
    import nbformat

    scores = tmp_path / "it's.parquet"
    pl.DataFrame({"path": ["a.jpg"], "uniqueness": [0.5]}).write_parquet(scores)
    assert run("explore", scores, "--no-lab").exit_code == 0
    notebook = tmp_path / "it's.ipynb"
    book = nbformat.read(notebook, as_version=4)
    nbformat.validate(book)
    assert 'read_parquet("it\'s.parquet")' in book.cells[0].source
    notebook.write_text(json.dumps({"mine": True}))
    assert "there already" in run("explore", scores, "--no-lab").output
    assert json.loads(notebook.read_text()) == {"mine": True}


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "x.parquet").write_text("hello")
    result = run("explore", tmp_path / "x.parquet", "--no-lab")
    assert result.exit_code == 1
    assert "no Parquet file; make one with: dedup-widgets score" in result.output


def test_help_and_version_read_well():
    help_text = run("--help").output
    for command in ("score", "explore", "demo"):
        assert command in help_text
    assert run("--version").output == f"dedup-widgets {__version__}\n"


@pytest.mark.lengthy
def test_the_command_is_installed():
    result = subprocess.run(
        [sys.executable, "-m", "dedup_widgets", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert __version__ in result.stdout


@pytest.mark.slow
def test_the_demo_finds_what_was_planted(tmp_path):
    result = run("demo", tmp_path / "demo", "--no-lab")
    assert result.exit_code == 0, result.output
    assert "unreadable  2" in result.output
    assert (tmp_path / "demo" / "notebooks" / "quickstart.ipynb").exists()
    copies = [p.name for p in (tmp_path / "demo" / "photos" / "copies").iterdir()]
    planted = sum("(resaved)" in n or "(copy)" in n or "EXIF" in n for n in copies)
    assert f"({planted} images can go)" in result.output


@pytest.mark.slow
def test_demo_photos_are_made_once_and_never_over_other_files(tmp_path):
    folder = demo_photos(tmp_path / "photos")
    made = sorted(folder.glob("*/*.*"))
    assert len(made) > len(PHOTOS) * 3
    for edit, _ in EDITS:
        assert any(f"({edit})" in path.name for path in made)
    made[0].unlink()
    assert sorted(demo_photos(folder).glob("*/*.*")) == made[1:]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "holiday.jpg").touch()
    with pytest.raises(ValueError, match="holds other files"):
        demo_photos(tmp_path / "mine")


@pytest.mark.lengthy
@pytest.mark.parametrize(("name", "hints"), [("my scores.parquet", True), ("scores.csv", False)])
def test_the_hint_of_what_to_run_next_runs(photo_folder, tmp_path, name, hints):
    said = run("score", photo_folder(2), "-o", tmp_path / name, "--model", "perceptual").output
    assert ("dedup-widgets explore" in said) is hints
    if hints:
        line = next(line for line in said.splitlines() if "explore" in line)
        arguments = shlex.split(line.partition("dedup-widgets explore ")[2])
        assert run("explore", *arguments, "--no-lab").exit_code == 0
