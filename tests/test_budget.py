"""What decoding may take: memory, and counts that a file may claim."""

import hashlib
import io
import struct
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dedup_widgets as dw
from dedup_widgets.errors import ImageError
from dedup_widgets.images import budget, decode
from dedup_widgets.images.budget import ByteBudget, NoRoomError
from dedup_widgets.images.depth import tone_map
from dedup_widgets.images.pillow import kept_memory


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def apng(frames: int) -> bytes:
    """A PNG of 8 x 8 pixels that says how many frames it has, and has one."""
    control = struct.pack(">IIIIIHHBB", 0, 8, 8, 0, 0, 1, 10, 0, 0)
    parts = (
        chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)),
        chunk(b"acTL", struct.pack(">II", frames, 0)),
        chunk(b"fcTL", control),
        chunk(b"IDAT", zlib.compress(bytes(25 * 8))),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(pages: int, order: str = "<", *, big: bool = False, ends: bool = True) -> bytes:
    """A TIFF of grey pages of 4 x 4 pixels, which share one strip; or one that leads to itself."""
    out = bytearray({"<": b"II", ">": b"MM"}[order])
    out += struct.pack(order + "HHHQ", 43, 8, 0, 32) if big else struct.pack(order + "HI", 42, 32)
    out += bytes(32 - len(out))
    tags = {256: 4, 257: 4, 258: 8, 259: 1, 262: 1, 273: 16, 277: 1, 278: 4, 279: 16}
    for number in range(pages):
        out += struct.pack(order + ("Q" if big else "H"), len(tags))
        for tag, value in tags.items():
            out += struct.pack(order + ("HHQQ" if big else "HHII"), tag, 16 if big else 4, 1, value)
        follows = len(out) + (8 if big else 4) if number < pages - 1 else 0 if ends else 32
        out += struct.pack(order + ("Q" if big else "I"), follows)
    return bytes(out)


def gif(frames: int) -> bytes:
    frame = b"\x2c" + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0\x02\x02\x44\x01\0"
    head = b"GIF89a" + struct.pack("<HH", 2, 2) + b"\x80\0\0\0\0\0\xff\xff\xff"
    return head + frame * frames + b"\x3b"


def progressive(scans: int, side: int) -> bytes:
    """A JPEG whose last scan comes again and again."""
    file = io.BytesIO()
    Image.new("L", (side, side)).save(file, "JPEG", quality=1, progressive=True)
    data = file.getvalue()
    return data[:-2] + data[data.rfind(b"\xff\xda") : -2] * scans + b"\xff\xd9"


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (apng(2**31), "frames"),
        (apng(budget.MAX_FRAMES + 1), "frames"),
        (gif(budget.MAX_FRAMES + 1), "frames"),
        (tiff(budget.MAX_PAGES + 1), "pages"),
        (tiff(budget.MAX_PAGES + 1, ">"), "pages"),
        (tiff(budget.MAX_PAGES + 1, "<", big=True), "pages"),
        (progressive(9000, 1000), "scans"),
    ],
    ids=["APNG", "APNG one more", "GIF", "TIFF", "TIFF big-endian", "BigTIFF", "JPEG"],
)
@pytest.mark.parametrize("read", [decode.decode, decode.shown])
def test_a_file_that_claims_too_much_is_refused_before_it_is_read(data, word, read):
    with pytest.raises(ImageError, match=rf"too large: .*{word}.*; (split|export)"):
        read(data)


@pytest.mark.lengthy
def test_what_is_within_the_limits_is_read():
    assert decode.decode(tiff(40)).facts.frames == 40
    assert decode.decode(tiff(3, big=True)).facts.frames == 3
    assert decode.decode(gif(300)).facts.frames == 300
    assert decode.decode(progressive(20, 64)).facts.frames == 1


