"""What lies beside pictures about the objects on them is read, compared, filtered and kept."""

import json
import warnings

import polars as pl
import pytest
from PIL import Image

import dedup_widgets as dw
from dedup_widgets.dataset.tables import read_table
from dedup_widgets.errors import DatasetError, InputError
from dedup_widgets.frame.annotations import ANNOTATIONS, is_annotations
from dedup_widgets.images.annotations import annotations_beside
from dedup_widgets.review.beside import facts
from dedup_widgets.review.report import failed, findings


def score(images, **options):
    return dw.score(images, model="perceptual", progress=False, **options)


@pytest.fixture
def put(tmp_path, make_photo):
    """Put files below a folder: pictures of 160 × 120 pixels by their seed, others as text."""

    def put(**files):
        return {name: one(name, what) for name, what in files.items()}

    def one(name, what):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(what, int):
            make_photo(what).save(path)
        else:
            path.write_text(what if isinstance(what, str) else json.dumps(what))
        return path

    put.root = tmp_path / "in"
    return put


def voc(*objects):
    told = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x}</xmin><ymin>{y}</ymin><xmax>{x + w}</xmax>"
        f"<ymax>{y + h}</ymax></bndbox></object>"
        for name, (x, y, w, h) in objects
    )
    return f"<annotation><size><width>160</width></size>{told}</annotation>"


def coco(images, objects, categories=("cat", "dog")):
    return {
        "images": [{"id": i, "file_name": name} for i, name in enumerate(images)],
        "annotations": [
            {"id": i, "image_id": images.index(name), "category_id": category, "bbox": box}
            for i, (name, category, box) in enumerate(objects)
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(categories)],
    }


def boxes(frame):
    """Return what is on each picture: its category, and its box as whole numbers."""
    return [
        None if its is None else [(it["category"], [round(x) for x in it["bbox"]]) for it in its]
        for its in frame["annotations"].to_list()
    ]


DOG = ("dog", [40, 30, 80, 60])


@pytest.mark.lengthy
@pytest.mark.parametrize(
    "files",
    [
        {
            "images/1.jpg": 1,
            "labels/1.txt": "1 0.5 0.5 0.5 0.5\n",
            "data.yaml": "names: [cat, dog]\nnc: 2\n",
        },
        {
            "train/images/1.jpg": 1,
            "train/labels/1.txt": "1 0.5 0.5 0.5 0.5 0.93",
            "data.yaml": "names:\n  0: cat\n  1: dog\n",
        },
        {"1.jpg": 1, "1.txt": "1 0.25 0.25 0.75 0.25 0.75 0.75", "classes.txt": "cat\ndog\n"},
        {"1.jpg": 1, "1.xml": voc(DOG)},
        {"JPEGImages/1.jpg": 1, "Annotations/1.xml": voc(DOG)},
        {
            "1.jpg": 1,
            "1.json": {"shapes": [{"label": "dog", "points": [[40, 30], [120, 90]]}]},
        },
        {
            "img/1.jpg": 1,
            "ann/1.jpg.json": {
                "size": {"height": 120, "width": 160},
                "objects": [
                    {
                        "classTitle": "dog",
                        "geometryType": "rectangle",
                        "points": {"exterior": [[40, 30], [120, 90]], "interior": []},
                    }
                ],
            },
        },
        {"1.jpg": 1, "_annotations.coco.json": coco(["1.jpg"], [("1.jpg", 1, DOG[1])])},
        {
            "images/1.jpg": 1,
            "annotations/instances.json": coco(["images/1.jpg"], [("images/1.jpg", 1, DOG[1])]),
        },
    ],
    ids=[
        *("yolo", "roboflow", "polygon", "voc", "voc folders", "labelme", "supervisely"),
        *("coco", "coco folder"),
    ],
)
def test_labels_of_each_kind_become_boxes_in_pixels_of_the_picture(put, files):
    put(**files)
    df = score(put.root)
    assert df.schema["annotations"] == ANNOTATIONS
    assert boxes(df) == [[DOG]]
    assert "1 annotation of 1 category on 1 image" in str(dw.Session(df).summary)


