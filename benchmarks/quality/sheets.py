"""Contact sheets: what was missed, what was wrongly matched, and what edits and negatives are.

The sheets of the user's photos go to the output folder. Those of the documentation show only
pictures that may be passed on: drawn ones, and one that scikit-image ships.
"""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl
from PIL import Image, ImageDraw, ImageFont

from benchmarks.quality.edits import FURTHER, STANDARD, open_photo
from benchmarks.quality.negatives import DRAWN
from benchmarks.quality.truth import ORIGINAL

TILE = 104
"""Side of a picture on a sheet, in pixels."""
LABEL = 13
MOST_BYTES = 150_000
MOST_ROWS = 16
PHOTO = "chelsea.png"
"""The photo of scikit-image (CC0) whose edits the documentation shows."""

Tile = tuple[Path | Image.Image, str]


def draw(rows: Iterable[Sequence[Tile]], to: Path) -> None:
    """Write a sheet, one row of pictures with their labels below the other."""
    rows = list(rows)
    if not rows:
        to.unlink(missing_ok=True)
        return
    width, height = max(map(len, rows)) * TILE, len(rows) * (TILE + LABEL)
    sheet = Image.new("RGB", (width, height), (150, 150, 150))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(10)
    for y, row in enumerate(rows):
        for x, (what, label) in enumerate(row):
            picture = _shown(what)
            picture.thumbnail((TILE - 4, TILE - 4))
            left = x * TILE + (TILE - picture.width) // 2
            sheet.paste(picture, (left, y * (TILE + LABEL) + 2), picture)
            plain = label.replace("–", "-")  # the font has no dash
            text = plain if len(plain) < 22 else plain[:20] + "…"
            pen.text((x * TILE + 2, (y + 1) * (TILE + LABEL) - LABEL), text, "black", font)
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(_small_enough(sheet))


def _shown(what: Path | Image.Image) -> Image.Image:
    if isinstance(what, Image.Image):
        return what.convert("RGBA")
    with Image.open(what) as image:
        return image.convert("RGBA")


def _small_enough(sheet: Image.Image) -> bytes:
    for quality in (80, 60, 40, 25):
        stored = io.BytesIO()
        sheet.save(stored, "JPEG", quality=quality, optimize=True)
        if stored.tell() <= MOST_BYTES:
            break
    return stored.getvalue()


def missed(frame: pl.DataFrame, to: Path) -> None:
    """Show copies that are not in one group with their original, beside it."""
    originals = frame.filter(edit=ORIGINAL).select("source", of="path", original="group")
    lost = (
        frame.filter(pl.col("edit") != ORIGINAL)
        .join(originals, on="source")
        .filter((pl.col("group") == pl.col("original")).fill_null(False).not_())
    )
    draw(_pairs(_in_turn(lost, "edit"), label="edit"), to)


def wrong(frame: pl.DataFrame, to: Path) -> None:
    """Show pictures in a group with one that they are no copy of, beside its keeper."""
    keepers = frame.filter("keep").drop_nulls("group").select("group", of="path", other="source")
    mixed = frame.join(keepers, on="group").filter(pl.col("source") != pl.col("other"))
    draw(_pairs(_in_turn(mixed, "set"), label="set"), to)


def _in_turn(frame: pl.DataFrame, by: str) -> pl.DataFrame:
    """Take one row of each kind, then a second of each, and so on."""
    turn = pl.int_range(pl.len()).over(by)
    return frame.with_columns(turn=turn).sort("turn", maintain_order=True).head(MOST_ROWS * 4)


def _pairs(frame: pl.DataFrame, label: str) -> Iterable[list[Tile]]:
    tiles = [
        ((Path(of), ""), (Path(path), name))
        for of, path, name in frame.select("of", "path", label).iter_rows()
    ]
    for start in range(0, len(tiles), 4):
        yield [tile for pair in tiles[start : start + 4] for tile in pair]


def all_edits(to: Path, folder: Path) -> None:
    """Show every edit of one photo."""
    import skimage

    source = Path(skimage.__file__).parent / "data" / PHOTO
    photo = open_photo(source)
    tiles: list[Tile] = [(photo, ORIGINAL)]
    folder.mkdir(parents=True, exist_ok=True)
    for number, edit in enumerate((*STANDARD, *FURTHER)):
        tiles.append((edit.write(source, photo, folder / f"edit-{number}"), edit.name))
    draw((tiles[start : start + 11] for start in range(0, len(tiles), 11)), to)


def all_negatives(to: Path, folder: Path) -> None:
    """Show two neighbours, and two that are farther apart, of each drawn set."""
    folder.mkdir(parents=True, exist_ok=True)
    tiles: list[Tile] = []
    for kind in DRAWN:
        paths = [path for path, _ in kind.write(folder, share=0.2)]
        few = [*paths[:2], *paths[-2:]] if len(paths) > 3 else paths
        tiles += [(path, kind.name) for path in few]
    draw((tiles[start : start + 12] for start in range(0, len(tiles), 12)), to)
