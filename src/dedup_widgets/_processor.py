"""What the processor at hand computes fastest in.

Where the bits of a result do not depend on it, the fastest way is measured once a machine
(`remembered`). Where they do, in networks, a table of processors that were measured decides
(`network_dtype`), so that a machine gives the same vectors every day.
"""

import json
import os
import platform
import tempfile
from collections.abc import Callable, Set
from functools import cache
from pathlib import Path
from typing import Literal, cast, get_args

import platformdirs

from dedup_widgets._threads import processors
from dedup_widgets.errors import InputError

Dtype = Literal["float32", "bfloat16"]
"""What is multiplied on a processor."""

DTYPE_VARIABLE = "DEDUP_WIDGETS_DTYPE"
"""The environment variable that names a `Dtype` instead of the fastest one."""

FASTER_IN_BFLOAT16 = (
    ("Intel", "amx_bf16", "CLIP 51 pictures/s a core, 12 in float32; EfficientNet-Lite0 97, 72"),
    (
        "AMD",
        "avx512_bf16",
        "Zen 4, two cores: CLIP 37 photos/s, 16 in float32; EfficientNet-Lite0 106, 87",
    ),
)
"""Maker, feature and what was measured. Intel's AVX-512 with bfloat16 but without AMX is not among
them: CLIP 18 pictures/s on two cores, 23 in float32; EfficientNet-Lite0 105, 114."""


def chosen_dtype() -> Dtype | None:
    """Return what the environment names; None if it leaves the choice to the machine."""
    name = os.environ.get(DTYPE_VARIABLE, "")
    if name and name not in get_args(Dtype):
        raise InputError(
            f"{DTYPE_VARIABLE} is {name!r}; set it to {' or '.join(get_args(Dtype))}, or not at all"
        )
    return cast(Dtype, name) if name else None


def network_dtype(processor: tuple[str, Set[str]] | None = None) -> Dtype:
    """Return what networks are to be computed in on this processor, where they may round.

    bfloat16 on processors that were measured to be faster in it, float32 on every other. The limit
    that oneDNN is given by ``ONEDNN_MAX_CPU_ISA`` counts as the processor's.

    Parameters
    ----------
    processor
        Its maker and features, as `FASTER_IN_BFLOAT16` names them; None: the one at hand.
    """
    if chosen := chosen_dtype():
        return chosen
    maker, features = processor or (_maker(), _features())
    usable = _usable(features)
    is_faster = any(maker == it and feature in usable for it, feature, _ in FASTER_IN_BFLOAT16)
    return "bfloat16" if is_faster else "float32"


def remembered(what: str, measure: Callable[[], str]) -> str:
    """Return the result of a measurement, which is made once a machine.

    It is kept in the user's cache folder, by processor, cores, limits and version of torch.

    Parameters
    ----------
    what
        What is measured.
    measure
        Measures it.
    """
    import torch

    limits = [os.environ.get(name, "") for name in ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY")]
    key = "; ".join([what, _name(), f"{processors()} cores", f"torch {torch.__version__}", *limits])
    file = _folder() / "measured.json"
    try:
        known = json.loads(file.read_text())
        if isinstance(known[key], str):
            return str(known[key])
    except (OSError, ValueError, KeyError, TypeError):
        known = {}
    result = measure()
    _write(file, {**known, key: result} if isinstance(known, dict) else {key: result})
    return result


def _write(file: Path, known: dict[str, str]) -> None:
    """Write the file whole or not at all; without a place to keep it, measure again next time."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as draft:
            json.dump(known, draft, indent=1)
        Path(draft.name).replace(file)
    except OSError:
        pass


def _folder() -> Path:
    """Return the folder of the cache: the user's, or that of ``DEDUP_WIDGETS_STORE``."""
    if not (chosen := os.environ.get("DEDUP_WIDGETS_STORE")):
        return platformdirs.user_cache_path("dedup-widgets", appauthor=False)
    place = Path(chosen).expanduser().absolute()
    return place.parent if place.suffix and not place.is_dir() else place


def _features() -> set[str]:
    """Return which of the features of `FASTER_IN_BFLOAT16` the processor has."""
    import torch

    has = {
        "amx_bf16": getattr(torch.cpu, "_is_amx_tile_supported", bool)(),
        "avx512_bf16": getattr(torch.cpu, "_is_avx512_bf16_supported", bool)(),
    }
    return {feature for feature in has if has[feature]}


def _usable(features: Set[str]) -> set[str]:
    """Return those features that oneDNN may use."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
    if limit in ("", "ALL", "DEFAULT"):
        return set(features)
    parts = {"amx_bf16": ("AMX",), "avx512_bf16": ("BF16", "FP16", "AMX", "AVX10")}
    return {it for it in features if any(part in limit for part in parts[it])}


@cache
def _maker() -> str:
    """Return who made the processor: Intel, AMD, or an empty text."""
    text = f"{_cpuinfo('vendor_id')} {platform.processor()} {_name()}"
    for maker, marks in (("Intel", ("GenuineIntel", "Intel(R)")), ("AMD", ("AuthenticAMD", "AMD"))):
        if any(mark in text for mark in marks):
            return maker
    return ""


@cache
def _name() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpuinfo(key: str) -> str:
    """Return what Linux tells of the processor under a key; elsewhere nothing."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
