"""Filters: what users write, what the browser shows, what Polars computes and the mask agree."""

import datetime as dt
import json
import math
import re
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import dedup_widgets as dw
from dedup_widgets.errors import InputError
from dedup_widgets.filters import Context, Filters, absent, filters, mask, parse, present, read
from dedup_widgets.filters.facets import wire
from dedup_widgets.planning.labels import disagreeing, label_conflicts

BERLIN = ZoneInfo("Europe/Berlin")
WORDS = st.text(alphabet="aAbBéÉsSſßẞσςΣ.(\\ ", max_size=4)
KINDS = ["exact", "near", "unique"]

moments = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1))
VALUES = {
    pl.Int64(): st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**53, 2**53 + 1, -5, 0, 7]),
    pl.UInt64(): st.integers(0, 2**64 - 1) | st.integers(0, 3),
    pl.Int8(): st.integers(-128, 127),
    pl.Float64(): st.floats(),
    pl.Float32(): st.floats(width=32) | st.sampled_from([np.float32(0.05).item(), -0.0, 0.0]),
    pl.Float16(): st.floats(width=16),
    pl.Decimal(12, 3): st.decimals(-999, 999, places=3),
    pl.Date(): st.dates(dt.date(1900, 1, 1), dt.date(2200, 1, 1)),
    pl.Datetime("us"): moments,
    pl.Datetime("ns"): moments,
    pl.Datetime("ms", "Europe/Berlin"): moments.map(lambda m: m.replace(tzinfo=dt.UTC)),
    pl.Datetime("us", "UTC"): moments.map(lambda m: m.replace(tzinfo=dt.UTC)),
    pl.Duration("us"): st.timedeltas(dt.timedelta(days=-999), dt.timedelta(days=999)),
    pl.Duration("ns"): st.timedeltas(dt.timedelta(days=-999), dt.timedelta(days=999)),
    pl.Time(): st.times(),
    pl.Boolean(): st.booleans(),
    pl.String(): WORDS,
    pl.Categorical(): WORDS,
    pl.Enum(KINDS): st.sampled_from(KINDS),
}


def is_none(value):
    return value is None or (isinstance(value, float) and math.isnan(value))


def number(value, dtype):
    """What a value travels as, worked out in plain Python."""
    if isinstance(value, dt.datetime):
        epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC if value.tzinfo else None)
        return (value - epoch) // dt.timedelta(milliseconds=1)
    if isinstance(value, dt.date):
        return (value - dt.date(1970, 1, 1)).days * 86_400_000
    if isinstance(value, dt.timedelta):
        return value // dt.timedelta(microseconds=1)
    if isinstance(value, dt.time):
        return value
    return np.float32(value) if dtype in (pl.Float32, pl.Float16) else float(value)


def keeps(value, dtype, clause):
    """Whether a row with this value stays, by a clause as users write it."""
    if clause in (present, absent):
        return is_none(value) == (clause is absent)
    if isinstance(clause, bool):
        return value is clause
    if isinstance(clause, list):
        return value in clause
    if isinstance(clause, str):
        return value is not None and bool(re.search(re.escape(clause), value, re.IGNORECASE))
    if is_none(value):
        return False
    low, high = clause
    with np.errstate(over="ignore"):
        return (low is None or number(value, dtype) >= number(low, dtype)) and (
            high is None or number(value, dtype) <= number(high, dtype)
        )


@st.composite
def columns_and_clauses(draw):
    dtype = draw(st.sampled_from(list(VALUES)))
    value = VALUES[dtype]
    values = draw(st.lists(st.none() | value, max_size=12))
    # Bounds that occur in the column are those where rounding shows.
    known = [v for v in values if v is not None]
    one = value | st.sampled_from(known) if known else value
    if dtype in (pl.Boolean, pl.String, pl.Categorical, pl.Enum):
        clause = st.lists(one | st.none(), min_size=1, max_size=3)
        clause |= st.booleans() if dtype == pl.Boolean else WORDS.filter(bool)
    else:
        clause = st.tuples(st.none() | one, st.none() | one)
    clause = draw(clause | st.sampled_from([present, absent]))
    if isinstance(clause, tuple):
        ends = [end for end in clause if end is not None]
        assume(ends and all(not isinstance(e, float) or math.isfinite(e) for e in ends))
        assume(len(ends) < 2 or number(ends[0], dtype) <= number(ends[1], dtype))
    frame = pl.DataFrame(
        {
            "path": pl.Series([f"{i}.jpg" for i in range(len(values))], dtype=pl.String),
            "x": pl.Series(values, dtype=dtype),
        }
    )
    return frame, clause


