"""The browser's requests to a review: decisions, undo, collections."""

import threading
import weakref
from typing import Any

import numpy as np

from dedup_widgets.frame.schema import for_planning
from dedup_widgets.frame.table import folders
from dedup_widgets.images.missing import find_missing
from dedup_widgets.planning.closeness import PLANNER_NEAR_LIMIT
from dedup_widgets.review.session import Session
from dedup_widgets.review.watched import Change
from dedup_widgets.scoring import keepers
from dedup_widgets.scoring.keepers import Rule
from dedup_widgets.widgets import protocol
from dedup_widgets.widgets.base import Handler, News
from dedup_widgets.widgets.protocol import Buffers, pack_bits
from dedup_widgets.widgets.requests.grid import GridRequests

_BEST = {
    "highest": keepers.highest,
    "lowest": keepers.lowest,
    "oldest": keepers.oldest,
    "newest": keepers.newest,
}


SECONDS_BEFORE_LOOKING = 2.0
"""After a page opened, before files that went missing are looked for, once."""


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
        self._looks_for_missing = False
        self._last_collections = session.collections.members()
        self._last_plan = self._plan_arrays()
        self._nameless: list[Rule] = []
        self._last_seen = session.seen

    @property
    def handlers(self) -> dict[type[protocol.Request], Handler[Any]]:
        """What answers which request."""
        return super().handlers | {
            protocol.OpenReviewRequest: self._open_review,
            protocol.DecideRequest: self._decide,
            protocol.FoldersRequest: self._folders,
            protocol.UndoRequest: self._undo,
            protocol.RedoRequest: self._redo,
            protocol.BeginAnewRequest: self._begin_anew,
            protocol.CollectRequest: self._collect,
            protocol.CollectionRequest: self._change_collection,
        }

    def is_slow(self, request: protocol.Request) -> bool:
        """Return whether a request needs a thread: all paths are read, or pairs searched once."""
        searches = isinstance(request, protocol.FoldersRequest) or (
            isinstance(request, protocol.DecideRequest)
            and isinstance(request.change, protocol.NearChange)
        )
        return searches or super().is_slow(request)

    def report_change(self, change: Change, news: News) -> None:
        """Add the events that report a change to pages."""
        super().report_change(change, news)
        match change.what:
            case "frame":
                self._last_plan = self._plan_arrays()
                self._last_seen = self._session.seen
                self._version += 1
                news.events.append(protocol.FrameEvent())
            case "plan":
                news.events.append(self._replanned(news.arrays))
            case "collections":
                news.events.append(protocol.CollectionsEvent(**self._collections(news.arrays)))
            case "reviewed":
                news.events.append(self._newly_reviewed(news.arrays))
            case "review":
                news.events.append(protocol.ReviewEvent(review=self._info()))

    @property
    def collections_changed(self) -> bool:
        """Whether another notebook has changed collections since the last report to pages."""
        return self._session.collections.members() is not self._last_collections

    def _open_review(
        self, _request: protocol.OpenReviewRequest, _in: list[Any], out: Buffers
    ) -> protocol.ReviewReply:
        if not self._looks_for_missing:
            self._looks_for_missing = True
            # The first screen comes first.
            look = threading.Timer(SECONDS_BEFORE_LOOKING, _get_ready, [weakref.ref(self._session)])
            look.daemon = True
            look.start()
        seen = np.flatnonzero(self._session.seen)
        return protocol.ReviewReply(
            **self._opened(out),
            **self._collections(out),
            reviewed_rows=out.add(seen.astype(np.uint32)),
            reviewed=out.add(self._session.seen[seen]),
            review=self._info(),
            mergeable=self._session.mergeable,
        )

    def _newly_reviewed(self, out: Buffers) -> protocol.ReviewedEvent:
        before, now = self._last_seen, self._session.seen
        self._last_seen = now
        changed = np.flatnonzero(before != now).astype(np.uint32)
        return protocol.ReviewedEvent(rows=out.add(changed), reviewed=out.add(now[changed]))

    def _summary(self) -> protocol.SummaryInfo:
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
            # By their bits, for no NaN equals another.
            bits = f"u{array.itemsize}"
            changed |= array.view(bits) != before[name].view(bits)
        # A row takes four bytes for its number and fourteen for its values.
        some = np.flatnonzero(changed).astype(np.uint32) if changed.mean() < 0.77 else None
        arrays = after if some is None else {name: it[some] for name, it in after.items()}
        return protocol.PlanEvent(
            version=self._version,
            keep_order=self._session.keeps_order,
            rows=None if some is None else out.add(some),
            **{name: out.add(array) for name, array in arrays.items()},
            near=self._session.near,
            summary=self._summary(),
        )

    def _info(self) -> protocol.ReviewInfo:
        """Return what the plan follows, and what can be taken back."""
        session = self._session
        decisions, columns = session.decisions, session.frame.columns
        named = self._named_rules()
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
            rules=[
                protocol.RuleInfo(self._name_of(rule), rule.about)
                if isinstance(rule, Rule)
                else protocol.RuleInfo(rule, named[rule].about if rule in named else rule)
                for rule in rules
            ],
            rule_choices=[protocol.RuleInfo(name, rule.about) for name, rule in named.items()],
            keepers=len(decisions.keepers),
            not_duplicates=len(decisions.not_duplicates),
            undo=undo,
            redo=redo,
            went_on=session.went_on,
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
            case protocol.ReviewedChange(rows, True):
                session.mark_reviewed(self._mask(rows))
            case protocol.ReviewedChange(rows):
                session.unmark_reviewed(self._mask(rows))
            case protocol.NearChange(near):
                session.near = near
            case protocol.RulesChange(rules):
                session.rules = None if rules is None else [self._rule(rule) for rule in rules]

    def _named_rules(self) -> dict[str, Rule]:
        session = self._session
        return keepers.named(for_planning(session.frame.clear(), session.path, session.score))

    def _name_of(self, rule: Rule) -> str:
        """Return what a page calls a rule that has no name of its own."""
        place = next((i for i, known in enumerate(self._nameless) if known is rule), None)
        if place is None:
            place = len(self._nameless)
            self._nameless.append(rule)
        return str(place)

    def _rule(self, rule: str | protocol.NewRule) -> str | Rule:
        match rule:
            case protocol.NewFolderRule(folder):
                return keepers.prefer_folder(folder)
            case protocol.NewValuesRule(column, values):
                return keepers.prefer(column, values)
            case protocol.NewColumnRule(column, best):
                return _BEST[best](column)
        if rule.isdecimal() and int(rule) < len(self._nameless):
            return self._nameless[int(rule)]
        return rule

    def _folders(
        self, _request: protocol.FoldersRequest, _in: list[Any], _out: Buffers
    ) -> protocol.FoldersReply:
        root, counts = folders(self._session.paths)
        return protocol.FoldersReply(
            root=root, folders=[protocol.FolderInfo(*item) for item in counts.items()]
        )

    def _mask(self, rows: list[int]) -> np.ndarray:
        return self._session.mask_of(self._checked(rows))

    def _undo(self, _request: protocol.UndoRequest, _in: list[Any], _out: Buffers) -> None:
        self._session.undo()

    def _redo(self, _request: protocol.RedoRequest, _in: list[Any], _out: Buffers) -> None:
        self._session.redo()

    def _begin_anew(
        self, _request: protocol.BeginAnewRequest, _in: list[Any], _out: Buffers
    ) -> None:
        self._session.begin_anew()

    def _collect(
        self, request: protocol.CollectRequest, _in: list[Any], _out: Buffers
    ) -> protocol.CollectReply:
        name, session = request.name, self._session
        images = session.selected if request.of == "selection" else session.rest_mask
        match request.how:
            case "replace":
                session.collections[name] = images
            case "add":
                session.collections.add(name, images)
            case "remove":
                session.collections.remove(name, images)
        return protocol.CollectReply(size=session.collections.size(name))

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


def _get_ready(weak: "weakref.ref[Session]") -> None:
    """Let a review know which files went missing, and prepare what its first step waits for."""
    session = weak()
    if session is not None and not session.scoring:
        session.prepare()
        session.note_missing(find_missing(session.paths))
