from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from benchmarks.quality import measure, thresholds, truth
from benchmarks.quality.edits import EQUAL, FURTHER, STANDARD, open_photo
from benchmarks.quality.negatives import DRAWN
from dedup_widgets.images.decode import decode

ALL = (*STANDARD, *FURTHER)


def photo(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(coarse).resize((120, 90), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(6):
        photo(seed).save(folder / f"photo-{seed}.jpg", quality=95)
    return folder


@pytest.mark.lengthy
def test_every_edit_is_made_and_no_name_says_which_is_which(photos: Path, tmp_path: Path) -> None:
    table = truth.make(photos, tmp_path / "made", truth.Size(photos=1, each=1, share=0.01))
    assert set(table["edit"]) >= {edit.name for edit in ALL}
    assert set(table["set"]) >= {kind.name for kind in DRAWN}
    assert all(Path(path).is_file() for path in table["path"])
    edited = table.filter(set=truth.STANDARD_SET)
    assert edited["source"].n_unique() == 1
    assert edited["path"].str.contains(r"/0000-[0-9a-f]{6}\.(jpg|png|webp)$").all()


@pytest.mark.lengthy
@pytest.mark.parametrize("edit", ALL, ids=lambda edit: edit.name)
def test_an_edit_is_the_same_twice_and_exact_just_where_it_says_so(
    photos: Path, tmp_path: Path, edit
) -> None:
    source = photos / "photo-0.jpg"
    copy = edit.write(source, open_photo(source), tmp_path / "copy")
    again = edit.write(source, open_photo(source), tmp_path / "again")
    assert copy.read_bytes() == again.read_bytes()
    equal = decode(copy.read_bytes()).fingerprint == decode(source.read_bytes()).fingerprint
    assert equal == (edit.name in EQUAL)


@pytest.mark.lengthy
@pytest.mark.parametrize("kind", DRAWN, ids=lambda kind: kind.name)
def test_drawn_negatives_differ_from_each_other_and_not_from_run_to_run(
    tmp_path: Path, kind
) -> None:
    made = [path.read_bytes() for path, _ in kind.write(tmp_path, share=0.01)]
    assert len(set(made)) == len(made) > 0
    assert [path.read_bytes() for path, _ in kind.write(tmp_path, share=0.01)] == made


def hand_made() -> pl.DataFrame:
    """Two photos: of a, all but the crop in one group, with a stranger; b is found in two parts."""
    rows = [
        ("a", "original", 1, False, "exact"),
        ("a", "PNG", 1, True, "exact"),
        ("a", "grey", 1, False, "near"),
        ("a", "crop", None, True, "unique"),
        ("b", "original", 2, False, "near"),
        ("b", "PNG", 2, False, "near"),
        ("b", "grey", 2, True, "near"),
        ("b", "crop", 3, True, "near"),
        ("b", "flip", 3, False, "near"),
        ("c", "original", 1, False, "near"),
    ]
    columns = ["source", "edit", "group", "keep", "kind"]
    return pl.DataFrame(rows, columns, orient="row").with_columns(set=pl.lit("made"))


def test_pairs_are_counted_within_groups() -> None:
    # In groups: 6 + 3 + 1 pairs; of them of one source 3 + 3 + 1; in truth 6 + 10.
    found = measure.pairs(hand_made())
    assert (found["true"], found["found"], found["wrong"]) == (16, 7, 3)
    assert found["precision"] == 7 / 10
    assert found["recall"] == 7 / 16
    assert found["f1"] == pytest.approx(2 * 0.7 * (7 / 16) / (0.7 + 7 / 16))


def test_recall_of_an_edit_counts_those_beside_their_original() -> None:
    found = {one["edit"]: one for one in measure.edits(hand_made())}
    assert found["PNG"]["with_original"] == found["grey"]["with_original"] == 1
    assert (found["crop"]["with_original"], found["crop"]["with_any"]) == (0, 0.5)
    assert (found["flip"]["with_original"], found["flip"]["with_any"]) == (0, 1)


def test_exact_copies_and_keepers_are_judged_by_source_and_group() -> None:
    assert measure.exact(hand_made()) == {"sources": 2, "right": 1, "wrong": 0}
    kept = measure.keepers(hand_made())
    assert kept == {"groups": 2, "right": 1, "instead": {"grey": 1}}


def test_relations_are_those_of_copies_to_their_original() -> None:
    rows = [
        ("1", "a", "original", "2", "recoloured"),
        ("2", "a", "grey", "1", "recoloured"),
        ("3", "a", "crop", "1", "cropped"),
        ("4", "b", "original", "5", "re-encoded"),
        ("5", "b", "crop", "4", "rotated"),
        ("6", "b", "flip", "5", "flipped"),  # of another copy
        ("7", "b", "grey", "1", "recoloured"),  # of another photo
    ]
    columns = ["path", "source", "edit", "nearest", "relation"]
    found = {
        one["edit"]: one for one in measure.relations(pl.DataFrame(rows, columns, orient="row"))
    }
    assert set(found) == {"grey", "crop"}
    assert found["grey"]["as"] == {"recoloured": 1}
    assert found["crop"]["as"] == {"cropped": 1, "rotated": 1}
    assert measure.relations(hand_made()) == []


def test_whatever_is_called_near_counts_against_negatives() -> None:
    (found,) = measure.negatives(hand_made())
    assert (found["images"], found["called"], found["dropped"]) == (10, 9, 6)
    assert found["variations"]["crop"] == 0.5


def test_a_threshold_is_the_largest_that_is_precise_enough() -> None:
    frame = pl.DataFrame({"path": ["1", "2", "3", "4"], "source": ["a", "a", "a", "b"]})
    distance = np.full((4, 4), 9, np.float32)
    distance[0, 1] = distance[1, 0] = 1
    distance[0, 2] = distance[2, 0] = 3
    distance[1, 3] = distance[3, 1] = 2
    assert thresholds.strict(distance, frame) == 1
    assert thresholds.best(distance, frame) == 3
    grouped = thresholds.group(distance, frame, 1)
    assert grouped["group"].to_list() == [0, 0, None, None]
    assert grouped["keep"].to_list() == [True, False, True, True]
