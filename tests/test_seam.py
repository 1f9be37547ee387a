"""One way to a picture's bytes: whatever its name is, and wherever it lies."""

import os
import sys
import unicodedata
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import dedup_widgets as dw
from dedup_widgets.dataset.create import preview
from dedup_widgets.errors import DatasetError, ImageError, InputError
from dedup_widgets.images.entry import Entry
from dedup_widgets.images.source import LocalFiles, set_source, source_for
from page import Page, Pixels

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")

PREFIX = "memory://"


class Memory:
    """Pictures that lie nowhere but in memory, each with a tag for its version."""

    def __init__(self, files):
        self.files = files
        self.tags = {path: f"tag {len(data)}" for path, data in files.items()}
        self.reads = []

    def read(self, path):
        self.reads.append(path)
        self.stat(path)
        return self.files[path]

    def stat(self, path):
        if path not in self.files:
            raise ImageError(f"{path}: does not exist; check the path")
        return Entry(path, len(self.files[path]), self.tags[path])


@pytest.fixture
def memory(make_photo, as_file):
    """Yield a source of four pictures, the last one a copy, that paths with a prefix lead to."""
    files = {f"{PREFIX}box/{seed}.png": as_file(make_photo(seed)) for seed in range(3)}
    source = Memory(files | {f"{PREFIX}box/copy.bmp": as_file(make_photo(0), "BMP")})
    set_source(PREFIX, source)
    yield source
    set_source(PREFIX, None)


@pytest.fixture
def elsewhere(memory):
    return score(list(memory.files))


def score(images, **arguments):
    return dw.score(images, model=Pixels(), progress=False, **arguments)


def tiles(frame):
    reply = Page(dw.ImageGrid(frame)).ask("tiles", rows=list(range(len(frame))))
    return [tile["thumb"] is not None and tile["error"] is None for tile in reply["tiles"]]


def bytes_of(dataset):
    pictures = sorted((dataset.path / "train").glob("[!m]*"))
    return sorted(picture.read_bytes() for picture in pictures)


# Another source


def test_a_prefix_leads_to_its_source_and_all_else_to_the_disk(memory):
    assert source_for(f"{PREFIX}box/0.png") is memory
    assert isinstance(source_for("/photos/0.png"), LocalFiles)
    assert isinstance(source_for("other://0.png"), LocalFiles)


@pytest.mark.lengthy
def test_pictures_elsewhere_are_scored_like_those_on_disk(memory, elsewhere, tmp_path):
    for path, data in memory.files.items():
        (tmp_path / Path(path).name).write_bytes(data)
    here = score([str(tmp_path / Path(path).name) for path in memory.files])
    # What only the disk knows of a file is its time.
    assert elsewhere["modified"].null_count() == len(elsewhere)
    differ = ["path", "nearest", "modified"]
    assert_frame_equal(elsewhere.drop(differ), here.drop(differ))
    assert elsewhere["path"].to_list() == list(memory.files)


@pytest.mark.lengthy
def test_what_has_its_version_still_is_not_read_again(memory, elsewhere):
    memory.reads.clear()
    assert_frame_equal(score(list(memory.files)), elsewhere)
    assert memory.reads == []
    changed = f"{PREFIX}box/1.png"
    memory.tags[changed] = "another tag"
    score(list(memory.files))
    assert memory.reads == [changed]


@pytest.mark.lengthy
def test_a_picture_that_is_gone_is_a_row_with_an_error(memory, elsewhere):
    frame = score([*memory.files, f"{PREFIX}box/gone.png"])
    assert frame["error"].to_list() == [None] * 4 + [
        f"{PREFIX}box/gone.png: does not exist; check the path"
    ]
    assert frame["error"].null_count() == len(elsewhere)


def test_thumbnails_come_from_elsewhere(memory):
    assert tiles(pl.DataFrame({"path": list(memory.files)})) == [True] * 4


@pytest.mark.lengthy
def test_what_is_similar_to_a_picture_elsewhere_is_found(memory, elsewhere, make_photo, as_file):
    memory.files[query := f"{PREFIX}query"] = as_file(make_photo(2))
    memory.tags[query] = "tag"
    found = dw.similar(elsewhere, query, k=1, model=Pixels())
    assert found["path"].to_list() == [f"{PREFIX}box/2.png"]


@pytest.mark.lengthy
@pytest.mark.parametrize("mode", ["hardlink", "copy"])
def test_pictures_elsewhere_are_placed_as_copies(memory, elsewhere, tmp_path, mode):
    stays = elsewhere.filter(pl.col("uniqueness") > 0)
    asked = {"root": tmp_path, "mode": mode}
    counted = preview(stays, "clean", **asked)
    made = dw.create_dataset(stays, "clean", progress=False, **asked)
    assert counted.placed == made.placed == {"copy": 3}
    assert counted.new_bytes == made.bytes
    assert bytes_of(made) == sorted(memory.files[path] for path in stays["path"])


@pytest.mark.lengthy
def test_pictures_elsewhere_are_put_into_shards(memory, elsewhere, tmp_path):
    stays = elsewhere.filter(pl.col("uniqueness") > 0)
    made = dw.create_dataset(stays, "clean", root=tmp_path, format="webdataset", progress=False)
    assert made.placed == {"shard": 3}


@pytest.mark.lengthy
def test_a_dataset_of_paths_may_name_pictures_elsewhere(memory, elsewhere, tmp_path):
    stays = elsewhere.filter(pl.col("uniqueness") > 0)
    made = dw.create_dataset(stays, "clean", root=tmp_path, mode="paths", progress=False)
    rows = pl.read_parquet(made.path / "train" / "metadata.parquet")
    assert rows["source_path"].to_list() == stays["path"].to_list()


