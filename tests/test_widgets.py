import io
import time
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image

import dedup_widgets as dw
from dedup_widgets.images.decode import decode
from dedup_widgets.images.thumbnail import thumbnail
from dedup_widgets.widgets.protocol import pack_bits
from page import Page, Pixels, names


@pytest.fixture(scope="module")
def photos(tmp_path_factory, make_photo):
    folder = tmp_path_factory.mktemp("photos")
    for seed, name in enumerate(["cat", "dog", "<img src=x onerror=alert(1)>"]):
        make_photo(seed, (80, 60)).save(folder / f"{name}.png")
    make_photo(0, (80, 60)).save(folder / "cat copy.bmp")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    return folder


@pytest.fixture(scope="module")
def frame(photos, tmp_path_factory):
    store = tmp_path_factory.mktemp("scored")
    return dw.score(photos, model=Pixels(), store=store, progress=False)


@pytest.fixture
def ex(frame):
    return dw.Explorer(frame)


@pytest.mark.lengthy
def test_open_tells_everything_that_a_view_needs(ex, frame):
    reply = Page(ex).open()
    assert reply["ok"]
    assert reply["rows"] == 5
    assert reply["summary"] == {
        "images": 5,
        "exact": 1,
        "near": 0,
        "kept": 3,
        "exact_bytes": frame.filter(uniqueness=0.0)["bytes"].sum(),
        "near_bytes": 0,
        "groups": 1,
        "exact_groups": 1,
        "near_groups": 0,
        "unreadable": 1,
        "unconfirmed": 0,
        "compared": 0,
        "left_out": 0,
        "waiting": 0,
        "old": 0,
        "annotated": 0,
        "not_taken": 0,
        "about_folder": "",
        "label_conflicts": None,
        "leakage": None,
    }
    scores = reply.array("scores")
    assert np.array_equal(scores, frame["uniqueness"].to_numpy(), equal_nan=True)
    assert reply.codes("kind").tolist() == [
        255 if k is None else {"unique": 0, "exact": 2}[k] for k in frame["kind"]
    ]
    keeper = (
        frame["path"]
        .to_list()
        .index(frame.filter((pl.col("group") == 1) & pl.col("keep"))["path"][0])
    )
    assert reply.bands()["place"][keeper] == 0
    assert reply["similar"] is None
    columns = {column.pop("name"): column for column in reply["columns"]}
    assert columns["uniqueness"] == {"type": "Float32", "sortable": True, "facet": "number"}
    assert not {"embedding", "evidence"} & set(columns)


@pytest.mark.lengthy
def test_tiles_carry_thumbnails_names_and_errors_in_one_message(ex, frame):
    page = Page(ex)
    reply = page.ask("tiles", rows=[4, 0, 2])
    blob = reply.array("blob").tobytes()
    tiles = {tile["name"]: tile for tile in reply["tiles"]}
    assert [tile["row"] for tile in reply["tiles"]] == [4, 0, 2]
    for tile in tiles.values():
        if tile["error"] is None:
            offset, length = tile["thumb"]
            assert blob[offset : offset + 3] == b"\xff\xd8\xff"
            assert length > 0
    broken = Page(ex).ask("tiles", rows=[names(frame).index("broken.jpg")])["tiles"][0]
    assert broken["thumb"] is None
    assert broken["error"]


def test_a_tile_has_the_facts_that_were_asked_for(frame):
    shown = frame.with_columns(
        label=pl.lit("cat").cast(pl.Categorical),
        tags=pl.lit(pl.Series([["a", "b"]])).first(),
        day=pl.date(1970, 1, 2),
        ratio=pl.lit(float("nan")),
        sharp=True,
    )
    wanted = ["label", "tags", "day", "ratio", "sharp", "bytes", "nothing", "embedding"]
    (tile,) = Page(dw.ImageGrid(shown)).ask("tiles", rows=[0], thumbs=False, facts=wanted)["tiles"]
    assert tile["facts"] == {
        "label": "cat",
        "tags": "a, b",
        "day": 86_400_000,
        "ratio": None,
        "sharp": True,
        "bytes": frame["bytes"][0],
        "embedding": None,
    }


