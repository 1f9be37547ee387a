"""Pairs of pictures that were compared: near-duplicates, groups and plans follow from them."""

from functools import partial

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup_widgets import plan
from dedup_widgets.alignment.evidence import RELATIONS, Evidence
from dedup_widgets.frame.provenance import Provenance
from dedup_widgets.frame.scale import gamma_of, scale
from dedup_widgets.images.detail import FREQUENCIES
from dedup_widgets.neighbors.confirmed import (
    LEAST_AGREEMENT,
    LEAST_IMPLIED,
    ConfirmedPairs,
    distance_of,
)
from dedup_widgets.neighbors.vectors import Vectors
from dedup_widgets.scoring.candidates import Candidates, propose
from dedup_widgets.scoring.evidence import (
    DIGITS,
    completeness,
    confirmed_pairs,
    enlarged,
    evidence_column,
    of_nearest,
)
from dedup_widgets.scoring.keepers import rank
from dedup_widgets.scoring.pair_evidence import PairEvidence, as_columns
from dedup_widgets.scoring.uniqueness import find_nearest, score_images
from dedup_widgets.scoring.verify import CANDIDATES, KEEPERS, SAMPLE, look_at_pairs

seeds = st.integers(0, 2**32 - 1)
NEAR_DISTANCE = 0.4
SAME_PLACE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def confirmed(agreement, **more):
    sizes = {"a_size": (100, 100), "b_size": (100, 100), "inside_a": 1.0, "inside_b": 1.0}
    maps = {"matrix": SAME_PLACE, "inverse_matrix": SAME_PLACE}
    return Evidence(True, agreement, **(sizes | maps | more))


def random_evidence(rng, n):
    """Pairs of n pictures, some of them refused, with agreements as a frame has them."""
    pairs = {(i, j) for i, j in rng.integers(n, size=(2 * n, 2)).tolist() if i < j}
    return {
        pair: confirmed(round(float(rng.uniform(LEAST_AGREEMENT, 1)), DIGITS))
        if rng.random() < 0.7
        else Evidence(False)
        for pair in sorted(pairs)
    }


def pairs_of(n, evidence):
    return confirmed_pairs(n, PairEvidence.of(evidence), NEAR_DISTANCE)


def agreement_by_the_rules(evidence, n):
    """The agreement of all pairs of copies, one pair at a time."""
    direct = {}
    for (i, j), found in evidence.items():
        direct[i, j] = direct[j, i] = found.agreement if found.is_confirmed else None
    known = dict(direct)
    for i in range(n):
        for j in range(n):
            if i != j and (i, j) not in direct:
                over = [
                    direct[i, k] + direct[k, j] - 1
                    for k in range(n)
                    if direct.get((i, k)) is not None and direct.get((k, j)) is not None
                ]
                if over and max(over) >= LEAST_IMPLIED:
                    known[i, j] = max(over)
    return {pair: share for pair, share in known.items() if share is not None}


# Pairs


@given(seeds)
def test_copies_are_those_that_were_confirmed_or_follow_from_two_that_were(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 12))
    evidence = random_evidence(rng, n)
    pairs, expected = (
        pairs_of(n, evidence),
        agreement_by_the_rules(evidence, n),
    )
    radius = float(rng.uniform(0, NEAR_DISTANCE))
    for i in range(n):
        near = [
            j
            for j in range(n)
            if (i, j) in expected and distance_of(np.array(expected[i, j]), NEAR_DISTANCE) <= radius
        ]
        assert pairs.within(i, radius).tolist() == near
    rows, others = np.divmod(np.arange(n * n), n)
    found = pairs.distances(rows, others)
    for i, j, distance in zip(rows.tolist(), others.tolist(), found, strict=True):
        assert np.isnan(distance) == ((i, j) not in expected)


def test_a_pair_that_was_refused_does_not_follow_from_others():
    evidence = {(0, 1): confirmed(1.0), (0, 2): confirmed(1.0), (1, 2): Evidence(False)}
    assert pairs_of(3, evidence).within(1, NEAR_DISTANCE).tolist() == [0]


