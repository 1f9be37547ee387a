"""Runs fastdup on listed pictures, after a warm-up on the first; by a Python in which fastdup is.

PYTHON fastdup_run.py LIST FOLDER ANSWER
"""

import os
import resource
import sys
import time
from pathlib import Path

import fastdup  # type: ignore[import-not-found]
import numpy as np


def find(paths: list[str], folder: str) -> None:
    """Embed pictures and find those alike, as fastdup does by default, working in a folder."""
    project = fastdup.create(work_dir=folder)
    project.run(paths, overwrite=True, print_summary=False, verbose=False)


def main() -> None:
    """Write paths, vectors, seconds, processor time and bytes of memory as .npz to ANSWER."""
    listed, folder, answer = sys.argv[1:]
    paths = Path(listed).read_text().splitlines()
    find(paths[:1], f"{folder}/warm-up")
    before, start = sum(os.times()[:4]), time.perf_counter()
    find(paths, f"{folder}/all")
    values = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": sum(os.times()[:4]) - before,
        "memory_peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    names, features = fastdup.load_binary_feature(f"{folder}/all/atrain_features.dat")
    np.savez(answer, path=names, vector=features, **values)


if __name__ == "__main__":
    main()
