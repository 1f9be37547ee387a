"""What a machine, a file or a page may do to the product, by seed: each returns how often it tried.

Short in the suite (`test_hardships.py`), long by `make soak`.
"""

import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

import dedup_widgets as dw
from dedup_widgets.errors import DedupError, ImageError
from dedup_widgets.images.decode import decode
from dedup_widgets.store.cache import Cache
from dedup_widgets.store.library import Library
from dedup_widgets.store.open import Store
from page import Page


class Tiny:
    """A model that takes no time."""

    key = name = "tiny-1"
    near_distance = 0.05

    def encode(self, images: list[Image.Image]) -> np.ndarray:
        return np.stack([np.asarray(i.resize((4, 4)), np.float32).ravel() - 99 for i in images])


@contextmanager
def room() -> Iterator[Path]:
    """Yield a folder that is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="hardship-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def picture(rng: np.random.Generator, size: tuple[int, int] = (24, 16)) -> Image.Image:
    return Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), np.uint8))


def photos(folder: Path, seed: int, count: int = 12) -> Path:
    """Make a folder of pictures, of which each third is a copy of the one before."""
    folder.mkdir(parents=True)
    for number in range(count):
        rng = np.random.default_rng([seed, number - (number % 3 == 1)])
        picture(rng).save(folder / f"{number:03}.png")
    return folder


def score(folder: Any, store: Path) -> pl.DataFrame:
    return dw.score(folder, model=Tiny(), store=store, progress=False, workers=2, batch_size=2)


def made_up(n: int, seed: int) -> pl.DataFrame:
    """Return a scored frame of n images that are not there."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, 8))
    vectors[1::3] = vectors[0::3][: len(vectors[1::3])]
    prints = [f"{row - (row % 3 == 1):032x}" for row in range(n)]
    scored = dw.uniqueness(vectors, fingerprints=prints)
    paths = pl.Series("path", [f"/photos/{row:04}.jpg" for row in range(n)])
    return pl.DataFrame({"path": paths, "fingerprint": prints}).with_columns(
        scored.with_columns(nearest=paths.gather(scored["nearest"])),
        embedding=pl.Series(vectors.astype(np.float32), dtype=pl.Array(pl.Float32, 8)),
        bytes=pl.int_range(n) + 1000,
    )


CHILD = """
import sys
sys.path.insert(0, {tests!r})
import hardships
hardships.{call}
"""


WRITING = "openat,pwrite64,fdatasync,fsync,ftruncate,unlink,close"
"""The system calls by which SQLite writes a file, on Linux."""


def at_call(number: int, file: Path) -> list[str]:
    """Return what runs a command that is killed as it writes to a database the n-th time."""
    inject = f"inject={WRITING}:signal=KILL:when={number}"
    files = [f"-P{file}", f"-P{file}-journal"]
    return ["strace", "-f", "-qq", "-o", os.devnull, *files, "-e", f"trace={WRITING}", "-e", inject]


