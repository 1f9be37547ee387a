"""Counts and problems in words."""

from collections.abc import Mapping, Sequence

from dedup_widgets.errors import ImageError


def counted(count: int, thing: str) -> str:
    """Return a number of things in words.

    >>> counted(1, "image"), counted(1204, "image")
    ('1 image', '1,204 images')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def counts(counts: Mapping[str, int]) -> str:
    """Return "train 3, test 1"."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def listed(problems: Sequence[str]) -> str:
    """Return the first three, and how many more there are."""
    more = f"; and {len(problems) - 3:,} more" if len(problems) > 3 else ""
    return "; ".join(problems[:3]) + more


def about_file(source: str, error: ImageError) -> str:
    """Return the text of an error, which names the file."""
    return text if (text := str(error)).startswith(source) else f"{source}: {text}"
