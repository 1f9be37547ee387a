import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup_widgets import keepers
from dedup_widgets.errors import InputError

BEST = {
    "path": "b.jpg",
    "width": 100,
    "height": 100,
    "bytes": 1000,
    "lossless": True,
    "sharpness": 5.0,
    "format": "PNG",
}
TYPES = {
    "path": pl.String,
    "width": pl.UInt32,
    "height": pl.UInt32,
    "bytes": pl.UInt64,
    "lossless": pl.Boolean,
    "sharpness": pl.Float32,
    "format": pl.String,
}


def frame(*rows):
    return pl.DataFrame(rows, schema=TYPES)


def best_of(*rows, rules=keepers.DEFAULT):
    ranks = keepers.rank(frame(*rows), rules)
    return int(np.argmin(ranks))


facts = st.fixed_dictionaries(
    {
        "width": st.none() | st.integers(1, 3),
        "height": st.none() | st.integers(1, 3),
        "bytes": st.none() | st.integers(1, 3),
        "lossless": st.none() | st.booleans(),
        "sharpness": st.none() | st.sampled_from([0.5, 1.0, float("nan")]),
        "format": st.none(),
    }
)


@pytest.mark.parametrize(
    "worse",
    [
        {"width": 99},
        {"width": 1000, "height": 9, "bytes": 9999},
        {"bytes": 999, "sharpness": 9.0},
        {"lossless": False, "sharpness": 9.0},
        {"sharpness": 4.0, "path": "a.jpg"},
        {"path": "c.jpg"},
    ],
)
def test_the_default_is_pixels_then_bytes_then_lossless_then_sharpness_then_path(worse):
    assert best_of(BEST | worse, BEST) == 1
    assert best_of(BEST, BEST | worse) == 0


@pytest.mark.parametrize("fact", ["width", "bytes", "lossless", "sharpness"])
def test_what_is_not_known_ranks_last(fact):
    known = {"width": 1, "bytes": 1, "lossless": False, "sharpness": 0.0}[fact]
    assert best_of(BEST | {fact: None}, BEST | {fact: known, "path": "z.jpg"}) == 1


def test_a_sharpness_that_is_no_number_ranks_last():
    assert best_of(BEST | {"sharpness": float("nan")}, BEST | {"path": "z.jpg"}) == 1


def test_the_rules_apply_in_the_order_given():
    small_sharp = BEST | {"width": 10, "sharpness": 9.0}
    assert best_of(BEST, small_sharp, rules=["sharpness", "pixels"]) == 1
    assert best_of(BEST, small_sharp, rules=["pixels", "sharpness"]) == 0


def test_the_path_decides_when_no_rule_does():
    assert best_of(BEST, BEST | {"path": "a.jpg"}, rules=["pixels"]) == 1
    assert best_of(BEST, BEST | {"path": "a.jpg"}, rules=[]) == 1


def test_many_pixels_do_not_overflow():
    huge = BEST | {"width": 70_000, "height": 70_000}
    assert best_of(BEST | {"width": 60_000, "height": 60_000}, huge) == 1


@given(st.lists(facts, max_size=12), st.randoms(use_true_random=False))
def test_ranks_are_a_total_order_that_no_shuffle_changes(rows, random):
    named = [row | {"path": f"{i}.jpg"} for i, row in enumerate(rows)]
    ranks = keepers.rank(frame(*named))
    assert ranks.dtype == np.int64
    assert sorted(ranks) == list(range(len(rows)))
    shuffle = list(range(len(rows)))
    random.shuffle(shuffle)
    again = keepers.rank(frame(*(named[i] for i in shuffle)))
    assert again.tolist() == ranks[shuffle].tolist()


def test_an_unknown_rule_is_refused_with_the_rules_there_are():
    with pytest.raises(InputError, match=r"'prettiest'.*pixels, bytes, lossless, sharpness, path"):
        keepers.rank(frame(BEST), ["prettiest"])


def test_one_name_instead_of_a_list_is_refused():
    with pytest.raises(InputError, match=r"\['pixels'\]"):
        keepers.check("pixels")


def test_a_missing_column_is_named():
    with pytest.raises(InputError, match="no column height, width"):
        keepers.rank(pl.DataFrame({"path": ["a"]}), ["pixels"])
