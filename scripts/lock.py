"""Writes requirements.lock: what the package and its extra ``demo`` need, by version and hash.

    make lock

All but PyTorch: its build for processors alone is on an index of its own, for one system and
Python a file, so that no hash of PyPI is its. What PyTorch needs in turn is in the file.
"""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
EXTRAS = ("demo",)
OF_TORCH = ("filelock", "fsspec", "jinja2", "networkx", "setuptools", "sympy", "typing-extensions")
"""What PyTorch needs but for the libraries of its CUDA build."""


HEAD = """\
# What dedup-widgets and its extra `demo` need but PyTorch, by version and hash, for Python 3.11 and
# newer on any system. Made by `make lock` from pyproject.toml and constraints.txt; how to use it is
# in docs/index.md.
"""


def main() -> None:
    """Ask uv which packages are needed, and write the file."""
    python = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    with tempfile.TemporaryDirectory() as folder:
        needed, without = Path(folder, "of_torch.txt"), Path(folder, "without.txt")
        needed.write_text("\n".join(OF_TORCH))
        without.write_text("torch ; sys_platform == 'nowhere'")
        written = subprocess.run(
            [
                *(str(Path(sys.executable).with_name("uv")), "pip", "compile", "--quiet"),
                *("--universal", "--python-version", python.removeprefix(">=")),
                *("--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"),
                *("--no-emit-find-links", "--native-tls", "--no-emit-package", "torch"),
                *("--constraint", str(ROOT / "constraints.txt"), "--override", str(without)),
                *(part for extra in EXTRAS for part in ("--extra", extra)),
                *(str(ROOT / "pyproject.toml"), str(needed)),
            ],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    LOCK.write_text(HEAD + written.stdout, encoding="utf-8")
    print(f"{LOCK.name}: {written.stdout.count('==')} packages")


if __name__ == "__main__":
    main()
