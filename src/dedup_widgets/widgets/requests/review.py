"""What the browser asks of a review: decisions, undo, collections."""

from collections.abc import Callable
from typing import Any

import numpy as np

from dedup_widgets.planning.ranking import PLANNER_NEAR_LIMIT
from dedup_widgets.review.session import Session
from dedup_widgets.scoring import keepers
from dedup_widgets.scoring.keepers import Rule
from dedup_widgets.widgets.base import Handler
from dedup_widgets.widgets.protocol import Buffers, Request, pack_bits
from dedup_widgets.widgets.requests.grid import GridRequests


class ReviewRequests(GridRequests):
    """Answers a grid with a review.

    Parameters
    ----------
    session
        The review.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.told = session.collections.members()
        """The collections as pages were last told of them."""

    @property
    def handlers(self) -> dict[str, Handler]:
        """What answers which request."""
        return super().handlers | {
            Request.DECIDE: self._decide,
            Request.UNDO: lambda _message, _in, _out: self._after(self._session.undo),
            Request.REDO: lambda _message, _in, _out: self._after(self._session.redo),
            Request.COLLECT: self._collect,
            Request.COLLECTION: self._change_collection,
        }

    def open(self, message: dict[str, Any], buffers: list[Any], out: Buffers) -> dict[str, Any]:
        """Return all that a page needs to start."""
        return {
            **super().open(message, buffers, out),
            **self.collections(out),
            "mergeable": self._session.mergeable,
        }

    def plan_arrays(self, out: Buffers) -> dict[str, Any]:
        """Return what changes with the plan."""
        arrays = super().plan_arrays(out)
        return {
            **arrays,
            "summary": {**arrays["summary"], **self._session.disagreements},
            "review": self.info(),
        }

    def info(self) -> dict[str, Any]:
        """Return what the plan follows, and what can be taken back: ``ReviewInfo``."""
        session = self._session
        decisions, columns = session.decisions, session.frame.columns
        rules = keepers.applicable(columns) if decisions.rules is None else decisions.rules
        can_move = session.plan is not None and "embedding" in columns
        undo, redo = session.next_steps
        return {
            "off": session.why_no_plan,
            "near": session.near,
            "scored_near": session.scored_near,
            "near_max": max(PLANNER_NEAR_LIMIT, session.scored_near, session.near)
            if can_move
            else None,
            "changes": session.changes,
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

    def collections(self, out: Buffers) -> dict[str, Any]:
        """Return the collections as the browser gets them: ``CollectionsReply``."""
        self.told = members = self._session.collections.members()
        bits = [pack_bits(mask) for mask, _ in members.values()]
        return {
            "collections": [
                {"name": name, "size": int(mask.sum()), "description": description}
                for name, (mask, description) in members.items()
            ],
            "members": out.add(np.concatenate(bits) if bits else np.zeros(0, np.uint8)),
        }

    def _decide(self, message: dict[str, Any], _in: list[Any], _out: Buffers) -> dict[str, Any]:
        return self._after(lambda: self._change(message["change"]))

    def _change(self, change: dict[str, Any]) -> None:
        session = self._session
        match change:
            case {"keepers": {"add": add, "remove": remove}}:
                session.choose_keepers(self._mask(add), instead_of=self._mask(remove))
            case {"apart": rows}:
                session.mark_not_duplicates(self._mask(rows))
            case {"together": rows}:
                session.unmark_not_duplicates(self._mask(rows))
            case {"near": near}:
                session.near = near
            case {"rules": rules}:
                session.rules = rules
            case _:
                raise ValueError(f"no such change: {change!r}")

    def _mask(self, rows: list[Any]) -> np.ndarray:
        return self._session.mask_of(self._checked(rows))

    def _after(self, act: Callable[[], Any]) -> dict[str, Any]:
        act()
        return {"review": self.info()}

    def _collect(self, message: dict[str, Any], _in: list[Any], out: Buffers) -> dict[str, Any]:
        name, session = message["name"], self._session
        match message["of"]:
            case "selection":
                images = session.selection
            case "rest":
                images = session.rest
            case of:
                raise ValueError(f"cannot collect {of!r}")
        match message["how"]:
            case "replace":
                session.collections[name] = images
            case "add":
                session.collections.add(name, images)
            case "remove":
                session.collections.remove(name, images)
            case how:
                raise ValueError(f"cannot {how!r} a collection")
        return {**self.collections(out), "size": len(session.collections[name])}

    def _change_collection(
        self, message: dict[str, Any], _in: list[Any], out: Buffers
    ) -> dict[str, Any]:
        name, collections = message["name"], self._session.collections
        match message["change"]:
            case {"rename": new}:
                collections.rename(name, new)
            case {"describe": text}:
                collections.describe(name, text)
            case {"delete": True}:
                del collections[name]
            case change:
                raise ValueError(f"no such change: {change!r}")
        return self.collections(out)


def _rule_info(rule: str | Rule) -> dict[str, Any]:
    if isinstance(rule, Rule):
        return {"name": None, "about": rule.about}
    known = keepers.RULES.get(rule)
    return {"name": rule, "about": known.about if known else rule}
