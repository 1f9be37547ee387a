"""The browser's requests to a review: decisions, undo, collections."""

from typing import Any

import numpy as np

from dedup_widgets.planning.ranking import PLANNER_NEAR_LIMIT
from dedup_widgets.review.session import Session
from dedup_widgets.review.watched import Change
from dedup_widgets.scoring import keepers
from dedup_widgets.scoring.keepers import Rule
from dedup_widgets.widgets import protocol
from dedup_widgets.widgets.base import Handler, News
from dedup_widgets.widgets.protocol import Buffers, pack_bits
from dedup_widgets.widgets.requests.grid import GridRequests


class ReviewRequests(GridRequests):
    """Answers a grid with a review, and reports changes.

    Parameters
    ----------
    session
        The review.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._last_collections = session.collections.members()
        self._last_plan = self._plan_arrays()

    @property
    def handlers(self) -> dict[type[protocol.Request], Handler[Any]]:
        """What answers which request."""
        return super().handlers | {
            protocol.OpenReviewRequest: self._open_review,
            protocol.DecideRequest: self._decide,
            protocol.UndoRequest: self._undo,
            protocol.RedoRequest: self._redo,
            protocol.CollectRequest: self._collect,
            protocol.CollectionRequest: self._change_collection,
        }

    def is_slow(self, request: protocol.Request) -> bool:
        """Return whether a request needs a thread: pairs of near images are searched once."""
        searches = isinstance(request, protocol.DecideRequest) and isinstance(
            request.change, protocol.NearChange
        )
        return searches or super().is_slow(request)

    def report_change(self, change: Change, news: News) -> None:
        """Add the events that report a change to pages."""
        super().report_change(change, news)
        match change.what:
            case "plan":
                news.events.append(self._replanned(news.arrays))
            case "collections":
                news.events.append(protocol.CollectionsEvent(**self._collections(news.arrays)))
            case "review":
                news.events.append(protocol.ReviewEvent(review=self._info()))

    @property
    def collections_changed(self) -> bool:
        """Whether another notebook has changed collections since the last report to pages."""
        return self._session.collections.members() is not self._last_collections

    def _open_review(
        self, _request: protocol.OpenReviewRequest, _in: list[Any], out: Buffers
    ) -> protocol.ReviewReply:
        return protocol.ReviewReply(
            **self._opened(out),
            **self._collections(out),
            review=self._info(),
            mergeable=self._session.mergeable,
        )

    def _summary(self) -> protocol.Summary:
        summary = super()._summary()
        for name, count in self._session.disagreements.items():
            setattr(summary, name, count)
        return summary

    def _replanned(self, out: Buffers) -> protocol.PlanEvent:
        """Return what the plan has for the rows for which that changed."""
        before, after = self._last_plan, self._plan_arrays()
        self._last_plan = after
        self._version += 1
        changed = np.zeros(len(self._session), np.bool_)
        for name, array in after.items():
            changed |= array != before[name]
        # A row takes four bytes for its number and ten for its values.
        some = np.flatnonzero(changed).astype(np.uint32) if changed.mean() < 0.7 else None
        arrays = after if some is None else {name: it[some] for name, it in after.items()}
        return protocol.PlanEvent(
            version=self._version,
            rows=None if some is None else out.add(some),
            **{name: out.add(array) for name, array in arrays.items()},
            near=self._session.near,
            summary=self._summary(),
        )

    def _info(self) -> protocol.ReviewInfo:
        """Return what the plan follows, and what can be taken back."""
        session = self._session
        decisions, columns = session.decisions, session.frame.columns
        rules = keepers.applicable(columns) if decisions.rules is None else decisions.rules
        can_move = session.plan is not None and "embedding" in columns
        undo, redo = session.next_steps
        return protocol.ReviewInfo(
            off=session.why_no_plan,
            near=session.near,
            scored_near=session.scored_near,
            near_max=max(PLANNER_NEAR_LIMIT, session.scored_near, session.near)
            if can_move
            else None,
            changes=session.changes,
            rules=[_rule_info(rule) for rule in rules],
            rule_choices=[
                protocol.RuleChoice(name, rule.about)
                for name, rule in keepers.RULES.items()
                if set(rule.value.meta.root_names()) <= {*columns, "path"}
            ],
            keepers=len(decisions.keepers),
            not_duplicates=len(decisions.not_duplicates),
            undo=undo,
            redo=redo,
        )

    def _collections(self, out: Buffers) -> dict[str, Any]:
        self._last_collections = members = self._session.collections.members()
        bits = [pack_bits(mask) for mask, _ in members.values()]
        return {
            "collections": [
                protocol.CollectionInfo(name, int(mask.sum()), description)
                for name, (mask, description) in members.items()
            ],
            "members": out.add(np.concatenate(bits) if bits else np.zeros(0, np.uint8)),
        }

    def _decide(self, request: protocol.DecideRequest, _in: list[Any], _out: Buffers) -> None:
        session = self._session
        match request.change:
            case protocol.KeepersChange(add, remove):
                session.choose_keepers(self._mask(add), instead_of=self._mask(remove))
            case protocol.NotDuplicateChange(rows, True):
                session.mark_not_duplicates(self._mask(rows))
            case protocol.NotDuplicateChange(rows):
                session.unmark_not_duplicates(self._mask(rows))
            case protocol.NearChange(near):
                session.near = near
            case protocol.RulesChange(rules):
                session.rules = rules

    def _mask(self, rows: list[int]) -> np.ndarray:
        return self._session.mask_of(self._checked(rows))

    def _undo(self, _request: protocol.UndoRequest, _in: list[Any], _out: Buffers) -> None:
        self._session.undo()

    def _redo(self, _request: protocol.RedoRequest, _in: list[Any], _out: Buffers) -> None:
        self._session.redo()

    def _collect(
        self, request: protocol.CollectRequest, _in: list[Any], _out: Buffers
    ) -> protocol.CollectReply:
        name, session = request.name, self._session
        images = session.selection if request.of == "selection" else session.rest
        match request.how:
            case "replace":
                session.collections[name] = images
            case "add":
                session.collections.add(name, images)
            case "remove":
                session.collections.remove(name, images)
        return protocol.CollectReply(size=len(session.collections[name]))

    def _change_collection(
        self, request: protocol.CollectionRequest, _in: list[Any], _out: Buffers
    ) -> None:
        name, collections = request.name, self._session.collections
        match request.change:
            case protocol.Rename(new):
                collections.rename(name, new)
            case protocol.Describe(text):
                collections.describe(name, text)
            case protocol.Delete():
                del collections[name]


def _rule_info(rule: str | Rule) -> protocol.RuleInfo:
    if isinstance(rule, Rule):
        return protocol.RuleInfo(None, rule.about)
    known = keepers.RULES.get(rule)
    return protocol.RuleInfo(rule, known.about if known else rule)
