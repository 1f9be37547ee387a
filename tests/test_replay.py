import io
import json
import subprocess
import sys
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup_widgets.errors import InputError
from dedup_widgets.planning.plan import plan
from dedup_widgets.review.collections import Collections, Members
from dedup_widgets.review.decisions import Decisions, StoredDecisions
from dedup_widgets.review.history import History, State
from dedup_widgets.review.replay import replay
from dedup_widgets.review.steps import (
    CollectionStep,
    FiltersStep,
    KeepersStep,
    NearStep,
    NotDuplicatesStep,
    RenameStep,
    Rows,
    RulesStep,
    SelectionStep,
)
from dedup_widgets.scoring import keepers
from dedup_widgets.scoring.uniqueness import uniqueness
from dedup_widgets.store.library import Library
from effort import examples

N = 6
PATHS = [f"/p/{i}.jpg" for i in range(N)]
PRINTS = ["f", "f", "g", "h", "i", "i"]


def scored():
    """Return a frame of two groups: two pictures and a copy, and a picture and its copy."""
    angles = np.radians([0, 0, 12, 40, 90, 90])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float16)
    scores = uniqueness(vectors, fingerprints=PRINTS, near=0.05)
    facts = pl.DataFrame(
        {
            "path": PATHS,
            "fingerprint": PRINTS,
            "bytes": [10, 20, 30, 40, 50, 60],
            "embedding": pl.Series(vectors, dtype=pl.Array(pl.Float16, 2)),
        }
    )
    return facts.hstack(
        scores.with_columns(nearest=pl.lit(facts["path"]).gather(pl.col("nearest")))
    )


FRAME = scored()


class Live:
    """A review as a widget wires it, without the widget."""

    def __init__(self, folder, clock):
        store = Library(Path(folder) / "store.sqlite")
        self.stored = StoredDecisions(FRAME, store)
        self.collections = Collections(
            FRAME, "path", store, mask=self.mask, changed=lambda step: self.history.record(step)
        )
        store.change_collection("old", add=PATHS[:2], description="from before")
        self.selected = np.arange(N) == 3
        self.filters = {"kind": {"any": ["near"]}}
        self.decisions = Decisions().choose([PATHS[1]])
        for step in Decisions().steps_to(self.decisions):
            self.stored.write(step)
        self.history = History(PATHS, self.state(), now=clock)

    def mask(self, what):
        return FRAME["path"].is_in(list(what)).to_numpy()

    def state(self):
        members = self.collections.members()
        return State(self.selected, self.filters, self.decisions, members)

    def do(self, step):
        self.history.record(step)
        self.carry_out(step)

    def decide(self, decisions):
        for step in self.decisions.steps_to(decisions):
            self.do(step)

    def carry_out(self, step):
        match step:
            case SelectionStep():
                self.selected = step.on(self.selected)
            case FiltersStep():
                self.filters = dict(step.after)
            case CollectionStep() | RenameStep():
                return self.collections.apply(step)
            case _:
                self.decisions = self.decisions.after(step)
                self.stored.write(step)
        return step


def comparable(state):
    return (
        np.flatnonzero(state.selection).tolist(),
        state.filters,
        state.decisions.as_json(),
        {
            name: (np.flatnonzero(members.mask).tolist(), members.description)
            for name, members in state.collections.items()
        },
    )


def replayed(log, **options):
    found = replay(FRAME, log, **options)
    row_of = {path: row for row, path in enumerate(PATHS)}
    return (
        [row_of[path] for path in found.selection["path"]],
        found.filters,
        found.decisions.as_json(),
        {
            name: ([row_of[path] for path in c.paths], c.description)
            for name, c in found.collections.items()
        },
    )


some_rows = st.lists(st.integers(0, N - 1), unique=True)
some_paths = some_rows.map(lambda numbers: [PATHS[row] for row in numbers])
names = st.sampled_from(["old", "x", "é", "“y”"])
clauses = st.dictionaries(
    st.sampled_from(["kind", "bytes", "collections"]), st.sampled_from([[0, 1], {"any": [None]}])
)
some_rules = st.sampled_from(
    [None, (), ("bytes",), (keepers.lowest("bytes"), "path"), (keepers.prefer_path("*/3*"),)]
)
moves = st.one_of(
    st.tuples(st.just("undo")),
    st.tuples(st.just("redo")),
    st.tuples(st.just("select"), some_rows, st.booleans()),
    st.tuples(st.just("filter"), clauses),
    st.tuples(st.just("near"), st.sampled_from([None, 0.0, 0.05, 0.2, 1])),
    st.tuples(st.just("rules"), some_rules),
    st.tuples(st.just("choose"), some_paths, some_paths),
    st.tuples(st.just("part"), st.lists(st.tuples(*[st.sampled_from(PRINTS)] * 2))),
    st.tuples(st.just("rejoin"), st.lists(st.sampled_from(PRINTS))),
    st.tuples(st.just("add"), names, some_paths),
    st.tuples(st.just("remove"), names, some_paths),
    st.tuples(st.just("assign"), names, some_paths),
    st.tuples(st.just("delete"), names),
    st.tuples(st.just("describe"), names, st.sampled_from(["", "text", "a\nb"])),
    st.tuples(st.just("rename"), names, names),
)


