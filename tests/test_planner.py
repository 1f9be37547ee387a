"""What a planner promises: one plan after the other, each as if it were the only one."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dedup_widgets.errors import InputError
from dedup_widgets.planning.changes import Changes, changes
from dedup_widgets.planning.closeness import Limits
from dedup_widgets.planning.plan import plan, threshold_curve
from dedup_widgets.planning.planner import Planner
from dedup_widgets.scoring import keepers as keeper_rules
from dedup_widgets.scoring.keepers import highest, lowest
from dedup_widgets.scoring.uniqueness import uniqueness
from effort import examples

many = examples(40)
seeds = st.integers(0, 2**32 - 1)
gammas = st.sampled_from([0.7, 1.0, 2.16])
NEARS = [None, 0.0, 0.01, 0.05, 0.1, 0.2, 0.4, 1.0]
# Made anew for each plan, as a caller would.
RULES = [lambda: None, lambda: [highest("votes")], lambda: ["bytes", "path"]]


def random_frame(seed, gamma=1.0, near=0.05, n=40):
    """A scored frame of clusters with exact copies, equal vectors and an unreadable file."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, n)), int(rng.integers(2, 6))
    centres = rng.standard_normal((4, d))
    spread = rng.choice([0, 0.05, 0.3], size=(n, 1))
    vectors = centres[rng.integers(4, size=n)] + spread * rng.standard_normal((n, d))
    source = np.where(rng.random(n) < 0.3, rng.integers(n, size=n), np.arange(n))
    vectors = vectors[source]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    frame = pl.DataFrame(
        {
            "path": [f"/photos/{i:03}.jpg" for i in rng.permutation(n)],
            "width": rng.integers(1, 4, n),
            "height": [100] * n,
            "bytes": rng.integers(1, 4, n),
            "votes": rng.integers(5, size=n),
            "fingerprint": [f"f{i}" for i in source],
            "error": pl.Series([None] * n, dtype=pl.String),
        }
    )
    scores = uniqueness(
        vectors,
        fingerprints=frame["fingerprint"],
        near=near,
        gamma=gamma,
        rank=keeper_rules.rank(frame, keeper_rules.applicable(frame.columns)),
    ).with_columns(nearest=pl.lit(frame["path"]).gather(pl.col("nearest")))
    embedding = pl.Series("embedding", vectors, dtype=pl.Array(pl.Float16, d))
    frame = frame.hstack(scores).with_columns(embedding)
    broken = pl.DataFrame({"path": ["/photos/broken.jpg"], "error": ["truncated"]})
    return rng, pl.concat([frame, broken], how="diagonal")


def random_call(rng, frame):
    fingerprints = frame["fingerprint"].drop_nulls().to_numpy()
    by_hand = rng.random() < 0.6
    return {
        "near": NEARS[rng.integers(len(NEARS))],
        "keep": RULES[rng.integers(len(RULES))](),
        "remove": [("exact", "near"), ("exact",), ("near",)][rng.integers(3)],
        "keepers": frame["path"].sample(by_hand * int(rng.integers(4)), seed=1).to_list(),
        "not_duplicates": [
            (str(a), str(b))
            for a, b in rng.choice(fingerprints, (by_hand * int(rng.integers(6)), 2))
        ],
    }


limited = pytest.mark.parametrize(
    "limits",
    [
        pytest.param(Limits(), id="all pairs kept"),
        pytest.param(Limits(max_pairs=8), id="pairs cut"),
        pytest.param(Limits(max_images=4), id="few compared at a time"),
    ],
)


# One planner, many plans


@pytest.mark.lengthy
@limited
@given(seeds, gammas)
@examples(25)
def test_each_plan_of_a_planner_is_the_plan_of_the_frame(limits, seed, gamma):
    rng, frame = random_frame(seed, gamma)
    planner = Planner(frame, limits=limits)
    for call in [random_call(rng, frame) for _ in range(6)]:
        assert_frame_equal(planner.plan(**call), plan(frame, **call))


