"""What is found of planted copies: score a folder of photos together with edited copies of them.

    python benchmarks/detection.py PHOTOS [--model efficientnet-lite0]

Every photo gets one copy by each edit of the demo set. A pair is right when both come from one
photo. Photos that are copies of each other to begin with count as wrong; give a folder without.
"""

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

import polars as pl
from PIL import Image

import dedup_widgets as dw
from dedup_widgets.demo import EDITS
from dedup_widgets.images.listing import find_images

EXACT_EDITS = {"resaved", "rotated by EXIF"}


def plant(photos: list[str], folder: Path) -> pl.DataFrame:
    """Write edited copies; return path, photo (number) and edit of photos and copies."""
    rows = []
    for number, path in enumerate(photos):
        rows.append({"path": path, "photo": number, "edit": "original"})
        with Image.open(path) as image:
            photo = image.convert("RGB")
        for edit, make in EDITS:
            stem = f"{number:05} ({edit})"
            make(photo, folder / stem)
            (made,) = folder.glob(f"{stem}.*")
            rows.append({"path": str(made), "photo": number, "edit": edit})
    return pl.DataFrame(rows)


def report(frame: pl.DataFrame, seconds: float) -> None:
    """Print what was found, missed and wrong."""
    photo_of = dict(frame.select("path", "photo").iter_rows())
    exact = frame.filter(pl.col("edit").is_in([*EXACT_EDITS, "original"]))
    prints = exact.group_by("photo").agg(pl.col("fingerprint").n_unique())["fingerprint"]
    mixed = frame.group_by("fingerprint").agg(pl.col("photo").n_unique())["photo"]
    print(f"{len(frame):,} images in {seconds:.1f} s, {len(frame) / seconds:.0f} images/s")
    print(
        f"exact groups: {(prints == 1).sum()} of {len(prints)} planted, {(mixed > 1).sum()} wrong"
    )

    groups = frame.filter(pl.col("group").is_not_null())
    keepers = dict(groups.filter("keep").select("group", "photo").iter_rows())
    with_keeper = groups.with_columns(keeper=pl.col("group").replace_strict(keepers))
    wrong = with_keeper.filter(pl.col("photo") != pl.col("keeper"))
    pure = with_keeper.group_by("group").agg((pl.col("photo") == pl.col("keeper")).all())["photo"]
    print(f"groups: {len(pure)}, {(~pure).sum()} of them mix photos, {len(wrong)} images too many")
    wrong_near = frame.filter(pl.col("kind") == "near").filter(
        pl.col("photo") != pl.col("nearest").replace_strict(photo_of, default=None)
    )
    print(f"near-duplicates whose nearest is of another photo: {len(wrong_near)}")
    grouped = dict(groups.filter("keep").select("photo", "group").iter_rows())
    print("copies found (in the group of their photo):")
    found: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for row in frame.iter_rows(named=True):
        if row["edit"] != "original":
            total[row["edit"]] += 1
            found[row["edit"]] += row["group"] is not None and row["group"] == grouped.get(
                row["photo"]
            )
    for edit, _ in EDITS:
        print(f"  {edit:>16}: {found[edit]:>4} of {total[edit]}")
    print(f"  {'all':>16}: {found.total():>4} of {total.total()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos")
    parser.add_argument("--model", default="efficientnet-lite0")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "copies"
        folder.mkdir()
        planted = plant(find_images(arguments.photos), folder)
        start = time.perf_counter()
        frame = dw.score(planted, model=arguments.model, store=Path(name) / "store.sqlite")
        report(frame, time.perf_counter() - start)
        start = time.perf_counter()
        dw.score(planted, model=arguments.model, store=Path(name) / "store.sqlite", progress=False)
        print(f"second run: {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
