"""Times fastdup on a folder, after a warm-up; run by a Python in which fastdup is.

PYTHON fastdup_run.py WARM_UP FOLDER WORK ANSWER
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

import fastdup  # type: ignore[import-not-found]


def find(folder: Path, work: Path) -> None:
    """Embed the pictures of a folder and find those alike, as fastdup does by default."""
    paths = [str(path) for path in sorted(folder.iterdir())]
    project = fastdup.create(work_dir=str(work))
    project.run(paths, overwrite=True, print_summary=False, verbose=False)


def main() -> None:
    """Write seconds, processor time and bytes of memory as JSON to ANSWER."""
    warm_up, folder, work, answer = map(Path, sys.argv[1:])
    find(warm_up, work / "warm-up")
    before, start = sum(os.times()[:4]), time.perf_counter()
    find(folder, work / "work")
    values = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": sum(os.times()[:4]) - before,
        "memory_peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    answer.write_text(json.dumps(values))


if __name__ == "__main__":
    main()