@pytest.mark.lengthy
@limited
@given(seeds, gammas)
@examples(25)
def test_groups_at_any_boundary_are_those_of_scoring_with_it(limits, seed, gamma):
    rng, frame = random_frame(seed, gamma)
    readable = frame.filter(pl.col("error").is_null())
    planner = Planner(frame, limits=limits)
    for near in rng.choice([0.0, 1e-4, 0.01, 0.05, 0.1, 0.2, 0.3, 0.7, 1.0], 5):
        again = uniqueness(
            readable["embedding"],
            fingerprints=readable["fingerprint"],
            near=near,
            gamma=gamma,
            rank=keeper_rules.rank(readable, [highest("votes")]),
        )
        planned = planner.plan(near=near, keep=[highest("votes")]).filter(
            pl.col("reason") != "unreadable"
        )
        assert planned["group"].to_list() == again["group"].to_list()
        assert (planned["action"] == "keep").to_list() == again["keep"].to_list()


@pytest.mark.lengthy
@many
@given(seeds, gammas, st.sampled_from([0.0, 0.02, 0.3]))
def test_a_frame_scored_at_one_boundary_is_planned_at_another_as_if_scored_there(seed, gamma, near):
    _, narrow = random_frame(seed, gamma, near=0.01)
    _, wide = random_frame(seed, gamma, near=0.4)
    assert_frame_equal(plan(narrow, near=near), plan(wide, near=near))


@pytest.mark.lengthy
@many
@given(seeds, gammas)
def test_no_group_goes_whole_and_every_keeper_stays(seed, gamma):
    rng, frame = random_frame(seed, gamma)
    planner = Planner(frame)
    for call in [random_call(rng, frame) for _ in range(3)]:
        planned = planner.plan(**call)
        stays = set(planned.filter(action="keep")["path"])
        assert set(planned.filter(action="remove")["keeper"]) <= stays
        assert set(call["keepers"]) <= stays
        groups = planned.drop_nulls("group").group_by("group")
        assert groups.agg((pl.col("action") == "keep").any())["action"].all()


@pytest.mark.lengthy
@many
@given(seeds)
def test_the_order_of_rows_changes_no_plan_of_a_planner(seed):
    rng, frame = random_frame(seed)
    shuffle = rng.permutation(len(frame))
    planner, shuffled = Planner(frame), Planner(frame[shuffle])
    for call in [random_call(rng, frame) for _ in range(3)]:
        assert_frame_equal(shuffled.plan(**call), planner.plan(**call)[shuffle])
    assert_frame_equal(shuffled.curve(), planner.curve())


@pytest.mark.lengthy
def test_threads_share_a_planner():
    rng, frame = random_frame(0, n=400)
    calls = [random_call(rng, frame) for _ in range(8)]
    expected = [plan(frame, **call) for call in calls]
    planner = Planner(frame)
    with ThreadPoolExecutor(8) as pool:
        planned = list(pool.map(lambda i: planner.plan(**calls[i % 8]), range(32)))
    for i, one in enumerate(planned):
        assert_frame_equal(one, expected[i % 8])


@pytest.mark.lengthy
def test_a_crowd_of_nearly_identical_images_is_planned_at_any_boundary():
    rng = np.random.default_rng(0)
    blank = rng.standard_normal(16) + 0.02 * rng.standard_normal((1_200, 16))
    paths = [f"{i:04}.png" for i in range(len(blank))]
    frame = pl.DataFrame({"path": paths, "fingerprint": paths, "embedding": blank})
    planner = Planner(frame, limits=Limits(max_pairs=10_000))
    for near in (0.2, 1e-3, 1e-4):
        expected = uniqueness(blank, fingerprints=paths, near=near)["keep"]
        assert (planner.plan(near=near)["action"] == "keep").to_list() == expected.to_list()


@pytest.mark.lengthy
def test_columns_of_any_name_stand_in_nobodys_way():
    _, frame = random_frame(1)
    names = ["row", "index", "place", "picture", "name", "goes", "keeper", "rank", "own", "leads"]
    assert_frame_equal(plan(frame.with_columns(pl.lit(7).alias(n) for n in names)), plan(frame))


