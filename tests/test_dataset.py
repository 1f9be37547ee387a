import errno
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from dedup_widgets import _durable
from dedup_widgets.dataset import REMOVED_SCHEMA, folder
from dedup_widgets.dataset.create import create_dataset, preview
from dedup_widgets.dataset.naming import safe_name
from dedup_widgets.dataset.result import Dataset
from dedup_widgets.errors import DatasetError, InputError
from dedup_widgets.frame.collection import Collection
from dedup_widgets.images.decode import decode
from dedup_widgets.images.listing import IMAGE_SUFFIXES, find_images
from dedup_widgets.scale.score import score
from effort import examples

resource = pytest.importorskip("resource", reason="limits of a process are POSIX only")

MODES = ("hardlink", "copy", "symlink")


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Load with Hugging Face datasets, cut off from the network, with a cache of its own."""
    cache = tmp_path_factory.mktemp("hf")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HOME", str(cache))
        import datasets
        import huggingface_hub

        # Not by environment variables: these are read once, and would hold for every later test.
        patch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
        patch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        datasets.disable_progress_bars()
        yield lambda *args, **options: datasets.load_dataset(
            *args, cache_dir=tempfile.mkdtemp(dir=cache), **options
        )


@lru_cache
def fingerprint_of(file: bytes) -> str:
    return decode(file).fingerprint


@pytest.fixture
def frame(photo_folder: Callable[..., Path]) -> pl.DataFrame:
    """Return five scored photos, one a row, with columns of many types."""
    paths = find_images(photo_folder(5))
    files = [Path(path).read_bytes() for path in paths]
    return pl.DataFrame(
        {
            "path": paths,
            "uniqueness": pl.Series([0.5, 0.4, 0.3, 0.2, 0.1], dtype=pl.Float32),
            "kind": pl.Series(["unique"] * 5, dtype=pl.Enum(["exact", "near", "unique"])),
            "group": pl.Series([None, None, None, None, 7], dtype=pl.UInt32),
            "bytes": pl.Series([len(file) for file in files], dtype=pl.UInt64),
            "fingerprint": [fingerprint_of(file) for file in files],
            "error": pl.Series([None] * 5, dtype=pl.String),
            "label": ["cat", "dog", None, "cat", "dog"],
            "embedding": pl.Series([[1.0, 0.0]] * 5, dtype=pl.Array(pl.Float16, 2)),
        }
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "datasets"


def make(data: Any, name: str, root: Path, **options: Any) -> Dataset:
    return create_dataset(data, name, root=root, **{"progress": False, **options})


def shown(image: Image.Image) -> bytes:
    return image.convert("RGB").tobytes()


def as_the_card_says(dataset: Dataset, load: Callable[..., Any]) -> Any:
    """Run the lines of Python on the card."""
    code = (dataset.path / "README.md").read_text().split("```python\n")[1].split("```")[0]
    code = code.replace("path/to/", f"{dataset.path.parent}/")
    imports, statement = code.split("\n\n", 1)
    names: dict[str, Any] = {}
    exec(imports, names)
    names["load_dataset"] = load
    exec(statement, names)
    return names["dataset"]


def contents(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def names(dataset: Dataset, split: str = "train") -> list[str]:
    return pl.read_parquet(dataset.path / split / "metadata.parquet")["file_name"].to_list()


@pytest.mark.lengthy
@pytest.mark.parametrize("mode", MODES)
def test_datasets_loads_every_picture_with_its_columns(
    mode: str, frame: pl.DataFrame, root: Path, load: Callable[..., Any]
) -> None:
    dataset = make(frame, "clean v1", root, mode=mode)
    for loaded in (
        load("imagefolder", data_dir=str(dataset.path))["train"],
        load(str(dataset.path))["train"],
        as_the_card_says(dataset, load)["train"],
    ):
        assert len(loaded) == 5
        for row, source, group in zip(loaded, frame["path"], frame["group"], strict=True):
            with Image.open(source) as original:
                assert shown(row["image"]) == shown(original)
            assert row["source_path"] == source
            assert row["group"] == group
        assert loaded.column_names == [
            *("image", "source_path", "uniqueness", "kind", "group", "bytes"),
            *("fingerprint", "label"),
        ]


@pytest.mark.lengthy
def test_paths_only_writes_no_picture_and_loads_from_the_sources(
    frame: pl.DataFrame, root: Path, load: Callable[..., Any]
) -> None:
    dataset = make(frame, "paths", root, mode="paths")
    assert sorted(contents(dataset.path)) == [
        "README.md",
        "removed.parquet",
        "train/metadata.parquet",
    ]
    loaded = as_the_card_says(dataset, load)["train"]
    with Image.open(frame["path"][3]) as original:
        assert shown(loaded[3]["source_path"]) == shown(original)


@pytest.mark.lengthy
def test_webdataset_shards_load_with_all_columns_although_the_first_rows_are_null(
    frame: pl.DataFrame, root: Path, load: Callable[..., Any]
) -> None:
    many = pl.concat([frame] * 4).with_columns(
        path=pl.Series(_copies_that_differ(frame, 20)), bytes=None, fingerprint=None
    )
    many = many.with_columns(group=pl.when(pl.int_range(20) == 19).then(pl.col("group")))
    dataset = make(many, "shards", root, format="webdataset", shard_bytes=250_000)
    shards = sorted((dataset.path / "train").iterdir())
    assert [shard.name for shard in shards][:2] == ["shards-000000.tar", "shards-000001.tar"]
    assert all(shard.stat().st_size <= 250_000 for shard in shards)
    for loaded in (
        load("webdataset", data_dir=str(dataset.path))["train"],
        load(str(dataset.path))["train"],
    ):
        by_path = {row["json"]["source_path"]: row for row in loaded}
        assert set(by_path) == set(many["path"])
        for path, row in by_path.items():
            with Image.open(path) as original:
                assert shown(row["png"]) == shown(original)
        assert by_path[many["path"][19]]["json"]["group"] == 7
        assert by_path[many["path"][0]]["json"]["group"] is None


def _copies_that_differ(frame: pl.DataFrame, n: int) -> list[str]:
    folder = Path(frame["path"][0]).parent / "more"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(n):
        pixels = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"noise.{i:02}.png")
    return find_images(folder)


@pytest.mark.lengthy
def test_pictures_whose_suffix_datasets_does_not_know_load_as_the_card_says(
    tmp_path: Path, root: Path, load: Callable[..., Any], make_photo: Callable[..., Image.Image]
) -> None:
    photo = tmp_path / "photos" / "photo.avif"
    photo.parent.mkdir()
    make_photo(0).save(photo)
    frame = pl.DataFrame({"path": [str(photo)]})
    for split in ("train", "holdout"):
        dataset = make(frame, split, root, split=split)
        with Image.open(photo) as original:
            assert shown(as_the_card_says(dataset, load)[split][0]["image"]) == shown(original)


@pytest.mark.lengthy
def test_a_dataset_made_again_under_its_name_is_not_taken_from_the_cache(
    frame: pl.DataFrame, root: Path, load: Callable[..., Any], tmp_path: Path
) -> None:
    import datasets

    for rows in (frame.head(2), frame.tail(2)):
        dataset = make(rows, "again", root)
        loaded = datasets.load_dataset(str(dataset.path), cache_dir=str(tmp_path / "cache"))
        assert loaded["train"]["source_path"][:] == rows["path"].to_list()
        shutil.rmtree(dataset.path)


@pytest.mark.lengthy
def test_a_webdataset_of_several_formats_has_one_field(
    tmp_path: Path, root: Path, load: Callable[..., Any], make_photo: Callable[..., Image.Image]
) -> None:
    paths = [tmp_path / f"photo.{i}.{suffix}" for i, suffix in enumerate(("png", "webp", "avif"))]
    for seed, path in enumerate(paths):
        make_photo(seed).save(path)
    dataset = make(
        pl.DataFrame({"path": list(map(str, paths))}), "mixed", root, format="webdataset"
    )
    loaded = load("webdataset", data_dir=str(dataset.path))["train"]
    assert [row["jpg"].format for row in loaded] == ["PNG", "WEBP", "AVIF"]
    assert [row["__key__"] for row in loaded] == ["photo_0", "photo_1", "photo_2"]


@pytest.mark.lengthy
@pytest.mark.parametrize("layout", ["imagefolder", "webdataset"])
def test_rows_go_to_the_split_that_a_column_names(
    layout: str, frame: pl.DataFrame, root: Path, load: Callable[..., Any]
) -> None:
    split = frame.with_columns(part=pl.Series(["train", "holdout", "train", "holdout", "test"]))
    dataset = make(split, "split", root, split_column="part", format=layout)
    assert dataset.splits == {"train": 2, "holdout": 2, "test": 1}
    for loaded in (load(str(dataset.path)), as_the_card_says(dataset, load)):
        assert {name: len(part) for name, part in loaded.items()} == dataset.splits


@pytest.mark.lengthy
def test_every_column_type_survives_or_is_named_as_left_out(
    frame: pl.DataFrame, root: Path, load: Callable[..., Any]
) -> None:
    import datetime as dt

    wide = frame.select("path").with_columns(
        pl.Series("file_name", ["mine"] * 5),
        pl.Series("thumb_file_name", ["mine"] * 5),
        pl.Series("image", ["mine"] * 5),
        pl.Series("nothing", [None] * 5),
        pl.Series("when", [dt.datetime(2020, 1, 1)] * 5),
        pl.Series("day", [dt.date(2020, 1, 1)] * 5),
        pl.Series("length", [dt.timedelta(seconds=1.5)] * 5),
        pl.Series("tags", [[], ["a"], [], [], ["b", "c"]], dtype=pl.List(pl.Categorical)),
        pl.Series("box", [{"x": 1.0, "y": float("nan")}] * 5),
        pl.Series("vector", [[1.0, float("nan")]] * 5, dtype=pl.Array(pl.Float32, 2)),
        pl.Series("nan", [float("nan")] * 5),
        pl.Series("big", [2**100] * 5, dtype=pl.Int128),
        pl.Series("raw", [b"\xff"] * 5),
        pl.Series("things", [object()] * 5, dtype=pl.Object),
        pl.Series("a|b\n", [1] * 5),
    )
    folder = make(wide, "wide", root)
    row = load(str(folder.path))["train"][4]
    assert row["file_name_"] == row["thumb_file_name_"] == row["image_"] == "mine"
    assert row["tags"] == ["b", "c"]
    assert row["length"] == dt.timedelta(seconds=1.5)
    assert row["big"] == str(2**100)
    assert "things" not in row
    card = (folder.path / "README.md").read_text()
    assert "Columns that were left out: things." in card
    assert "| a\\|b | Int64 |" in card
    shards = make(wide, "wide-shards", root, format="webdataset")
    rows = {r["__key__"]: r["json"] for r in load(str(shards.path))["train"]}
    assert rows["photo-000"]["tags"] is None
    loaded = rows["photo-004"]
    assert loaded["when"] == "2020-01-01T00:00:00"
    assert loaded["length"] == 1.5
    assert loaded["box"] == {"x": 1.0, "y": None}
    assert "nan" not in loaded
    assert "raw" not in loaded


@pytest.mark.lengthy
def test_the_embedding_is_written_only_when_asked_for(
    frame: pl.DataFrame, root: Path, load: Callable[..., Any]
) -> None:
    dataset = make(frame, "vectors", root, embedding=True)
    assert load(str(dataset.path))["train"][0]["embedding"] == [1.0, 0.0]
    assert "embedding" not in pl.read_parquet_schema(
        make(frame, "no-vectors", root).path / "train" / "metadata.parquet"
    )


def test_a_collection_is_written_and_named_on_the_card(frame: pl.DataFrame, root: Path) -> None:
    renamed = Collection("Unique\n| ones", frame.rename({"path": "file"}).head(2), "file")
    dataset = make(
        renamed,
        "from-collection",
        root,
        description="Hello\n---\nworld",
        project="P 1",
        project_description="What P is about",
    )
    card = (dataset.path / "README.md").read_text()
    assert dataset.images == 2
    assert "from the collection “Unique \\| ones”" in card
    assert "Hello\n---\nworld" in card
    assert "Project: P 1\n\nWhat P is about" in card
    assert "2 images (train 2)" in repr(dataset)
    assert "hardlink 2" in repr(dataset)


@pytest.mark.lengthy
def test_the_card_has_the_header_that_the_hub_expects(frame: pl.DataFrame, root: Path) -> None:
    from huggingface_hub import DatasetCard

    # Names that YAML would take for a truth value, a number and nothing.
    splits = frame.with_columns(part=pl.Series(["on", "12", "null", "train", "train"]))
    dataset = make(splits, "n- é 'q' # 1", root, split_column="part", description="Hi\n---\nyou")
    card = DatasetCard.load(dataset.path / "README.md")
    assert card.data.pretty_name == "n- é 'q' # 1"
    assert card.data.size_categories == ["n<1K"]
    assert card.data.tags == ["image", "deduplicated"]
    assert card.data.configs[0]["data_files"] == [
        {"split": split, "path": f"{split}/**"} for split in ("on", "12", "null", "train")
    ]
    assert card.text.startswith("\n# n- é 'q' # 1\n\nHi\n---\nyou\n")


def test_names_of_columns_and_classes_are_no_html_on_the_card(
    frame: pl.DataFrame, root: Path
) -> None:
    script = "<script>alert(1)</script>"
    dataset = make(frame.with_columns(pl.lit("x").alias(script)), "x", root)
    card = (dataset.path / "README.md").read_text()
    assert script not in card
    assert "| &lt;script&gt;alert(1)&lt;/script&gt; | String |" in card


def test_what_was_left_out_is_written_with_keeper_distance_and_reason(
    frame: pl.DataFrame, root: Path
) -> None:
    plan = frame.select(
        "path",
        "fingerprint",
        group=pl.lit(1, pl.UInt32),
        distance=pl.lit(0.25),
        keeper=pl.lit(frame["path"][0]),
        reason=pl.lit("near-duplicate"),
        action=pl.Series(["keep", "keep", "remove", "remove", "keep"]),
    )
    kept = frame.filter(plan["action"] == "keep").with_columns(
        error=pl.Series([None, None, "truncated"])
    )
    dataset = make(kept, "clean", root, removed=plan)
    removed = pl.read_parquet(dataset.path / "removed.parquet")
    assert removed.schema == REMOVED_SCHEMA
    assert removed["path"].to_list() == [frame["path"][i] for i in (2, 3, 4)]
    assert removed["reason"].to_list() == ["near-duplicate", "near-duplicate", "unreadable"]
    assert removed["keeper"].to_list() == [frame["path"][0]] * 2 + [None]
    assert removed["distance"].to_list() == [0.25, 0.25, None]
    assert removed["fingerprint"][0] == frame["fingerprint"][2]
    assert (dataset.images, dataset.removed) == (2, 3)
    card = (dataset.path / "README.md").read_text()
    assert "- near-duplicate: 2" in card
    assert "- unreadable: 1" in card


def test_a_collection_can_be_what_was_left_out(frame: pl.DataFrame, root: Path) -> None:
    duplicates = Collection("Duplicates", frame.tail(2))
    dataset = make(frame.head(3), "clean", root, removed=duplicates)
    removed = pl.read_parquet(dataset.path / "removed.parquet")
    assert removed["path"].to_list() == frame["path"][3:].to_list()


def test_removed_has_the_same_columns_when_nothing_was(frame: pl.DataFrame, root: Path) -> None:
    dataset = make(frame, "all", root)
    removed = pl.read_parquet(dataset.path / "removed.parquet")
    assert removed.schema == REMOVED_SCHEMA
    assert len(removed) == 0


@pytest.mark.lengthy
@pytest.mark.parametrize("options", [{"mode": "copy"}, {"mode": "paths"}, {"format": "webdataset"}])
def test_the_same_input_gives_the_same_bytes(
    options: dict[str, str], frame: pl.DataFrame, tmp_path: Path
) -> None:
    one = make(frame, "same", tmp_path / "one", **options)
    for file in map(Path, frame["path"]):
        os.utime(file, (1, 1))
    two = make(frame, "same", tmp_path / "two", **options)
    assert contents(one.path) == contents(two.path)


@pytest.mark.lengthy
@pytest.mark.parametrize("mode", [*MODES, "paths"])
def test_sources_are_not_changed(mode: str, frame: pl.DataFrame, root: Path) -> None:
    def state() -> list[Any]:
        stats = [(Path(p), Path(p).stat()) for p in frame["path"]]
        return [(p.read_bytes(), s.st_mtime_ns, s.st_mode, s.st_uid, s.st_ino) for p, s in stats]

    for path in frame["path"]:
        Path(path).chmod(0o440)
    before = state()
    make(frame, "a", root, mode=mode)
    with pytest.raises(DatasetError):
        make(_with_duplicate(frame), "b", root, mode=mode)
    assert state() == before


@pytest.mark.lengthy
def test_hardlinks_cost_nothing_and_copies_are_files_of_their_own(
    frame: pl.DataFrame, root: Path
) -> None:
    source = Path(frame["path"][0])
    linked = make(frame, "linked", root, mode="hardlink")
    copied = make(frame, "copied", root, mode="copy")
    assert (linked.path / "train" / source.name).samefile(source)
    assert not (copied.path / "train" / source.name).samefile(source)
    assert linked.placed == {"hardlink": 5}
    assert linked.bytes == copied.bytes == frame["bytes"].sum()


def test_a_hardlink_of_a_symbolic_link_is_one_of_its_target(
    frame: pl.DataFrame, root: Path, tmp_path: Path
) -> None:
    link = tmp_path / "links" / "link.png"
    link.parent.mkdir()
    link.symlink_to(frame["path"][0])
    dataset = make(pl.DataFrame({"path": [str(link)]}), "linked", root)
    placed = dataset.path / "train" / "link.png"
    assert not placed.is_symlink()
    assert placed.samefile(frame["path"][0])


def test_across_file_systems_hardlinks_become_copies_and_are_counted(
    frame: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        expected = preview(frame, "far", root=folder)
        dataset = make(frame, "far", Path(folder))
        assert dataset.placed == expected.placed == {"copy": 5}
        assert expected.new_bytes == dataset.bytes
        assert not (dataset.path / "train" / "photo-000.png").is_symlink()


def test_where_the_disk_refuses_hardlinks_files_are_copied(
    frame: pl.DataFrame, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert make(frame, "copied", root).placed == {"copy": 5}


def test_relative_paths_are_kept_absolute(
    frame: pl.DataFrame, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(frame["path"][0]).parent
    monkeypatch.chdir(folder)
    dataset = make(pl.DataFrame({"path": ["photo-000.png"]}), "rel", root, mode="symlink")
    monkeypatch.chdir("/")
    assert (dataset.path / "train" / "photo-000.png").read_bytes()
    metadata = pl.read_parquet(dataset.path / "train" / "metadata.parquet")
    assert metadata["source_path"][0] == str(folder / "photo-000.png")


@pytest.mark.lengthy
def test_sources_of_one_file_name_are_numbered_whatever_the_order_of_the_rows(
    tmp_path: Path, root: Path, make_photo: Callable[..., Image.Image]
) -> None:
    paths = ["a/x.png", "b/x.png", "c/X.PNG", "d/x-2.png", "e/y.png"]
    for seed, path in enumerate(paths):
        (tmp_path / path).parent.mkdir()
        make_photo(seed).save(tmp_path / path)
    frame = pl.DataFrame({"path": [str(tmp_path / path) for path in paths]})
    expected = ["x.png", "x-3.png", "X-4.PNG", "x-2.png", "y.png"]
    assert names(make(frame, "one", root)) == expected
    assert names(make(frame.reverse(), "two", root)) == expected[::-1]
    assert preview(frame, "three", root=root).renamed == 2
    with pytest.raises(DatasetError, match=r"a/x\.png and .*b/x\.png would both be train/x\.png"):
        make(frame, "four", root, on_name_clash="error")
    assert not (root / "four").exists()


@pytest.mark.lengthy
@pytest.mark.parametrize("layout", ["imagefolder", "webdataset"])
def test_hostile_file_names_stay_inside_and_load(
    layout: str,
    tmp_path: Path,
    root: Path,
    make_photo: Callable[..., Image.Image],
    load: Callable[..., Any],
) -> None:
    hostile = [
        *("..\\..\\evil.png", ".hidden.png", "a:b*c?.png", "two\nlines.png", "  .png", "con.png"),
        *("__dunder__.png", "_.._.png"),
        *("é [1]#%20 {x}.png", "no suffix", "metadata.parquet", "x.tar.png", "-rf.png"),
        "w" * 250 + ".png",
    ]
    folder = tmp_path / "hostile"
    folder.mkdir()
    for seed, name in enumerate(hostile):
        make_photo(seed).save(folder / name, "PNG")
    frame = pl.DataFrame({"path": [str(folder / name) for name in hostile]})
    dataset = make(frame, "hostile", root, format=layout)
    loaded = load(layout, data_dir=str(dataset.path))["train"]
    image = "image" if layout == "imagefolder" else "png"
    assert len(loaded) == len(hostile)
    for row in loaded:
        source = row.get("source_path") or row["json"]["source_path"]
        assert shown(row[image]) == shown(make_photo(hostile.index(Path(source).name)))


@pytest.mark.lengthy
@examples(300)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_file_name_is_safe_whatever_the_source_is_called(name: str) -> None:
    assume(name.rpartition("/")[2].strip(". "))
    safe = safe_name(f"/photos/{name}.jpg")
    assert Path(safe).name == safe
    assert not safe.startswith((".", " ", "__"))
    assert not set(safe) & set('<>:"/\\|?*\n')
    assert len(safe.encode()) <= 200
    assert Path(safe).suffix in IMAGE_SUFFIXES


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "..",
        "../up",
        "a/b",
        "a\\b",
        "/abs",
        ".hidden",
        "a[1]",
        "a\nb",
        "nul",
        "x" * 201,
    ],
)
def test_a_dataset_name_that_is_no_safe_folder_name_is_refused(
    name: str, frame: pl.DataFrame, root: Path
) -> None:
    with pytest.raises(InputError, match="dataset name"):
        make(frame, name, root)
    assert not root.exists()


@contextmanager
def refused(root: Path, match: str | None, kind: type[Exception] = DatasetError) -> Iterator[None]:
    """Check that an error is raised and nothing on disk is touched."""
    before = sorted(root.parent.rglob("*"))
    with pytest.raises(kind, match=match):
        yield
    assert sorted(root.parent.rglob("*")) == before


def _with_duplicate(frame: pl.DataFrame) -> pl.DataFrame:
    source = Path(frame["path"][0])
    copy = source.with_name("copy.bmp")
    with Image.open(source) as image:
        image.save(copy)
    return pl.concat([frame, pl.DataFrame({"path": [str(copy)]})], how="diagonal")


@pytest.mark.parametrize("there", ["folder", "empty folder", "file", "broken link"])
def test_an_existing_name_is_never_replaced(there: str, frame: pl.DataFrame, root: Path) -> None:
    root.mkdir()
    if there == "folder":
        make(frame, "taken", root)
    elif there == "empty folder":
        (root / "taken").mkdir()
    elif there == "file":
        (root / "taken").write_text("mine")
    else:
        (root / "taken").symlink_to("nowhere")
    with refused(root, "exists already; choose another name"):
        make(frame, "taken", root)


def test_a_missing_source_is_named(frame: pl.DataFrame, root: Path) -> None:
    Path(frame["path"][2]).unlink()
    with refused(root, r"1 of 5 images .*photo-002\.png: does not exist"):
        make(frame, "x", root)


@pytest.mark.parametrize(
    "options", [*({"mode": mode} for mode in (*MODES[:2], "paths")), {"format": "webdataset"}]
)
def test_a_source_that_vanishes_while_it_is_placed_is_named(
    options: dict[str, str], frame: pl.DataFrame, root: Path
) -> None:
    def vanish(done: int, _: int) -> None:
        if done == 2:
            Path(frame["path"][3]).unlink()

    with pytest.raises(DatasetError, match=r"photo-003\.png: (No such|does not exist)"):
        make(frame, "x", root, progress=vanish, **options)
    assert not root.exists()


def test_a_source_that_grows_while_it_is_placed_is_named(frame: pl.DataFrame, root: Path) -> None:
    def grow(done: int, _: int) -> None:
        if done == 2:
            with Path(frame["path"][3]).open("ab") as file:
                file.write(b"more")

    with pytest.raises(DatasetError, match=r"photo-003\.png: changed"):
        make(frame.select("path"), "x", root, progress=grow)


def test_a_source_of_another_size_than_scored_is_named(frame: pl.DataFrame, root: Path) -> None:
    with Path(frame["path"][1]).open("ab") as file:
        file.write(b"more")
    with refused(root, r"photo-001\.png: has [\d,]+ bytes, but had [\d,]+ when it was scored"):
        make(frame, "x", root)


@pytest.mark.parametrize("options", [{"mode": "hardlink"}, {"format": "webdataset"}])
def test_a_source_with_other_pixels_than_scored_is_named(
    options: dict[str, str], frame: pl.DataFrame, root: Path, make_photo: Callable[..., Image.Image]
) -> None:
    make_photo(99).save(frame["path"][1])
    with refused(root, r"photo-001\.png: changed since it was scored"):
        make(frame.drop("bytes"), "x", root, **options)


def test_fingerprints_of_another_kind_are_not_compared(frame: pl.DataFrame, root: Path) -> None:
    others = frame.with_columns(fingerprint=pl.Series([f"{i:016x}" for i in range(5)]))
    assert make(others, "x", root).images == 5


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_where_no_picture_is_what_was_scored_the_dataset_is_refused(
    frame: pl.DataFrame, root: Path, rows: int
) -> None:
    """As many bytes as before, so that only the pictures tell."""
    for path in frame["path"]:
        before = Path(path).stat().st_size
        data = io.BytesIO()
        Image.fromarray(np.random.default_rng(before).integers(0, 9, (8, 8, 3), np.uint8)).save(
            data, "PNG"
        )
        Path(path).write_bytes(data.getvalue().ljust(before, b"\0"))
    with refused(root, r"changed since it was scored .* of another program, leave it out"):
        make(frame.head(rows), "x", root)


@pytest.mark.parametrize(
    "options", [{"mode": "copy"}, {"mode": "hardlink"}, {"format": "webdataset"}]
)
def test_all_of_a_dataset_is_on_the_disk_before_it_has_its_name(
    frame: pl.DataFrame, root: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: dict[str, bool] = {}

    def sync(path: Path) -> None:
        synced[path.name] = (root / "x").exists()

    monkeypatch.setattr(_durable, "sync_file", sync)
    monkeypatch.setattr(folder, "sync_folder", sync)
    make(frame, "x", root, **options)
    there = {path.name for path in (root / "x").rglob("*")}
    assert {name for name, had_its_name in synced.items() if not had_its_name} >= there
    assert synced[root.name]


def test_a_file_that_is_no_picture_is_named(frame: pl.DataFrame, root: Path) -> None:
    Path(frame["path"][3]).write_text("<html>")
    with refused(root, r"photo-003\.png: not an image"):
        make(frame.select("path"), "x", root)


@pytest.mark.lengthy
@pytest.mark.parametrize("options", [{"mode": "copy"}, {"mode": "paths"}, {"format": "webdataset"}])
def test_exact_duplicates_are_refused_by_name_unless_allowed(
    options: dict[str, str], frame: pl.DataFrame, root: Path
) -> None:
    twice = _with_duplicate(frame)
    with refused(root, r"1 exact duplicate among 6 images: .*copy\.bmp is .*photo-000\.png"):
        make(twice, "x", root, **options)
    assert make(twice, "x", root, allow_duplicates=True, **options).images == 6


def test_one_file_under_two_paths_is_an_exact_duplicate(frame: pl.DataFrame, root: Path) -> None:
    first = Path(frame["path"][0])
    again = first.with_name("link.png")
    again.symlink_to(first)
    with refused(root, "1 exact duplicate among 2 images"):
        make(pl.DataFrame({"path": [str(first), str(again)]}), "x", root)


def test_an_image_cannot_be_both_in_the_dataset_and_removed(
    frame: pl.DataFrame, root: Path
) -> None:
    with refused(root, r"2 images are both in the dataset and removed, .*photo-003", InputError):
        make(frame, "x", root, removed=frame.tail(2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "move"}, "mode is 'move'"),
        ({"format": "zip"}, "format is 'zip'"),
        ({"format": "webdataset", "mode": "paths"}, "mode='paths' needs"),
        ({"on_name_clash": "guess"}, "on_name_clash is 'guess'"),
        ({"split": "../up"}, "cannot be the name of a split"),
        ({"split": "all"}, "cannot be the name of a split"),
        ({"split_column": "part"}, "needs a column 'part'"),
        ({"split_column": "label"}, r"names no split for 1 images, .*photo-002"),
        ({"path": "file"}, "needs a column 'file'"),
        ({"shard_bytes": 0}, "shard_bytes is 0"),
        ({"description": "a\ud800"}, "the description holds half a character"),
        ({"project": 3}, "project is 3; give a text"),
        ({"project_description": "\udfff"}, "project_description holds half a character"),
        ({"removed": pl.DataFrame({"path": ["x"], "distance": ["far"]})}, "columns of removed"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    options: dict[str, Any], message: str, frame: pl.DataFrame, root: Path
) -> None:
    with refused(root, message, InputError):
        make(frame, "x", root, **options)


def test_a_root_that_no_folder_can_be_called_is_refused(frame: pl.DataFrame, root: Path) -> None:
    with refused(root, "no folder can be called", InputError):
        make(frame, "x", Path(f"{root}\0"))


@pytest.mark.parametrize("address", ["s3://bucket/datasets", "hf://datasets", "file:///tmp"])
def test_a_root_that_is_an_address_is_refused(
    address: str, frame: pl.DataFrame, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root.parent)
    with refused(root, f"root is '{address}'.*choose a local root=", InputError):
        make(frame, "x", address)  # type: ignore[arg-type]


@pytest.mark.lengthy
@pytest.mark.parametrize("below", ["", "datasets", "deep/er"])
def test_scans_leave_out_a_dataset_among_its_sources(below: str, frame: pl.DataFrame) -> None:
    photos = Path(frame["path"][0]).parent
    found = find_images(photos)
    for number, options in enumerate(
        ({}, *({"mode": mode} for mode in ("copy", "symlink", "paths")), {"format": "webdataset"})
    ):
        made = make(frame, f"x{number}", photos / below, **options)
        assert find_images(photos) == found
    make(frame, "hidden", photos / ".datasets" / below)
    assert find_images(photos) == found
    assert made.path.is_relative_to(photos)


class Pixels:
    """A model: the picture at 8 x 8 pixels."""

    def encode(self, images: list[Image.Image]) -> Any:
        return np.stack([np.asarray(i.resize((8, 8)), np.float32).ravel() - 100 for i in images])


@pytest.mark.lengthy
@pytest.mark.parametrize("mode", MODES)
def test_scored_again_a_dataset_of_what_stays_has_no_exact_duplicate(
    mode: str, photo_folder: Callable[..., Path], root: Path
) -> None:
    options: dict[str, Any] = {"model": Pixels(), "progress": False}
    scored = score(photo_folder(6, copies=4), **options)
    assert scored.filter(pl.col("kind") == "exact").height == 5
    kept = scored.filter("keep")
    dataset = make(kept, "clean", root, removed=scored.filter(~pl.col("keep")), mode=mode)
    again = score(dataset.path, **options)
    assert len(again) == dataset.images == 6
    assert not again.filter((pl.col("kind") == "exact") | (pl.col("uniqueness") == 0)).height
    assert sorted(again["fingerprint"]) == sorted(kept["fingerprint"])


def test_splits_that_are_one_folder_on_some_disks_are_refused(
    frame: pl.DataFrame, root: Path
) -> None:
    parts = frame.with_columns(part=pl.Series(["train", "Train", "train", "train", "train"]))
    with refused(root, "'train' and 'Train' would be one folder", InputError):
        make(parts, "x", root, split_column="part")


def test_a_frame_without_readable_images_is_refused(frame: pl.DataFrame, root: Path) -> None:
    for nothing in (frame.head(0), frame.with_columns(error=pl.lit("truncated"))):
        with refused(root, "no readable image", InputError):
            make(nothing, "x", root)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let the system refuse longer files, as a full disk does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(
    ("size", "options"),
    [(1_000, {"mode": "copy"}), (100, {"mode": "hardlink"}), (30_000, {"format": "webdataset"})],
)
def test_a_disk_that_fills_up_leaves_nothing(
    size: int, options: dict[str, str], frame: pl.DataFrame, root: Path
) -> None:
    with refused(root, "x could not be written: .*the disk is full"), largest_file(size):
        make(frame, "x", root, **options)


def test_too_little_room_is_found_before_anything_is_written(
    frame: pl.DataFrame, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
    with refused(root, r"x needs [\d.]+ kB, but only 1 Byte are free"):
        make(frame, "x", root, mode="copy")
    assert make(frame, "x", root, mode="hardlink").images == 5


def test_a_root_that_is_a_file_is_refused(frame: pl.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with refused(tmp_path / "x", "cannot write to .*choose another root"):
            make(frame, "x", root)


def test_an_interrupt_leaves_nothing(frame: pl.DataFrame, root: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        assert total == 10
        if done == 8:
            raise KeyboardInterrupt

    with refused(root, None, KeyboardInterrupt):
        make(frame, "x", root, progress=interrupt)


@pytest.mark.parametrize("step", [1, 5, 10])
@pytest.mark.parametrize("options", [{"mode": "copy"}, {"format": "webdataset"}])
def test_an_error_in_the_function_that_is_told_of_progress_stops_and_leaves_nothing(
    options: dict[str, str], step: int, frame: pl.DataFrame, root: Path
) -> None:
    def cancel(done: int, total: int) -> None:
        if done == step:
            raise RuntimeError("cancelled")

    with refused(root, "cancelled", RuntimeError):
        make(frame, "x", root, progress=cancel, **options)


KILLED = """
import os, signal, sys
import polars as pl
from dedup_widgets.dataset import create_dataset

