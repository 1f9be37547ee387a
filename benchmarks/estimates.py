"""What larger sets would take: arithmetic on measured figures, not measurements.

This machine is extrapolated from its own figures. The data-centre GPU is one of the kind of
H100: its rates below are those of its data sheet, halved where a program reaches half of them.
"""

from benchmarks.figures import Figures
from benchmarks.harness import OURS

SIZES = (1_000_000, 10_000_000, 100_000_000)
DIMENSIONS = 512

GPU_FLOPS = 0.5 * 990e12
"""bfloat16 FLOP/s, half of the dense rate of the data sheet."""
GPU_MEMORY = 80e9
HOST_CORES = 32
"""Processor cores beside the GPU, each decoding as fast as one of this machine."""
CLIP_FLOP = 8.82e9
"""Of one picture through the vision tower of CLIP ViT-B/32."""


def estimates(figures: Figures) -> str:
    """Lay the estimates out, each with its arithmetic."""
    embed = figures.one("embedding", OURS, model="CLIP")
    read = figures.one("hashing", OURS)
    grown = figures.all("growth", OURS)
    if not embed or not read or not grown:
        return "Not enough was measured for estimates."
    last = grown[-1]
    cores = figures.machine["cores"]
    decode = read["photos_per_second"] / cores * HOST_CORES
    network = GPU_FLOPS / CLIP_FLOP
    rows = ["| | " + " | ".join(f"{n:,}" for n in SIZES) + " |", "|---" * (len(SIZES) + 1) + "|"]

    def line(name: str, cells: list[str]) -> None:
        rows.append(f"| {name} | " + " | ".join(cells) + " |")

    line("this machine: embed with CLIP", [_span(n / embed["photos_per_second"]) for n in SIZES])
    line(
        "this machine: all pairs, exact",
        [_span(last["seconds"] * (n / last.n) ** 2) for n in SIZES],
    )
    line(
        "this machine: memory",
        [_bytes(last["growth_to_vectors"] * n * 2 * DIMENSIONS) for n in SIZES],
    )
    line("GPU: decode and embed", [_span(n / min(decode, network)) for n in SIZES])
    line(
        "GPU: all pairs, exact",
        [_span(n * n * DIMENSIONS / GPU_FLOPS) for n in SIZES],
    )
    line("GPU: memory for the vectors", [_bytes(2 * DIMENSIONS * n) for n in SIZES])
    arithmetic = [
        (
            f"Embedding: {embed['photos_per_second']:.0f} photos/s here, as measured at "
            f"{embed.n} photos. All pairs: {last['seconds']:.0f} s at {last.n:,}, groups and "
            f"keepers included, and growing with the square of the number. Where `method='auto'` "
            f"takes a graph instead, it is because that takes less time. Memory: "
            f"{last['growth_to_vectors']:.2f} times the float16 vectors, as measured there."
        ),
        (
            f"GPU: {HOST_CORES} cores read {read['photos_per_second'] / cores:.0f} photos/s each, "
            f"{decode:,.0f} in all; the network alone would take {network:,.0f} a second "
            f"({GPU_FLOPS / 1e12:.0f} TFLOP/s by {CLIP_FLOP / 1e9:.2f} GFLOP), so decoding binds. "
            f"All pairs: n²/2 products of 2 · {DIMENSIONS} FLOP at that rate. Vectors that exceed "
            f"{GPU_MEMORY / 1e9:.0f} GB stay in the host's memory and pass in blocks."
        ),
    ]
    return "\n".join(rows) + "\n\n" + "\n\n".join(arithmetic)


def _span(seconds: float) -> str:
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds:.2g} s"


def _bytes(count: float) -> str:
    return f"{count / 1e9:.3g} GB"
