"""Laying one picture over another: what is confirmed, what is refused, and what is said of it."""

import io
import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps
from skimage import data

from dedup_widgets.alignment.bars import bar_over
from dedup_widgets.alignment.comparable import Comparable, comparable
from dedup_widgets.alignment.confirm import confirm
from dedup_widgets.alignment.content import is_repeating, shifts_onto_itself
from dedup_widgets.alignment.geometry import IDENTITY, overlap
from dedup_widgets.alignment.moved import has_moved
from dedup_widgets.alignment.overlay import Overlay, blurred, refine
from dedup_widgets.alignment.photos import as_bright
from dedup_widgets.alignment.points import agree
from dedup_widgets.alignment.sharpness import equally_sharp
from dedup_widgets.images import layers
from dedup_widgets.images.thumbnail import thumbnail


def seen(picture, extra=()):
    """Return a picture as the store hands it out."""
    rgb = picture.convert("RGB")
    small = rgb.copy()
    small.thumbnail((256, 256))
    kept = list(extra)
    if layers.is_like_a_page(np.asarray(small.convert("L"))):
        kept.insert(0, layers.layer("page", rgb.convert("L")))
    return comparable(thumbnail(rgb), layers.to_bytes(kept), *picture.size)


def jpeg(picture, quality):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file)


def photo(name="astronaut"):
    return Image.fromarray(getattr(data, name)()).convert("RGB")


def crop(picture, left, top, right, bottom):
    w, h = picture.size
    return picture.crop((int(left * w), int(top * h), int(right * w), int(bottom * h)))


WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "and", "far", "away")


def page(seed=0):
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (850, 1100), "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(22)
    for row in range(22):
        line = " ".join(rng.choice(WORDS, 9))
        draw.text((60, 80 + 44 * row), line, fill="black", font=font)
    return picture


def with_word(picture, place, word):
    picture = picture.copy()
    draw = ImageDraw.Draw(picture)
    draw.rectangle((*place, place[0] + 90, place[1] + 30), fill="white")
    draw.text(place, word, fill="black", font=ImageFont.load_default(22))
    return picture