@pytest.mark.lengthy
def test_a_planner_tells_the_boundary_of_its_frame():
    assert Planner(random_frame(3, near=0.05)[1]).near == 0.05
    for seed in range(20):
        _, frame = random_frame(seed, near=0.4, n=200)
        planner = Planner(frame)
        assert planner.near <= 0.4
        assert planner.plan(near=planner.near)["group"].to_list() == frame["group"].to_list()


# Why a keeper is one


@pytest.mark.lengthy
@many
@given(seeds, st.sampled_from([None, 0.01, 0.1]), st.booleans())
def test_every_keeper_names_the_rule_that_put_it_before_its_best_duplicate(seed, near, by_hand):
    rng, frame = random_frame(seed)
    any_two = {"most pixels": "width", "most bytes": "bytes"}
    of_copies = {"of exact copies, the smallest file": "bytes"} | any_two
    # Between pictures that differ, the best copy of each is asked.
    best_copy = {
        row["fingerprint"]: row
        for row in frame.sort("bytes", -pl.col("width"), "path", descending=[True, True, True])
        .drop_nulls("fingerprint")
        .iter_rows(named=True)
    }
    call = random_call(rng, frame) if by_hand else {}
    planned = plan(frame, **{**call, "near": near, "keep": None}).with_columns(
        frame["width"], frame["bytes"]
    )
    led = planned.filter(pl.col("kind").is_not_null()).sort("rank")
    for keeper in planned.filter(pl.col("path").is_in(led["keeper"].implode())).iter_rows(
        named=True
    ):
        if keeper["path"] in call.get("keepers", ()):
            assert keeper["reason"] == "keeper: chosen by hand"
            continue
        if keeper["kind"] is not None:  # one that stays beside the better ones of its group
            continue
        runner_up = led.filter(keeper=keeper["path"]).row(0, named=True)
        assert keeper["rank"] < runner_up["rank"]
        are_copies = keeper["fingerprint"] == runner_up["fingerprint"]
        one, other = (
            row if are_copies else best_copy[row["fingerprint"]] for row in (keeper, runner_up)
        )
        rules = of_copies if are_copies else any_two
        decided = next(
            (about for about, column in rules.items() if one[column] != other[column]),
            "path that sorts first",
        )
        assert keeper["reason"] == f"keeper: {decided}"


def test_a_keeper_after_not_duplicates_names_its_rule():
    vectors = [[1.0, 0.0], [1.0, 0.1], [1.0, 0.12], [1.0, 0.02]]
    frame = pl.DataFrame(
        {
            "path": list("abcd"),
            "embedding": vectors,
            "fingerprint": list("abcd"),
            "votes": [4, 3, 2, 1],
        }
    )
    pairs = [("a", "b"), ("a", "c")]
    planned = plan(frame, near=0.05, keep=[highest("votes")], not_duplicates=pairs)
    assert planned["keeper"].to_list() == ["a", "b", "b", "a"]
    assert planned["reason"].to_list()[:2] == ["keeper: highest votes"] * 2


def test_without_embeddings_a_keeper_names_the_rule_that_chose_it_among_its_copies():
    frame = pl.DataFrame(
        {
            "path": list("abc"),
            "group": [1, 1, 1],
            "keep": [True, False, False],
            "fingerprint": ["f", "f", "g"],
            "votes": [1, 2, 3],
        }
    )
    planned = plan(frame, keep=[highest("votes")])
    assert planned["reason"].to_list()[:2] == ["exact duplicate of b", "keeper: highest votes"]
    assert plan(frame, keep=[lowest("votes")])["reason"][0] == "keeper: lowest votes"


# Threshold curves


