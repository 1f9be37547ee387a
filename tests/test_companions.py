"""What belongs to a picture follows it; splits and classes reach the dataset and its loaders."""

import json
import tempfile
import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import dedup_widgets as dw
from dedup_widgets.dataset.tables import read_table
from dedup_widgets.images.companions import companions_of, masks_among
from dedup_widgets.images.listing import list_images

pytestmark = pytest.mark.lengthy


def score(images, **options):
    return dw.score(images, model="perceptual", progress=False, **options)


@pytest.fixture
def make(tmp_path):
    def make(frame, name="clean", **options):
        return dw.create_dataset(frame, name, root=tmp_path / "datasets", progress=False, **options)

    return make


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    datasets.disable_progress_bars()
    return lambda *args, **options: datasets.load_dataset(
        *args, cache_dir=tempfile.mkdtemp(dir=tmp_path), **options
    )


def files(made, split="train"):
    folder = made.path / split
    return sorted(
        str(p.relative_to(folder))
        for p in folder.rglob("*")
        if p.is_file() and p.name != "metadata.parquet"
    )


@pytest.fixture
def yolo(tmp_path, make_photo):
    """Return images/ and labels/ of two splits, as YOLO has them."""
    for seed, name in enumerate(("train/a", "train/b", "val/a")):
        for folder, suffix in (("images", "jpg"), ("labels", "txt")):
            path = tmp_path / "in" / folder / f"{name}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            if suffix == "jpg":
                make_photo(seed).save(path)
            else:
                path.write_text(f"{seed} 0.5 0.5 0.2 0.2\n")
    return tmp_path / "in"


@pytest.mark.parametrize("mode", ["hardlink", "copy", "symlink"])
def test_labels_beside_the_folder_of_pictures_follow_their_picture(yolo, make, mode):
    made = make(score(yolo), mode=mode)
    assert files(made) == ["a.jpg", "a.txt", "b.jpg", "b.txt"]
    assert files(made, "val") == ["a.jpg", "a.txt"]
    assert (made.path / "val" / "a.txt").read_text().startswith("2 ")
    assert (made.companions, made.left_behind) == (3, 0)
    assert "3 companion files" in repr(made)


def test_sidecars_keep_their_way_of_naming_and_follow_new_names(tmp_path, make_photo, make):
    for seed, name in enumerate(("a/1.jpg", "b/1.jpg")):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True)
        make_photo(seed).save(path)
        for suffix in (".txt", ".jpg.xmp", ".xml"):
            path.with_name(f"1{suffix}").write_text(name)
    made = make(score(tmp_path / "in"))
    names = [f"1{n}{s}" for n in ("", "-2") for s in (".jpg", ".jpg.xmp", ".txt", ".xml")]
    assert files(made) == sorted(names)
    table = read_table(made.path / "train" / "metadata.parquet")
    for name, source in table.select("file_name", "source_path").rows():
        said = (made.path / "train" / name).with_suffix(".txt").read_text()
        assert source.endswith(said)


@pytest.mark.parametrize(
    ("name", "placed"),
    [
        ("{}.jpg.supplemental-metadata.json", "{}.jpg.supplemental-metadata.json"),
        ("{}.jpg.supplemental-me.json", "{}.jpg.supplemental-me.json"),
        ("{}.jpg.aux.xml", "{}.jpg.aux.xml"),
        ("{}.jpg.whatever", "{}.jpg.whatever"),
        ("{}.wav", "{}.wav"),
        ("{}.gpx", "{}.gpx"),
        ("{}.keypoints.json", "{}.keypoints.json"),
        ("{}.JPG.xmp", "{}.jpg.xmp"),
        ("{}.prompt", "{}.prompt"),
        ("{}.jpg.bak", None),
        ("{}.zip", None),
        ("{}.jpg.zip", None),
        ("{}.mp4", None),
        ("{}x.txt", None),
    ],
)
def test_what_programs_write_beside_a_picture_follows_it(tmp_path, make_photo, make, name, placed):
    content = b'{"title": "1.jpg"}' if name.endswith("json") else b"<PAMDataset></PAMDataset>"
    for seed, folder in enumerate("ab"):
        path = tmp_path / "in" / folder / "1.jpg"
        path.parent.mkdir(parents=True)
        make_photo(seed).save(path)
        other = path.with_name(name.format("1"))
        if name.endswith(".bak"):
            make_photo(seed).save(other, "JPEG")
        else:
            other.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        df = score(tmp_path / "in").filter(pl.col("path").str.ends_with(".jpg"))
    expected = ["1-2.jpg", "1.jpg"]
    expected += [placed.format(stem) for stem in ("1", "1-2")] if placed else []
    assert "annotations" not in df.columns
    assert files(make(df)) == sorted(expected)


