"""What an image is of another one: in words, in plans, on tiles, and among similar items."""

import io
import re

import numpy as np
import polars as pl
import pytest

import dedup_widgets as dw
from dedup_widgets.alignment.evidence import RELATIONS, Evidence
from dedup_widgets.frame.provenance import Provenance, offered
from dedup_widgets.frame.relations import in_words, of_image
from dedup_widgets.frame.scale import gamma_of
from dedup_widgets.frame.schema import EVIDENCE, NESTED
from dedup_widgets.frame.summary import summarize
from dedup_widgets.scoring.evidence import confirmed_pairs, evidence_column, of_nearest
from dedup_widgets.scoring.pair_evidence import PairEvidence
from dedup_widgets.scoring.uniqueness import find_nearest, score_images
from dedup_widgets.widgets.analytics.charts import Pointer
from page import Page

NEAR_DISTANCE = 0.25
GAMMA = gamma_of(NEAR_DISTANCE)
SAME_PLACE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)

# What a crop of the left 80 % is of its original.
CROP = Evidence(
    True,
    agreement=0.8,
    matrix=(0.8, 0.0, 0.0, 0.0, 1.0, 0.0),
    inverse_matrix=(1.25, 0.0, 0.0, 0.0, 1.0, 0.0),
    a_size=(80, 100),
    b_size=(100, 100),
    inside_a=1.0,
    inside_b=0.8,
)
WHOLE = Evidence(
    True, 1.0, SAME_PLACE, SAME_PLACE, (100, 100), (100, 100), inside_a=1.0, inside_b=1.0
)

NAMES = ["original.jpg", "part.jpg", "page.jpg", "saved.jpg", "sea.jpg", "same.jpg"]
PRINTS = ["original", "crop", "page", "saved", "sea", "original"]
DEGREES = [0, 80, 1, 30, 50, 0]
# The vector of the crop misses it, and that of a page of the same layout does not tell it apart.
EVIDENCE_OF_PAIRS = PairEvidence.of(
    {(0, 1): CROP.inverse(), (0, 2): Evidence(False), (0, 3): WHOLE}
)


def scored(compared=True, left_out=0):
    """A frame as score makes it: the original with copies, a page like it, and another picture."""
    angles = np.radians(DEGREES)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float16)
    path = pl.Series("path", [f"/photos/{name}" for name in NAMES])
    nearest = find_nearest(vectors, fingerprints=PRINTS, rank=np.arange(len(NAMES)), radius=0.5)
    names = [PRINTS[row] for row in nearest.rows]
    assert names == PRINTS[:5]
    pairs = confirmed_pairs(len(names), EVIDENCE_OF_PAIRS, NEAR_DISTANCE) if compared else None
    scores = score_images(nearest, near=0.05, gamma=GAMMA, confirmed=pairs)
    prints = pl.Series("fingerprint", PRINTS)
    if compared:
        picture = nearest.of_row
        column = evidence_column(picture, EVIDENCE_OF_PAIRS, pl.Series(names).gather)
        told = of_nearest(picture, scores["nearest"], EVIDENCE_OF_PAIRS)
        scores = scores.with_columns(told, evidence=column)
    made = Provenance(
        "some-model", gamma=GAMMA, compared=3 if compared else None, left_out=left_out
    )
    return (
        scores.with_columns(nearest=pl.lit(path).gather(scores["nearest"]))
        .with_columns(path, prints, made.column)
        .with_columns(embedding=pl.Series(vectors, dtype=pl.Array(pl.Float16, 2)))
    )


@pytest.fixture
def frame():
    return scored()


def named(found):
    return [path.removeprefix("/photos/") for path in found["path"]]


# In words


def words(relation, angle=0.0, scale=1.0, box=(0.0, 0.0, 1.0, 1.0), mirrored=False):
    pair = {"relation": relation, "angle": angle, "scale": scale, "mirrored": mirrored}
    pairs = pl.Series("pair", [pair | {"box": list(box)}], dtype=EVIDENCE.inner)
    return pairs.to_frame().select(in_words(pl.col("pair"))).item()


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (words("re-encoded", angle=0.3), "re-encoded"),
        (words("resized", scale=0.5), "resized to 50 %"),
        (words("cropped", box=(0.1, 0.0, 0.9, 0.98)), "cropped, 78 % of it"),
        (words("cropped", box=(0.0, 0.0, 1.0, 1.0)), "cropped, 99 % of it"),
        (
            words("cropped", angle=89.6, box=(0.5, 0.0, 1.0, 1.0)),
            "cropped, 50 % of it, turned left by 90°",
        ),
        (words("uncropped", mirrored=True), "uncropped, shows more, flipped"),
        (words("flipped", mirrored=True), "flipped"),
        (words("flipped", mirrored=True, angle=180.0), "flipped top to bottom"),
        (words("turned", angle=-90.0), "turned right by 90°"),
        (words("turned", angle=179.9), "turned by 180°"),
        (words("rotated", angle=-2.95), "rotated right by 3.0°"),
        (words("framed"), "framed, with a border"),
    ],
)
def test_a_relation_is_told_in_words(told, text):
    assert told == text


