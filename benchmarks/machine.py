"""What the figures were measured on: no names, no places, only what decides the speed."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.harness import CORES

PACKAGES = (
    "numpy",
    "torch",
    "transformers",
    "sentence-transformers",
    "usearch",
    "polars",
    "pillow",
    "faiss-cpu",
    "pynndescent",
    "hnswlib",
    "imagehash",
    "imagededup",
    "cleanvision",
    "pdqhash",
    "czkawka",
    "openvino",
)
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8")

LIMITS = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "DEDUP_WIDGETS_DTYPE")
"""What restricts a processor to part of its instructions."""


def describe() -> dict[str, Any]:
    """Return processor, cores, memory and versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": _cpu("model name") or platform.processor() or platform.machine(),
        "flags": [flag for flag in FLAGS if flag in _cpu("flags").split()],
        "limits": {name: os.environ[name] for name in LIMITS if name in os.environ},
        "cores": CORES,
        "memory_gib": round(memory / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def _cpu(key: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