@pytest.mark.lengthy
def test_a_tile_says_what_it_is_to_others_and_which_rule_made_it_the_keeper(ex, frame):
    rows = {name: row for row, name in enumerate(names(frame))}
    wanted = [rows["cat copy.bmp"], rows["cat.png"], rows["dog.png"]]
    page = Page(ex)
    tiles = page.ask("tiles", rows=wanted)["tiles"]
    captions = {tile["caption"] for tile in tiles}
    assert captions == {
        "keeper: of exact copies, the oldest file",
        "exact duplicate of cat.png",
        None,
    }
    again = page.ask("tiles", rows=wanted, thumbs=False)
    assert [{**tile, "thumb": None} for tile in tiles] == again["tiles"]
    grid = Page(dw.ImageGrid(frame)).ask("tiles", rows=wanted)["tiles"]
    assert {tile["caption"] for tile in grid} == {"exact duplicate of cat.png", None}


def test_a_tile_in_no_group_says_which_member_of_one_it_is_near():
    frame = pl.DataFrame(
        {
            "path": ["keeper.png", "near.png", "beside.png"],
            "uniqueness": [0.04, 0.04, 0.04],
            "kind": ["near"] * 3,
            "group": [1, 1, None],
            "keep": [True, False, True],
            "distance": [0.04, 0.04, 0.04],
            "nearest": ["near.png", "keeper.png", "near.png"],
        }
    )
    tiles = Page(dw.ImageGrid(frame)).ask("tiles", rows=[0, 1, 2], thumbs=False)["tiles"]
    assert [tile["caption"] for tile in tiles] == [
        None,
        "near-duplicate of keeper.png",
        "near near.png, in no group",
    ]


def test_a_missing_file_is_a_tile_that_says_so(tmp_path):
    ex = dw.Explorer(pl.DataFrame({"path": [str(tmp_path / "gone.jpg")], "uniqueness": [0.5]}))
    (tile,) = Page(ex).ask("tiles", rows=[0])["tiles"]
    assert tile["thumb"] is None
    assert tile["name"] == "gone.jpg"
    assert tile["error"].startswith("does not exist")


@pytest.mark.lengthy
def test_a_selection_made_on_screen_is_a_frame_in_display_order(ex, frame):
    mask = np.array([True, False, True, True, False])
    reply = Page(ex).ask("select", arrays={"rows": pack_bits(mask)})
    assert reply["count"] == 3
    ex.sort = {"column": "path", "descending": True, "grouped": False}
    assert ex.selection["path"].to_list() == sorted(
        frame["path"].filter(pl.Series(mask)), reverse=True
    )
    assert ex.selection.columns == frame.columns


@pytest.mark.lengthy
@pytest.mark.parametrize("form", ["frame", "paths", "mask", "series", "pandas", "one"])
def test_a_selection_can_be_set_in_every_form(ex, frame, form):
    page = Page(ex)
    wanted = frame.head(1) if form == "one" else frame.head(2)
    given = {
        "frame": wanted,
        "paths": wanted["path"].to_list(),
        "mask": np.arange(5) < 2,
        "series": pl.Series(np.arange(5) < 2),
        "pandas": pd.DataFrame({"path": wanted["path"].to_list()}),
        "one": Path(wanted["path"][0]),
    }[form]
    ex.selection = given
    assert set(ex.selection["path"]) == set(wanted["path"])
    assert len(page.events("selection")) == 1


@pytest.mark.lengthy
def test_a_mask_with_nulls_picks_what_is_true(ex, frame):
    ex.selection = frame["uniqueness"] < 0.5
    assert len(ex.selection) == 1
    ex.selection = frame.to_pandas()["keep"].astype("boolean")
    assert len(ex.selection) == 3
    ex.selection = [None, pd.NA, True, False, True]
    assert len(ex.selection) == 2
    ex.selection = pl.Series([None] * 5, dtype=pl.Boolean)
    assert ex.selection.is_empty()
    mask = np.ones(5, bool)
    ex.selection = mask
    mask[:] = False
    assert len(ex.selection) == 5
    for nonsense in (None, 3, pl.col("path")):
        with pytest.raises(dw.InputError, match=r"cannot select by|not in this frame"):
            ex.selection = nonsense