def kill(done, total):
    if done == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

frame = pl.DataFrame({"path": sys.argv[4:]})
create_dataset(frame, "clean", root=sys.argv[1], format=sys.argv[2], progress=kill)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layout", "step"), [("imagefolder", 2), ("imagefolder", 10), ("webdataset", 3)]
)
def test_a_killed_run_leaves_nothing_under_the_name_and_the_next_run_cleans_up(
    layout: str, step: int, frame: pl.DataFrame, root: Path
) -> None:
    arguments = [str(root), layout, str(step), *frame["path"]]
    process = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert process.returncode == -signal.SIGKILL
    assert [file.name for file in root.iterdir()] == [".clean.dedup-partial"]
    make(frame, "other", root)
    assert [file.name for file in root.iterdir()] == ["other"]
    make(frame, "clean", root)
    assert sorted(file.name for file in root.iterdir()) == ["clean", "other"]
    assert all(Path(path).exists() for path in frame["path"])


@pytest.mark.lengthy
def test_a_run_at_work_is_neither_cleaned_up_nor_joined(frame: pl.DataFrame, root: Path) -> None:
    half, go_on = threading.Event(), threading.Event()

    def wait(done: int, _: int) -> None:
        if done == 3:
            half.set()
            assert go_on.wait(30)

    thread = threading.Thread(target=make, args=(frame, "slow", root), kwargs={"progress": wait})
    thread.start()
    try:
        assert half.wait(30)
        make(frame, "quick", root)
        with pytest.raises(DatasetError, match="another process is creating 'slow'"):
            make(frame, "slow", root)
    finally:
        go_on.set()
        thread.join()
    assert sorted(file.name for file in root.iterdir()) == ["quick", "slow"]
    assert len(names(Dataset("slow", root / "slow", "imagefolder", 5, 0, {}, {}, 0))) == 5