def left(frame, given, context=None):
    """The paths that filters leave, checked to be the same by mask and by expression."""
    context = context or Context()
    clauses = parse(frame, given, context)
    kept = mask(frame, clauses, context)
    assert kept.dtype == bool
    assert kept.shape == (len(frame),)
    by_mask = frame["path"].filter(kept).to_list()
    assert frame.filter(Filters(frame, clauses, context).expression)["path"].to_list() == by_mask
    return by_mask


@pytest.mark.lengthy
@given(columns_and_clauses())
def test_mask_expression_and_plain_python_leave_the_same_rows(case):
    frame, clause = case
    dtype = frame.schema["x"]
    expected = [
        path for path, value in frame.select("path", "x").rows() if keeps(value, dtype, clause)
    ]
    assert left(frame, {"x": clause}) == expected


@given(columns_and_clauses())
def test_the_browser_keeps_the_same_rows_of_what_travels_to_it(case):
    frame, clause = case
    context = Context()
    clauses = json.loads(json.dumps(parse(frame, {"x": clause}, context)))
    facet = filters.facet(frame, "x", context)
    match clauses["x"]:
        case {"null": missing}:
            if facet.values is not None:
                rows = np.isnan(facet.values) == missing
            else:
                rows = np.array([(facet.labels[c] is None) == missing for c in facet.codes], bool)
        case {"any": values}:
            rows = np.array([facet.labels[code] in values for code in facet.codes], bool)
        case {"contains": _}:
            return
        case [low, high]:
            kind = facet.values.dtype.type
            with np.errstate(over="ignore"):
                rows = facet.values >= kind(-np.inf if low is None else low)
                rows &= facet.values <= kind(np.inf if high is None else high)
    assert rows.tolist() == mask(frame, clauses, context).tolist()


@given(columns_and_clauses())
def test_what_is_read_back_is_the_same_filter(case):
    frame, clause = case
    context = Context()
    clauses = parse(frame, {"x": clause}, context)
    shown = Filters(frame, clauses, context)
    assert parse(frame, shown, context) == clauses
    assert read(frame, json.loads(json.dumps(clauses)), context) == clauses
    assert shown == {"x": clause}
    assert dict(shown) == {"x": shown["x"]}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(10**400),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["any", "contains", "null", "include", "exclude", "expression", "?"]),
            inner,
            max_size=2,
        )
    ),
    max_leaves=6,
)


@pytest.mark.lengthy
@given(
    st.dictionaries(st.sampled_from(["x", "d", "t", "b", "path", "?", *filters.RESERVED]), anything)
)
def test_whatever_a_page_sends_the_view_can_be_computed(sent):
    frame = pl.DataFrame(
        {
            "path": ["a", "b"],
            "x": [1, None],
            "d": pl.Series([dt.date(2024, 1, 1), None]),
            "t": pl.Series([dt.datetime(2024, 1, 1), None], dtype=pl.Datetime("us", "Asia/Tokyo")),
            "b": [True, None],
        }
    )
    members = {"A": np.array([True, False])}
    context = Context(
        collections=lambda: members, plan=lambda: members, leakage=lambda: members["A"]
    )
    clauses = read(frame, sent, context)
    kept = mask(frame, clauses, context)
    shown = Filters(frame, clauses, context)
    assert frame.filter(shown.expression)["path"].to_list() == frame["path"].filter(kept).to_list()
    assert repr(shown)


@pytest.mark.parametrize("sent", [None, [], "x", 3, {"x": [math.nan, 1]}, {"x": [2, 1]}])
def test_what_makes_no_sense_is_no_filter(sent):
    frame = pl.DataFrame({"path": ["a"], "x": [1]})
    assert read(frame, sent, Context()) == {}