def killed(
    call: str, until: Callable[[str], bool], *, within: float = 0.0, run_by: Sequence[str] = ()
) -> list[str]:
    """Run a call in another process, and return all its lines.

    It is killed after a line of output, within so many seconds, if it is not before.
    """
    code = CHILD.format(tests=str(Path(__file__).parent), call=call)
    child = subprocess.Popen(
        [*run_by, sys.executable, "-W", "ignore", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if run_by else None,
        text=True,
    )
    assert child.stdout is not None
    lines = []
    for line in child.stdout:
        lines.append(line.strip())
        if until(line.strip()):
            time.sleep(within)
            break
    os.kill(child.pid, signal.SIGKILL)
    lines += [line.strip() for line in child.stdout]
    child.wait()
    child.stdout.close()
    return lines


# Kills


def score_aloud(folder: str, store: str) -> None:
    """Score, and print how many pictures are done."""

    def say(done: int, _total: int) -> None:
        print(done, flush=True)

    dw.score(folder, model=Tiny(), store=store, progress=say, workers=2, batch_size=2)
    print("end", flush=True)


def kills_in_score(seed: int) -> int:
    """Kill -9 in `score`, again and again: it goes on, and comes to the same."""
    chance = random.Random(seed)
    with room() as place:
        folder = photos(place / "photos", seed)
        times = chance.randint(1, 3)
        for _ in range(times):
            at = chance.randint(0, 12)
            call = f"score_aloud({str(folder)!r}, {str(place / 'store')!r})"
            killed(call, lambda line, at=at: line == "end" or int(line) >= at)
        after = score(folder, place / "store")
        assert after.equals(score(folder, place / "other store"))
    return times


def steps(seed: int, session: Any) -> Iterator[str]:
    """Make random steps of a review, and yield after each what is so."""
    chance = random.Random(seed)
    paths = session.paths
    while True:
        match chance.randrange(9):
            case 0:
                session.collections.add(chance.choice("AB"), chance.sample(paths, 3))
            case 1:
                session.choose_keepers([chance.choice(paths)])
            case 2:
                session.mark_not_duplicates([chance.choice(paths)])
            case 3:
                session.rules = chance.choice([None, ["bytes"], ["path"]])
            case 4:
                session.selection = chance.sample(paths, chance.randrange(5))
            case 5:
                session.undo()
            case 6:
                session.redo()
            case 7:
                session.mark_reviewed(chance.sample(paths, 2))
            case 8 if "A" in session.collections and "B" not in session.collections:
                session.collections.rename("A", "B")
        yield hash_of(session)


def decide_aloud(seed: int, store: str) -> None:
    """Make random steps of a review, and print after each what is so."""
    for held in steps(seed, dw.Session(made_up(30, 0), store=store, restore=True)):
        print(held, flush=True)


def hash_of(session: Any) -> str:
    """Return all that a review holds, as a short text that is the same in every process."""
    import hashlib

    collections = {name: sorted(it.paths) for name, it in session.collections.items()}
    held = (
        session.decisions.as_json(),
        sorted(session.selection["path"]),
        sorted(collections.items()),
        sorted(session.reviewed["path"]),
        session.next_steps,
    )
    return hashlib.sha256(repr(held).encode()).hexdigest()[:16]


def kills_in_review(seed: int) -> int:
    """Kill -9 in a review: what is kept is the last step that returned, or the one in work.

    Once soon after a step returned, and once as something is written, where strace is at hand.
    """
    chance = random.Random(seed)
    with room() as place:
        frame = made_up(30, 0)
        for turn in range(2):
            count = [chance.randint(1, 15)]

            def enough(_line: str, count: list[int] = count) -> bool:
                count[0] -= 1
                return count[0] <= 0

            twin = place.with_name(f"{place.name}-{turn}")
            shutil.copytree(place, twin)
            call = f"decide_aloud({seed + turn}, {str(place)!r})"
            if turn and shutil.which("strace"):
                count[0] = 60
                at = at_call(chance.randint(1, 400), place / "library.sqlite")
                lines = killed(call, enough, run_by=at)
            else:
                lines = killed(call, enough, within=chance.uniform(0, 0.03))
            after = hash_of(dw.Session(frame, store=fresh(place), restore=True))
            # The same steps where nobody is killed, and one more, which was in work.
            undisturbed = dw.Session(frame, store=fresh(twin), restore=True)
            same = [hash_of(undisturbed), *islice(steps(seed + turn, undisturbed), len(lines) + 1)]
            shutil.rmtree(twin)
            assert same[1:-1] == lines
            assert after in same[-2:]
    return 2


def fresh(place: Path) -> Store:
    """Open a store as another kernel would."""
    return Store(Cache(place / "cache.sqlite"), Library(place / "library.sqlite"))


def make_datasets_aloud(folder: str, root: str, seed: int) -> None:
    """Make datasets, and print the name of each that is there."""
    chance = random.Random(seed)
    frame = pl.DataFrame({"path": sorted(map(str, Path(folder).iterdir()))})
    for number in range(10**9):
        options = chance.choice([{"mode": "copy"}, {"mode": "hardlink"}, {"format": "webdataset"}])
        dw.create_dataset(
            frame, f"d{number}", root=root, allow_duplicates=True, progress=False, **options
        )
        print(f"d{number}", flush=True)


def kills_in_datasets(seed: int) -> int:
    """Kill -9 in `create_dataset`: what has a name is whole, and sources are what they were."""
    chance = random.Random(seed)
    with room() as place:
        folder = photos(place / "photos", seed)
        before = {path: path.read_bytes() for path in folder.iterdir()}
        left = [chance.randint(1, 4)]

        def enough(_line: str) -> bool:
            left[0] -= 1
            return left[0] <= 0

        root = place / "datasets"
        call = f"make_datasets_aloud({str(folder)!r}, {str(root)!r}, {seed})"
        made = killed(call, enough)
        there = {path.name: path for path in root.iterdir() if not path.name.startswith(".")}
        assert set(made) <= set(there)
        for path in there.values():
            assert (path / "README.md").exists()
            tables = list(path.glob("train/metadata.parquet"))
            if tables:
                names = pl.read_parquet(tables[0])["file_name"]
                assert all((path / "train" / name).stat().st_size for name in names)
        assert {path: path.read_bytes() for path in folder.iterdir()} == before
        frame = pl.DataFrame({"path": sorted(map(str, folder.iterdir()))})
        dw.create_dataset(frame, "last", root=root, allow_duplicates=True, progress=False)
        assert not [path for path in root.iterdir() if path.name.startswith(".")]
    return 1


# Files


FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")


def mutated_files(seed: int) -> int:
    """Mutate files of all formats: each is decoded, or refused by an ImageError."""
    rng, chance = np.random.default_rng(seed), random.Random(seed)
    for kind in FORMATS:
        file = io.BytesIO()
        picture(rng, (40, 30)).save(file, kind)
        for _ in range(8):
            data = bytearray(file.getvalue())
            for _ in range(chance.randint(1, 8)):
                match chance.randrange(4):
                    case 0:
                        data[chance.randrange(len(data))] = chance.randrange(256)
                    case 1:
                        del data[chance.randrange(1, len(data)) :]
                    case 2:
                        at = chance.randrange(len(data))
                        data[at:at] = data[: chance.randrange(64)]
                    case 3:
                        at = chance.randrange(len(data))
                        data[at : at + 4] = chance.choice([b"\xff" * 4, b"\0" * 4, b"\x7f" * 4])
                if len(data) < 2:
                    break
            try:
                first = decode(bytes(data)).fingerprint
            except ImageError:
                continue
            assert decode(bytes(data)).fingerprint == first
    return 8 * len(FORMATS)


def changing_files(seed: int) -> int:
    """Change files while they are scored: every row is there, and the next score is a fresh one."""
    chance = random.Random(seed)
    with room() as place:
        folder = photos(place / "photos", seed, 18)
        paths = sorted(map(str, folder.iterdir()))
        done = threading.Event()

        def change() -> None:
            while not done.is_set():
                path = Path(chance.choice(paths))
                match chance.randrange(4):
                    case 0:
                        path.write_bytes(path.read_bytes()[: chance.randrange(200)])
                    case 1:
                        picture(np.random.default_rng(chance.randrange(5))).save(path, "PNG")
                    case 2:
                        path.unlink()
                        path.write_bytes(b"")
                    case 3:
                        path.touch()

        thread = threading.Thread(target=change)
        thread.start()
        try:
            for _ in range(3):
                assert len(score(paths, place / "store")) == 18
        finally:
            done.set()
            thread.join()
        after, anew = (score(paths, place / name) for name in ("store", "other"))
        assert after["fingerprint"].equals(anew["fingerprint"])
    return 3


# Pages


def hostile_messages(seed: int) -> int:
    """Send messages that no page sends: each is answered, and none raises or makes a file."""
    chance = random.Random(seed)
    with room() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ex = dw.Explorer(made_up(9, seed), store=place / "store")
        page = Page(ex)
        there = set(place.rglob("*"))
        asked = []
        for seq in range(60):
            message = {"seq": seq, "client": 1, "kind": chance.choice(KINDS)}
            for _ in range(chance.randrange(4)):
                message[chance.choice(FIELDS)] = chance.choice(VALUES)
            asked.append(seq)
            page.send(message, [memoryview(b"\1\2\3")] * chance.randrange(2))
        for seq in asked:
            page.reply(seq)
        made = set(place.rglob("*")) - there
        assert all(".sqlite" in path.name for path in made), made
    return 60


KINDS = (
    *("open_review", "tiles", "similar", "order", "select", "column", "match", "decide", "undo"),
    *("redo", "collect", "collection", "folders", "picture", "beside", "preview", "ping", "dance"),
)
FIELDS = ("rows", "row", "k", "column", "key", "clause", "change", "name", "side", "box", "dataset")
VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**70, 1.5, "", "x" * 10_000, "../..", "\0", [], [0], [[[]]], {}),
    *({"kind": "plan"}, {"dtype": "uint8", "shape": [3], "buffer": 0}, {"dtype": "float32"}),
    {"dtype": "uint8", "shape": [2**40], "buffer": 0},
)


