import threading
import time

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dedup_widgets as dw
from dedup_widgets.widgets.analytics.analytics import Analytics, Throttle
from dedup_widgets.widgets.analytics.metrics import (
    KINDS,
    Axis,
    Metric,
    axis_for,
    height_ticks,
    heights,
    metrics_of,
)

CURVE = pl.DataFrame(
    {
        "near": [0.0, 0.01, 0.05, 0.2],
        "groups": [1, 2, 3, 2],
        "near_groups": [0, 1, 2, 2],
        "stays": [9, 7, 5, 3],
        "removed": [1, 3, 5, 7],
    }
)


def at(near):
    return {"near": near, "groups": 3, "near_groups": 2, "stays": 5, "removed": 5}


def curve(nears):
    return CURVE if nears is None else pl.DataFrame([at(near) for near in nears])


@pytest.fixture
def frame():
    """Ten images: a, b, c share one picture, d and e are near it, and one cannot be read."""
    angles = np.array([0, 0, 0, 0.1, 0.2, 1.0, 1.5, 2.0, 2.5])
    vectors = [[np.cos(a), np.sin(a)] for a in angles]
    scored = dw.uniqueness(
        np.array(vectors), fingerprints=["f", "f", "f", *"ghijkl"], near=0.05
    ).with_columns(
        path=pl.Series([f"{name}.jpg" for name in "abcdefghi"]),
        fingerprint=pl.Series(["f", "f", "f", *"ghijkl"]),
        embedding=pl.Series(vectors, dtype=pl.Array(pl.Float32, 2)),
        brightness=pl.Series(np.linspace(0.1, 0.9, 9), dtype=pl.Float32),
        width=pl.Series(range(640, 649)),
        error=pl.lit(None, pl.String),
    )
    paths = scored["path"].to_list()
    scored = scored.with_columns(
        nearest=pl.col("nearest").map_elements(paths.__getitem__, pl.String)
    )
    broken = pl.DataFrame({"path": ["z.jpg"], "error": ["not an image"]})
    return pl.concat([scored, broken], how="diagonal")


@pytest.fixture
def ex(frame):
    return dw.Explorer(frame)


def brush(analytics, column, low, high):
    """Brush from one value to another, as the browser tells it."""
    analytics.metric = column
    axis = analytics._distribution._axis
    places = [axis.place(low), axis.place(high, end=True)]
    analytics._distribution._brush.selected = np.array(places)


def show(analytics):
    """Tell what the browser tells when it has drawn the charts."""
    analytics._curve._pointer._handle_custom_msg({"shown": True}, [])


def pick(analytics, index, *, done=True):
    message = {"pick": index, "done": done}
    analytics._curve._pointer._handle_custom_msg(message, [])


