"""Counts and problems in words."""

import difflib
import operator
import os
from collections.abc import Iterable, Mapping, Sequence

from dedup_widgets.errors import ImageError, InputError


def counted(count: int, thing: str) -> str:
    """Return a number of things in words.

    >>> counted(1, "image"), counted(1204, "image")
    ('1 image', '1,204 images')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def counts(counts: Mapping[str, int]) -> str:
    """Return "train 3, test 1"."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def number(value: float) -> str:
    """Write a number with three digits, or as a whole.

    >>> number(0.042137), number(1204.4), number(0.00003)
    ('0.0421', '1,204', '3e-5')
    """
    if value == round(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}".replace("e-0", "e-")


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """Return a question after the name that is meant, if one of these is like it.

    >>> did_you_mean("uniqeness", ["uniqueness", "width"])
    " Did you mean 'uniqueness'?"
    """
    close = difflib.get_close_matches(str(name), names, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def listed(problems: Sequence[str]) -> str:
    """Return the first three, and how many more there are."""
    more = f"; and {len(problems) - 3:,} more" if len(problems) > 3 else ""
    return "; ".join(problems[:3]) + more


def storable(text: object, what: str) -> str:
    """Return a text that a file can hold, or raise.

    Parameters
    ----------
    text
        Anything.
    what
        What it is, for the error.

    Raises
    ------
    InputError
        When it is no text, or holds half a character, as a broken name of a file does.

    Examples
    --------
    >>> storable("café", "the description")
    'café'
    """
    if not isinstance(text, str):
        raise InputError(f"{what} is {text!r}; give a text")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise InputError(f"{what} holds half a character, which no file can: {text[:99]!r}")
    return text


def whole(what: str, value: object, least: int) -> int:
    """Return a whole number that is at least so large; raise an InputError for any other value.

    >>> whole("workers", 4, 1)
    4
    """
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError as error:
        raise InputError(f"{what} is {value!r:.99}; give a whole number") from error
    if number < least:
        raise InputError(f"{what} is {number}; it must be at least {least}")
    return number


def named_place(what: str, value: object) -> str:
    """Return the name of a file or a folder as text; raise an InputError for what is neither.

    >>> named_place("root", "datasets")
    'datasets'
    """
    if not isinstance(value, str | os.PathLike):
        raise InputError(f"{what} is {value!r:.99}; give the name of a file or a folder")
    return os.fspath(value)


def about_file(source: str, error: ImageError) -> str:
    """Return the text of an error, which names the file."""
    return text if (text := str(error)).startswith(source) else f"{source}: {text}"