def test_two_crops_of_a_picture_that_share_too_little_are_no_copies():
    left, right = confirmed(0.7), confirmed(0.75)
    pairs = pairs_of(3, {(0, 1): left, (0, 2): right})
    assert pairs.within(1, NEAR_DISTANCE).tolist() == [0]


@given(st.floats(0, 1))
def test_a_confirmed_pair_is_within_the_boundary_and_no_other_is(agreement):
    gamma = gamma_of(NEAR_DISTANCE)
    inside = distance_of(np.array(agreement), NEAR_DISTANCE)
    assert 0.0001 < scale(inside, gamma) <= np.float32(0.05)
    none = ConfirmedPairs(2, *np.empty((2, 0), np.int64), np.empty(0), NEAR_DISTANCE)
    _, distance = none.decide(np.array([1, 0]), np.array([agreement, agreement]))
    assert (scale(distance, gamma) > np.float32(0.05)).all()


# What is looked at


def candidates_of(lists):
    counts = [len(others) for others in lists]
    start = np.concatenate([[0], np.cumsum(counts)])
    distances = [0.5 + 0.1 * place for others in lists for place in range(len(others))]
    others = np.array([j for others in lists for j in others], np.int64)
    return Candidates(start, others, np.array(distances))


def confirmed_of(looked):
    return [tuple(pair) for pair in looked.evidence.copies.tolist()]


def looking(copies):
    """Return a comparison that knows what the copies are, and the list of pairs it was asked."""
    asked = []

    def look(pairs):
        asked.extend(map(tuple, pairs.tolist()))
        return PairEvidence.of(
            {
                (a, b): confirmed(1.0) if any({a, b} <= s for s in copies) else Evidence(False)
                for a, b in pairs.tolist()
            }
        )

    return look, asked


def test_a_picture_is_compared_until_a_copy_is_confirmed():
    look, asked = looking([{0, 3}])
    looked = look_at_pairs(
        candidates_of([[1, 3, 4], [0], [], [0], [0]]), look, lambda _: np.arange(5), radius=1
    )
    assert set(asked) == {(0, 1), (0, 3), (0, 4)}
    assert confirmed_of(looked) == [(0, 3)]
    assert looked.left_out == 0


def test_pictures_with_many_candidates_are_compared_with_a_few_and_counted():
    n = 50
    look, asked = looking([])
    lists = [[j for j in range(n) if j != i] for i in range(n)]
    looked = look_at_pairs(candidates_of(lists), look, lambda _: np.arange(n), radius=1)
    assert len(asked) <= CANDIDATES * n
    assert looked.left_out == n


def test_each_member_of_a_group_is_compared_with_its_keeper():
    n = 40
    chain = [[i + 1] if i == 0 else [i - 1] for i in range(n)]
    for keeper in (0, 17):
        look, asked = looking([set(range(n))])
        order = np.array([i != keeper for i in range(n)], np.int64) * (1 + np.arange(n))
        looked = look_at_pairs(candidates_of(chain), look, lambda _, order=order: order, radius=1)
        assert {tuple(sorted((keeper, i))) for i in range(n) if i != keeper} <= set(asked)
        assert len(asked) == len(set(asked)) <= (1 + KEEPERS) * n
        assert looked.left_out == 0


def test_what_vectors_hardly_doubt_is_compared_with_the_best_alone():
    n = 40
    everybody = [[j for j in range(n) if j != i] for i in range(n)]
    rank = np.roll(np.arange(n), 17)  # 17 is the best
    look, asked = looking([set(range(n))])
    looked = look_at_pairs(candidates_of(everybody), look, lambda _: rank, radius=20)
    assert sorted(asked) == [(min(i, 17), max(i, 17)) for i in range(n) if i != 17]
    assert looked.left_out == 0


def test_what_vectors_take_for_copies_and_is_none_costs_a_sample():
    n = 40
    everybody = [[j for j in range(n) if j != i] for i in range(n)]
    look, asked = looking([])
    best_last = np.arange(n)[::-1]
    looked = look_at_pairs(candidates_of(everybody), look, lambda _: best_last, radius=20)
    assert sum(n - 1 in pair for pair in asked) <= CANDIDATES + SAMPLE
    assert len(asked) == len(set(asked)) <= CANDIDATES * n + SAMPLE
    assert looked.left_out == n