def test_a_hidden_folder_that_is_a_link_is_not_followed(frame: pl.DataFrame, root: Path) -> None:
    mine = root.parent / "mine"
    (mine / "folder").mkdir(parents=True)
    root.mkdir()
    (root / ".x.dedup-partial").symlink_to(mine)
    make(frame, "other", root)
    with refused(root, "another process is creating 'x'"):
        make(frame, "x", root)
    assert [file.name for file in mine.iterdir()] == ["folder"]


def test_a_name_that_someone_else_takes_meanwhile_is_not_replaced(
    frame: pl.DataFrame, root: Path
) -> None:
    def take(done: int, total: int) -> None:
        if done == total:
            (root / "x").mkdir()

    with pytest.raises(DatasetError, match="made by someone else meanwhile"):
        make(frame, "x", root, progress=take)
    assert [file.name for file in root.iterdir()] == ["x"]
    assert not list((root / "x").iterdir())


@pytest.mark.parametrize(
    "options", [*({"mode": mode} for mode in (*MODES, "paths")), {"format": "webdataset"}]
)
def test_the_preview_says_what_is_written_then_and_writes_nothing(
    options: dict[str, str], frame: pl.DataFrame, root: Path
) -> None:
    rows = frame.with_columns(error=pl.Series([None, None, None, None, "truncated"]))
    with refused(root, None, ZeroDivisionError):
        seen = preview(rows, "x", root=root, **options)
        raise ZeroDivisionError
    dataset = make(rows, "x", root, **options)
    assert (seen.path, seen.images, seen.bytes) == (dataset.path, dataset.images, dataset.bytes)
    assert (seen.splits, seen.placed) == (dataset.splits, dataset.placed)
    assert (seen.removed, seen.unreadable) == (dataset.removed, 1)
    pictures = [f for f in dataset.path.glob("train/*") if f.name != "metadata.parquet"]
    if options.get("mode") in ("copy", "hardlink"):
        linked = options["mode"] == "hardlink"
        assert seen.new_bytes == (0 if linked else sum(f.stat().st_size for f in pictures))
    elif "format" in options:
        assert abs(seen.new_bytes - pictures[0].stat().st_size) < tarfile.RECORDSIZE
    else:
        assert seen.new_bytes == 0


def test_the_preview_refuses_what_creating_would(frame: pl.DataFrame, root: Path) -> None:
    Path(frame["path"][0]).unlink()
    with refused(root, "does not exist"):
        preview(frame, "x", root=root)
    with refused(root, "dataset name", InputError):
        preview(frame, "../x", root=root)


def test_shards_hold_plain_json_and_no_owner_or_time(frame: pl.DataFrame, root: Path) -> None:
    dataset = make(frame, "x", root, format="webdataset")
    with tarfile.open(dataset.path / "train" / "x-000000.tar") as tar:
        members = tar.getmembers()
        row = json.load(tar.extractfile("photo-004.json"))  # type: ignore[arg-type]
    assert row["group"] == 7
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in members} == {(0, 0, 0, "", "")}
