"""Writes fastdup's vectors of listed pictures as .npz; run by a Python in which fastdup is.

    PYTHON fastdup_vectors.py LIST FOLDER VECTORS

It needs other versions of NumPy and Pillow than this project, hence a Python of its own.
"""

import sys
import time
from pathlib import Path

import fastdup  # type: ignore[import-not-found]
import numpy as np


def main() -> None:
    """Embed the paths in the file LIST, working in FOLDER."""
    listed, folder, vectors = sys.argv[1:]
    start = time.process_time()
    project = fastdup.create(work_dir=folder)
    paths = Path(listed).read_text().splitlines()
    project.run(paths, overwrite=True, print_summary=False, verbose=False)
    names, features = fastdup.load_binary_feature(f"{folder}/atrain_features.dat")
    np.savez(vectors, path=names, vector=features, seconds=time.process_time() - start)


if __name__ == "__main__":
    main()