def make(live, move):
    match move:
        case ("undo",):
            live.history.undo(live.carry_out)
        case ("redo",):
            live.history.redo(live.carry_out)
        case "select", numbers, drag:
            after = np.isin(np.arange(N), numbers)
            live.do(SelectionStep.between(live.selected, after, drag=drag))
        case "filter", after:
            live.do(FiltersStep(live.filters, after))
        case "near", near:
            live.decide(live.decisions.with_near(near))
        case "rules", rules:
            live.decide(live.decisions.with_rules(rules))
        case "choose", chosen, others:
            live.decide(live.decisions.choose(chosen, instead_of=others))
        case "part", pairs:
            live.decide(live.decisions.part(pairs))
        case "rejoin", prints:
            live.decide(live.decisions.rejoin(prints))
        case "assign", name, paths:
            live.collections[name] = paths
        case "delete", name:
            live.collections.pop(name, None)
        case operation, name, *arguments:
            with suppress(InputError):  # there is no such collection, or the name is taken
                getattr(live.collections, operation)(name, *arguments)


class Clock:
    """Goes on by some seconds whenever it is looked at."""

    def __init__(self, waits):
        self.now, self.waits = datetime(2026, 3, 1, tzinfo=UTC), list(waits)

    def __call__(self):
        self.now += timedelta(seconds=self.waits.pop() if self.waits else 5)
        return self.now


@pytest.mark.lengthy
@examples(150)
@given(st.lists(moves, max_size=25), st.lists(st.sampled_from([0.1, 0.7, 3]), max_size=25))
def test_replay_leads_to_the_live_state_and_undo_back_to_the_start(sequence, waits):
    with tempfile.TemporaryDirectory() as folder:
        live = Live(folder, Clock(waits))
        start = comparable(live.state())
        for move in sequence:
            make(live, move)
        end = comparable(live.state())
        assert replayed(live.history.log) == end

        while live.history.undo(live.carry_out):
            pass
        assert comparable(live.state()) == start
        assert replayed(live.history.log) == start
        assert live.stored.read() == live.decisions

        while live.history.redo(live.carry_out):
            pass
        log = live.history.log
        assert replayed(log) == replayed(json_lines(log)) == comparable(live.state())


def json_lines(log):
    text = io.StringIO()
    log.write_ndjson(text)
    return [json.loads(line) for line in text.getvalue().splitlines()]


@pytest.fixture
def history():
    return History(PATHS, State(np.zeros(N, bool)))


@pytest.fixture
def log(history):
    history.record(SelectionStep.between(np.zeros(N, bool), np.arange(N) < 2))
    history.record(KeepersStep.between(set(), {PATHS[0]}))
    history.record(NotDuplicatesStep.between(set(), {("g", "h")}))
    history.record(NearStep(None, 0.2))
    history.record(RulesStep(None, (keepers.prefer("bytes", [30, 10]), "path")))
    return history.log


@pytest.mark.lengthy
def test_the_plan_of_a_replay_is_the_plan_of_the_decisions(log):
    found = replay(FRAME, log)
    assert found.decisions.near == 0.2
    assert found.plan.equals(plan(FRAME, **found.decisions.arguments()))
    assert found.plan.row(by_predicate=pl.col("path") == PATHS[0], named=True)["action"] == "keep"


def test_a_log_is_a_frame_a_file_or_dicts(log, tmp_path):
    log.write_ndjson(tmp_path / "review.jsonl")
    expected = replayed(log)
    assert replayed(str(tmp_path / "review.jsonl")) == expected
    assert replayed(tmp_path / "review.jsonl") == expected
    assert replayed(pl.read_ndjson(tmp_path / "review.jsonl")) == expected
    assert replayed(log.lazy()) == expected
    assert replayed(log.to_pandas()) == expected
    assert replayed(iter(log.to_dicts())) == expected
    unpacked = [row | {"value": json.loads(row["value"])} for row in log.to_dicts()]
    assert replayed(unpacked) == expected


def test_a_log_is_replayed_on_rows_in_any_order_and_under_any_name(log):
    shuffled = FRAME.sample(fraction=1, shuffle=True, seed=3).rename({"path": "file"})
    found = replay(shuffled, log, path="file")
    assert set(found.selection["file"]) == set(PATHS[:2])
    assert found.plan.sort("path").equals(replay(FRAME, log).plan.sort("path"), null_equal=True)


