"""Draw the pictures of ``docs/score.md``: what is exact, what is looked at, groups, the scale.

Everything told in them is asked of the program itself, on the demo photos.
"""

import base64
import io
import random
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image, ImageOps

import dedup_widgets as dw
from benchmarks.quality.pages import pages
from dedup_widgets.demo import EDITS, demo_photos

DOCS = Path(__file__).parents[1] / "docs"
WIDTH = 720
YES, NO, GREY = "#2a9d6f", "#d1603d", "#8a8f98"
STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #333 }
.small { font-size: 11.5px; fill: #777 }
.mono { font-family: ui-monospace, monospace; font-size: 12px }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .small { fill: #aaa } }
</style>"""

MODEL, PHOTO = "efficientnet-lite0", "chelsea"
COPIES = ("small).jpg", "cropped).jpg", "flipped).jpg", "brightened).jpg")


def main() -> None:
    """Write the four pictures."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        photos = demo_photos(folder / "photos")
        store = folder / "store.sqlite"
        df = dw.score(photos, model=MODEL, store=store, progress=False)
        scale = _scale(df)
        made = folder / "made"
        made.mkdir()
        photo = shutil.copy(next(photos.rglob(f"{PHOTO}.png")), made)
        _one_pixel_other(photo, made / f"{PHOTO} (one pixel).png")
        for what, make in EDITS:
            make(Image.open(photo), made / f"{PHOTO} ({what})")
        for number, (what, page) in enumerate(pages(random.Random(3), 1)):
            if what in ("another page", "number"):
                page.save(made / f"page {number}.png")
        df = dw.score(made, model=MODEL, store=store, progress=False)
        drawn = {
            "fingerprint": _fingerprints(df),
            "looked-at": _looked_at(df),
            "groups": _groups(),
            "scale": scale,
        }
    for name, svg in drawn.items():
        (DOCS / f"score-{name}.svg").write_text(svg, encoding="utf-8")
        print(f"score-{name}.svg: {len(svg) / 1000:.0f} kB")


def _one_pixel_other(photo: Path, to: Path) -> None:
    picture = Image.open(photo).convert("RGB")
    red, green, blue = picture.getpixel((200, 150))  # type: ignore[misc]
    picture.putpixel((200, 150), (red ^ 1, green, blue))
    picture.save(to)


def _row(df: pl.DataFrame, name: str) -> dict[str, object]:
    return df.row(by_predicate=pl.col("path").str.ends_with(f"/{name}"), named=True)


def _fingerprints(df: pl.DataFrame) -> str:
    names = [f"{PHOTO}{it}.png" for it in ("", " (resaved)", " (rotated by EXIF)", " (one pixel)")]
    said = ["PNG", "saved again", "turned, and told so", "one pixel differs"]
    first = _row(df, names[0])["fingerprint"]
    drawn = []
    for place, (name, what) in enumerate(zip(names, said, strict=True)):
        row, x = _row(df, name), 10 + place * 178
        same = row["fingerprint"] == first
        drawn += [
            _image(str(row["path"]), x, 6, 160, 106, as_stored="EXIF" in name),
            _text(x, 132, what),
            _box(x, 142, 160, 24, YES if same else NO),
            _text(x + 8, 158, f"{str(row['fingerprint'])[:16]}…", "mono"),
        ]
    return _svg(174, drawn)


def _looked_at(df: pl.DataFrame) -> str:
    pairs = [(f"{PHOTO}.png", f"{PHOTO} ({copy}") for copy in COPIES]
    drawn: list[str] = []
    y = 26
    drawn += [
        _text(10, 14, "proposed by vectors", "small"),
        _text(392, 14, "one laid over the other", "small"),
    ]
    for one, other in [*pairs, ("page 0.png", "page 1.png")]:
        a, b = _row(df, one), _row(df, other)
        cosine = float(np.dot(np.array(a["embedding"]), np.array(b["embedding"])))
        found = _found(a, b)
        drawn += [
            _image(str(a["path"]), 10, y, 120, 80),
            _image(str(b["path"]), 140, y, 120, 80),
            _text(272, y + 34, f"cosine {cosine:.3f}"),
            f'<path d="M 354 {y + 40} h 22 m -6 -5 l 6 5 l -6 5" stroke="{GREY}" fill="none"/>',
            *_overlaid(a, b, found, 392, y),
            _mark(534, y + 40, found is not None),
            _text(554, y + 36, "near-duplicate" if found else "not a copy"),
            _text(554, y + 54, _in_words(found), "small"),
        ]
        y += 96
    return _svg(y, drawn)


def _found(a: dict[str, object], b: dict[str, object]) -> dict[str, object] | None:
    """Return what was found of b beside a, or None where it is no copy."""
    for pair in b["evidence"]:  # type: ignore[attr-defined]
        if pair["fingerprint"] == a["fingerprint"] and pair["agreement"] is not None:
            return dict(pair)
    return None


def _in_words(found: dict[str, object] | None) -> str:
    if found is None:
        return "the text differs"
    return f"{found['relation']}, {100 * float(found['agreement']):.0f} % agrees"  # type: ignore[arg-type]


def _overlaid(
    a: dict[str, object], b: dict[str, object], found: dict[str, object] | None, x: int, y: int
) -> Iterable[str]:
    """Draw b where it lies on a; of pages, what differs."""
    wide, high = 120, 80
    if found is None:
        one, other = (np.asarray(Image.open(str(it["path"])).convert("L"), int) for it in (a, b))
        differs = np.abs(one - other) > 60
        rows, columns = np.nonzero(differs)
        top, left = max(rows.min() - 60, 0), max(columns.min() - 130, 0)
        cut = Image.open(str(b["path"])).convert("RGB").crop((left, top, left + 300, top + 200))
        yield _embedded(cut, x, y, wide, high)
        scale = wide / 300
        yield (
            f'<rect x="{x + (columns.min() - left - 4) * scale:.1f}" '
            f'y="{y + (rows.min() - top - 4) * scale:.1f}" '
            f'width="{(np.ptp(columns) + 8) * scale:.1f}" '
            f'height="{(np.ptp(rows) + 8) * scale:.1f}" fill="none" stroke="{NO}" '
            'stroke-width="2"/>'
        )
        return
    yield _image(str(a["path"]), x, y, wide, high)
    left, top, right, bottom = found["box"]  # type: ignore[misc]
    yield (
        f'<rect x="{x + left * wide:.1f}" y="{y + top * high:.1f}" '
        f'width="{(right - left) * wide:.1f}" height="{(bottom - top) * high:.1f}" '
        f'fill="none" stroke="{YES}" stroke-width="3"/>'
    )


def _groups() -> str:
    """Draw why C, near B and not near A, is not in the group of A."""
    keeper, radius = (190, 105), 92
    drawn = [
        (
            f'<circle cx="{keeper[0]}" cy="{keeper[1]}" r="{radius}" fill="{YES}" '
            f'fill-opacity="0.1" stroke="{YES}" stroke-dasharray="5 4"/>'
        )
    ]
    for x, y, name, is_in in (
        (*keeper, "A, the keeper", True),
        (262, 80, "B", True),
        (140, 60, "", True),
        (150, 150, "", True),
        (330, 62, "C", False),
    ):
        drawn.append(f'<circle cx="{x}" cy="{y}" r="7" fill="{YES if is_in else NO}"/>')
        drawn.append(_text(x + 12, y + 5, name))
    drawn += [
        f'<line x1="{keeper[0]}" y1="{keeper[1]}" x2="262" y2="80" stroke="{YES}"/>',
        f'<line x1="262" y1="80" x2="330" y2="62" stroke="{GREY}" stroke-dasharray="3 3"/>',
        _text(380, 66, "C is near B, which goes. It is not near A,"),
        _text(380, 84, "which stays: so C is not in the group, and stays."),
        _text(380, 122, "Every member lies within the boundary of its keeper,", "small"),
        _text(380, 138, "each such pair confirmed by its pictures.", "small"),
    ]
    return _svg(210, drawn)


def _scale(df: pl.DataFrame) -> str:
    """Draw the three ranges, and where the demo photos lie in them."""
    left, right, y = 20, 700, 60
    ends = ((0, 98, "exact, can go"), (104, 334, "near, confirmed"), (340, 680, "not confirmed"))
    drawn = []
    for (start, end, name), colour in zip(ends, (NO, "#e0a13a", GREY), strict=True):
        drawn += [
            _box(left + start, y, end - start, 26, colour),
            _text(left + start + 6, y + 17, name),
        ]
    for x, label in ((0, "0"), (90, "0.0001"), (316, "0.05"), (right - left - 12, "1")):
        drawn.append(_text(left + x - 2, y + 44, label, "small"))
    choose = random.Random(0)
    for score, error in df.select("uniqueness", "error").iter_rows():
        if error is not None or score is None:
            continue
        if score <= 0.0001:
            x = choose.uniform(8, 82)
        elif score <= 0.05:
            # By its logarithm, from 0.0002.
            x = 104 + 222 * np.log(score / 0.0002) / np.log(0.05 / 0.0002)
        else:
            x = 344 + 332 * (score - 0.05) / 0.95
        drawn.append(
            f'<circle cx="{left + x:.1f}" cy="{choose.uniform(16, 48):.1f}" r="3.2" '
            f'fill="{YES}" fill-opacity="0.55"/>'
        )
    drawn.append(_text(left, y + 66, "Each point is one of the demo photos.", "small"))
    return _svg(y + 76, drawn)


def _image(path: str, x: int, y: int, wide: int, high: int, as_stored: bool = False) -> str:
    opened = Image.open(path)
    picture = opened if as_stored else ImageOps.exif_transpose(opened)
    return _embedded(picture.convert("RGB"), x, y, wide, high)


def _embedded(picture: Image.Image, x: int, y: int, wide: int, high: int) -> str:
    """Draw a picture into the middle of a rectangle, as large as fits."""
    small = ImageOps.contain(picture, (2 * wide, 2 * high))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=78)
    data = base64.b64encode(file.getvalue()).decode()
    w, h = small.width / 2, small.height / 2
    place = f'x="{x + (wide - w) / 2}" y="{y + (high - h) / 2}" width="{w}" height="{h}"'
    return (
        f'<image {place} href="data:image/jpeg;base64,{data}"/>'
        f'<rect {place} fill="none" stroke="{GREY}" stroke-opacity="0.4"/>'
    )


def _box(x: int, y: int, wide: int, high: int, colour: str) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{wide}" height="{high}" rx="4" fill="{colour}" '
        'fill-opacity="0.2"/>'
    )


def _mark(x: int, y: int, is_yes: bool) -> str:
    drawn = "M -6 0 l 4 5 l 8 -10" if is_yes else "M -5 -5 l 10 10 m 0 -10 l -10 10"
    return (
        f'<path transform="translate({x} {y})" d="{drawn}" fill="none" stroke-width="2.5" '
        f'stroke="{YES if is_yes else NO}"/>'
    )


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{named}>{escape(text)}</text>'


def _svg(height: float, drawn: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}">\n{STYLE}\n' + "\n".join(drawn) + "\n</svg>\n"
    )


if __name__ == "__main__":
    main()