def test_what_google_says_of_a_picture_with_a_number_follows_that(tmp_path, make_photo):
    pictures = [tmp_path / name for name in ("1.jpg", "1(1).jpg", "2(3).png")]
    for seed, path in enumerate(pictures):
        make_photo(seed).save(path)
    said = ["1.jpg.supplemental-metadata.json", "1.jpg.supplemental-metadata(1).json"]
    said.append("2.png(3).json")
    for name in said:
        (tmp_path / name).write_text("{}")
    found = companions_of(list(map(str, pictures)))
    assert [its.sidecars for its in found] == [(str(tmp_path / name),) for name in said]


def test_what_google_cuts_short_follows_the_only_picture_that_it_can_be_of(tmp_path, make_photo):
    name = "a name that is longer than what Google leaves of it"
    one, two, both = f"{name}.jpg", f"b{name}, and more.jpg", f"b{name}, and less.jpg"
    said = f"{one[:46]}.json", f"b{name[:45]}.json"
    for seed, picture in enumerate((one, two, both)):
        make_photo(seed).save(tmp_path / picture)
    for text in said:
        (tmp_path / text).write_text("{}")
    found = companions_of([str(tmp_path / picture) for picture in (one, two, both)])
    assert [its.sidecars for its in found] == [(str(tmp_path / said[0]),), (), ()]


def test_a_file_belongs_to_the_picture_whose_name_it_has_longest_and_as_written(
    tmp_path, make_photo
):
    pictures = ["a.jpg", "a.b.jpg", "C.jpg", "c.jpg", "D.jpg"]
    for seed, picture in enumerate(pictures):
        make_photo(seed).save(tmp_path / picture)
    for text in ("a.txt", "a.b.txt", "a.b.jpg.xmp", "c.txt", "d.txt"):
        (tmp_path / text).write_text("words")
    found = companions_of([str(tmp_path / picture) for picture in pictures])
    names = [sorted(Path(it).name for it in its.sidecars) for its in found]
    if not (tmp_path / "A.JPG").exists():
        assert names == [["a.txt"], ["a.b.jpg.xmp", "a.b.txt"], [], ["c.txt"], ["d.txt"]]


def test_two_pictures_of_one_stem_keep_their_labels_apart(tmp_path, make_photo, make):
    for seed, (folder, suffix) in enumerate((("a", "jpg"), ("b", "png"))):
        (tmp_path / folder).mkdir()
        make_photo(seed).save(tmp_path / folder / f"1.{suffix}")
        (tmp_path / folder / "1.txt").write_text(folder)
    made = make(score([tmp_path / "a", tmp_path / "b"]))
    texts = {
        name: (made.path / "train" / name).read_text() for name in files(made) if ".txt" in name
    }
    assert texts == {"1.txt": "a", "1.png.txt": "b"}


def test_what_a_format_has_no_place_for_is_counted_as_left_behind(yolo, make):
    df = score(yolo)
    for options in ({"format": "webdataset"}, {"mode": "paths"}):
        made = make(df, name="-".join(options.values()), **options)
        assert (made.companions, made.left_behind) == (0, 3)
        assert "3 companion files left behind" in repr(made)
        assert "3 files of labels" in (made.path / "README.md").read_text()


