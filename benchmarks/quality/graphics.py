"""Drawn pictures that look alike and show different things: icons, charts, codes, maps, products.

A function yields (variation, picture), as those of `pages`.
"""

import random
from collections.abc import Iterator
from math import cos, pi, sin

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from benchmarks.quality.pages import Variation

Colour = tuple[int, int, int]
GLYPHS = 12


def icons(choose: random.Random, count: int) -> Iterator[Variation]:
    """Yield glyphs on transparency, white glyphs on transparency, and on colour."""
    seed = choose.getrandbits(32)
    grounds = [_vivid(choose) for _ in range(count)]
    for glyph in range(GLYPHS):
        for ink, name in (
            ((30, 30, 30), "dark on transparency"),
            ((255, 255, 255), "white on transparency"),
        ):
            icon = Image.new("RGBA", (128, 128), (*ink, 0))
            icon.putalpha(_glyph(random.Random(f"{seed}/{glyph}")))
            yield name, icon
        for ground in grounds:
            icon = Image.new("RGB", (128, 128), ground)
            icon.paste((255, 255, 255), mask=_glyph(random.Random(f"{seed}/{glyph}")))
            yield "white on colour", icon


def _glyph(choose: random.Random) -> Image.Image:
    """Return a mask: a shape of three to eight corners, with a piece cut out."""
    mask = Image.new("L", (512, 512))
    draw = ImageDraw.Draw(mask)
    corners, turn = choose.randint(3, 8), choose.uniform(0, pi)
    inner = choose.choice([1.0, 0.45, 0.65])
    points = []
    for corner in range(corners * 2):
        radius = 190 * (1 if corner % 2 == 0 else inner * (cos(pi / corners) if inner == 1 else 1))
        angle = turn + pi * corner / corners
        points.append((256 + radius * cos(angle), 256 + radius * sin(angle)))
    draw.polygon(points, 255)
    x, y, side = choose.randint(170, 300), choose.randint(170, 300), choose.randint(40, 80)
    shape = draw.ellipse if choose.random() < 0.5 else draw.rectangle
    shape((x, y, x + side, y + side), 0)
    return mask.resize((128, 128), Image.Resampling.BOX)


def charts(choose: random.Random, count: int) -> Iterator[Variation]:
    """Yield bars, lines and pies of one design with other values."""
    for kind in ("bars", "lines", "pie"):
        colours = [_vivid(choose) for _ in range(6)]
        for _ in range(count):
            chart = Image.new("RGB", (640, 420), "white")
            draw = ImageDraw.Draw(chart)
            if kind == "pie":
                shares = [choose.uniform(0.5, 3) for _ in colours]
                start = -90.0
                for share, colour in zip(shares, colours, strict=True):
                    end = start + 360 * share / sum(shares)
                    draw.pieslice((150, 40, 490, 380), start, end, colour, "white", 2)
                    start = end
            else:
                for y in range(60, 381, 64):
                    draw.line((60, y, 610, y), (220, 220, 220))
                heights = [choose.randint(20, 310) for _ in range(8)]
                if kind == "bars":
                    for x, height in enumerate(heights):
                        left = 80 + 66 * x
                        draw.rectangle((left, 380 - height, left + 44, 380), colours[0])
                else:
                    for colour in colours[:2]:
                        line = [(80 + 74 * x, 380 - choose.randint(20, 310)) for x in range(8)]
                        draw.line(line, colour, 4, joint="curve")
                draw.line((60, 380, 610, 380), (60, 60, 60), 2)
            yield kind, chart


def codes(choose: random.Random, count: int) -> Iterator[Variation]:
    """Yield square codes with three finder marks, and barcodes; each of another content."""
    for _ in range(count):
        modules = 29
        code = np.array([[choose.random() < 0.5 for _ in range(modules)] for _ in range(modules)])
        for top, left in ((0, 0), (0, modules - 7), (modules - 7, 0)):
            code[max(0, top - 1) : top + 8, max(0, left - 1) : left + 8] = False
            code[top : top + 7, left : left + 7] = True
            code[top + 1 : top + 6, left + 1 : left + 6] = False
            code[top + 2 : top + 5, left + 2 : left + 5] = True
        cells = np.where(np.pad(code, 3), 0, 255).astype(np.uint8)
        picture = Image.fromarray(cells).resize((350, 350), Image.Resampling.NEAREST)
        yield "square code", picture.convert("RGB")
    for _ in range(count):
        bars = Image.new("RGB", (420, 220), "white")
        draw = ImageDraw.Draw(bars)
        x = 30
        while x < 385:
            width = choose.choice([3, 6, 9])
            draw.rectangle((x, 20, x + width - 1, 190), "black")
            x += width + choose.choice([3, 6, 9])
        yield "barcode", bars


