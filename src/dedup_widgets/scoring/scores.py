"""The scores of pictures: vectors propose, pictures decide."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

import dedup_widgets.scoring.keepers as keepers
from dedup_widgets._progress import Progress
from dedup_widgets.frame.scale import gamma_of
from dedup_widgets.images.decode import MAX_FRAMES_KEPT
from dedup_widgets.images.perceptual import without_turn
from dedup_widgets.models.base import Embedder
from dedup_widgets.models.perceptual import PERCEPTUAL_KEY
from dedup_widgets.neighbors.vectors import Vectors
from dedup_widgets.scoring.candidates import PERCEPTUAL_RADIUS, Candidates, propose
from dedup_widgets.scoring.evidence import (
    completeness,
    confirmed_pairs,
    enlarged,
    evidence_column,
    of_nearest,
)
from dedup_widgets.scoring.incremental import find_with_store
from dedup_widgets.scoring.pictures import PictureComparison
from dedup_widgets.scoring.uniqueness import Nearest, score_images
from dedup_widgets.scoring.verify import EvidenceOfPairs, Look, Looked, look_at_pairs
from dedup_widgets.store.cache import Cache

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
    rank = keepers.rank(seen, keep)
    nearest = find_with_store(
        cache if embedder.persistent and keep_searches else None,
        embedder.key,
        vectors,
        fingerprints=prints,
        rank=rank,
        radius=embedder.candidate_distance,
        device=device,
        progress=progress,
        old=old,
    )
    alike = find_with_store(
        cache if keep_searches else None,
        TURNS_KEY,
        without_turn(perceptual).astype(np.float16),
        fingerprints=prints,
        rank=rank,
        radius=PERCEPTUAL_RADIUS,
        device=device,
        progress=progress,
        old=old,
    )
    pictures = nearest.rows  # the row of each different picture
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
        np.argsort(np.argsort(names)),
    )
    before = np.zeros(len(names), np.bool_) if old is None else old[pictures]
    if old is not None:
        candidates = candidates.without(before)
    scores, looked = decide(
        seen,
        nearest,
        candidates,
        PictureComparison(cache, names, sizes, workers, progress),
        near=near,
        keep=keep,
        near_distance=embedder.near_distance,
        spectra=lambda rows: seen["spectrum"].gather(rows).to_list(),
        old=before,
    )
    looked = replace(looked, left_out=looked.left_out + int((~is_kept).sum()))
    embedding = pl.Series(vectors, dtype=pl.Array(pl.Float16, vectors.shape[1]))
    return scores.with_columns(embedding=embedding), looked


def can_be_seen(frames: pl.Series) -> NDArray[np.bool_]:
    """Tell of which pictures all frames are kept: nobody can look at all of longer animations."""
    return (frames <= MAX_FRAMES_KEPT + 1).to_numpy()


def decide(
    seen: pl.DataFrame,
    nearest: Nearest,
    candidates: Candidates,
    look: Look,
    *,
    near: float,
    keep: Sequence[str | keepers.Rule],
    near_distance: float,
    spectra: Callable[[list[int]], Sequence[str]],
    old: NDArray[np.bool_] | None = None,
) -> tuple[pl.DataFrame, Looked]:
    """Score images by their candidates, which are looked at.

    Parameters
    ----------
    seen
        What keeper rules look at, of n images.
    nearest, candidates
        What vectors say of their pictures, numbered by rank.
    look
        Compares pairs of these.
    near, keep
        As :func:`dedup_widgets.score` takes them.
    near_distance
        The model's near-duplicate boundary.
    spectra
        Returns how fine the detail of some rows is, in hexadecimal digits.
    old
        Pictures of which no two are compared.

    Returns
    -------
    tuple
        As :func:`score_pictures` does, without the vectors.
    """
    names = seen["fingerprint"].gather(nearest.rows)
    of_row = np.empty(len(seen), np.int32)  # the picture of each image
    of_row[nearest.order] = nearest.representative

    def completed(evidence: EvidenceOfPairs) -> pl.DataFrame:
        """Return the facts with what the evidence says is missing in each picture."""
        n = len(names)
        shown = sorted({it for pair, both in evidence.items() if both.is_confirmed for it in pair})
        fine = map(bytes.fromhex, spectra(nearest.rows[shown].tolist()))
        is_enlarged = enlarged(n, evidence, dict(zip(shown, fine, strict=True)))
        return seen.with_columns(
            completeness=pl.Series(completeness(n, evidence)[of_row]),
            enlarged=pl.Series(is_enlarged[of_row]),
        )

    def ranked(evidence: EvidenceOfPairs) -> NDArray[np.int64]:
        return keepers.rank(completed(evidence), keep)[nearest.rows]

    looked = look_at_pairs(candidates, look, ranked, old)
    facts = completed(looked.evidence)
    scores = score_images(
        nearest,
        near=near,
        gamma=gamma_of(near_distance),
        confirmed=confirmed_pairs(len(names), looked.evidence, near_distance),
        rank=keepers.rank(facts, keep),
    ).with_columns(
        facts["completeness"],
        facts["enlarged"],
        evidence=evidence_column(names, looked.evidence, seen["fingerprint"]),
    )
    return scores.with_columns(of_nearest(scores, seen["fingerprint"])), looked