@pytest.mark.lengthy
def test_a_set_without_labels_has_no_such_column(put):
    put(**{"1.jpg": 1, "1.txt": "a dog on a sofa", "2.jpg": 2, "2.xml": "<metadata/>"})
    assert "annotations" not in score(put.root).columns
    put(**{"1.xml": voc(DOG)})
    assert "annotations" not in score(put.root, labels=None).columns


@pytest.mark.lengthy
def test_a_picture_that_shows_no_object_is_told_from_one_nobody_looked_at(put):
    put(**{f"images/{n}.jpg": n for n in (1, 2, 3)})
    put(**{"labels/1.txt": "0 0.5 0.5 0.5 0.5", "labels/2.txt": ""})
    assert boxes(score(put.root)) == [[("0", DOG[1])], [], None]


def test_only_one_file_tells_of_a_picture(put):
    put(**{"1.jpg": 1, "1.xml": voc(DOG), "1.txt": "1 0.5 0.5 0.5 0.5", "classes.txt": "cat\ndog"})
    put(**{"all.json": coco(["1.jpg"], [("1.jpg", 1, DOG[1])])})
    assert boxes(score(put.root)) == [[DOG]]


def test_captions_beside_a_picture_do_not_hide_its_boxes(put):
    put(**{"images/1.jpg": 1, "images/1.txt": "a dog", "labels/1.txt": "1 0.5 0.5 0.5 0.5"})
    put(**{"obj.names": "cat\ndog\n"})
    assert boxes(score(put.root)) == [[DOG]]


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels/2.txt", "1 0.5 0.5"),
        ("labels/2.txt", "1 0.5 0.5 0.5 0.5\ndog 1 2 3"),
        ("labels/2.txt", "1 0.5 0.5 nan 0.5"),
        ("labels/2.txt", "1 50 50 80 60"),
        ("labels/2.txt", "1 0.1 0.1 0.2 0.2 0.3 0.3 0.4"),
        ("images/2.xml", "<annotation><object>"),
        ("images/2.xml", "<annotation><object><name>dog</name><bndbox/></object></annotation>"),
        ("images/2.json", '{"shapes": [{"label": "dog"}]}'),
        ("images/2.json", '{"shapes": ['),
        ("all.json", '{"images": [{"id": 1, '),
        ("all.json", json.dumps(coco(["2.jpg"], [("2.jpg", 1, [1, 2, "x", 4])]))),
    ],
)
def test_a_damaged_label_file_is_named_and_stops_nothing(put, name, text):
    put(**{"images/1.jpg": 1, "images/2.jpg": 2, "labels/1.txt": "1 0.5 0.5 0.5 0.5"})
    put(**{"data.yaml": "names: [cat, dog]", name: text})
    file = name.rpartition("/")[2]
    with pytest.warns(UserWarning, match=f"1 label file cannot be read.*{file}"):
        df = score(put.root)
    assert boxes(df) == [[DOG], None]
    assert f"1 damaged label files: 1 {file}" in str(dw.Session(df).summary)


@pytest.mark.lengthy
def test_a_bomb_in_a_label_file_is_damage(put):
    bomb = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><annotation>&c;</annotation>'
    put(**{"1.jpg": 1, "1.xml": bomb, "2.jpg": 2, "2.xml": voc(DOG)})
    with pytest.warns(UserWarning, match=r"1\.xml"):
        assert boxes(score(put.root)) == [None, [DOG]]


def test_points_of_a_pose_are_no_outline(put):
    put(**{"1.jpg": 1, "1.txt": "1 0.5 0.5 0.5 0.5 0.1 0.1 2 0.2 0.2 1"})
    put(**{"data.yaml": "names: [cat, dog]\nkpt_shape: [2, 3]"})
    assert boxes(score(put.root)) == [[DOG]]


