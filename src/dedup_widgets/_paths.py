"""One spelling of each path."""

import os
import re

import polars as pl

_PLAIN = re.compile(r"(?:/[^/.][^/]*)+")
"""Matches absolute paths that are spelled so already, except some with a dot after a slash."""


def absolute(path: str) -> str:
    """Return the one spelling of a path under which a store knows the file.

    Parameters
    ----------
    path : str
        A local path, relative or absolute, or a URL, which is left as it is.

    Examples
    --------
    >>> absolute("/photos/../photos/a.jpg")
    '/photos/a.jpg'
    """
    if os.sep == "/" and _PLAIN.fullmatch(path):  # fast for most of a frame's many paths
        return path
    return path if "://" in path else os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111


def absolutes(paths: pl.Series) -> pl.Series:
    """Return the same of a column of paths: itself, where all are spelled so already."""
    if os.sep != "/":
        return pl.Series(paths.name, [absolute(path) for path in paths], dtype=pl.String)
    odd = (~paths.str.contains(rf"^{_PLAIN.pattern}$")).arg_true()
    if odd.is_empty():
        return paths
    spelled = [absolute(path) for path in paths.gather(odd)]
    return paths.clone().scatter(odd, pl.Series(spelled, dtype=pl.String))


def native(path: str) -> str | bytes:
    """Return a path as the system takes it: as bytes where the name is not valid Unicode."""
    path = os.path.expanduser(path)  # noqa: PTH111
    if "\\udc" in path and not os.path.lexists(path):
        escape = re.compile(r"\\udc([89a-f][0-9a-f])")
        return os.fsencode(escape.sub(lambda found: chr(0xDC00 + int(found[1], 16)), path))
    return path


def as_unicode(path: str) -> str:
    """Return a path as frames and JSON can hold it, with escapes for bytes that are no Unicode.

    :func:`native` leads back.
    """
    # Python has lone surrogates for undecodable bytes.
    return path if path.isascii() else path.encode("utf-8", "backslashreplace").decode()