def maps(choose: random.Random, count: int) -> Iterator[Variation]:
    """Yield tiles of a street map in one style."""
    for _ in range(count):
        tile = Image.new("RGB", (256, 256), (242, 239, 233))
        draw = ImageDraw.Draw(tile)
        for _ in range(choose.randint(1, 3)):
            x, y = choose.randint(-40, 220), choose.randint(-40, 220)
            box = (x, y, x + choose.randint(40, 120), y + choose.randint(40, 120))
            draw.rectangle(box, choose.choice([(200, 223, 159), (170, 211, 223), (224, 218, 210)]))
        for _ in range(choose.randint(4, 8)):
            ends = [(choose.randint(-20, 276), -10), (choose.randint(-20, 276), 266)]
            if choose.random() < 0.5:
                ends = [(y, x) for x, y in ends]
            draw.line(ends, (200, 195, 188), 9)
            draw.line(ends, "white", 7)
        if choose.random() < 0.6:
            ends = [(-10, choose.randint(0, 256)), (266, choose.randint(0, 256))]
            draw.line(ends, (249, 178, 100), 11)
        yield "another tile", tile


def products(choose: random.Random, count: int) -> Iterator[Variation]:
    """Yield shirts and mugs of different patterns, on white."""
    for number in range(count):
        kind = ("shirt", "mug")[number % 2]
        pattern = _pattern(choose)
        shape = Image.new("L", (1000, 1000))
        draw = ImageDraw.Draw(shape)
        if kind == "shirt":
            draw.rectangle((300, 220, 700, 880), 255)
            draw.polygon([(300, 220), (110, 420), (210, 510), (310, 410)], 255)
            draw.polygon([(700, 220), (890, 420), (790, 510), (690, 410)], 255)
            draw.ellipse((420, 150, 580, 290), 0)
        else:
            draw.rounded_rectangle((240, 240, 660, 800), 50, 255)
            draw.ellipse((590, 360, 830, 680), 255)
            draw.ellipse((660, 430, 770, 610), 0)
        product = Image.new("RGB", (500, 500), "white")
        product.paste(pattern, mask=shape.resize((500, 500), Image.Resampling.BOX))
        yield kind, product


def _pattern(choose: random.Random) -> Image.Image:
    ground, ink = _vivid(choose), _vivid(choose)
    pattern = Image.new("RGB", (500, 500), ground)
    draw = ImageDraw.Draw(pattern)
    step = choose.choice([24, 36, 56])
    kind = choose.choice(["plain", "stripes", "dots", "checks", "print"])
    for a in range(0, 500, step):
        if kind == "stripes":
            draw.rectangle((0, a, 500, a + step // 3), ink)
        for b in range(0, 500, step):
            if kind == "dots":
                draw.ellipse((a, b, a + step // 2, b + step // 2), ink)
            elif kind == "checks" and (a + b) // step % 2:
                draw.rectangle((a, b, a + step, b + step), ink)
    if kind == "print":
        pattern.paste(ink, (186, 200), _glyph(choose))
    shade = np.linspace(0.85, 1.05, 500)[None, :, None]
    return Image.fromarray((np.asarray(pattern) * shade).clip(0, 255).astype(np.uint8))


def flat(choose: random.Random, count: int) -> Iterator[Variation]:
    """Yield plain colours, gradients, and dark frames of a film; all different."""
    numbers = np.random.default_rng(choose.getrandbits(32))
    for number in range(count):
        # Spread over the cube, so that even neighbours differ by more than a viewer overlooks.
        colour = tuple(int(255 * (number * step % 1)) for step in (0.7549, 0.5698, 0.4302))
        yield "plain colour", Image.new("RGB", (320, 240), colour)
    down = np.linspace(0, 1, 240)[:, None, None]
    across = np.linspace(0, 1, 320)[None, :, None]
    for _ in range(count):
        one, two = numbers.uniform(0, 255, (2, 3))
        weight = numbers.uniform(0, 1)
        share = weight * down + (1 - weight) * across
        pixels = one * (1 - share) + two * share
        yield "gradient", Image.fromarray(pixels.astype(np.uint8))
    for _ in range(count):
        x, y, wide, high = numbers.uniform(0.1, 0.9, 4)
        glow = np.exp(-(((across - x) / wide) ** 2) - ((down - y) / high) ** 2)
        tint = numbers.uniform(4, 22, 3)
        pixels = 3 + glow * tint + numbers.normal(0, 1.2, (240, 320, 1))
        yield "dark frame", Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def boards(choose: random.Random, count: int) -> Iterator[Variation]:
    """Yield a calibration board in different poses before one background."""
    squares = Image.new("RGB", (720, 540), "white")
    draw = ImageDraw.Draw(squares)
    for x in range(10):
        for y in range(7):
            if (x + y) % 2:
                draw.rectangle((40 + 64 * x, 46 + 64 * y, 103 + 64 * x, 109 + 64 * y), "black")
    for _ in range(count):
        scene = Image.new("RGB", (640, 480), (120, 116, 108))
        side = choose.uniform(0.45, 0.75)
        size = round(720 * side), round(540 * side * choose.uniform(0.8, 1))
        board = squares.resize(size, Image.Resampling.LANCZOS).convert("RGBA")
        board = board.rotate(choose.uniform(-30, 30), Image.Resampling.BICUBIC, expand=True)
        at = (
            choose.randint(-20, 640 - board.width // 2),
            choose.randint(-20, 480 - board.height // 2),
        )
        scene.paste(board, (min(at[0], 660 - board.width), min(at[1], 500 - board.height)), board)
        yield "another pose", scene.filter(ImageFilter.GaussianBlur(0.8))


def _vivid(choose: random.Random) -> Colour:
    return choose.randint(0, 230), choose.randint(0, 230), choose.randint(0, 230)