def test_what_shows_a_part_of_the_best_is_compared_with_its_nearest_too():
    asked = []

    def look(pairs):
        asked.extend(map(tuple, pairs.tolist()))
        shares = {(1, 2): 1.0}
        return PairEvidence.of(
            {pair: confirmed(shares.get(pair, 0.6)) for pair in asked[-len(pairs) :]}
        )

    lists = [[1, 2], [2, 0], [1, 0]]
    look_at_pairs(candidates_of(lists), look, lambda _: np.arange(3), radius=20)
    assert asked == [(0, 1), (0, 2), (1, 2)]


def test_a_candidate_that_is_a_copy_of_the_best_of_its_group_is_looked_at_by_that_one():
    near, others = [[1, 2], [0, 2], [0, 1]], [[2, 1], [1]]  # 0 is the best of 0, 1 and 2
    counts = [2, 2, 2, 2, 1]
    candidates = Candidates(
        np.concatenate([[0], np.cumsum(counts)]),
        np.array([j for its in near + others for j in its]),
        np.array([0.1] * 6 + [0.6, 0.7, 0.6]),
    )
    look, asked = looking([{0, 1, 2, 3}])
    looked = look_at_pairs(candidates, look, lambda _: np.arange(5), radius=1)
    assert sorted(asked) == [(0, 1), (0, 2), (0, 3), (0, 4)]
    assert confirmed_of(looked) == [(0, 1), (0, 2), (0, 3)]


def test_candidates_come_from_both_vectors_the_nearest_first():
    vectors = Vectors([[1, 0], [1, 0.1], [1, 0.3], [0, 1]])
    rng = np.random.default_rng(0)
    perceptual = rng.normal(size=(4, 144))
    perceptual[3] = perceptual[0]
    perceptual = (perceptual / np.linalg.norm(perceptual, axis=1, keepdims=True)).astype(np.float16)
    nearest = find_nearest(
        [[1, 0], [1, 0.1], [1, 0.3], [0, 1]], fingerprints=list("abcd"), radius=0.2
    )

    def proposed(*can_be_seen):
        alike = np.array([[0, 3]], np.int32)
        return propose(
            vectors, nearest.found, 0.2, perceptual, alike, np.array(can_be_seen), np.arange(4)
        )

    candidates = proposed(True, True, True, True)
    assert candidates.of(0).tolist() == [3, 1, 2]
    assert candidates.of(3).tolist() == [0]
    assert proposed(True, False, True, True).of(0).tolist() == [3, 2]


# Scores, groups and plans


def random_frame(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 25))
    vectors = (np.eye(6)[rng.integers(6, size=n)] + rng.normal(0, 0.3, (n, 6))).astype(np.float16)
    prints = [f"{i:032x}" for i in rng.integers(n, size=n)]
    vectors = vectors[[prints.index(name) for name in prints]]
    facts = pl.DataFrame(
        {
            "path": [f"/photos/{i:03}.jpg" for i in range(n)],
            "width": rng.integers(1, 4, n),
            "height": [100] * n,
            "fingerprint": prints,
            "error": pl.Series([None] * n, dtype=pl.String),
        }
    )
    facts = facts.with_columns(pl.col("width").first().over("fingerprint"))
    order = rank(facts, ["pixels"])
    nearest = find_nearest(vectors, fingerprints=prints, rank=order, radius=0.5)
    names = [prints[row] for row in nearest.rows]
    return rng, facts, vectors, order, nearest, names, random_evidence(rng, len(names))


