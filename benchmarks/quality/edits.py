"""Edited copies of a photo. What is random in an edit follows from the file's name and the edit's.

The edits of `STANDARD` are made of every photo, those of `FURTHER` of some photos each.
"""

import io
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Change = Callable[[Image.Image, random.Random], Image.Image]
Truth = Literal["exact", "copy"]
QUALITY = 90
"""Of JPEGs, where an edit is not about it."""
ORIENTATION = 0x0112
"""The EXIF tag that says how a viewer turns the picture."""
BLACK, WHITE = (0, 0, 0), (255, 255, 255)


@dataclass(frozen=True)
class Edit:
    """A way to make a copy.

    Attributes
    ----------
    name : str
        In tables; unique.
    family : str
        What kind of change it is.
    change : callable
        From an RGB picture and a source of random numbers to the edited picture. None: the bytes
        of the file are copied.
    suffix, quality : str, int
        The format, and for JPEG and WebP how it is compressed.
    orientation : int
        What the EXIF tag says; 0: there is no tag.
    truth : str
        ``exact`` where a viewer shows the same pixels, else ``copy``.
    """

    name: str
    family: str
    change: Change | None
    suffix: str = ".jpg"
    quality: int = QUALITY
    orientation: int = 0
    truth: Truth = "copy"

    def write(self, source: Path, photo: Image.Image, to: Path) -> Path:
        """Write the copy of a photo and return its path.

        Parameters
        ----------
        source, photo
            The file, and its picture in RGB as a viewer shows it.
        to
            A path without suffix.
        """
        if self.change is None:
            path = to.with_name(to.name + source.suffix)
            shutil.copyfile(source, path)
            return path
        made = self.change(photo, random.Random(f"{source.name}/{self.name}"))
        path = to.with_name(to.name + self.suffix)
        exif = Image.Exif()
        if self.orientation:
            exif[ORIENTATION] = self.orientation
        if self.suffix == ".png":
            made.save(path, compress_level=1, exif=exif)
        else:
            made.save(path, quality=self.quality, exif=exif)
        return path


def open_photo(path: Path) -> Image.Image:
    """Return a photo in RGB, as a viewer shows it."""
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def same(photo: Image.Image, choose: random.Random) -> Image.Image:
    return photo


def scaled(factor: float) -> Change:
    return lambda photo, choose: _resized(photo, photo.width * factor, photo.height * factor)


def thumbnail(side: int) -> Change:
    """Shrink to a longest side in pixels."""

    def change(photo: Image.Image, choose: random.Random) -> Image.Image:
        factor = side / max(photo.size)
        return _resized(photo, photo.width * factor, photo.height * factor)

    return change


def stretched(aspect: float) -> Change:
    """Squash to another ratio of width to height, at the same area."""

    def change(photo: Image.Image, choose: random.Random) -> Image.Image:
        area = photo.width * photo.height
        return _resized(photo, (area * aspect) ** 0.5, (area / aspect) ** 0.5)

    return change


def cropped(share: float, *, centred: bool = False) -> Change:
    """Keep a share of either side, around the centre or anywhere."""

    def change(photo: Image.Image, choose: random.Random) -> Image.Image:
        width, height = round(photo.width * share), round(photo.height * share)
        x, y = (0.5, 0.5) if centred else (choose.random(), choose.random())
        left, top = round((photo.width - width) * x), round((photo.height - height) * y)
        return photo.crop((left, top, left + width, top + height))

    return change


def trimmed(photo: Image.Image, choose: random.Random) -> Image.Image:
    """Cut a quarter off one side only."""
    width, height = photo.size
    box = [0, 0, width, height]
    side = choose.randrange(4)
    quarter = (width if side % 2 == 0 else height) // 4
    box[side] += quarter if side < 2 else -quarter
    return photo.crop((box[0], box[1], box[2], box[3]))


def turned(how: Image.Transpose) -> Change:
    return lambda photo, choose: photo.transpose(how)


def rotated(degrees: float, corners: tuple[int, int, int] | Literal["mirrored"] = BLACK) -> Change:
    """Rotate, with the corners filled, or with the picture going on there mirrored."""

    def change(photo: Image.Image, choose: random.Random) -> Image.Image:
        if corners != "mirrored":
            how = Image.Resampling.BICUBIC
            return photo.rotate(degrees, resample=how, expand=True, fillcolor=corners)
        width, height = photo.size
        rim = max(width, height) // 2
        pixels = np.pad(np.asarray(photo), ((rim, rim), (rim, rim), (0, 0)), mode="symmetric")
        wide = Image.fromarray(pixels).rotate(degrees, resample=Image.Resampling.BICUBIC)
        return wide.crop((rim, rim, rim + width, rim + height))

    return change


