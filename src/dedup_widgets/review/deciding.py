"""Decisions of several notebooks on one library: each is made on what all decided before."""

import functools
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Concatenate, ParamSpec, TypeVar

from dedup_widgets.store.library import ChangedMeanwhileError

P = ParamSpec("P")
R = TypeVar("R")


def decides(method: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
    """Let a method of a session decide on what is known by now, whoever decided it.

    It waits until nobody else writes, before it holds the session, which others read; takes in what
    was decided elsewhere; and begins again where more is decided meanwhile. Until it has written,
    the method changes nothing.
    """

    @functools.wraps(method)
    def decide(session: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
        while True:
            session.store.library.wait_for_turn()
            with session.changing():
                session.catch_up()
                with suppress(ChangedMeanwhileError):
                    return method(session, *args, **kwargs)

    return decide