def test_filters_of_several_columns_must_all_hold():
    frame = pl.DataFrame({"path": ["a", "b", "c"], "x": [1, 2, 3], "tag": ["s", "s", None]})
    assert left(frame, {"x": (2, None), "tag": ["s"]}) == ["b"]
    assert left(frame, {}) == left(frame, None) == ["a", "b", "c"]
    assert left(frame.clear(), {"x": (2, None), "tag": ["s"]}) == []


def test_a_bound_keeps_the_score_that_equals_it_as_float32():
    values = [0.05, 0.050001, None]
    for dtype in (pl.Float32, pl.Float64):
        frame = pl.DataFrame(
            {"path": ["a", "b", "c"], "uniqueness": pl.Series(values, dtype=dtype)}
        )
        # 0.05 as float32 is above 0.05.
        context = Context(score="uniqueness")
        assert left(frame, {"uniqueness": (0, 0.05)}, context) == ["a"]
        assert left(frame, {"uniqueness": (np.float32(0.05), 1)}, context) == ["a", "b"]
        assert filters.facet(frame, "uniqueness", context).values.dtype == np.float32


def test_an_open_end_keeps_infinities_and_no_nan():
    frame = pl.DataFrame({"path": list("abcd"), "x": [math.inf, -math.inf, math.nan, 1.0]})
    assert left(frame, {"x": (0, None)}) == ["a", "d"]
    assert left(frame, {"x": (None, 5)}) == ["b", "d"]
    assert left(frame, {"x": absent}) == ["c"]


def test_a_day_as_the_high_end_is_meant_whole():
    taken = [dt.datetime(2024, 5, 1, 23, 59, 59, 999_999), dt.datetime(2024, 5, 2)]
    frame = pl.DataFrame({"path": ["a", "b"], "taken": taken})
    assert left(frame, {"taken": ("2024-05-01", "2024-05-01")}) == ["a"]
    assert left(frame, {"taken": (dt.date(2024, 5, 2), dt.date(2024, 5, 2))}) == ["b"]
    assert left(frame, {"taken": (None, "2024-05-02T00:00:00")}) == ["a", "b"]


def test_a_time_without_zone_is_meant_in_that_of_the_column():
    noon = dt.datetime(2024, 7, 1, 12, tzinfo=BERLIN)
    frame = pl.DataFrame(
        {"path": ["a"], "taken": pl.Series([noon], dtype=pl.Datetime("us", "Europe/Berlin"))}
    )
    assert left(frame, {"taken": ("2024-07-01T12:00", "2024-07-01T12:00")}) == ["a"]
    assert left(frame, {"taken": ("2024-07-01T10:00Z", "2024-07-01T10:00Z")}) == ["a"]
    assert left(frame, {"taken": ("2024-07-01T11:59Z", None)}) == []
    shown = Filters(frame, parse(frame, {"taken": (noon, None)}, Context()), Context())
    assert shown["taken"] == (noon, None)
    assert shown["taken"][0].tzinfo == BERLIN


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("beach", ["a"]),
        ("BEACH/IMG", ["a"]),
        ("img_1.jpg", ["a"]),
        ("img_1xjpg", []),
        ("ÜBER", ["b"]),
        (".", ["a", "b"]),
        ("(", ["b"]),
        ("\n", []),
    ],
)
def test_text_is_searched_as_it_stands_capitals_or_not(text, found):
    paths = pl.DataFrame({"path": ["a", "b"], "p": ["/Beach/IMG_1.JPG", "/über (2).jpg"]})
    assert left(paths, {"p": text}) == found


def test_values_of_a_category_are_one_of_a_list_and_none_is_no_value():
    frame = pl.DataFrame({"path": list("abc"), "tag": ["sky", None, "sea"]})
    for tag in ("sky", "sea"):
        assert left(frame, {"tag": {tag, None}}) == sorted({"sky": "a", "sea": "c"}[tag] + "b")
    assert left(frame, {"tag": ("sky",)}) == ["a"]
    assert left(frame, {"tag": ["forest"]}) == []