@pytest.mark.lengthy
def test_a_selection_of_unknown_paths_changes_nothing_and_says_which(ex, frame):
    ex.selection = frame.head(1)
    with pytest.raises(dw.InputError, match=r"'none\.jpg': not in this frame"):
        ex.selection = [frame["path"][1], "none.jpg"]
    assert ex.selection["path"].to_list() == [frame["path"][0]]


@pytest.mark.lengthy
def test_observers_hear_of_each_selection(ex, frame):
    heard = []
    ex.observe(lambda change: heard.append((len(change["old"]), len(change["new"]))), "selection")
    page = Page(ex)
    page.ask("select", arrays={"rows": pack_bits(np.ones(5, bool))})
    ex.selection = []
    ex.selection = []
    assert heard == [(0, 5), (5, 0)]


@pytest.mark.lengthy
def test_observers_hear_of_filters_and_sort(ex):
    heard = []
    ex.observe(lambda change: heard.append((change["name"], change["new"])), ["filters", "sort"])
    ex.filters = {"uniqueness": (0, 0.1)}
    ex.sort = "path"
    assert heard == [
        ("filters", {"uniqueness": (0.0, 0.1)}),
        ("sort", {"column": "path", "descending": False, "grouped": True}),
    ]


@pytest.mark.lengthy
def test_the_view_is_what_the_filters_leave(ex, frame):
    ex.filters = {"uniqueness": (0, 0.0001)}
    assert ex.filters == {"uniqueness": (0.0, 0.0001)}
    assert ex.view["uniqueness"].to_list() == [0.0]
    ex.filters = {}
    assert len(ex.view) == len(frame)


@pytest.mark.lengthy
def test_filters_and_sort_that_cannot_be_say_why(ex):
    with pytest.raises(dw.InputError, match=r"cannot filter by 'formt'.*mean 'format'"):
        ex.filters = {"formt": (0, 1)}
    with pytest.raises(dw.InputError, match="high end first"):
        ex.filters = {"uniqueness": (0.5, 0.1)}
    with pytest.raises(dw.InputError, match="descending is 1"):
        ex.sort = {"descending": 1}
    with pytest.raises(dw.InputError, match="needs a column 'size'"):
        ex.sort = "size"
    with pytest.raises(dw.InputError, match="cannot sort by 'embedding'"):
        ex.sort = "embedding"


@pytest.mark.lengthy
def test_bands_stand_together_keeper_first(ex, frame):
    shown = ex.view
    zero = shown["uniqueness"].to_list().index(0.0)
    assert zero == 1
    assert shown["keep"][0]
    assert shown["group"][:2].to_list() == [1, 1]
    assert names(shown)[-1] == "broken.jpg"


@pytest.mark.lengthy
def test_similar_items_answer_with_scores_and_tiles(ex, frame):
    rows = {name: row for row, name in enumerate(names(frame))}
    reply = Page(ex).ask("similar", row=rows["cat.png"], k=3)
    assert reply["items"][0]["row"] == rows["cat copy.bmp"]
    assert reply["items"][0]["score"] == 0
    assert len(reply["tiles"]) == len(reply["items"]) == 3
    assert names(ex.similar(frame["path"][rows["cat.png"]], 2))[0] == "cat copy.bmp"


@pytest.mark.lengthy
def test_similar_items_have_the_scale_of_the_tiles(ex, frame):
    page = Page(ex)
    for row, score in enumerate(frame["uniqueness"].to_list()):
        if score:
            first = page.ask("similar", row=row, k=3)["items"]
            assert min(it["score"] for it in first if it["score"]) == pytest.approx(score, rel=1e-3)


def test_without_embeddings_similar_items_say_why_they_are_off(frame):
    ex = dw.Explorer(frame.select("path", "uniqueness"))
    page = Page(ex)
    assert "no column 'embedding'" in page.open()["similar"]
    assert "no column 'embedding'" in page.ask("similar", row=0, k=3)["error"]["message"]
    with pytest.raises(dw.InputError, match="no column 'embedding'"):
        ex.similar(frame["path"][0])


