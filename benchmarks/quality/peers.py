"""Other libraries that find similar pictures, on the same pictures. One that is missing is skipped.

Hashes are read as their documentation shows it; `imagehash` and `imagededup` therefore do not
follow EXIF tags. What a library calls its default threshold is measured too.
"""

import base64
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from benchmarks.fastdup_peer import found_by_fastdup
from benchmarks.harness import CORES
from benchmarks.quality import modes
from benchmarks.quality.edits import open_photo
from benchmarks.quality.modes import Scored
from benchmarks.quality.thresholds import Distances, cosine
from benchmarks.quality.truth import STANDARD_SET

Bits = NDArray[np.float32]
"""±1; one row, or one for each of the eight ways to flip and turn the picture, itself first."""
Hash = Callable[[str], Bits]


@dataclass(frozen=True)
class Hasher:
    """A library that gives a hash, to be compared by the number of bits that differ.

    Attributes
    ----------
    load : callable
        Imports the library and returns the function from path to bits.
    default : float | None
        Bits within which the library takes pictures for duplicates where it is told nothing.
    """

    load: Callable[[], Hash]
    default: float | None = None

    def figures(self, parts: Scored) -> dict[str, dict[str, Any]]:
        """Return all figures, by how the threshold was chosen."""
        work = self.load()
        sample = parts[STANDARD_SET]["path"].head(60).to_list()
        _, cost = modes.timed(lambda: [work(path) for path in sample], len(sample))

        def distance(frame: pl.DataFrame) -> Distances:
            with ThreadPoolExecutor(CORES) as pool:
                hashes = list(pool.map(lambda path: _or_none(work, path), frame["path"]))
            return hamming(hashes)

        found = modes.by_distance(parts, distance, self.default)
        for one in found.values():
            one["cost"] = {STANDARD_SET: {"first": cost}}
        return found


def _or_none(work: Hash, path: str) -> Bits | None:
    try:
        return work(path)
    except (OSError, ValueError):
        return None


def hamming(hashes: Sequence[Bits | None]) -> Distances:
    """Return by how many bits hashes differ, in the nearest of their forms.

    Examples
    --------
    >>> one, other = np.ones((1, 4), np.float32), np.float32([[1, 1, 1, -1]])
    >>> hamming([one, other, None]).tolist()
    [[0.0, 1.0, inf], [1.0, 0.0, inf], [inf, inf, inf]]
    """
    is_read = np.array([it is not None for it in hashes])
    forms = np.stack([it for it in hashes if it is not None])
    bits = forms.shape[2]
    nearest = np.full((len(forms), len(forms)), np.inf, np.float32)
    for form in range(forms.shape[1]):
        np.minimum(nearest, (bits - forms[:, 0] @ forms[:, form].T) / 2, out=nearest)
    distance = np.full((len(hashes), len(hashes)), np.inf, np.float32)
    distance[np.ix_(is_read, is_read)] = np.minimum(nearest, nearest.T)
    return distance


def _signs(bits: Any) -> Bits:
    return np.atleast_2d(np.where(np.asarray(bits, bool), 1, -1)).astype(np.float32)


def _imagehash(kind: str, side: int = 8) -> Hash:
    function = getattr(import_module("imagehash"), kind)

    def work(path: str) -> Bits:
        with Image.open(path) as image:
            return _signs(function(image, hash_size=side).hash.ravel())

    return work


def _pdq(*, turns: bool) -> Hash:
    pdqhash = import_module("pdqhash")

    def work(path: str) -> Bits:
        pixels = np.asarray(open_photo(Path(path)))
        if turns:
            return _signs(pdqhash.compute_dihedral(pixels)[0])
        return _signs(pdqhash.compute(pixels)[0])

    return work


def _imagededup(kind: str) -> Hash:
    """Import without torchvision, which only its network needs; that downloads its weights."""
    for name in ("", ".models", ".models.vision_transformer", ".transforms"):
        sys.modules.setdefault(f"torchvision{name}", MagicMock())
    hasher = getattr(import_module("imagededup.methods"), kind)(verbose=False)

    def work(path: str) -> Bits:
        text = hasher.encode_image(image_file=path)
        if text is None:
            raise ValueError(path)
        return _signs([bit == "1" for bit in f"{int(text, 16):064b}"])

    return work


def _czkawka() -> Hash:
    finder = import_module("czkawka").ImageSimilarity()

    def work(path: str) -> Bits:
        text = finder.hash_image(path)
        stored = base64.b64decode(text + "=" * (-len(text) % 4))
        return _signs(np.unpackbits(np.frombuffer(stored, np.uint8)))

    return work


