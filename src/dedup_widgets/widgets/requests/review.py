"""What the browser asks of a review: decisions, undo, collections."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dedup_widgets.planning.ranking import LIMIT
from dedup_widgets.scoring import keepers
from dedup_widgets.scoring.keepers import Rule
from dedup_widgets.widgets.base import Handler
from dedup_widgets.widgets.protocol import Buffers, Request

if TYPE_CHECKING:
    from dedup_widgets.widgets.explorer import Explorer


class ReviewRequests:
    """Answers the review of an Explorer."""

    def __init__(self, explorer: "Explorer") -> None:
        self._explorer = explorer

    @property
    def handlers(self) -> dict[str, Handler]:
        """What answers which request."""
        return {
            Request.DECIDE: self._decide,
            Request.UNDO: lambda _message, _in, _out: self._after(self._explorer.undo),
            Request.REDO: lambda _message, _in, _out: self._after(self._explorer.redo),
            Request.COLLECT: self._collect,
            Request.COLLECTION: self._change_collection,
        }

    def info(self) -> dict[str, Any]:
        """Return what the plan follows, and what can be taken back: ``ReviewInfo``."""
        explorer = self._explorer
        decisions, columns = explorer.decisions, explorer.frame.columns
        rules = keepers.applicable(columns) if decisions.rules is None else decisions.rules
        can_move = explorer.plan is not None and "embedding" in columns
        undo, redo = explorer.next_steps
        return {
            "off": explorer.why_no_plan,
            "near": explorer.near,
            "scored_near": explorer.scored_near,
            "near_max": max(LIMIT, explorer.scored_near, explorer.near) if can_move else None,
            "changes": explorer.changes,
            "rules": [_rule_info(rule) for rule in rules],
            "rule_choices": [
                {"name": name, "about": rule.about}
                for name, rule in keepers.RULES.items()
                if set(rule.value.meta.root_names()) <= {*columns, "path"}
            ],
            "keepers": len(decisions.keepers),
            "not_duplicates": len(decisions.not_duplicates),
            "undo": undo,
            "redo": redo,
        }

    def _decide(self, message: dict[str, Any], _in: list[Any], _out: Buffers) -> dict[str, Any]:
        return self._after(lambda: self._change(message["change"]))

    def _change(self, change: dict[str, Any]) -> None:
        explorer = self._explorer
        match change:
            case {"keepers": {"add": add, "remove": remove}}:
                explorer.choose_keepers(
                    explorer.paths_of(add), instead_of=explorer.paths_of(remove)
                )
            case {"apart": rows}:
                explorer.mark_not_duplicates(explorer.paths_of(rows))
            case {"together": rows}:
                explorer.unmark_not_duplicates(explorer.paths_of(rows))
            case {"near": near}:
                explorer.near = near
            case {"rules": rules}:
                explorer.rules = rules
            case _:
                raise ValueError(f"no such change: {change!r}")

    def _after(self, act: Callable[[], Any]) -> dict[str, Any]:
        act()
        return {"review": self.info()}

    def _collect(self, message: dict[str, Any], _in: list[Any], out: Buffers) -> dict[str, Any]:
        name, explorer = message["name"], self._explorer
        match message["of"]:
            case "selection":
                images = explorer.selection
            case "rest":
                images = explorer.rest
            case of:
                raise ValueError(f"cannot collect {of!r}")
        match message["how"]:
            case "replace":
                explorer.collections[name] = images
            case "add":
                explorer.collections.add(name, images)
            case "remove":
                explorer.collections.remove(name, images)
            case how:
                raise ValueError(f"cannot {how!r} a collection")
        return {**explorer.collections_on_the_wire(out), "size": len(explorer.collections[name])}

    def _change_collection(
        self, message: dict[str, Any], _in: list[Any], out: Buffers
    ) -> dict[str, Any]:
        name, collections = message["name"], self._explorer.collections
        match message["change"]:
            case {"rename": new}:
                collections.rename(name, new)
            case {"describe": text}:
                collections.describe(name, text)
            case {"delete": True}:
                del collections[name]
            case change:
                raise ValueError(f"no such change: {change!r}")
        return self._explorer.collections_on_the_wire(out)


def _rule_info(rule: str | Rule) -> dict[str, Any]:
    if isinstance(rule, Rule):
        return {"name": None, "about": rule.about}
    known = keepers.RULES.get(rule)
    return {"name": rule, "about": known.about if known else rule}
