"""Pictures of text that differ in what they say: pages, slides, screens, tables, forms.

A function yields (variation, picture): what a picture changes in that before it, or which of its
kind it is. No two say the same, so none is a copy of another.
"""

import random
from collections.abc import Iterator

from PIL import Image, ImageDraw, ImageFont

Variation = tuple[str, Image.Image]
VOCABULARY = (
    "the of and to in for is on that by this with from are as be it was or an at not have which "
    "report value section number method result table figure order change account service market "
    "water region level growth process energy building contract customer delivery machine measure "
    "model network office payment period product project quality research school season signal "
    "station surface system theory traffic travel window winter between under over before after "
    "during early late higher lower first second third several common local public general small "
    "large open closed annual monthly early written given taken found shown made used kept sent"
)
WORDS = sorted(set(VOCABULARY.split()))
INK = (25, 25, 28)
LINE = 27
"""Pixels from one line of a page to the next."""
PAGE = (800, 1100)

Paragraph = list[list[str]]


def pages(choose: random.Random, count: int) -> Iterator[Variation]:
    """Yield base pages, and each with a number, a word, a line, a paragraph, and half changed."""
    for page in range(count):
        text = _text(choose)
        title = f"{page + 1}. {' '.join(choose.sample(WORDS, 3)).capitalize()}"
        yield "another page", _page(title, text)
        for variation in ("number", "word", "line", "paragraph", "half"):
            yield variation, _page(title, _changed(text, variation, choose))


def _text(choose: random.Random) -> list[Paragraph]:
    return [[_line(choose) for _ in range(choose.randint(4, 7))] for _ in range(5)]


def _line(choose: random.Random) -> list[str]:
    words = [choose.choice(WORDS) for _ in range(10)]
    if choose.random() < 0.4:
        words[choose.randrange(10)] = str(choose.randint(100, 9999))
    return words


def _changed(text: list[Paragraph], what: str, choose: random.Random) -> list[Paragraph]:
    new = [[list(line) for line in paragraph] for paragraph in text]
    paragraph = choose.randrange(len(new))
    line = choose.randrange(len(new[paragraph]) - 1)
    word = choose.randrange(1, 9)
    if what == "half":
        half = len(new) // 2
        new[half:] = [[_line(choose) for _ in lines] for lines in new[half:]]
    elif what == "paragraph":
        new[paragraph] = [_line(choose) for _ in new[paragraph]]
    elif what == "line":
        new[paragraph][line] = _line(choose)
    elif what == "word":
        old = new[paragraph][line][word]
        new[paragraph][line][word] = choose.choice([it for it in WORDS if it != old])
    else:
        numbers = [
            (p, i, j)
            for p, lines in enumerate(new)
            for i, words in enumerate(lines)
            for j, it in enumerate(words)
            if it.isdigit()
        ]
        p, i, j = choose.choice(numbers)
        new[p][i][j] = str(_another(int(new[p][i][j]), choose))
    return new


def _page(title: str, text: list[Paragraph]) -> Image.Image:
    page = Image.new("RGB", PAGE, (253, 253, 251))
    draw = ImageDraw.Draw(page)
    draw.text((80, 60), title, INK, ImageFont.load_default(30))
    font = ImageFont.load_default(17)
    y = 130
    for paragraph in text:
        for words in paragraph:
            draw.text((80, y), " ".join(words), INK, font)
            y += LINE
        y += LINE // 2
    return page


def slides(choose: random.Random, count: int) -> Iterator[Variation]:
    """Yield decks of eight slides of one design."""
    for _ in range(count):
        ground, accent = _light(choose), _dark(choose)
        for number in range(8):
            slide = Image.new("RGB", (960, 540), ground)
            draw = ImageDraw.Draw(slide)
            draw.rectangle((0, 0, 960, 90), accent)
            title = " ".join(choose.sample(WORDS, 4)).capitalize()
            draw.text((40, 25), title, "white", ImageFont.load_default(36))
            for bullet in range(choose.randint(2, 5)):
                y = 140 + 65 * bullet
                draw.ellipse((50, y + 8, 62, y + 20), accent)
                line = " ".join(choose.sample(WORDS, choose.randint(4, 8)))
                draw.text((80, y), line, INK, ImageFont.load_default(24))
            draw.text((900, 505), str(number + 1), accent, ImageFont.load_default(18))
            yield "another slide of the deck", slide


def screens(choose: random.Random, count: int) -> Iterator[Variation]:
    """Yield apps in five states: another row selected, a switch, a message, another list."""
    for _ in range(count):
        accent, ground = _dark(choose), _light(choose)
        names = [" ".join(choose.sample(WORDS, 2)).title() for _ in range(9)]
        other = [" ".join(choose.sample(WORDS, 2)).title() for _ in range(9)]
        yield "another app", _screen(names, ground, accent)
        row = choose.randint(1, 8)
        yield "another row is selected", _screen(names, ground, accent, selected=row)
        yield "a switch is on", _screen(names, ground, accent, switched=choose.randrange(9))
        yield "a message is open", _screen(names, ground, accent, message=" ".join(other[:2]))
        yield "another list", _screen(other, ground, accent)


