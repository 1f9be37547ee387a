"""Runs each measurement in a process of its own, in turns, and keeps medians and spread.

The thread pools of numpy, torch, FAISS and numba slow each other down in one process. Taking turns
in rounds keeps a busy moment of the machine from falling on one variant alone.
"""

import json
import math
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

OURS = "dedup_widgets"
"""The variant that ratios are relative to."""

GRACE = 30
"""Seconds that a run has to end what it started."""

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

Values = dict[str, float]
Variant = Callable[..., Values]


@dataclass(frozen=True)
class Case:
    """One variant of an experiment at one size."""

    experiment: str
    variant: str
    params: Mapping[str, int | str] = field(default_factory=dict)
    rounds: int = 3
    limit: float = 3_600
    """Seconds after which a run is ended, and the case has no further one."""

    def text(self) -> str:
        """Name the case to a person."""
        size = " ".join(f"{v:,}" if isinstance(v, int) else v for v in self.params.values())
        return f"{self.experiment} {size}: {self.variant}"


def grid(
    experiment: str, variants: Sequence[str], sizes: Sequence[int], rounds: int = 3
) -> list[Case]:
    """Return each variant at each number of rows or photos n."""
    return [Case(experiment, name, {"n": n}, rounds) for n in sizes for name in variants]


@dataclass
class Result:
    """What the runs of a case gave."""

    case: Case
    runs: list[Values]
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return what is kept: the median of each value, and all runs."""
        keys = list(dict.fromkeys(key for run in self.runs for key in run))
        return {
            "experiment": self.case.experiment,
            "variant": self.case.variant,
            "params": dict(self.case.params),
            "median": {
                key: rounded(statistics.median(run[key] for run in self.runs)) for key in keys
            },
            "runs": [{key: rounded(value) for key, value in run.items()} for run in self.runs],
            "note": self.note,
        }


def rounded(value: float) -> float:
    """Return six significant digits, and what is 1 or more to a thousandth."""
    if not math.isfinite(value) or value == 0:
        return value
    return round(value, max(3, 5 - math.floor(math.log10(abs(value)))))


class Reading:
    """What a `clock` saw. Seconds, and bytes of resident memory."""

    def __init__(self) -> None:
        self.memory_before = _status("VmRSS")
        _forget_peak()
        self._cpu = processor_seconds()
        self._start = time.perf_counter()

    def stop(self) -> None:
        """Take the time and the memory."""
        self.seconds = time.perf_counter() - self._start
        self.cpu_seconds = processor_seconds() - self._cpu
        self.memory_peak = _status("VmHWM")

    def values(self) -> Values:
        """Return what is kept of a run."""
        return {
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "memory_before": self.memory_before,
            "memory_peak": self.memory_peak,
        }


@contextmanager
def clock() -> Iterator[Reading]:
    """Time what happens inside, and take its peak memory."""
    reading = Reading()
    yield reading
    reading.stop()


def best_of(action: Callable[[], Any], seconds: float = 1.0, least: int = 3) -> float:
    """Return the shortest time that an action takes, repeated for some seconds."""
    times: list[float] = []
    while sum(times) < seconds or len(times) < least:
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def memory() -> int:
    """Return the resident memory of this process in bytes."""
    return _status("VmRSS")


def processor_seconds() -> float:
    """Return the time that processors have spent on this process, and on children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(it.ru_utime + it.ru_stime for it in used)


