"""Folders mean something: splits and classes, where the tree is clear."""

import polars as pl
import pytest

import dedup_widgets as dw
from dedup_widgets.errors import InputError
from dedup_widgets.frame.tree import columns_of_tree


def columns(*names, sure=False):
    return columns_of_tree([f"/d/{name}" for name in names], "/d", sure=sure).to_dict(
        as_series=False
    )


@pytest.mark.parametrize(
    ("names", "split", "label"),
    [
        (
            ["train/cat/1.jpg", "train/dog/1.jpg", "test/cat/2.jpg"],
            "train train test",
            "cat dog cat",
        ),
        (["cat/1.jpg", "dog/1.jpg", "dog/2.jpg"], None, "cat dog dog"),
        (["0/1.png", "1/1.png", "2/1.png"], None, "0 1 2"),
        (["train/1.jpg", "val/1.jpg"], "train val", None),
        (["images/train/1.jpg", "images/val/2.jpg"], "train val", None),
        (["train/images/1.jpg", "valid/images/2.jpg"], "train valid", None),
        (["imagenet/train/n01/1.jpg", "imagenet/val/n02/2.jpg"], "train val", "n01 n02"),
        (["Training/a/1.jpg", "Testing/b/1.jpg"], "Training Testing", "a b"),
        (["train/1.jpg", "train/2.jpg"], "train train", None),
        (["train2017/1.jpg", "val2017/2.jpg"], "train2017 val2017", None),
        (["train-set/a/1.jpg", "test-set/b/2.jpg"], "train_set test_set", "a b"),
        (["seg_train/sea/1.jpg", "seg_test/sky/2.jpg"], "seg_train seg_test", "sea sky"),
        (
            ["cat/train/1.jpg", "dog/train/2.jpg", "cat/test/3.jpg"],
            "train train test",
            "cat dog cat",
        ),
        (["train/train/cat/1.jpg", "test/test/dog/2.jpg"], "train test", "cat dog"),
        (["jar/train/good/1.jpg", "nut/test/bad/2.jpg"], "train test", None),
        (["trains/1.jpg", "trainers/2.jpg"], None, "trains trainers"),
        # Not clear:
        (["1.jpg", "cat/1.jpg"], None, None),
        (["2019/1.jpg", "2020/1.jpg"], None, None),
        (["2019-05 Rome/1.jpg", "Paris/1.jpg"], None, None),
        (["100CANON/1.jpg", "101CANON/1.jpg"], None, None),
        (["camera/1.jpg", "phone/1.jpg"], None, None),
        (["ch1/1.jpg", "ch2/1.jpg"], None, None),
        (["originals/1.jpg", "export/1.jpg"], None, None),
        (["cat/1.jpg", "cat/2.jpg"], None, None),
        (["cat/old/1.jpg", "dog/2.jpg"], None, None),
        (["train/1.jpg", "cat/2.jpg"], None, None),
        (["1.jpg", "2.jpg"], None, None),
        (["holiday/test/1.jpg", "party/test/2.jpg"], None, None),
        (["cat/train/1.jpg", "dog/2.jpg"], None, None),
        ([], None, None),
    ],
)
def test_a_clear_tree_names_splits_and_classes(names, split, label):
    expected = {"split": split, "label": label}
    assert columns(*names) == {k: v.split() for k, v in expected.items() if v}


def test_images_to_test_on_may_have_no_classes():
    found = columns("train/cat/1.jpg", "train/dog/2.jpg", "test/3.jpg")
    assert found == {"split": ["train", "train", "test"], "label": ["cat", "dog", None]}


def test_what_lies_beside_the_folders_of_splits_is_in_none():
    found = columns("train/cat/1.jpg", "train/dog/2.jpg", "test/cat/3.jpg", "preview.jpg")
    assert found["split"] == ["train", "train", "test", None]
    assert found["label"] == ["cat", "dog", "cat", None]
    assert columns("train/1.jpg", "preview.jpg") == {}


def test_folders_are_labels_where_the_caller_says_so():
    assert columns("2019/1.jpg", "a/b/2.jpg", "3.jpg", sure=True) == {"label": ["2019", "b", None]}


@pytest.fixture
def tree(tmp_path, make_photo):
    """Return a folder of two splits and classes; one picture is in both splits, with two labels."""
    seed = 0
    for split, count in (("train", 3), ("test", 2)):
        for label in ("cat", "dog"):
            folder = tmp_path / "in" / split / label
            folder.mkdir(parents=True)
            for i in range(count):
                seed += 1
                make_photo(seed).save(folder / f"{i:04}.png")
    make_photo(1).save(tmp_path / "in" / "test" / "dog" / "leak.png")
    return tmp_path / "in"


def score(images, **options):
    return dw.score(images, model="perceptual", progress=False, **options)


@pytest.mark.lengthy
def test_splits_and_labels_of_folders_are_columns_and_said(tree):
    df = score(tree)
    assert df["split"].value_counts().sort("split").rows() == [("test", 5), ("train", 6)]
    assert df["label"].n_unique() == 2
    review = dw.Session(df)
    assert "split (2) and label (2) by folder" in str(review.summary)
    assert review.disagreements == {"label_conflicts": 1, "leakage": 1}
    assert len(dw.leakage(df, "split")) == len(dw.label_conflicts(df, "label")) == 2


@pytest.mark.lengthy
def test_labels_can_be_asked_for_and_refused(tree):
    assert {"split", "label"}.isdisjoint(score(tree, labels=None).columns)
    assert score(tree / "train", labels="folders")["label"].to_list() == ["cat"] * 3 + ["dog"] * 3
    with pytest.raises(InputError, match="labels is 'yes'"):
        score(tree, labels="yes")


@pytest.mark.lengthy
def test_a_frame_keeps_its_own_columns_and_gets_none_of_its_folders(tree):
    df = score(tree)
    mine = df.select("path", split=pl.lit("all"))
    assert "label" not in score(mine).columns
    assert score(mine)["split"].unique().to_list() == ["all"]