ROWS = {
    "A": np.array([True, True, False, False]),
    "B": np.array([False, True, True, False]),
    "none of these": np.zeros(4, bool),
}
FRAME = pl.DataFrame({"path": list("abcd"), "x": [1, 2, 3, 4]})


@pytest.mark.parametrize(
    ("clause", "found"),
    [
        ({"include": "A"}, "ab"),
        ({"include": ["A", "B"]}, "abc"),
        ({"exclude": ["A"]}, "cd"),
        ({"include": ["A", "B"], "exclude": "B"}, "a"),
        ({"include": ["none of these"]}, ""),
        ({"exclude": ("A", "B")}, "d"),
    ],
)
def test_collections_are_left_in_any_of_some_and_out_of_all_others(clause, found):
    context = Context(collections=lambda: ROWS)
    assert left(FRAME, {"collections": clause}, context) == list(found)
    # A frame in another order, or with other rows, is filtered by the same images.
    expression = Filters(FRAME, parse(FRAME, {"collections": clause}, context), context).expression
    other = FRAME.reverse().filter(pl.col("path") != "c")
    assert sorted(other.filter(expression)["path"]) == [p for p in found if p != "c"]


def test_a_collection_that_is_gone_has_no_members():
    context = Context(collections=lambda: ROWS)
    gone = read(FRAME, {"collections": {"include": ["gone"]}}, context)
    assert not mask(FRAME, gone, context).any()
    gone = read(FRAME, {"collections": {"exclude": ["gone"]}}, context)
    assert mask(FRAME, gone, context).all()


def test_plan_label_conflicts_and_leakage_are_rows_of_their_own():
    frame = FRAME.with_columns(group=pl.Series([1, 1, None, 2]), label=pl.Series(list("pqpp")))
    context = Context(
        plan=lambda: {"keep": ROWS["A"], "remove": ~ROWS["A"]},
        label_conflict=lambda: disagreeing(frame, "label"),
    )
    assert left(frame, {"plan": "keep"}, context) == ["a", "b"]
    assert left(frame, {"plan": ["keep", "remove"]}, context) == ["a", "b", "c", "d"]
    assert left(frame, {"label_conflict": True, "plan": "remove"}, context) == []
    assert left(frame, {"label_conflict": True}, context) == ["a", "b"]


@pytest.mark.lengthy
@given(
    st.lists(
        st.tuples(st.none() | st.integers(1, 3), st.none() | st.sampled_from(["cat", "dog"])),
        max_size=12,
    )
)
def test_rows_that_disagree_are_those_of_the_label_conflicts(rows):
    frame = pl.DataFrame(
        {
            "path": pl.Series([str(i) for i in range(len(rows))], dtype=pl.String),
            "group": pl.Series([group for group, _ in rows], dtype=pl.UInt32),
            "keep": pl.Series([True] * len(rows), dtype=pl.Boolean),
            "label": pl.Series([label for _, label in rows], dtype=pl.String),
        }
    )
    listed = label_conflicts(frame, "label")["path"].to_list()
    assert sorted(frame["path"].filter(disagreeing(frame, "label"))) == sorted(listed)


def test_an_expression_filters_like_any_clause():
    assert left(FRAME, pl.col("x") > pl.col("x").mean()) == ["c", "d"]
    assert left(FRAME, {"where": pl.col("x") > pl.col("x").mean(), "x": (None, 3)}) == ["c"]
    assert left(FRAME, pl.lit(False)) == []
    assert left(FRAME, pl.col("x").max() > 3) == list("abcd")
    assert left(FRAME.with_columns(y=pl.Series([1, None, 3, 4])), pl.col("y") > 1) == ["c", "d"]


def test_an_expression_is_shown_as_text_however_many_paths_it_lists():
    expression = pl.col("path").is_in([f"{i}.jpg" for i in range(10_000)])
    for _ in range(20):
        expression = expression & (pl.col("x") > 0)
    clause = parse(FRAME, expression, Context())["where"]
    assert len(json.dumps(clause)) < 500
    assert clause["text"].endswith("…")


