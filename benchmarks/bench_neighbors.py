"""Time the searches for nearest neighbours: all pairs, the graph, and a bare matrix product.

Each measurement runs in a process of its own, because the thread pools of numpy and torch slow
each other down, and the methods take turns, so that a busy moment does not fall on one of them.

    python benchmarks/bench_neighbors.py --sizes 1000 10000 50000 --repeats 3
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

import numpy as np

DIMENSIONS = 512
METHODS = ("exact", "hnsw", "torch")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", nargs=2, metavar=("METHOD", "N"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        method, n = arguments.one
        print(json.dumps(measure(method, int(n))))
        return
    print(f"| n x {DIMENSIONS} | method | median s | to exact | recall of the nearest |")
    print("|---|---|---|---|---|")
    for n in arguments.sizes:
        runs: dict[str, list[dict[str, float]]] = {method: [] for method in METHODS}
        for _ in range(arguments.repeats):
            for method in METHODS:
                runs[method].append(in_own_process(method, n))
        exact = statistics.median(run["seconds"] for run in runs["exact"])
        for method, measured in runs.items():
            median = statistics.median(run["seconds"] for run in measured)
            recall = measured[0].get("recall")
            shown = "" if recall is None else f"{recall:.6f}"
            print(
                f"| {n:,} | {method} | {median:.2f} | {median / exact:.2f} | {shown} |", flush=True
            )


def in_own_process(method: str, n: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", method, str(n)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result: dict[str, float] = json.loads(output)
    return result


def measure(method: str, n: int) -> dict[str, float]:
    from dedup_widgets.neighbors import nearest
    from dedup_widgets.vectors import unit_vectors

    vectors = unit_vectors(clustered(n))
    if method == "torch":
        return {"seconds": bare_product(vectors)}
    start = time.perf_counter()
    _, distances = nearest(vectors, method=method)  # type: ignore[arg-type]
    seconds = time.perf_counter() - start
    some = np.random.default_rng(1).permutation(n)[:2000]
    _, true = nearest(vectors, rows=some)
    return {"seconds": seconds, "recall": float((distances[some] == true).mean())}


def bare_product(vectors: np.ndarray) -> float:
    """Every product once, and the maximum of each row: what an exact search cannot do without."""
    import torch

    tensor = torch.from_numpy(vectors)
    tensor[:512] @ tensor[:512].T  # starts the threads
    start = time.perf_counter()
    for rows in tensor.split(1024):
        for columns in tensor.split(1024):
            if columns.data_ptr() >= rows.data_ptr():
                (rows @ columns.T).amax(dim=1)
    return time.perf_counter() - start


def clustered(n: int) -> np.ndarray:
    """Clusters of about 100, one row in ten with a near copy."""
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((64, DIMENSIONS), dtype=np.float32)
    centres = rng.standard_normal((n // 100 + 1, 64), dtype=np.float32)
    latent = centres[rng.integers(len(centres), size=n)]
    latent += 0.7 * rng.standard_normal((n, 64), dtype=np.float32)
    rows = latent @ shared + 2 * rng.standard_normal((n, DIMENSIONS), dtype=np.float32)
    planted = n // 10
    rows[-planted:] = rows[:planted]
    rows[-planted:] += 0.5 * rng.standard_normal((planted, DIMENSIONS), dtype=np.float32)
    return rows


if __name__ == "__main__":
    main()