@pytest.mark.lengthy
@pytest.mark.parametrize("options", [{}, {"disposal": 2}, {"comment": b"a" * 700}])
def test_the_frames_of_a_gif_are_counted_as_they_are_read(make_photo, options):
    frames = [make_photo(seed, (40, 30)) for seed in range(7)]
    for n in (1, 2, 7):
        file = io.BytesIO()
        frames[0].save(file, "GIF", save_all=True, append_images=frames[1:n], **options)
        file.write(b"after the end\x2c" * 9)
        assert budget.gif_frames(file.getvalue()) == n == Image.open(file).n_frames


@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True)])
def test_the_pages_of_a_tiff_are_counted_as_they_are_read(order, big):
    for n in (1, 2, 9):
        data = tiff(n, order, big=big)
        assert budget.tiff_pages(data) == n == Image.open(io.BytesIO(data)).n_frames


def test_counting_ends_where_a_file_leads_back_or_out():
    assert budget.tiff_pages(tiff(5, ends=False)) == 5
    assert budget.tiff_pages(b"II*\0") == 0
    assert budget.tiff_pages(b"II*\0\xff\xff\xff\x7f") == 0
    for data in (gif(3), tiff(3)):
        for end in range(len(data)):
            assert budget.gif_frames(data[:end]) <= 3
            assert budget.tiff_pages(data[:end]) <= 4


def deep_png(side: int, colour: int) -> bytes:
    """A PNG of 16 bits that claims a size, and has nothing of it."""
    head = struct.pack(">IIBBBBB", side, side, 16, colour, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(b"")), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_what_would_take_too_long_is_refused_by_what_it_claims_with_what_to_do(monkeypatch):
    words = (
        r"too large: 400 megapixels in a PNG of this kind would take about 24 s to decode, limit "
        r"10; shrink or split it, take it out of the input, or set how many megapixels are read, "
        r"however long that takes, by the environment variable DEDUP_WIDGETS_MAX_MEGAPIXELS"
    )
    with pytest.raises(ImageError, match=words) as refused:
        decode.decode(deep_png(20_000, 2))
    assert not refused.value.is_about_the_bytes, "the limit may be another one next time"
    monkeypatch.setenv("DEDUP_WIDGETS_MAX_MEGAPIXELS", "400")
    monkeypatch.setenv("DEDUP_WIDGETS_MAX_MEMORY", "1e-6")
    for colour in (0, 2, 6):
        with pytest.raises(NoRoomError):
            decode.decode(deep_png(20_000, colour))


@pytest.mark.lengthy
def test_a_limit_that_was_raised_holds_for_pictures_that_were_refused(
    tmp_path, make_photo, monkeypatch
):
    make_photo(1, (400, 300)).save(tmp_path / "a.png")
    for limit, refused in (("0.1", 1), ("1", 0), ("0.1", 0)):  # What was read once is known.
        monkeypatch.setenv("DEDUP_WIDGETS_MAX_MEGAPIXELS", limit)
        df = dw.score(tmp_path, model="perceptual", progress=False)
        assert len(df) - df["error"].null_count() == refused


@pytest.mark.parametrize("count", [2, 400])
def test_frames_that_take_too_long_together_are_refused(monkeypatch, count):
    data = bytearray(gif(count))
    data[6:10] = struct.pack("<HH", 20_000, 20_000)
    with pytest.raises(ImageError, match=rf"too large: {count} frames, .* of this kind would take"):
        decode.decode(bytes(data))


@pytest.mark.parametrize(
    ("coding", "megapixels", "bytes_a_pixel", "kind"),
    [
        ("JPEG", 400, 1.2, {}),
        ("progressive JPEG", 250, 0.5, {}),
        ("PNG", 170, 2.0, {}),
        ("PNG", 400, 0.1, {}),
        ("PNG", 190, 2.0, {"deep": True, "wide": False}),
        ("PNG", 110, 5.6, {"deep": True}),
        ("raw", 600, 3.0, {}),
        ("raw", 280, 6.0, {"deep": True}),
        ("TIFF", 100, 5.6, {"deep": True}),
        ("WEBP", 230, 0.2, {}),
        ("HEIF", 200, 0.15, {}),
        ("AVIF", 230, 0.18, {}),
        ("JPEG2000", 100, 0.3, {}),
    ],
)
def test_the_estimate_lets_through_what_was_measured_to_take_ten_seconds(
    coding, megapixels, bytes_a_pixel, kind
):
    def seconds(count: float) -> float:
        pixels = int(count * 1e6)
        return budget.seconds_to_decode(coding, pixels, int(bytes_a_pixel * pixels), **kind)

    assert seconds(megapixels) <= budget.MAX_SECONDS < seconds(4 * megapixels)