# Threads


def threads_on_one_library(seed: int) -> int:
    """Decide in many threads on several sessions: the log of each leads to its plan."""
    with room() as place:
        frame = made_up(30, seed)
        sessions = [dw.Session(frame, store=fresh(place)) for _ in range(2)]
        errors: list[BaseException] = []

        def act(number: int) -> None:
            chance = random.Random(f"{seed} {number}")
            session = sessions[number % 2]
            paths = frame["path"].to_list()
            try:
                for _ in range(8):
                    match chance.randrange(5):
                        case 0:
                            session.choose_keepers([chance.choice(paths)])
                        case 1:
                            session.collections.add("A", [chance.choice(paths)])
                        case 2:
                            session.near = chance.choice([0.05, 0.2])
                        case 3:
                            session.selection = chance.sample(paths, 2)
                        case 4:
                            session.undo()
            except DedupError as error:
                errors.append(error)

        threads = [threading.Thread(target=act, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors, errors
        assert sessions[0].decisions.keepers == sessions[1].decisions.keepers
        for session in sessions:
            found = dw.replay(frame, session.log)
            assert found.plan.rows() == session.plan.rows()
            assert found.selection["path"].to_list() == sorted(session.selection["path"])
    return 32


# Names


NAMES = (
    *("<script>alert(1)<", "a\x1b[31mb", "line\nbreak", "\u202etxt.exe", "'; DROP TABLE file; --"),
    *('"quoted"', "x" * 240, "CON", "*?[a]", "Ä", "A\u0308", "a", "A", "-rf", "$(id)", " ", "%00"),
)


def odd_names(seed: int) -> int:
    """Score, collect and place files of odd names: all are there, under names that are safe."""
    chance = random.Random(seed)
    with room() as place:
        folder = place / "photos"
        folder.mkdir()
        for number, name in enumerate(chance.sample(NAMES, 8)):
            picture(np.random.default_rng([seed, number])).save(folder / f"{name}.png", "PNG")
        count = len(list(folder.iterdir()))
        frame = score(folder, place / "store")
        assert frame["error"].null_count() == len(frame) == count
        session = dw.Session(frame, store=place / "store")
        session.collections["All"] = frame
        session.selection = frame
        assert len(dw.replay(frame, session.log).selection) == count
        mode = chance.choice(["copy", "hardlink", "symlink"])
        made = session.create_dataset("All", "odd", root=place / "out", mode=mode, progress=False)
        names = pl.read_parquet(made.path / "train" / "metadata.parquet")["file_name"].to_list()
        assert len({name.lower() for name in names}) == count
        assert all((made.path / "train" / name).is_file() for name in names)
        assert all("/" not in name and "\n" not in name and "\x1b" not in name for name in names)
    return count


ALL: dict[str, Callable[[int], int]] = {
    act.__name__: act
    for act in (
        *(kills_in_score, kills_in_review, kills_in_datasets, mutated_files, changing_files),
        *(hostile_messages, threads_on_one_library, odd_names),
    )
}
