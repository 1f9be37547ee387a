"""Make a release ready: ``make release`` builds and checks it, ``VERSION=1.2.3`` tags it too.

What is left to a person is printed: pushing the tag, and the upload.
"""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSION_FILE = ROOT / "src/dedup_widgets/_version.py"
CITATION = ROOT / "CITATION.cff"
IN_WHEEL = ("explorer.js", "image_grid.js", "range_histogram.js", "similar_items.js")
"""Bundles without which the widgets draw nothing."""


def main(version: str = "") -> None:
    if version:
        check_ready(version)
    wheel = build()
    check_wheel(wheel)
    print(f"built and opened: {wheel.relative_to(ROOT)}")
    if version:
        run("git", "tag", "--annotate", f"v{version}", "--message", f"Version {version}")
        print(f"tagged v{version}; now: git push origin v{version}, and upload dist/")


def check_ready(version: str) -> None:
    """Stop unless version, citation and changelog say the same, and all is committed."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        sys.exit(f"VERSION is {version!r}; write it like 1.2.3")
    if f'__version__ = "{version}"' not in VERSION_FILE.read_text():
        sys.exit(f"{VERSION_FILE.relative_to(ROOT)} names another version; write {version} there")
    if f"\nversion: {version}\n" not in CITATION.read_text():
        sys.exit(f"CITATION.cff names another version; write {version} there")
    heading = re.search(
        rf"(?m)^## {re.escape(version)} – (.+)$", (ROOT / "CHANGELOG.md").read_text()
    )
    if heading is None or heading[1] == "unreleased":
        sys.exit(f"CHANGELOG.md has no day for {version}; write '## {version} – year-month-day'")
    if run("git", "status", "--porcelain").strip():
        sys.exit("there are changes that are not committed; commit them, or take them back")


def build() -> Path:
    """Build the source archive and the wheel from it; return the wheel."""
    dist = ROOT / "dist"
    for old in dist.glob("*"):
        old.unlink()
    run(sys.executable, "-m", "build", "--outdir", str(dist), str(ROOT))
    (wheel,) = dist.glob("*.whl")
    return wheel


def check_wheel(wheel: Path) -> None:
    """Stop unless the widgets' bundles, the notebooks and the licence are in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    wanted = [f"dedup_widgets/widgets/static/{name}" for name in IN_WHEEL]
    wanted += ["dedup_widgets/notebooks/quickstart.ipynb", "dedup_widgets/py.typed"]
    if missing := [name for name in wanted if name not in names]:
        sys.exit(f"{wheel.name} lacks {', '.join(missing)}; run make js, then make release")
    if not any(name.endswith("LICENSE") for name in names):
        sys.exit(f"{wheel.name} lacks the licence")


def run(*command: str) -> str:
    """Run a program in the project's folder; return what it printed."""
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main(*sys.argv[1:])