def test_threads_together_never_hold_more_than_the_budget():
    shared, held, most, lock = ByteBudget(100), [0], [0], threading.Lock()

    def work(needed: int) -> None:
        for _ in range(50):
            with shared.room_for(needed, "it"):
                with lock:
                    held[0] += needed
                    most[0] = max(most[0], held[0])
                with lock:
                    held[0] -= needed

    threads = [threading.Thread(target=work, args=(n,)) for n in (10, 30, 60, 90, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] <= 100


def test_a_large_picture_is_not_passed_by_small_ones_that_came_later():
    shared, order = ByteBudget(100), list[str]()
    large_waits, small_waits = threading.Event(), threading.Event()

    def take(name: str, needed: int, asked: threading.Event) -> None:
        asked.set()
        with shared.room_for(needed, name):
            order.append(name)

    with shared.room_for(50, "first"):
        large = threading.Thread(target=take, args=("large", 100, large_waits))
        large.start()
        large_waits.wait()
        while not shared.is_waited_for:
            pass
        small = threading.Thread(target=take, args=("small", 10, small_waits))
        small.start()
        small_waits.wait()
    large.join()
    small.join()
    assert order == ["large", "small"]


def test_a_picture_that_this_machine_cannot_hold_is_refused_with_what_to_do(
    make_photo, monkeypatch
):
    monkeypatch.setenv("DEDUP_WIDGETS_MAX_MEMORY", "1e-6")
    file = io.BytesIO()
    make_photo(1).save(file, "JPEG")
    with pytest.raises(NoRoomError, match="shrink it, or score it where there is more"):
        decode.decode(file.getvalue())


def test_what_pictures_may_take_is_said_in_gigabytes_and_nonsense_is_no_limit(monkeypatch):
    usual = ByteBudget().limit
    for said, limit in (("2.5", 2_500_000_000), ("much", usual), ("nan", usual), ("inf", usual)):
        monkeypatch.setenv("DEDUP_WIDGETS_MAX_MEMORY", said)
        assert ByteBudget().limit == limit
        assert ByteBudget(100).limit == 100


def test_how_deep_pixels_look_does_not_depend_on_the_lines_that_are_worked_on_with_them():
    random = np.random.default_rng(0)
    shape = (970, 310)  # several pieces
    deep = [
        random.integers(0, 65536, shape, np.uint16),
        random.integers(0, 4096, (*shape, 3), np.uint16),
        random.integers(0, 65536, (*shape, 4), np.uint16),
        random.integers(-(2**31), 2**31 - 1, shape, np.int32),
        np.where(random.random(shape) < 0.1, np.nan, random.normal(size=shape)).astype("f4"),
    ]
    for pixels in deep:
        shown = tone_map(pixels)
        by_tone = shown.reshape(len(shown), -1).sum(axis=1).argsort()
        for lines in (random.permutation(len(pixels)), by_tone):
            assert (tone_map(pixels[lines]) == shown[lines]).all()
        assert shown.shape[:2] == shape
        assert shown.min() < 10
        assert shown.max() > 245


@pytest.mark.parametrize(("width", "height"), [(61, 43), (301, 701), (3, 40_000), (40_000, 3)])
def test_the_fingerprint_is_of_all_bytes_in_one_piece(make_photo, width, height):
    photo = make_photo(1, (width, height))
    grey = np.asarray(photo.convert("L")).astype(np.uint16) * 251
    clear = photo.convert("RGBA")
    clear.putalpha(photo.getchannel("G").point(lambda tone: max(1, tone)))
    whole = {
        f"uint8 {height}x{width}": (photo, photo.tobytes()),
        f"uint8 with alpha {height}x{width}": (clear, clear.tobytes()),
        f"uint16 {height}x{width}": (Image.fromarray(grey), np.dstack([grey] * 3).tobytes()),
    }
    for head, (picture, pixels) in whole.items():
        file = io.BytesIO()
        picture.save(file, "PNG")
        digest = hashlib.sha256(b"dedup_widgets 1, 1 frames, sRGB" + head.encode() + pixels)
        assert decode.decode(file.getvalue()).fingerprint == digest.hexdigest()[:32]


@pytest.mark.lengthy
def test_all_that_is_smaller_than_a_large_picture_is_made_of_its_blocks():
    side = 2 * decode.REDUCED_SIDE
    blocks = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    for size, reduced in (((side + 9, side), (677, 672)), ((side, side - 1), (side, side - 1))):
        file = io.BytesIO()
        Image.new("RGB", size).save(file, "JPEG")
        picture = decode.decode(file.getvalue())
        assert (picture.rgb.size, picture.reduced.size) == (size, reduced)
    file = io.BytesIO()
    Image.fromarray(blocks).save(file, "BMP")
    means = blocks.reshape(672, 2, 672, 2, 3).mean(axis=(1, 3))
    assert abs(np.asarray(decode.decode(file.getvalue()).reduced) - means).max() <= 0.5


def test_16_bits_are_brought_to_8_by_the_nearest_tone():
    tones = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    assert (tone_map(tones) == np.floor(tones / 257 + 0.5)).all()


def test_memory_is_kept_for_pictures_while_anybody_decodes_many_and_then_as_it_was():
    core = Image.core

    def settings() -> tuple[int, int]:
        return core.get_blocks_max(), core.get_block_size()

    before = settings()
    with kept_memory(2):
        of_two = settings()
        with kept_memory(4):
            of_four = settings()
        assert settings() == of_two
    assert settings() == before
    kept = [blocks * size for blocks, size in (before, of_two, of_four)]
    assert kept == sorted(kept)
    assert kept[-1] <= 2**29


MEASURE = """
import io, sys
import numpy as np
from pathlib import Path
from PIL import Image
from dedup_widgets.images.decode import decode

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024

side = 1600
noise = np.random.default_rng(0).integers(0, 256, (side, side), np.uint8)
coarse = Image.fromarray(noise[:160, :160]).resize((side, side), Image.Resampling.NEAREST)
alpha = Image.merge("RGBA", [coarse] * 4)
deep = np.asarray(coarse).astype(np.uint16) * 256
made = {
    "8 bit": (Image.merge("RGB", [coarse] * 3), "PNG", 12),
    "JPEG": (Image.merge("RGB", [coarse] * 3), "JPEG", 12),
    "turned": (Image.merge("RGB", [coarse] * 3), "JPEG", 8),
    "alpha": (alpha, "PNG", 24),
    "16 bit": (Image.fromarray(deep), "PNG", 24),
    "32 bit": (Image.fromarray(deep.astype(np.int32)), "TIFF", 24),
    "float": (Image.fromarray(deep.astype(np.float32)), "TIFF", 24),
}
files = {}
for name, (picture, kind, a_pixel) in made.items():
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6 if name == "turned" else 1
    picture.save(file, kind, exif=exif)
    files[name] = file.getvalue(), a_pixel
del noise, coarse, alpha, deep, made, picture, file
decode(files["JPEG"][0])
for name, (data, a_pixel) in files.items():
    Path("/proc/self/clear_refs").write_text("5")
    before = peak()
    decode(data)
    took = (peak() - before) / side**2
    assert took <= a_pixel, f"{name}: {took:.1f} bytes a pixel"
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak")
def test_decoding_takes_no_more_memory_a_pixel_than_it_says():
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True)
    assert not done.returncode, done.stderr[-500:]