EDITS = {
    "jpeg": (lambda p: jpeg(p, 12), "re-encoded"),
    "half": (lambda p: p.resize((p.width // 2, p.height // 2)), "resized"),
    "thumbnail": (lambda p: p.resize((96, 96 * p.height // p.width)), "resized"),
    "mirrored": (ImageOps.mirror, "flipped"),
    "upside down": (ImageOps.flip, "flipped"),
    "quarter turn": (lambda p: p.transpose(Image.Transpose.ROTATE_90), "turned"),
    "half turn": (lambda p: p.rotate(180), "turned"),
    "25 degrees": (lambda p: p.rotate(25, Image.Resampling.BICUBIC), "rotated"),
    "cropped": (lambda p: crop(p, 0.15, 0.1, 0.8, 0.8), "cropped"),
    "framed": (lambda p: ImageOps.expand(p, 40, "black"), "framed"),
}


@pytest.mark.lengthy
@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_a_copy_is_confirmed_and_named(name, edit):
    change, relation = EDITS[edit]
    original = photo(name)
    found = confirm(seen(change(original)), seen(original))
    assert found.is_confirmed
    assert found.relation == relation
    assert 0 < found.agreement <= 1


@pytest.mark.lengthy
@pytest.mark.parametrize("factor", [0.5, 1.6])
def test_a_darker_or_brighter_copy_is_confirmed(factor):
    original = photo()
    assert confirm(seen(ImageEnhance.Brightness(original).enhance(factor)), seen(original)).relation


@pytest.mark.lengthy
@pytest.mark.parametrize("angle", [10, 33, 60])
@pytest.mark.parametrize("corners", ["black", "white"])
def test_corners_of_one_colour_draw_no_map_away(corners, angle):
    original = photo()
    turned = original.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=corners)
    a, b = seen(turned), seen(original)
    _, found = agree(a.points, b.points)
    once = refine(a.content, b.content, found, 96)
    assert once == pytest.approx(found, abs=0.02)
    assert refine(a.content, b.content, once, 96) == pytest.approx(once, abs=0.002)
    assert confirm(a, b).relation == "rotated"


@pytest.mark.lengthy
def test_different_photos_are_refused():
    pictures = [
        seen(photo(n)) for n in ("astronaut", "coffee", "chelsea", "rocket", "cat", "coins")
    ]
    for a, b in itertools.combinations(pictures, 2):
        if a.order == b.order or a.width == b.width:  # scikit-image's cat is chelsea
            continue
        found = confirm(a, b)
        assert not found.is_confirmed
        assert found.agreement == 0
        assert found.relation is None


def test_text_over_a_copy_is_said_and_on_which_side():
    original, copy = photo(), photo()
    ImageDraw.Draw(copy).text((40, 360), "SAMPLE", fill="red", font=ImageFont.load_default(90))
    found = confirm(seen(copy), seen(original))
    assert found.relation == "overlaid"
    assert found.over_a > found.over_b == 0


def lettered(picture):
    picture = picture.copy()
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(picture.height // 8)
    for text, y, anchor in (("NOBODY EVER", 0.03, "ma"), ("TOLD ME THIS", 0.96, "md")):
        at = (picture.width // 2, picture.height * y)
        draw.text(at, text, "white", font, anchor, stroke_width=3, stroke_fill="black")
    return picture


def captioned(picture):
    picture = picture.copy()
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0.86 * picture.height, picture.width, picture.height), "black")
    font = ImageFont.load_default(picture.height // 14)
    draw.text((30, 0.89 * picture.height), "What we saw on day 31", "white", font)
    return picture


def on_a_bar(picture, words, share=0.06, fill=(0, 0, 0)):
    """Write at the foot of a picture, on a bar that is twice as high as the letters."""
    picture = picture.copy()
    size = int(share * picture.height)
    top = picture.height - 2 * size
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, top, picture.width, picture.height), fill)
    draw.text((size, top + size // 3), words, "white", font=ImageFont.load_default(size))
    return picture


@pytest.mark.parametrize("share", [0.05, 0.07])
def test_a_bar_that_is_as_dark_as_what_it_lies_over_is_said(share):
    dark = ImageEnhance.Brightness(photo("coffee")).enhance(0.6)
    found = confirm(seen(jpeg(on_a_bar(dark, "No. 331: what we saw", share), 85)), seen(dark))
    assert found.relation == "overlaid"
    assert found.over_a > found.over_b


def test_bars_with_other_words_are_other_pictures():
    both = [on_a_bar(photo("coffee"), words) for words in ("No. 331: day 67", "No. 802: day 41")]
    assert not confirm(*map(seen, both)).is_confirmed


@pytest.mark.parametrize("side", range(4))
@pytest.mark.parametrize("is_over_a", [True, False])
def test_a_bar_is_found_along_any_side_of_one_picture(side, is_over_a):
    bare = np.asarray(photo("coffee").convert("L").resize((256, 256)), np.float32)
    over = bare.copy()
    np.rot90(over, side)[:30] = 20
    shown = np.ones(bare.shape, bool)
    pair = (over, bare) if is_over_a else (bare, over)
    bar = bar_over(Overlay(*pair, shown, IDENTITY, IDENTITY))
    assert bar.is_over_a is is_over_a
    assert np.rot90(bar.there, side)[:30].all()
    assert not np.rot90(bar.there, side)[34:].any()
    assert bar_over(Overlay(over, over, shown, IDENTITY, IDENTITY)) is None


@pytest.mark.parametrize("change", [lettered, captioned])
@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_letters_and_a_caption_over_a_copy_are_said(name, change):
    original = photo(name)
    found = confirm(seen(change(original)), seen(original))
    assert found.relation == "overlaid"
    assert found.over_a > found.over_b == 0


def test_something_dark_over_a_bright_place_leaves_the_tones_of_the_rest():
    bright = np.linspace(120, 250, 4096, dtype=np.float32).reshape(64, 64)
    covered = bright.copy()
    covered[40:] = np.where(np.arange(24)[:, None] < 6, 0, covered[40:])
    mapped = as_bright(covered, bright, np.ones((64, 64), bool))
    assert np.abs(mapped - bright)[:40].max() < 8


@pytest.mark.parametrize("factor", [2.5, 0.4])
def test_a_whole_picture_may_be_stretched_more_than_a_part_of_it(factor):
    original = photo("coffee")
    stretched = original.resize((round(original.width * factor), original.height))
    assert confirm(seen(stretched), seen(original)).relation == "resized"


@pytest.mark.lengthy
def test_one_picture_of_a_collage_is_refused():
    collage = Image.new("RGB", (1024, 1024))
    for k, name in enumerate(("astronaut", "coffee", "chelsea", "rocket")):
        collage.paste(photo(name).resize((512, 512)), (k % 2 * 512, k // 2 * 512))
    assert not confirm(seen(photo()), seen(collage)).is_confirmed


@pytest.mark.parametrize("tone", [60, 120, 170])
def test_a_box_lies_over_the_picture_in_which_it_is_of_one_tone(tone):
    y, x = np.mgrid[:192, :256].astype(np.float32)
    bare = 110 + 40 * np.sin(x / 30) + 20 * np.sin(y / 17)
    strokes = np.sign(np.sin(x / 1.6) + np.sin(y / 2.1))
    bare[20:100, 20:110] += 85 * strokes[20:100, 20:110]
    bare += np.random.default_rng(0).normal(0, 3, bare.shape)
    bare = blurred(bare.clip(0, 255).astype(np.float32), 0.5)
    # One box lies over strokes, the other one over smooth ground.
    covered = bare.copy()
    covered[35:70, 35:85], covered[110:150, 140:200] = tone, 160
    shown = np.ones(bare.shape, bool)
    assert not has_moved(Overlay(covered, bare, shown, IDENTITY, IDENTITY))
    # A thing of one tone that was first here and then there.
    before, after = bare.copy(), bare.copy()
    before[35:70, 35:85] = after[110:150, 140:200] = 40
    assert has_moved(Overlay(before, after, shown, IDENTITY, IDENTITY))


@pytest.mark.parametrize("gap", [0, 10])
@pytest.mark.parametrize("is_across", [True, False])
def test_one_of_two_pictures_beside_each_other_is_refused(gap, is_across):
    width, height = 360, 270
    at = (2 * gap + width, gap) if is_across else (gap, 2 * gap + height)
    for pair in itertools.permutations(("astronaut", "coffee", "chelsea", "rocket"), 2):
        one, other = (photo(name).resize((width, height)) for name in pair)
        both = Image.new("RGB", (at[0] + width + gap, at[1] + height + gap), "white")
        both.paste(one, (gap, gap))
        both.paste(other, at)
        assert not confirm(seen(photo(pair[0])), seen(both)).is_confirmed, pair


def hills(seed, side=64):
    """Draw three ranges of hills in haze, in one of four colours."""
    rng, along = np.random.default_rng(seed), np.arange(side)
    tones = np.repeat(np.linspace(0.9, 0.75, side)[:, None], side, axis=1)
    for number in range(3):
        ridge = side * (0.4 + 0.17 * number) + sum(
            side
            * 0.05
            * rng.normal()
            / waves
            * np.sin(2 * np.pi * waves * along / side + rng.uniform(0, 6.3))
            for waves in (1, 2, 3, 5)
        )
        tones[along[:, None] >= ridge] = 0.62 - 0.2 * number
    colour = np.array([[1, 0.85, 0.6], [0.6, 0.8, 1], [0.8, 0.7, 1], [0.75, 0.9, 0.8]])[seed % 4]
    pixels = tones[..., None] * colour + rng.normal(0, 0.008, (side, side, 1))
    return Image.fromarray((255 * np.clip(pixels, 0, 1)).astype(np.uint8))


@pytest.mark.lengthy
def test_of_pictures_of_few_pixels_hills_like_others_are_refused_and_copies_are_not():
    pictures = [seen(hills(seed)) for seed in range(16)]
    for a, b in itertools.combinations(pictures, 2):
        assert not confirm(a, b).is_confirmed
    for seed, own in enumerate(pictures):
        for copy in (jpeg(hills(seed), 60), hills(seed).resize((256, 256))):
            assert confirm(own, seen(copy)).is_confirmed


@pytest.mark.lengthy
def test_another_thing_before_the_same_background_is_refused():
    first, second = photo("coffee"), photo("coffee")
    thing = crop(photo("chelsea"), 0.2, 0.1, 0.8, 0.9)
    second.paste(thing.resize((260, 260)), (170, 70))
    assert not confirm(seen(first), seen(second)).is_confirmed


@pytest.mark.lengthy
def test_the_geometry_says_how_a_lies_on_b():
    original = photo("coffee")
    part = crop(original, 0.2, 0.1, 0.9, 0.8)
    found = confirm(seen(part.resize((part.width // 2, part.height // 2))), seen(original))
    assert found.box == pytest.approx((0.2, 0.1, 0.9, 0.8), abs=0.01)
    assert found.scale == pytest.approx(0.5, abs=0.01)
    assert not found.is_mirrored
    assert confirm(seen(original.rotate(10)), seen(original)).angle == pytest.approx(10, abs=0.3)
    upright = seen(original.transpose(Image.Transpose.ROTATE_90))
    assert confirm(upright, seen(original)).angle == pytest.approx(90, abs=0.3)


@pytest.mark.lengthy
def test_the_order_of_two_pictures_changes_nothing():
    a, b = seen(crop(photo(), 0, 0, 0.8, 0.8).rotate(9)), seen(photo())
    assert confirm(a, b).is_confirmed
    assert confirm(a, b) == confirm(b, a).inverse()
    assert confirm(b, a) == confirm(a, b).inverse()


@pytest.mark.lengthy
def test_threads_and_repetition_change_nothing():
    def found(_):
        return confirm(seen(photo("chelsea").rotate(20)), seen(photo("chelsea")))

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(found, range(8)))) == 1


@pytest.mark.lengthy
def test_copies_of_a_page_are_confirmed():
    original = page()
    copies = [
        jpeg(original, 30),
        original.resize((425, 550), Image.Resampling.BOX),
        ImageEnhance.Brightness(original).enhance(0.8),
        original.rotate(90, expand=True),
        original.rotate(0.7, Image.Resampling.BICUBIC, fillcolor="white"),
        crop(original, 0.02, 0.02, 0.98, 0.98),
    ]
    assert [confirm(seen(copy), seen(original)).is_confirmed for copy in copies] == [True] * 6


def screen(reading=7):
    """Return a dark screen: what lies beside a tilted copy of it is much brighter, or framed."""
    picture = Image.new("RGB", (700, 460), (24, 28, 38))
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(30)
    for number in range(6):
        x, y = 40 + 220 * (number % 3), 40 + 200 * (number // 3)
        draw.rounded_rectangle((x, y, x + 180, y + 160), 14, fill=(40, 52, 74))
        draw.text((x + 20, y + 20), f"sensor {number}", fill=(170, 180, 200), font=font)
        value = reading if number == 4 else 13 * number + 5
        draw.text((x + 20, y + 90), f"{value} kPa", fill="white", font=font)
    return picture


@pytest.mark.parametrize(
    "edit",
    [
        lambda p: p.rotate(1, Image.Resampling.BICUBIC, expand=True, fillcolor="white"),
        lambda p: p.rotate(-3, Image.Resampling.BICUBIC, expand=True, fillcolor="black"),
        lambda p: ImageOps.expand(p, 30, "white"),
        lambda p: crop(p, 0.03, 0.02, 0.97, 0.98),
    ],
)
def test_what_lies_beside_a_tilted_or_framed_screen_does_not_count(edit):
    assert confirm(seen(edit(screen())), seen(screen())).is_confirmed
    assert not confirm(seen(edit(screen(reading=9))), seen(screen())).is_confirmed


def table(value=61):
    """Return a table of even lines: it lies on itself, shifted, but for what is written in it."""
    picture = Image.new("RGB", (780, 620), "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(20)
    cells = np.random.default_rng(5).integers(10, 99, (17, 5))
    cells[8, 2] = value
    for row, values in enumerate(cells):
        for column, number in enumerate(values):
            draw.text((40 + 145 * column, 34 + 33 * row), f"{number}.0", fill="black", font=font)
        draw.line((30, 60 + 33 * row, 750, 60 + 33 * row), fill=(200, 200, 200))
    return picture


@pytest.mark.parametrize(
    "edit",
    [
        lambda p: p.rotate(2, Image.Resampling.BICUBIC, expand=True, fillcolor="white"),
        lambda p: p.rotate(-8, Image.Resampling.BICUBIC, expand=True, fillcolor="black"),
        lambda p: crop(p, 0.1, 0.12, 0.9, 0.92),
    ],
)
def test_a_page_of_even_lines_is_found_in_another_pose(edit):
    assert seen(table()).is_repeating
    assert not seen(table()).is_repeating_page
    assert confirm(seen(edit(table())), seen(table())).is_confirmed
    assert not confirm(seen(edit(table(value=67))), seen(table())).is_confirmed


def test_a_drawn_pattern_is_not_found_in_another_pose():
    squares = (np.indices((12, 15)).sum(axis=0) % 2 * 255).astype(np.uint8)
    board = Image.fromarray(np.kron(squares, np.ones((40, 40), np.uint8)))
    assert seen(board).is_repeating_page
    assert not confirm(seen(board.crop((0, 0, 440, 360))), seen(board)).is_confirmed
    assert confirm(seen(board.resize((400, 320))), seen(board)).is_confirmed


def test_a_photo_of_a_pattern_is_found_in_a_frame_and_not_in_another_pose():
    tile = np.asarray(photo("rocket").convert("L").resize((110, 90)))
    facade = np.tile(tile, (5, 6)) + np.random.default_rng(0).normal(0, 6, (450, 660))
    facade = Image.fromarray(facade.clip(0, 255).astype(np.uint8))
    assert seen(facade).is_repeating
    assert not seen(facade).is_drawn
    letterboxed = ImageOps.expand(facade, (0, 120), "black")
    assert confirm(seen(jpeg(letterboxed, 80)), seen(facade)).relation == "framed"
    moved = facade.crop((110, 90, 660, 450))
    assert not confirm(seen(jpeg(moved, 80)), seen(facade)).is_confirmed


@pytest.mark.parametrize("radius", [1.0, 1.6])
def test_a_number_that_differs_is_refused_in_a_blurred_page_too(radius):
    softly = ImageFilter.GaussianBlur(radius)
    assert confirm(seen(table().filter(softly)), seen(table())).is_confirmed
    assert not confirm(seen(table(value=67).filter(softly)), seen(table())).is_confirmed


def test_the_sharper_of_two_pictures_is_blurred():
    grey = page().convert("L")
    sharp, soft = (
        np.asarray(p, np.float32) for p in (grey, grey.filter(ImageFilter.GaussianBlur(1.1)))
    )
    laid = Overlay(sharp, soft, np.ones(sharp.shape, bool), IDENTITY, IDENTITY)
    equal = equally_sharp(laid, softest=1.5)
    assert np.abs(sharp - soft).mean() > 10 * np.abs(equal.a - equal.b).mean()
    assert equally_sharp(laid, softest=0.9) is None


def test_colours_beside_a_tilted_screen_do_not_count():
    def terminal(letters):
        picture = Image.new("RGB", (640, 360), (0, 40, 120))
        draw, font = ImageDraw.Draw(picture), ImageFont.load_default(26)
        for row, word in enumerate(WORDS):
            draw.text((10, 6 + 27 * row), f"$ {word} --{WORDS[-row]}", letters, font)
        return picture

    tilted = terminal("white").rotate(4, Image.Resampling.BICUBIC, expand=True, fillcolor="white")
    assert confirm(seen(jpeg(tilted, 88)), seen(terminal("white"))).is_confirmed
    assert not confirm(seen(terminal((255, 150, 255))), seen(terminal("white"))).is_confirmed


@pytest.mark.lengthy
def test_a_word_that_differs_is_refused():
    original = page()
    changed = with_word(original, (300, 432), "sphinx")
    assert not confirm(seen(changed), seen(original)).is_confirmed


@pytest.mark.lengthy
def test_another_page_is_refused():
    assert not confirm(seen(page(seed=1)), seen(page())).is_confirmed


@pytest.mark.parametrize("other", [(201, 90, 38), (120, 90, 38), (0, 0, 0)])
def test_other_flat_colours_are_refused(other):
    flat = Image.new("RGB", (300, 200), (190, 90, 38))
    assert confirm(seen(flat), seen(flat.resize((600, 400)))).is_confirmed
    assert not confirm(seen(flat), seen(Image.new("RGB", (300, 200), other))).is_confirmed


def test_other_transparency_is_refused():
    def icon(radius):
        alpha = Image.new("L", (64, 64))
        ImageDraw.Draw(alpha).ellipse((32 - radius, 32 - radius, 32 + radius, 32 + radius), 255)
        return seen(Image.new("RGB", (64, 64), "white"), [layers.layer("alpha", alpha)])

    assert confirm(icon(20), icon(20)).is_confirmed
    assert not confirm(icon(20), icon(12)).is_confirmed
    assert not confirm(icon(20), seen(Image.new("RGB", (64, 64), "white"))).is_confirmed


@pytest.mark.lengthy
def test_other_frames_are_refused():
    def animation(*names):
        first, *rest = (photo(name) for name in names)
        return seen(first, [layers.layer("frame", p.convert("L")) for p in rest])

    one = animation("astronaut", "coffee", "chelsea")
    assert confirm(one, animation("astronaut", "coffee", "chelsea")).is_confirmed
    assert not confirm(one, animation("astronaut", "coffee", "rocket")).is_confirmed
    assert not confirm(one, animation("astronaut", "coffee")).is_confirmed


def test_a_comparable_holds_pixels_alone():
    rgb = np.asarray(photo().resize((200, 200)))
    assert confirm(Comparable(rgb, (), 512, 512), seen(photo())).is_confirmed


@pytest.mark.lengthy
def test_a_thing_that_moved_is_refused():
    first, second = photo("coffee"), photo("coffee")
    thing = crop(photo("chelsea"), 0.3, 0.2, 0.7, 0.8).resize((80, 80))
    first.paste(thing, (40, 60))
    second.paste(thing, (420, 250))
    assert not confirm(seen(first), seen(second)).is_confirmed


def with_walker(picture, x, y, side):
    """Let somebody walk through a picture: shaded, in a dark coat, with a head."""
    seen_from = np.linspace(0.6, 1.3, side)[None, :, None]
    coat = np.full((2 * side, side, 3), (40, 45, 60)) * seen_from
    coat[side:, side // 3 : 2 * side // 3] += 60
    picture = picture.copy()
    picture.paste(Image.fromarray(coat.clip(0, 255).astype(np.uint8)), (x, y))
    head = (x + side // 4, y - side // 2, x + 3 * side // 4, y)
    ImageDraw.Draw(picture).ellipse(head, (190, 150, 130))
    return picture


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("astronaut", (40, 200), (330, 40)),
        ("coffee", (60, 200), (300, 150)),
        ("chelsea", (60, 200), (300, 150)),
        ("coffee", (60, 200), (76, 205)),
    ],
)
def test_two_shots_through_which_somebody_walked_are_refused(name, one, other):
    shots = [jpeg(with_walker(photo(name), *place, 22), 90) for place in (one, other)]
    assert not confirm(*map(seen, shots)).is_confirmed


def swirled(picture, x, y, side):
    """Let something round turn in its place, as a face does: only a small part differs."""
    picture = picture.copy()
    part = picture.crop((x, y, x + side, y + side))
    mask = Image.new("L", part.size)
    ImageDraw.Draw(mask).ellipse((2, 2, side - 3, side - 3), 255)
    picture.paste(part.rotate(90), (x, y), mask.filter(ImageFilter.GaussianBlur(2)))
    return picture


def test_two_shots_of_a_face_that_turned_are_refused():
    original = photo()
    other = jpeg(swirled(original, 188, 64, 56), 92)
    assert not confirm(seen(other), seen(original)).is_confirmed


def with_bar(picture, how_dark):
    """Put a bar through which the picture is seen at its foot, with letters on it."""
    width, height = picture.size
    bar = Image.new("RGBA", picture.size)
    draw = ImageDraw.Draw(bar)
    draw.rectangle((0, 0.82 * height, width, height), (0, 0, 0, how_dark))
    draw.text((0.05 * width, 0.86 * height), "seen on day 14", "white", ImageFont.load_default(30))
    return Image.alpha_composite(picture.convert("RGBA"), bar).convert("RGB")


def shaded(picture):
    """Darken a picture towards its foot, evenly, and write on it."""
    height = picture.height
    dark = np.linspace(0, 1, height).clip(0.5, 1)[:, None, None] * 1.6 - 0.8
    made = Image.fromarray((np.asarray(picture) * (1 - dark)).astype(np.uint8))
    font = ImageFont.load_default(34)
    ImageDraw.Draw(made).text((20, 0.84 * height), "What we saw", "white", font)
    return made


@pytest.mark.parametrize("edit", [lambda p: with_bar(p, 110), lambda p: with_bar(p, 160), shaded])
@pytest.mark.parametrize("name", ["astronaut", "chelsea"])
def test_a_copy_that_is_seen_through_what_lies_over_it_is_confirmed(name, edit):
    original = photo(name)
    found = confirm(seen(jpeg(edit(original), 85)), seen(original))
    assert found.relation == "overlaid"
    assert found.over_a > found.over_b == 0


def test_a_logo_over_a_copy_is_said():
    copy = photo()
    ImageDraw.Draw(copy).ellipse((20, 20, 110, 110), (215, 40, 60), "white", 4)
    assert confirm(seen(copy), seen(photo())).relation == "overlaid"


def signed(picture, x, y):
    """Put a sign of three tones over a picture: a disc with a rim, and a mark on it."""
    picture = picture.copy()
    draw = ImageDraw.Draw(picture)
    draw.ellipse((x, y, x + 100, y + 100), (30, 90, 200), (250, 220, 40), 9)
    draw.polygon([(x + 50, y + 20), (x + 80, y + 75), (x + 20, y + 75)], "white")
    return picture


@pytest.mark.parametrize("place", [(10, 10), (20, 280), (270, 20), (250, 250)])
@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_a_sign_over_a_copy_is_said_and_on_which_side(name, place):
    original = photo(name)
    found = confirm(seen(signed(original, *place)), seen(original))
    assert found.relation == "overlaid"
    assert found.over_a > found.over_b == 0


def on_paper(side=400):
    """Lay a thing on grey paper, as it is photographed: the paper varies a little everywhere."""
    rng = np.random.default_rng(5)
    grain = np.kron(rng.normal(0, 4, (side // 4, side // 4)), np.ones((4, 4)))
    paper = (205 + grain + np.linspace(-4, 4, side)).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(paper).convert("RGB")
    picture.paste(crop(photo("chelsea"), 0.3, 0.1, 0.7, 0.7).resize((160, 160)), (120, 110))
    return picture


def test_the_ground_of_a_thing_belongs_to_the_picture_and_a_frame_does_not():
    original = on_paper()
    cropped = confirm(seen(jpeg(crop(original, 0.1, 0.1, 0.9, 0.9), 90)), seen(original))
    assert cropped.relation == "cropped"
    assert cropped.inside_b == pytest.approx(0.64, abs=0.02)
    framed = confirm(seen(jpeg(ImageOps.expand(original, 40, "white"), 90)), seen(original))
    assert framed.relation == "framed"


def in_perspective(picture, by):
    """Keep the foot of a picture, and make its head wider."""
    w, h = picture.size
    # The projection that takes the corners of the copy to places inside the original.
    corners, places = (
        [(0, 0), (w, 0), (0, h), (w, h)],
        [(by * w, 0), (w - by * w, 0), (0, h), (w, h)],
    )
    rows = []
    for (x, y), (u, v) in zip(corners, places, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    numbers = np.linalg.solve(np.array(rows, float), np.ravel(places))
    how = Image.Transform.PERSPECTIVE
    return picture.transform(picture.size, how, numbers.tolist(), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_a_copy_in_mild_perspective_is_confirmed_and_one_from_far_aside_is_not(name):
    original = photo(name)
    assert confirm(seen(in_perspective(original, 0.08)), seen(original)).is_confirmed
    assert not confirm(seen(in_perspective(original, 0.3)), seen(original)).is_confirmed


@pytest.mark.parametrize("colour", [(215, 40, 60), (40, 90, 60), (60, 60, 160)])
def test_a_small_sign_that_is_half_edges_is_laid_over(colour):
    original = photo("coffee").resize((300, 200))
    copy = original.copy()
    draw = ImageDraw.Draw(copy)
    draw.ellipse((150, 100, 190, 140), colour, "white", 2)
    draw.text((170, 120), "DW", "white", ImageFont.load_default(16), anchor="mm")
    found = confirm(seen(jpeg(copy, 90)), seen(original))
    assert found.relation == "overlaid"
    assert found.over_a > found.over_b == 0


def test_a_dark_bar_over_a_place_that_is_partly_dark_is_laid_over():
    original = ImageEnhance.Brightness(photo("rocket").resize((300, 200))).enhance(0.5)
    copy = original.copy()
    draw = ImageDraw.Draw(copy)
    draw.rectangle((0, 172, 300, 200), (20, 20, 20))
    draw.text((14, 176), "No. 214: what we saw", "white", ImageFont.load_default(14))
    assert confirm(seen(jpeg(copy, 90)), seen(original)).relation == "overlaid"


def test_a_calibration_board_in_another_pose_is_refused():
    squares = (np.indices((7, 10)).sum(axis=0) % 2 * 255).astype(np.uint8)
    board = Image.fromarray(np.pad(np.kron(squares, np.ones((32, 32), np.uint8)), 20)).convert(
        "RGB"
    )

    def pose(angle, at):
        scene = Image.new("RGB", (640, 480), (120, 116, 108))
        turned = board.convert("RGBA").rotate(angle, Image.Resampling.BICUBIC, expand=True)
        scene.paste(turned, at, turned)
        return seen(scene)

    assert not confirm(pose(3, (20, 30)), pose(-22, (150, 90))).is_confirmed


def rosette(points, step):
    """Draw a star of fine pale lines: each point is joined to the one `step` further on."""
    picture = Image.new("L", (400, 400), "white")
    turns = 2 * np.pi * step / points * np.arange(points + 1)
    corners = np.column_stack([200 + 170 * np.cos(turns), 200 + 170 * np.sin(turns)])
    ImageDraw.Draw(picture).line([tuple(at) for at in corners.tolist()], 190, 4)
    return picture.resize((100, 100), Image.Resampling.BOX).convert("RGB")


def test_fine_pale_lines_must_agree():
    one = rosette(58, 17)
    assert confirm(seen(jpeg(one, 40)), seen(one)).is_confirmed
    assert confirm(seen(one.resize((75, 75), Image.Resampling.LANCZOS)), seen(one)).is_confirmed
    assert not confirm(seen(rosette(75, 22)), seen(one)).is_confirmed


def plate(number):
    """Photograph a number plate on a wall."""
    picture = crop(photo("gravel"), 0, 0, 1, 0.6)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((60, 90, 450, 200), "white", "black", 4)
    draw.text((80, 105), number, "black", ImageFont.load_default(72))
    return picture


def needle(angle):
    """Photograph a dial whose needle points somewhere."""
    picture = photo("coffee")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((150, 50, 450, 350), "white", "black", 8)
    across, down = np.cos(angle), np.sin(angle)
    draw.line((300, 200, 300 + 130 * across, 200 + 130 * down), (190, 20, 20), 9)
    return picture


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (plate("KD 4715"), plate("MR 3092")),
        (lettered(photo()), lettered(photo().transpose(Image.Transpose.FLIP_LEFT_RIGHT))),
        (needle(0.3), needle(1.4)),
    ],
)
def test_other_writing_is_nothing_laid_over(one, other):
    assert not confirm(seen(one), seen(other)).is_confirmed


def labelled(number, name="coffee"):
    """Photograph a thing with a small label on it."""
    picture = photo(name)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((330, 240, 450, 290), (245, 244, 238))
    draw.text((340, 250), number, (20, 20, 24), ImageFont.load_default(28))
    return picture


def reading(number):
    """Photograph a display with digits."""
    picture = photo("gravel")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((100, 150, 410, 250), (150, 165, 140))
    draw.text((120, 165), number, (30, 35, 30), ImageFont.load_default(64))
    return picture


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (labelled("No 4713"), labelled("No 8296")),
        (labelled("No 4713", "chelsea"), labelled("No 4796", "chelsea")),
        (reading("004713"), reading("004796")),
    ],
)
def test_a_small_number_that_differs_is_refused(one, other):
    assert not confirm(seen(one), seen(other)).is_confirmed
    assert not confirm(seen(one), seen(jpeg(other, 60))).is_confirmed


def grainy(number):
    """Photograph a small label in poor light: of a crop fewer pixels lie on each other."""
    grain = np.random.default_rng(1).normal(0, 20, (200, 300, 1))
    pixels = np.asarray(photo("coffee"), float) + np.kron(grain, np.ones((2, 2, 1)))
    picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((330, 280, 407, 316), (225, 222, 214))
    draw.text((336, 284), number, (40, 40, 44), ImageFont.load_default(24))
    return picture


@pytest.mark.parametrize(
    "edit",
    [
        lambda p: crop(p, 0.03, 0.01, 0.98, 0.97),
        lambda p: crop(p, 0.05, 0.06, 0.95, 0.96),
        lambda p: crop(p.rotate(1, Image.Resampling.BICUBIC), 0.03, 0.03, 0.97, 0.97),
    ],
)
@pytest.mark.parametrize("scene", [grainy, reading, labelled])
def test_a_number_that_differs_is_refused_in_a_crop_too(scene, edit):
    first, other = scene("4713"), scene("8296")
    assert confirm(seen(first), seen(jpeg(edit(first), 85))).is_confirmed
    assert not confirm(seen(first), seen(jpeg(edit(other), 85))).is_confirmed


@pytest.mark.parametrize(
    "edit",
    [
        lambda p: jpeg(p, 20),
        lambda p: p.resize((300, 200)),
        lambda p: p.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        lambda p: crop(p, 0.1, 0.1, 0.95, 0.95),
        lambda p: ImageEnhance.Contrast(p).enhance(1.5),
        lambda p: ImageOps.expand(p, 30, "white"),
    ],
)
def test_a_copy_of_a_picture_with_a_small_number_is_confirmed(edit):
    first = labelled("No 4713")
    assert confirm(seen(first), seen(edit(first))).is_confirmed


def slice_of_a_volume(depth, seed=4):
    """Scan a smooth volume at some depth."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None])
    frequency[0, 0] = 1
    shape = (3, *frequency.shape)
    waves = (rng.normal(size=shape) + 1j * rng.normal(size=shape)) / frequency**1.7
    fields = np.fft.irfft2(waves * (frequency < 0.25), (256, 256))
    fields /= fields.std(axis=(1, 2), keepdims=True)
    scan = sum(field * np.cos(depth * (k + 1) + k) for k, field in enumerate(fields))
    return Image.fromarray((120 + 28 * scan).clip(8, 247).astype(np.uint8)).convert("RGB")


def test_neighbouring_slices_of_a_smooth_volume_are_refused():
    slices = [seen(slice_of_a_volume(depth)) for depth in (0, 0.12, 0.24)]
    assert not any(confirm(a, b).is_confirmed for a, b in itertools.pairwise(slices))


@pytest.mark.parametrize(
    "edit",
    [
        lambda p: jpeg(p, 30),
        lambda p: p.filter(ImageFilter.GaussianBlur(2)),
        lambda p: p.resize((100, 100)),
        lambda p: ImageEnhance.Brightness(p).enhance(0.7),
        lambda p: crop(p, 0.1, 0.05, 0.95, 1),
        lambda p: ImageOps.colorize(p.convert("L"), "black", "wheat"),
        lambda p: Image.composite(
            p, Image.new("RGB", p.size), Image.linear_gradient("L").point(lambda v: 127 + v // 2)
        ),
    ],
)
def test_a_copy_of_a_smooth_slice_is_confirmed(edit):
    first = slice_of_a_volume(0)
    assert confirm(seen(first), seen(edit(first))).is_confirmed


def wall(*names):
    picture = Image.new("RGB", (620, 420), "white")
    for at, name in enumerate(names):
        picture.paste(photo(name).resize((290, 190)), (15 + at % 2 * 300, 15 + at // 2 * 200))
    return picture


@pytest.mark.parametrize(("one", "other"), [("moon", "camera"), ("immunohistochemistry", "moon")])
def test_another_photo_on_a_wall_of_photos_is_nothing_laid_over(one, other):
    walls = [seen(wall(name, "coffee", "chelsea", "rocket")) for name in (one, other)]
    assert not confirm(*walls).is_confirmed


@pytest.mark.parametrize("seed", range(3))
def test_a_board_in_perspective_is_a_repeated_pattern_and_a_photo_is_none(seed):
    squares = (np.indices((7, 9)).sum(axis=0) % 2 * 200 + 30).astype(np.uint8)
    board = Image.fromarray(np.pad(np.kron(squares, np.ones((40, 40), np.uint8)), 20))
    outwards = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)])
    width, height = board.size
    corners = np.array([(0, 0), (0, height), (width, height), (width, 0)], float)
    corners += outwards * np.random.default_rng(seed).uniform(30, 90, (4, 2))
    scene = board.transform(
        (256, 192), Image.Transform.QUAD, corners.ravel().tolist(), fillcolor=120
    )
    assert is_repeating(shifts_onto_itself(np.asarray(scene)))
    beside = np.asarray(photo().convert("L").resize((256, 256)))
    assert not is_repeating(shifts_onto_itself(beside))


@pytest.mark.lengthy
def test_a_message_over_a_page_is_refused():
    changed = page()
    ImageDraw.Draw(changed).rounded_rectangle((200, 400, 650, 600), 16, "white", "grey")
    assert not confirm(seen(changed), seen(page())).is_confirmed


@pytest.mark.lengthy
def test_a_digit_that_differs_is_refused():
    one, other = (with_word(page(), (300, 432), number) for number in ("4715", "4716"))
    assert not confirm(seen(one), seen(other)).is_confirmed


@pytest.mark.lengthy
def test_a_sign_of_another_colour_is_refused_and_a_grey_copy_is_not():
    def sign(colour):
        picture = Image.new("RGB", (300, 300), "white")
        ImageDraw.Draw(picture).regular_polygon((150, 150, 110), 5, fill=colour)
        return picture

    red, blue = sign((190, 30, 40)), sign((40, 60, 190))
    assert not confirm(seen(red), seen(blue)).is_confirmed
    assert confirm(seen(red), seen(red.convert("L"))).is_confirmed


def arrow(picture=None, right=True, ground="white"):
    picture = picture or Image.new("RGB", (400, 300), ground)
    across = (60, 230, 230, 340) if right else (340, 170, 170, 60)
    a, b, _, end = across
    draw = ImageDraw.Draw(picture)
    draw.rectangle((min(a, b), 120, max(a, b), 180), "purple")
    draw.polygon([(b, 70), (b, 230), (end, 150)], "purple")
    return picture


def test_an_arrow_the_other_way_is_another_sign():
    there, back = arrow(), arrow(right=False)
    assert not confirm(seen(there), seen(back)).is_confirmed
    assert not confirm(seen(there), seen(there.rotate(90, expand=True))).is_confirmed
    assert not confirm(seen(there), seen(ImageOps.mirror(there))).is_confirmed
    smaller = there.resize((300, 225), Image.Resampling.BICUBIC)
    assert confirm(seen(there), seen(jpeg(smaller, 70))).is_confirmed
    assert confirm(seen(there), seen(ImageOps.expand(there, 30, "white"))).is_confirmed


@pytest.mark.parametrize("name", ["chelsea", "rocket"])
def test_a_small_photo_is_no_sign(name):
    small = photo(name).resize((160, 120))
    assert confirm(seen(small), seen(ImageOps.mirror(small))).relation == "flipped"


@pytest.mark.parametrize("pair", ["UÜ", "OÖ", "aå", "bd"])
def test_a_letter_is_another_one_with_an_accent_or_mirrored(pair):
    def letter(name):
        font = ImageFont.load_default(150)
        left, top, right, bottom = font.getbbox(name)
        picture = Image.new("RGB", (right - left, bottom - top), "white")
        ImageDraw.Draw(picture).text((-left, -top), name, "black", font)
        return picture

    one, other = map(letter, pair)
    assert not confirm(seen(one), seen(other)).is_confirmed
    assert confirm(seen(one), seen(jpeg(one, 60))).is_confirmed


def icon(skin, smile=True):
    """Return a shaded face on transparency, and its outline as the store keeps it."""
    y, x = np.mgrid[-64:64, -64:64]
    inside = np.hypot(x, y) < 56
    light = 1 - np.hypot(x + 15, y + 20) / 250
    rgb = np.where(inside[..., None], np.multiply.outer(light, skin), 255).clip(0, 255)
    picture = Image.fromarray(rgb.astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for eye in (40, 78):
        draw.ellipse((eye, 44, eye + 10, 58), "black")
    draw.arc((40, 64, 88, 96), 0, 180, "black", 5) if smile else draw.line((44, 88, 84, 88), 0, 5)
    return seen(picture, [layers.layer("alpha", Image.fromarray((inside * 255).astype(np.uint8)))])


def test_an_icon_in_another_colour_or_with_another_face_is_another_one():
    assert confirm(icon((230, 180, 120)), icon((226, 178, 122))).is_confirmed
    assert not confirm(icon((230, 180, 120)), icon((205, 158, 105))).is_confirmed
    assert not confirm(icon((230, 180, 120)), icon((230, 180, 120), smile=False)).is_confirmed


def plot(rise, first_label):
    """Return a shaded surface between axes: the more it fills, the less it looks drawn."""
    picture = Image.new("RGB", (800, 600), "white")
    y, x = np.mgrid[0:600, 0:800]
    surface = (y > 420 - rise) & (np.abs(x - 400) < 220) & (y < 480)
    shade = 60 + 160 * np.sin(x / 90) ** 2 * np.cos(y / 70) ** 2
    pixels = np.where(surface, shade, 255).astype(np.uint8)
    picture = Image.fromarray(pixels).convert("RGB")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(20)
    for step in range(6):
        draw.text((90, 440 - 70 * step), str(first_label + 5 * step), "black", font)
        draw.text((160 + 90 * step, 500), str(step - 3), "black", font)
    draw.line([(140, 90), (140, 480), (680, 480)], "black", 2)
    return picture


def test_a_plot_over_other_numbers_is_another_one_whether_it_looks_drawn_or_not():
    one, other = (seen(plot(150, label)) for label in (1, 40))
    assert not confirm(one, other).is_confirmed
    assert confirm(one, seen(jpeg(plot(150, 1), 60))).is_confirmed


def test_two_drawings_made_of_the_same_part_are_no_crops_of_each_other():
    def beside(*seeds):
        picture = Image.new("RGB", (700 * len(seeds), 600), "white")
        draw = ImageDraw.Draw(picture)
        for at, seed in enumerate(seeds):
            left = 700 * at + 80
            draw.line([(left, 40), (left, 540), (left + 560, 540)], "black", 3)
            places = np.random.default_rng(seed).normal(0.5, 0.16, (90, 2)).clip(0.05, 0.95)
            for x, y in places * (560, 500) + (left, 40):
                draw.ellipse((x - 9, y - 9, x + 9, y + 9), outline="steelblue", width=3)
        return picture

    assert not confirm(seen(beside(1, 2)), seen(beside(2, 3))).is_confirmed
    assert confirm(seen(beside(1, 2)), seen(beside(1, 2).crop((40, 20, 1380, 590)))).is_confirmed


@pytest.mark.parametrize("name", ["coffee", "chelsea", "rocket"])
def test_a_grey_copy_is_recoloured(name):
    assert confirm(seen(photo(name).convert("L")), seen(photo(name))).relation == "recoloured"


def other_hues(picture, degrees=120):
    hue, saturation, value = picture.convert("HSV").split()
    turned = hue.point(lambda h: (h + degrees * 256 // 360) % 256)
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
@pytest.mark.parametrize("edit", [other_hues, lambda p: Image.merge("RGB", p.split()[::-1])])
def test_a_copy_in_other_hues_is_recoloured(name, edit):
    found = confirm(seen(jpeg(edit(photo(name)), 85)), seen(photo(name)))
    assert found.is_confirmed
    assert found.relation == "recoloured"


def on_white(picture):
    """Return what is in the middle of a picture, cut out and shaded, on white."""
    disc = Image.new("L", picture.size)
    ImageDraw.Draw(disc).ellipse((40, 40, picture.width - 40, picture.height - 40), 255)
    return Image.composite(picture, Image.new("RGB", picture.size, "white"), disc)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_a_thing_on_white_in_another_colour_is_another_thing(name):
    thing = on_white(photo(name))
    assert not confirm(seen(other_hues(thing)), seen(thing)).is_confirmed
    for copy in (jpeg(thing, 30), ImageOps.grayscale(thing), captioned(thing)):
        assert confirm(seen(copy), seen(thing)).is_confirmed


@pytest.mark.parametrize("degrees", [60, 120, 180, 240])
def test_a_thing_of_two_colours_in_other_hues_is_another_thing(degrees):
    # Yellow is bright and blue is dark, but of one lightness: by that they would be alike.
    grey = np.asarray(photo("coffee").convert("L").resize((400, 400)), float)[..., None]
    is_left = np.indices((400, 400))[1][..., None] < 200
    two = np.where(is_left, (250, 230, 20), (20, 40, 250)) * (0.3 + 0.7 * grey / 255)
    thing = on_white(Image.fromarray(two.astype(np.uint8)))
    assert seen(thing).is_cut_out
    assert not seen(thing).is_drawn
    assert not confirm(seen(other_hues(thing, degrees)), seen(thing)).is_confirmed
    assert confirm(seen(jpeg(thing, 40)), seen(thing)).is_confirmed


def test_nearly_the_same_squares_overlap_whole():
    nearly = np.array([[1 - 7e-6, 1e-5, -4e-6], [-5e-6, 1 - 6e-6, 7e-6]])
    area, box = overlap(nearly)
    assert area == pytest.approx(1, abs=1e-4)
    assert box == pytest.approx((0, 0, 1, 1), abs=1e-4)
    turned = np.array([[0.0, 1, 0], [-1, 0, 1]])
    assert overlap(turned) == (1, (0, 0, 1, 1))
    assert overlap(np.array([[1.0, 0, 2], [0, 1, 0]]))[0] == 0