@pytest.mark.lengthy
@pytest.mark.parametrize("kind", ["polars", "lazy", "pandas", "pyarrow", "paths", "folder", "glob"])
def test_explorer_takes_what_people_have(photos, frame, kind):
    paths = [str(p) for p in sorted(photos.iterdir())]
    data = {
        "polars": lambda: frame,
        "lazy": lambda: frame.lazy(),
        "pandas": lambda: pd.DataFrame({"path": paths, "label": list("abcde")}),
        "pyarrow": lambda: pa.table({"path": paths}),
        "paths": lambda: paths,
        "folder": lambda: photos,
        "glob": lambda: str(photos / "*"),
    }[kind]()
    ex = dw.Explorer(data, model=Pixels(), progress=False)
    assert len(ex) == 5
    assert ex.frame["uniqueness"].null_count() == 1
    if kind == "pandas":
        assert ex.frame["label"].to_list() == list("abcde")


def test_vectors_of_ones_own_are_scored_without_reading_an_image():
    vectors = np.eye(4)[[0, 0, 1, 2]]
    frame = pl.DataFrame({"file": list("abcd"), "embedding": vectors})
    ex = dw.Explorer(frame, path="file")
    assert ex.frame["uniqueness"].to_list() == [1.0, 0.0, 1.0, 1.0]
    assert ex.frame["nearest"][1] == "a"


@pytest.mark.lengthy
def test_frames_with_columns_in_the_way_still_open(photos, frame):
    other = frame.rename({"path": "file"}).drop("uniqueness", "kind", "group", "keep", "embedding")
    for data in (
        frame.with_columns(pl.col("path").cast(pl.Categorical)),
        frame.select("path", "uniqueness", group=pl.lit("train"), keep=pl.lit("yes")),
        frame.select("path", "uniqueness", group=pl.lit(-1)),
        frame.drop("uniqueness"),
        frame.select("path", uniqueness=pl.lit(None)),
    ):
        ex = dw.Explorer(data)
        assert Page(ex).open()["ok"]
        assert len(ex.view) == len(data)
    named = other.select("file", path=pl.lit("mine"))
    ex = dw.Explorer(named, path="file", model=Pixels(), progress=False)
    assert ex.frame["path"].to_list() == ["mine"] * 5
    files = pd.DataFrame({"path": sorted(photos.iterdir())})
    assert len(dw.Explorer(files, model=Pixels(), progress=False)) == 5


def test_a_frame_without_paths_is_refused_with_the_columns_it_has():
    with pytest.raises(dw.InputError, match=r"needs a column 'path'.*'paths'"):
        dw.Explorer(pl.DataFrame({"paths": ["a.jpg"], "uniqueness": [0.5]}))


def test_an_empty_frame_opens():
    ex = dw.Explorer(
        pl.DataFrame(
            {"path": [], "uniqueness": []}, schema={"path": pl.String, "uniqueness": pl.Float32}
        )
    )
    assert Page(ex).open()["rows"] == 0
    assert ex.view.is_empty()
    assert ex.selection.is_empty()


@pytest.mark.lengthy
def test_errors_come_back_as_replies_and_strangers_get_none(ex):
    page = Page(ex)
    assert "below 5" in page.ask("tiles", rows=[5])["error"]["message"]
    assert page.ask("tiles", rows=[-1])["ok"] is False
    assert "nonsense" in page.ask("nonsense")["error"]["message"]
    assert page.ask("select", arrays={"rows": np.zeros(9, np.uint8)})["ok"] is False
    assert page.ask("ping")["ok"]
    page.send({"kind": "open"})
    page.send("junk")
    assert len(page.sent) == 5


