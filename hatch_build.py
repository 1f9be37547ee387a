"""Build the JavaScript of the widgets when it is missing, so that the wheel carries it."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLES = ("explorer", "image_grid", "range_histogram", "similar_items", "pointer")


class BuildHook(BuildHookInterface):  # type: ignore[misc]
    """Runs ``npm ci && npm run build`` in ``js/`` unless every bundle is there."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Make the bundles before files are collected."""
        root = Path(self.root)
        static = root / "src" / "dedup_widgets" / "widgets" / "static"
        if all((static / f"{name}.js").exists() for name in BUNDLES):
            return
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError(
                "building dedup-widgets from source needs node and npm (node 20 or newer); "
                "install them, or install the wheel, which carries the built JavaScript"
            )
        for arguments in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
            subprocess.run([npm, *arguments], cwd=root / "js", check=True)
