"""A plan as a script: it checks before it acts, and what it did can be taken back."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import dedup_widgets as dw
from dedup_widgets.errors import DatasetError, InputError

pytestmark = pytest.mark.lengthy


def run(script, *arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-I", str(script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout + done.stderr


def contents(folder):
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def photos(tmp_path, make_photo):
    """Return a folder: a, its plain copy with labels, and a re-save as PNG; b with labels."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    for seed, name in enumerate("ab"):
        make_photo(seed).save(folder / f"{name}.bmp")
        (folder / f"{name}.txt").write_text(name)
    shutil.copy(folder / "a.bmp", folder / "deep" / "a copy.bmp")
    (folder / "deep" / "a copy.txt").write_text("copy")
    make_photo(0).save(folder / "deep" / "a copy (2).png")
    return folder


@pytest.fixture
def plan(photos):
    return dw.plan(dw.score(photos, model="perceptual", progress=False))


def test_files_are_moved_with_what_belongs_to_them_and_come_back(photos, plan, tmp_path):
    before = contents(photos)
    script = dw.script(plan, "move", to=tmp_path / "removed", file=tmp_path / "clean.py")
    gone = plan.filter(pl.col("action") == "remove")["path"].to_list()
    code, said = run(script)
    assert (code, contents(photos)) == (0, before)
    assert all(path in said for path in gone)
    assert "nothing was changed" in said
    assert run(script, "--do")[0] == 0
    left = set(contents(photos))
    assert left == {"a.bmp", "b.bmp", "a.txt", "b.txt"} or len(left) == 4
    assert {Path(p).name for p in contents(tmp_path / "removed")} == {
        *(Path(path).name for path in gone),
        *(["a copy.txt"] if any("a copy.bmp" in path for path in gone) else ["a.txt"]),
    }
    assert run(script, "--do")[1].startswith("0 files done")
    assert run(script, "--undo")[0] == 0
    assert contents(photos) == before
    assert not contents(tmp_path / "removed")
    assert run(script, "--undo")[1].startswith("0 files are back")


def test_links_are_made_only_of_the_same_bytes_and_undone(photos, plan, tmp_path):
    before = contents(photos)
    script = dw.script(plan, "link", file=tmp_path / "clean.py")
    assert run(script, "--do")[0] == 0
    twins = [path for path in photos.rglob("*.bmp") if path.stat().st_nlink == 2]
    assert sorted(path.name for path in twins) == ["a copy.bmp", "a.bmp"]
    assert {name: data for name, (data, _) in contents(photos).items()} == {
        name: data for name, (data, _) in before.items()
    }
    assert run(script, "--undo")[0] == 0
    assert contents(photos) == before
    assert all(path.stat().st_nlink == 1 for path in photos.rglob("*") if path.is_file())


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="needs the trash of FreeDesktop")
def test_the_trash_is_that_of_the_desktop(photos, plan, tmp_path):
    before, data = contents(photos), tmp_path / "data"
    script = dw.script(plan, "trash", file=tmp_path / "clean.py")
    assert run(script, "--do", XDG_DATA_HOME=str(data))[0] == 0
    assert len(contents(photos)) == 4
    infos = list((data / "Trash" / "info").glob("*.trashinfo"))
    assert len(infos) == 3
    assert all("Path=/" in info.read_text() for info in infos)
    assert run(script, "--undo", XDG_DATA_HOME=str(data))[0] == 0
    assert contents(photos) == before
    assert not contents(data)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="needs the trash of FreeDesktop")
@pytest.mark.parametrize("action", ["link", "trash"])
def test_a_name_may_be_as_long_as_names_can_be(tmp_path, make_photo, action):
    (tmp_path / "photos").mkdir()
    for name in ("a" * 251, "b" * 251, "é" * 125 + "c"):
        make_photo(0).save(tmp_path / "photos" / f"{name}.bmp")
    before = contents(tmp_path / "photos")
    found = dw.score(tmp_path / "photos", model="perceptual", progress=False)
    script = dw.script(dw.plan(found), action, file=tmp_path / "clean.py")
    data = str(tmp_path / "data")
    assert run(script, "--do", XDG_DATA_HOME=data)[1].startswith("2 files done")
    assert run(script, "--undo", XDG_DATA_HOME=data)[0] == 0
    assert contents(tmp_path / "photos") == before


@pytest.mark.parametrize("what", ["changed", "keeper gone", "keeper changed", "taken"])
def test_what_is_not_as_it_was_is_left_alone(photos, plan, tmp_path, what):
    script = dw.script(plan, "move", to=tmp_path / "removed", file=tmp_path / "clean.py")
    gone = plan.filter(pl.col("action") == "remove")
    path, keeper = (Path(gone[name][0]) for name in ("path", "keeper"))
    match what:
        case "changed":
            path.write_bytes(path.read_bytes()[:-1] + b"!")
        case "keeper gone":
            keeper.unlink()
        case "keeper changed":
            keeper.write_bytes(b"another")
        case "taken":
            table = pl.read_csv(script.with_suffix(".csv"))
            place = Path(table.filter(pl.col("path") == str(path))["to"][0])
            place.parent.mkdir(parents=True)
            place.write_text("mine")
    code, said = run(script, "--do")
    assert code == 1
    assert f"left alone: {path}" in said
    assert path.exists()


def test_a_plan_of_other_content_writes_no_script(photos, plan, tmp_path, make_photo):
    path = plan.filter(pl.col("action") == "remove")["path"][0]
    make_photo(9).save(path)
    with pytest.raises(DatasetError, match="is not the picture that was planned with"):
        dw.script(plan, "move", to=tmp_path / "removed", file=tmp_path / "clean.py")
    assert not (tmp_path / "clean.py").exists()


def test_a_fingerprint_that_no_picture_has_writes_no_script(plan, tmp_path):
    changed = plan.with_columns(fingerprint=pl.lit(""))
    with pytest.raises(dw.DatasetError, match="is not the picture that was planned with"):
        dw.script(changed, "move", to=tmp_path / "removed", file=tmp_path / "carry_out.py")
    assert not (tmp_path / "carry_out.py").exists()


def test_a_script_overwrites_nothing(photos, plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [dw.script(plan, "trash").name for _ in range(2)]
    assert names == ["carry_out_plan.py", "carry_out_plan-2.py"]
    with pytest.raises(InputError, match="is there already"):
        dw.script(plan, "trash", file="carry_out_plan.py")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"action": "delete"}, "must be 'move', 'link' or 'trash'"),
        ({"action": "move"}, "needs a folder"),
        ({"action": "link", "to": "x"}, "leave it out"),
        ({"action": "trash", "file": "x.txt"}, "let it end in .py"),
    ],
)
def test_what_makes_no_sense_is_refused(plan, arguments, says):
    with pytest.raises(InputError, match=says):
        dw.script(plan, **arguments)
