"""Writes the README's section on performance and docs/performance.md from the kept figures.

``python -m benchmarks.report`` writes; with ``--check`` it writes nothing and fails where what is
written differs from the figures.
"""

import argparse
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import photos as big_photos
from benchmarks.charts import log_lines, stacked_bars
from benchmarks.embedding import PLAIN
from benchmarks.estimates import CLIP_FLOP, estimates
from benchmarks.figures import Figures, Row
from benchmarks.harness import OURS
from benchmarks.neighbors import GOAL

HERE = Path(__file__).parent
ROOT = HERE.parent
README, GUIDE = ROOT / "README.md", ROOT / "docs" / "performance.md"
TEMPLATE = HERE / "performance.md.in"
BEGIN, END = "<!-- performance: begin -->", "<!-- performance: end -->"

PEERS = (
    "FAISS flat",
    "FAISS HNSW",
    "PyNNDescent",
    "PyNNDescent (all nearest)",
    "hnswlib",
    "USearch",
)
HASHERS = ("imagehash phash", "imagehash dhash", "imagededup PHash", "CleanVision")
"""Libraries that are compared, in the order of the tables."""
FLOP = {"CLIP": CLIP_FLOP, "EfficientNet": 0.814e9}
"""Of one picture through each network; EfficientNet-Lite0's from its authors' table, 407 M adds."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = [path for path, text in documents().items() if not _is(path, text)]
    for path in stale:
        print(f"{path.relative_to(ROOT)} {'differs from the figures' if check else 'written'}")
        if not check:
            path.write_text(documents()[path])
    sys.exit(bool(stale and check))


def documents() -> dict[Path, str]:
    """Return what belongs into each file."""
    figures = Figures.kept(HERE / "results")
    parts: dict[str, Callable[[Figures], str]] = {
        "summary": summary,
        "machine": machine,
        "limits": limits,
        "binding": binding,
        "stages": stages,
        "embedding": embedding,
        "fidelity": fidelity,
        "processors": processors,
        "forms": forms,
        "runtimes": runtimes,
        "hashing": hashing,
        "photos": photos,
        "neighbors": neighbors,
        "pruning": pruning,
        "exactness": exactness,
        "groups": groups,
        "growth": growth,
        "incremental": incremental,
        "similar": similar,
        "screen": screen,
        "decisions": decisions,
        "estimates": estimates,
        "passes": passes,
    }
    guide = re.sub(r"\{\{(\w+)\}\}", lambda m: parts[m[1]](figures), TEMPLATE.read_text())
    before, _, rest = README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    written = {
        README: f"{before}{BEGIN}\n{speed(figures)}\n{END}{after}",
        GUIDE: guide,
    }
    for name, chart in (("stages", stages_chart), ("growth", growth_chart)):
        if drawn := chart(figures):
            written[GUIDE.with_name(f"performance-{name}.svg")] = drawn
    return written


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


def speed(figures: Figures) -> str:
    """Return what README says of speed: the first row of the summary, as a sentence."""
    row = next(iter(_embedding_summary(figures)), None)
    if row is None:
        return ""
    what, ours, others, _ = row
    seen = figures.machine
    units = f" with AMX{_elsewhere(figures)}" if "amx_bf16" in seen["flags"] else ""
    return (
        f"{what}: {ours}; {others} as long, on {seen['cores']} cores{units}. "
        "Each pair looked at adds 30 ms (AVX2). Every row: [performance](docs/performance.md)."
    )


def _elsewhere(figures: Figures) -> str:
    """Say how much longer the other takes where processors have less, in brackets."""
    case, by_kind = {"model": "CLIP"}, {}
    for kept in figures.by_processor[1:]:
        speeds = [figures.on(kept, "embedding", it, case) for it in (OURS, PLAIN)]
        limit = kept["machine"]["limits"].get("ONEDNN_MAX_CPU_ISA")
        kind = limit or ("AMD's AVX-512" if "avx512_bf16" in kept["machine"]["flags"] else "AVX2")
        if all(speeds):
            ours, plain = (it["photos_per_second"] for it in speeds if it)
            by_kind[kind] = ours / plain
    best_first = sorted(by_kind.items(), key=lambda it: -it[1])
    found = ", ".join(f"{ratio:.1f}× with {kind}" for kind, ratio in best_first)
    return f" ({found})" if found else ""


def summary(figures: Figures) -> str:
    """Return the table of what matters most; rows of the full pass alone have a dagger."""
    rows = [
        *_embedding_summary(figures),
        *_hashing_summary(figures),
        *_neighbors_summary(figures),
        *_score_summary(figures),
        *_similar_summary(figures),
    ]
    return _table(("", "dedup_widgets", "others, times as long", "of the limit"), rows)


def _embedding_summary(figures: Figures) -> Iterable[Sequence[str]]:
    plain = "SentenceTransformer.encode"
    for model, name in (("CLIP", "CLIP ViT-B/32"), ("EfficientNet", "EfficientNet-Lite0")):
        ours = figures.one("embedding", OURS, model=model)
        exact = figures.one("embedding", f"{OURS}, exact", model=model)
        alone = figures.one("embedding", f"{OURS}, network alone", model=model)
        other = figures.one("embedding", plain, model=model)
        if not ours:
            continue
        speed = f"{ours['photos_per_second']:.0f} photos/s"
        if exact:
            speed += f" (exact: {exact['photos_per_second']:.0f})"
        yield (
            f"Photos to scores, {name}{ours.dagger}",
            speed,
            f"`{plain}` {ours.speedup(other):.1f}×" if other else "",
            f"{ours.share(alone):.0%} of the network alone" if alone else "",
        )


def _hashing_summary(figures: Figures) -> Iterable[Sequence[str]]:
    if ours := figures.one("hashing", OURS):
        alone = figures.one("hashing", "Pillow, decode alone")
        others = [
            f"{name} {ours.speedup(row):.1f}×"
            for name in HASHERS
            if (row := figures.one("hashing", name))
        ]
        yield (
            f"Photos to fingerprints, quality metrics and thumbnails{ours.dagger}",
            f"{ours['photos_per_second']:.0f} photos/s",
            ", ".join(others),
            f"{ours.share(alone):.0%} of decoding alone" if alone else "",
        )


def _neighbors_summary(figures: Figures) -> Iterable[Sequence[str]]:
    for ours in figures.all("neighbors", OURS):
        others = []
        for name in PEERS:
            if row := figures.one("neighbors", name, n=ours.n):
                missed = ""
                if row["near_recall"] < GOAL:
                    missed = f" ({row['near_recall']:.1%} found)"
                elif row["recall"] < GOAL:
                    missed = f" ({row['recall']:.1%} of all nearest)"
                others.append(f"{name} {row['seconds'] / ours['seconds']:.1f}×{missed}")
        yield (
            f"Nearest neighbours, {ours.n:,} × 512{ours.dagger}",
            f"{_time(ours['seconds'])}, {_percent(ours['near_recall'])} found",
            ", ".join(others),
            _share_of_products(figures, ours),
        )


def _share_of_products(figures: Figures, row: Row) -> str:
    """Say what part of its time a row would need for every product once, and nothing else."""
    products = _all_products(figures, row)
    if not products:
        return ""
    kind = products.variant.removeprefix("products alone, ")
    return f"{products['seconds'] / row['seconds']:.0%} of all products, {kind}"


def _all_products(figures: Figures, row: Row) -> Row | None:
    """Return the quickest way to compute every product once, and nothing else."""
    kinds = ("products alone, bfloat16", "products alone, float32")
    limits = [limit for kind in kinds if (limit := figures.one("neighbors", kind, n=row.n))]
    return min(limits, key=lambda limit: limit["seconds"], default=None)


def _score_summary(figures: Figures) -> Iterable[Sequence[str]]:
    measured = figures.all("growth", OURS)
    for row in measured[-1:]:
        yield (
            f"`dw.uniqueness`, {row.n:,} × 512 from disk{row.dagger}",
            f"{_time(row['seconds'])}, {_percent(row['planted_recall'])} of planted copies found",
            "",
            f"peak memory {row['memory_to_vectors']:.1f}× the vectors",
        )
    for added in figures.all("incremental", OURS)[-1:]:
        nothing = figures.one("incremental", f"{OURS}, from nothing", n=added.n)
        again = f"from nothing {nothing['seconds'] / added['seconds']:.1f}×" if nothing else ""
        yield f"Adding 1 % to {added.n:,}{added.dagger}", _time(added["seconds"]), again, ""


def _similar_summary(figures: Figures) -> Iterable[Sequence[str]]:
    for row in figures.all("similar", OURS):
        other = _same_case(figures, row, "FAISS flat")
        found = f"{math.floor(100 * row['recall'])} % of the 12 nearest"
        yield (
            f"Similar items, {row.n:,} × {row.params['width']}",
            f"{row['milliseconds']:.1f} ms (95 %: {row['milliseconds_95']:.1f}), {found}",
            f"FAISS flat {other['milliseconds'] / row['milliseconds']:.1f}×" if other else "",
            f"first answer after {_time(row['seconds'])}",
        )


def _same_case(figures: Figures, row: Row, variant: str) -> Row | None:
    return figures.one(row.experiment, variant, **row.params)


def machine(figures: Figures) -> str:
    """Name what was measured on."""
    return _machine(figures.machine)


def _machine(seen: Mapping[str, Any]) -> str:
    flags = f", {', '.join(seen['flags'])}" if seen["flags"] else ""
    return (
        f"Measured on {seen['cores']} cores of {seen['cpu']}{flags}; {seen['memory_gib']} GiB; "
        f"{seen['system']}; Python {seen['python']}."
    )


def passes(figures: Figures) -> str:
    """Say which figures come from which pass."""
    return (
        "`make bench` measures the rows without a mark and writes this table anew; rows with † "
        "come from `make bench-full`."
    )


def limits(figures: Figures) -> str:
    """Lay out what the machine can do."""
    units = {"flops": (1e9, "GFLOP/s"), "bytes_per_second": (1e9, "GB/s")}
    rows = []
    for row in figures.all("limits"):
        for key, value in row.median.items():
            scale, unit = units.get(key, (1, "photos/s"))
            rows.append((row.variant, f"{value / scale:,.0f} {unit}", _spread(row, key, scale)))
    return _table(("limit, all cores", "median", "spread"), rows)


def binding(figures: Figures) -> str:
    """Lay out which part of its limit each kind of work reaches."""
    rows: list[tuple[str, str, str, str]] = []

    def line(row: Row, what: str, speed: str, limit: str, share: float) -> None:
        rows.append((what + row.dagger, speed, limit, f"{share:.0%}"))

    for model, flop in FLOP.items():
        whole = figures.one("embedding", OURS, model=model)
        alone = figures.one("embedding", f"{OURS}, network alone", model=model)
        peak = figures.one("limits", "matrix product, bfloat16")
        if whole and alone and peak:
            speed, reached = whole["photos_per_second"], alone["photos_per_second"]
            network = f"the network alone: {reached:.0f} photos/s"
            line(
                whole,
                f"photos to scores, {model}",
                f"{speed:.0f} photos/s",
                network,
                speed / reached,
            )
            rate = reached * flop
            products = f"matrix products: {peak['flops'] / 1e9:,.0f} GFLOP/s"
            share = rate / peak["flops"]
            line(alone, f"the network of {model}", f"{rate / 1e9:,.0f} GFLOP/s", products, share)
    read, decode = (figures.one("hashing", name) for name in (OURS, "Pillow, decode alone"))
    if read and decode:
        speed, most = read["photos_per_second"], decode["photos_per_second"]
        limit = f"decoding alone: {most:.0f} photos/s"
        line(
            read,
            "photos to fingerprints and thumbnails",
            f"{speed:.0f} photos/s",
            limit,
            speed / most,
        )
    for row in figures.all("neighbors", OURS):
        if products := _all_products(figures, row):
            limit = f"each product once, bfloat16: {_time(products['seconds'])}"
            share = products["seconds"] / row["seconds"]
            line(row, f"neighbours of {row.n:,}", _time(row["seconds"]), limit, share)
    return _table(("", "reached", "limit", "of it"), rows)


def stages(figures: Figures) -> str:
    """Lay out what each stage costs a photo."""
    measured = figures.all("stages")
    names = list(dict.fromkeys(name for row in measured for name in row.median))
    head = ["ms of processor time a photo"]
    for row in measured:
        head += [row.variant, "share"]
    rows = []
    for name in names:
        line = [name]
        for row in measured:
            line += [f"{row[name]:.2f}", f"{row[name] / sum(row.median.values()):.0%}"]
        rows.append(line)
    return _table(head, rows)


def stages_chart(figures: Figures) -> str:
    """Draw the stages."""
    measured = figures.all("stages")
    return stacked_bars({row.variant: row.median for row in measured}, "ms") if measured else ""


def embedding(figures: Figures) -> str:
    """Lay out photos a second, ratios, and parts of the limits."""
    rows = []
    for row in figures.all("embedding"):
        ours = figures.one("embedding", OURS, model=row.params["model"])
        share = ""
        if "known" not in row.variant:
            peak = figures.one("limits", f"matrix product, {_precision(row.variant)}")
            rate = row["photos_per_second"] * FLOP[row.params["model"]]
            share = f"{rate / peak['flops']:.0%}" if peak else ""
        rows.append(
            (
                row.params["model"],
                row.variant,
                f"{row['photos_per_second']:.1f}",
                _spread(row, "photos_per_second"),
                f"{row['photos_per_second'] / ours['photos_per_second']:.2f}" if ours else "",
                share,
            )
        )
    head = ("model", "", "photos/s", "spread", "to dedup_widgets", "of the matrix product rate")
    return _table(head, rows) + _missing(figures, "embedding")


def processors(figures: Figures) -> str:
    """Lay out the same measurements with one column for each processor."""
    measured = (
        ("CLIP, photos/s", "embedding", OURS, {"model": "CLIP"}),
        ("CLIP, exact, photos/s", "embedding", f"{OURS}, exact", {"model": "CLIP"}),
        ("CLIP, network alone, photos/s", "embedding", f"{OURS}, network alone", {"model": "CLIP"}),
        (f"CLIP, {PLAIN}, photos/s", "embedding", PLAIN, {"model": "CLIP"}),
        ("EfficientNet-Lite0, photos/s", "embedding", OURS, {"model": "EfficientNet"}),
        (
            "EfficientNet-Lite0, exact, photos/s",
            *("embedding", f"{OURS}, exact", {"model": "EfficientNet"}),
        ),
        (
            "EfficientNet-Lite0, network alone, photos/s",
            *("embedding", f"{OURS}, network alone", {"model": "EfficientNet"}),
        ),
        ("neighbours of 10,000, s", "neighbors", OURS, {"n": 10_000}),
        ("neighbours of 10,000 in float32, s", "neighbors", f"{OURS}, float32", {"n": 10_000}),
        ("FAISS flat, s", "neighbors", "FAISS flat", {"n": 10_000}),
    )
    rows = []
    for name, experiment, variant, params in measured:
        cells = []
        for kept in figures.by_processor:
            found = figures.on(kept, experiment, variant, params)
            key = "photos_per_second" if experiment == "embedding" else "seconds"
            cells.append(f"{found[key]:{'.1f' if key != 'seconds' else '.2f'}}" if found else "")
        rows.append((name, *cells))
    return _table(("", *(_processor(it["machine"]) for it in figures.by_processor)), rows)


def _processor(seen: Mapping[str, Any]) -> str:
    """Name a processor by its maker and the best that it multiplies with."""
    best = {
        "amx_bf16": "AMX",
        "avx512_bf16": "AVX-512 with bfloat16",
        "avx512f": "AVX-512",
        "avx2": "AVX2",
    }
    has = next((name for flag, name in best.items() if flag in seen["flags"]), "")
    limits = "".join(f", {name}={value}" for name, value in seen.get("limits", {}).items())
    maker = seen["cpu"].replace("(R)", "").replace(" Processor", "")
    return f"{maker}, {has}{limits}, {seen['cores']} cores"


def _precision(variant: str) -> str:
    is_float32 = "exact" in variant or "float32" in variant or "Sentence" in variant
    return "float32" if is_float32 else "bfloat16"


def fidelity(figures: Figures) -> str:
    """Lay out how true the embeddings are."""
    rows = [
        (
            row.params["model"],
            row.variant,
            f"{row['cosine_least']:.6f}",
            f"{row['cosine_mean']:.6f}",
            f"{row['centred_least']:.4f}",
            f"{row['distance_error']:.1e}",
            "yes" if row["bit_equal"] else "no",
        )
        for row in figures.all("fidelity")
    ]
    head = (
        "model",
        "precision",
        "least cosine",
        "mean cosine",
        "least, mean taken out",
        "largest error of a distance",
        "bit-equal",
    )
    return _table(head, rows)


def forms(figures: Figures) -> str:
    """Lay out the forms of the networks that were tried once, before one was chosen."""
    tried = figures.forms
    if not tried:
        return "Not recorded."
    head = list(dict.fromkeys(key for row in tried for key in row))
    return _table(head, [[_cell(row.get(key, "")) for key in head] for row in tried])


def runtimes(figures: Figures) -> str:
    """Lay out the networks in another runtime beside the forms that run here, by processor."""
    head = ("network", "form", "images/s a core", "spread", "lowest cosine", "other bits")
    tables = [
        f"{_machine(kept['machine'])}\n\n{_table(head, map(_of_runtime, kept['results']))}"
        for kept in figures.runtimes
    ]
    return "\n\n".join(tables) or "Not measured yet."


def _of_runtime(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        row["network"],
        row["form"],
        f"{row['images/s a core']:.1f}",
        " – ".join(f"{speed:.1f}" for speed in row["spread"]),
        f"{row['lowest cosine']:.6f}",
        row["other bits"],
    )


def hashing(figures: Figures) -> str:
    """Lay out what reading a photo costs, here and elsewhere."""
    does = {
        OURS: "decodes; fingerprint of every pixel, quality metrics, thumbnail",
        "Pillow, decode alone": "decodes",
        "imagehash phash": "decodes; 64-bit hash of a small grey copy",
        "imagehash dhash": "decodes; 64-bit hash of a small grey copy",
        "imagededup PHash": "decodes; 64-bit hash of a small grey copy; worker processes",
        "CleanVision": "hash of the decoded pixels and perceptual hash, and duplicates by them",
    }
    ours = figures.one("hashing", OURS)
    rows = [
        (
            row.variant,
            does[row.variant],
            f"{row['photos_per_second']:.0f}",
            f"{ours.speedup(row):.2f}×" if ours else "",
        )
        for row in figures.all("hashing")
    ]
    head = ("", "what it does", "photos/s", "times as long")
    return _table(head, rows) + _missing(figures, "hashing")


def photos(figures: Figures) -> str:
    """Lay out what photos of cameras cost, here and elsewhere, by processor time."""
    does = {
        OURS: 'all of `dw.score(model="perceptual")`: decodes every pixel, decides by laying over',
        big_photos.AGAIN: "the same once more, from the store",
        big_photos.COLD: "the same, files read from the disk",
        big_photos.NETWORK: 'all of `dw.score(model="efficientnet-lite0")`, with its start',
        big_photos.REDUCED: 'the first, with `decoding="reduced"`',
        big_photos.REDUCED_NETWORK: 'with EfficientNet, and `decoding="reduced"`',
        big_photos.READ: "limit",
        big_photos.READ_COLD: "limit, files read from the disk",
        "full decode": "limit, by Pillow",
        "decode at an eighth": "limit of what does not see every pixel, by Pillow",
        "image-dedup-ai": "perceptual hash, of JPEGs decoded at a reduced size",
        "czkawka": "perceptual hash",
        "imagehash phash": "perceptual hash, threads",
        "imagededup PHash": "perceptual hash, worker processes",
        "PDQ": "perceptual hash, threads",
        "CleanVision": "hash of the decoded pixels and perceptual hash, worker processes",
        "fastdup": "its embedding and nearest neighbours, by default",
    }
    kept = figures.photos
    if not kept:
        return "Not measured yet."
    found = [row for row in kept["results"] if row["runs"]]
    ours = {
        json.dumps(row["params"]): row["median"]["cpu_ms_a_photo"]
        for row in found
        if row["variant"] == OURS
    }
    rows = [
        (
            f"{row['params']['n']} {row['params']['format'].upper()}",
            f"{row['params']['megapixels']} MP",
            row["variant"],
            does[row["variant"]],
            f"{row['median']['cpu_ms_a_photo']:.0f}",
            " – ".join(f"{ms:.0f}" for ms in _ends(r["cpu_ms_a_photo"] for r in row["runs"])),
            f"{row['median']['cpu_ms_a_photo'] / ours[json.dumps(row['params'])]:.2f}×",
            f"{1000 / row['median']['photos_per_second']:.0f}",
            f"{row['median']['memory_peak'] / 2**20:,.0f}",
        )
        for row in sorted(found, key=_order_of_photos)
    ]
    head = (
        "files",
        "size",
        "",
        "what it does",
        "ms a photo",
        "spread",
        "as long",
        "by the clock",
        "peak MiB",
    )
    return f"{_machine(kept['machine'])}\n\n{_table(head, rows)}"


def _order_of_photos(row: Mapping[str, Any]) -> tuple[bool, str, int, float]:
    params = row["params"]
    is_other, ms = params["format"] != "jpg", row["median"]["cpu_ms_a_photo"]
    return is_other, params["format"], params["megapixels"], ms


def _ends(values: Iterable[float]) -> tuple[float, float]:
    found = sorted(values)
    return found[0], found[-1]


def neighbors(figures: Figures) -> str:
    """Lay out all searches at all sizes."""
    rows = []
    for row in figures.all("neighbors"):
        ours = figures.one("neighbors", OURS, n=row.n)
        rows.append(
            (
                f"{row.n:,}{row.dagger}",
                row.variant,
                f"{row['seconds']:.3g}",
                _spread(row, "seconds"),
                f"{row['seconds'] / ours['seconds']:.2f}×" if ours else "",
                f"{row['recall']:.5f}" if "recall" in row.median else "",
                f"{row['near_recall']:.5f}" if "recall" in row.median else "",
                f"{row['memory_peak'] / 2**20:,.0f}",
            )
        )
    head = ("n", "", "s", "spread", "times as long", "recall@1", "near-duplicates", "peak MiB")
    return _table(head, rows) + _missing(figures, "neighbors")


def pruning(figures: Figures) -> str:
    """Lay out what bounds would save at most."""
    rows = [
        (f"{row.n:,}{row.dagger}", row.variant, f"{row['passed_over']:.1%}")
        for row in figures.all("pruning")
    ]
    return _table(("n", "bound", "pairs that need no product"), rows)


def exactness(figures: Figures) -> str:
    """Lay out the comparison with brute force."""
    rows = [
        (
            f"{row.n:,}{row.dagger}",
            row.variant,
            f"{row['pairs']:,.0f}",
            f"{row['pair_recall']:.6f}" if "pair_recall" in row.median else "–",
            f"{row['rows_with_another_distance']:.0f}",
            f"{row['distance_error_largest']:.1e}",
        )
        for row in figures.all("exactness")
    ]
    head = (
        "n",
        "method",
        "pairs within 0.05",
        "found",
        "rows with another distance",
        "largest error",
    )
    return _table(head, rows)


def groups(figures: Figures) -> str:
    """Lay out the large groups."""
    rows = [
        (
            f"{row.n:,}{row.dagger}",
            row.variant,
            _time(row["seconds"]),
            f"{row['memory_peak'] / 2**30:.2f} GiB",
            f"{row['memory_peak'] / row['vectors']:.1f}×",
            f"{row['largest_group']:,.0f}",
        )
        for row in figures.all("groups")
    ]
    head = ("images", "", "time", "peak memory", "to the vectors", "largest group")
    return _table(head, rows)


def growth(figures: Figures) -> str:
    """Lay out time, its growth from one size to the next, and memory."""
    rows, before = [], None
    for row in figures.all("growth"):
        grown = ""
        if before:
            times, sizes = row["seconds"] / before["seconds"], row.n / before.n
            grown = f"{math.log(times) / math.log(sizes):.2f}"
        rows.append(
            (
                f"{row.n:,}{row.dagger}",
                _time(row["seconds"]),
                grown,
                f"{row['memory_peak'] / 2**20:,.0f} MiB",
                f"{row['memory_to_vectors']:.2f}×",
                f"{row['growth_to_vectors']:.2f}×",
                f"{row['planted_recall']:.5f}",
            )
        )
        before = row
    head = (
        "n",
        "time",
        "exponent",
        "peak memory",
        "to the vectors",
        "without the interpreter",
        "planted copies found",
    )
    return _table(head, rows)


def growth_chart(figures: Figures) -> str:
    """Draw time against size, with what n log n and n² would be from the first point."""
    measured = [(row.n, row["seconds"]) for row in figures.all("growth")]
    if len(measured) < 2:
        return ""
    first_n, first = measured[0]
    log_n = [(n, first * n * math.log(n) / (first_n * math.log(first_n))) for n, _ in measured]
    square = [(n, first * (n / first_n) ** 2) for n, _ in measured]
    return log_lines(
        {"dw.uniqueness": measured, "n log n": log_n, "n²": square}, "images", "seconds"
    )


def incremental(figures: Figures) -> str:
    """Lay out adding to what is known."""
    rows = []
    for row in figures.all("incremental"):
        nothing = figures.one("incremental", f"{OURS}, from nothing", n=row.n)
        equal = {1.0: "yes", 0.0: "no"}.get(row.median.get("equal", -1), "")
        rows.append(
            (
                f"{row.n:,}{row.dagger}",
                "1 % is new" if row.variant == OURS else "from nothing",
                _time(row["seconds"]),
                f"{row['seconds'] / nothing['seconds']:.3f}" if nothing else "",
                equal,
            )
        )
    return _table(("n", "", "time", "to from nothing", "same frame"), rows)


def similar(figures: Figures) -> str:
    """Lay out answers one by one."""
    rows = [
        (
            f"{row.n:,} × {row.params['width']}",
            row.variant,
            _time(row["seconds"]),
            f"{row['milliseconds']:.1f}",
            f"{row['milliseconds_95']:.1f}",
            f"{row['recall']:.4f}",
        )
        for row in figures.all("similar")
    ]
    head = ("images", "", "to the first answer", "median ms", "95 % ms", "of the 12 nearest found")
    seen = figures.machines.get("similar")
    if seen is None:
        return _table(head, rows)
    return f"{_machine(seen)}\n\n{_table(head, rows)}{_missing(figures, 'similar')}"


def screen(figures: Figures) -> str:
    """Lay out what a person waits for."""

    def milliseconds(row: Row, key: str) -> str:
        return f"{row[key]:,.0f} ms" if key in row.median else ""

    rows = [
        (
            f"{row.n:,}",
            row.variant,
            _time(row["seconds"]),
            _spread(row, "seconds"),
            " / ".join(
                milliseconds(row, key)
                for key in ("script_ms", "other_ms", "two_ms")
                if key in row.median
            ),
            milliseconds(row, "stored_ms"),
            milliseconds(row, "on_demand_ms"),
        )
        for row in figures.all("screen")
    ]
    head = (
        *("images", "", "to the first screen", "spread, s"),
        *("a frame of a drag", "jump, stored", "jump, on demand"),
    )
    seen = figures.machines.get("screen")
    if seen is None:
        return "Not measured yet."
    return f"{_machine(seen)}\n\n{_table(head, rows)}{_missing(figures, 'screen')}"


def decisions(figures: Figures) -> str:
    """Lay out what the kernel takes for each step of a review."""
    steps = {
        "build": "build",
        "open": "open",
        "first_decision": "first decision",
        "decide": "choose a keeper",
        "undo": "undo",
        "not_duplicates": "not duplicates",
        "selection": "`ex.selection`, all",
        "accept": "accept the plan",
    }
    found = figures.all("widget")
    if not found:
        return "Not measured yet."
    rows = [
        (name, *(_time(row[f"{key}_cpu"]) for row in found))
        for key, name in steps.items()
        if all(f"{key}_cpu" in row.median for row in found)
    ]
    rows.append(("memory", *(f"{row['bytes_a_row']:,.0f} bytes an image" for row in found)))
    table = _table(("", *(f"{row.n:,} images" for row in found)), rows)
    return f"{_machine(figures.machines['widget'])}\n\n{table}"


def _missing(figures: Figures, experiment: str) -> str:
    without = figures.missing(experiment)
    return f"\n\nWithout figures: {'; '.join(without)}." if without else ""


def _spread(row: Row, key: str, scale: float = 1) -> str:
    values = [run[key] / scale for run in row.runs if key in run]
    return f"{min(values):.3g} – {max(values):.3g}" if len(values) > 1 else ""


def _time(seconds: float) -> str:
    if seconds >= 90:
        return f"{seconds / 60:.1f} min"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _percent(part: float) -> str:
    """Return a part that is not whole as less than 100 %, however close."""
    return "100 %" if part == 1 else f"{math.floor(part * 1e5) / 1e3:g} %"


def _cell(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rows = list(rows)
    if not rows:
        return "Not measured yet."
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