@pytest.mark.lengthy
def test_outlines_are_kept_in_pixels(put):
    put(**{"1.jpg": 1, "1.txt": "0 0 0 0.5 0 0.5 0.5"})
    (it,) = score(put.root)["annotations"].to_list()[0]
    assert it["segmentation"] == [[0, 0, 80, 0, 80, 60]]


@pytest.mark.lengthy
def test_captions_and_keypoints_of_coco_count_no_object_twice(put):
    captions = {"images": [{"id": 0, "file_name": "1.jpg"}], "annotations": [{"image_id": 0}]}
    of_dog = coco(["1.jpg"], [("1.jpg", 1, DOG[1])])
    put(**{"1.jpg": 1, "annotations/captions.json": captions})
    put(**{"annotations/instances.json": of_dog, "annotations/person_keypoints.json": of_dog})
    assert boxes(score(put.root)) == [[DOG]]


OF_OBJECTS = """filename,width,height,class,xmin,ymin,xmax,ymax
1.jpg,96,64,dog,10,20,40,50
1.jpg,96,64,cat,1,2,4,6
2.jpg,96,64,,,,,
9.jpg,96,64,dog,10,20,40,50
"""


@pytest.mark.lengthy
@pytest.mark.parametrize(
    "name", ["_annotations.csv", "images/_annotations.csv", "train_labels.csv"]
)
def test_a_table_may_have_a_row_for_each_object(put, name):
    put(**{f"images/{i}.jpg": i for i in (1, 2, 3)})
    (put.root / name).write_text(OF_OBJECTS)
    df = score(put.root / "images")
    assert not {"class", "xmin"} & set(df.columns)
    first, second, third = df["annotations"].to_list()
    assert [(it["category"], it["bbox"]) for it in first] == [
        ("dog", [10, 20, 30, 30]),
        ("cat", [1, 2, 3, 4]),
    ]
    assert (second, third) == ([], None)


@pytest.mark.lengthy
def test_boxes_of_a_table_may_be_shares_and_are_damage_if_they_are_no_numbers(put):
    put(**{"1.jpg": 1})
    (put.root / "labels.csv").write_text(
        "ImageID,LabelName,XMin,XMax,YMin,YMax\n1,dog,0.5,1,0,0.5\n"
    )
    df = score(put.root)
    (found,) = df["annotations"][0]
    width, height = df.select("width", "height").row(0)
    assert found["bbox"] == [width / 2, 0, width / 2, height / 2]
    (put.root / "labels.csv").write_text("file,class,x1,y1,x2,y2\n1.jpg,dog,left,1,2,3\n")
    with pytest.warns(UserWarning, match=r"labels\.csv: x1, y1, x2, y2 are not all numbers"):
        assert "annotations" not in score(put.root).columns


@pytest.mark.lengthy
def test_a_coco_file_may_begin_with_a_mark(put):
    put(**{"1.jpg": 1})
    said = json.dumps(coco(["1.jpg"], [("1.jpg", 1, DOG[1])]))
    (put.root / "all.json").write_text(said, encoding="utf-8-sig")
    assert boxes(score(put.root)) == [[DOG]]


@pytest.mark.lengthy
def test_no_frame_of_the_user_is_changed_and_an_old_set_keeps_its_own(put, make_photo, tmp_path):
    put(**{"1.jpg": 1, "1.xml": voc(DOG)})
    mine = pl.DataFrame({"path": [str(put.root / "1.jpg")], "annotations": ["by hand"]})
    assert score(mine)["annotations"].to_list() == ["by hand"]
    (tmp_path / "new").mkdir()
    make_photo(2).save(tmp_path / "new" / "2.jpg")
    (tmp_path / "new" / "2.xml").write_text(voc(("cat", [1, 2, 3, 4])))
    both = score(tmp_path / "new", against=put.root)
    assert boxes(both) == [[("cat", [1, 2, 3, 4])], [DOG]]
    assert boxes(score(tmp_path / "new", against=score(put.root))) == boxes(both)