def enhanced(what: Callable[[Image.Image], ImageEnhance._Enhance], factor: float) -> Change:
    return lambda photo, choose: what(photo).enhance(factor)


def gamma(power: float) -> Change:
    table = [round(255 * (value / 255) ** power) for value in range(256)] * 3
    return lambda photo, choose: photo.point(table)


def hue(degrees: float) -> Change:
    def change(photo: Image.Image, choose: random.Random) -> Image.Image:
        pixels = np.array(photo.convert("HSV"))
        pixels[..., 0] += np.uint8(round(degrees / 360 * 256))  # wraps around, as hues do
        return Image.fromarray(pixels, "HSV").convert("RGB")

    return change


def sepia(photo: Image.Image, choose: random.Random) -> Image.Image:
    return ImageOps.colorize(photo.convert("L"), "#2a1a08", "#fff2d0")


def grey(photo: Image.Image, choose: random.Random) -> Image.Image:
    return photo.convert("L")


def opaque(photo: Image.Image, choose: random.Random) -> Image.Image:
    return photo.convert("RGBA")


def blurred(radius: float) -> Change:
    """Blur by a radius in pixels of a photo of 500 pixels."""
    return lambda photo, choose: photo.filter(
        ImageFilter.GaussianBlur(radius * max(photo.size) / 500)
    )


def noisy(sigma: float) -> Change:
    """Add normal noise of a deviation in grey levels."""

    def change(photo: Image.Image, choose: random.Random) -> Image.Image:
        numbers = np.random.default_rng(choose.getrandbits(32))
        pixels = np.asarray(photo) + numbers.normal(0, sigma, (photo.height, photo.width, 3))
        return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))

    return change


def sharpened(photo: Image.Image, choose: random.Random) -> Image.Image:
    return photo.filter(ImageFilter.UnsharpMask(radius=3, percent=200))


def bordered(share: float, colour: tuple[int, int, int]) -> Change:
    """Put a border around, of a share of the shorter side."""
    return lambda photo, choose: ImageOps.expand(photo, round(min(photo.size) * share), colour)