def test_a_page_can_ask_only_for_expressions_that_python_set():
    context = Context()
    mine = parse(FRAME, pl.col("x") > 1, context)
    foreign = parse(FRAME, pl.col("x") > 3, Context())
    serialized = {"where": {"text": "", "expression": (pl.col("x") > 3).meta.serialize().hex()}}
    assert read(FRAME, json.loads(json.dumps(mine)), context) == mine
    assert read(FRAME, foreign, context) == {}
    assert read(FRAME, serialized, context) == {}
    with pytest.raises(InputError, match="set it again"):
        mask(FRAME, foreign, context)


def test_filters_read_like_what_was_set_and_cannot_be_changed():
    context = Context(collections=lambda: ROWS)
    frame = FRAME.with_columns(b=pl.lit(None, pl.Boolean), taken=pl.lit(dt.date(2024, 5, 1)))
    given = {
        "x": (0, 0.5),
        "b": [None, True],
        "path": "beach",
        "taken": (dt.date(2024, 1, 1), None),
        "collections": {"include": ["B", "A"]},
        "where": pl.col("x") > 1,
    }
    shown = Filters(frame, parse(frame, given, context), context)
    assert shown == given
    assert given == shown
    assert shown != {**given, "x": (0, 0.6)}
    assert shown != {**given, "nonsense": 3}
    assert Filters(frame, {}, context) == {}
    assert repr(shown) == (
        "Filters({'x': (0, 0.5), 'b': [True, None], 'path': 'beach', "
        "'taken': (datetime.date(2024, 1, 1), None), 'collections': {'include': ['A', 'B']}, "
        "'where': [(col(\"x\")) > (dyn int: 1)]})"
    )
    shown["collections"]["include"].append("C")
    assert shown == given
    with pytest.raises(TypeError):
        shown["x"] = (0, 1)
    assert shown.without("x") == {key: value for key, value in given.items() if key != "x"}
    assert shown.without("nothing") == shown == given


TYPES = pl.DataFrame(
    {
        "path": ["a"],
        "n": [1],
        "f": [1.0],
        "s": ["x"],
        "b": [True],
        "e": pl.Series(["near"], dtype=pl.Enum(KINDS)),
        "day": [dt.date(2024, 1, 1)],
        "at": [dt.datetime(2024, 1, 1)],
        "list": [[1.5]],
        "bytes": [b"1"],
        "objects": pl.Series([object()], dtype=pl.Object),
        "plan": [1],
    }
)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pathh": "x"}, r"'pathh'.*'path', 'n'.*'collections'.*Did you mean 'path'\?"),
        ({"leak": True}, r"Did you mean 'leakage'\?"),
        ({3: (0, 1)}, "cannot filter by 3"),
        ([("n", 1)], "mapping"),
        ({"n": 5}, r"'n' \(Int64\) takes a range .*not 5"),
        ({"n": "5"}, "'n'.* takes a range"),
        ({"n": (1, 2, 3)}, "'n'.* takes a range"),
        ({"n": ("1", "2")}, "'1' is no number"),
        ({"n": (True, 2)}, "True is no number"),
        ({"n": (math.nan, 2)}, "no finite number"),
        ({"n": (0, math.inf)}, "None for an open end.*no finite number"),
        ({"n": (10**400, None)}, "'n'.* takes a range"),
        ({"n": (2, 1)}, r"\(2, 1\) has its high end first"),
        ({"n": (None, None)}, "filters.present"),
        ({"n": None}, "'n'.* takes a range"),
        ({"n": {1, 2}}, "'n'.* takes a range"),
        ({"s": (0, 5)}, "'s' takes a text to search for, or a list.*0"),
        ({"s": 5}, "'s' takes a text"),
        ({"s": []}, "'s' is empty.*leave the column out"),
        ({"s": ""}, "'s' has 0 characters"),
        ({"s": "x" * 1001}, "'s' has 1,001 characters"),
        ({"s": "\ud800"}, "'s' has half a character"),
        ({"s": ["\ud800"]}, "'s' has half a character"),
        ({"s": {"any": ["x"]}}, "'s' takes a text"),
        ({"e": ["nearly"]}, "'e' has no category 'nearly'; it has 'exact', 'near', 'unique'"),
        ({"b": "yes"}, "'b' takes True, False"),
        ({"b": [1]}, "'b' takes True, False.*1 is neither"),
        ({"b": []}, "'b' is empty"),
        ({"day": (1, 2)}, "'day'.*1 is no date"),
        ({"day": ("yesterday", None)}, "'day'.*'yesterday'"),
        ({"day": (dt.date.max, dt.date.min)}, "high end first"),
        ({"at": (None, dt.date.max)}, "'at'"),
        ({"at": (dt.datetime(2024, 1, 1, tzinfo=dt.UTC), None)}, "the column has none"),
        ({"list": (0, 1)}, "'list' holds List.*filters.present.*where"),
        ({"bytes": [b"1"]}, "'bytes' holds Binary"),
        ({"objects": [1]}, "'objects' holds Object"),
        ({"plan": (0, 1)}, "no plan for this frame"),
        ({"leakage": True}, "'leakage': no column of splits"),
        ({"collections": "A"}, "'include'"),
        ({"collections": {"inside": "A"}}, "'include'"),
        ({"collections": {"include": 5}}, "no names"),
        ({"collections": {"include": []}}, "has no name"),
        ({"collections": {"include": "C"}}, "no collection 'C'.*'A', 'B'"),
        ({"where": "n > 1"}, "takes a Polars expression"),
        (pl.col("missing") > 1, "'where' fails on this frame.*missing"),
        (pl.col("n") + 1, "gives Int64, not True or False.*compare"),
        (pl.col("n", "f") > 1, "'where' fails"),
        ((pl.col("n").implode().list.concat([1, 2]).explode() > 1), "'where' fails"),
        (pl.col("s").str.to_datetime("%Y") > dt.datetime(2024, 1, 1), "'where' fails"),
    ],
)
def test_a_filter_that_cannot_be_is_refused_by_name_with_a_way_out(given, message):
    with pytest.raises(InputError, match=f"(?s){message}"):
        parse(TYPES, given, Context(collections=lambda: {"A": ROWS["A"], "B": ROWS["B"]}))