def test_folders_without_labels_are_only_listed(put, monkeypatch):
    put(**{"1.jpg": 1, "2.jpg": 2})
    monkeypatch.setattr("dedup_widgets.images.annotations.companions_of", lambda rows: rows)
    found, damaged = annotations_beside([str(put.root / "1.jpg"), "s3://bucket/2.jpg"])
    assert found.is_empty()
    assert not damaged


@pytest.fixture
def copies(put):
    """Return what says of two exact copies what is on them."""

    def copies(one, other):
        put(**{"1.png": 1, "2.png": 1, "3.png": 2, "1.xml": one, "2.xml": other})
        return score(put.root)

    return copies


CAT = ("cat", [40, 30, 80, 60])


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("one", "other", "labels"),
    [
        ([DOG], [CAT], "cat ×1, dog ×1"),
        ([DOG], [], "dog ×1, no objects ×1"),
        ([DOG], [("dog", [0, 0, 20, 20])], "dog ×1, dog (other boxes) ×1"),
        ([DOG], [DOG, ("dog", [0, 0, 20, 20])], "dog ×1, dog (other boxes) ×1"),
        ([DOG], [("dog", [42, 31, 78, 62])], None),
        ([DOG, ("cat", [0, 0, 9, 9])], [("cat", [0, 0, 9, 9]), DOG], None),
    ],
)
def test_exact_copies_conflict_by_category_and_by_clearly_other_boxes(copies, one, other, labels):
    df = copies(voc(*one), voc(*other))
    found = dw.label_conflicts(df, "annotations")
    assert found["labels"].unique().to_list() == ([] if labels is None else [labels])
    assert dw.Session(df).disagreements["label_conflicts"] == int(labels is not None)


def test_near_copies_conflict_by_category_alone():
    dog = {"category": "dog", "bbox": [0.0, 0.0, 9.0, 9.0], "segmentation": None}
    frame = pl.DataFrame(
        {
            "path": list("abcd"),
            "group": [1, 1, 2, 2],
            "keep": [True, False, True, False],
            "fingerprint": list("fghi"),
            "annotations": pl.Series(
                [[dog], [dog | {"bbox": [50.0, 50.0, 9.0, 9.0]}], [dog], [dog | {"category": "x"}]],
                dtype=ANNOTATIONS,
            ),
        }
    )
    assert dw.label_conflicts(frame, "annotations")["path"].to_list() == ["c", "d"]


@pytest.mark.lengthy
def test_annotations_are_merged_from_exact_copies_only(copies, put):
    df = copies(voc(DOG), "<metadata/>")
    plan = dw.plan(df)
    merged = dw.merge_labels(df, plan, ["annotations"])
    assert boxes(merged.filter(plan["action"] == "keep"))[0] == [DOG]
    as_near = plan.with_columns(kind=pl.lit("near"))
    keeper = plan["keeper"].drop_nulls()[0]
    lost = df.with_columns(annotations=pl.when(pl.col("path") != keeper).then("annotations"))
    merged = dw.merge_labels(lost, as_near, ["annotations"])
    assert merged.filter(path=keeper)["annotations"].item() is None


@pytest.mark.lengthy
def test_categories_filter_like_tags(copies):
    review = dw.Session(copies(voc(DOG, CAT), voc(DOG)))
    for clause, count in ((["cat"], 1), (["cat", "dog"], 2), ("do", 2), (dw.filters.absent, 1)):
        review.filters = {"annotations": clause}
        assert len(review.view) == count


