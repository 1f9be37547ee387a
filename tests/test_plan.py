"""What a plan promises, whatever the frame and the decisions are."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dedup_widgets.errors import InputError
from dedup_widgets.frame.provenance import Provenance
from dedup_widgets.planning.plan import plan
from dedup_widgets.scoring import keepers as keeper_rules
from dedup_widgets.scoring.keepers import highest
from dedup_widgets.scoring.uniqueness import uniqueness
from effort import examples

many = examples(80)
seeds = st.integers(0, 2**32 - 1)
nears = st.sampled_from([None, 0.0, 0.01, 0.05, 0.3])
kinds = st.sampled_from([("exact", "near"), ("exact",), ("near",), ()])


def scored(vectors, fingerprints, near=0.05, gamma=1.0, keep=keeper_rules.DEFAULT, **facts):
    """A frame as score makes it, of vectors; paths in the order given."""
    vectors = np.asarray(vectors, np.float64)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    n = len(vectors)
    frame = pl.DataFrame(
        {
            "path": [f"/photos/{i:03}.jpg" for i in range(n)],
            "width": facts.pop("width", [100] * n),
            "height": [100] * n,
            "bytes": facts.pop("bytes", [1000] * n),
            "lossless": [False] * n,
            "sharpness": [1.0] * n,
            **facts,
            "fingerprint": fingerprints,
            "error": pl.Series([None] * n, dtype=pl.String),
        }
    )
    scores = uniqueness(
        vectors,
        fingerprints=fingerprints,
        near=near,
        gamma=gamma,
        rank=keeper_rules.rank(frame, keep),
    ).with_columns(nearest=pl.lit(frame["path"]).gather(pl.col("nearest")))
    embedding = pl.Series("embedding", vectors, dtype=pl.Array(pl.Float16, vectors.shape[1]))
    return frame.hstack(scores).with_columns(embedding)


def at_angle(*degrees):
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


# 0 to 18 degrees are within a cosine distance of 0.05; 0 to 19 are not.
K, M, N, FAR = 0, 12, -12, 90


def random_frame(seed, gamma=1.0, near=0.05, unreadable=True):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30))
    d = int(rng.integers(2, 6))
    centres = rng.standard_normal((4, d))
    vectors = centres[rng.integers(4, size=n)] + rng.choice([0.05, 0.3]) * rng.standard_normal(
        (n, d)
    )
    source = np.where(rng.random(n) < 0.4, rng.integers(n, size=n), np.arange(n))
    vectors = vectors[source]
    frame = scored(
        vectors,
        [f"f{i}" for i in source],
        near=near,
        gamma=gamma,
        width=rng.integers(1, 4, n).tolist(),
        bytes=rng.integers(1, 4, n).tolist(),
        votes=rng.integers(5, size=n).tolist(),
    ).with_columns(Provenance(gamma=gamma, near=near).column)
    if unreadable:
        broken = pl.DataFrame(
            {"path": ["/photos/broken.jpg"], "error": ["truncated"], "width": [9]},
        )
        frame = pl.concat([frame, broken.cast({"width": pl.Int64})], how="diagonal")
    return rng, frame


def random_decisions(rng, frame):
    paths = frame["path"].to_list()
    fingerprints = frame["fingerprint"].drop_nulls().to_list()
    return {
        "keepers": [str(p) for p in rng.choice(paths, int(rng.integers(0, 4)))],
        "not_duplicates": [
            (str(a), str(b)) for a, b in rng.choice(fingerprints, (int(rng.integers(0, 6)), 2))
        ],
    }


def distances_of(frame):
    """Cosine distance of each pair of paths, by numpy alone."""
    readable = frame.drop_nulls("embedding")
    vectors = readable["embedding"].to_numpy().astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    table = np.clip(1 - vectors @ vectors.T, 0, 1)
    paths = readable["path"].to_list()
    return {(a, b): table[i, j] for i, a in enumerate(paths) for j, b in enumerate(paths)}


def actions(planned):
    return dict(zip(planned["path"], planned["action"], strict=True))


def reasons(planned):
    names = planned["path"].str.split("/").list.last()
    return dict(zip(names, planned["reason"], strict=True))


def staying(planned):
    names = planned.filter(action="keep")["path"].str.split("/").list.last()
    return set(names.str.strip_suffix(".jpg"))


# What holds for every plan


@pytest.mark.lengthy
@many
@given(seeds, nears, kinds, st.booleans(), st.booleans(), st.sampled_from([1.0, 2.16]))
def test_every_row_that_goes_has_a_keeper_that_stays_and_is_within_near_or_a_copy(
    seed, near, remove, other_rules, by_hand, gamma
):
    rng, frame = random_frame(seed, gamma)
    decisions = random_decisions(rng, frame) if by_hand else {}
    keep = [highest("votes"), "path"] if other_rules else None
    planned = plan(frame, near=near, remove=remove, keep=keep, **decisions)
    action, distances = actions(planned), distances_of(frame)
    fingerprint = dict(zip(frame["path"], frame["fingerprint"], strict=True))
    radius = (0.05 if near is None else near) ** (1 / gamma)
    not_duplicates = {frozenset(pair) for pair in decisions.get("not_duplicates", ())}
    for row in planned.filter(action="remove").iter_rows(named=True):
        path, keeper = row["path"], row["keeper"]
        assert action[keeper] == "keep"
        assert row["kind"] in remove
        assert (fingerprint[path] == fingerprint[keeper]) == (row["kind"] == "exact")
        assert row["kind"] == "exact" or distances[path, keeper] <= radius + 1e-5
        assert row["distance"] == pytest.approx(distances[path, keeper], abs=1e-5)
        assert path not in decisions.get("keepers", ())
        assert frozenset((fingerprint[path], fingerprint[keeper])) not in not_duplicates
    unreadable = planned.filter(path="/photos/broken.jpg")
    assert unreadable.select("action", "reason").rows() == [("keep", "unreadable")]


@pytest.mark.lengthy
@many
@given(seeds, nears, kinds, st.booleans())
def test_no_plan_removes_a_whole_group_of_the_frame_or_of_the_plan(seed, near, remove, embeddings):
    rng, frame = random_frame(seed)
    frame = frame if embeddings else frame.drop("embedding")
    near = near if embeddings else None
    planned = plan(frame, near=near, remove=remove, **random_decisions(rng, frame))
    kept = (planned["action"] == "keep").rename("kept")
    for groups in (planned["group"], frame["group"]) if near is None else (planned["group"],):
        left = pl.DataFrame([groups.rename("group"), kept]).drop_nulls()
        assert left.group_by("group").agg(pl.col("kept").any())["kept"].all()
    if remove == ("exact",):
        of_kept = set(planned.filter(kept)["fingerprint"])
        assert of_kept == set(frame["fingerprint"])


@pytest.mark.lengthy
@many
@given(seeds, nears, kinds, st.booleans())
def test_shuffling_the_rows_changes_nothing(seed, near, remove, other_rules):
    rng, frame = random_frame(seed)
    arguments = random_decisions(rng, frame) | {
        "near": near,
        "remove": remove,
        "keep": [highest("votes")] if other_rules else None,
    }
    shuffle = rng.permutation(len(frame))
    assert_frame_equal(plan(frame[shuffle], **arguments), plan(frame, **arguments)[shuffle])


@pytest.mark.lengthy
@many
@given(seeds, st.sampled_from([0.7, 1.0, 2.16]), st.sampled_from([0.01, 0.05, 0.2]))
def test_without_decisions_what_stays_is_what_the_frame_suggests(seed, gamma, near):
    _, frame = random_frame(seed, gamma, near)
    as_it_is, anew = plan(frame), plan(frame, near=near)
    readable = frame["error"].is_null()
    for planned in (as_it_is, anew):
        kept = (planned["action"] == "keep").filter(readable)
        assert kept.to_list() == frame["keep"].filter(readable).to_list()
        assert planned["group"].to_list() == frame["group"].to_list()
    assert_frame_equal(as_it_is, anew)


@pytest.mark.lengthy
@many
@given(seeds, st.sampled_from([0.7, 1.0, 2.16]), st.sampled_from([0.0, 0.02, 0.1, 0.5]))
def test_another_boundary_or_other_rules_give_what_scoring_with_them_gives(seed, gamma, near):
    _, frame = random_frame(seed, gamma)
    facts = frame.filter(pl.col("error").is_null())
    rules = [highest("votes"), "bytes"]
    again = uniqueness(
        facts["embedding"],
        fingerprints=facts["fingerprint"],
        near=near,
        gamma=gamma,
        rank=keeper_rules.rank(facts, rules),
    )
    planned = plan(frame, near=near, keep=rules).filter(pl.col("reason") != "unreadable")
    assert planned["group"].to_list() == again["group"].to_list()
    assert (planned["action"] == "keep").to_list() == again["keep"].to_list()


@pytest.mark.lengthy
@many
@given(seeds, nears)
def test_a_decision_changes_only_the_group_it_was_made_in(seed, near):
    rng, frame = random_frame(seed, unreadable=False)
    decisions = random_decisions(rng, frame)
    before, after = plan(frame, near=near), plan(frame, near=near, **decisions)
    decided = {f for pair in decisions["not_duplicates"] for f in pair}
    touched = before.filter(
        pl.col("path").is_in(decisions["keepers"]) | pl.col("fingerprint").is_in(list(decided))
    )
    elsewhere = ~before["group"].is_in(touched["group"].drop_nulls().implode()).fill_null(False)
    elsewhere &= ~before["path"].is_in(decisions["keepers"])
    assert_frame_equal(before.filter(elsewhere), after.filter(elsewhere))


@pytest.mark.lengthy
@many
@given(seeds, st.sampled_from([0.05, 0.3]))
def test_of_two_near_images_of_a_group_both_stay_only_by_decision(seed, near):
    rng, frame = random_frame(seed, near=near, unreadable=False)
    decisions = random_decisions(rng, frame)
    planned, distances = plan(frame, near=near, **decisions), distances_of(frame)
    not_duplicates = {frozenset(pair) for pair in decisions["not_duplicates"]}
    kept = planned.with_columns(before=frame["group"]).filter(action="keep").drop_nulls("before")
    for one in kept.iter_rows(named=True):
        for other in kept.filter(before=one["before"]).iter_rows(named=True):
            pair = frozenset((one["fingerprint"], other["fingerprint"]))
            by_hand = {one["path"], other["path"]} & set(decisions["keepers"])
            itself = {
                frozenset((one["fingerprint"],)),
                frozenset((other["fingerprint"],)),
            } & not_duplicates
            if one["path"] != other["path"] and not (pair in not_duplicates or by_hand or itself):
                assert distances[one["path"], other["path"]] > near - 1e-5


@pytest.mark.lengthy
@many
@given(seeds, nears)
def test_what_was_chosen_by_hand_stays_whatever_the_rules_say(seed, near):
    rng, frame = random_frame(seed)
    chosen = random_decisions(rng, frame)["keepers"]
    planned = plan(frame, near=near, keep=[highest("votes")], keepers=chosen)
    by_hand = planned.filter(pl.col("path").is_in(chosen))
    assert set(by_hand["action"]) <= {"keep"}
    assert set(by_hand["rule"]) <= {None}


# What a plan says


def test_each_reason_names_what_decided():
    frame = scored(
        at_angle(K, K, M, FAR),
        ["k", "k", "m", "far"],
        width=[100, 90, 80, 70],
    )
    broken = pl.DataFrame({"path": ["broken.jpg"], "error": ["cut"]})
    planned = plan(pl.concat([frame, broken], how="diagonal"))
    assert reasons(planned) == {
        "000.jpg": "keeper: most pixels",
        "001.jpg": "exact duplicate of 000.jpg",
        "002.jpg": "near-duplicate of 000.jpg",
        "003.jpg": "unique",
        "broken.jpg": "unreadable",
    }
    assert planned["action"].to_list() == ["keep", "remove", "remove", "keep", "keep"]
    assert planned["rule"].to_list() == ["most pixels", None, None, None, None]
    assert planned["kind"].to_list() == [None, "exact", "near", None, None]
    assert planned["keeper"].to_list() == ["/photos/000.jpg"] * 3 + [None] * 2
    assert planned["distance"].to_list() == [None, 0.0, pytest.approx(0.0219, abs=1e-3), None, None]
    assert planned["fingerprint"].to_list() == ["k", "k", "m", "far", None]


@pytest.mark.lengthy
def test_the_rule_is_the_one_that_beat_the_runner_up():
    facts = {"width": [100, 100, 50], "bytes": [1000, 2000, 9000]}
    pictures = scored(at_angle(K, K, K), ["k", "l", "m"], **facts)
    assert plan(pictures)["rule"].to_list() == [None, "most bytes", None]
    copies = scored(at_angle(K, K, K), ["k"] * 3, **facts)
    by = "of exact copies, the smallest file"
    assert plan(copies)["rule"].to_list() == [by, None, None]


def test_where_the_rules_are_not_those_of_the_frame_none_is_named():
    frame = scored(at_angle(K, K), ["k", "k"], width=[100, 90], keep=["sharpness"])
    frame = frame.with_columns(width=pl.Series([90, 100]))
    planned = plan(frame)
    assert planned["reason"][0] == "keeper: as scored"
    assert planned["rule"].null_count() == 2


def test_a_copy_of_the_same_name_is_told_apart_by_its_folder():
    frame = pl.DataFrame(
        {
            "path": ["/a/x.jpg", "/b/x.jpg"],
            "group": [1, 1],
            "keep": [True, False],
            "fingerprint": ["f", "f"],
        }
    )
    assert plan(frame)["reason"][1] == "exact duplicate of /a/x.jpg"


def test_an_image_near_a_member_only_stays_and_says_so():
    frame = scored(at_angle(0, 15, 30), list("abc"), width=[3, 2, 1])
    planned = plan(frame)
    assert staying(planned) == {"000", "002"}
    assert planned["reason"][2] == "not within near of any keeper"


# What may go


@pytest.mark.lengthy
def test_without_near_one_copy_of_each_picture_stays():
    frame = scored(at_angle(K, K, M, M), ["k", "k", "m", "m"], width=[4, 3, 2, 1])
    planned = plan(frame, remove=["exact"])
    assert staying(planned) == {"000", "002"}
    assert reasons(planned) == {
        "000.jpg": "keeper: most pixels",
        "001.jpg": "exact duplicate of 000.jpg",
        "002.jpg": "near-duplicate of 000.jpg, but near-duplicates stay",
        "003.jpg": "exact duplicate of 002.jpg",
    }


@pytest.mark.lengthy
def test_without_exact_whatever_has_copies_stays():
    frame = scored(at_angle(K, K, M, M, N), ["k", "k", "m", "m", "n"], width=[5, 4, 3, 2, 1])
    planned = plan(frame, remove="near")
    assert staying(planned) == {"000", "001", "002", "003"}
    assert planned["reason"][2] == "near-duplicate of 000.jpg, but exact duplicates stay"


@pytest.mark.lengthy
def test_all_copies_of_a_near_duplicate_go_with_it():
    frame = scored(at_angle(K, M, M), ["k", "m", "m"], width=[3, 2, 1])
    assert staying(plan(frame)) == {"000"}


# Chosen by hand


def test_a_keeper_chosen_by_hand_takes_the_place_of_the_other():
    frame = scored(at_angle(K, M), ["k", "m"], width=[2, 1])
    planned = plan(frame, keepers=["/photos/001.jpg"])
    assert reasons(planned) == {
        "000.jpg": "near-duplicate of 001.jpg",
        "001.jpg": "keeper: chosen by hand",
    }


@pytest.mark.lengthy
def test_two_keepers_chosen_in_one_group_both_stay_in_it():
    frame = scored(at_angle(K, M, N, 1), list("kmno"), width=[4, 3, 2, 1])
    planned = plan(frame, keepers=["/photos/001.jpg", "/photos/002.jpg"])
    assert staying(planned) == {"001", "002"}
    assert planned["group"].to_list() == [1, 1, 1, 1]


def test_a_member_that_is_not_near_the_keeper_chosen_by_hand_stays():
    frame = scored(at_angle(K, M, N), list("kmn"), width=[3, 2, 1])
    planned = plan(frame.drop("kind"), keepers=["/photos/001.jpg"])
    assert staying(planned) == {"001", "002"}
    assert planned["reason"][2] == "not within near of any keeper"
    assert planned["group"].to_list() == [1, 1, None]


@pytest.mark.lengthy
def test_a_copy_of_an_image_chosen_by_hand_is_its_exact_duplicate_in_any_group():
    frame = scored(at_angle(K, M, M), list("kmm"), width=[3, 2, 1])
    planned = plan(frame, keepers=["/photos/000.jpg", "/photos/002.jpg"])
    assert planned["reason"][1] == "exact duplicate of 002.jpg"


def test_without_embeddings_only_the_keeper_is_known_to_be_near():
    frame = scored(at_angle(K, M, 6), list("kmn"), width=[3, 2, 1]).drop("embedding")
    planned = plan(frame, keepers=["/photos/001.jpg"])
    assert staying(planned) == {"001", "002"}
    assert planned["distance"].null_count() == 3


def test_without_embeddings_the_keeper_of_the_frame_takes_the_rest_if_it_is_chosen_too():
    frame = scored(at_angle(K, M, N), list("kmn"), width=[3, 2, 1]).drop("embedding")
    planned = plan(frame, keepers=["/photos/000.jpg", "/photos/001.jpg"])
    assert staying(planned) == {"000", "001"}


# Not duplicates


def test_of_two_that_are_no_duplicates_neither_goes_because_of_the_other():
    frame = scored(at_angle(K, M, N), list("kmn"), width=[3, 2, 1])
    planned = plan(frame, not_duplicates=[("m", "k")])
    assert reasons(planned) == {
        "000.jpg": "keeper: most pixels",
        "001.jpg": "not a duplicate: decided by hand",
        "002.jpg": "near-duplicate of 000.jpg",
    }
    assert planned["group"].to_list() == [1, None, 1]


def test_a_pair_that_is_all_of_its_group_leaves_no_group():
    frame = scored(at_angle(K, M), list("km"))
    planned = plan(frame, not_duplicates=[("k", "m")])
    assert set(planned["reason"]) == {"not a duplicate: decided by hand"}
    assert planned["group"].null_count() == 2


def test_no_duplicate_of_the_keeper_may_still_be_one_of_another_member():
    frame = scored(at_angle(K, M, 10), list("kmn"), width=[3, 2, 1])
    planned = plan(frame, not_duplicates=[("k", "m"), ("k", "n")])
    assert staying(planned) == {"000", "001"}
    assert planned["keeper"][2] == "/photos/001.jpg"


def test_copies_that_are_no_duplicates_of_a_picture_still_go_as_copies():
    frame = scored(at_angle(K, M, M), list("kmm"), width=[3, 2, 1])
    planned = plan(frame, not_duplicates=[("k", "m")])
    assert staying(planned) == {"000", "001"}
    assert planned["group"].to_list() == [None, 2, 2]


@pytest.mark.lengthy
def test_a_picture_that_is_no_duplicate_of_itself_keeps_all_its_copies():
    frame = scored(at_angle(K, K, M, M), list("kkmm"), width=[4, 3, 2, 1])
    assert staying(plan(frame, not_duplicates=[("k", "k")])) == {"000", "001"}
    assert staying(plan(frame, not_duplicates=[("m", "m")])) == {"000", "002", "003"}
    assert staying(plan(frame[:3], not_duplicates=[("m", "m")])) == {"000"}


@pytest.mark.lengthy
def test_a_pair_of_which_the_frame_has_one_changes_nothing():
    frame = scored(at_angle(K, M), list("km"))
    assert_frame_equal(plan(frame, not_duplicates=[("k", "gone")]), plan(frame))


# Other rules and other boundaries


def test_other_rules_form_groups_round_other_keepers():
    frame = scored(at_angle(0, 15, 30), list("abc"), width=[3, 2, 1], votes=[0, 9, 0])
    planned = plan(frame, keep=[highest("votes")])
    assert staying(planned) == {"001"}
    assert planned["reason"][1] == "keeper: highest votes"


def test_without_embeddings_other_rules_choose_among_exact_copies_only():
    frame = scored(at_angle(K, K, M, M), list("kkmm"), width=[4, 3, 2, 1], votes=[0, 1, 5, 9])
    planned = plan(frame.drop("embedding"), keep=[highest("votes")])
    assert staying(planned) == {"001"}
    assert set(planned.filter(kind="near")["keeper"]) == {"/photos/001.jpg"}


@pytest.mark.lengthy
@pytest.mark.parametrize("gamma", [0.5, 1.0, math.log(0.05) / math.log(0.25)])
def test_the_scale_of_the_frame_is_read_off_its_scores(gamma):
    # At 30 degrees the cosine distance is 0.134.
    frame = scored(at_angle(0, 30, 90), list("abc"), gamma=gamma, near=0.0)
    score = 0.13397**gamma
    assert plan(frame, near=score - 0.001)["group"].null_count() == 3
    assert plan(frame, near=score + 0.001)["group"].null_count() == 1


def test_scores_that_come_from_elsewhere_are_not_trusted():
    frame = scored(at_angle(K, M, FAR), list("kmf"))
    elsewhere = frame.with_columns(uniqueness=pl.Series([0.9, 0.2, 0.7], dtype=pl.Float32))
    assert staying(plan(elsewhere, near=0.05)) == {"000", "002"}


@pytest.mark.lengthy
def test_the_boundary_that_a_frame_was_scored_with_is_kept_when_rules_change():
    frame = scored(at_angle(0, 30, 90), list("abc"), near=0.2, votes=[0, 1, 0])
    assert staying(plan(frame, keep=[highest("votes")])) == {"001", "002"}
    narrow = scored(at_angle(K, M, 90), list("abc"), near=0.01, votes=[0, 1, 0])
    assert len(staying(plan(narrow, keep=[highest("votes")]))) == 3


# Frames of all sorts


def test_a_group_whose_keeper_was_filtered_out_keeps_a_member():
    frame = scored(at_angle(K, M, 10, N), list("kmno"), width=[4, 3, 2, 1])[1:]
    assert staying(plan(frame)) == {"001", "003"}
    assert staying(plan(frame.drop("embedding"))) == {"001", "002", "003"}


@pytest.mark.lengthy
@pytest.mark.parametrize("near", [None, 0.05])
def test_an_empty_frame_has_an_empty_plan(near):
    frame = scored(at_angle(K, M), list("km"))
    planned = plan(frame[:0], near=near)
    assert planned.schema == plan(frame, near=near).schema
    assert planned.is_empty()


@pytest.mark.parametrize("near", [None, 0.05])
def test_a_frame_of_unreadable_files_keeps_them(near):
    frame = scored(at_angle(K, M), list("km")).with_columns(
        pl.lit(None).alias(name) for name in ("keep", "group", "fingerprint", "embedding")
    )
    planned = plan(frame.with_columns(error=pl.lit("cut")), near=near)
    assert planned["reason"].to_list() == ["unreadable"] * 2
    assert planned["action"].to_list() == ["keep"] * 2


@pytest.mark.parametrize("near", [None, 0.05])
def test_what_a_frame_says_of_an_unreadable_file_does_not_count(near):
    frame = scored(at_angle(K, M), list("km"), width=[2, 1])
    planned = plan(frame.with_columns(error=pl.Series(["cut", None])), near=near)
    assert planned["action"].to_list() == ["keep", "keep"]
    assert planned["reason"][0] == "unreadable"


@pytest.mark.parametrize("near", [None, 0.05])
def test_vectors_of_ones_own_need_no_fingerprints(near):
    vectors = at_angle(K, M, M, K, FAR)
    frame = pl.DataFrame({"path": list("abcde")}).hstack(uniqueness(vectors))
    frame = frame.with_columns(embedding=pl.Series(vectors, dtype=pl.Array(pl.Float64, 2)))
    planned = plan(frame, near=near, remove=["exact"])
    assert staying(planned) == {"a", "b", "e"}
    assert planned["keeper"].to_list() == ["a", "a", "b", "a", None]
    assert "fingerprint" not in planned.columns


@pytest.mark.lengthy
def test_a_pandas_frame_is_a_frame():
    frame = scored(at_angle(K, M), list("km")).drop("embedding", "kind")
    assert_frame_equal(plan(frame.to_pandas()), plan(frame))


# What is refused


@pytest.mark.parametrize(
    ("without", "arguments", "message"),
    [
        (["group"], {}, r"a plan needs a column 'group'; this frame has: 'path', 'width'"),
        (["keep"], {}, "needs a column 'keep'"),
        (["path"], {}, "needs a column 'path'"),
        (["embedding"], {"near": 0.1}, "grouping at another near needs a column 'embedding'"),
        (["fingerprint", "nearest"], {}, "without fingerprints needs a column 'nearest'"),
        (["fingerprint"], {"not_duplicates": [("a", "b")]}, "needs a column 'fingerprint'"),
        (["width"], {"keep": ["pixels"]}, "no column width"),
        ([], {"near": 1.5}, r"near is 1.5; it must lie in \[0, 1\]"),
        ([], {"near": float("nan")}, "near is nan"),
        ([], {"remove": ["unique"]}, "remove has 'unique'"),
        ([], {"keep": "pixels"}, r"pass \['pixels'\]"),
        ([], {"keepers": "/photos/000.jpg"}, "keepers are a list of paths"),
        ([], {"keepers": ["/photos/gone.jpg"]}, "'/photos/gone.jpg' first"),
        ([], {"not_duplicates": ["ab"]}, "pass pairs of fingerprints"),
        ([], {"not_duplicates": [("a", "b", "c")]}, "pass pairs of fingerprints"),
    ],
)
def test_what_cannot_be_planned_is_refused_with_what_to_do(without, arguments, message):
    frame = scored(at_angle(K, M), list("km")).drop(without)
    with pytest.raises(InputError, match=message):
        plan(frame, **arguments)


def test_frames_put_together_after_scoring_are_refused():
    one, other = scored(at_angle(K, M), list("km")), scored(at_angle(K, M), list("xy"))
    other = other.with_columns(path="/other" + pl.col("path"))
    with pytest.raises(InputError, match="group 1 has more than one keeper"):
        plan(pl.concat([one, other]))


def test_groups_below_one_are_none_and_columns_of_other_things_are_refused():
    df = pl.DataFrame(
        {"path": ["a", "b"], "group": [-1, -1], "keep": [True, True], "fingerprint": ["f", "g"]}
    )
    assert plan(df)["action"].to_list() == ["keep", "keep"]
    assert plan(df)["group"].to_list() == [None, None]
    numbers = df.with_columns(group=pl.lit(1), keep=pl.Series([1, 0]), fingerprint=pl.lit("f"))
    assert plan(numbers)["action"].to_list() == ["keep", "remove"]
    with pytest.raises(InputError, match="'keep' must hold true and false"):
        plan(df.with_columns(keep=pl.lit("yes")))
