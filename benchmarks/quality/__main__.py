"""Makes the pictures, scores them and prints what was found.

``python -m benchmarks.quality --photos FOLDER`` takes about a quarter of an hour, ``--quick``
two minutes.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.quality import modes, peers, sheets, tables, thresholds, truth
from dedup_widgets.errors import DedupError
from dedup_widgets.models.perceptual import PERCEPTUAL

RESULTS = Path(__file__).parents[1] / "results" / "quality.json"
OUT = Path("test-output/quality")
MODELS = ("efficientnet-lite0", PERCEPTUAL)


def main() -> None:
    arguments = _arguments()
    start = time.perf_counter()
    n, each, share = (30, 6, 0.4) if arguments.quick else (150, 30, 1.0)
    n = arguments.n or n
    size = truth.Size(photos=n, each=min(each, n), share=share)
    if arguments.photos is None:
        _say("no --photos: scikit-image's are taken. They are few, so the figures are coarse.")
    pictures = arguments.out.resolve() / "pictures"
    table = truth.make(arguments.photos, pictures, size, arguments.negatives)
    _say(f"{len(table):,} pictures made, {time.perf_counter() - start:.0f} s")

    results: dict[str, Any] = {
        "made": {
            "photos": table.filter(set=truth.STANDARD_SET)["source"].n_unique(),
            "aside": table.filter(set=truth.THRESHOLDS_SET)["source"].n_unique(),
            "pictures": len(table),
            "sets": dict(table["set"].value_counts().iter_rows()),
            "is_own": arguments.photos is not None,
        },
        "machine": machine.describe(),
        "methods": {},
    }
    for model in arguments.model or MODELS:
        results["methods"] |= _product(table, model, arguments.out)
    if arguments.peers:
        parts = modes.parts(table)
        results["methods"] |= peers.figures(parts, _say, quick=arguments.quick)
    print(tables.everything(results))
    results["made"]["minutes"] = round((time.perf_counter() - start) / 60, 1)
    to = arguments.out / "quality.json"
    to.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    if arguments.keep:
        shutil.copyfile(to, RESULTS)
    _say(f"{(time.perf_counter() - start) / 60:.1f} minutes; kept in {to}")


def _product(table: Any, model: str, out: Path) -> dict[str, Any]:
    """Return the figures of the product with a model, and of its vectors alone."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            frames, cost = modes.score(table, model, Path(folder), _say)
        except DedupError as error:
            _say(f"{model}: skipped ({str(error).splitlines()[0]})")
            return {}
    for name, frame in frames.items():
        frame.write_parquet(out / f"{model.replace('/', '-')}-{name.replace(' ', '-')}.parquet")
        if name in modes.EDITED:
            sheets.missed(frame, out / f"{model.replace('/', '-')}-missed-{name.split()[0]}.jpg")
        elif name != truth.THRESHOLDS_SET:
            sheets.wrong(frame, out / f"{model.replace('/', '-')}-wrong-{name.split()[0]}.jpg")
    confirmed = modes.is_confirmed(next(iter(frames.values())))
    about = {"by": model, "chosen": "default"}
    found = {model: {"of": "product", **about, "confirmed": confirmed, "cost": cost}}
    found[model]["looked_at"] = modes.looked_at(frames)
    found[model] |= modes.figures(frames)
    distance = thresholds.turned_cosine if model == PERCEPTUAL else thresholds.cosine
    for chosen, alone in modes.by_distance(frames, distance).items():
        about = {"of": "vectors", "by": model, "chosen": chosen}
        found[f"{model}, vectors alone, {chosen}"] = about | alone
    return found


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality", description=__doc__.replace("``", "")
    )
    parser.add_argument("--photos", type=Path, help="a folder of photos, none a copy of another")
    parser.add_argument("--negatives", type=Path, help="a folder in which nothing is a copy")
    parser.add_argument("--n", type=int, help="photos to edit; default 150")
    parser.add_argument("--quick", action="store_true", help="30 photos, fewer of all else")
    parser.add_argument("--model", action="append", help="as dw.score takes it; may be repeated")
    parser.add_argument("--peers", action="store_true", help="other libraries, where installed")
    parser.add_argument("--out", type=Path, default=OUT, help=f"default {OUT}")
    parser.add_argument("--keep", action="store_true", help="as the figures of docs/quality.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