@pytest.mark.parametrize("relation", RELATIONS)
def test_every_relation_has_words_that_begin_with_it(relation):
    mirrored, angle = relation == "flipped", 90.0 if relation == "turned" else 0.0
    told = words(relation, angle=angle, mirrored=mirrored)
    assert told.startswith(relation)
    assert of_image(told, "a.jpg").startswith(f"{relation} copy of a.jpg")


def test_a_pair_that_was_refused_has_no_words():
    pairs = pl.Series("pair", [{"fingerprint": "f"}], dtype=EVIDENCE.inner)
    assert pairs.to_frame().select(in_words(pl.col("pair"))).item() is None


# In plans and on tiles


def reasons(planned):
    return dict(zip(named(planned), planned["reason"], strict=True))


@pytest.mark.lengthy
def test_a_plan_says_what_a_near_duplicate_is_of_its_keeper(frame):
    told = reasons(dw.plan(frame))
    assert told["part.jpg"] == "near-duplicate of original.jpg: cropped, 80 % of it"
    assert told["saved.jpg"] == "near-duplicate of original.jpg: re-encoded"
    assert told["page.jpg"] == "unique"


def test_it_goes_by_the_keeper_also_where_that_is_not_the_nearest(frame):
    told = reasons(dw.plan(frame, keepers=["/photos/part.jpg"]))
    assert told["original.jpg"] == "near-duplicate of part.jpg: uncropped, shows more"
    # That follows from two pairs, and nobody laid one over the other.
    assert told["saved.jpg"] == "near-duplicate of part.jpg"


@pytest.mark.lengthy
def test_beyond_what_was_confirmed_a_plan_says_so(frame):
    told = reasons(dw.plan(frame, near=0.2))
    assert told["part.jpg"] == "near-duplicate of original.jpg: cropped, 80 % of it"
    assert told["page.jpg"] == "similar to original.jpg: not confirmed"


def test_without_the_pairs_the_relation_to_the_nearest_is_told(frame):
    told = reasons(dw.plan(frame.drop("evidence")))
    assert told["part.jpg"] == "near-duplicate of original.jpg: cropped"


@pytest.mark.lengthy
def test_a_frame_by_vectors_only_says_nothing_of_confirmation():
    by_vectors = scored(compared=False)
    told = reasons(dw.plan(by_vectors, near=0.2))
    assert told["page.jpg"] == "near-duplicate of original.jpg"
    assert "confirmed" not in str(dw.Session(by_vectors, near=0.2).summary)


@pytest.mark.lengthy
@pytest.mark.parametrize("widget", [dw.Explorer, dw.ImageGrid])
def test_a_tile_says_which_copy_it_is(frame, widget, tmp_path):
    page = Page(widget(frame, store=tmp_path))
    tiles = page.ask("tiles", rows=[1, 2, 3, 5], thumbs=False)["tiles"]
    assert [tile["caption"] for tile in tiles] == [
        "cropped copy of original.jpg: 80 % of it",
        None,
        "re-encoded copy of original.jpg",
        "exact duplicate of original.jpg",
    ]


# Similar items


def test_confirmed_copies_come_first_and_a_refused_page_after_them(frame):
    found = dw.similar(frame, "/photos/original.jpg", 5)
    assert named(found) == ["same.jpg", "saved.jpg", "part.jpg", "page.jpg", "sea.jpg"]
    of_original = frame.filter(pl.col("path") == "/photos/part.jpg")["distance"].item()
    assert found["distance"][2] == pytest.approx(of_original)
    assert found["distance"].is_sorted()
    assert found["distance"][2] < NEAR_DISTANCE < found["distance"][3]


def test_a_copy_that_vectors_miss_is_similar_too(frame):
    assert named(dw.similar(frame, "/photos/original.jpg", 3))[-1] == "part.jpg"
    # The last one follows from two pairs, and nobody laid one over the other.
    found = dw.similar(frame, "/photos/part.jpg", 3)
    assert named(found) == ["original.jpg", "same.jpg", "saved.jpg"]