def boxed(aspect: float, colour: tuple[int, int, int] = BLACK) -> Change:
    """Fill up to another ratio of width to height by bars (letterbox, pillarbox)."""

    def change(photo: Image.Image, choose: random.Random) -> Image.Image:
        width = max(photo.width, round(photo.height * aspect))
        height = max(photo.height, round(photo.width / aspect))
        wide = Image.new("RGB", (width, height), colour)
        wide.paste(photo, ((width - photo.width) // 2, (height - photo.height) // 2))
        return wide

    return change


def instant(photo: Image.Image, choose: random.Random) -> Image.Image:
    """Put into the white frame of an instant photo, with a line written below."""
    rim = min(photo.size) // 16
    paper = Image.new("RGB", (photo.width + 2 * rim, photo.height + 5 * rim), (250, 248, 242))
    paper.paste(photo, (rim, rim))
    font = ImageFont.load_default(2 * rim)
    ImageDraw.Draw(paper).text(
        (2 * rim, photo.height + 1.8 * rim), f"Summer {choose.randint(1990, 2025)}", "#444", font
    )
    return paper


def captioned(photo: Image.Image, choose: random.Random) -> Image.Image:
    """Write a line on a dark bar at the foot."""
    made = photo.copy()
    draw = ImageDraw.Draw(made)
    size = max(10, photo.height // 14)
    top = photo.height - 2 * size
    draw.rectangle((0, top, photo.width, photo.height), (20, 20, 20))
    text = f"No. {choose.randint(100, 999)}: what we saw on day {choose.randint(2, 90)}"
    draw.text((size, top + size // 3), text, WHITE, ImageFont.load_default(size))
    return made


def lettered(photo: Image.Image, choose: random.Random) -> Image.Image:
    """Write large letters with an outline across the top and the foot."""
    made = photo.copy()
    draw = ImageDraw.Draw(made)
    font = ImageFont.load_default(photo.height // 8)
    for text, y, anchor in (("WHEN YOU SEE IT", 0.02, "ma"), ("IT IS TOO LATE", 0.97, "md")):
        at = (photo.width // 2, round(photo.height * y))
        draw.text(at, text, WHITE, font, anchor=anchor, stroke_width=3, stroke_fill=BLACK)
    return made


def watermarked(photo: Image.Image, choose: random.Random) -> Image.Image:
    """Lay faint text over all of it."""
    layer = Image.new("L", (photo.width * 2, photo.height * 2))
    draw = ImageDraw.Draw(layer)
    size = max(12, photo.height // 12)
    font = ImageFont.load_default(size)
    for y in range(0, layer.height, 3 * size):
        for x in range(y % (4 * size) - 4 * size, layer.width, 9 * size):
            draw.text((x, y), "© sample", 95, font)
    left, top = photo.width // 2, photo.height // 2
    mask = layer.rotate(25).crop((left, top, left + photo.width, top + photo.height))
    return Image.composite(Image.new("RGB", photo.size, WHITE), photo, mask)


def logo(photo: Image.Image, choose: random.Random) -> Image.Image:
    """Put a round sign into a corner."""
    made = photo.copy()
    draw = ImageDraw.Draw(made)
    side = min(photo.size) // 5
    x = choose.choice([side // 4, photo.width - side - side // 4])
    y = choose.choice([side // 4, photo.height - side - side // 4])
    draw.ellipse((x, y, x + side, y + side), (215, 40, 60), WHITE, max(2, side // 20))
    centre = (x + side / 2, y + side / 2)
    draw.text(centre, "DW", WHITE, ImageFont.load_default(side * 0.4), anchor="mm")
    return made


def covered(photo: Image.Image, choose: random.Random) -> Image.Image:
    """Hide three places under rectangles, an eighth to a quarter of a side each."""
    made = photo.copy()
    draw = ImageDraw.Draw(made)
    for _ in range(3):
        width = round(photo.width * choose.uniform(0.12, 0.25))
        height = round(photo.height * choose.uniform(0.12, 0.25))
        x, y = choose.randint(0, photo.width - width), choose.randint(0, photo.height - height)
        draw.rectangle((x, y, x + width, y + height), _colour(choose))
    return made


def overlaid(photo: Image.Image, choose: random.Random) -> Image.Image:
    """Put a coloured box with a word in it somewhere, a third of the width wide."""
    made = photo.copy()
    draw = ImageDraw.Draw(made)
    width, height = photo.width // 3, photo.height // 5
    x, y = choose.randint(0, photo.width - width), choose.randint(0, photo.height - height)
    draw.rectangle((x, y, x + width, y + height), _colour(choose))
    font = ImageFont.load_default(height * 0.6)
    draw.text((x + width / 2, y + height / 2), f"No. {choose.randint(10, 99)}", WHITE, font, "mm")
    return made


def on_phone(photo: Image.Image, choose: random.Random) -> Image.Image:
    """Show the photo in an app on a phone, and take a picture of the screen."""
    width = photo.width
    bar = width // 10
    height = max(round(width * 1.9), photo.height + 6 * bar)
    dark = choose.random() < 0.5
    back, ink = ((18, 18, 18), "#ddd") if dark else (WHITE, "#222")
    screen = Image.new("RGB", (width, height), back)
    draw = ImageDraw.Draw(screen)
    font = ImageFont.load_default(bar * 0.5)
    draw.text(
        (bar * 0.3, bar * 0.2), f"{choose.randint(10, 23)}:{choose.randint(10, 59)}", ink, font
    )
    draw.rectangle((width - bar, bar * 0.25, width - bar * 0.3, bar * 0.6), ink)
    draw.ellipse((bar * 0.3, bar * 1.1, bar * 1.1, bar * 1.9), _colour(choose))
    draw.text((bar * 1.4, bar * 1.2), "somebody.else", ink, font)
    top = 2 * bar + bar // 4
    screen.paste(photo, (0, top))
    below = top + photo.height
    for x in range(3):
        draw.ellipse(
            (bar * (0.4 + x), below + bar * 0.3, bar * (1 + x), below + bar * 0.9), outline=ink
        )
    draw.text((bar * 0.3, below + bar * 1.2), f"{choose.randint(2, 900)} likes", ink, font)
    draw.line((width * 0.35, height - bar * 0.3, width * 0.65, height - bar * 0.3), ink, bar // 10)
    return screen


def perspective(photo: Image.Image, choose: random.Random) -> Image.Image:
    """Look at it a little from the side: each corner moves by up to 6 % of a side."""
    width, height = photo.size
    corners = [(0, 0), (0, height), (width, height), (width, 0)]
    moved = [
        (x + choose.uniform(-0.06, 0.06) * width, y + choose.uniform(-0.06, 0.06) * height)
        for x, y in corners
    ]
    # Eight equations for the eight numbers of the map from the new picture to the old one.
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, moved, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    numbers = np.linalg.solve(np.array(rows, float), np.array(values, float)).tolist()
    return photo.transform(
        photo.size, Image.Transform.PERSPECTIVE, numbers, Image.Resampling.BICUBIC
    )


def palette(photo: Image.Image, choose: random.Random) -> Image.Image:
    return photo.quantize(64).convert("RGB")


def recompressed(quality: int) -> Change:
    """Store as JPEG and read again, on the way to another edit."""

    def change(photo: Image.Image, choose: random.Random) -> Image.Image:
        stored = io.BytesIO()
        photo.save(stored, "JPEG", quality=quality)
        return Image.open(stored).convert("RGB")

    return change


def both(first: Change, second: Change) -> Change:
    return lambda photo, choose: second(first(photo, choose), choose)


def before_viewer(orientation: int) -> Change:
    """Turn so that a viewer who follows the EXIF tag shows the photo as it was."""
    turn = Image.Transpose
    inverse = {
        1: None,
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_90,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_270,
    }[orientation]
    return lambda photo, choose: photo if inverse is None else photo.transpose(inverse)


def _resized(photo: Image.Image, width: float, height: float) -> Image.Image:
    size = max(1, round(width)), max(1, round(height))
    return photo.resize(size, Image.Resampling.LANCZOS)


def _colour(choose: random.Random) -> tuple[int, int, int]:
    return choose.randrange(256), choose.randrange(256), choose.randrange(256)


_TURN = Image.Transpose
_ENHANCE = ImageEnhance

STANDARD: tuple[Edit, ...] = (
    Edit("byte copy", "stored", None, truth="exact"),
    Edit("PNG", "stored", same, ".png", truth="exact"),
    Edit("JPEG 60", "stored", same, quality=60),
    Edit("half size", "resized", scaled(0.5)),
    Edit("squashed to a square", "resized", stretched(1)),
    Edit("80 % of each side", "cropped", cropped(0.8, centred=True)),
    Edit("flipped left–right", "flipped, turned", turned(_TURN.FLIP_LEFT_RIGHT)),
    Edit("flipped upside down", "flipped, turned", turned(_TURN.FLIP_TOP_BOTTOM)),
    Edit("rotated 25°", "rotated", rotated(25)),
    Edit("turned 90°", "flipped, turned", turned(_TURN.ROTATE_90)),
    Edit("grey", "colour", grey),
    Edit("brighter 30 %", "colour", enhanced(_ENHANCE.Brightness, 1.3)),
    Edit("box with text", "overlaid", overlaid),
    Edit("EXIF turn, JPEG", "stored", before_viewer(6), orientation=6),
)
"""Made of every photo."""

FURTHER: tuple[Edit, ...] = (
    Edit("JPEG 85", "stored", same, quality=85),
    Edit("JPEG 30", "stored", same, quality=30),
    Edit("JPEG 12", "stored", same, quality=12),
    Edit("WebP 50", "stored", same, ".webp", quality=50),
    Edit("64 colours", "stored", palette, ".png"),
    Edit("PNG with opaque alpha", "stored", opaque, ".png", truth="exact"),
    *(
        Edit(f"EXIF {n}, PNG", "stored", before_viewer(n), ".png", orientation=n, truth="exact")
        for n in range(2, 9)
    ),
    Edit("quarter size", "resized", scaled(0.25)),
    Edit("128 px", "resized", thumbnail(128)),
    Edit("96 px", "resized", thumbnail(96)),
    Edit("64 px", "resized", thumbnail(64)),
    Edit("twice the size", "resized", scaled(2)),
    Edit("stretched to 16 : 9", "resized", stretched(16 / 9)),
    Edit("90 % of each side, anywhere", "cropped", cropped(0.9)),
    Edit("70 % of each side, anywhere", "cropped", cropped(0.7)),
    Edit("60 % of each side, anywhere", "cropped", cropped(0.6)),
    Edit("a quarter cut off one side", "cropped", trimmed),
    Edit("darker 40 %", "colour", enhanced(_ENHANCE.Brightness, 0.6)),
    Edit("brighter 60 %", "colour", enhanced(_ENHANCE.Brightness, 1.6)),
    Edit("contrast –50 %", "colour", enhanced(_ENHANCE.Contrast, 0.5)),
    Edit("contrast +60 %", "colour", enhanced(_ENHANCE.Contrast, 1.6)),
    Edit("gamma 0.6", "colour", gamma(0.6)),
    Edit("gamma 1.7", "colour", gamma(1.7)),
    Edit("hue +40°", "colour", hue(40)),
    Edit("hue +180°", "colour", hue(180)),
    Edit("saturation –70 %", "colour", enhanced(_ENHANCE.Color, 0.3)),
    Edit("saturation +100 %", "colour", enhanced(_ENHANCE.Color, 2)),
    Edit("sepia", "colour", sepia),
    Edit("blurred 2 px", "detail", blurred(2)),
    Edit("blurred 4 px", "detail", blurred(4)),
    Edit("noise 10", "detail", noisy(10)),
    Edit("noise 25", "detail", noisy(25)),
    Edit("sharpened", "detail", sharpened),
    Edit("rotated 3°", "rotated", rotated(3)),
    Edit("rotated 10°", "rotated", rotated(10)),
    Edit("rotated 33°", "rotated", rotated(33)),
    Edit("rotated 45°", "rotated", rotated(45)),
    Edit("rotated 60°", "rotated", rotated(60)),
    Edit("rotated 10°, white corners", "rotated", rotated(10, WHITE)),
    Edit("rotated 33°, white corners", "rotated", rotated(33, WHITE)),
    Edit("rotated 10°, mirrored corners", "rotated", rotated(10, "mirrored")),
    Edit("rotated 33°, mirrored corners", "rotated", rotated(33, "mirrored")),
    Edit("turned 180°", "flipped, turned", turned(_TURN.ROTATE_180)),
    Edit("turned 270°", "flipped, turned", turned(_TURN.ROTATE_270)),
    Edit("flipped and turned 90°", "flipped, turned", turned(_TURN.TRANSPOSE)),
    Edit("white border", "framed", bordered(0.06, WHITE)),
    Edit("wide black border", "framed", bordered(0.15, BLACK)),
    Edit("letterbox", "framed", boxed(4 / 5)),
    Edit("pillarbox", "framed", boxed(21 / 9)),
    Edit("square on white", "framed", boxed(1, WHITE)),
    Edit("instant photo", "framed", instant),
    Edit("on a phone's screen", "framed", on_phone),
    Edit("caption", "overlaid", captioned),
    Edit("large letters", "overlaid", lettered),
    Edit("watermark", "overlaid", watermarked),
    Edit("logo", "overlaid", logo),
    Edit("three rectangles", "overlaid", covered),
    Edit("perspective", "perspective", perspective),
    Edit("85 % of each side + JPEG 40", "two at once", cropped(0.85), quality=40),
    Edit(
        "flipped + half size",
        "two at once",
        both(turned(_TURN.FLIP_LEFT_RIGHT), scaled(0.5)),
    ),
    Edit("turned 90° + grey", "two at once", both(turned(_TURN.ROTATE_90), grey)),
    Edit(
        "80 % of each side + brighter",
        "two at once",
        both(cropped(0.8), enhanced(_ENHANCE.Brightness, 1.4)),
    ),
    Edit("128 px + JPEG 30", "two at once", thumbnail(128), quality=30),
    Edit("border + box with text", "two at once", both(bordered(0.08, WHITE), overlaid)),
    Edit("rotated 10° + 75 % of each side", "two at once", both(rotated(10), cropped(0.75))),
    Edit("JPEG 20 + twice the size", "two at once", both(recompressed(20), scaled(2))),
    Edit("on a phone's screen + half size", "two at once", both(on_phone, scaled(0.5)), quality=70),
)
"""Made of some photos each."""

EQUAL = frozenset(edit.name for edit in (*STANDARD, *FURTHER) if edit.truth == "exact")
"""Edits that show what the original shows, pixel for pixel."""