def scored(facts, vectors, order, nearest, names, evidence, near):
    gamma = gamma_of(NEAR_DISTANCE)
    of_pairs, picture = PairEvidence.of(evidence), nearest.of_row
    scores = score_images(
        nearest,
        near=near,
        gamma=gamma,
        confirmed=pairs_of(len(names), evidence),
        rank=order[nearest.rows],
    ).with_columns(
        evidence=evidence_column(picture, of_pairs, pl.Series(names).gather),
        embedding=pl.Series(vectors, dtype=pl.Array(pl.Float16, 6)),
    )
    made = Provenance(gamma=gamma, near=near, compared=len(evidence))
    both = scores.with_columns(of_nearest(picture, scores["nearest"], of_pairs))
    return facts.hstack(
        both.with_columns(nearest=pl.lit(facts["path"]).gather(pl.col("nearest")))
    ).with_columns(made.column)


@pytest.mark.lengthy
@given(seeds, st.sampled_from([0.0, 0.001, 0.01, 0.05]))
def test_no_image_is_near_on_the_word_of_vectors(seed, near):
    _, facts, *rest, names, evidence = random_frame(seed)
    frame = scored(facts, *rest, names, evidence, near)
    expected = agreement_by_the_rules(evidence, len(names))
    number = {name: i for i, name in enumerate(names)}
    keeper = dict(frame.filter("keep").select("group", "fingerprint").rows())
    for row in frame.iter_rows(named=True):
        i = number[row["fingerprint"]]
        if row["kind"] == "near":
            assert any(a == i for a, _ in expected)
        if row["group"] is not None and keeper[row["group"]] != row["fingerprint"]:
            assert (i, number[keeper[row["group"]]]) in expected
        assert (row["relation"] is not None) == (
            row["uniqueness"] > 0
            and any(i in pair and e.is_confirmed for pair, e in evidence.items())
        )


@pytest.mark.lengthy
@given(seeds)
@pytest.mark.parametrize("near", [0.001, 0.01, 0.05, 0.1, 0.4, 1.0])
def test_a_plan_at_another_boundary_is_that_of_scoring_with_it(near, seed):
    _, facts, *rest = random_frame(seed)
    frame, again = scored(facts, *rest, 0.05), scored(facts, *rest, near)
    planned = plan(frame, near=near, keep=["pixels"])
    assert planned["group"].to_list() == again["group"].to_list()
    assert (planned["action"] == "keep").to_list() == again["keep"].to_list()


def test_the_keeper_may_be_changed_and_its_group_stays_together():
    evidence = {(0, i): confirmed(0.95) for i in range(1, 5)}
    names = [f"{i:032x}" for i in range(5)]
    facts = pl.DataFrame({"path": list("abcde"), "fingerprint": names})
    vectors = np.eye(5).astype(np.float16)
    nearest = find_nearest(vectors, fingerprints=names, radius=0.5)
    padded = np.pad(vectors, ((0, 0), (0, 1)))
    frame = scored(facts, padded, np.arange(5), nearest, names, evidence, 0.05)
    chosen = plan(frame, keepers=["d"])
    assert chosen.filter(action="keep")["path"].to_list() == ["d"]


def test_a_crop_a_frame_and_an_overlay_are_less_complete():
    cropped = confirmed(0.8, inside_b=1.0, inside_a=0.8)
    framed = confirmed(0.9, border_b=0.1)
    covered = confirmed(0.95, over_b=0.05)
    found = {(0, 1): cropped, (0, 2): framed, (0, 3): covered, (0, 4): confirmed(1.0)}
    assert completeness(5, PairEvidence.of(found)).tolist() == pytest.approx(
        [1.0, 0.8, 0.9, 0.95, 1.0]
    )


def test_copies_that_are_equal_are_equally_complete_whichever_was_compared():
    # 1 is equal to 0 but was never compared with the crops, beside which 0 has a plain border.
    crop = confirmed(0.8, inside_a=0.8, border_a=0.1)
    found = {(0, 1): confirmed(1.0), (0, 2): crop, (0, 3): crop}
    whole, equal, *crops = completeness(4, PairEvidence.of(found)).tolist()
    assert whole == equal > max(crops)


def test_an_overlay_is_told_by_all_copies_of_which_one_has_it():
    # By mistake the overlay of 3 seems to lie over 0 and 1.
    covered = confirmed(0.9, over_a=0.1)
    found = {(0, 1): confirmed(1.0), (0, 2): confirmed(1.0), (0, 3): covered, (1, 3): covered}
    assert completeness(4, PairEvidence.of(found)).tolist() == pytest.approx([1.0, 1.0, 1.0, 0.95])