def _screen(
    names: list[str],
    ground: tuple[int, int, int],
    accent: tuple[int, int, int],
    *,
    selected: int = 0,
    switched: int | None = None,
    message: str = "",
) -> Image.Image:
    screen = Image.new("RGB", (450, 800), ground)
    draw = ImageDraw.Draw(screen)
    draw.rectangle((0, 0, 450, 70), accent)
    draw.text((20, 22), "Settings", "white", ImageFont.load_default(26))
    font = ImageFont.load_default(20)
    for row, name in enumerate(names):
        y = 80 + 70 * row
        if row == selected:
            lit = Image.blend(
                Image.new("RGB", (1, 1), ground), Image.new("RGB", (1, 1), accent), 0.25
            )
            screen.paste(lit.resize((450, 68)), (0, y))
        draw.rounded_rectangle((18, y + 16, 54, y + 52), 8, accent)
        draw.text((75, y + 22), name, INK, font)
        on = row == switched
        draw.rounded_rectangle((380, y + 22, 430, y + 46), 12, accent if on else (170, 170, 170))
        x = 406 if on else 382
        draw.ellipse((x, y + 24, x + 20, y + 44), "white")
        draw.line((75, y + 69, 450, y + 69), (190, 190, 190))
    if message:
        draw.rounded_rectangle((50, 300, 400, 480), 16, "white", (120, 120, 120))
        draw.text((70, 330), message, INK, font)
        draw.rounded_rectangle((290, 420, 380, 460), 8, accent)
        draw.text((315, 428), "OK", "white", font)
    return screen


def tables(choose: random.Random, count: int) -> Iterator[Variation]:
    """Yield tables of numbers, and each with a cell, a row, a column, and the order changed."""
    for _ in range(count):
        heads = [choose.choice(WORDS).title() for _ in range(6)]
        cells = [[choose.randint(10, 9999) for _ in heads] for _ in range(16)]
        row, column = choose.randrange(16), choose.randrange(6)
        yield "another table", _table(heads, cells)
        for variation in ("cell", "row", "column", "order"):
            new = [list(values) for values in cells]
            if variation == "order":
                new.sort(key=lambda values: values[0])
            for y, values in enumerate(new):
                for x, value in enumerate(values):
                    is_changed = {
                        "cell": (y, x) == (row, column),
                        "row": y == row,
                        "column": x == column,
                        "order": False,
                    }
                    if is_changed[variation]:
                        values[x] = _another(value, choose)
            yield variation, _table(heads, new)


def _another(old: int, choose: random.Random) -> int:
    new = choose.randint(10, 9998)
    return new + (new >= old)


def _table(heads: list[str], cells: list[list[int]]) -> Image.Image:
    table = Image.new("RGB", (780, 620), "white")
    draw = ImageDraw.Draw(table)
    font = ImageFont.load_default(18)
    draw.rectangle((20, 20, 760, 54), (225, 230, 238))
    for x, head in enumerate(heads):
        draw.text((35 + 124 * x, 27), head, INK, font)
    for y, values in enumerate(cells):
        for x, value in enumerate(values):
            draw.text((120 + 124 * x, 74 + 34 * y), str(value), INK, font, anchor="rm")
        draw.line((20, 90 + 34 * y, 760, 90 + 34 * y), (205, 205, 205))
    return table


def forms(choose: random.Random, count: int) -> Iterator[Variation]:
    """Yield forms, each filled in by six people."""
    for _ in range(count):
        labels = [" ".join(choose.sample(WORDS, 2)).title() for _ in range(10)]
        for _ in range(6):
            form = Image.new("RGB", (700, 900), (252, 252, 248))
            draw = ImageDraw.Draw(form)
            draw.text((50, 40), "Application form", INK, ImageFont.load_default(32))
            for row, label in enumerate(labels):
                y = 120 + 70 * row
                draw.text((50, y), label, (90, 90, 90), ImageFont.load_default(16))
                draw.rectangle((230, y - 8, 650, y + 32), "white", (120, 120, 120))
                answer = " ".join(choose.sample(WORDS, choose.randint(1, 3))).title()
                draw.text((242, y), answer, (20, 30, 120), ImageFont.load_default(20))
            for box in range(4):
                x = 60 + 150 * box
                draw.rectangle((x, 830, x + 22, 852), "white", (60, 60, 60))
                if choose.random() < 0.5:
                    draw.line((x, 830, x + 22, 852), (20, 30, 120), 3)
            yield "filled in by another", form


def _light(choose: random.Random) -> tuple[int, int, int]:
    return choose.randint(225, 255), choose.randint(225, 255), choose.randint(225, 255)


def _dark(choose: random.Random) -> tuple[int, int, int]:
    return choose.randint(10, 120), choose.randint(10, 120), choose.randint(10, 140)