def test_relation_and_agreement_are_those_to_the_query(frame):
    found = dw.similar(frame, "/photos/part.jpg", 5)
    told = dict(zip(named(found), found.select("relation", "agreement").rows(), strict=True))
    assert told["original.jpg"] == ("uncropped", pytest.approx(0.8))
    assert told["saved.jpg"] == told["page.jpg"] == (None, None)


def test_by_vectors_only_the_vectors_order():
    found = dw.similar(scored(compared=False), "/photos/original.jpg", 3)
    assert named(found) == ["same.jpg", "page.jpg", "saved.jpg"]


@pytest.mark.lengthy
def test_similar_items_on_screen_say_what_they_are_of_the_image(frame, tmp_path):
    page = Page(dw.Explorer(frame, store=tmp_path))
    items = page.ask("similar", row=1, k=5)["items"]
    assert {NAMES[item["row"]]: item["relation"] for item in items} == {
        "original.jpg": "uncropped, shows more",
        "same.jpg": "uncropped, shows more",
        "saved.jpg": "near-duplicate",
        "page.jpg": None,
        "sea.jpg": None,
    }
    (first, *_) = page.ask("similar", row=0, k=1)["items"]
    assert first["relation"] == "exact duplicate"


# Filters, tables, counts


@pytest.mark.lengthy
def test_relation_and_agreement_filter_and_sort_like_other_columns(frame, tmp_path):
    ex = dw.Explorer(frame, store=tmp_path)
    ex.filters = {"relation": ["cropped", "uncropped"]}
    assert named(ex.view) == ["part.jpg"]
    ex.filters = {"agreement": (0.9, None)}
    assert sorted(named(ex.view)) == ["original.jpg", "saved.jpg"]
    ex.filters, ex.sort = {}, {"column": "agreement", "grouped": False}
    assert named(ex.view)[0] == "part.jpg"
    facet = Page(ex).ask("column", column="relation")
    assert facet["facet"] == "category"


def test_pairs_and_vectors_are_offered_neither_as_filter_nor_to_sort_by(frame, tmp_path):
    assert not set(NESTED) & set(offered(frame))
    columns = Page(dw.Explorer(frame, store=tmp_path)).ask("open_review")["columns"]
    assert not set(NESTED) & {column["name"] for column in columns}
    mine = pl.DataFrame({"path": ["a"], "evidence": ["by hand"], "embedding": [1.0]})
    assert set(NESTED) < set(offered(mine))


def test_what_is_flat_of_a_frame_survives_csv(frame):
    text = frame.drop(NESTED).write_csv()
    told = reasons(dw.plan(pl.read_csv(io.StringIO(text))))
    assert told["part.jpg"] == "near-duplicate of original.jpg: cropped"


@pytest.mark.lengthy
def test_a_csv_without_any_group_can_be_planned(frame):
    alone = frame.drop(NESTED)[[4]].with_columns(group=pl.lit(None, pl.UInt32))
    read = pl.read_csv(alone.write_csv().encode())
    assert dw.Session(read).plan.equals(dw.plan(read))
    assert dw.plan(read)["action"].to_list() == ["keep"]


@pytest.mark.lengthy
def test_a_summary_counts_what_lies_beyond_and_what_was_left_out():
    frame = scored(left_out=2)
    assert not re.search("unconfirmed|beyond", str(summarize(frame)))
    wide = dw.Session(frame, near=0.3).summary
    assert wide.unconfirmed > 0
    assert f"{wide.unconfirmed} beyond 0.05, unconfirmed" in str(wide)
    assert "3 pairs compared, copies of 2 images may be missed" in str(wide)
    assert "missed" not in str(summarize(scored()))


def inside(widget):
    """Yield all that a widget shows."""
    for child in getattr(widget, "children", ()):
        yield child
        yield from inside(child)


@pytest.mark.lengthy
@pytest.mark.parametrize("compared", [True, False])
def test_the_curve_of_boundaries_says_what_nobody_has_confirmed(compared):
    analytics = dw.Analytics(scored(compared), near=0.05)
    nears = analytics.curve["near"].to_list()
    _, pointer = (it for it in inside(analytics) if isinstance(it, Pointer))
    beyond = {
        near: "confirmed by nobody" in text for near, text in zip(nears, pointer.texts, strict=True)
    }
    assert beyond[0.05] is False
    assert beyond[0.2] is compared