def test_plan_and_label_conflicts_take_no_other_words():
    context = Context(plan=lambda: {"keep": ROWS["A"]}, label_conflict=lambda: ROWS["A"])
    for words in ({"plan": "delete"}, {"plan": []}, {"plan": 3}, {"label_conflict": False}):
        with pytest.raises(InputError, match=next(iter(words))):
            parse(FRAME, words, context)


def test_any_column_can_be_asked_whether_it_has_a_value():
    frame = TYPES.drop("plan")
    for name in frame.columns:
        assert left(frame, {name: present}) == ["a"]
        assert left(frame, {name: absent}) == []
    assert repr([present, absent]) == "[present, absent]"


def test_bounds_of_other_number_types_are_taken():
    frame = pl.DataFrame({"path": ["a", "b"], "x": [1, 2]})
    for low in (2, 2.0, np.int8(2), np.float32(2), Decimal(2)):
        assert left(frame, {"x": (low, None)}) == ["b"]
        assert left(frame, {"x": [low, 3]}) == ["b"]
    assert left(frame, {"x": np.array([2, 3])}) == ["b"]


@pytest.mark.lengthy
def test_a_duration_as_a_bound_keeps_the_rows_that_equal_it():
    steps = [dt.timedelta(microseconds=7**power) for power in range(14)]
    for unit in ("us", "ns"):
        x = pl.Series(steps, dtype=pl.Duration(unit))
        frame = pl.DataFrame({"path": [str(i) for i in range(len(x))], "x": x})
        for row, step in enumerate(steps):
            assert left(frame, {"x": (step, step)}) == [str(row)]
            assert left(frame[row], {"x": (step, step)}) == [str(row)]


# Facets


def facet(values, dtype=None, name="x", **context):
    return filters.facet(
        pl.DataFrame({name: pl.Series(values, dtype=dtype)}), name, Context(**context)
    )


def test_texts_are_listed_by_how_often_they_occur_then_by_the_text():
    found = facet(["b", "a", None, "c", "c", "count"])
    assert found.kind == "category"
    assert found.labels == ["c", "a", "b", "count", None]
    assert found.counts.tolist() == [2, 1, 1, 1, 1]
    assert [found.labels[code] for code in found.codes] == ["b", "a", None, "c", "c", "count"]
    assert found.codes.dtype == np.uint32


