"""Loading models of sentence-transformers: from a folder, the local cache or the model hub."""

import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dedup_widgets.errors import ModelError

EMBEDDED_MODEL = "efficientnet-lite0"


HUB_TIMEOUT_SECONDS = 4.0
"""Seconds in which a model hub must answer before it counts as unreachable."""


def find_model(
    name: str,
    is_path: bool,
    device: str | None,
    *,
    hub_timeout: float = HUB_TIMEOUT_SECONDS,
) -> tuple[Any, str | None]:
    """Load a model by its name or folder, from the local cache if it is there.

    Parameters
    ----------
    name : str
        Name or folder.
    is_path : bool
        Whether it can only be a folder.
    device : str, optional
        As `pick_device` takes it.
    hub_timeout : float
        Seconds in which a model hub must answer.

    Returns
    -------
    tuple
        The ``SentenceTransformer``, and a text that identifies its weights in every process; None
        if there is none.

    Raises
    ------
    ModelError
        If the model cannot be loaded; without a reachable model hub, within seconds.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        with _as_unavailable(name):
            return _open(folder, device), _digest(folder)
    if is_path or name.startswith((".", "~", "/")) or name.count("/") > 1 or folder.exists():
        raise ModelError(f"{name}: no such folder; pass the folder that holds the model")
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
        raise ModelError(f"{name!r} is not the name of a model; pass a name or a folder")

    unusable = ""
    if snapshot := _snapshot(name):
        try:
            # By name, the hub's library would query the network even for a cached model.
            model = _open(snapshot, device)
        except ModelError:
            raise
        except Exception as error:
            # For example after an interrupted download: the hub may provide the missing files.
            unusable = f"its copy in the local cache is not usable: {short(error)}; and "
        else:
            return model, f"{name}@{snapshot.name}"
    if cause := _why_out_of_reach(name, hub_timeout):
        raise _unavailable(name, unusable + cause)
    with _as_unavailable(name):
        model = _open(name, device)
    snapshot = _snapshot(name)
    return model, f"{name}@{snapshot.name}" if snapshot else None


def pick_device(wanted: str | None) -> str:
    """Return a torch device: the one wanted if it works, else the best there is.

    Raises
    ------
    ModelError
        If the wanted one cannot be used.
    """
    import torch

    if wanted is not None:
        try:
            torch.empty(1, device=wanted)
        except Exception as error:
            raise ModelError(
                f"device {wanted!r} cannot be used ({short(error)}); leave device out to take "
                "the best there is, or use device='cpu'"
            ) from error
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _open(model: Path | str, device: str | None) -> Any:
    """Load a model: a folder from the disk alone, a name through the hub."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(
        str(model), device=pick_device(device), local_files_only=isinstance(model, Path)
    )


@contextlib.contextmanager
def _as_unavailable(name: str) -> Iterator[None]:
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        raise _unavailable(name, f"{type(error).__name__}: {short(error)}") from error


def _unavailable(name: str, cause: str) -> ModelError:
    return ModelError(
        f"{name}: the model cannot be loaded ({cause}). Pass the path of a local folder that "
        f'holds it, or choose model="{EMBEDDED_MODEL}", the embedded network, or '
        'model="perceptual", which needs no weights.'
    )


def _digest(folder: Path) -> str:
    """Identify a folder's model by content: a renamed copy is the same, new weights are not."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        if hidden or path.suffix.lower() == ".md" or not path.is_file():
            continue
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{inside.as_posix()} {content}\n".encode())
    return digest.hexdigest()[:32]


def _repositories(name: str) -> list[str]:
    """Return the hub's repositories that a name may stand for."""
    return [name] if "/" in name else [f"sentence-transformers/{name}", name]


def _snapshot(name: str) -> Path | None:
    """Return the folder of a model in the local cache, if it is there."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    cache = os.environ.get("SENTENCE_TRANSFORMERS_HOME") or None
    for repository in _repositories(name):
        for file in ("modules.json", "config.json"):
            with contextlib.suppress(HFValidationError):
                found = try_to_load_from_cache(repository, file, cache_dir=cache)
                if isinstance(found, str):
                    return Path(found).parent
    return None


def _why_out_of_reach(name: str, timeout: float) -> str | None:
    """Return why a model cannot be had from the model hub, or None if it can.

    sentence-transformers would retry for more than a minute before it fails.
    """
    from huggingface_hub import constants, model_info
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    if constants.HF_HUB_OFFLINE:
        return "it is not in the local cache, and HF_HUB_OFFLINE forbids to fetch it"

    def answer() -> str | None:
        for repository in _repositories(name):
            try:
                model_info(repository, timeout=timeout)
            except HfHubHTTPError as error:
                if error.response.status_code not in (401, 404):
                    return f"{constants.ENDPOINT} answered {error.response.status_code}"
            except HFValidationError:
                continue
            except Exception as error:
                return f"{constants.ENDPOINT} is out of reach: {short(error)}"
            else:
                return None
        return f"{constants.ENDPOINT} has no public model of this name"

    answers: list[str | None] = []
    # Resolving a host name knows no timeout, hence a thread that may be left behind.
    thread = threading.Thread(
        target=lambda: answers.append(answer()), daemon=True, name="dedup-widgets-hub"
    )
    thread.start()
    thread.join(timeout + 1)
    if not answers:
        return f"{constants.ENDPOINT} did not answer within {timeout:.0f} seconds"
    return answers[0]


@contextlib.contextmanager
def as_model_error(name: str) -> Iterator[None]:
    """Turn whatever a model raises into a `ModelError` that names the model."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(
            f"{name}: the model failed ({type(error).__name__}: {short(error)}); if "
            "memory ran out, use a smaller batch_size or device='cpu'"
        ) from error


def short(what: object) -> str:
    """Return a text on one line, of 300 characters at most."""
    text = " ".join(str(what).split())
    return text if len(text) <= 300 else text[:300] + "…"