def test_logs_after_one_another_each_start_anew(log):
    assert replayed(pl.concat([log, log])) == replayed(log)
    other = History(PATHS, State(np.ones(N, bool))).log
    assert replayed(pl.concat([log, other])) == replayed(other)


def test_paths_that_the_frame_lacks_are_named_and_counted(history):
    history.record(SelectionStep.between(np.zeros(N, bool), np.ones(N, bool)))
    history.record(KeepersStep.between(set(), {PATHS[4], PATHS[5]}))
    everything = Rows(np.ones(N, bool))
    none = Rows.none(N)
    history.record(CollectionStep("x", everything, none, exists=(False, True)))
    few = FRAME.head(4)
    with pytest.raises(InputError, match=r"2 of the log's paths .* '/p/4.jpg' in line 2 first"):
        replay(few, history.log)
    found = replay(few, history.log, missing="ignore")
    assert found.selection["path"].to_list() == PATHS[:4]
    assert found.collections["x"].paths == PATHS[:4]
    assert found.decisions.keepers == set()
    with pytest.raises(InputError, match="missing is 'drop'"):
        replay(few, history.log, missing="drop")


def entry(action="do", step="near", value=None):
    return {"action": action, "step": step, "value": value}


START = History(PATHS, State(np.zeros(N, bool))).log.to_dicts()[0]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (entry("again"), "no 'action'"),
        ("text", "no 'action'"),
        (entry(step="zoom"), "no step 'zoom'"),
        (entry(step=None), "no step None"),
        (entry(value="{"), "no JSON"),
        (entry(value='"0.1"'), "near is '0.1'"),
        (entry(value="true"), "near is True"),
        (entry(value="1.5"), "near is 1.5"),
        (entry(value="NaN"), "near is nan"),
        (entry(step="selection", value='{"add": []}'), "no list 'remove'"),
        (entry(step="selection", value='{"add": [1], "remove": []}'), "no texts in 'add'"),
        (entry(step="filters", value="[]"), "no clauses"),
        (entry(step="rules", value='"bytes"'), "list or null"),
        (entry(step="rules", value='["bits"]'), "no keeper rule 'bits'"),
        (entry(step="rules", value='[{"about": "x"}]'), "no str 'value'"),
        (entry(step="not_duplicates", value='{"add": [["f"]], "remove": []}'), "no pair"),
        (entry(step="not_duplicates", value='{"add": [["f", 1]], "remove": []}'), "no pair"),
        (entry(step="collection", value='{"name": "x", "made": true}'), "no bool 'deleted'"),
        (entry(step="rename", value='{"from": "x"}'), "no str 'to'"),
        (entry("start", None, "{}"), "no int 'version'"),
        (entry("start", None, '{"version": 99}'), "newer version"),
    ],
)
def test_a_line_that_is_no_entry_is_named_with_the_reason(bad, why):
    with pytest.raises(InputError, match=f"line 3 of the log .*{why}"):
        replay(FRAME, [START, entry(value="0.1"), bad])


def test_a_log_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"line 1 .* begins with its start"):
        replay(FRAME, [entry(value="0.1")])
    with pytest.raises(InputError, match="empty"):
        replay(FRAME, [])
    with pytest.raises(InputError, match="needs a column 'action'"):
        replay(FRAME, FRAME)
    with pytest.raises(InputError, match="not int"):
        replay(FRAME, 3)
    with pytest.raises(InputError, match=r"cannot read the log .*none\.jsonl"):
        replay(FRAME, tmp_path / "none.jsonl")
    broken = tmp_path / "broken.jsonl"
    broken.write_text(json.dumps(START, default=str) + "\n\n{no json\n")
    with pytest.raises(InputError, match=r"line 3 of .*broken\.jsonl is no JSON"):
        replay(FRAME, broken)
    broken.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot read"):
        replay(FRAME, broken)


RULES = [
    *keepers.RULES,
    "newest",
    keepers.highest("votes"),
    keepers.oldest("taken"),
    keepers.prefer_path("*/orig*/*"),
    keepers.prefer("source", ["camera", "web"]),
    keepers.prefer("votes", [3, None]),
    keepers.Rule("big and new", (pl.col("bytes") > 100) & (pl.col("taken").dt.year() > 2020)),
    keepers.Rule("either", pl.when(pl.col("a").is_in([1, 2])).then(1).otherwise(pl.col("b") ** 2)),
    keepers.Rule("name", pl.coalesce(pl.col("a"), "b").str.to_lowercase().alias("n"), False),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: getattr(rule, "about", rule))
def test_a_keeper_rule_comes_back_as_it_was(history, rule):
    history.record(RulesStep(None, (rule,)))
    found = replay(FRAME, history.log).decisions
    assert found == Decisions(rules=(rule,))