def test_a_change_is_that_of_the_picture_beside_whose_copies_it_shows():
    mirror = {"inverse_matrix": (-1.0, 0.0, 1.0, 0.0, 1.0, 0.0)}
    # 0 was mirrored. 1 and 2 were compared with nothing else.
    found = {(0, i): confirmed(1.0, **mirror) for i in range(1, 5)} | {(3, 4): confirmed(1.0)}
    assert completeness(5, PairEvidence.of(found)).tolist() == pytest.approx([0.99, 1, 1, 1, 1])
    # Of two alone it cannot be told.
    alone = completeness(2, PairEvidence.of({(0, 1): confirmed(1.0, **mirror)}))
    assert alone.tolist() == pytest.approx([0.99, 0.99])


def test_of_copies_that_are_none_of_each_other_what_lies_between_them_is_the_source():
    # 1 and 2 were both made of 0, and differ too much from each other.
    found = {(0, 1): confirmed(1.0), (0, 2): confirmed(1.0), (1, 2): Evidence(False)}
    assert completeness(3, PairEvidence.of(found)).tolist() == pytest.approx([1.0, 0.99, 0.99])
    # A picture that was composed of both is the source of neither.
    found = {(0, 1): confirmed(0.5), (0, 2): confirmed(0.5), (1, 2): Evidence(False)}
    assert completeness(3, PairEvidence.of(found)).tolist() == [1.0, 1.0, 1.0]


def test_what_is_no_copy_of_the_best_is_compared_with_the_next_that_is_as_good():
    # 0 and 2 are copies of 1 and of 3, and not of each other.
    look, asked = looking([{0, 1, 3}, {1, 2, 3}])
    candidates = candidates_of([[3], [0], [3], [2]])
    looked = look_at_pairs(candidates, look, lambda _: np.arange(4), radius=1)
    assert (1, 2) in asked
    assert (0, 2) not in confirmed_of(looked)
    n = 4
    complete = completeness(n, looked.evidence)
    assert complete[[1, 3]].min() > complete[[0, 2]].max()
    assert len(asked) == len(set(asked)) <= (1 + 2 * KEEPERS) * n


SHARP = bytes(np.rint(10 * (18 - 2 * np.log2(FREQUENCIES))).astype(np.uint8).tolist())
"""A spectrum that falls with the square of the frequency, as that of a sharp picture does."""


INTERPOLATED = bytes(
    round(10 * max(0, 19 - 2 * np.log2(k) - 2 * (k / 16) ** 4 - 3 * (k > 16))) for k in FREQUENCIES
)
"""That of a copy in twice the size: damped towards half of the frequencies, and little above."""


NOISY = bytes(
    np.rint(10 * (np.log2(2.0 ** (12 - 2 * np.log2(FREQUENCIES)) + 600) + 6)).astype(int).tolist()
)
"""That of `SHARP` with white noise of a power of 600 squared grey levels."""


def spectra_of(spectra, pictures):
    return [spectra[picture] for picture in pictures]


@pytest.mark.parametrize(
    ("size", "spectrum", "agreement", "expected"),
    [
        ((200, 200), INTERPOLATED, 1.0, True),
        ((200, 200), SHARP, 1.0, False),
        ((100, 110), INTERPOLATED, 1.0, False),
        ((200, 200), INTERPOLATED, 0.8, False),
        ((200, 200), b"", 1.0, False),
        ((200, 200), NOISY, 1.0, False),
    ],
)
def test_the_larger_of_two_copies_is_enlarged_if_its_added_frequencies_are_empty(
    size, spectrum, agreement, expected
):
    for found in (confirmed(agreement, b_size=size), confirmed(agreement, b_size=size).inverse()):
        place = 0 if found.a_size == size else 1
        spectra = [SHARP, SHARP, SHARP]
        spectra[place] = spectrum
        of_pairs = PairEvidence.of({(0, 1): found, (1, 2): Evidence(False)})
        told = enlarged(3, of_pairs.with_detail(partial(spectra_of, spectra)))
        assert told.tolist() == [i == place and expected for i in range(3)]


