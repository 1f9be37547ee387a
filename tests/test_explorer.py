"""The Explorer's review: the plan on screen, decisions, undo, collections, datasets."""

import json
import threading
from pathlib import Path

import polars as pl
import pytest

import dedup_widgets as dw
from dedup_widgets.dataset.tables import read_table
from dedup_widgets.widgets.protocol import pack_bits
from page import Page, Pixels, names


def fill(folder, make_photo):
    """Two exact groups, of three and of two, a smaller copy, two on their own, one broken."""
    folder.mkdir()
    cat, dog = make_photo(0, (80, 60)), make_photo(1, (80, 60))
    for name in ("cat", "cat copy", "cat too"):
        cat.save(folder / f"{name}.png")
    cat.resize((40, 30)).save(folder / "cat small.png")
    dog.save(folder / "dog.png")
    dog.save(folder / "dog copy.bmp")
    for seed in (2, 3):
        make_photo(seed, (80, 60)).save(folder / f"other {seed}.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    return folder


@pytest.fixture
def photos(tmp_path, make_photo):
    return fill(tmp_path / "photos", make_photo)


@pytest.fixture(scope="module")
def frame(tmp_path_factory, make_photo):
    folder = tmp_path_factory.mktemp("scored")
    photos = fill(folder / "photos", make_photo)
    return dw.score(photos, model=Pixels(), store=folder / "store", progress=False)


@pytest.fixture
def ex(frame):
    return dw.Explorer(frame)


def path_of(frame, name):
    return next(path for path in frame["path"] if Path(path).name == name)


def fate(ex, name):
    row = ex.plan.filter(pl.col("path") == path_of(ex.frame, name))
    return row.select("action", "reason").row(0)


@pytest.mark.lengthy
def test_the_explorer_shows_exactly_the_plan(ex, frame):
    plan = dw.plan(frame)
    assert ex.plan.equals(plan)
    reply = Page(ex).open()
    assert (reply.codes("keep") == 0).tolist() == (plan["action"] == "remove").to_list()
    assert ex.frame["keep"].fill_null(True).to_list() == (plan["action"] == "keep").to_list()
    assert ex.frame["group"].equals(plan["group"])
    assert ex.frame.columns == frame.columns
    assert reply["review"]["off"] is None


@pytest.mark.lengthy
def test_a_keeper_chosen_by_hand_moves_the_band_on_screen_and_no_rule_overrides_it(ex, frame):
    page = Page(ex)
    row = names(frame).index("cat too.png")
    reply = page.ask("decide", change={"what": "keepers", "add": [row], "remove": []})
    review = reply.event("review")["review"]
    assert review["keepers"] == 1
    assert review["undo"] == "make cat too.png the keeper"
    assert row in reply.event("plan").array("rows")
    assert fate(ex, "cat too.png") == ("keep", "keeper: chosen by hand")
    (tile,) = page.ask("tiles", rows=[row], thumbs=False)["tiles"]
    assert tile["chosen"]
    assert tile["caption"] == "keeper: chosen by hand"
    assert page.open().bands()["place"][row] == 0
    ex.rules = ["bytes", "path"]
    assert fate(ex, "cat too.png")[0] == "keep"
    assert fate(ex, "dog copy.bmp") == ("keep", "keeper: most bytes")


@pytest.mark.lengthy
def test_another_choice_in_a_group_takes_the_place_of_the_first(ex):
    ex.choose_keepers([path_of(ex.frame, "cat too.png")])
    ex.choose_keepers([path_of(ex.frame, "cat copy.png")])
    assert fate(ex, "cat copy.png")[0] == "keep"
    assert fate(ex, "cat too.png")[0] == "remove"
    both = [path_of(ex.frame, name) for name in ("cat.png", "cat too.png")]
    ex.choose_keepers(both)
    assert [fate(ex, name)[0] for name in ("cat.png", "cat too.png", "cat copy.png")] == [
        "keep",
        "keep",
        "remove",
    ]
    ex.unchoose_keepers(both)
    assert ex.decisions == dw.Decisions()
    assert ex.plan.equals(dw.plan(ex.frame))


@pytest.mark.lengthy
def test_not_duplicates_stick_to_contents_and_survive_scoring_again(photos):
    ex = dw.Explorer(dw.score(photos, model=Pixels(), progress=False))
    ex.mark_not_duplicates([path_of(ex.frame, "cat small.png")])
    assert fate(ex, "cat small.png") == ("keep", "not a duplicate: decided by hand")
    assert ex.frame.filter(pl.col("path") == path_of(ex.frame, "cat small.png"))["group"][0] is None
    for name in ("cat small.png", "cat.png"):
        (photos / name).rename(photos / f"moved {name}")
    again = dw.Explorer(dw.score(photos, model=Pixels(), progress=False))
    assert fate(again, "moved cat small.png")[0] == "keep"
    assert again.decisions == ex.decisions
    again.unmark_not_duplicates([path_of(again.frame, "moved cat small.png")])
    assert fate(again, "moved cat small.png")[0] == "remove"
    assert dw.Explorer(again.frame).decisions == dw.Decisions()


@pytest.mark.lengthy
def test_exact_copies_can_be_told_apart_too(ex):
    ex.mark_not_duplicates([path_of(ex.frame, "dog.png")])
    assert fate(ex, "dog.png")[0] == fate(ex, "dog copy.bmp")[0] == "keep"
    assert ex.undo() == "mark dog.png as not duplicates"
    assert fate(ex, "dog.png")[0] == "keep"
    assert fate(ex, "dog copy.bmp")[0] == "remove"


@pytest.mark.lengthy
def test_moving_the_threshold_regroups_and_says_what_changes(ex, frame):
    page = Page(ex)
    before = int((ex.plan["action"] == "remove").sum())
    reply = page.ask("decide", change={"what": "near", "near": 0.0})
    assert ex.near == 0
    assert fate(ex, "cat small.png")[0] == "keep"
    assert reply.event("review")["review"]["changes"] == f"2 groups, {before - 1} images go (−1)"
    assert ex.plan.equals(dw.plan(frame, near=0.0))
    assert reply.event("review")["review"]["scored_near"] == 0.05
    kinds = dict(zip(names(ex.frame), ex.frame["kind"], strict=True))
    assert kinds["cat small.png"] == "unique"
    page.ask("decide", change={"what": "near", "near": None})
    assert ex.frame.equals(frame)


def test_a_change_that_cannot_be_is_refused_and_changes_nothing(ex, frame):
    page = Page(ex)
    for change in ({"near": 3}, {"rules": ["nonsense"]}, {"apart": [99]}, {"wrong": 1}):
        assert page.ask("decide", change=change)["ok"] is False
    assert ex.frame.equals(frame)
    assert ex.log.height == 1


def test_a_frame_without_groups_has_no_plan_and_says_why(frame):
    ex = dw.Explorer(frame.select("path", "uniqueness"))
    assert ex.plan is None
    review = Page(ex).open()["review"]
    assert "needs a column 'group'" in review["off"]
    assert review["near_max"] is None
    with pytest.raises(dw.InputError, match="no plan for this frame"):
        ex.near = 0.1
    with pytest.raises(dw.InputError, match="no plan for this frame"):
        ex.accept_plan()


@pytest.mark.lengthy
def test_undo_and_redo_walk_through_every_kind_of_step(ex, frame):
    page = Page(ex)
    start = (ex.plan, ex.frame)
    ex.selection = frame.head(2)
    ex.filters = {"kind": ["exact"]}
    ex.near = 0.01
    ex.rules = ["bytes"]
    ex.choose_keepers([path_of(frame, "cat copy.png")])
    ex.mark_not_duplicates([path_of(frame, "dog.png")])
    ex.collections["A"] = ex.selection
    ex.collections.describe("A", "the first two")
    ex.collections.rename("A", "B")
    end = (ex.plan, ex.selection, dict(ex.filters), ex.collections["B"])
    texts = []
    while (review := page.ask("undo").event("review")["review"])["undo"] is not None:
        texts.append(review["undo"])
    assert len(texts) == 8
    assert ex.plan.equals(start[0])
    assert ex.frame.equals(start[1])
    assert ex.selection.is_empty()
    assert ex.filters == {}
    assert len(ex.collections) == 0
    while page.ask("redo").event("review")["review"]["redo"] is not None:
        pass
    assert ex.plan.equals(end[0])
    assert ex.selection.equals(end[1])
    assert dict(ex.filters) == end[2]
    assert ex.collections["B"] == end[3]
    assert ex.collections["B"].description == "the first two"
    assert ex.redo() is None


@pytest.mark.lengthy
def test_the_log_replayed_on_the_frame_gives_the_same_result(ex, frame, tmp_path):
    ex.selection = frame.head(3)
    ex.collections["A"] = frame.head(2)
    ex.choose_keepers([path_of(frame, "cat too.png")])
    ex.near = 0.02
    ex.undo()
    ex.redo()
    ex.filters = {"uniqueness": (0, 0.5)}
    ex.log.write_ndjson(tmp_path / "review.jsonl")
    again = dw.replay(frame, tmp_path / "review.jsonl")
    assert again.plan.equals(ex.plan)
    assert set(again.selection["path"]) == set(ex.selection["path"])
    assert again.collections["A"].paths == ex.collections["A"].paths
    assert again.filters == ex.session.clauses


def test_a_rename_takes_the_filter_along(ex, frame):
    ex.collections["A"] = frame.head(2)
    ex.filters = {"collections": {"include": ["A"]}}
    ex.collections.rename("A", "B")
    assert ex.filters["collections"]["include"] == ["B"]
    assert len(ex.view) == 2
    assert ex.undo() == "rename “A” to “B”"
    assert len(ex.view) == 2


@pytest.mark.lengthy
def test_collections_from_the_page(ex, frame):
    page = Page(ex)
    ex.selection = frame.head(2)
    page.ask("collect", name="A", of="selection", how="replace")
    ex.selection = frame.tail(2)
    reply = page.ask("collect", name="A", of="selection", how="add")
    assert reply["size"] == 4
    reply = page.ask("collect", name="A", of="selection", how="remove")
    assert reply["size"] == 2
    reply = page.ask("collect", name="Rest", of="rest", how="replace")
    assert "broken.jpg" not in names(ex.collections["Rest"].frame)
    assert reply["size"] == len(frame.filter(pl.col("error").is_null())) - sum(
        error is None for error in frame.tail(2)["error"]
    )
    assert page.ask("collection", name="A", change={"what": "rename", "to": "Rest"})["ok"] is False
    page.ask("collection", name="A", change={"what": "rename", "to": "C"})
    page.ask("collection", name="C", change={"what": "describe", "text": "two"})
    reply = page.ask("collection", name="Rest", change={"what": "delete"})
    there = reply.event("collections")
    assert there["collections"] == [{"name": "C", "size": 2, "description": "two"}]
    assert there.array("members").tolist() == [0b11, 0]


@pytest.mark.lengthy
def test_another_notebooks_collections_reach_the_page(ex, frame):
    page = Page(ex)
    other = dw.Explorer(frame)
    other.collections["Theirs"] = frame.head(1)
    page.ask("ping")
    assert [c["name"] for c in page.events("collections")[-1]["collections"]] == ["Theirs"]


@pytest.mark.lengthy
@pytest.mark.parametrize(
    "filters",
    [
        {"kind": ["exact"]},
        {"uniqueness": (0, 0)},
        {"width": (50, None), "path": "cat"},
        {"plan": "remove"},
        {"collections": {"exclude": ["A"]}},
        {"error": dw.filters.present},
        {"label_conflict": True},
        {"leakage": True, "keep": True},
        pl.col("bytes") > 1000,
    ],
    ids=str,
)
def test_filters_as_an_expression_reproduce_the_view(frame, filters):
    ex = dw.Explorer(
        frame.with_columns(
            label=pl.Series(list("aabaabbcc")), split=pl.Series(["train", "test", "val"] * 3)
        )
    )
    ex.collections["A"] = frame.head(3)
    ex.filters = filters
    assert 0 < len(ex.view) < len(frame)
    outside = ex.frame.filter(ex.filters.expression)
    assert sorted(outside["path"]) == sorted(ex.view["path"])


@pytest.mark.lengthy
def test_columns_and_matches_for_the_browsers_own_filters(ex, frame):
    page = Page(ex)
    numbers = page.ask("column", column="bytes")
    assert numbers["facet"] == "number"
    values = pl.Series(numbers.array("values")).fill_nan(None)
    assert values.to_list() == frame["bytes"].to_list()
    kinds = page.ask("column", column="kind")
    labels = [kinds["labels"][code] for code in kinds.array("codes")]
    assert labels == frame["kind"].cast(pl.String).to_list()
    assert page.ask("column", column="path")["facet"] == "text"
    assert page.ask("column", column="nonsense")["ok"] is False
    match = page.ask("match", key="path", clause={"contains": "DOG"})
    assert (
        match.array("rows").tolist()
        == pack_bits(frame["path"].str.contains("dog").to_numpy()).tolist()
    )
    assert (
        page.ask("match", key="where", clause={"text": "x", "expression": "made up"})["ok"] is False
    )


@pytest.mark.lengthy
def test_label_conflicts_and_leakage_are_counted_as_groups(frame):
    ex = dw.Explorer(
        frame.with_columns(
            animal=pl.col("path").str.extract("(cat|dog) ?c"), split=pl.lit("train")
        ),
        label="animal",
    )
    summary = Page(ex).open()["summary"]
    assert summary["label_conflicts"] == 0
    assert summary["leakage"] == 0
    labels = ["cat" if "cat" in name else "dog" for name in names(frame)]
    labels[names(frame).index("cat too.png")] = "dog"
    ex = dw.Explorer(frame.with_columns(label=pl.Series(labels)))
    assert Page(ex).open()["summary"]["label_conflicts"] == 1
    ex.filters = {"label_conflict": True}
    assert sorted(names(ex.view)) == sorted(n for n in names(frame) if n.startswith("cat"))


def dataset(source, folder, **changes):
    return {
        "source": source,
        "name": "clean",
        "description": "",
        "project": "",
        "project_description": "",
        "root": str(folder),
        "mode": "copy",
        "format": "imagefolder",
        "copies": False,
        "merge": False,
        "annotate": None,
        **changes,
    }


@pytest.mark.lengthy
def test_accepting_the_plan_makes_a_dataset_with_every_picture_once(ex, tmp_path):
    ex.filters = {"uniqueness": (0, 0)}
    unique = ex.accept_plan("Unique")
    assert (
        sorted(names(ex.selection)) == ["cat copy.png", "cat.png", "dog.png"]
        or len(ex.selection) == 3
    )
    assert len(unique) == 5
    page = Page(ex)
    source = {"kind": "collection", "name": "Unique"}
    preview = page.ask("preview", dataset=dataset(source, tmp_path / "out"))
    assert (preview["images"], preview["removed"], preview["lost_groups"]) == (5, 4, 0)
    made = page.ask("create", dataset=dataset(source, tmp_path / "out"))
    assert (made["images"], made["removed"], made["problem"]) == (5, 4, None)
    progress = page.events("progress")
    assert progress[-1]["done"] == progress[-1]["total"] == 10
    removed = pl.read_parquet(Path(made["path"]) / "removed.parquet")
    assert set(removed["reason"].str.split(" of ").list.first()) == {
        "exact duplicate",
        "unreadable",
    }
    again = dw.score(made["path"], model=Pixels(), progress=False)
    assert (again["uniqueness"] == 0).sum() == 0


@pytest.mark.lengthy
@pytest.mark.parametrize("kind", ["plan", "selection", "view"])
def test_a_dataset_of_each_source(ex, frame, tmp_path, kind):
    ex.selection = frame.filter(pl.col("keep") & pl.col("group").is_not_null())
    ex.filters = {"keep": True}
    made = Page(ex).ask("create", dataset=dataset({"kind": kind}, tmp_path))
    assert made["images"] == {"plan": 4, "selection": 2, "view": 4}[kind]


@pytest.mark.lengthy
def test_labels_of_what_is_left_out_reach_the_keeper_in_the_dataset(frame, tmp_path):
    labels = [None if keep else "cat" for keep in frame["keep"]]
    tags = [[name] for name in names(frame)]
    ex = dw.Explorer(frame.with_columns(label=pl.Series(labels), tags=pl.Series(tags)))
    page = Page(ex)
    assert page.open()["mergeable"] == ["label", "tags"]
    made = page.ask("create", dataset=dataset({"kind": "plan"}, tmp_path, merge=True))
    rows = read_table(Path(made["path"]) / "train" / "metadata.parquet")
    cats = rows.filter(pl.col("file_name").str.starts_with("cat"))
    assert cats["label"].to_list() == ["cat"]
    assert sorted(cats["tags"][0]) == [n for n in sorted(names(frame)) if n.startswith("cat")]
    assert ex.frame["label"].to_list() == labels


@pytest.mark.lengthy
def test_a_group_that_a_dataset_would_lose_is_counted(ex, frame, tmp_path):
    ex.selection = frame.filter(pl.col("path").str.contains("dog"))
    preview = Page(ex).ask("preview", dataset=dataset({"kind": "selection"}, tmp_path))
    assert preview["lost_groups"] == 1


@pytest.mark.lengthy
def test_a_dataset_that_cannot_be_made_says_why(ex, tmp_path):
    page = Page(ex)
    for changes in ({"name": "../up"}, {"root": "s3://bucket"}, {"mode": "teleport"}):
        for kind in ("preview", "create"):
            assert (
                page.ask(kind, dataset=dataset({"kind": "plan"}, tmp_path, **changes))["ok"]
                is False
            )


@pytest.mark.lengthy
def test_an_answer_is_cancelled_while_it_runs(ex, tmp_path):
    page = Page(ex)
    send, under_way, cancelled = ex.send, threading.Event(), threading.Event()

    def send_and_wait(content, buffers=None):
        send(content, buffers)
        if any(event["event"] == "progress" for event in content["events"]):
            under_way.set()
            assert cancelled.wait(60)

    ex.send = send_and_wait
    asked = page.request("create", dataset=dataset({"kind": "plan"}, tmp_path))
    assert under_way.wait(60)
    page.request("cancel", target=asked)
    cancelled.set()
    reply = page.reply(asked)
    assert reply["error"]["type"] == "CancelledError"
    assert list(tmp_path.glob("*clean*")) == []


@pytest.mark.slow
def test_a_problem_with_the_annotation_tool_leaves_the_dataset(ex, tmp_path):
    pytest.importorskip("httpx")
    wanted = dataset(
        {"kind": "plan"}, tmp_path, annotate={"url": "http://127.0.0.1:9", "token": "none"}
    )
    made = Page(ex).ask("create", dataset=wanted)
    assert made["ok"]
    assert "127.0.0.1:9" in made["problem"]
    assert (tmp_path / "clean" / "README.md").exists()


def test_the_log_is_one_line_a_step(ex, frame):
    ex.selection = frame.head(1)
    row = ex.log.row(1, named=True)
    assert (row["action"], row["step"]) == ("do", "selection")
    assert json.loads(row["value"]) == {"add": [frame["path"][0]], "remove": []}


@pytest.mark.lengthy
def test_rules_made_on_the_page_are_read_in_python_logged_undone_and_replayed(frame):
    votes = frame.with_columns(
        votes=pl.int_range(pl.len()), source=pl.lit("web"), day=pl.date(2024, 1, 1)
    )
    ex = dw.Explorer(votes)
    page = Page(ex)
    made_in_python = dw.keepers.prefer_path("*copy*")
    ex.rules = [made_in_python, "bytes"]
    python, bytes_ = page.open()["review"]["rules"]
    assert (python["about"], bytes_["name"]) == ("path like *copy*", "bytes")
    folder = str(Path(path_of(frame, "cat.png")).parent)
    rules = [
        "oldest",
        {"prefers": "values", "column": "source", "values": ["camera", "web"]},
        python["name"],
        {"prefers": "column", "column": "votes", "best": "highest"},
        {"prefers": "folder", "folder": folder},
        "path",
    ]
    reply = page.ask("decide", change={"what": "rules", "rules": rules})
    shown = reply.event("review")["review"]["rules"]
    assert [rule["about"] for rule in shown] == [
        "oldest by day",
        "source camera, then web",
        "path like *copy*",
        "highest votes",
        f"in the folder {Path(folder).parent.name}/photos",
        "path that sorts first",
    ]
    assert ex.rules[2] is made_in_python
    assert ex.plan.equals(dw.plan(votes, **ex.decisions.arguments()))
    assert dw.replay(votes, ex.log).decisions == ex.decisions
    names_now = [rule["name"] for rule in shown]
    page.ask("decide", change={"what": "rules", "rules": names_now[::-1]})
    assert ex.rules[3] is made_in_python
    ex.undo()
    ex.undo()
    assert ex.rules == (made_in_python, "bytes")


@pytest.mark.lengthy
def test_each_named_rule_that_suits_the_frame_can_be_chosen(ex, frame):
    chosen = [rule["name"] for rule in Page(ex).open()["review"]["rule_choices"]]
    of_shots = {"shot", "copies_shot"}  # there is none
    assert set(chosen) == {*dw.keepers.RULES, "oldest", "newest"} - of_shots
    ex.rules = chosen
    bare = dw.Explorer(frame.select("path", "uniqueness", "group", "keep", "kind", "nearest"))
    names_there = {rule["name"] for rule in Page(bare).open()["review"]["rule_choices"]}
    assert names_there == {"plain_name", "path"}


@pytest.mark.lengthy
def test_folders_are_counted_with_what_lies_below_them(photos, make_photo):
    (photos / "a" / "b").mkdir(parents=True)
    for name in ("a/1.png", "a/b/2.png"):
        make_photo(5, (20, 20)).save(photos / name)
    reply = Page(dw.Explorer(photos, model=Pixels(), progress=False)).ask("folders")
    assert reply["root"] == str(photos)
    assert reply["folders"] == [
        {"folder": str(photos / "a"), "images": 2},
        {"folder": str(photos / "a" / "b"), "images": 1},
    ]