@pytest.mark.parametrize(
    "mask", ["masks/{}.png", "in/{}_mask.png", "in/{}.mask.png", "SegmentationClass/{}.png"]
)
def test_masks_are_no_pictures_follow_theirs_and_are_loaded(tmp_path, make_photo, make, load, mask):
    folder = "in" if mask.startswith("in") else "images"
    for seed in range(3):
        picture = tmp_path / "set" / folder / f"{seed}.jpg"
        its = tmp_path / "set" / mask.format(seed)
        for path in (picture, its):
            path.parent.mkdir(parents=True, exist_ok=True)
        make_photo(seed).save(picture)
        if seed < 2:
            Image.fromarray(np.full((120, 160), seed + 1, np.uint8)).save(its)
    found = list_images(tmp_path / "set")
    assert len(found.paths) == 3
    assert found.not_taken["masks of pictures"] == {".png": 2}
    made = make(score(tmp_path / "set"))
    assert files(made) == ["0.jpg", "1.jpg", "2.jpg", "masks/0.png", "masks/1.png"]
    loaded = load("imagefolder", data_dir=str(made.path))["train"]
    assert [None if it is None else np.asarray(it).max() for it in loaded["mask"]] == [1, 2, None]


def written(folder, make_photo, *names, masks=()):
    """Write pictures and masks of one size into folders, and return their paths."""
    photo = make_photo(1)
    for name in (*names, *masks):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        its = Image.new("L", photo.size)
        its.paste(255, (20, 10, 90, 70))
        (its if name in masks else photo).save(folder / name)
    return [str(folder / name) for name in (*names, *masks)]


LAYOUTS = [
    ("train/1.jpg", "train_masks/1_mask.gif"),
    ("train/1.jpg", "train-masks/1.png"),
    ("images_png/1.png", "masks_png/1.png"),
    ("a/images_png/1.png", "a/masks_png/1.png"),
    ("images/1.jpg", "annotations/trimaps/1.png"),
    ("images/1.jpg", "binary_masks/1.png"),
    ("imgs/1.jpg", "imgs masks/1.png"),
    ("cat_images/1.jpg", "cat_masks/1.png"),
    ("images/a/1.jpg", "masks/a/1.png"),
    ("leftImg8bit/train/ulm/u_1_leftImg8bit.png", "gtFine/train/ulm/u_1_gtFine_labelIds.png"),
    ("leftImg8bit/train/ulm/u_1_leftImg8bit.png", "gtFine/train/ulm/u_1_gtFine_color.png"),
    ("bottle/test/broken/000.png", "bottle/ground_truth/broken/000_mask.png"),
    ("test/broken/000.png", "ground_truth/broken/000_mask.png"),
    ("JPEGImages/2007_27.jpg", "SegmentationObject/2007_27.png"),
    ("train/0001TP_1.png", "trainannot/0001TP_1.png"),
    ("701_StillsRaw_full/0001TP_1.png", "LabeledApproved_full/0001TP_1_L.png"),
    ("images/training/ADE_train_1.jpg", "annotations/training/ADE_train_1.png"),
    ("training/a/abbey/ADE_train_1.jpg", "training/a/abbey/ADE_train_1_seg.png"),
    ("JPEGImages/480p/bear/00000.jpg", "Annotations/480p/bear/00000.png"),
    ("images/10k/train/x.jpg", "labels/sem_seg/masks/train/x.png"),
    ("train2017/01.jpg", "annotations/panoptic_train2017/01.png"),
    ("stage1/ab12/images/ab12.png", "stage1/ab12/masks/77f0.png"),
    ("image_2/000_10.png", "semantic/000_10.png"),
    ("119_sat.jpg", "119_mask.png"),
    ("images/img_001.jpg", "masks/mask_001.png"),
    ("1.jpg", "1_mask_2.png"),
    ("snow/1.jpg", "snow/masks/1.png"),
    ("фото/снимок1.jpg", "masks/снимок1-seg.png"),
]