def _status(key: str) -> int:
    """Return a line of Linux' account of this process in bytes; elsewhere its peak memory."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


def _forget_peak() -> None:
    """Start the peak anew where Linux allows it; what came before the clock does not count."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def run(cases: Sequence[Case], data: Path) -> list[Result]:
    """Measure cases of one experiment, in as many rounds as each asks for."""
    prepared: list[Mapping[str, int | str]] = []
    for case in cases:
        if case.params not in prepared:
            prepared.append(case.params)
            _in_own_process(Case(case.experiment, "", case.params), data)
    results = {id(case): Result(case, []) for case in cases}
    for turn in range(max((case.rounds for case in cases), default=0)):
        for case in cases:
            result = results[id(case)]
            if turn >= case.rounds or result.note:
                continue
            start = time.perf_counter()
            answer = _in_own_process(case, data)
            result.note = answer.get("note", "")
            if not result.note:
                result.runs.append(answer["values"])
            shown = result.note or f"{answer['values'].get('seconds', math.nan):.3f} s"
            took = time.perf_counter() - start
            print(f"  {case.text()}: {shown} (with loading {took:.0f} s)", file=sys.stderr)
    return list(results.values())


def _in_own_process(case: Case, data: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        asked = {**vars(case), "params": dict(case.params), "data": str(data), "to": str(answer)}
        said = Path(folder) / "said.txt"
        # Into a file: of a pipe the end is waited for, which whoever is left behind holds open.
        with said.open("w") as output:
            code = _ended(
                subprocess.Popen(
                    [sys.executable, "-m", "benchmarks", "--one", json.dumps(asked)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=Path(__file__).parents[1],
                    start_new_session=True,
                ),
                case.limit,
            )
        if answer.exists():
            result: dict[str, Any] = json.loads(answer.read_text())
            return result
        lines = said.read_text().strip().splitlines() or ["no message"]
    if not case.variant:
        raise SystemExit(f"{case.text()}: cannot prepare the data: {chr(10).join(lines[-30:])}")
    if code is None:
        print("\n".join(lines[-30:]), file=sys.stderr)
        return {"note": f"no answer within {case.limit:,.0f} s"}
    return {"note": f"failed with exit code {code}: {lines[-1][:200]}"}


def _ended(process: "subprocess.Popen[bytes]", limit: float) -> int | None:
    """Wait for a process that leads its group; end it at the limit, and then there is no code."""
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        # As by Ctrl-C: it says where it stood, and ends what it has started.
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        return None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run_here(asked: str) -> None:
    """Measure what a parent process asked for; an uninstalled peer is an answer too."""
    wanted = json.loads(asked)
    experiment = import_module(f"benchmarks.{wanted['experiment']}")
    data, to = Path(wanted["data"]), Path(wanted["to"])
    if not wanted["variant"]:
        if hasattr(experiment, "prepare"):
            experiment.prepare(data, **wanted["params"])
        answer: dict[str, Any] = {}
    else:
        try:
            answer = {"values": experiment.VARIANTS[wanted["variant"]](data, **wanted["params"])}
        except ModuleNotFoundError as error:
            if str(error.name).partition(".")[0] == "dedup_widgets":
                raise
            answer = {"note": f"{error.name} is not installed"}
    to.write_text(json.dumps(answer))


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """Lay results of one experiment out as Markdown: medians, spread, ratios to this project."""
    ours = {
        json.dumps(r["params"]): r["median"]["seconds"]
        for r in results
        if r["variant"] == OURS and "seconds" in r["median"]
    }
    hidden = ("seconds", "memory_before")
    keys = list(dict.fromkeys(k for r in results for k in r["median"] if k not in hidden))
    lines = [
        "| size | variant | median s | spread | to this project | " + " | ".join(keys) + " |",
        "|---" * (5 + len(keys)) + "|",
    ]
    for result in results:
        seconds = [run["seconds"] for run in result["runs"] if "seconds" in run]
        base = ours.get(json.dumps(result["params"]))
        cells = [
            " ".join(f"{v:,}" if isinstance(v, int) else v for v in result["params"].values()),
            result["variant"] + (f" ({result['note']})" if result["note"] else ""),
            f"{statistics.median(seconds):.3f}" if seconds else "",
            f"{min(seconds):.3f} – {max(seconds):.3f}" if seconds else "",
            f"{statistics.median(seconds) / base:.2f}×" if seconds and base else "",
            *(_number(result["median"].get(key)) for key in keys),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:.6g}"
