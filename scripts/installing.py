"""What programs that tests need beside Python's packages are installed with."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

BESIDE_PYTHON = {
    **os.environ,
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
}
"""The environment, in which Node is found where it came into the virtual environment."""


class InstallError(Exception):
    """A program that tests need could not be installed, and why."""


def install(command: Sequence[str | os.PathLike[str]]) -> None:
    """Run a command that installs; raise an InstallError with what it said where it fails."""
    ran = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**BESIDE_PYTHON, "DEBIAN_FRONTEND": "noninteractive"},
    )
    if ran.returncode:
        errors = [line for line in ran.stderr.splitlines() if line.startswith(("ERROR", "E:"))]
        raise InstallError("\n".join(errors) or ran.stderr)
