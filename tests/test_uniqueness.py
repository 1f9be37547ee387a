"""The rules of the uniqueness score, SPEC.md "The uniqueness score", one section a rule."""

import math
import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dedup_widgets.errors import InputError
from dedup_widgets.frame.scale import FLOOR, gamma_of, radius_of, scale
from dedup_widgets.frame.schema import KIND
from dedup_widgets.scoring import comparison
from dedup_widgets.scoring.uniqueness import SAME, compare, uniqueness
from effort import examples

many = examples(60)
seeds = st.integers(0, 2**32 - 1)


def clustered(rng, n, d=8, clusters=4, spread=0.3):
    """Rows round a few centres, some of them planted copies; not of unit length."""
    centres = rng.standard_normal((clusters, d))
    rows = centres[rng.integers(clusters, size=n)] + spread * rng.standard_normal((n, d))
    copies = rng.random(n) < 0.3
    rows[copies] = rows[rng.integers(n, size=copies.sum())]
    return rows


def fingerprints_of(rows):
    return [row.tobytes().hex() for row in rows]


def at_angle(*degrees):
    """Vectors in a plane, at these angles from the first axis."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def angle_for(distance):
    return math.degrees(math.acos(1 - distance))


def random_case(seed, most=40):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, most))
    spread = rng.choice([0.02, 0.1, 0.3])
    rows = clustered(rng, n, d=int(rng.integers(2, 12)), spread=spread)
    return rng, rows, fingerprints_of(rows), rng.permutation(n)


def partition(scores):
    """The groups as sets of row numbers."""
    grouped = scores.with_row_index("row").drop_nulls("group")
    return {frozenset(rows) for rows in grouped.group_by("group").agg("row")["row"].to_list()}


def reference(rows, fingerprints, rank, near, gamma):
    """Rules 2 to 6 as they are written, one image and one pair at a time."""
    n = len(rows)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    by_rank = sorted(range(n), key=lambda i: rank[i])

    def copies_of(i):
        return [j for j in by_rank if fingerprints[j] == fingerprints[i]]

    def how_unique(i, j):
        return FLOOR + (1 - FLOOR) * min(max(1 - unit[i] @ unit[j], 0.0), 1.0) ** gamma

    out = [dict[str, object]() for _ in range(n)]
    for i in range(n):
        others = [how_unique(i, j) for j in range(n) if fingerprints[j] != fingerprints[i]]
        score = min(others, default=1.0) if copies_of(i)[0] == i else 0.0
        near_kind = "near" if score <= near else "unique"
        out[i] = {"uniqueness": score, "kind": "exact" if len(copies_of(i)) > 1 else near_kind}
    group_of: dict[int, int] = {}
    keepers = set()
    for i in by_rank:
        if i in group_of or copies_of(i)[0] != i:
            continue
        members = [
            j
            for j in by_rank
            if j not in group_of and copies_of(j)[0] == j and (j == i or how_unique(i, j) <= near)
        ]
        all_members = [copy for member in members for copy in copies_of(member)]
        if len(all_members) > 1:
            keepers.add(i)
            group_of.update(dict.fromkeys(all_members, len(keepers)))
    for i in range(n):
        out[i] |= {"group": group_of.get(i), "keep": i in keepers or i not in group_of}
    return out


# The whole definition, against the reference


@pytest.mark.lengthy
@many
@given(seeds, st.sampled_from([0.0, 0.01, 0.05, 0.3, 1.0]), st.sampled_from([0.7, 1.0, 2.16]))
def test_scores_kinds_groups_and_keepers_are_those_of_the_written_rules(seed, near, gamma):
    _, rows, fingerprints, rank = random_case(seed)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    distances = np.clip(1 - unit @ unit.T, 0, 1)
    # Where a pair lies on the boundary itself, the last bit of float64 decides.
    if 0 < near < 1:
        assume((abs(distances - radius_of(near, gamma)) > 1e-6).all())
    scores = uniqueness(rows, fingerprints=fingerprints, near=near, rank=rank, gamma=gamma)
    expected = reference(rows, fingerprints, rank, near, gamma)
    for column in ("kind", "group", "keep"):
        assert scores[column].to_list() == [row[column] for row in expected], column
    np.testing.assert_allclose(
        scores["uniqueness"], [row["uniqueness"] for row in expected], atol=2e-6, rtol=0
    )


@many
@given(seeds)
def test_nearest_is_an_image_at_the_distance_that_decided_the_score(seed):
    _, rows, fingerprints, rank = random_case(seed)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    scores = uniqueness(rows, fingerprints=fingerprints, rank=rank, gamma=1.5)
    for i, row in enumerate(scores.iter_rows(named=True)):
        if row["nearest"] is None:
            assert len(set(fingerprints)) == 1
            assert row["distance"] is None
            continue
        distance = np.clip(1 - unit[i] @ unit[row["nearest"]], 0, 1)
        assert row["distance"] == pytest.approx(distance, abs=2e-6)
        assert row["nearest"] != i
        is_copy = row["uniqueness"] == 0
        assert (fingerprints[row["nearest"]] == fingerprints[i]) == is_copy
        if not is_copy:
            assert row["uniqueness"] == pytest.approx(scale(row["distance"], 1.5), rel=1e-6)


# Rules 2 and 4: exact duplicates


@pytest.mark.parametrize("n", [2, 29, 30, 31, 40, 1000])
@pytest.mark.parametrize("others", [0, 3])
@pytest.mark.parametrize("by", ["fingerprint", "vector"])
def test_of_n_identical_images_exactly_one_keeps_a_score(n, others, by):
    rows = np.concatenate([np.tile(at_angle(10), (n, 1)), at_angle(40, 60, 80)[:others]])
    fingerprints = ["same"] * n + list("abc")[:others] if by == "fingerprint" else None
    rank = np.random.default_rng(n).permutation(len(rows))
    scores = uniqueness(rows, fingerprints=fingerprints, rank=rank)
    copies = scores[:n]
    assert (copies["uniqueness"] > 0).sum() == 1
    assert (copies["uniqueness"] == 0).sum() == n - 1
    assert (copies["kind"] == "exact").all()
    keeper = int(np.argmin(rank[:n]))
    assert copies["keep"].arg_true().to_list() == [keeper]
    zeros = copies.filter(pl.col("uniqueness") == 0)
    assert (zeros["nearest"] == keeper).all()
    assert (zeros["distance"] == 0).all()
    assert copies["group"].n_unique() == 1
    assert copies["group"].null_count() == 0
    if not others:
        assert scores.row(keeper, named=True) | {"group": 1} == {
            "uniqueness": 1.0,
            "kind": "exact",
            "group": 1,
            "keep": True,
            "nearest": None,
            "distance": None,
        }


@many
@given(seeds)
def test_zero_means_an_exact_duplicate_that_is_not_the_keeper(seed):
    _, rows, fingerprints, rank = random_case(seed)
    scores = uniqueness(rows, fingerprints=fingerprints, rank=rank)
    for i, score in enumerate(scores["uniqueness"]):
        better_copy = any(
            fingerprints[j] == fingerprints[i] and rank[j] < rank[i] for j in range(len(rows))
        )
        assert (score == 0) == better_copy


def test_different_pictures_with_one_embedding_stay_above_zero():
    scores = uniqueness(at_angle(10, 10), fingerprints=["a", "b"])
    assert scores["uniqueness"].to_list() == [np.float32(FLOOR)] * 2
    assert scores["distance"].to_list() == [0.0, 0.0]
    assert scores["kind"].to_list() == ["near", "near"]
    assert scores["keep"].to_list() == [True, False]


def test_without_fingerprints_identical_is_within_1e_5_of_a_keeper_without_chaining():
    step = angle_for(0.7 * SAME)
    scores = uniqueness(at_angle(0, step, 2 * step, 90))
    # The third is within the radius of the second only, which is a copy of the first.
    assert scores["kind"].to_list() == ["exact", "exact", "near", "unique"]
    assert (scores["uniqueness"] == 0).to_list() == [False, True, False, False]
    assert scores["nearest"].to_list() == [2, 0, 0, 2]
    assert uniqueness(at_angle(0, angle_for(1.3 * SAME)))["kind"].to_list() == ["near", "near"]


def test_without_fingerprints_a_score_never_comes_from_a_collapsed_copy():
    step = angle_for(0.7 * SAME)
    rng = np.random.default_rng(0)
    angles = np.concatenate([rng.uniform(0, 90, 50) + step * k for k in range(3)])
    scores = uniqueness(at_angle(*angles), rank=rng.permutation(150)).with_row_index("row")
    scored = scores.filter(pl.col("uniqueness") > 0)
    assert scored["nearest"].is_in(scored["row"].implode()).all()
    assert (scored["distance"] > 0).all()


# Rule 3: the score


def test_alone_in_the_set_is_as_unique_as_can_be():
    scores = uniqueness([[3.0, 4.0]])
    assert scores.rows() == [(1.0, "unique", None, True, None, None)]


@pytest.mark.parametrize("shape", [(0,), (0, 5)])
@pytest.mark.parametrize("fingerprints", [None, []])
def test_no_images_give_an_empty_frame_of_the_same_columns(shape, fingerprints):
    empty = uniqueness(np.empty(shape), fingerprints=fingerprints)
    assert len(empty) == 0
    assert empty.schema == uniqueness([[1.0, 2.0]]).schema


def test_the_columns_have_their_documented_types():
    assert uniqueness(at_angle(0, 1, 90)).schema == {
        "uniqueness": pl.Float32,
        "kind": KIND,
        "group": pl.UInt32,
        "keep": pl.Boolean,
        "nearest": pl.UInt32,
        "distance": pl.Float32,
    }


def test_opposite_images_are_at_most_one():
    scores = uniqueness(at_angle(0, 180))
    assert scores["uniqueness"].to_list() == [1.0, 1.0]
    assert scores["distance"].to_list() == [1.0, 1.0]


@pytest.mark.parametrize("d_near", [0.01, 0.05, 0.25, 0.6])
def test_gamma_puts_the_model_s_boundary_at_5_percent(d_near):
    gamma = gamma_of(d_near)
    assert scale(d_near, gamma) == pytest.approx(0.05)
    inside, outside = (
        uniqueness(at_angle(0, angle_for(d_near * f)), gamma=gamma) for f in (0.99, 1.01)
    )
    assert inside["kind"].to_list() == ["near", "near"]
    assert outside["kind"].to_list() == ["unique", "unique"]


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20), st.floats(0.01, 10))
def test_the_scale_is_increasing_between_floor_and_one(distances, gamma):
    scores = scale(sorted(distances), gamma)
    assert all(a <= b for a, b in pairwise(scores))
    assert scores.min() >= np.float32(FLOOR)
    assert scores.max() <= 1
    assert scale(1.0, gamma) == 1


@pytest.mark.lengthy
@many
@given(seeds)
def test_an_image_far_from_all_changes_nobody_s_score(seed):
    _, rows, fingerprints, rank = random_case(seed)
    n, d = rows.shape
    with_far = np.zeros((n + 1, d + 1))
    with_far[:n, :d] = rows
    with_far[n, d] = 1
    before = uniqueness(with_far[:n], fingerprints=fingerprints, rank=rank)
    after = uniqueness(with_far, fingerprints=[*fingerprints, "far"], rank=[*rank, n])[:n]
    nearer = (before["distance"].fill_null(1) == 1).to_numpy()
    for column in ("uniqueness", "kind", "group", "keep", "nearest"):
        assert after[column].filter(~nearer).equals(before[column].filter(~nearer)), column


# Rules 5 and 6: groups and keepers


def test_groups_do_not_chain():
    near_step = angle_for(0.04)
    scores = uniqueness(at_angle(0, near_step, 2 * near_step), near=0.05)
    assert scores["kind"].to_list() == ["near", "near", "near"]
    assert scores["group"].to_list() == [1, 1, None]
    assert scores["keep"].to_list() == [True, False, True]
    assert scores["nearest"][2] == 1


@many
@given(seeds, st.sampled_from([0.01, 0.05, 0.3]))
def test_every_member_lies_within_near_of_its_keeper(seed, near):
    _, rows, fingerprints, rank = random_case(seed)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    scores = uniqueness(rows, fingerprints=fingerprints, near=near, rank=rank)
    for group in partition(scores):
        members = sorted(group, key=lambda i: rank[i])
        kept = [i for i in members if scores["keep"][i]]
        assert kept == members[:1]
        assert all(1 - unit[i] @ unit[kept[0]] <= near + 2e-6 for i in members)
    assert scores.filter(pl.col("group").is_null())["keep"].all()


def test_the_original_of_copies_joins_a_better_keeper_s_group_with_them():
    angles = at_angle(0, angle_for(0.03), angle_for(0.03))
    scores = uniqueness(angles, fingerprints=["a", "b", "b"], rank=[0, 1, 2])
    assert scores["group"].to_list() == [1, 1, 1]
    assert scores["keep"].to_list() == [True, False, False]
    assert scores["kind"].to_list() == ["near", "exact", "exact"]
    assert scores["uniqueness"].to_list() == pytest.approx([0.03019, 0.03019, 0.0], abs=1e-5)
    assert scores["nearest"].to_list() == [1, 0, 1]


def test_groups_are_numbered_by_the_rank_of_their_keepers():
    angles = at_angle(0, 0.5, 30, 30, 60, 60.5, 90)
    scores = uniqueness(angles, rank=[6, 5, 4, 3, 1, 2, 0])
    assert scores["group"].to_list() == [3, 3, 2, 2, 1, 1, None]


def test_equal_ranks_go_by_row_number():
    scores = uniqueness(at_angle(5, 5, 5), rank=[1, 0, 0])
    assert scores["keep"].to_list() == [False, True, False]


@pytest.mark.parametrize("distance", [0.01, 0.05, 0.2, 0.5])
def test_on_the_boundary_kind_and_group_agree(distance):
    pair = at_angle(0, angle_for(distance))
    at = uniqueness(pair)["uniqueness"][0]
    for near, expected in ((at, "near"), (np.nextafter(np.float32(at), np.float32(0)), "unique")):
        scores = uniqueness(pair, near=float(near))
        assert scores["kind"].to_list() == [expected] * 2
        assert scores["group"].to_list() == ([1, 1] if expected == "near" else [None, None])


def test_near_is_compared_as_the_float32_that_people_see():
    pair = at_angle(0, angle_for(0.03))
    at = float(uniqueness(pair)["uniqueness"][0])
    just_below = at - 1e-10
    assert np.float32(just_below) == np.float32(at)
    scores = uniqueness(pair, near=just_below)
    assert scores["kind"].to_list() == ["near", "near"]
    assert scores["group"].to_list() == [1, 1]


@pytest.mark.lengthy
@many
@given(seeds, st.booleans())
def test_the_order_of_the_rows_changes_nothing(seed, with_fingerprints):
    rng, rows, fingerprints, rank = random_case(seed)
    shuffle = rng.permutation(len(rows))

    def run(at):
        given = [fingerprints[i] for i in at] if with_fingerprints else None
        return uniqueness(rows[at], fingerprints=given, rank=rank[at])

    before, after = run(np.arange(len(rows))), run(shuffle)
    for column in ("uniqueness", "kind", "group", "keep", "distance"):
        assert after[column].equals(before[column][shuffle]), column
    back = [None if i is None else int(shuffle[i]) for i in after["nearest"]]
    assert back == before["nearest"][shuffle].to_list()


# Rule 7: no nulls


@many
@given(seeds, st.booleans())
def test_every_image_gets_a_score_a_kind_and_a_suggestion(seed, with_fingerprints):
    _, rows, fingerprints, rank = random_case(seed)
    scores = uniqueness(rows, fingerprints=fingerprints if with_fingerprints else None, rank=rank)
    assert len(scores) == len(rows)
    assert scores.select("uniqueness", "kind", "keep").null_count().sum_horizontal()[0] == 0
    assert scores["uniqueness"].is_between(0, 1).all()


# Rule 8: the same to the last bit


@pytest.mark.lengthy
def test_twice_the_same_is_bit_identical():
    rows = clustered(np.random.default_rng(0), 2000, d=64)
    assert uniqueness(rows).equals(uniqueness(rows.copy()))


PRINT_HASH = """
import hashlib, numpy as np
from dedup_widgets.scoring.uniqueness import uniqueness
rng = np.random.default_rng(3)
rows = rng.standard_normal((40, 96))[rng.integers(40, size=1500)]
rows += 0.05 * rng.standard_normal((1500, 96))
print(hashlib.sha256(uniqueness(rows, gamma=1.3).write_csv().encode()).hexdigest())
"""


@pytest.mark.slow
def test_the_number_of_threads_changes_nothing():
    threads = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "POLARS_MAX_THREADS")
    printed = {
        subprocess.run(
            [sys.executable, "-c", PRINT_HASH],
            env=os.environ | dict.fromkeys(threads, number),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for number in ("1", "2", "3")
    }
    assert len(printed) == 1


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("power", [-60, 3, 60])
def test_lengths_and_memory_layout_do_not_count(order, power):
    rows = clustered(np.random.default_rng(1), 300, d=24)
    same = np.asarray(np.ldexp(rows, power), order=order)
    assert uniqueness(same).equals(uniqueness(rows))


@pytest.mark.lengthy
@given(st.lists(st.floats(1e-30, 1e30), min_size=20, max_size=20))
@many
def test_each_row_may_have_a_length_of_its_own(factors):
    rows = clustered(np.random.default_rng(2), 20, d=6)
    stretched = uniqueness(rows * np.array(factors)[:, None], fingerprints=range(20))
    scores = uniqueness(rows, fingerprints=range(20))
    np.testing.assert_allclose(stretched["uniqueness"], scores["uniqueness"], atol=1e-6)


@pytest.mark.lengthy
@pytest.mark.parametrize("planted", ["none", "copies", "blob", "close blob"])
def test_exact_and_graph_search_agree(planted):
    rng = np.random.default_rng(5)
    rows = clustered(rng, 2500, d=32, clusters=60)
    spread = {"copies": 0.0, "blob": 1e-3, "close blob": 1e-5}.get(planted)
    if spread is not None:
        rows[500:1200] = rows[0] + spread * rng.standard_normal((700, 32))
    fingerprints = fingerprints_of(rows) if planted != "copies" else range(2500)
    exact, graph = (
        uniqueness(rows, fingerprints=fingerprints, method=method) for method in ("exact", "hnsw")
    )
    assert graph.equals(exact)


# Going on from an earlier search


def same(found, other):
    """Whether two searches found the same, to the last bit."""
    assert list(found.fingerprints) == list(other.fingerprints)
    assert np.array_equal(found.nearest, other.nearest)
    assert np.array_equal(found.distance, other.distance)
    assert found.radius == other.radius
    assert np.array_equal(found.pairs, other.pairs)


@pytest.mark.lengthy
@many
@given(seeds, st.sampled_from([0.0, 0.05, 0.3, 1.0]), st.sampled_from([0.0, 0.05, 0.3, 1.0]))
def test_images_that_come_and_go_leave_what_a_search_from_nothing_finds(seed, near, before):
    rng, rows, fingerprints, rank = random_case(seed)
    n = len(rows)

    def run(at, near, **options):
        given = [fingerprints[i] for i in at]
        return compare(rows[at], fingerprints=given, rank=rank[at], near=near, **options)

    share = rng.choice([0.1, 0.5, 0.9])
    here, there = (np.flatnonzero(rng.random(n) < share) for _ in range(2))
    _, earlier = run(here, before)
    frame, found = run(there, near, earlier=earlier)
    expected, from_nothing = run(there, near)
    assert frame.equals(expected)
    same(found, from_nothing)


def test_another_order_of_keepers_is_searched_from_nothing():
    _, rows, fingerprints, rank = random_case(7)
    _, earlier = compare(rows, fingerprints=fingerprints, rank=rank)
    turned = -rank
    frame, found = compare(rows, fingerprints=fingerprints, rank=turned, earlier=earlier)
    expected, from_nothing = compare(rows, fingerprints=fingerprints, rank=turned)
    assert frame.equals(expected)
    same(found, from_nothing)


@pytest.mark.lengthy
@pytest.mark.parametrize("what", ["added", "removed", "nothing"])
def test_only_what_changed_is_compared(what):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((3000, 16))
    before, now = {"added": (2900, 3000), "removed": (3000, 2900), "nothing": (3000, 3000)}[what]
    _, earlier = compare(rows[:before], fingerprints=range(before))
    told = []
    _, found = compare(
        rows[:now],
        fingerprints=range(now),
        earlier=earlier,
        progress=lambda *at: told.append(at[1]),
    )
    same(found, compare(rows[:now], fingerprints=range(now))[1])
    # Tiles of 512 x 512 that the few who are new, or lost their nearest, have with all; of 21.
    assert max(told, default=0) <= {"added": 7, "removed": 7, "nothing": 0}[what]


def test_pairs_too_many_to_keep_are_no_hindrance(monkeypatch):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((4, 8))[rng.integers(4, size=60)] + 0.05 * rng.standard_normal(
        (60, 8)
    )
    expected, _ = compare(rows, fingerprints=range(60))
    many = {"near": 0.05, "fingerprints": range(60)}
    search = comparison.search
    monkeypatch.setattr(comparison, "search", lambda *a, **k: search(*a, **k, max_pairs=3))
    frame, found = compare(rows, **many)
    assert found.pairs is None
    assert frame.equals(expected)
    monkeypatch.undo()
    again, now = compare(rows, **many, earlier=found)
    assert again.equals(expected)
    assert now.pairs is not None


def test_a_search_can_be_watched_and_stopped():
    class StopError(Exception):
        pass

    def stop(done, total):
        raise StopError

    with pytest.raises(StopError):
        uniqueness(at_angle(0, 1, 2), progress=stop)


# What is accepted and what is refused


@pytest.mark.parametrize(
    "convert",
    [
        lambda rows: rows.astype(np.float32),
        lambda rows: rows.astype(np.float16),
        lambda rows: rows.tolist(),
        lambda rows: pl.Series(rows, dtype=pl.Array(pl.Float64, 6)),
        lambda rows: pl.Series(rows.astype(np.float16), dtype=pl.Array(pl.Float16, 6)),
        lambda rows: pl.Series(rows.tolist(), dtype=pl.List(pl.Float32)),
    ],
    ids=["float32", "float16", "lists", "Array", "Array of Float16", "List"],
)
def test_rows_may_come_as_arrays_lists_and_columns(convert):
    rows = clustered(np.random.default_rng(4), 30, d=6)
    scores = uniqueness(convert(rows), fingerprints=range(30))
    expected = uniqueness(rows, fingerprints=range(30))
    np.testing.assert_allclose(scores["uniqueness"], expected["uniqueness"], atol=3e-3)


@pytest.mark.parametrize("kind", ["float32", "float64", "bfloat16", "int64"])
def test_rows_may_come_as_tensors(kind):
    import torch

    tensor = torch.tensor([[1, 0], [1, 1], [0, 2]], dtype=getattr(torch, kind))
    scores = uniqueness(tensor, fingerprints=torch.tensor([1, 1, 2]))
    assert scores["kind"].to_list() == ["exact", "exact", "unique"]


def test_integers_are_numbers():
    assert uniqueness(np.array([[0, 200], [200, 0]], np.uint8))["uniqueness"].to_list() == [1, 1]


@pytest.mark.parametrize(
    ("embeddings", "arguments", "message"),
    [
        ([[1.0, 2.0], [math.nan, 1.0], [math.inf, 0.0]], {}, "NaN or infinity: row 1, 2;"),
        ([[0.0, 0.0], [1.0, 0.0]], {}, "zero.*row 0;"),
        (np.zeros((9, 2)), {}, "row 0, 1, 2, 3, 4 and 4 more"),
        ([1.0, 2.0], {}, r"shape \(2,\)"),
        (np.zeros((2, 0)), {}, r"shape \(2, 0\)"),
        ([[1.0, 2.0], [1.0]], {}, "n x d"),
        ([["a", "b"]], {}, "real numbers"),
        (pl.Series([[1.0, 2.0], None]), {}, "null: row 1"),
        (pl.Series([[1.0, 2.0], [1.0]]), {}, "n x d"),
        (pl.Series([[1.0, None]], dtype=pl.Array(pl.Float64, 2)), {}, "row 0"),
        ([[1.0]], {"fingerprints": ["a", "b"]}, "2 fingerprints for 1"),
        ([[1.0]], {"fingerprints": [None]}, "row 0 has no fingerprint"),
        ([[1.0]], {"fingerprints": [["a"]]}, "hashable"),
        ([[1.0]], {"rank": [1, 2]}, "rank has shape"),
        ([[1.0], [1.0]], {"rank": [1.0, math.nan]}, "rank of row 1"),
        ([[1.0]], {"rank": ["a"]}, "pass numbers"),
        ([[1.0]], {"near": -0.1}, "near is -0.1"),
        ([[1.0]], {"near": math.nan}, "near is nan"),
        ([[1.0]], {"near": 1.5}, "near is 1.5"),
        ([[1.0]], {"gamma": 0}, "gamma is 0"),
        ([[1.0]], {"method": "fast"}, "method is 'fast'"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_its_row_and_a_remedy(embeddings, arguments, message):
    with pytest.raises(InputError, match=message):
        uniqueness(embeddings, **arguments)
