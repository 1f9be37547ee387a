"""How hard a property is tried: a tenth as hard with ``--hypothesis-profile=fast``."""

from typing import Any

from hypothesis import settings


def examples(number: int, **more: Any) -> settings:
    """Return settings that try so many examples, or the part of them that the profile asks for."""
    return settings(max_examples=max(1, number * settings.default.max_examples // 100), **more)