def test_enums_are_listed_in_their_order_and_those_that_do_not_occur_too():
    found = facet(["unique", "near", "unique"], pl.Enum(KINDS))
    assert (found.labels, found.counts.tolist()) == (KINDS, [0, 1, 2])


def test_booleans_are_true_then_false_then_none():
    found = facet([None, False, True, False])
    assert (found.kind, found.labels) == ("boolean", [True, False, None])
    assert found.codes.tolist() == [2, 1, 0, 1]
    assert found.counts.tolist() == [1, 2, 1]


def test_a_column_of_very_many_texts_is_searched_only():
    assert facet([str(i) for i in range(5_000)]).kind == "category"
    assert facet([str(i) for i in range(5_001)]).kind == "text"
    assert facet(["x" * 10_000 + str(i) for i in range(101)]).kind == "text"
    assert facet(["a", "a"], name="path").kind == "text"
    assert facet(["a", "a"], name="file", path="file").kind == "text"


@pytest.mark.parametrize(
    ("values", "dtype", "kind"),
    [
        ([1], pl.Int128, "number"),
        ([dt.timedelta(1)], None, "number"),
        ([dt.date(2024, 1, 1)], None, "date"),
        (["a"], pl.Categorical, "category"),
        ([[1]], None, "text"),
        ([[1.5]], None, None),
        ([b"a"], None, None),
        ([None], None, None),
        ([{"a": 1}], None, None),
        ([], pl.String, "category"),
        ([], pl.Enum([]), "category"),
    ],
)
def test_the_type_of_a_column_tells_how_it_is_filtered(values, dtype, kind):
    assert facet(values, dtype).kind == kind
    assert facet(values, dtype, name="plan").kind is None


def test_dates_travel_as_whole_milliseconds_and_times_as_seconds():
    early = dt.datetime(1969, 12, 31, 23, 59, 59, 999_500)
    for unit in ("ms", "us", "ns"):
        assert wire(pl.Series([early, None], dtype=pl.Datetime(unit)))[0] == -1
    assert wire(pl.Series([dt.time(1, 0, 0, 500_000)])).tolist() == [3600.5]
    for unit in ("ms", "us", "ns"):
        assert wire(pl.Series([dt.timedelta(minutes=1)], dtype=pl.Duration(unit))).tolist() == [60]


@pytest.mark.parametrize("dtype", [pl.List(pl.String), pl.List(pl.Categorical)])
@pytest.mark.parametrize(
    ("clause", "rows"),
    [
        (["sea"], [0, 1]),
        (["sky", "dog"], [0, 3]),
        (["sea", None], [0, 1, 2, 4]),
        ([None], [2, 4]),
        ("S", [0, 1]),
        (present, [0, 1, 3]),
        (absent, [2, 4]),
    ],
)
def test_tags_are_filtered_like_categories(dtype, clause, rows):
    tags = pl.Series("tags", [["sea", "sky"], ["sea"], [], ["dog"], None], dtype=dtype)
    frame = pl.DataFrame({"path": list("abcde"), "uniqueness": [0.5] * 5, "tags": tags})
    review = dw.Session(frame)
    review.filters = {"tags": clause}
    assert review.view["path"].sort().to_list() == ["abcde"[row] for row in rows]
    assert review.frame.filter(review.filters.expression).height == len(rows)
    again = dict(review.filters)["tags"]
    assert set(again) == set(clause) if isinstance(clause, list) else again == clause


@pytest.mark.parametrize(
    ("clause", "rows"),
    [
        ([2], "a"),
        (2, "a"),
        ([1, 5], "abd"),
        ({1, None}, "abce"),
        ("5", "d"),
        (absent, "ce"),
    ],
)
def test_numbers_of_classes_are_tags(clause, rows):
    classes = pl.Series("classes", [[1, 2], [1], [], [5], None], dtype=pl.List(pl.Int64))
    frame = pl.DataFrame({"path": list("abcde"), "uniqueness": [0.5] * 5, "classes": classes})
    review = dw.Session(frame)
    review.filters = {"classes": clause}
    assert "".join(review.view["path"].sort()) == rows