@pytest.mark.lengthy
@given(
    seeds, gammas, st.sampled_from([None, 0.05, 0.4]), st.sampled_from([0.05, 1.0]), st.booleans()
)
@examples(25)
def test_one_plan_after_the_other_is_each_as_if_made_from_the_beginning(
    seed, gamma, near, max_part, has_vectors
):
    rng, frame = random_frame(seed, gamma, near=0.2, n=200)
    if not has_vectors:
        # Put together from two, so that copies of a picture are in several groups, or in none.
        near, frame = None, frame.drop("embedding").filter(pl.Series(rng.random(len(frame)) < 0.8))
        frame = frame.filter(pl.col("group").is_null() | pl.col("keep").any().over("group"))
    prints = frame["fingerprint"].drop_nulls().to_numpy()
    assume(len(prints) > 1)
    planner, keepers, pairs, plan = (
        Planner(frame, limits=Limits(max_part=max_part)),
        set(),
        set(),
        None,
    )
    for _ in range(6):
        keepers = keepers ^ set(
            frame["path"].sample(int(rng.integers(3)), seed=int(rng.integers(99)))
        )
        pairs = pairs ^ {tuple(map(str, rng.choice(prints, 2))) for _ in range(rng.integers(3))}
        decided = {"near": near, "keepers": keepers, "not_duplicates": pairs}
        before, (plan, rows) = plan, planner.replan(plan, **decided)
        assert plan.equals(Planner(frame).plan(**decided))
        if rows is not None:
            elsewhere = pl.Series(range(len(frame))).is_in(rows.tolist()).not_()
            assert plan.filter(elsewhere).equals(before.filter(elsewhere))
            assert not set(plan["group"][rows].drop_nulls()) & set(plan.filter(elsewhere)["group"])