@pytest.mark.parametrize(
    ("size", "agreement", "expected"), [((100, 100), 0.95, True), ((100, 110), 1.0, False)]
)
def test_of_two_copies_of_one_size_the_noisier_shows_no_more(size, agreement, expected):
    for place in (0, 1):
        found = confirmed(agreement, b_size=size)
        spectra = [SHARP, SHARP]
        spectra[place] = NOISY
        of_pairs = PairEvidence.of({(0, 1): found}).with_detail(partial(spectra_of, spectra))
        assert enlarged(2, of_pairs).tolist() == [i == place and expected for i in range(2)]


def laid(rng):
    """Evidence of a picture and a copy that is changed in several ways."""
    turn = np.radians(rng.choice([0, 90, 180, 270]) + rng.choice([0, rng.normal(0, 3)]))
    to_b = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    to_b *= rng.uniform(0.3, 3, 2) * rng.choice([-1, 1], 2)
    to_a, shift = np.linalg.inv(to_b), rng.uniform(-0.3, 0.3, (2, 1))
    shares = rng.choice([0.0, 0.01, 0.02, 0.96, 1.0], 6).tolist()
    names = ["inside_a", "inside_b", "border_a", "border_b", "over_a", "over_b"]
    return confirmed(
        float(rng.uniform(0.3, 1)),
        matrix=tuple(np.hstack([to_b, shift]).ravel().tolist()),
        inverse_matrix=tuple(np.hstack([to_a, -to_a @ shift]).ravel().tolist()),
        a_size=tuple(rng.integers(50, 200, 2).tolist()),
        b_size=tuple(rng.integers(50, 200, 2).tolist()),
        is_recoloured=bool(rng.random() < 0.3),
        **dict(zip(names, shares, strict=True)),
    )


@given(seeds)
def test_of_many_pairs_is_kept_what_is_kept_of_each_and_the_same_the_other_way_round(seed):
    rng = np.random.default_rng(seed)
    evidence = [laid(rng) if rng.random() < 0.8 else Evidence(False) for _ in range(20)]
    kept = as_columns(evidence, len(evidence))
    other_way = as_columns((it.inverse() for it in evidence), len(evidence))
    for row, it in enumerate(evidence):
        assert kept[row] == as_columns([it], 1)[0]
        for name in ("lacks", "relation", "mirrored", "angle", "scale", "box"):
            np.testing.assert_array_equal(kept[name][row], other_way[name][row, ::-1])
        if it.is_confirmed:
            told = [it.inverse() if side else it for side in (0, 1)]
            assert [RELATIONS[number] for number in kept["relation"][row]] == [
                one.relation for one in told
            ]
            assert kept["angle"][row].tolist() == [np.float32(one.angle) for one in told]
            assert kept["box"][row].tolist() == np.float32([one.box for one in told]).tolist()


@given(st.floats(-179, 179), st.floats(0.2, 5), st.booleans())
def test_a_map_that_turns_and_scales_has_its_angle_and_scale(degrees, scale, is_mirrored):
    c, s = np.cos(np.radians(degrees)) * scale, np.sin(np.radians(degrees)) * scale
    mirror = -1 if is_mirrored else 1
    found = confirmed(1.0, inverse_matrix=(mirror * c, s, 0.0, -mirror * s, c, 0.0))
    assert found.is_mirrored is is_mirrored
    assert (found.angle, found.scale) == (pytest.approx(degrees), pytest.approx(scale))


def test_two_sets_of_copies_of_one_picture_become_one():
    # 0 ~ 1 and 2 ~ 3 are nearest to each other, and all are copies of one picture.
    look, _ = looking([{0, 1, 2, 3}])
    lists = [[1, 2], [0], [3, 0], [2]]
    looked = look_at_pairs(candidates_of(lists), look, lambda _: np.arange(4), radius=1)
    assert {(0, 1), (0, 2), (0, 3)} <= set(confirmed_of(looked))