@pytest.mark.parametrize(("picture", "mask"), LAYOUTS)
def test_masks_are_known_in_the_layouts_there_are(tmp_path, make_photo, picture, mask):
    paths = written(tmp_path, make_photo, picture, masks=[mask])
    found = list_images(tmp_path)
    assert found.paths == paths[:1]
    assert sum(found.not_taken["masks of pictures"].values()) == 1
    assert companions_of(paths[:1])[0].masks == (paths[1],)


@pytest.mark.parametrize(("picture", "mask"), LAYOUTS)
def test_photos_where_masks_would_lie_are_pictures(tmp_path, make_photo, picture, mask):
    paths = written(tmp_path, make_photo, picture, mask)
    assert list_images(tmp_path).paths == sorted(paths)
    assert companions_of(paths[:1])[0].masks == ()


@pytest.mark.parametrize("size", [(40, 30), (100, 120)])
def test_what_has_another_shape_is_no_mask(tmp_path, make_photo, size):
    picture, mask = written(tmp_path, make_photo, "images/1.jpg", masks=["masks/1.png"])
    assert masks_among([picture, mask]) == {mask}
    Image.open(mask).resize(size).save(tmp_path / "masks" / "1.bmp")
    other = str(tmp_path / "masks" / "1.bmp")
    # One in half or a quarter of the size is.
    assert (other in masks_among([picture, other])) == (size[0] > size[1])