@pytest.mark.lengthy
def test_annotations_reach_tables_and_the_dataset(copies, tmp_path):
    df = copies(voc(DOG), voc(DOG))
    listed = pl.read_csv(dw.export(df, tmp_path / "list.csv"))
    assert json.loads(listed["annotations"][0])[0]["bbox"] == DOG[1]
    again = pl.read_parquet(dw.export(df, tmp_path / "list.parquet"))
    assert again["annotations"].equals(df["annotations"])
    for form, count in (("imagefolder", 2), ("webdataset", 2)):
        made = dw.create_dataset(
            df, form, root=tmp_path, format=form, allow_duplicates=True, progress=False
        )
        if form == "imagefolder":
            table = read_table(made.path / "train" / "metadata.parquet")
            assert is_annotations(table.schema["annotations"])
            assert boxes(table)[:2] == [[DOG]] * count


@pytest.mark.lengthy
def test_names_of_categories_follow_the_texts_that_need_them(put, tmp_path, make_photo):
    put(**{"a/1.png": 1, "a/1.txt": "1 0.5 0.5 0.5 0.5", "a/classes.txt": "cat\ndog\n"})
    made = dw.create_dataset(score(put.root), "one", root=tmp_path, progress=False)
    assert made.companions == 2
    assert boxes(score(made.path / "train")) == [[DOG]]
    put(**{"b/2.png": 2, "b/2.txt": "1 0.5 0.5 0.5 0.5", "b/classes.txt": "dog\ncat\n"})
    df = score(put.root)
    with pytest.warns(UserWarning, match="2 lists of categories"):
        made = dw.create_dataset(df, "two", root=tmp_path, progress=False)
    table = read_table(made.path / "train" / "metadata.parquet")
    assert boxes(table) == [[DOG], [CAT]]
    assert not list(made.path.rglob("classes.txt"))