@pytest.mark.lengthy
def test_a_collection_made_on_screen_is_read_in_python_and_outlives_the_explorer(ex, frame):
    page = Page(ex)
    ex.selection = frame.head(2)
    reply = page.ask("collect", name="Duplicates", of="selection", how="replace")
    made = {"name": "Duplicates", "size": 2, "description": ""}
    assert reply["size"] == 2
    assert reply.event("collections")["collections"] == [made]
    assert reply.event("collections").array("members").tolist() == [0b11]
    assert ex.collections["Duplicates"].frame.equals(frame.head(2))
    assert page.ask("collect", name="  ", of="selection", how="add")["ok"] is False
    again = dw.Explorer(frame)
    assert again.collections["Duplicates"].frame.equals(frame.head(2))
    assert Page(again).open()["collections"] == [made]


@pytest.mark.lengthy
def test_names_are_sent_as_they_are_for_the_browser_to_show_as_text(ex, frame):
    rows = {name: row for row, name in enumerate(names(frame))}
    name = "<img src=x onerror=alert(1)>.png"
    (tile,) = Page(ex).ask("tiles", rows=[rows[name]])["tiles"]
    assert tile["name"] == name


def test_the_text_of_an_explorer_sums_it_up(ex):
    assert repr(ex) == (
        "Explorer(5 images, 1 exact duplicate can go, 0 near-duplicates can go, 3 kept, "
        "1 unreadable, 1 group)"
    )


def test_image_grid_alone_shows_any_frame_with_paths(photos, frame):
    grid = dw.ImageGrid(pl.DataFrame({"path": frame["path"]}))
    reply = Page(grid).open()
    assert reply["score"] is None
    assert np.isnan(reply.array("scores")).all()
    grid.selection = [frame["path"][1]]
    assert grid.selection["path"].to_list() == [frame["path"][1]]


def test_similar_items_alone_moves_from_image_to_image(frame):
    items = dw.SimilarItems(frame, frame["path"][1], k=2)
    assert items.query == frame["path"][1]
    items.query = frame["path"][2]
    assert items.get_state("_row") == {"_row": 2}
    with pytest.raises(dw.InputError, match="not in this frame"):
        items.query = "none.jpg"
    with pytest.raises(dw.InputError, match="needs a column 'embedding'"):
        dw.SimilarItems(frame.drop("embedding"), frame["path"][1])


def test_range_histogram_alone_gives_its_range():
    histogram = dw.RangeHistogram(pl.Series("uniqueness", [0.0, 0.5, None, 1.0]))
    assert histogram.label == "uniqueness"
    assert Page(histogram).open().array("values").tolist() == [0.0, 0.5, 1.0]
    heard = []
    histogram.observe(lambda change: heard.append(change["new"]), "value")
    histogram.value = (0.1, 0.2)
    assert heard == [(0.1, 0.2)]
    with pytest.raises(Exception, match="low end first"):
        histogram.value = (0.2, 0.1)
    with pytest.raises(dw.InputError, match="shows \\[0, 1\\]"):
        dw.RangeHistogram([0, 3])
    with pytest.raises(dw.InputError, match="must be numbers"):
        dw.RangeHistogram(["a"])


@pytest.mark.lengthy
def test_a_thumbnail_that_is_waited_for_is_kept_as_scoring_keeps_it(make_photo, tmp_path):
    path = str(tmp_path / "large.jpg")
    make_photo(4, (2400, 1600)).save(path, quality=92)
    grid = dw.ImageGrid(pl.DataFrame({"path": [path]}), store=tmp_path / "store")
    cache, page = grid.session.store.cache, Page(grid)

    def shown():
        reply = page.ask("tiles", rows=[0])
        offset, length = reply["tiles"][0]["thumb"]
        return reply.array("blob")[offset : offset + length].tobytes()

    first = Image.open(io.BytesIO(shown()))
    assert first.size == (256, 171)
    whole = decode(Path(path).read_bytes())
    deadline = time.monotonic() + 60
    while not cache.thumbnails([whole.fingerprint]):
        assert time.monotonic() < deadline, "nothing was kept"
        time.sleep(0.02)
    assert shown() == thumbnail(whole.reduced)
    assert cache.files([path])[path].fingerprint == whole.fingerprint
    kept = Image.open(io.BytesIO(shown()))
    assert abs(np.asarray(kept, np.int16) - np.asarray(first, np.int16)).mean() < 2