class CleanVision:
    """Exact and near-duplicates as the library groups them: by file, and by equal pHash."""

    def figures(self, parts: Scored) -> dict[str, dict[str, Any]]:
        """Return all figures, of its only setting."""
        cleanvision = import_module("cleanvision")
        grouped, cost = {}, 0.0
        for name, part in parts.items():
            lab = cleanvision.Imagelab(filepaths=part["path"].to_list(), verbose=False)
            kinds: dict[str, Any] = {"exact_duplicates": {}, "near_duplicates": {}}
            find = partial(lab.find_issues, kinds, n_jobs=1, verbose=False)
            _, spent = modes.timed(find, len(part))
            cost = spent if name == STANDARD_SET else cost
            sets = [*lab.info["exact_duplicates"]["sets"], *lab.info["near_duplicates"]["sets"]]
            grouped[name] = in_groups(part, sets)
        found = modes.figures(grouped, keepers=False)
        return {"default": {"cost": {STANDARD_SET: {"first": cost}}, **found}}


@dataclass(frozen=True)
class Fastdup:
    """The cosine of fastdup's vectors; its default is that of its connected components, 0.96."""

    def figures(self, parts: Scored) -> dict[str, dict[str, Any]]:
        """Return all figures, by how the threshold was chosen."""
        cost: dict[int, float] = {}

        def distance(frame: pl.DataFrame) -> Distances:
            made = found_by_fastdup(frame["path"].to_list())
            found = dict(zip(made["path"].tolist(), made["vector"], strict=True))
            cost[len(cost)] = float(made["cpu_seconds"]) * 1000 / len(frame)
            embedding = [found.get(path) for path in frame["path"]]
            rows = [None if it is None else it.tolist() for it in embedding]
            return cosine(frame.with_columns(embedding=pl.Series(rows, dtype=pl.List(pl.Float32))))

        by_threshold = modes.by_distance(parts, distance, default=0.04)
        for one in by_threshold.values():
            one["cost"] = {STANDARD_SET: {"first": cost[0]}}
        return by_threshold


def in_groups(frame: pl.DataFrame, sets: Sequence[Sequence[str]]) -> pl.DataFrame:
    """Add ``group`` and ``keep`` from sets of paths; sets that share a path are one group.

    Examples
    --------
    >>> frame = pl.DataFrame({"path": ["a", "b", "c", "d"]})
    >>> in_groups(frame, [["a", "b"], ["c", "b"]]).rows()
    [('a', 'a', True), ('b', 'a', False), ('c', 'a', False), ('d', None, True)]
    """
    leader: dict[str, str] = {}
    for paths in sets:
        first = min({leader.get(path, path) for path in paths})
        joined = {leader.get(path, path) for path in paths}
        leader |= {path: first for path, old in leader.items() if old in joined}
        leader |= dict.fromkeys(paths, first)
    group = pl.col("path").replace_strict(leader, default=None, return_dtype=pl.String)
    return frame.with_columns(group=group).with_columns(
        keep=pl.col("group").is_null() | (pl.col("group") == pl.col("path"))
    )


PEERS: dict[str, Hasher | CleanVision | Fastdup] = {
    "imagehash pHash": Hasher(lambda: _imagehash("phash")),
    "PDQ, eight turns": Hasher(lambda: _pdq(turns=True)),
    "CleanVision": CleanVision(),
    "imagehash pHash, 256 bits": Hasher(lambda: _imagehash("phash", 16)),
    "imagehash dHash": Hasher(lambda: _imagehash("dhash")),
    "imagehash wHash": Hasher(lambda: _imagehash("whash")),
    "PDQ": Hasher(lambda: _pdq(turns=False), default=31),
    "imagededup PHash": Hasher(lambda: _imagededup("PHash"), default=10),
    "czkawka": Hasher(_czkawka),
    "fastdup": Fastdup(),
}
"""The first three are those of a quick run."""
QUICK = 3
PEER = "peer"


def figures(
    parts: Scored,
    say: Callable[[str], None],
    *,
    quick: bool = False,
) -> dict[str, dict[str, Any]]:
    """Return the figures of all libraries that can be imported, by library and threshold."""
    found: dict[str, dict[str, Any]] = {}
    peers = dict(islice(PEERS.items(), QUICK if quick else None))
    for name, peer in peers.items():
        try:
            by_threshold = peer.figures(parts)
        except (ImportError, subprocess.CalledProcessError) as error:
            say(f"{name}: skipped ({error})")
            continue
        say(f"{name}: measured")
        for chosen, one in by_threshold.items():
            about = {"of": PEER, "by": name, "chosen": chosen}
            found[f"{name}, {chosen}"] = about | one
    return found
