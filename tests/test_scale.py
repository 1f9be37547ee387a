"""Memory stays bounded and time short where vectors are many, or nearly equal."""

import json
import subprocess
import sys

import numpy as np
import pytest

from dedup_widgets.neighbors.grouping import greedy_groups
from dedup_widgets.neighbors.search import search
from dedup_widgets.neighbors.vectors import Vectors, cosines, unit_vectors
from dedup_widgets.scoring.uniqueness import uniqueness

pytestmark = pytest.mark.lengthy

MEASURE = """
import json, resource, sys
import numpy as np
import torch
from dedup_widgets.scoring.uniqueness import uniqueness
rows = np.load(sys.argv[1], mmap_mode="r")
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
scores = uniqueness(rows, fingerprints=range(len(rows)))
print(json.dumps([peak() - before, int(scores["group"].max() or 0), int(scores["keep"].sum())]))
"""


def measured(path, rows):
    """Score rows in a process of its own; return bytes that it took, groups and images to keep."""
    np.save(path, rows)
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, path], capture_output=True, text=True, check=True
    )
    return json.loads(run.stdout)


def dense_cluster(n, spread, d=64, seed=0):
    """Nearly equal vectors: their noise is so long in relation to them."""
    rng = np.random.default_rng(seed)
    one = rng.standard_normal(d)
    one /= np.linalg.norm(one)
    return one + spread / np.sqrt(d) * rng.standard_normal((n, d))


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 1e-6, 1e-3, 1e-2])
def test_a_crowd_is_one_group_in_bounded_memory(tmp_path, spread):
    n = 20_000
    taken, groups, kept = measured(
        tmp_path / "rows.npy", dense_cluster(n, spread).astype(np.float32)
    )
    # A matrix of all pairs would take 400 MB as bytes, and a list of them 1,600 MB.
    assert taken < 350e6
    assert (groups, kept) == (1, 1)


@pytest.mark.slow
def test_one_large_group_among_others_is_found_in_bounded_memory(tmp_path):
    n, members = 24_000, 6_000
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((n, 64))
    rows[rng.permutation(n)[:members]] = dense_cluster(members, 0.1, seed=1)
    taken, groups, kept = measured(tmp_path / "rows.npy", rows.astype(np.float16))
    assert taken < 350e6
    assert (groups, kept) == (1, n - members + 1)


@pytest.mark.slow
def test_vectors_in_a_file_are_not_copied(tmp_path):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((60_000, 1024)).astype(np.float16)
    taken, *_ = measured(tmp_path / "rows.npy", rows)
    # The file itself, as far as it is mapped, and two big blocks of 128 MB at most.
    assert taken < 2.5 * rows.nbytes


@pytest.mark.parametrize("spread", [1e-6, 1e-3, 1e-2, 0.1])
def test_in_a_crowd_beside_others_all_nearest_are_exact(spread):
    rng = np.random.default_rng(1)
    rows = np.concatenate([dense_cluster(1500, spread), rng.standard_normal((1500, 64))])
    vectors = unit_vectors(rows[rng.permutation(3000)])
    table = cosines(vectors, vectors)
    np.fill_diagonal(table, -np.inf)
    found = search(Vectors.of(vectors), device="cpu")
    assert np.array_equal(found.row, table.argmax(axis=1))
    assert np.array_equal(found.distance, np.clip(1 - table.max(axis=1), 0, 1))


@pytest.mark.parametrize("radius", [0.005, 0.01, 0.012])
def test_groups_whose_members_lie_about_the_boundary_are_exact(radius):
    vectors = unit_vectors(dense_cluster(1200, 0.1))
    within = np.clip(1 - cosines(vectors, vectors), 0, 1) <= radius
    expected = np.arange(1200)
    for i in range(1200):
        if expected[i] == i:
            later = np.arange(i + 1, 1200)
            free = later[within[i, i + 1 :] & (expected[later] == later)]
            expected[free] = i
    assert np.array_equal(greedy_groups(vectors, radius), expected)


@pytest.mark.slow
def test_planted_copies_among_many_are_all_found():
    rng = np.random.default_rng(0)
    n, planted = 30_000, 3_000
    rows = rng.standard_normal((n // 100, 64))[rng.integers(n // 100, size=n)]
    rows = rows + 0.7 * rng.standard_normal((n, 64))
    rows[-planted:] = rows[:planted] + 0.05 * rng.standard_normal((planted, 64))
    scores = uniqueness(rows.astype(np.float16), fingerprints=range(n))
    assert (scores["nearest"][-planted:].to_numpy() == np.arange(planted)).mean() > 0.999
    assert (scores["kind"][-planted:] == "near").all()
