"""The Explorer over very many images: what the kernel computes, and what a page of it draws.

No picture is looked at: the frame is as of `dedup_widgets.score`, with its groups, but without
embeddings, and its files are not there.
"""

import gc
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.harness import OURS, Case, Values, memory

DECISIONS = 5
"""Times that each kind of decision is made; the median counts."""


def cases(size: str) -> list[Case]:
    sizes = {"tiny": [2_000], "quick": [100_000], "full": [100_000, 1_000_000]}[size]
    return [Case("widget", OURS, {"n": n}, rounds=1 if n < 100_000 else 3) for n in sizes]


def prepare(data: Path, n: int) -> None:
    file = _file(data, n)
    if not file.exists():
        frame(n).write_parquet(file)


def frame(n: int, seed: int = 0) -> pl.DataFrame:
    """Return a scored frame: 6 % of the images have copies, one to four, a third of them exact."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 6, int(0.06 * n))
    number = np.zeros(n, np.int64)
    number[: sizes.sum()] = np.repeat(np.arange(1, len(sizes) + 1), sizes)
    keeper = np.arange(n)
    keeper[: sizes.sum()] = np.repeat(np.cumsum(sizes) - sizes, sizes)
    keep = keeper == np.arange(n)
    exact = ~keep & (rng.random(n) < 0.33)
    near = ~keep & ~exact
    score = rng.uniform(0.06, 1, n)
    score[near | (keep & (number > 0))] = rng.uniform(0.001, 0.05, n)[near | (keep & (number > 0))]
    score[exact] = 0
    has_exact, has_near = np.zeros((2, n), np.bool_)
    has_exact[keeper[exact]] = has_near[keeper[near]] = True
    kind = np.select([exact | has_exact, near | has_near], ["exact", "near"], "unique")
    nearest = np.where(keep & (number > 0), keeper + 1, keeper)
    nearest[number == 0] = rng.integers(n, size=int((number == 0).sum()))
    paths = pl.select(
        pl.format("/photos/{}/{}.jpg", pl.int_range(n) // 1_000, pl.int_range(n))
    ).to_series()
    made = pl.DataFrame(
        {
            "path": paths,
            "uniqueness": pl.Series(score, dtype=pl.Float32),
            "kind": pl.Series(kind),
            "group": pl.Series(number, dtype=pl.UInt32).replace(0, None),
            "keep": keep,
            "nearest": paths.gather(nearest),
            "distance": pl.Series(score, dtype=pl.Float32),
            "width": pl.Series(rng.integers(200, 6_000, n), dtype=pl.UInt32),
            "height": pl.Series(rng.integers(200, 6_000, n), dtype=pl.UInt32),
            "bytes": pl.Series(rng.integers(10_000, 9_000_000, n), dtype=pl.UInt64),
            "sharpness": pl.Series(rng.random(n), dtype=pl.Float32),
            "fingerprint": pl.Series(np.where(exact, keeper, np.arange(n))).hash().cast(pl.String),
            "error": pl.Series([None], dtype=pl.String).new_from_index(0, n),
        }
    )
    return made[rng.permutation(n)]


def review(data: Path, n: int) -> Values:
    """Take the processor seconds of an Explorer: built, opened, decided in, undone, accepted."""
    import dedup_widgets as dw
    from dedup_widgets.widgets.protocol import Buffers, OpenReviewRequest

    scored = pl.read_parquet(_file(data, n))
    goes = scored.filter(~pl.col("keep"))["path"]
    decided = goes.gather_every(len(goes) // (DECISIONS + 1)).to_list()[: DECISIONS + 1]
    taken: dict[str, list[float]] = {}

    def timed(name: str, action: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = action()
        taken.setdefault(f"{name}_cpu", []).append(time.process_time() - start)
        return result

    with tempfile.TemporaryDirectory() as folder:
        # What a kernel loads once stands outside the clock.
        dw.Explorer(scored.head(1_000), store=f"{folder}/small")
        gc.collect()
        before, start = memory(), time.perf_counter()
        ex = timed("build", lambda: dw.Explorer(scored, store=f"{folder}/large"))
        seconds = time.perf_counter() - start
        gc.collect()
        bytes_a_row = (memory() - before) / n
        request = OpenReviewRequest(seq=1, client=1)
        timed("open", lambda: ex.handlers[OpenReviewRequest](request, [], Buffers()))
        # Once after it was opened, a thread looks for missing files, and prepares for decisions.
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer):
                thread.join()
        timed("first_decision", lambda: ex.choose_keepers(decided[:1]))
        for path in decided[1:]:
            timed("decide", partial(ex.choose_keepers, [path]))
        for _ in decided[1:]:
            timed("undo", ex.undo)
        for path in decided[1:]:
            timed("not_duplicates", partial(ex.mark_not_duplicates, [path]))
        ex.session.select(np.ones(n, np.bool_))
        for _ in range(3):
            timed("selection", lambda: ex.selection)
        timed("accept", ex.accept_plan)
        ex.close()
    medians = {name: statistics.median(values) for name, values in taken.items()}
    return {"seconds": seconds, **medians, "bytes_a_row": bytes_a_row}


def _file(data: Path, n: int) -> Path:
    return data / f"scored-{n}.parquet"


VARIANTS = {OURS: review}
