"""A dataset of `datasets` whose pictures are files is scored as it is."""

import pytest

import dedup_widgets as dw
from dedup_widgets.errors import InputError
from dedup_widgets.scoring.of_datasets import frame_of, is_of_datasets

pytestmark = pytest.mark.lengthy
datasets = pytest.importorskip("datasets")


@pytest.fixture
def files(tmp_path, make_photo):
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for i, path in enumerate(paths):
        make_photo(i % 2).save(path)
    return list(map(str, paths))


def dataset(**columns):
    columns = {"image": columns.pop("image"), **columns}
    return datasets.Dataset.from_dict(columns).cast_column("image", datasets.Image())


def test_files_and_columns_of_a_dataset_are_scored(files):
    data = dataset(image=files, label=[0, 1, 0], n=[1, 2, 3])
    data = data.cast_column("label", datasets.ClassLabel(names=["cat", "dog"]))
    assert is_of_datasets(data)
    df = dw.score(data, model="perceptual", progress=False)
    assert df["path"].to_list() == files
    assert df["label"].to_list() == ["cat", "dog", "cat"]
    assert df["n"].to_list() == [1, 2, 3]
    assert df["kind"].to_list() == ["exact", "unique", "exact"]


def test_splits_of_a_dataset_are_a_column(files):
    both = datasets.DatasetDict(train=dataset(image=files[:2]), test=dataset(image=files[2:]))
    df = dw.score(both, model="perceptual", progress=False)
    assert df["split"].to_list() == ["train", "train", "test"]
    assert dw.leakage(df, "split").height == 2


def test_what_has_no_files_is_refused_with_the_remedy(files, make_photo):
    in_memory = dataset(image=[make_photo(1)])
    gone = dataset(image=["no.png"])
    for data in (in_memory, gone, datasets.DatasetDict(train=in_memory)):
        with pytest.raises(InputError, match=r"not in files of their own; write them .*\.save\("):
            frame_of(data)
    no_pictures = datasets.Dataset.from_dict({"text": ["a"]})
    streamed = dataset(image=files).to_iterable_dataset()
    for data in (no_pictures, streamed, datasets.DatasetDict()):
        with pytest.raises(InputError, match="pass the folder that holds its pictures"):
            frame_of(data)
