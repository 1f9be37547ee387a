"""What version 0.1.0 made is still good; see the README of ``fixtures/0.1.0``."""

import hashlib
import json
import os
import runpy
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import dedup_widgets as dw
from dedup_widgets.frame.scale import scale
from dedup_widgets.store.library import Library
from page import Page, Pixels

MADE = Path(__file__).parent / "fixtures" / "0.1.0"
LAY_IN = "/tmp/dedup-widgets-0.1.0"
"""The folder that stands before the paths in the stores."""

SCORES = ["uniqueness", "kind", "group", "keep", "nearest", "distance"]
METRICS = ["brightness", "contrast", "sharpness"]
RULES = ["pixels", "bytes", "lossless", "sharpness", "path"]
"""The default keeper rules of 0.1.0. Those of today may say another reason, or rank otherwise."""

PLANNED = ["path", "action", "keeper", "kind", "distance"]


def said(name):
    return json.loads((MADE / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def scored():
    return pl.read_parquet(MADE / "scored.parquet")


@pytest.fixture
def photos(monkeypatch):
    """Stand in the folder that the paths of the scored frame are relative to."""
    monkeypatch.chdir(MADE)


@pytest.fixture(params=[1, 2, 3])
def version(request):
    return request.param


@pytest.fixture
def folder(tmp_path):
    """Return a folder where the pictures lie as they lay when they were scored."""
    shutil.copytree(MADE / "photos", tmp_path / "photos")
    for name, (_, mtime_ns, *_) in said("store.json")["files"].items():
        os.utime(tmp_path / name, ns=(mtime_ns, mtime_ns))
    return tmp_path


@pytest.fixture
def store(folder, version, tmp_path_factory):
    """Return a store of an older schema, as if it had been made where the pictures now lie."""
    path = tmp_path_factory.mktemp("old") / "store.sqlite"
    shutil.copy(MADE / f"store-{version}.sqlite", path)
    columns = [("file", "path"), ("collection_item", "path")]
    columns += [("chosen_keeper", "path")] if version > 1 else []
    with closing(sqlite3.connect(path)) as db:
        for table, column in columns:
            db.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (LAY_IN, str(folder))
            )
        db.commit()
    return path


@pytest.fixture
def in_folder(scored, folder):
    """Return the scored frame with absolute paths."""
    return scored.with_columns(pl.format("{}/{}", pl.lit(str(folder)), "path").alias("path"))


def names(folder, paths):
    return sorted(Path(path).relative_to(folder).as_posix() for path in paths)


def assert_same_scores(scores, before, gamma):
    """Compare scores with those of before the scale had a floor: all else is equal to the bit."""
    distance = before["distance"].cast(pl.Float64).fill_null(1.0)
    is_scored = pl.Series(before["uniqueness"] > 0)
    expected = pl.Series(scale(distance.to_numpy(), gamma)).set(~is_scored, 0.0)
    np.testing.assert_allclose(scores["uniqueness"], expected, rtol=1e-6)
    assert_frame_equal(scores.drop("uniqueness"), before.drop("uniqueness"), check_exact=True)


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


class Unneeded:
    """The model of the scored frame, if only what the store knows of it is needed."""

    def __init__(self):
        self.key = said("scored.json")["model"].rsplit("/", 1)[0]
        self.near_distance = said("scored.json")["near_distance"]

    def encode(self, images):
        raise AssertionError(f"{len(images)} pictures were embedded again")


# Scores


@pytest.mark.lengthy
def test_files_have_the_fingerprints_and_facts_that_they_had(scored, photos):
    again = dw.score(scored.select("path"), model=Pixels(), progress=False)
    facts = ["path", "width", "height", "bytes", "format", "mode", "frames"]
    facts += ["aspect_ratio", "area"]
    assert_frame_equal(again.select(facts), scored.select(facts))
    # Photos of few colours counted as lossless.
    told = again["lossless"].is_not_null()
    assert_frame_equal(
        again.filter(told).select("lossless"), scored.filter(told).select("lossless")
    )
    # A tag that says how a picture is turned counted as EXIF data.
    not_turned = ~pl.col("path").str.ends_with("turned.png")
    assert_frame_equal(
        again.filter(not_turned).select("exif"), scored.filter(not_turned).select("exif")
    )
    assert again["error"].is_null().equals(scored["error"].is_null())
    # Builds of the JPEG library round differently.
    no_jpeg = ~pl.col("path").str.ends_with(".jpg")
    # Transparency counted only as it shows on white.
    for columns, rows in (
        (["error"], no_jpeg),
        (["fingerprint"], no_jpeg & ~pl.col("path").str.contains("glass")),
    ):
        assert_frame_equal(again.filter(rows).select(columns), scored.filter(rows).select(columns))
    # What they are measured on was rounded twice, which pictures of few pixels show.
    rounding = zip(METRICS, (5e-5, 5e-5, 0.2), (0.0, 0.0, 0.2), strict=True)
    for metric, of_others, of_jpeg in rounding:
        for rows, share, least in ((no_jpeg, 0.0, of_others), (~no_jpeg, 0.01, of_jpeg)):
            assert_frame_equal(
                again.filter(rows).select(metric),
                scored.filter(rows).select(metric),
                rel_tol=share,
                abs_tol=least,
            )


def test_the_same_embeddings_have_the_same_scores_to_the_last_bit(scored):
    seen = scored.filter(pl.col("error").is_null())
    scores = dw.uniqueness(
        seen["embedding"],
        fingerprints=seen["fingerprint"],
        near=said("scored.json")["near"],
        gamma=said("scored.json")["gamma"],
        rank=dw.keepers.rank(seen, RULES),
    ).with_columns(nearest=pl.lit(seen["path"]).gather(pl.col("nearest")))
    assert_same_scores(scores, seen.select(SCORES), said("scored.json")["gamma"])


def test_the_plan_is_the_same(scored):
    before = pl.read_parquet(MADE / "plan.parquet")
    assert_frame_equal(dw.plan(scored).select(PLANNED), before.select(PLANNED), check_exact=True)


@pytest.mark.parametrize("case", range(6))
@pytest.mark.parametrize("method", ["auto", "exact", "hnsw"])
def test_vectors_of_ones_own_have_the_same_scores_to_the_last_bit(case, method):
    given = np.load(MADE / "vectors.npz")
    asked = said("uniqueness.json")[case]
    scores = dw.uniqueness(
        given["vectors"],
        near=asked["near"],
        gamma=asked["gamma"],
        fingerprints=given["fingerprints"] if asked["fingerprints"] else None,
        rank=given["rank"] if asked["rank"] else None,
        method=method,
    )
    before = pl.read_parquet(MADE / "uniqueness.parquet").filter(case=case).drop("case")
    assert_same_scores(scores, before, asked["gamma"])


# The store


@pytest.mark.lengthy
def test_nothing_that_a_person_decided_is_lost(in_folder, folder, store, version):
    there = said("store.json")
    ex = dw.Explorer(in_folder, store=store)
    found = {
        name: {"paths": names(folder, collection.paths), "description": collection.description}
        for name, collection in ex.collections.items()
    }
    if version == 1:
        there["collections"] = {
            name: {**collection, "description": ""}
            for name, collection in there["collections"].items()
        }
        there |= {"chosen_keepers": {}, "not_duplicates": []}
    assert list(found.items()) == list(there["collections"].items())
    assert names(folder, ex.decisions.keepers) == sorted(there["chosen_keepers"])
    assert sorted(map(list, ex.decisions.not_duplicates)) == there["not_duplicates"]


@pytest.mark.lengthy
def test_what_is_decided_in_an_old_store_is_there_the_next_time(in_folder, folder, store):
    keeper = f"{folder}/photos/palette.png"
    ex = dw.Explorer(in_folder, store=store)
    ex.collections.rename("From before", "After")
    ex.choose_keepers([keeper])
    again = dw.Explorer(in_folder, store=store)
    assert "After" in again.collections
    assert "From before" not in again.collections
    assert again.decisions == ex.decisions
    assert keeper in again.decisions.keepers


@pytest.mark.lengthy
def test_thumbnails_are_not_made_again(in_folder, folder, store, version):
    shutil.rmtree(folder / "photos")
    page = Page(dw.Explorer(in_folder, store=store))
    reply = page.ask("tiles", rows=list(range(len(in_folder))))
    blob = reply.array("blob").tobytes()
    found = {
        in_folder["fingerprint"][tile["row"]]: digest(blob[start : start + length])
        for tile in reply["tiles"]
        if tile["thumb"] is not None
        for start, length in [tile["thumb"]]
    }
    before = said("store.json")["thumbnails"]
    assert len(found) == (5 if version < 3 else len(before))
    assert found.items() <= before.items()


@pytest.mark.lengthy
@pytest.mark.parametrize("version", [3], indirect=True)
def test_no_picture_that_the_store_knows_is_embedded_again(in_folder, store):
    # A transparent picture has another fingerprint today, and is new.
    known = in_folder.filter(~pl.col("path").str.contains("glass"))
    again = dw.score(known.select("path"), model=Unneeded(), store=store, progress=False)
    same = ["path", "fingerprint", "error", "embedding"]
    assert_frame_equal(again.select(same), known.select(same), check_exact=True)


# The decision log


def test_a_decision_log_leads_to_the_same(scored):
    found = dw.replay(scored, MADE / "review.jsonl")
    before = said("replayed.json")
    assert without_expressions(found.decisions.as_json()) == without_expressions(
        before["decisions"]
    )
    assert found.selection["path"].to_list() == before["selection"]
    assert found.filters == before["filters"]
    assert {
        name: {"paths": collection.paths, "description": collection.description}
        for name, collection in found.collections.items()
    } == before["collections"]
    plan = pl.read_parquet(MADE / "replayed_plan.parquet")
    assert_frame_equal(found.plan.select(PLANNED), plan.select(PLANNED), check_exact=True)


@pytest.mark.lengthy
def test_the_same_review_writes_the_same_log(scored, tmp_path, monkeypatch):
    # Its second Explorer did not go on with the first one then.
    monkeypatch.setattr(Library, "has_review", lambda *_: False)
    review = runpy.run_path(str(MADE / "review.py"))["review"]
    ex = review(scored, tmp_path / "store.sqlite")
    ex.log.write_ndjson(tmp_path / "review.jsonl")
    now, then = entries(tmp_path / "review.jsonl"), entries(MADE / "review.jsonl")
    # The review ends with accepting the plan, which takes exact copies with near-duplicates by now.
    accepted = [it["value"] for it in then].index(0.2) + 1
    assert now[:accepted] == then[:accepted]
    assert [it["step"] for it in now] == [it["step"] for it in then]


def entries(log):
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    # Who is a duplicate at a boundary of 0.3 changed a little with the scale, and a start says what
    # was reviewed by now.
    return [
        {**line, "time": "", "value": without_expressions(json.loads(line["value"]))}
        for line in lines
        if line["step"] != "not_duplicates"
    ]


def without_expressions(value):
    """Leave out how Polars writes the expression of a keeper rule, which it may change."""
    match value:
        case {"about": _, "value": _, "highest_first": _}:
            return {**value, "value": "an expression"}
        case dict():
            return {k: without_expressions(part) for k, part in value.items() if k != "reviewed"}
        case list():
            return [without_expressions(part) for part in value]
    return value
