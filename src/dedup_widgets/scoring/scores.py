"""The scores of pictures: vectors propose, pictures decide."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

import dedup_widgets.scoring.keepers as keepers
from dedup_widgets._memory import give_back
from dedup_widgets._paths import absolute
from dedup_widgets._progress import Progress
from dedup_widgets.frame.lookup import inverse_of
from dedup_widgets.frame.scale import gamma_of
from dedup_widgets.images.decode import MAX_FRAMES_KEPT
from dedup_widgets.images.perceptual import UNDAMPED_RADIUS, without_turn
from dedup_widgets.models.base import Embedder
from dedup_widgets.models.perceptual import PERCEPTUAL_KEY
from dedup_widgets.neighbors.vectors import Vectors
from dedup_widgets.scoring.candidates import Candidates, propose
from dedup_widgets.scoring.detail import measure, unmeasured, with_measured
from dedup_widgets.scoring.evidence import (
    completeness,
    confirmed_pairs,
    enlarged,
    evidence_column,
    of_nearest,
)
from dedup_widgets.scoring.incremental import find_with_store
from dedup_widgets.scoring.pair_evidence import PairEvidence
from dedup_widgets.scoring.pictures import PictureComparison
from dedup_widgets.scoring.processes import PictureWorkers
from dedup_widgets.scoring.uniqueness import Nearest, score_images
from dedup_widgets.scoring.verify import Look, Looked, look_at_pairs
from dedup_widgets.store.cache import Cache


class EvidenceRanking(Protocol):
    """Ranks pictures as keepers by evidence; see `keepers.PictureRanking`."""

    def ranks(
        self, completeness: NDArray[np.float32], enlarged: NDArray[np.bool_]
    ) -> NDArray[np.int32]:
        """Return the rank of each picture, 0 for the best."""
        ...


TURNS_KEY = f"{PERCEPTUAL_KEY}/turns"
"""Under which a search among perceptual vectors without their turns is kept."""


def score_pictures(
    seen: pl.DataFrame,
    vectors: NDArray[np.float16],
    perceptual: NDArray[np.float16],
    embedder: Embedder,
    cache: Cache,
    *,
    near: float,
    keep: Sequence[str | keepers.Rule],
    device: str | None,
    workers: int,
    progress: Progress,
    old: NDArray[np.bool_] | None = None,
    keep_searches: bool = True,
) -> tuple[pl.DataFrame, Looked]:
    """Score images whose pictures the store knows.

    Parameters
    ----------
    seen
        The facts of n images, and what else keeper rules look at.
    vectors, perceptual
        Their embeddings, (n, d), and perceptual vectors, (n, 144).
    embedder
        The model that made the embeddings.
    cache
        Has the thumbnails, and keeps what is found.
    near, keep, device, workers, progress
        As :func:`dedup_widgets.score` takes them.
    old
        (n,), images of which no two are compared; they must come first by `keep`, and no two share
        a fingerprint.
    keep_searches
        Whether the cache keeps what was found, for the next run to go on from.

    Returns
    -------
    tuple
        Of each image what :func:`~dedup_widgets.scoring.uniqueness.score_images` returns, with
        ``relation``, ``agreement``, ``completeness``, ``enlarged``, ``evidence`` and ``embedding``;
        and what was looked at.
    """
    prints = seen["fingerprint"].to_list()
    # Ranks by facts alone: a search that is kept must not depend on evidence found later.
    ranking = keepers.Ranking(seen, keep)
    find = partial(
        find_with_store,
        fingerprints=prints,
        rank=ranking.ranks(),
        device=device,
        progress=progress,
        old=old,
    )
    nearest = find(
        cache if embedder.persistent and keep_searches else None,
        embedder.key,
        vectors,
        radius=embedder.candidate_distance,
    )
    alike = find(
        cache if keep_searches else None,
        TURNS_KEY,
        without_turn(perceptual).astype(np.float16),
        radius=UNDAMPED_RADIUS,
    )
    pictures = nearest.rows.astype(np.int64)  # the row of each different picture
    names = [prints[row] for row in pictures]
    is_kept = can_be_seen(seen["frames"].gather(pictures))
    sizes = dict(zip(prints, seen.select("width", "height").iter_rows(), strict=True))
    candidates = propose(
        Vectors(vectors).take(pictures),
        nearest.found,
        embedder.candidate_distance,
        perceptual[pictures],
        alike.found.pairs,
        is_kept,
        inverse_of(np.argsort(names)),
    )
    before = np.zeros(len(names), np.bool_) if old is None else old[pictures]
    if old is not None:
        candidates = candidates.without(before)
    by_evidence = ranking.of_pictures(pictures)
    detail = seen.select("path", "fingerprint", "spectrum")
    with PictureWorkers(workers) as at_work:
        looked = compare_candidates(
            nearest,
            candidates,
            PictureComparison(cache, names, sizes, at_work, progress),
            radius=embedder.candidate_distance,
            ranking=by_evidence,
            spectra=lambda rows: _spectra(detail[rows], cache, workers, progress),
            old=before,
        )
    looked = replace(looked, left_out=looked.left_out + int((~is_kept).sum()))
    scores = decide(
        nearest,
        looked.evidence,
        ranking=by_evidence,
        near=near,
        near_distance=embedder.near_distance,
        old=before,
    )
    return scores.with_columns(
        evidence=evidence_column(nearest.of_row, looked.evidence, pl.Series(names).gather),
        embedding=pl.Series(vectors, dtype=pl.Array(pl.Float16, vectors.shape[1])),
    ), looked


def _spectra(pictures: pl.DataFrame, cache: Cache, workers: int, progress: Progress) -> list[bytes]:
    """Return how fine the detail of pictures is; what is measured now is kept."""
    todo = unmeasured(pictures)
    measured = measure(todo, workers, progress)
    if measured:
        stored = cache.files(absolute(path) for path, _ in todo)
        cache.add(
            replace(record, facts=replace(record.facts, spectrum=measured[record.fingerprint]))
            for record in stored.values()
            if record.facts is not None and record.fingerprint in measured
        )
    return with_measured(pictures, measured)


def can_be_seen(frames: pl.Series) -> NDArray[np.bool_]:
    """Tell of which pictures all frames are kept: nobody can look at all of longer animations."""
    return (frames <= MAX_FRAMES_KEPT + 1).to_numpy()


def compare_candidates(
    nearest: Nearest,
    candidates: Candidates,
    look: Look,
    *,
    radius: float,
    ranking: EvidenceRanking,
    spectra: Callable[[NDArray[np.integer]], Sequence[bytes]],
    old: NDArray[np.bool_] | None = None,
) -> Looked:
    """Look at the pairs of pictures that may be copies.

    Parameters
    ----------
    nearest, candidates
        What vectors say of the pictures of n images, numbered by rank.
    look
        Compares pairs of these.
    radius
        The model's candidate radius.
    ranking
        Ranks them by evidence.
    spectra
        Returns how fine the detail of some rows is.
    old
        Pictures of which no two are compared.
    """
    n = len(nearest.rows)

    def look_closely(pairs: NDArray[np.int32]) -> PairEvidence:
        return look(pairs).with_detail(lambda pictures: spectra(nearest.rows[pictures]))

    def ranked(evidence: PairEvidence) -> NDArray[np.int32]:
        complete, is_enlarged = completeness(n, evidence), enlarged(n, evidence)
        give_back()
        return ranking.ranks(complete, is_enlarged)

    return look_at_pairs(candidates, look_closely, ranked, radius=radius, old=old)


def decide(
    nearest: Nearest,
    evidence: PairEvidence,
    *,
    ranking: EvidenceRanking,
    near: float,
    near_distance: float,
    old: NDArray[np.bool_] | None = None,
) -> pl.DataFrame:
    """Score images by what was found of their pictures.

    Parameters
    ----------
    nearest, ranking
        As :func:`compare_candidates` takes them.
    evidence
        Of the pairs that were looked at.
    near
        As :func:`dedup_widgets.score` takes it.
    near_distance
        The model's near-duplicate boundary.
    old
        As :func:`compare_candidates` takes it.

    Returns
    -------
    pl.DataFrame
        As :func:`score_pictures` does, without the vectors and the column ``evidence``.
    """
    n, of_row = len(nearest.rows), nearest.of_row
    complete, is_enlarged = completeness(n, evidence), enlarged(n, evidence)
    confirmed = confirmed_pairs(n, evidence, near_distance, old)
    give_back()
    rank = ranking.ranks(complete, is_enlarged)
    give_back()
    scores = score_images(
        nearest, near=near, gamma=gamma_of(near_distance), confirmed=confirmed, rank=rank
    ).with_columns(
        completeness=pl.Series(complete[of_row]), enlarged=pl.Series(is_enlarged[of_row])
    )
    del complete, is_enlarged, confirmed, rank
    give_back()
    return scores.hstack(of_nearest(of_row, scores["nearest"], evidence))
