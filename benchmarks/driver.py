"""What the driver of a run holds in memory, a row: `python -m benchmarks.driver 1000000`.

Jobs are played by functions that write what real ones might have found, so that nothing but the
driver takes memory: a tenth of the images have an exact copy, a tenth a near one.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from dedup_widgets._memory import give_back
from dedup_widgets.alignment.evidence import Evidence
from dedup_widgets.images.decode import Facts
from dedup_widgets.images.entry import Entry
from dedup_widgets.scale import describe, over
from dedup_widgets.scale.blocks import block_file, tile_file
from dedup_widgets.scale.looks import _FOLDER
from dedup_widgets.scale.shards import FOLDER
from dedup_widgets.scale.work import Work, named
from dedup_widgets.scoring.columns import facts_of
from dedup_widgets.scoring.task import plan_scoring
from dedup_widgets.store.cache import FileRecord


def main(rows: int, folder: str) -> None:
    describe._listed, describe.describe_shard = listed, described
    over.compare_blocks = compared
    over.Looks._compare = looked
    # What is loaded once, whatever the number of images, is loaded by a run of a few.
    for n in (10, rows):
        give_back()
        base, start = status("VmRSS"), time.monotonic()
        at = pl.int_range(n)
        images = [pl.select(path=pl.format("/data/photos/{}/IMG_{}.jpg", at // 1000, at))]
        give_back()
        Path("/proc/self/clear_refs").write_text("5")
        # Whoever asks lets go of the paths, so that all that are held are the driver's.
        held = [plan_scoring(images.pop(), model="perceptual", store=folder)]
        planned = (status("VmHWM") - base) / n
        Path("/proc/self/clear_refs").write_text("5")
        run = over.score_over(held.pop(), Work(f"{folder}/{n}"))
        peak = (status("VmHWM") - base) / n
    print(
        f"{run.rows} rows, {run.near.select(pl.len()).collect().item()} of them in groups, in "
        f"{time.monotonic() - start:.0f} s: {peak:.0f} bytes a row at most, paths and all; "
        f"{planned:.0f} while their list is read"
    )


def status(name: str) -> int:
    text = Path("/proc/self/status").read_text()
    return int(text.split(f"{name}:")[1].split()[0]) * 1024


def listed(paths):
    """Say of each file that it is there."""
    for part in paths.parts(4096):
        yield pl.DataFrame(
            {"path": part, "size": 1, "version": "1700000000000000000"},
            schema_overrides={"size": pl.UInt64},
        )


def described(work, name, files, model, cores):
    """Write a shard of which a tenth of the files are exact copies of others in it."""
    rng = np.random.default_rng(int(name[:8], 16))
    n = len(files)
    copied = np.where(rng.random(n) < 0.1, rng.integers(0, n, n), np.arange(n))
    facts = Facts(
        4000, 3000, 1, "jpeg", "RGB", 1, False, True, 0.5, 0.2, 100.0, 1e6, None, spectrum="7f" * 31
    )
    records = [
        FileRecord(Entry(path, 1, "1"), named(name, int(at)), facts)
        for path, at in zip(files["path"], copied, strict=True)
    ]
    some = rng.random(n)
    table = facts_of(files["path"].to_list(), records).with_columns(
        bytes=pl.Series((some * 1e6).astype(np.uint64)), sharpness=pl.Series(some, dtype=pl.Float32)
    )
    first = table["fingerprint"].rank("dense").cast(pl.UInt32) - 1
    table = table.drop("completeness", "enlarged").with_columns(
        picture=first, dimensions=pl.lit(512, pl.UInt32)
    )
    work.write_table(f"{FOLDER}/{name}.parquet", table)


def compared(work, a, b, reach, device):
    """Write a tile: somebody is nearest to each, and of a tenth of one block the next is a copy."""
    counts = [int(work.read_table(block_file(it))["picture"].list.len().sum()) for it in (a, b)]
    n = counts[0] if a == b else sum(counts)
    rng = np.random.default_rng(int(a[:8], 16))
    low = np.flatnonzero(rng.random(n - 1) < 0.1) if a == b else np.empty(0, int)
    work.write_arrays(
        tile_file(a, b, reach),
        row=np.arange(n, dtype=np.int32),
        other=((np.arange(n) + 1) % n).astype(np.int32)
        if a == b
        else ((np.arange(n) + counts[0]) % n).astype(np.int32),
        cosine=rng.random(n) * 0.5,
        same=np.arange(n if a == b else 0, dtype=np.int32),
        low=low.astype(np.int32),
        high=(low + 1).astype(np.int32),
        pair_cosine=np.full(len(low), 0.97),
        distance=np.full(len(low), 0.03),
        radius=np.array(reach.near),
        is_alike=np.zeros(len(low), np.bool_),
        alike=np.array(0),
    )


def looked(self, pairs):
    """Find that each pair is one of copies."""
    found = msgspec.msgpack.encode(
        Evidence(
            is_confirmed=True,
            agreement=0.95,
            matrix=(1, 0, 0, 0, 1, 0),
            inverse_matrix=(1, 0, 0, 0, 1, 0),
            a_size=(4000, 3000),
            b_size=(4000, 3000),
        )
    )
    # As many in a file as of a thousand pictures.
    for _, table in self.named(pairs, 512):
        name = named(*table["a"], *table["b"])
        self._work.write_table(f"{_FOLDER}/{name}.parquet", table.with_columns(found=pl.lit(found)))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        main(int(sys.argv[1]), sys.argv[2])
    else:
        # The second time all is there, and no job takes memory in this process.
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(2):
                subprocess.run([sys.executable, "-m", "benchmarks.driver", sys.argv[1], folder])