def test_a_decision_concerns_its_own_group_and_no_other():
    n = 300
    frame = pl.DataFrame(
        {
            "path": [f"{i:03}" for i in range(n)],
            "group": [i // 3 + 1 for i in range(n)],
            "keep": [i % 3 == 0 for i in range(n)],
            "fingerprint": [f"f{i - (i % 3 == 2)}" for i in range(n)],
        }
    )
    planner = Planner(frame)
    first = planner.plan()
    parted, rows = planner.replan(first, not_duplicates=[("f3", "f4")])
    assert rows.tolist() == [3, 4, 5]
    # The group of 63 and 64 is counted on from the one of 4 and 5, which an undo takes away.
    both, rows = planner.replan(parted, not_duplicates=[("f3", "f4"), ("f63", "f64")])
    assert rows.tolist() == [63, 64, 65]
    _, rows = planner.replan(both, not_duplicates=[("f63", "f64")])
    assert rows.tolist() == [3, 4, 5, 63, 64, 65]
    assert planner.replan(first)[1] is None


@pytest.mark.lengthy
@many
@given(seeds, gammas, st.sampled_from([0, 2]))
def test_a_curve_counts_what_plans_at_its_boundaries_say(seed, gamma, rules):
    _, frame = random_frame(seed, gamma)
    keep = [None, None, ["bytes"]][rules]
    nears = [0.3, 0.0, 0.05, 1.0, 0.01, 0.05]
    curve = threshold_curve(frame, nears, keep=keep)
    assert curve["near"].to_list() == nears
    fingerprint = dict(zip(frame["path"], frame["fingerprint"], strict=True))
    unreadable = frame["error"].count() if "error" in frame.columns else 0
    for row in curve.iter_rows(named=True):
        planned = plan(frame, near=row["near"], keep=keep)
        assert row["removed"] == (planned["action"] == "remove").sum()
        assert row["stays"] == (planned["action"] == "keep").sum() - unreadable
        in_groups = planned.drop_nulls("group").group_by("group").agg("path")["path"].to_list()
        assert row["groups"] == len(in_groups)
        several = [group for group in in_groups if len({fingerprint[p] for p in group}) > 1]
        assert row["near_groups"] == len(several)


@pytest.mark.lengthy
def test_a_curve_shows_the_usual_boundaries_and_that_of_the_frame():
    _, frame = random_frame(3, near=0.4, n=200)
    nears = threshold_curve(frame)["near"].to_list()
    assert nears == sorted(nears)
    assert {0.0, 0.0001, 0.05, 0.2, Planner(frame).near} <= set(nears)


@pytest.mark.lengthy
def test_a_curve_of_many_images_ends_where_comparing_them_would_take_long():
    _, frame = random_frame(3, n=200)
    highest_of_20 = frame["uniqueness"].sort()[20]
    curve = Planner(frame, limits=Limits(max_images=20)).curve()
    assert curve["near"].max() <= max(0.05, highest_of_20)


def test_a_curve_never_has_more_images_to_go_at_a_lower_boundary_when_nothing_competes():
    vectors = np.array([[1, 0], [1, 0.1], [1, 0.5], [0, 1], [0.1, 1]])
    frame = pl.DataFrame({"path": list("abcde"), "embedding": vectors})
    removed = threshold_curve(frame, np.linspace(0, 0.2, 20))["removed"]
    assert removed.is_sorted()


@pytest.mark.lengthy
def test_an_empty_frame_has_a_curve_of_nothing():
    _, frame = random_frame(0)
    curve = threshold_curve(frame[:0], [0.1])
    assert curve.rows() == [(0.1, 0, 0, 0, 0)]
    assert curve.schema == threshold_curve(frame).schema


@pytest.mark.parametrize(
    ("nears", "message"), [([0.1, 1.5], "near is 1.5"), ([float("nan")], "near is nan")]
)
def test_boundaries_out_of_range_are_refused(nears, message):
    with pytest.raises(InputError, match=message):
        threshold_curve(random_frame(0)[1], nears)


def test_a_curve_needs_embeddings():
    with pytest.raises(InputError, match="a threshold curve needs a column 'embedding'"):
        threshold_curve(random_frame(0)[1].drop("embedding"))


# Changes


def planned(*rows):
    path, action, group = zip(*rows, strict=True)
    return pl.DataFrame({"path": path, "action": action, "group": group})


def test_changes_count_groups_actions_and_who_changed_group():
    before = planned(("a", "keep", 1), ("b", "remove", 1), ("c", "keep", None), ("d", "keep", None))
    after = planned(("d", "remove", 9), ("a", "remove", 5), ("b", "keep", 5), ("c", "keep", 9))
    found = changes(before, after)
    assert found == Changes(
        groups_before=1,
        groups=2,
        removed_before=1,
        removed=2,
        now_removed=2,
        now_kept=1,
        regrouped=2,
    )
    assert found.actions == 3
    assert str(found) == "2 groups (+1), 2 images go (+1)"


def test_who_joins_a_group_is_the_only_one_that_changed():
    before = planned(("a", "keep", 1), ("b", "remove", 1), ("c", "keep", None))
    after = planned(("a", "remove", 1), ("b", "remove", 1), ("c", "keep", 1))
    assert changes(before, after).regrouped == 1
    assert changes(after, before).regrouped == 1
    assert changes(before, after.reverse()) == changes(before, after)


def test_of_a_group_that_splits_the_smaller_part_changed():
    before = planned(*[(path, "keep", 1) for path in "abcde"])
    after = planned(*[(path, "keep", 1 + (path > "c")) for path in "abcde"])
    assert changes(before, after).regrouped == 2


@pytest.mark.lengthy
@many
@given(seeds)
def test_a_plan_does_not_differ_from_itself(seed):
    rng, frame = random_frame(seed)
    one = plan(frame, **random_call(rng, frame))
    assert not changes(one, one[rng.permutation(len(one))])


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Changes(24, 31, 28, 40, 13, 1, 20), "31 groups (+7), 40 images go (+12)"),
        (Changes(1, 1, 1, 1, 0, 0, 0), "1 group, 1 image goes"),
        (Changes(3, 0, 1, 0, 0, 1, 4), "0 groups (−3), 0 images go (−1)"),
        (Changes(0, 1200, 0, 3400, 3400, 0, 9), "1,200 groups (+1,200), 3,400 images go (+3,400)"),
    ],
)
def test_changes_are_said_in_numbers_and_units(found, text):
    assert str(found) == text


def test_plans_of_different_images_are_not_compared():
    one = planned(("a", "keep", 1), ("b", "keep", 1))
    with pytest.raises(InputError, match="1 images in common, of 2 and 1; compare plans of one"):
        changes(one, one[:1])