def eventually(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# Bins

numbers = st.floats(-1e6, 1e6, allow_subnormal=False) | st.floats(0, 1, allow_subnormal=False)
whole_numbers = st.integers(-(10**7), 10**7) | st.integers(0, 20)


@st.composite
def axes(draw):
    whole = draw(st.booleans())
    values = np.array(draw(st.lists(whole_numbers if whole else numbers, min_size=1)), float)
    score = bool(not whole and values.min() >= 0 and values.max() <= 1 and draw(st.booleans()))
    return values, axis_for(values, log=draw(st.booleans()), whole=whole, score=score)


@given(axes())
def test_every_value_lies_in_the_bin_that_counts_it(made):
    values, axis = made
    assert 1 <= axis.bins <= 62
    for value, index in zip(values, axis.bin_of(values), strict=True):
        low, high = axis.bounds(index)
        slack = 1e-9 * max(1.0, abs(value))
        assert low - slack <= value <= high + slack
        assert index - 1e-6 <= axis.place(value) <= index + 1 + 1e-6


@given(axes())
def test_the_whole_axis_is_no_range_and_parts_of_it_stay_within(made):
    _, axis = made
    assert axis.range(0, axis.bins) is None
    assert axis.range(-1, axis.bins + 1) is None
    for share in (0.1, 0.37, 0.8):
        low, high = axis.range(0, share * axis.bins) or (axis.low, axis.high)
        assert low == axis.low
        assert low <= high <= axis.high
        low, high = axis.range(share * axis.bins, axis.bins) or (axis.low, axis.high)
        assert axis.low <= low <= high
        assert high == axis.high


@given(st.integers(-50, 50), st.integers(0, 500), st.data())
def test_whole_numbers_can_be_brushed_one_by_one(low, span, data):
    axis = axis_for(np.array([low, low + span], float), whole=True)
    start = data.draw(st.integers(low, low + span))
    end = data.draw(st.integers(start, low + span))
    brushed = axis.range(axis.place(start), axis.place(end, end=True))
    assert brushed == ((start, end) if (start, end) != (low, low + span) else None)


def test_a_bar_for_each_whole_number_where_they_are_few():
    axis = axis_for(np.array([3.0, 3, 5, 8]), whole=True)
    assert [axis.bounds(i) for i in range(axis.bins)] == [(n, n) for n in range(3, 9)]
    assert axis.ticks()[0] == (0.5, "3")


def test_the_scores_axis_has_a_bar_for_0_and_leaves_no_positive_score_out():
    scores = np.array([0, 1e-9, 0.05, 1], np.float32)
    axis = axis_for(scores, log=True, score=True)
    assert axis.bins == 62
    assert axis.bin_of(scores).tolist() == [0, 2, 48, 61]
    assert axis.range(0, 1) == (0, 0)
    low, high = axis.range(2, axis.bins)
    assert (low, high) == (pytest.approx(1e-9), 1)
    assert axis.range(0, axis.place(0.05, end=True)) == (0, 0.05)
    assert [text for _, text in axis.ticks()] == [
        "0",
        "1e-5",
        "0.0001",
        "0.001",
        "0.01",
        "0.1",
        "1",
    ]


def test_values_that_are_all_equal_have_an_axis():
    for value in (0.0, 0.3, 5.5, -7.0, 1e9):
        for log in (False, True):
            axis = axis_for(np.array([value]), log=log)
            index = int(axis.bin_of(np.array([value]))[0])
            assert 0 <= index < axis.bins


def test_heights_show_the_few_among_the_many_and_share_them_by_kind():
    counts = np.zeros((4, 3), np.int64)
    counts[0] = [75_000, 0, 30]
    counts[2] = [25_000, 0, 0]
    tall = heights(counts)
    assert tall.sum(axis=0).tolist() == [1, 0, pytest.approx(0.03, abs=1e-3)]
    assert tall[:, 0].tolist() == [0.75, 0, 0.25, 0]
    assert heights(np.zeros((4, 2), np.int64)).tolist() == [[0, 0]] * 4
    assert height_ticks(100)[0] == (1, "100")
    assert height_ticks(1) == [(1, "1"), (0, "0")]


# Metrics


def test_the_score_comes_first_and_what_measures_nothing_not_at_all(frame):
    found = metrics_of(frame.with_columns(taste=pl.lit(3)), "uniqueness")
    assert found == ["uniqueness", "brightness", "width", "distance", "taste"]


def test_counts_by_kind_are_those_of_the_frame(frame):
    metric = Metric.of(frame, "uniqueness", frame["kind"].cast(pl.String), score=True)
    axis = axis_for(metric.known, log=True, score=True)
    counts = metric.counts(axis)
    for kind, row in zip(KINDS, counts, strict=True):
        expected = frame.filter((pl.col("kind") == kind) & pl.col("uniqueness").is_not_null())
        assert row.sum() == len(expected)
    assert counts[0, 0] == 2
    assert metric.about().startswith("9 images · min 0 · median ")
    assert metric.about().endswith(" · 1 missing")


def test_null_nan_and_infinity_are_missing():
    frame = pl.DataFrame({"path": list("abcde"), "m": [1.0, None, float("nan"), float("inf"), 3.0]})
    analytics = Analytics(frame)
    assert analytics._distribution._about.value == (
        "2 images · min 1 · median 2 · max 3 · 3 missing"
    )


def test_a_metric_without_values_and_a_frame_without_rows_are_shown_as_such():
    empty = pl.DataFrame(schema={"path": pl.String, "uniqueness": pl.Float32, "m": pl.Float64})
    for frame in (empty, pl.DataFrame({"path": ["a"], "m": [None]}, schema_overrides={"m": float})):
        analytics = Analytics(frame, metric="m")
        assert f"{len(frame)} missing" in analytics._distribution._about.value
        assert analytics._distribution._figure not in analytics._distribution.view.children
        analytics.range = ("m", 0, 1)


def test_data_that_cannot_be_shown_is_refused():
    with pytest.raises(dw.InputError, match="needs a column 'path'"):
        Analytics(pl.DataFrame({"file": ["a"], "m": [1]}))
    with pytest.raises(dw.InputError, match="columns of numbers, and this frame has none"):
        Analytics(pl.DataFrame({"path": ["a"], "group": [1]}))
    with pytest.raises(dw.InputError, match="pass a Polars DataFrame"):
        Analytics("photos/")
    with pytest.raises(dw.InputError, match="Did you mean 'uniqueness'"):
        Analytics(pl.DataFrame({"path": ["a"], "uniqueness": [0.5]}), metric="uniqeness")


# The chart of a frame


def test_a_brush_gives_the_range_of_the_metric(frame):
    analytics = Analytics(frame)
    heard = []
    analytics.observe(lambda change: heard.append(change["new"]), "range")
    brush(analytics, "width", 641, 643)
    assert analytics.range == ("width", 641, 643)
    assert heard == [("width", 641, 643)]
    assert "3 of 9 images" in analytics._distribution._count.value
    assert [analytics._distribution._low.value, analytics._distribution._high.value] == [641, 643]
    analytics._distribution._reset.click()
    assert analytics.range is None
    assert analytics._distribution._brush.selected is None


def test_a_range_set_in_python_is_drawn_and_chooses_its_metric(frame):
    analytics = Analytics(frame)
    analytics.range = ("brightness", 0.2, 0.4)
    assert analytics.metric == analytics._choice.value == "brightness"
    assert not analytics.log_scale
    assert analytics._distribution._brush.selected.tolist() == [10, 20]
    analytics.range = ("brightness", 0.2000001, 0.4000007)
    assert analytics.range == ("brightness", 0.2000001, 0.4000007), "drawing it does not round it"
    analytics.metric = "uniqueness"
    assert analytics.log_scale
    assert analytics.range is None


def test_a_brush_in_motion_stays_where_the_hand_is(frame):
    analytics = Analytics(frame, metric="brightness")
    selector = analytics._distribution._brush
    selector.selected = np.array([10.03, 20.04])
    assert analytics.range == ("brightness", 0.201, 0.401)
    assert selector.selected.tolist() == [10.03, 20.04]


def test_typed_bounds_are_a_range_and_untouched_ones_leave_nothing_out(frame):
    analytics = Analytics(frame, metric="brightness")
    analytics._distribution._high.value = 0.5
    assert analytics.range == ("brightness", 0, 0.5)
    odd = frame.with_columns(odd=pl.col("brightness") * 100 / 7)
    analytics = Analytics(odd, metric="odd")
    analytics._distribution._high.value = 9.0
    assert analytics.range == ("odd", float(odd["odd"].min()), 9)
    analytics._distribution._high.value = 1000.0
    assert analytics.range is None


def test_a_range_that_makes_no_sense_is_refused(frame):
    analytics = Analytics(frame)
    with pytest.raises(dw.InputError, match="'colour' is no metric of this frame"):
        analytics.range = ("colour", 0, 1)
    with pytest.raises(dw.InputError, match="low end first"):
        analytics.range = ("uniqueness", 1, 0)
    with pytest.raises(dw.InputError, match="must lie in \\[0, 1\\]"):
        analytics.near = 1.5
    assert (analytics.range, analytics.near) == (None, 0.05)


def test_the_mouse_reads_range_count_and_kinds_of_each_bar(frame):
    pointer = Analytics(frame)._distribution._pointer
    assert pointer.texts[0] == "0\n2 images\n2 exact"
    assert pointer.texts[1] == ""
    assert len(pointer.texts) == len(pointer.places) == 62
    assert "1e-6 … 1.26e-6\n0 images" in pointer.texts[2]


def test_kinds_of_a_frame_that_does_not_tell_them_follow_the_boundary():
    frame = pl.DataFrame({"path": list("abc"), "uniqueness": [0.0, 0.02, 0.9]})
    analytics = Analytics(frame)
    assert "near 1" in analytics._distribution._legend.value
    analytics.near = 0.01
    eventually(lambda: "near 1" not in analytics._distribution._legend.value)
    analytics = Analytics(pl.DataFrame({"path": list("abc"), "m": [1, 2, 3]}))
    assert analytics._distribution._legend.value == ""


# With an Explorer


def test_a_brush_filters_the_explorer_and_leaves_its_other_filters(ex):
    ex.filters = {"width": (641, 648)}
    brush(ex.analytics, "brightness", 0.2, 0.42)
    eventually(lambda: "brightness" in ex.filters)
    assert dict(ex.filters) == {"width": (641, 648), "brightness": (0.2, 0.42)}
    assert ex.view["path"].sort().to_list() == ["b.jpg", "c.jpg", "d.jpg"]
    ex.analytics._distribution._reset.click()
    eventually(lambda: "brightness" not in ex.filters)
    assert dict(ex.filters) == {"width": (641, 648)}


def test_the_range_follows_the_explorers_filter(ex):
    analytics = ex.analytics
    ex.filters = {"uniqueness": (0, 0.01), "brightness": (0.2, None)}
    assert analytics.range == ("uniqueness", 0, 0.01)
    analytics.metric = "brightness"
    assert analytics.range == ("brightness", 0.2, pytest.approx(0.9))
    assert ex.filters["brightness"] == (0.2, None), "showing a filter does not change it"
    ex.filters = None
    assert analytics.range is None
    ex.filters = {"brightness": dw_present()}
    assert analytics.range is None


def dw_present():
    from dedup_widgets.filters import present

    return present


def test_undo_takes_a_brush_back(ex):
    ex.analytics.range = ("uniqueness", 0, 0.01)
    eventually(lambda: dict(ex.filters) == {"uniqueness": (0, 0.01)})
    ex.undo()
    assert ex.analytics.range is None


def test_an_explorers_filter_is_told_once_and_not_back(ex):
    told = []
    ex.observe(lambda change: told.append(change["new"]), names="filters")
    ex.analytics.range = ("uniqueness", 0, 0.01)
    eventually(lambda: told)
    ex.filters = {"uniqueness": (0, 0.5)}
    time.sleep(0.5)
    assert len(told) == 2
    assert ex.analytics.range == ("uniqueness", 0, 0.5)


def test_a_brush_in_motion_sets_few_filters_and_the_last_one_for_sure(ex):
    told = []
    ex.observe(lambda change: told.append(change["new"]), names="filters")
    analytics = ex.analytics
    started = time.monotonic()
    for high in range(641, 648):
        brush(analytics, "width", 640, high)
        time.sleep(0.05)
    moving = time.monotonic() - started
    eventually(lambda: dict(ex.filters) == {"width": (640, 647)})
    assert len(told) <= 2 + moving / 0.2
    assert analytics.range == ("width", 640, 647)


def test_a_filter_of_another_column_does_not_take_back_what_the_brush_is_about_to_tell(ex):
    analytics = ex.analytics
    brush(analytics, "width", 640, 642)
    eventually(lambda: dict(ex.filters) == {"width": (640, 642)})
    brush(analytics, "width", 640, 643)
    brush(analytics, "width", 640, 644)
    ex.filters = {**ex.filters, "brightness": (0, 0.5)}
    assert analytics.range == ("width", 640, 644)
    eventually(lambda: dict(ex.filters) == {"width": (640, 644), "brightness": (0, 0.5)})


def test_a_throttle_never_loses_the_last_call():
    state, ran = [0], []
    throttle = Throttle(lambda: ran.append(state[0]), 0.05)
    threads = [threading.Thread(target=lambda: [throttle() for _ in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state[0] = 1
    throttle()
    eventually(lambda: ran[-1] == 1 and not throttle.due)
    assert len(ran) < 100


def test_other_filters_of_the_explorer_leave_the_bars_and_the_axis_stays(ex):
    chart = ex.analytics._distribution
    axis = chart._axis
    ex.filters = {"brightness": (0.5, 1), "uniqueness": (0, 0.001)}
    eventually(lambda: "filtered out" in chart._about.value)
    left = ex.frame.filter(pl.col("brightness") >= 0.5)
    assert chart._about.value.startswith(f"{len(left)} images")
    assert isinstance(chart._axis, Axis)
    assert np.array_equal(chart._axis.edges, axis.edges)
    ex.filters = None
    eventually(lambda: "filtered out" not in chart._about.value)


def test_near_is_the_explorers_both_ways(ex):
    analytics = ex.analytics
    assert analytics.near == ex.near == 0.05
    analytics.near = 0.001234567891
    assert ex.near == analytics.near == 0.001234567891
    ex.near = 0.1
    assert analytics.near == 0.1
    assert analytics._curve._near.value == 0.1


def test_a_new_boundary_draws_the_new_kinds(ex):
    legend = ex.analytics._distribution._legend
    before = legend.value
    ex.near = 0.0001
    kinds = ex.frame.group_by("kind").len().drop_nulls()
    eventually(lambda: legend.value != before)
    for kind, count in kinds.iter_rows():
        assert f"{kind} {count}" in legend.value


def test_an_explorers_columns_of_other_names_are_known(frame):
    named = frame.rename({"path": "file", "uniqueness": "score"})
    ex = dw.Explorer(named, path="file", score="score")
    assert ex.analytics.metric == "score"
    assert ex.analytics.log_scale
    assert len(ex.analytics.curve) > 3


# The threshold curve


def test_the_curve_is_computed_when_it_is_shown_and_not_before(frame):
    asked, go_on = [], threading.Event()

    def slow(nears):
        asked.append((nears, threading.current_thread()))
        go_on.wait(10)
        return curve(nears)

    analytics = Analytics(frame, curve=slow)
    assert not asked
    show(analytics)
    show(analytics)
    assert "computing" in analytics._curve._said.value
    go_on.set()
    eventually(lambda: "5 images stay, 5 go" in analytics._curve._said.value)
    assert [nears for nears, _ in asked] == [None]
    assert asked[0][1] is not threading.current_thread()
    assert "3 groups, 2 with near-duplicates" in analytics._curve._said.value
    assert analytics._curve._stays.y.tolist() == [9, 7, 5, 3]
    assert analytics._curve._groups.y.tolist() == [1, 2, 3, 2]
    assert analytics._curve._line.x.tolist() == [pytest.approx(0.05**0.5)] * 2
    assert analytics._curve._pointer.texts[1] == (
        "near 0.01\n7 images stay, 3 go\n2 groups, 1 with near-duplicates"
    )


def test_a_boundary_picked_on_the_curve_is_near(frame):
    analytics = Analytics(frame, curve=curve)
    assert analytics.curve.equals(CURVE)
    pick(analytics, 1, done=False)
    assert analytics.near == 0.05
    assert analytics._curve._near.value == 0.01, "it shows what it would be before it is let go"
    pick(analytics, 1)
    assert analytics.near == 0.01
    assert analytics._curve._line.x.tolist() == [pytest.approx(0.1)] * 2
    pick(analytics, 99)
    assert analytics.near == 0.01


def test_what_a_boundary_between_the_points_does_is_computed_too(frame):
    analytics = Analytics(frame, curve=curve)
    assert len(analytics.curve) == 4
    analytics._curve._near.value = 0.0333
    assert analytics.near == 0.0333
    eventually(lambda: len(analytics.curve) == 5)
    assert analytics.curve["near"].to_list() == [0.0, 0.01, 0.0333, 0.05, 0.2]
    eventually(lambda: "near 0.0333</b> · 5 images" in analytics._curve._said.value)


def test_the_curve_of_an_explorer_is_its_own_plans(ex):
    curve = ex.analytics.curve
    point = curve.filter(pl.col("near") == 0.05).to_dicts()[0]
    assert point["removed"] == (ex.plan["action"] == "remove").sum()
    ex.near = 0.01
    point = curve.filter(pl.col("near") == 0.01).to_dicts()[0]
    assert point["removed"] == (ex.plan["action"] == "remove").sum()


def test_a_curve_of_a_plain_frame_needs_no_curve_of_ones_own(frame):
    assert Analytics(frame.rename({"path": "file"}), path="file").curve["stays"].max() <= 10


def test_a_frame_without_embeddings_has_no_curve_and_says_why(frame):
    analytics = Analytics(frame.drop("embedding"))
    show(analytics)
    eventually(lambda: "No curve" in analytics._curve._said.value)
    assert "no column &#x27;embedding&#x27;" in analytics._curve._said.value
    assert analytics._curve._figure not in analytics._curve.view.children
    with pytest.raises(dw.InputError, match="no column 'embedding'"):
        analytics.curve  # noqa: B018


# What goes wrong


def test_what_goes_wrong_on_a_click_is_shown(frame):
    def fail(nears):
        raise MemoryError("no room for <b>this</b>")

    analytics = Analytics(frame, curve=fail)
    show(analytics)
    eventually(lambda: "No curve" in analytics._curve._said.value)
    assert "no room for &lt;b&gt;this" in analytics._curve._said.value
    assert analytics._error.layout.display == "none"
    analytics._curve._near.value = 7.0
    assert "near is 7.0; it must lie in [0, 1]" in analytics._error.value
    assert analytics._error.layout.display is None
    assert analytics._curve._near.value == analytics.near == 0.05
    brush(analytics, "width", 641, 643)
    assert analytics._error.layout.display == "none", "the next step clears it"


def test_what_goes_wrong_in_the_explorer_is_shown(ex, monkeypatch):
    def refuse(self, value):
        raise dw.InputError("not this one")

    analytics = ex.analytics
    monkeypatch.setattr(dw.Explorer, "filters", dw.Explorer.filters.setter(refuse))
    brush(analytics, "width", 641, 643)
    eventually(lambda: "not this one" in analytics._error.value)
    assert analytics._error.layout.display is None
