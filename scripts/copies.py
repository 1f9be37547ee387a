"""Edited copies of pictures, as people and programs make them: from seeds, without files."""

import io
import math
import random
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Edit = Callable[[Image.Image, random.Random], Image.Image]
"""From a picture (RGB) and a source of chance to an edited copy (RGB)."""


def flip(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Mirror a picture, sideways or upside down."""
    return chance.choice((ImageOps.mirror, ImageOps.flip))(picture)


def turn(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Turn a picture by a quarter, a half or three quarters, one in four mirrored as well."""
    way = chance.choice((Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270) * 2 + _OTHER_TURNS)
    return picture.transpose(way)


_OTHER_TURNS = (
    Image.Transpose.ROTATE_180,
    Image.Transpose.ROTATE_180,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.TRANSVERSE,
)


def tilt(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Rotate a picture by 3 to 20 degrees."""
    return _rotated(picture, chance.uniform(3, 20) * chance.choice((-1, 1)), chance)


def rotate(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Rotate a picture by 20 to 180 degrees."""
    return _rotated(picture, chance.uniform(20, 180) * chance.choice((-1, 1)), chance)


def _rotated(picture: Image.Image, angle: float, chance: random.Random) -> Image.Image:
    """Rotate with corners of one colour, the frame grown or kept, or cut to what has none."""
    how = chance.choice(("grown", "kept", "cut"))
    turned = picture.rotate(
        angle, Image.Resampling.BICUBIC, expand=how == "grown", fillcolor=_plain(picture, chance)
    )
    if how != "cut":
        return turned
    width, height = picture.size
    sine, cosine = abs(math.sin(math.radians(angle))), abs(math.cos(math.radians(angle)))
    scale = min(width / (width * cosine + height * sine), height / (width * sine + height * cosine))
    return _cut(turned, width * scale, height * scale, 0.5, 0.5)


def _plain(picture: Image.Image, chance: random.Random) -> tuple[int, int, int]:
    """Return black, white, the mean colour or any colour."""
    kind = chance.random()
    if kind < 0.35:
        return 0, 0, 0
    if kind < 0.7:
        return 255, 255, 255
    if kind < 0.85:
        mean = np.asarray(picture).reshape(-1, 3).mean(axis=0)
        return int(mean[0]), int(mean[1]), int(mean[2])
    return chance.randrange(256), chance.randrange(256), chance.randrange(256)


def _cut(
    picture: Image.Image, width: float, height: float, across: float, down: float
) -> Image.Image:
    """Cut a box out of a picture, at a place from 0 (left, top) to 1 (right, bottom)."""
    wide, high = max(8, round(width)), max(8, round(height))
    left, top = round((picture.width - wide) * across), round((picture.height - high) * down)
    return picture.crop((left, top, left + wide, top + high))


def crop(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Keep 50 to 98 % of each side, anywhere."""
    part = chance.uniform(0.5, 0.98)
    other = min(0.98, max(0.5, part + chance.uniform(-0.15, 0.15)))
    width, height = picture.width * part, picture.height * other
    return _cut(picture, width, height, chance.random(), chance.random())


def square(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Cut the centre square out, or squash the whole into one."""
    side = min(picture.size)
    if chance.random() < 0.5:
        return _cut(picture, side, side, 0.5, 0.5)
    return picture.resize((side, side), Image.Resampling.BICUBIC)


def brightness(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Make a picture darker or brighter, by a factor or a gamma."""
    factor = 2 ** chance.uniform(-1.2, 0.9)
    if chance.random() < 0.5:
        return ImageEnhance.Brightness(picture).enhance(factor)
    return picture.point([round(255 * (value / 255) ** factor) for value in range(256)] * 3)


def contrast(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Raise or lower contrast, or stretch it to the whole range."""
    if chance.random() < 0.2:
        return ImageOps.autocontrast(picture, cutoff=chance.uniform(0, 3))
    return ImageEnhance.Contrast(picture).enhance(2 ** chance.uniform(-1.2, 1))


def hue(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Shift all hues, or the balance of the three channels."""
    if chance.random() < 0.5:
        gains = [chance.uniform(0.75, 1.25) for _ in range(3)]
        return picture.point([min(255, round(v * gain)) for gain in gains for v in range(256)])
    shift = round(chance.uniform(8, 60)) * chance.choice((-1, 1))
    hues, saturation, value = picture.convert("HSV").split()
    hues = hues.point([(v + shift) % 256 for v in range(256)])
    return Image.merge("HSV", (hues, saturation, value)).convert("RGB")


def saturation(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Make colours paler or stronger."""
    return ImageEnhance.Color(picture).enhance(chance.choice((0.2, 0.4, 0.6, 1.5, 2.0, 2.5)))


def grey(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Take the colours out, one in three tinted as old photos are."""
    toneless = picture.convert("L")
    if chance.random() < 0.67:
        return toneless.convert("RGB")
    return ImageOps.colorize(toneless, (25, 15, 5), (255, 240, 205))


def blur(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Blur or sharpen a picture."""
    if chance.random() < 0.25:
        return picture.filter(ImageFilter.UnsharpMask(2, chance.randrange(80, 250), 2))
    radius = chance.uniform(0.004, 0.012) * max(picture.size)
    return picture.filter(ImageFilter.GaussianBlur(radius))


def noise(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Add normal noise of 5 to 30 grey levels, equal in all channels or not."""
    random_numbers = np.random.default_rng(chance.getrandbits(32))
    shape = (picture.height, picture.width, chance.choice((1, 3)))
    grain = random_numbers.normal(0, chance.uniform(5, 30), shape)
    return Image.fromarray((np.asarray(picture) + grain).clip(0, 255).astype(np.uint8))


def thumbnail(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Shrink the longest side to 48 to 150 pixels."""
    small = picture.copy()
    side = round(chance.uniform(48, 150))
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def jpeg(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Save a picture as JPEG of quality 12 to 85."""
    return _saved(picture, round(chance.uniform(12, 85)))


def _saved(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


_WORDS = (
    "sale",
    "2024",
    "copy",
    "of my",
    "holiday",
    "draft",
    "© studio",
    "news",
    "best price",
    "look",
)


def _line(chance: random.Random) -> str:
    return " ".join(chance.choices(_WORDS, k=chance.randrange(1, 5)))


def text(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Write one to three lines over a picture, opaque or as a watermark."""
    layer = Image.new("RGBA", picture.size)
    draw = ImageDraw.Draw(layer)
    width, height = picture.size
    for _ in range(chance.randrange(1, 4)):
        size = max(8, chance.uniform(0.05, 0.18) * height)
        place = chance.uniform(0, 0.6) * width, chance.uniform(0, 0.9) * height
        opacity = chance.choice((120, 180, 255))
        colour = (*_colour(chance), opacity)
        draw.text(place, _line(chance), fill=colour, font=ImageFont.load_default(size))
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")


def _colour(chance: random.Random) -> tuple[int, int, int]:
    kinds = ((255, 255, 255), (0, 0, 0), (230, 30, 30), (250, 220, 40))
    return chance.choice((*kinds, tuple(chance.randrange(256) for _ in range(3))))


def shapes(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Cover parts with one to four boxes, discs or lines, each up to a tenth of the picture."""
    edited = picture.copy()
    draw = ImageDraw.Draw(edited)
    width, height = picture.size
    for _ in range(chance.randrange(1, 5)):
        across, down = (chance.uniform(0.08, 0.32) * side for side in picture.size)
        left, top = chance.uniform(0, width - across), chance.uniform(0, height - down)
        box = (left, top, left + across, top + down)
        kind = chance.randrange(4)
        if kind == 0:
            draw.rectangle(box, fill=_colour(chance))
        elif kind == 1:
            draw.ellipse(box, fill=_colour(chance))
        elif kind == 2:
            draw.rectangle(box, outline=_colour(chance), width=max(1, width // 60))
        else:
            draw.line(box, fill=_colour(chance), width=max(1, width // 40))
    return edited


def border(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Put an even border of 2 to 12 % around a picture."""
    wide = max(1, round(chance.uniform(0.02, 0.12) * max(picture.size)))
    return ImageOps.expand(picture, wide, _plain(picture, chance))


def letterbox(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Fill a picture up to another shape, with bars on two sides."""
    shape = chance.choice((1.0, 4 / 3, 16 / 9, 9 / 16, 3 / 4))
    width = max(picture.width, round(picture.height * shape))
    height = max(picture.height, round(picture.width / shape))
    if (width, height) == picture.size:
        height = round(1.3 * height)
    return ImageOps.pad(picture, (width, height), color=_plain(picture, chance))


def caption(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Add a strip with a line of text above or below a picture."""
    width, height = picture.size
    strip = max(12, round(chance.uniform(0.1, 0.25) * height))
    dark = chance.random() < 0.4
    framed = Image.new("RGB", (width, height + strip), "black" if dark else "white")
    is_above = chance.random() < 0.5
    framed.paste(picture, (0, strip if is_above else 0))
    font = ImageFont.load_default(strip * 0.55)
    place = (width * 0.04, strip * 0.15 + (0 if is_above else height))
    ImageDraw.Draw(framed).text(place, _line(chance), "white" if dark else "black", font)
    return framed


def screenshot(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Show a picture inside a window: a bar above, buttons, a margin, some lines of text."""
    width, height = picture.size
    left, right, below = (round(chance.uniform(0, 0.22) * side) for side in (width, width, height))
    bar = round(chance.uniform(0.06, 0.2) * height) + 6
    dark = chance.random() < 0.4
    ground, ink = ((32, 33, 36), (230, 230, 230)) if dark else ((250, 250, 250), (40, 40, 40))
    size = (width + left + right, height + bar + below)
    screen = Image.new("RGB", size, ground)
    draw = ImageDraw.Draw(screen)
    tone = 55 if dark else 215
    draw.rectangle((0, 0, size[0], bar * 0.8), fill=(tone, tone, tone + 5))
    draw.text((4, bar * 0.1), _line(chance), ink, ImageFont.load_default(max(7, bar * 0.45)))
    for number in range(chance.randrange(4)):
        x = size[0] - bar * (0.6 + 0.6 * number)
        draw.ellipse((x, bar * 0.2, x + bar * 0.35, bar * 0.55), fill=_colour(chance))
    if below > 12:
        draw.text((left, height + bar + 2), _line(chance), ink, ImageFont.load_default(9))
    screen.paste(picture, (left, bar))
    return screen


def perspective(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Move each corner by up to 15 % of the side, as in a photo of a print."""
    width, height = picture.size
    corners = ((0, 0), (0, height), (width, height), (width, 0))
    quad: list[float] = []
    for x, y in corners:
        quad += [x + chance.uniform(-0.15, 0.15) * width, y + chance.uniform(-0.15, 0.15) * height]
    return picture.transform(
        picture.size,
        Image.Transform.PERSPECTIVE,
        _homography(corners, quad),
        Image.Resampling.BICUBIC,
        fillcolor=_plain(picture, chance),
    )


def _homography(corners: tuple[tuple[int, int], ...], quad: list[float]) -> tuple[float, ...]:
    """Return the 8 numbers of the projective map that takes four corners to a quadrangle."""
    rows, values = [], []
    for (x, y), u, v in zip(corners, quad[::2], quad[1::2], strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return tuple(np.linalg.solve(np.array(rows, float), np.array(values, float)).tolist())


EDITS: dict[str, tuple[float, Edit]] = {
    "flip": (1.5, flip),
    "turn": (2, turn),
    "tilt": (1.5, tilt),
    "rotate": (2, rotate),
    "crop": (2.5, crop),
    "square": (0.5, square),
    "brightness": (0.7, brightness),
    "contrast": (0.7, contrast),
    "hue": (0.8, hue),
    "saturation": (0.4, saturation),
    "grey": (0.8, grey),
    "blur": (0.6, blur),
    "noise": (0.6, noise),
    "thumbnail": (0.7, thumbnail),
    "jpeg": (0.7, jpeg),
    "text": (0.8, text),
    "shapes": (0.7, shapes),
    "border": (0.6, border),
    "letterbox": (0.8, letterbox),
    "caption": (0.7, caption),
    "screenshot": (1, screenshot),
    "perspective": (0.8, perspective),
}
"""How often each edit is chosen, beside the others, and the edit."""


def edited_copy(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Return a copy with one edit, or with two or three; half of them saved as JPEG in the end.

    Parameters
    ----------
    picture : PIL.Image.Image
        In mode RGB, with sides of at least 16 pixels.
    chance : random.Random
        Decides all.

    Returns
    -------
    PIL.Image.Image
        In mode RGB, of any size.
    """
    names, weights = list(EDITS), [weight for weight, _ in EDITS.values()]
    for _ in range(chance.choices((1, 2, 3), (0.55, 0.3, 0.15))[0]):
        (name,) = chance.choices(names, weights)
        picture = EDITS[name][1](picture, chance)
    return _saved(picture, chance.randrange(30, 90)) if chance.random() < 0.5 else picture
