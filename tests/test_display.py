import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup_widgets.errors import InputError
from dedup_widgets.frame.schema import recognised
from dedup_widgets.review.display import (
    NO_RANK,
    bands,
    codes,
    dense_rank,
    display_order,
    first_in_order,
)

CASES = json.loads((Path(__file__).parent / "fixtures" / "order.json").read_text())


def order(case):
    rank = [NO_RANK if r is None else r for r in case["rank"]]
    return display_order(
        np.array(rank, np.uint32),
        np.array(case["band"], np.uint32),
        np.array(case["place"], np.uint32),
        np.array(case["mask"], bool),
        descending=case["descending"],
        grouped=case["grouped"],
    ).tolist()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_rows_are_shown_in_the_order_that_the_browser_shows(case):
    assert order(case) == case["order"]


rows = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(0, 4)), st.integers(0, 3), st.booleans()),
    max_size=30,
)


@given(rows, st.booleans(), st.booleans())
def test_every_visible_row_is_shown_once_and_bands_stay_together(rows, descending, grouped):
    rank = np.array([NO_RANK if r is None else r for r, _, _ in rows], np.uint32)
    band = np.array([b for _, b, _ in rows], np.uint32)
    mask = np.array([m for _, _, m in rows], bool)
    place = np.zeros(len(rows), np.uint32)
    for b in set(band.tolist()) - {0}:
        place[band == b] = np.arange((band == b).sum())
    shown = display_order(rank, band, place, mask, descending=descending, grouped=grouped)
    assert sorted(shown.tolist()) == np.flatnonzero(mask).tolist()
    if grouped:
        runs = [b for i, b in enumerate(band[shown]) if b and (i == 0 or band[shown][i - 1] != b)]
        assert len(runs) == len(set(runs))
    else:
        keys = [int(rank[row]) for row in shown if rank[row] != NO_RANK]
        assert keys == sorted(keys, reverse=descending)


@given(rows, st.booleans(), st.booleans(), st.integers(0, 9))
def test_the_first_rows_are_those_of_the_whole_order(rows, descending, grouped, count):
    values = np.array([np.nan if v is None else v for v, _, _ in rows], np.float32)
    band = np.array([b for _, b, _ in rows], np.uint32)
    mask = np.array([m for _, _, m in rows], bool)
    place = np.arange(len(rows), dtype=np.uint32)
    rank = dense_rank(pl.Series(values, dtype=pl.Float32))
    how = {"descending": descending, "grouped": grouped}
    whole = display_order(rank, band, place, mask, **how)
    first = first_in_order(values, band, place, mask, count, **how)
    assert first.tolist() == whole[:count].tolist()


def scored(**columns):
    n = len(columns["path"])
    return pl.DataFrame({"keep": [None] * n, **columns}, schema_overrides={"keep": pl.Boolean})


def test_a_band_is_keeper_then_members_by_distance_then_what_is_near_to_a_member_only():
    frame = scored(
        path=["far", "near", "keeper", "beside", "alone"],
        kind=["near", "near", "near", "near", "unique"],
        group=[1, 1, 1, None, None],
        keep=[False, False, True, True, True],
        nearest=["keeper", "keeper", "near", "far", "near"],
        distance=[0.04, 0.01, 0.01, 0.03, 0.6],
    )
    found = bands(recognised(frame, "path", None))
    assert found.band.tolist() == [1, 1, 1, 1, 0]
    assert found.place.tolist() == [2, 1, 0, 3, 0]
    assert found.ungrouped.tolist() == [False, False, False, True, False]
    assert found.keeper[1] == 2


def test_a_frame_without_groups_has_no_bands():
    found = bands(pl.DataFrame({"path": ["a", "b"], "uniqueness": [0.1, 0.2]}))
    assert found.band.tolist() == [0, 0]


def test_nulls_and_nan_rank_last():
    assert dense_rank(pl.Series([2.0, None, 1.0, float("nan"), 2.0])).tolist() == [
        1,
        NO_RANK,
        0,
        NO_RANK,
        1,
    ]


def test_kinds_without_a_kind_column_come_from_the_scores():
    frame = pl.DataFrame({"uniqueness": [0.0, 0.05, 0.5, None]})
    kind, keep = codes(frame, 0.05, np.zeros(len(frame), bool))
    assert kind.tolist() == [2, 1, 0, 255]
    assert keep.tolist() == [255] * 4


def test_columns_of_ones_own_under_known_names_are_left_alone():
    frame = pl.DataFrame(
        {"p": ["a", "b"], "group": ["train", "test"], "keep": ["yes", "no"], "distance": [1, 2]}
    )
    assert recognised(frame, "p", None).columns == ["path", "distance"]
    minus = pl.DataFrame({"path": ["a", "b"], "group": [-1, 7]})
    assert recognised(minus, "path", None)["group"].to_list() == [None, 7]


@pytest.mark.parametrize("values", [["0.1"], [True], [7.0], [-1.0], [[0.1]]])
def test_a_score_that_is_none_is_refused_by_name(values):
    with pytest.raises(InputError, match="column 'mine'"):
        recognised(pl.DataFrame({"path": ["a"], "mine": values}), "path", "mine")