@pytest.mark.lengthy
def test_no_link_leads_elsewhere(elsewhere, tmp_path):
    stays = elsewhere.filter(pl.col("uniqueness") > 0)
    with pytest.raises(InputError, match=r"memory://box/\S+ is none"):
        dw.create_dataset(stays, "clean", root=tmp_path, mode="symlink", progress=False)


@pytest.mark.lengthy
@pytest.mark.parametrize("how", ["imagefolder", "webdataset"])
def test_what_changed_elsewhere_stops_the_dataset(memory, elsewhere, tmp_path, how):
    stays = elsewhere.filter(pl.col("uniqueness") > 0)
    short = memory.read
    memory.read = lambda path: short(path)[:-1]
    with pytest.raises(DatasetError, match="changed since"):
        dw.create_dataset(stays, "clean", root=tmp_path, format=how, progress=False)
    assert not list(tmp_path.glob("clean*"))


# Names


LATIN = b"caf\xe9.png"


@pytest.fixture
def named(tmp_path, make_photo, as_file):
    """Return ``named(*names)``: a folder of pictures with these names, in bytes."""

    def make(*names):
        folder = tmp_path / "named"
        folder.mkdir()
        for seed, name in enumerate(names):
            where = os.fsencode(folder) + b"/" + name
            with open(where, "wb") as file:  # noqa: PTH123 - a Path takes no bytes
                file.write(as_file(make_photo(seed)))
        return folder

    return make


@pytest.mark.lengthy
@linux
@pytest.mark.parametrize("placing", ["hardlink", "copy", "symlink", "paths", "webdataset"])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(LATIN, id="no valid UTF-8"),
        pytest.param(b"\xff\xfe", id="no valid UTF-8, and no suffix"),
        pytest.param("\u00fc\u0301.png".encode(), id="marks that combine"),
        pytest.param(b"back\\slash\\udce9.png", id="what looks like an escape"),
        pytest.param(b"n" * 251 + b".png", id="as long as can be"),
        pytest.param(b"\xe9" * 251 + b".png", id="as long as can be, no valid UTF-8"),
        pytest.param(b" . new\nline?*[0].png", id="what shells and globs would stumble over"),
    ],
)
def test_whatever_its_name_a_picture_goes_all_the_way(named, tmp_path, name, placing):
    folder = named(name, b"other.png")
    listed = [os.fsencode(folder) + b"/" + name, os.fsencode(folder) + b"/other.png"]
    frame = score(listed)
    assert frame["error"].to_list() == [None, None]
    assert tiles(frame.drop("fingerprint")) == [True, True]
    # By the path of the frame, and by what the system calls it.
    for query in (frame["path"][0], os.fsdecode(listed[0])):
        assert dw.similar(frame, query, k=5)["path"].to_list() == frame["path"].to_list()[1:]
    alone = dw.similar(frame.tail(1), os.fsdecode(listed[0]), k=5, model=Pixels())
    assert alone["path"].to_list() == frame["path"].to_list()[1:]
    how = {"format": placing} if placing == "webdataset" else {"mode": placing}
    made = dw.create_dataset(frame, "set", root=tmp_path / "sets", progress=False, **how)
    assert made.images == 2
    if placing not in ("paths", "webdataset"):
        placed = bytes_of(made)
        assert placed == sorted(Path(os.fsdecode(path)).read_bytes() for path in listed)


@pytest.mark.lengthy
@linux
def test_a_folder_lists_names_of_any_bytes_and_the_store_knows_them_again(named):
    folder = named(LATIN, "é.png".encode(), unicodedata.normalize("NFD", "é.png").encode())
    frame = score(folder)
    assert len(frame) == 3
    assert frame["error"].null_count() == 3
    # Nothing is read again: the model would fail.
    assert_frame_equal(dw.score(folder, model=Unneeded(), progress=False), frame)


class Unneeded(Pixels):
    def encode(self, images):
        raise AssertionError(f"{len(images)} pictures were embedded again")


@pytest.mark.lengthy
@linux
def test_a_review_takes_a_path_as_the_system_spells_it(named):
    folder = named(LATIN, b"b.png")
    spelled = Path(os.fsdecode(os.fsencode(folder) + b"/" + LATIN))
    ex = dw.Explorer(score(folder))
    ex.selection = [spelled]
    assert len(ex.selection) == 1
    assert len(ex.similar(spelled)) == 1
    assert dw.SimilarItems(ex.frame, spelled).query == ex.selection["path"][0]
    # A frame of paths, as objects, takes it too.
    assert score(pandas_frame([spelled, folder / "b.png"]))["error"].null_count() == 2


def pandas_frame(paths):
    return pytest.importorskip("pandas").DataFrame({"path": paths})


@pytest.mark.lengthy
@linux
def test_names_that_differ_in_their_normal_form_are_two_files(named, tmp_path):
    names = [unicodedata.normalize(form, "é.png") for form in ("NFC", "NFD")]
    frame = score(named(*(name.encode() for name in names)))
    assert len(frame) == 2
    made = dw.create_dataset(frame, "set", root=tmp_path / "sets", progress=False)
    placed = sorted(path.name for path in (made.path / "train").glob("*.png"))
    assert len({unicodedata.normalize("NFC", name) for name in placed}) == 2


@linux
def test_a_long_text_is_a_text_and_no_file(named):
    frame = score(named(b"a.png"))
    with pytest.raises(InputError, match="neither a path of this frame nor an image file"):
        dw.similar(frame, "a dog on the beach " * 300, model=Pixels())


def test_nobody_outside_the_room_of_images_names_the_local_disk():
    package = Path(dw.__file__).parent
    for module in package.rglob("*.py"):
        if module.relative_to(package).parts[0] != "images":
            assert "LocalFiles" not in module.read_text(encoding="utf-8"), module
