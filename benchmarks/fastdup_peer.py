"""fastdup, in a Python of its own: it needs other versions of NumPy than this project."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

_PYTHON = Path(__file__).parents[1] / ".make" / "fastdup" / "bin" / "python"


def found_by_fastdup(paths: Sequence[str]) -> dict[str, Any]:
    """Return the paths and vectors of pictures, and what `fastdup_run` says of time and memory.

    Raises
    ------
    ModuleNotFoundError
        Unless `make bench` could install it.
    """
    if not _PYTHON.exists():
        raise ModuleNotFoundError("fastdup is not installed", name="fastdup")
    with tempfile.TemporaryDirectory() as folder:
        listed, answer = Path(folder, "list.txt"), Path(folder, "answer.npz")
        listed.write_text("\n".join(paths))
        script = Path(__file__).with_name("fastdup_run.py")
        subprocess.run([_PYTHON, script, listed, folder, answer], check=True, capture_output=True)
        with np.load(answer) as made:
            return dict(made)
