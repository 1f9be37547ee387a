"""Measures, prints a table for each experiment, and keeps the figures as JSON.

``python -m benchmarks`` is the quick pass, ``--pass full`` everything, ``--pass tiny`` shows that
all of it runs. ``--only neighbors similar`` measures these; of the others the kept figures stay.
"""

import argparse
import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import harness, machine
from benchmarks.data import OWN_PHOTOS
from benchmarks.harness import OURS

OF_THEIR_OWN = ("photos", "similar", "widget", "screen")
"""Experiments that are kept in a file each, with the machine that they were measured on."""
EXPERIMENTS = (
    "limits",
    "embedding",
    "fidelity",
    "stages",
    "hashing",
    "neighbors",
    "pruning",
    "exactness",
    "incremental",
    "groups",
    "growth",
    *OF_THEIR_OWN,
)
RESULTS = Path(__file__).parent / "results"
DATA = Path(".make/benchmarks")


def main() -> None:
    arguments = _arguments()
    if arguments.one:
        harness.run_here(arguments.one)
        return
    if arguments.photos:
        os.environ[OWN_PHOTOS] = str(arguments.photos.resolve())
    data = arguments.data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    failed = []
    for name in arguments.only or EXPERIMENTS:
        print(f"\n## {name}\n", file=sys.stderr)
        cases = import_module(f"benchmarks.{name}").cases(arguments.size)
        cases = [case for case in cases if not arguments.n or case.params.get("n") in arguments.n]
        some = arguments.variant
        cases = [case for case in cases if not some or case.variant in some]
        results = harness.run(cases, data)
        as_json = [result.to_json() for result in results]
        of_its_own = name in OF_THEIR_OWN and arguments.size != "tiny"
        kept = arguments.to or RESULTS / f"{name if of_its_own else arguments.size}.json"
        _keep(kept, arguments.size, as_json, all_of_it=not (arguments.n or some))
        print(f"\n## {name}\n\n{harness.table(as_json)}", flush=True)
        failed += [
            result.case.text()
            for result in results
            if result.note.startswith("failed") or (result.note and result.case.variant == OURS)
        ]
    minutes = (time.perf_counter() - start) / 60
    print(f"\n{minutes:.1f} minutes", file=sys.stderr)
    if failed:
        sys.exit(f"failed: {'; '.join(failed)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__.replace("``", ""),
    )
    parser.add_argument("--pass", dest="size", choices=["tiny", "quick", "full"], default="quick")
    parser.add_argument("--only", nargs="+", choices=EXPERIMENTS, metavar="EXPERIMENT")
    parser.add_argument("--n", nargs="+", type=int, help="only cases of these sizes")
    parser.add_argument("--variant", nargs="+", help="only these variants, by their names")
    parser.add_argument("--photos", type=Path, help="a folder of JPEGs instead of generated ones")
    parser.add_argument("--data", type=Path, default=DATA, help="where what is generated is kept")
    parser.add_argument("--to", type=Path, help="the JSON file; default benchmarks/results/")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


def _keep(path: Path, size: str, new: list[dict[str, Any]], *, all_of_it: bool) -> None:
    """Write results down in place of earlier ones of the same cases, or of the same experiment."""
    old = json.loads(path.read_text())["results"] if path.exists() else []
    replaced = {_identity(result) for result in new}
    experiments = {result["experiment"] for result in new} if all_of_it else set()
    stays = [r for r in old if r["experiment"] not in experiments and _identity(r) not in replaced]
    results = sorted([*stays, *new], key=lambda r: (EXPERIMENTS.index(r["experiment"]), _size(r)))
    lines = ",\n".join(json.dumps(result) for result in results)
    described = json.dumps({"pass": size, "machine": machine.describe()}, indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(described.removesuffix("\n}") + f',\n "results": [\n{lines}\n]}}\n')


def _identity(result: dict[str, Any]) -> tuple[str, str, str]:
    return result["experiment"], result["variant"], json.dumps(result["params"])


def _size(result: dict[str, Any]) -> int:
    return int(result["params"].get("n", 0))


if __name__ == "__main__":
    main()