def evil(_value):
    raise AssertionError("code of a log was run")


class Evil:
    def __reduce__(self):
        return evil, (None,)


@pytest.mark.parametrize(
    "expression",
    [
        pl.col("bytes").map_batches(evil, return_dtype=pl.Int64),
        pl.col("bytes").map_elements(evil, return_dtype=pl.Int64),
        pl.col("bytes").name.map(evil),
        pl.fold(pl.lit(0), evil, ["bytes"]),
        pl.col("bytes").rolling_map(evil, 2) + 1,
        pl.when(pl.col("bytes").cum_sum().map_batches(evil) > 1).then(1).otherwise(2),
    ],
)
def test_no_code_of_a_log_is_run(history, expression):
    history.record(RulesStep(None, (keepers.Rule("evil", expression),)))
    with pytest.raises(InputError, match=r"line 2 .*'evil' is made of more than a log"):
        replay(FRAME, history.log)


def deep(depth):
    return '{"Alias": [' * depth + '{"Column": "bytes"}' + ', "x"]}' * depth


def of_string(function, *arguments):
    literals = [{"Literal": {"Scalar": {"String": text}}} for text in arguments]
    inner = {"input": [{"Column": "path"}, *literals], "function": {"StringExpr": function}}
    return json.dumps({"Function": inner})


def with_list(data):
    listed = {"Literal": {"Scalar": {"List": data}}}
    inner = {"input": [{"Column": "a"}, listed], "function": {"Boolean": {"IsIn": {}}}}
    return json.dumps({"Function": inner})


@pytest.mark.lengthy
@pytest.mark.parametrize(
    "text",
    [
        pl.col("path").str.pad_start(10**9).meta.serialize(format="json"),
        pl.col("path").str.zfill(10**9).meta.serialize(format="json"),
        pl.lit(pl.Series([1, 2])).meta.serialize(format="json"),
        pl.col("a").repeat_by(10**9).meta.serialize(format="json"),
        pl.int_range(0, 10**12).meta.serialize(format="json"),
        pl.concat_str(["path"] * 2).meta.serialize(format="json"),
        of_string({"Replace": {"n": -1, "literal": True}}, "", "x" * 99),
        of_string({"Replace": {"n": -1, "literal": True}}, "a", "aa"),
        of_string("PadStart"),
        json.dumps({"Literal": {"Series": [255] * 40}}),
        json.dumps({"Literal": {"Dyn": {"List": [1]}}, "Column": "a"}),
        with_list([255] * 60),
        with_list([]),
        with_list(["a"]),
        with_list([999]),
        deep(70),
        deep(100_000),
        "[" * 200_000 + "]" * 200_000,
        '{"Column": "a"',
        "null",
    ],
    ids=lambda text: text[:60],
)
def test_a_crafted_rule_is_refused_before_it_is_read(history, text):
    value = json.dumps([{"about": "odd", "value": text, "highest_first": True}])
    with pytest.raises(InputError, match="the keeper rule 'odd'"):
        replay(FRAME, [START, entry(step="rules", value=value)])


@pytest.mark.lengthy
def test_rules_of_another_process_come_back(tmp_path):
    rule = 'keepers.prefer("source", ["scanner", "phone", None])'
    code = f"""
import numpy as np
from dedup_widgets.review.history import History, State
from dedup_widgets.review.steps import RulesStep
from dedup_widgets.scoring import keepers
history = History({PATHS}, State(np.zeros({N}, bool)))
history.record(RulesStep(None, ({rule},)))
history.log.write_ndjson({str(tmp_path / "log.jsonl")!r})
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    again = replay(FRAME, tmp_path / "log.jsonl").decisions
    assert again == Decisions(rules=(keepers.prefer("source", ["scanner", "phone", None]),))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_what_is_nested_without_end_is_no_entry(history, text):
    with pytest.raises(InputError, match="is no JSON"):
        replay(FRAME, [START, entry(step="rules", value=text)])


def test_a_rule_that_polars_cannot_read_is_named(history):
    value = json.dumps([{"about": "old", "value": '{"Column": 3}', "highest_first": True}])
    with pytest.raises(InputError, match="cannot read the keeper rule 'old'"):
        replay(FRAME, [START, entry(step="rules", value=value)])


def test_what_a_collection_had_before_it_was_made_anew_is_gone():
    start = State(np.zeros(N, bool), collections={"x": Members(np.arange(N) < 2, "")})
    history = History(PATHS, start)
    last = Rows(np.arange(N) == 5)
    # Another notebook deleted it, of which this log knows nothing.
    history.record(CollectionStep("x", last, Rows.none(N), exists=(False, True)))
    assert replay(FRAME, history.log).collections["x"].paths == [PATHS[5]]
