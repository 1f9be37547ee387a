"""A seal on what is trusted to the last bit: only this user's own processes can make it."""

import hashlib
import os
import secrets
from contextlib import suppress
from functools import cache
from pathlib import Path

import platformdirs

SEAL_BYTES = 32


def seal(*parts: bytes) -> bytes:
    """Return the seal of some bytes."""
    made = hashlib.blake2b(key=secret(), digest_size=SEAL_BYTES)
    for part in parts:
        made.update(len(part).to_bytes(8, "little"))
        made.update(part)
    return made.digest()


def is_sealed(sealed: bytes, *parts: bytes) -> bool:
    """Tell whether a seal is that of some bytes."""
    return secrets.compare_digest(bytes(sealed), seal(*parts))


@cache
def secret() -> bytes:
    """Return this user's secret; where it cannot be kept, it is of this process alone."""
    path = platformdirs.user_data_path("dedup-widgets", appauthor=False) / "seal"
    made = secrets.token_bytes(SEAL_BYTES)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_once(path, made)
        found = path.read_bytes()
        if len(found) == SEAL_BYTES:
            return found
    return made


def _write_once(path: Path, content: bytes) -> None:
    """Write a file that nobody else may read, unless it is there: whole, or not at all."""
    if path.exists():
        return
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(unfinished, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        os.write(handle, content)
    finally:
        os.close(handle)
    try:
        os.link(unfinished, path)  # not in the place of one that another process made
    except FileExistsError:
        pass
    except OSError:
        unfinished.replace(path)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
