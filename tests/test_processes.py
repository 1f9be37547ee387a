"""Pictures are compared in processes of their own where there is enough to do."""

import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from functools import partial
from itertools import combinations
from multiprocessing import set_executable
from multiprocessing.spawn import get_executable

import numpy as np
import psutil
import pytest
from PIL import Image

import dedup_widgets as dw
from dedup_widgets.alignment.confirm import confirm
from dedup_widgets.alignment.worker import Stored, pictures_made_once
from dedup_widgets.frame.provenance import provenances
from dedup_widgets.images.budget import MEMORY_VARIABLE
from dedup_widgets.scoring.processes import (
    BYTES_A_PROCESS,
    PAIRS_A_PROCESS,
    PictureWorkers,
    cut,
    sets_of,
)

ENOUGH = 2 * PAIRS_A_PROCESS
"""Pairs from which on processes compare."""


on_posix = pytest.mark.skipif(sys.platform == "win32", reason="asks and ends processes by signals")


def some_pictures(seed, count=9, side=64):
    """Return pictures of some boxes, and the same ones smaller."""
    rng = np.random.default_rng(seed)
    return {
        f"{number}{name}": it
        for number in range(count)
        for name, it in zip("ab", _copies(rng, side), strict=True)
    }


def _copies(rng, side):
    pixels = np.zeros((side, side, 3), np.uint8)
    for left, top, width, height, *colour in rng.integers(0, (48, 48, 32, 32, *[256] * 3), (30, 7)):
        pixels[top : top + height + 4, left : left + width + 4] = colour
    for size in (side, side - 8):
        file = io.BytesIO()
        Image.fromarray(pixels).resize((size, size)).save(file, "JPEG", quality=90)
        yield Stored(file.getvalue(), b"", size, size)


@pytest.fixture(scope="module")
def pictures():
    return some_pictures(7)


@pytest.fixture(scope="module")
def pairs(pictures):
    return list(combinations(sorted(pictures), 2))[: ENOUGH + 5]


@pytest.fixture(scope="module")
def expected(pictures, pairs):
    """What is found without any of it."""
    made = pictures_made_once(len(pictures))
    return {(a, b): confirm(made(pictures[a]), made(pictures[b])) for a, b in pairs}


def compared(workers, pictures, pairs):
    return dict(workers.compare([(pictures, pairs[:50]), (pictures, pairs[50:])], len(pairs)))


def is_there(pid):
    """Tell whether a process computes; one that has ended may wait for ever to be asked for it."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.lengthy
def test_processes_find_what_this_process_finds(pictures, pairs, expected):
    with PictureWorkers(2) as workers:
        assert compared(workers, pictures, pairs) == expected
        assert len(workers.workers) == 2
        assert compared(workers, pictures, pairs[:1]) == {pairs[0]: expected[pairs[0]]}
    assert len({it.is_confirmed for it in expected.values()}) == 2


@pytest.mark.lengthy
@pytest.mark.parametrize(("most", "count"), [(1, ENOUGH), (8, ENOUGH - 1), (8, 0)])
def test_one_worker_and_few_pairs_start_no_process(pictures, pairs, expected, most, count):
    with PictureWorkers(most) as workers:
        found = compared(workers, pictures, pairs[:count])
        assert not workers.workers
    assert found == {pair: expected[pair] for pair in pairs[:count]}


@pytest.mark.lengthy
def test_they_take_no_more_memory_than_decoding_may(pictures, pairs, expected, monkeypatch):
    monkeypatch.setenv(MEMORY_VARIABLE, str(2 * BYTES_A_PROCESS / 1e9))
    with PictureWorkers(8) as workers:
        assert compared(workers, pictures, pairs * 2) == expected
        assert len(workers.workers) == 2
    monkeypatch.setenv(MEMORY_VARIABLE, "0.1")
    with PictureWorkers(8) as workers:
        assert compared(workers, pictures, pairs) == expected
        assert not workers.workers


@on_posix
@pytest.mark.lengthy
def test_no_process_remains_when_the_comparison_has_ended_or_failed(pictures, pairs):
    with PictureWorkers(2) as workers:
        compared(workers, pictures, pairs)
    with suppress(ZeroDivisionError), PictureWorkers(2) as stopped:
        for _ in stopped.compare([(pictures, pairs)], len(pairs)):
            raise ZeroDivisionError
    started = [*workers.workers, *stopped.workers]
    assert len(started) == 4
    assert not any(is_there(worker.pid) for worker in started)


@on_posix
@pytest.mark.lengthy
@pytest.mark.parametrize("killed", [1, 2])
def test_what_a_killed_process_had_to_do_is_done_here(pictures, pairs, expected, killed):
    with PictureWorkers(2) as workers:
        found = workers.compare([(pictures, pairs)], len(pairs))
        first = next(found)
        for worker in workers.workers[:killed]:
            os.kill(worker.pid, signal.SIGKILL)
        assert dict([first, *found]) == expected


@on_posix
@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("program", "started"), [("/is/not/there", 0), ("/bin/false", 2), ("/bin/cat", 2)]
)
def test_where_no_process_can_be_had_all_is_done_here(
    pictures, pairs, expected, program, started, request
):
    request.addfinalizer(partial(set_executable, get_executable()))
    set_executable(program)
    with PictureWorkers(2) as workers:
        assert compared(workers, pictures, pairs) == expected
        assert len(workers.workers) == started


# A script without a guard, which would start itself for ever if processes imported it.
SCRIPT = textwrap.dedent(
    """
    import os, signal, sys
    sys.path[:0] = {paths!r}
    import test_processes as t
    from dedup_widgets.scoring.processes import PictureWorkers

    pictures = t.some_pictures(1)
    pairs = list(t.combinations(sorted(pictures), 2))[: t.ENOUGH]

    def compare(stop=lambda: None):
        with PictureWorkers(2) as workers:
            found = {{}}
            for pair, evidence in workers.compare([(pictures, pairs)], len(pairs)):
                if not found:
                    print(*(worker.pid for worker in workers.workers), flush=True)
                found[pair] = evidence
                stop()
        return found

    {then}
    """
)


def script(then):
    paths = [os.path.dirname(__file__), *filter(None, sys.path)]  # noqa: PTH120
    return SCRIPT.format(paths=paths, then=then.strip())


@on_posix
@pytest.mark.slow
def test_ctrl_c_ends_a_comparison_and_its_processes_and_the_next_one_works(tmp_path):
    then = """