@pytest.mark.lengthy
def test_the_set_that_was_made_is_read_again(copies, tmp_path):
    df = copies(voc(DOG), voc(DOG))
    keep = df.filter(pl.col("keep"))
    made = dw.create_dataset(keep, "clean", root=tmp_path / "out", progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert boxes(score(made.path / "train")) == boxes(keep)


@pytest.mark.lengthy
@pytest.mark.parametrize("name", ["coco", "yolo"])
def test_annotations_go_out_and_come_back(put, tmp_path, name):
    put(**{f"{split}/images/{n}.png": n for n, split in enumerate(("train", "train", "valid"))})
    put(
        **{"train/labels/0.txt": "1 0.5 0.5 0.5 0.5\n0 0.25 0.25 0.1 0.3", "train/labels/1.txt": ""}
    )
    put(**{"data.yaml": "names: [cat, dog]\n"})
    df = score(put.root)
    if name == "coco":
        for path in put.root.rglob("labels"):
            path.rename(tmp_path / "labels before")
        dw.export(df, put.root / "all.coco.json")
        again = score(put.root)
        assert boxes(again) == [its or [] for its in boxes(df)]
    else:
        made = dw.export(df, tmp_path / "out")
        again = score(made)
        assert again["split"].to_list() == df["split"].to_list()
        assert boxes(again) == boxes(df)
        assert (made / "data.yaml").read_text() == (
            "path: .\ntrain: images/train\nval: images/valid\nnames:\n  0: cat\n  1: dog\n"
        )
        assert (made / "images/train/0.png").samefile(put.root / "train/images/0.png")


@pytest.mark.lengthy
def test_outlines_go_out_and_come_back(put, tmp_path):
    put(**{"1.png": 1, "1.txt": "0 0 0 0.5 0 0.5 0.5"})
    df = score(put.root)
    assert score(dw.export(df, tmp_path / "out"))["annotations"].equals(df["annotations"])
    document = json.loads(dw.export(df, tmp_path / "a.json", format="coco").read_text())
    (it,) = document["annotations"]
    assert (it["segmentation"], it["bbox"]) == ([[0, 0, 80, 0, 80, 60]], [0, 0, 80, 60])
    assert document["images"][0]["file_name"] == "in/1.png"


@pytest.mark.lengthy
def test_what_yolo_cannot_hold_is_said(put, tmp_path):
    put(**{"1.png": 1, "1.xml": voc(DOG, ("dog", [500, 500, 9, 9])), "2.png": 2})
    with pytest.warns(UserWarning, match="no place for 1 annotation"):
        made = dw.export(score(put.root), tmp_path / "out")
    assert (made / "labels/train/1.txt").read_text() == "0 0.5 0.5 0.5 0.5\n"
    assert not (made / "labels/train/2.txt").exists()


@pytest.mark.lengthy
def test_an_export_of_annotations_says_what_it_lacks(put, tmp_path):
    put(**{"1.png": 1})
    df = score(put.root)
    with pytest.raises(InputError, match="annotations"):
        dw.export(df, tmp_path / "a.coco.json")
    with pytest.raises(InputError, match="must end in"):
        dw.export(df, tmp_path / "folder")
    (tmp_path / "folder").mkdir()
    put(**{"1.xml": voc(DOG)})
    with pytest.raises(DatasetError, match="exists already"):
        dw.export(score(put.root), tmp_path / "folder")
    with pytest.raises(InputError, match="must be 'coco'"):
        dw.export(df, tmp_path / "a.json", format="voc")


@pytest.mark.lengthy
def test_masks_are_known_by_their_path(put):
    put(**{"images/1.jpg": 1, "images/2.jpg": 2, "3.jpg": 3})
    for name in ("masks/1.png", "3_mask.png"):
        (put.root / name).parent.mkdir(exist_ok=True)
        Image.new("L", (160, 120), 1).save(put.root / name)
    df = score(put.root)
    found = {path.rpartition("/")[2]: mask for path, mask in df.select("path", "mask_path").rows()}
    expected = {"1.jpg": "masks/1.png", "2.jpg": None, "3.jpg": "3_mask.png"}
    assert found == {name: mask and str(put.root / mask) for name, mask in expected.items()}
    assert "mask_path" not in score(put.root, labels=None).columns


@pytest.mark.parametrize(
    "changed",
    [
        {"categories": 5},
        {"categories": [None, {"id": 1}]},
        {"annotations": [{"image_id": 0, "category_id": None, "bbox": {}}]},
        {"annotations": [{"image_id": [], "category_id": {}}]},
        {"images": [{"id": None, "file_name": ["1.jpg"]}]},
    ],
)
def test_a_strange_coco_file_stops_nothing(put, changed):
    put(**{"1.jpg": 1, "all.json": coco(["1.jpg"], [("1.jpg", 1, DOG[1])]) | changed})
    assert len(annotations_beside([str(put.root / "1.jpg")])[0]) <= 1


@pytest.mark.lengthy
@pytest.mark.parametrize("text", ["names: {.inf: a}", "names: {null: a}", "{", "names: *x", "- a"])
def test_strange_names_of_categories_leave_their_numbers(put, text):
    put(**{"1.jpg": 1, "1.txt": "1 0.5 0.5 0.5 0.5", "data.yaml": text})
    assert boxes(score(put.root)) == [[("1", DOG[1])]]


@pytest.mark.lengthy
def test_what_is_on_two_pictures_is_told_beside_each_other_and_in_the_report(copies, tmp_path):
    review = dw.Session(copies(voc(DOG, DOG, CAT), voc()))
    (told,) = (it for it in facts(review, [0, 1]) if it.name == "annotations")
    assert told.texts == ["dog ×2, cat", "no objects"]
    page = review.report(tmp_path / "report.html").read_text()
    assert "dog ×2, cat" in page
    assert "bbox" not in page


@pytest.mark.lengthy
def test_a_check_fails_on_annotations_that_disagree(copies):
    found = findings(dw.Session(copies(voc(DOG), voc(CAT))))
    assert failed(found, ["label-conflict"]) == ["label-conflict"]
