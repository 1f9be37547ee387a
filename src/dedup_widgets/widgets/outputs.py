"""Which cell's output shows which widget, so that what no cell shows any more is given back.

ipywidgets holds every widget that a page knows until the kernel ends, and IPython every result. A
cell that runs again takes its earlier output off the page: the widgets of that output are closed
then, unless they are shown elsewhere. One that a variable still holds opens anew when it is shown.
"""

import gc
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import ipywidgets
from ipywidgets.widgets.widget import _instances


class CellRun(NamedTuple):
    """One run of one cell."""

    cell: str
    number: str


def current_run() -> CellRun | None:
    """Return the run that is under way; None where the host does not tell its cells apart."""
    parent: dict[str, Any] = getattr(_shell(), "get_parent", dict)()
    cell = (parent.get("metadata") or {}).get("cellId")
    number = (parent.get("header") or {}).get("msg_id")
    return CellRun(cell, number) if isinstance(cell, str) and isinstance(number, str) else None


def in_ipython() -> bool:
    """Tell whether IPython shows what cells return."""
    return _shell() is not None


def _shell() -> Any:
    from IPython.core.getipython import get_ipython

    return get_ipython()


@dataclass
class _CellWidget:
    """A widget that a cell made, and what it leaves to the next one that the cell makes."""

    widget: "weakref.ref[Any]"
    left: Any = None

    def leave(self) -> Any:
        """Return the state of the widget, or the last one where it is gone."""
        widget = self.widget()
        if widget is not None:
            self.left = widget.session.state
        return self.left


@dataclass
class _Cell:
    """What one cell made, in its last run and in the one before."""

    number: str = ""
    made: list[_CellWidget] = field(default_factory=list)
    before: list[_CellWidget] = field(default_factory=list)


# The runs in whose output a widget is shown; a host without cells counts as one that stays.
_shown: "weakref.WeakKeyDictionary[Any, dict[str | None, str]]" = weakref.WeakKeyDictionary()
_cells: dict[str, _Cell] = {}


def note_made(widget: Any) -> Any:
    """Note that a cell makes a widget over a session of its own.

    Returns
    -------
    ViewState or None
        That of the widget which the same cell made in its place when it ran before.
    """
    run = current_run()
    if run is None:
        return None
    cell = _cells.setdefault(run.cell, _Cell())
    if cell.number != run.number:
        cell.number, cell.made, cell.before = run.number, [], cell.made or cell.before
    place = len(cell.made)
    cell.made.append(_CellWidget(weakref.ref(widget)))
    return cell.before[place].leave() if place < len(cell.before) else None


def note_shown(widget: Any) -> None:
    """Note that the output of the present run shows a widget."""
    run = current_run()
    if run is None or _is_captured(run):
        _shown.setdefault(widget, {})[None] = ""
        return
    _shown.setdefault(widget, {})[run.cell] = run.number
    events = _shell().events
    if _give_back not in events.callbacks["post_run_cell"]:
        events.register("post_run_cell", _give_back)


def _is_captured(run: CellRun) -> bool:
    """Tell whether an Output widget, which may lie elsewhere, takes what this run shows."""
    return any(
        isinstance(widget, ipywidgets.Output) and widget.msg_id == run.number
        for widget in list(_instances.values())
    )


def _give_back(result: Any) -> None:
    """Close what a cell showed in an earlier run and shows no more."""
    run = current_run()
    if run is None or result.info.cell_id != run.cell:
        return
    gone = []
    for widget, runs in list(_shown.items()):
        if runs.get(run.cell, run.number) != run.number:
            del runs[run.cell]
            if not runs and not any(widget is part for part in _parts_of_others(widget)):
                gone.append(widget)
    for widget in gone:
        _leave(widget, run.cell)
        widget.leave_pages()
        _forget(widget)
    if gone:
        del gone, widget
        # What is left are circles of widgets and handlers, and some hold a frame.
        gc.collect()


def _leave(widget: Any, cell: str) -> None:
    for made in (_cells[cell].made + _cells[cell].before) if cell in _cells else ():
        if made.widget() is widget:
            made.leave()


def _parts_of_others(widget: Any) -> Iterator[Any]:
    for other in list(_instances.values()):
        if other is not widget:
            yield from getattr(other, "children", ())


def _forget(widget: Any) -> None:
    """Take a widget out of IPython's history of results; variables keep theirs."""
    shell = _shell()
    history = shell.user_ns.get("_oh", {})
    for number in [number for number, it in history.items() if it is widget]:
        del history[number]
        for names in (shell.user_ns, shell.user_ns_hidden):
            names.pop(f"_{number}", None)
    for name in ("_", "__", "___"):
        if getattr(shell.displayhook, name, None) is widget:
            setattr(shell.displayhook, name, "")
            shell.push({name: ""}, interactive=False)


def parts(widget: Any, seen: set[int] | None = None) -> Iterator[Any]:
    """Return a widget and those that it consists of, each once, the innermost first."""
    seen = set() if seen is None else seen
    seen.add(id(widget))
    # Its attributes, among them the values of its traits: some are not on the page at present.
    for part in _widgets_in(vars(widget)):
        if id(part) not in seen:
            yield from parts(part, seen)
    yield widget


def _widgets_in(value: Any) -> Iterator[Any]:
    if isinstance(value, ipywidgets.Widget):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _widgets_in(item)
    elif isinstance(value, dict):
        yield from _widgets_in(list(value.values()))


class ShownInCell:
    """A widget that is open while it is shown: it leaves all pages with the output it was in."""

    def leave_pages(self) -> None:
        """Take the widget off all pages; it opens again when it is shown again."""
        if self.comm is None:  # type: ignore[attr-defined]
            return
        for part in list(parts(self)):
            if part is self or not _shown.get(part):
                ipywidgets.Widget.close(part)
                # With this ipywidgets says that there is nothing to show.
                vars(part).pop("_repr_mimebundle_", None)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        for part in list(parts(self)):
            part.open()
        note_shown(self)
        return super()._repr_mimebundle_(**options)  # type: ignore[misc]