try:
    compare(lambda: os.killpg(0, signal.SIGINT))
except KeyboardInterrupt:
    print("interrupted", flush=True)
print(len(compare()) == len(pairs))
"""
    child = subprocess.run(
        [sys.executable, "-c", script(then)],
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    first, interrupted, second, is_whole = child.stdout.split("\n")[:4]
    assert (interrupted, is_whole) == ("interrupted", "True")
    assert child.stderr == ""
    assert not any(is_there(int(pid)) for pid in f"{first} {second}".split())


@on_posix
@pytest.mark.slow
def test_processes_end_by_themselves_when_who_asked_is_killed(tmp_path):
    file = tmp_path / "script.py"
    file.write_text(script("compare(lambda: os.kill(os.getpid(), signal.SIGKILL))"))
    child = subprocess.run([sys.executable, file], capture_output=True, text=True)
    assert child.returncode == -signal.SIGKILL
    pids = [int(pid) for pid in child.stdout.split()]
    assert len(pids) == 2
    until = time.monotonic() + 60
    while any(map(is_there, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(is_there, pids))


@pytest.mark.slow
def test_scores_are_the_same_whoever_compares(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, it in some_pictures(3, count=ENOUGH).items():
        (folder / f"{name}.jpg").write_bytes(it.thumbnail)
    reports = []
    frames = {
        workers: dw.score(
            folder,
            model="perceptual",
            store=tmp_path / f"{workers}.sqlite",
            workers=workers,
            progress=lambda *report: reports.append(report),
        )
        for workers in (1, 2)
    }
    assert provenances(frames[1])[0].compared >= ENOUGH
    assert frames[2].equals(frames[1])
    compared = {done for done, total in reports if total >= ENOUGH and total != len(frames[1])}
    assert compared >= set(range(1, ENOUGH))
    assert set(frames[1]["kind"]) == {"near"}


def test_pairs_of_a_set_are_compared_together():
    far_apart = [(f"{i}", f"{i}{half}") for half in "xy" for i in range(40)]
    chunks = list(cut(far_apart))
    assert sorted(pair for chunk in chunks for pair in chunk) == sorted(far_apart)
    of_pair = {pair: at for at, chunk in enumerate(chunks) for pair in chunk}
    assert all(of_pair[f"{i}", f"{i}x"] == of_pair[f"{i}", f"{i}y"] for i in range(40))
    assert len(chunks) > 2
    star = [("a", f"{i}") for i in range(100)]
    assert sets_of(star) == [star]
    assert len(list(cut(star))) > 2
    assert sets_of([]) == list(cut([])) == []
