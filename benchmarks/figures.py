"""The kept figures: what each pass measured, to be looked up by case."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """The figures of one case."""

    experiment: str
    variant: str
    params: Mapping[str, Any]
    median: Mapping[str, float]
    runs: list[Mapping[str, float]]
    note: str
    is_full: bool

    def __getitem__(self, key: str) -> float:
        return self.median[key]

    @property
    def n(self) -> int:
        """The number of photos or embeddings."""
        return int(self.params["n"])

    @property
    def dagger(self) -> str:
        """What marks a figure that the quick pass does not measure."""
        return " †" if self.is_full else ""

    def share(self, limit: "Row") -> float:
        """Return which part of a limit is reached, in photos a second."""
        return self["photos_per_second"] / limit["photos_per_second"]

    def speedup(self, other: "Row") -> float:
        """Return how many times as long another takes for a photo."""
        return self["photos_per_second"] / other["photos_per_second"]


class Figures:
    """What the quick pass measured, and beside it the cases that only the full pass has."""

    def __init__(
        self,
        quick: Mapping[str, Any],
        full: Mapping[str, Any],
        forms: list[dict[str, Any]],
        runtimes: Sequence[Mapping[str, Any]],
        photos: Mapping[str, Any],
        elsewhere: Sequence[Mapping[str, Any]] = (),
        own: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.machine = (quick or full)["machine"]
        self.forms = forms
        self.runtimes = runtimes
        self.photos = photos
        self.by_processor = [it for it in (quick, *elsewhere) if it]
        rows = {_identity(r): Row(**r, is_full=True) for r in full.get("results", [])}
        rows |= {_identity(r): Row(**r, is_full=False) for r in quick.get("results", [])}
        self._rows = list(rows.values())
        self.machines: dict[str, Mapping[str, Any]] = {}
        """Those of experiments that are kept in a file each."""
        for kept in own:
            for result in kept.get("results", []):
                self._rows.append(Row(**result, is_full=False))
                self.machines[result["experiment"]] = kept["machine"]

    @classmethod
    def kept(cls, folder: Path) -> "Figures":
        """Read what the passes wrote."""
        return cls(
            *(_read(folder / f"{name}.json", {}) for name in ("quick", "full")),
            _read(folder / "forms.json", []),
            [_read(file, {}) for file in sorted((folder / "runtimes").glob("*.json"))],
            _read(folder / "photos.json", {}),
            [_read(file, {}) for file in sorted((folder / "processors").glob("*.json"))],
            [_read(folder / f"{name}.json", {}) for name in ("similar", "widget", "screen")],
        )

    def all(self, experiment: str, variant: str | None = None) -> list[Row]:
        """Return the rows of an experiment, or of one variant of it, small ones first."""
        rows = [
            row
            for row in self._rows
            if row.experiment == experiment and variant in (None, row.variant) and row.runs
        ]
        return sorted(rows, key=lambda row: (str(row.params.get("model")), row.params.get("n", 0)))

    def one(self, experiment: str, variant: str, **params: Any) -> Row | None:
        """Return the first row with figures of a case, the quick pass' before the full one's."""
        rows = [
            row for row in self.all(experiment, variant) if params.items() <= row.params.items()
        ]
        return min(rows, key=lambda row: row.is_full, default=None)

    @staticmethod
    def on(
        kept: Mapping[str, Any], experiment: str, variant: str, params: Mapping[str, Any]
    ) -> Mapping[str, float] | None:
        """Return the medians of a case on one of the processors."""
        for row in kept["results"]:
            is_it = (row["experiment"], row["variant"]) == (experiment, variant)
            if is_it and row["runs"] and params.items() <= row["params"].items():
                medians: Mapping[str, float] = row["median"]
                return medians
        return None

    def missing(self, experiment: str) -> list[str]:
        """Say which variants have no figures, and why."""
        rows = [row for row in self._rows if row.experiment == experiment and not row.runs]
        return list(dict.fromkeys(f"{row.variant}: {row.note}" for row in rows))


def _identity(result: Mapping[str, Any]) -> tuple[str, str, str]:
    return result["experiment"], result["variant"], json.dumps(result["params"])


def _read(path: Path, default: Any) -> Any:
    return json.loads(path.read_text()) if path.exists() else default
