"""What a widget has of the review that it shows, under the same names and with the same docs."""

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class _OfSession:
    """A property of a widget that is one of its session."""

    def __init__(self, doc: str | None) -> None:
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, widget: Any, owner: type | None = None) -> Any:
        return self if widget is None else getattr(widget.session, self._name)

    def __set__(self, widget: Any, value: Any) -> None:
        setattr(widget.session, self._name, value)


def attribute_of(member: Any) -> Any:
    """Return an attribute for a widget class that reads and sets that of its session.

    Parameters
    ----------
    member
        The property of the session's class; or, for a plain attribute, what it is, as a text.
    """
    return _OfSession(member if isinstance(member, str) else member.__doc__)


def method_of(method: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
    """Return a method for a widget class that calls that of its session."""

    @functools.wraps(method)
    def call(widget: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
        result: R = getattr(widget.session, method.__name__)(*args, **kwargs)
        return result

    return call