@pytest.mark.parametrize("mode", ["1", "P", "L", "RGB", "I;16"])
def test_masks_are_in_any_mode_and_as_jpeg(tmp_path, make_photo, mode):
    (picture,) = written(tmp_path, make_photo, "images/1.jpg")
    shape = Image.open(picture).size
    ids = np.zeros(shape[::-1], np.uint16)
    for number in range(9):
        ids[10 * number :, 7 * number :] = number
    ids = ids if mode == "I;16" else (ids // 5 * 255 if mode in "1L" else ids * 28).astype(np.uint8)
    (tmp_path / "masks").mkdir()
    suffix = "jpg" if mode == "L" else "png"
    its = Image.fromarray(ids)
    (its if mode == "I;16" else its.convert(mode)).save(tmp_path / "masks" / f"1.{suffix}")
    assert list_images(tmp_path).paths == [picture]


def test_of_several_masks_that_of_classes_comes_first(tmp_path, make_photo):
    names = [f"gtFine/u_1_gtFine_{kind}.png" for kind in ("color", "instanceIds", "labelIds")]
    paths = written(tmp_path, make_photo, "leftImg8bit/u_1_leftImg8bit.png", masks=names)
    its = companions_of(paths[:1])[0].masks
    assert its == (paths[3], paths[1], paths[2])
    assert score(tmp_path)["mask_path"].to_list() == [paths[3]]


def test_photos_of_masks_are_a_class(tmp_path, make_photo):
    names = [f"{folder}/{number}.jpg" for folder in ("faces", "masks") for number in range(2)]
    written(tmp_path, make_photo, *names)
    assert score(tmp_path)["label"].to_list() == ["faces", "faces", "masks", "masks"]


def test_of_many_masks_some_are_looked_at(tmp_path, make_photo):
    names = [f"{number:03}" for number in range(40)]
    masks = [f"masks/{name}.png" for name in names]
    written(tmp_path, make_photo, *(f"images/{name}.jpg" for name in names), masks=masks)
    assert len(list_images(tmp_path).paths) == 40
    # Of a class that is called so, and some drawings in it, each is looked at.
    for name in names[:20]:
        make_photo(int(name)).save(tmp_path / "masks" / f"{name}.png")
    found = list_images(tmp_path)
    assert len(found.paths) == 60
    assert found.not_taken["masks of pictures"] == {".png": 20}


@pytest.mark.parametrize(
    ("picture", "other"),
    [
        ("cat_images/1.jpg", "dog_masks/1.png"),
        ("train/1.jpg", "test_masks/1.png"),
        ("train/1.jpg", "masked/1.png"),
        ("face_masks/1.jpg", "face_masks/2.jpg"),
        ("face_masks/blue/1.jpg", "face_masks/red/1.jpg"),
        ("images/1.jpg", "unmasked_faces/1.jpg"),
    ],
)
def test_pictures_of_masks_are_pictures(tmp_path, make_photo, picture, other):
    paths = written(tmp_path, make_photo, picture, other)
    assert masks_among(paths) == set()
    assert companions_of(paths[:1])[0].masks == ()


def test_without_their_pictures_masks_are_pictures():
    assert masks_among(["/d/masks/1.png", "/d/x_mask.png", "/d/images/2.jpg"]) == set()


@pytest.fixture
def tree(tmp_path, make_photo):
    seed = 0
    for split, count in (("train", 2), ("test", 1)):
        for label in ("dog", "cat"):
            folder = tmp_path / "in" / split / label
            folder.mkdir(parents=True)
            for i in range(count):
                seed += 1
                make_photo(seed).save(folder / f"{i:04}.png")
    return tmp_path / "in"


@pytest.mark.parametrize("options", [{}, {"mode": "copy"}, {"mode": "paths"}])
def test_splits_and_classes_of_folders_are_given_back_by_the_loaders(tree, make, load, options):
    made = make(score(tree), **options)
    assert dict(made.splits) == {"test": 2, "train": 4}
    for loaded in (
        *([load("imagefolder", data_dir=str(made.path))] if "mode" not in options else []),
        load(str(made.path)),
    ):
        for split, count in made.splits.items():
            assert loaded[split].features["label"].names == ["cat", "dog"]
            assert len(loaded[split]) == count
            for row in loaded[split]:
                name = loaded[split].features["label"].int2str(row["label"])
                assert f"/{name}/" in row["source_path"]


def test_what_an_explorer_knows_of_splits_and_labels_reaches_its_dataset(tree, tmp_path):
    df = score(tree, labels=None)
    parts = pl.col("path").str.split("/").list
    df = df.with_columns(part=parts.get(-3), species=parts.get(-2))
    review = dw.Session(df, split="part", label="species")
    made = review.create_dataset(review.frame, "clean", root=tmp_path / "d", progress=False)
    assert set(made.splits) == {"train", "test"}
    (numbers,) = pl.read_parquet(made.path / "test" / "metadata.parquet").select("species")
    assert sorted(numbers) == [0, 1]
    table = read_table(made.path / "test" / "metadata.parquet")
    assert sorted(table["species"]) == ["cat", "dog"]


def test_a_split_column_that_cannot_be_gone_by_is_told(tree, make):
    df = score(tree)
    holes = df.with_columns(split=pl.when(pl.col("label") == "cat").then("split"))
    with pytest.warns(UserWarning, match="does not go by the column 'split'.*none for 3 images"):
        assert dict(make(holes).splits) == {"train": 6}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert dict(make(holes, "b", split="train").splits) == {"train": 6}


def test_a_split_column_of_numbers_is_told_and_one_in_capitals_is_gone_by(tree, make, tmp_path):
    df = score(tree)
    numbers = df.with_columns(split=pl.when(pl.col("split") == "train").then(0).otherwise(1))
    with pytest.warns(UserWarning, match="it holds Int32, and splits have names"):
        assert dict(make(numbers).splits) == {"train": 6}
    capitals = df.rename({"split": "Split", "label": "LABEL"})
    assert dict(make(capitals, "b").splits) == {"test": 2, "train": 4}
    review = dw.Session(capitals, store=tmp_path / "store")
    assert (review.split, review.label) == ("Split", "LABEL")
    made = review.create_dataset(review.frame, "c", root=tmp_path / "made", progress=False)
    assert dict(made.splits) == {"test": 2, "train": 4}


def test_texts_that_do_not_repeat_are_no_classes(tree, make):
    df = score(tree, labels=None).with_columns(label=pl.col("path"))
    made = make(df)
    table = pl.read_parquet(made.path / "train" / "metadata.parquet")
    assert table.schema["label"] == pl.String


def test_names_that_a_loader_would_expand_block_nothing(tmp_path, make_photo, make, load):
    names = ["$HOME.jpg", "a%20b.jpg", "~.jpg", "~x.jpg", "100%.jpg", "a#b.jpg", "${PATH}.jpg"]
    (tmp_path / "in").mkdir()
    for seed, name in enumerate(names):
        make_photo(seed).save(tmp_path / "in" / name)
    made = make(score(tmp_path / "in"))
    loaded = load("imagefolder", data_dir=str(made.path))["train"]
    assert sorted(row["source_path"].rpartition("/")[2] for row in loaded) == sorted(names)


@pytest.fixture
def coco(tmp_path, make_photo):
    """Return a set of two splits that COCO files describe; both have a 0.png."""
    for seed, (split, name) in enumerate((s, n) for s in ("train", "val") for n in "012"):
        path = tmp_path / "in" / f"{split}2017" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        make_photo(seed).save(path)
    (tmp_path / "in" / "annotations").mkdir()
    for split in ("train", "val"):
        document = {
            "info": {"year": 2017},
            "categories": [{"id": 1, "name": "cat"}],
            "images": [{"id": 7 + n, "file_name": f"{n}.png"} for n in range(4)],
            "annotations": [{"id": n, "image_id": 7 + n % 4, "bbox": [n]} for n in range(8)],
        }
        file = tmp_path / "in" / "annotations" / f"instances_{split}2017.json"
        file.write_text(json.dumps(document))
    (tmp_path / "in" / "annotations" / "other.json").write_text('{"images": 3}')
    (tmp_path / "in" / "annotations" / "broken.json").write_text('{"images": [')
    return tmp_path / "in"


def test_what_a_coco_file_says_of_the_pictures_goes_along_under_their_names(coco, make, load):
    df = score(coco)
    made = make(df.filter(~pl.col("path").str.ends_with("train2017/1.png")))
    assert files(made, "train2017") == ["0.png", "2.png", "instances_train2017.json"]
    assert files(made, "val2017") == ["0.png", "1.png", "2.png", "instances_val2017.json"]
    found = json.loads((made.path / "train2017" / "instances_train2017.json").read_text())
    assert [(it["id"], it["file_name"]) for it in found["images"]] == [(7, "0.png"), (9, "2.png")]
    assert [it["image_id"] for it in found["annotations"]] == [7, 9, 7, 9]
    assert found["categories"] == [{"id": 1, "name": "cat"}]
    assert made.companions == 2
    assert len(load(str(made.path))["val2017"]) == 3


def test_a_coco_file_is_left_behind_where_there_is_no_place(coco, make):
    assert make(score(coco), format="webdataset").left_behind == 2


def test_a_coco_file_that_says_only_names_is_understood_where_they_are_the_only_ones(
    tmp_path, make_photo, make
):
    for seed in range(2):
        make_photo(seed).save(tmp_path / f"{seed}.png")
    document = {"images": [{"id": 1, "file_name": "data/0.png"}], "annotations": []}
    (tmp_path / "_annotations.coco.json").write_text(json.dumps(document))
    made = make(score(sorted(map(str, tmp_path.glob("*.png")))))
    found = json.loads((made.path / "train" / "_annotations.coco.json").read_text())
    assert found["images"] == [{"id": 1, "file_name": "0.png"}]
