import threading
import time

import bqplot
import ipywidgets
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dedup_widgets as dw
from dedup_widgets.filters import present
from dedup_widgets.frame.summary import summarize
from dedup_widgets.review.session import Session
from dedup_widgets.review.view import View
from dedup_widgets.widgets.analytics.analytics import Analytics
from dedup_widgets.widgets.analytics.charts import Pointer
from dedup_widgets.widgets.analytics.metrics import Bins, metrics_of
from page import PATIENCE, told

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


def curve(nears=None):
    if nears is None:
        return CURVE
    return pl.DataFrame([at(near) for near in nears], schema=CURVE.schema)


class Curved(View):
    """A view whose curve another function gives."""

    def __init__(self, frame, curve):
        super().__init__(frame)
        self.planner = self
        self.curve = curve


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


def inside(widget):
    """Go through what is drawn: a widget, and all that it holds."""
    yield widget
    for name in ("children", "marks", "axes"):
        for child in getattr(widget, name, ()):
            yield from inside(child)
    if getattr(widget, "interaction", None) is not None:
        yield widget.interaction


def drawn(analytics, kind):
    """Return the widgets of a kind, the distribution's before those of the curve."""
    return [widget for widget in inside(analytics) if isinstance(widget, kind)]


def bars(analytics):
    [found] = drawn(analytics, bqplot.Bars)
    return found


def selector(analytics):
    [found] = drawn(analytics, bqplot.interacts.BrushIntervalSelector)
    return found


def said(analytics):
    """Return all that is written, as HTML, a widget a line."""
    return "\n".join(widget.value for widget in drawn(analytics, ipywidgets.HTML))


def field(analytics, tooltip):
    kinds = ipywidgets.FloatText, ipywidgets.BoundedFloatText
    [found] = [w for w in drawn(analytics, kinds) if w.tooltip.startswith(tooltip)]
    return found


def button(analytics, description, kind=ipywidgets.Button):
    [found] = [w for w in drawn(analytics, kind) if w.description == description]
    return found


def brush(analytics, column, low, high):
    """Brush from one value to another, as the browser tells it."""
    analytics.metric = column
    half = 0.5 if column == "width" else 0
    selector(analytics).selected = np.array([low - half, high + half])


def error_of(analytics):
    """Return the error that is on screen, if any."""
    return "".join(w.value for w in drawn(analytics, ipywidgets.HTML) if "alert" in w.value)


def tell(pointer, content):
    told(pointer, {"method": "custom", "content": content})


def show(analytics):
    """Tell what the browser tells when it has drawn the charts."""
    for pointer in drawn(analytics, Pointer):
        tell(pointer, {"shown": True})


def pick(analytics, place):
    """Press the mouse at a place of the curve, and let it go."""
    tell(drawn(analytics, Pointer)[1], {"picked": place})


def lines(analytics):
    """Return the lines of the images that stay, of the groups, and of the boundary."""
    return drawn(analytics, bqplot.Lines)


def eventually(condition):
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


# Bins

numbers = st.floats(-1e6, 1e6, allow_subnormal=False) | st.floats(0, 1, allow_subnormal=False)
whole_numbers = st.integers(-(10**7), 10**7) | st.integers(0, 20)


@st.composite
def values_and_bins(draw):
    whole = draw(st.booleans())
    values = np.array(draw(st.lists(whole_numbers if whole else numbers, min_size=1)), float)
    return values, Bins.of(values, log=draw(st.booleans()), whole=whole)


@given(values_and_bins())
def test_every_value_lies_in_the_bin_that_counts_it(made):
    values, bins = made
    assert 1 <= len(bins) <= 52
    for value in values:
        [index] = np.flatnonzero(bins.count(np.array([value]), np.array([0]))[0])
        low, high = bins.lows[index], bins.highs[index]
        slack = 1e-9 * max(1.0, abs(value))
        assert low - slack <= value <= high + slack
        start, end = bins.places(value, value)
        assert bins.edges[index] - slack <= start <= end <= bins.edges[index + 1] + slack


@given(values_and_bins())
def test_the_whole_axis_is_no_range_and_parts_of_it_stay_within(made):
    _, bins = made
    first, last = bins.edges[0], bins.edges[-1]
    assert bins.range(first, last) is None
    lowest, highest = bins.lows[0], bins.highs[-1]
    for share in (0.1, 0.37, 0.8):
        part = first * (last / first) ** share if bins.log else first + share * (last - first)
        low, high = bins.range(first, part) or (lowest, highest)
        assert low == lowest
        assert low <= high <= highest
        low, high = bins.range(part, last) or (lowest, highest)
        assert lowest <= low <= high
        assert high == highest


@given(st.integers(-50, 50), st.integers(0, 49), st.data())
def test_whole_numbers_can_be_brushed_one_by_one(low, span, data):
    bins = Bins.of(np.array([low, low + span], float), whole=True)
    start = data.draw(st.integers(low, low + span))
    end = data.draw(st.integers(start, low + span))
    brushed = bins.range(*bins.places(start, end))
    assert brushed == ((start, end) if (start, end) != (low, low + span) else None)


@given(values_and_bins(), st.floats(0, 1), st.floats(0, 1))
def test_a_brush_selects_the_bars_that_it_touches(made, one, other):
    values, bins = made
    edges = np.array(bins.edges)
    start, end = sorted(edges[0] + share * (edges[-1] - edges[0]) for share in (one, other))
    low, high = bins.range(start, end) or (bins.lows[0], bins.highs[-1])
    counts = bins.count(values, np.zeros(len(values), np.int64))[0]
    inside = (values >= low) & (values <= high)
    assert low <= high, "no range is empty"
    assert counts[(edges[1:] > start) & (edges[:-1] < end)].sum() <= inside.sum()
    on_an_edge = np.isin(values, [low, high])
    assert counts[(edges[1:] >= start) & (edges[:-1] <= end)].sum() >= (inside & ~on_an_edge).sum()


def test_a_brush_within_one_bar_selects_it():
    bins = Bins.of(np.array([3.0, 3, 5, 8]), whole=True)
    assert bins.range(3.9, 6.2) == (4, 6)
    assert bins.range(4.6, 6.2) == (5, 6)
    assert bins.range(4.2, 4.4) == bins.range(3.5, 3.5) == (4, 4)
    assert Bins.of(np.array([0.0, 1])).range(0.501, 0.504) == (0.5, 0.52)


def test_a_bar_for_each_whole_number_where_they_are_few():
    bins = Bins.of(np.array([3.0, 3, 5, 8]), whole=True)
    assert bins.lows == bins.highs == tuple(range(3, 9))
    assert bins.middles.tolist() == bins.ticks().tolist() == list(range(3, 9))


def test_a_logarithmic_axis_has_a_bar_for_0_and_leaves_no_positive_value_out():
    scores = np.array([0, 1e-9, 0.05, 1], np.float32)
    bins = Bins.of(scores, log=True)
    assert len(bins) == 52
    [counts] = bins.count(scores, np.zeros(4, np.int64))[:1]
    assert np.flatnonzero(counts).tolist() == [0, 2, 41, 51]
    assert (bins.lows[0], bins.highs[0]) == (0, 0)
    assert bins.range(*bins.edges[:2]) == (0, 0)
    low, high = bins.range(bins.edges[2], bins.edges[-1])
    assert (low, high) == (pytest.approx(1e-9), 1)
    assert bins.range(*bins.places(0, 0.05)) == (0, pytest.approx(0.05, rel=0.3))
    assert bins.ticks().tolist() == pytest.approx([1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1])


def test_a_short_logarithmic_axis_has_ticks_between_the_powers_of_ten():
    bins = Bins.of(np.array([0.006, 0.95]), log=True)
    assert bins.ticks().tolist() == pytest.approx([0.01, 0.02, 0.05, 0.1, 0.2, 0.5])


def test_values_that_are_all_equal_have_an_axis():
    for value in (0.0, 0.3, 5.5, -7.0, 1e9):
        for log in (False, True):
            bins = Bins.of(np.array([value]), log=log)
            assert bins.count(np.array([value]), np.array([0])).sum() == 1
            assert bins.edges[0] < bins.edges[-1]


# Metrics


def test_the_score_comes_first_and_what_measures_nothing_not_at_all(frame):
    found = metrics_of(frame.with_columns(taste=pl.lit(3)), "uniqueness")
    assert found == ["uniqueness", "brightness", "width", "distance", "taste"]


def test_counts_are_those_of_the_summary(frame):
    analytics = Analytics(frame)
    summary = summarize(frame)
    for words in (
        f"exact duplicates go {summary.exact}<",
        f"near-duplicates go {summary.near}<",
        f"kept {summary.kept}<",
        "9 images · min 0 · median ",
        " · 1 missing",
    ):
        assert words in said(analytics)
    assert "unreadable" not in said(analytics), "these have no value"
    assert drawn(analytics, Pointer)[0].texts[0].startswith("0\n2 images")


def test_null_nan_and_infinity_are_missing():
    frame = pl.DataFrame({"path": list("abcde"), "m": [1.0, None, float("nan"), float("inf"), 3.0]})
    assert "2 images · min 1 · median 2 · max 3 · 3 missing" in said(Analytics(frame))


def test_a_metric_without_values_and_a_frame_without_rows_are_shown_as_such():
    empty = pl.DataFrame(schema={"path": pl.String, "uniqueness": pl.Float32, "m": pl.Float64})
    for frame in (empty, pl.DataFrame({"path": ["a"], "m": [None]}, schema_overrides={"m": float})):
        analytics = Analytics(frame, metric="m")
        assert f"{len(frame)} missing" in said(analytics)
        assert bars(analytics).y.sum() == 0
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


def test_bars_show_the_few_among_the_many_and_are_shared_by_what_becomes_of_images():
    scores = np.zeros(1003, np.float32)
    scores[1000:] = 0.5
    frame = pl.DataFrame(
        {
            "path": [str(row) for row in range(len(scores))],
            "uniqueness": scores,
            "keep": np.arange(len(scores)) >= 750,
        }
    )
    tall = bars(Analytics(frame)).y
    assert tall.sum(axis=0)[[0, 1]].tolist() == [1, 0]
    assert tall.sum(axis=0)[-1] == pytest.approx((3 / 1000) ** 0.5)
    assert tall[:, 0].tolist() == [0.75, 0, 0.25, 0]


def test_the_highest_bar_says_how_many_images_it_has():
    scores = pl.Series([0.0] * 9 + [0.5] * 2, dtype=pl.Float32)
    frame = pl.DataFrame({"path": list("abcdefghijk"), "uniqueness": scores})
    side = drawn(Analytics(frame), bqplot.Axis)[1]
    assert side.tick_labels == {"0": "0", "0.4714": "2", "1": "9"}
    assert side.tick_values.tolist() == [0, 0.4714, 1]


def test_the_bars_stand_on_scales_of_bqplot_and_0_has_one_of_its_own(frame):
    analytics = Analytics(frame)
    score = bars(analytics)
    assert isinstance(score.scales["x"], bqplot.LogScale)
    least, most = frame.filter(pl.col("uniqueness") > 0)["uniqueness"].sort()[0, -1]
    assert score.scales["x"].max == pytest.approx(most, rel=0.01)
    assert least < score.x[2] == pytest.approx(least * most / score.x[-1], rel=0.01)
    assert score.y[:, 0].tolist()[1:] == [0, 0, 0]
    assert score.y[0, 0] > 0 == score.y[:, 1].sum()
    [zero] = [axis for axis in drawn(analytics, bqplot.Axis) if axis.tick_format == "d"]
    assert (zero.tick_values.tolist(), zero.scale.min) == ([0], -0.5)
    analytics.metric = "brightness"
    assert isinstance(bars(analytics).scales["x"], bqplot.LinearScale)
    assert bars(analytics).x[:2].tolist() == pytest.approx([0.01, 0.03])
    assert bars(analytics).y.sum(axis=0).max() == 1


def test_the_figure_of_another_metric_is_closed_with_all_in_it(frame):
    analytics = Analytics(frame)
    chart = drawn(analytics, bqplot.Figure)[0]
    before = [*inside(chart), chart.layout, *bars(analytics).scales.values()]
    analytics.metric = "width"
    assert all(widget.comm is None for widget in before)
    shown = drawn(analytics, bqplot.Figure)[0]
    assert all(widget.comm is not None for widget in inside(shown))


def test_a_brush_gives_the_range_of_the_metric(frame):
    analytics = Analytics(frame)
    heard = []
    analytics.observe(lambda change: heard.append(change["new"]), "range")
    brush(analytics, "width", 641, 643)
    assert analytics.range == ("width", 641, 643)
    assert heard == [("width", 641, 643)]
    assert "3 of 9 images" in said(analytics)
    assert field(analytics, "Lowest value").value == 641
    assert field(analytics, "Highest value").value == 643
    button(analytics, "Reset").click()
    assert analytics.range is None
    assert selector(analytics).selected is None


@pytest.mark.lengthy
def test_a_range_set_in_python_is_drawn_and_chooses_its_metric(frame):
    analytics = Analytics(frame)
    analytics.range = ("brightness", 0.2, 0.4)
    assert analytics.metric == drawn(analytics, ipywidgets.Dropdown)[0].value == "brightness"
    assert not analytics.log_scale
    assert selector(analytics).selected.tolist() == [0.2, 0.4]
    analytics.range = ("brightness", 0.2000001, 0.4000007)
    assert analytics.range == ("brightness", 0.2000001, 0.4000007), "drawing it does not round it"
    analytics.metric = "uniqueness"
    assert analytics.log_scale
    assert analytics.range is None


@pytest.mark.lengthy
def test_the_log_scale_is_offered_where_there_can_be_one(frame):
    analytics = Analytics(frame.with_columns(cold=-pl.col("brightness")))
    log = button(analytics, "log scale", ipywidgets.Checkbox)
    assert log.value
    log.value = False
    assert isinstance(bars(analytics).scales["x"], bqplot.LinearScale)
    analytics.metric = "cold"
    assert log.disabled
    analytics.metric = "brightness"
    assert not log.disabled
    analytics.log_scale = True
    assert isinstance(bars(analytics).scales["x"], bqplot.LogScale)


def test_a_brush_in_motion_stays_where_the_hand_is(frame):
    analytics = Analytics(frame, metric="brightness")
    selector(analytics).selected = np.array([0.2006, 0.4028])
    assert analytics.range == ("brightness", 0.2, 0.42)
    assert selector(analytics).selected.tolist() == [0.2006, 0.4028]


def test_typed_bounds_are_a_range_and_untouched_ones_leave_nothing_out(frame):
    analytics = Analytics(frame, metric="brightness")
    field(analytics, "Highest value").value = 0.5
    assert analytics.range == ("brightness", 0, 0.5)
    odd = frame.with_columns(odd=pl.col("brightness") * 100 / 7)
    analytics = Analytics(odd, metric="odd")
    field(analytics, "Highest value").value = 9.0
    assert analytics.range == ("odd", pytest.approx(odd["odd"].min()), 9)
    assert analytics.range[1] <= odd["odd"].min()
    field(analytics, "Highest value").value = 1000.0
    assert analytics.range is None


def test_a_range_that_makes_no_sense_is_refused(frame):
    analytics = Analytics(frame)
    with pytest.raises(dw.InputError, match="a chart of numbers needs a column 'colour'"):
        analytics.range = ("colour", 0, 1)
    with pytest.raises(dw.InputError, match="high end first"):
        analytics.range = ("uniqueness", 1, 0)
    with pytest.raises(dw.InputError, match="must lie in \\[0, 1\\]"):
        analytics.near = 1.5
    assert (analytics.range, analytics.near) == (None, 0.05)


def test_the_mouse_reads_range_count_and_kinds_of_each_bar(frame):
    pointer = drawn(Analytics(frame), Pointer)[0]
    assert pointer.texts[0] == "0\n2 images\n2 exact duplicates go"
    assert pointer.texts[1] == ""
    assert len(pointer.texts) == len(pointer.places) == 52
    assert pointer.texts[2].startswith("0.00")
    assert " … 0.0" in pointer.texts[2]


def test_what_goes_of_a_frame_that_does_not_tell_follows_the_boundary():
    frame = pl.DataFrame({"path": list("abc"), "uniqueness": [0.0, 0.02, 0.9]})
    analytics = Analytics(frame)
    assert "near-duplicates go 1" in said(analytics)
    analytics.near = 0.01
    eventually(lambda: "near-duplicates go" not in said(analytics))
    analytics = Analytics(pl.DataFrame({"path": list("abc"), "m": [1, 2, 3]}))
    assert "plan:" not in said(analytics)


# With an Explorer


@pytest.mark.lengthy
def test_a_brush_filters_the_explorer_and_leaves_its_other_filters(ex):
    ex.filters = {"width": (641, 648)}
    brush(ex.analytics, "brightness", 0.2, 0.42)
    eventually(lambda: "brightness" in ex.filters)
    assert dict(ex.filters) == {"width": (641, 648), "brightness": (0.2, 0.42)}
    assert ex.view["path"].sort().to_list() == ["b.jpg", "c.jpg", "d.jpg"]
    button(ex.analytics, "Reset").click()
    eventually(lambda: "brightness" not in ex.filters)
    assert dict(ex.filters) == {"width": (641, 648)}


@pytest.mark.lengthy
def test_the_range_follows_the_explorers_filter(ex):
    analytics = ex.analytics
    ex.filters = {"uniqueness": (0, 0.01), "brightness": (0.2, None)}
    assert analytics.range == ("uniqueness", 0, 0.01)
    analytics.metric = "brightness"
    assert analytics.range == ("brightness", 0.2, pytest.approx(0.9))
    assert ex.filters["brightness"] == (0.2, None), "showing a filter does not change it"
    ex.filters = None
    assert analytics.range is None
    ex.filters = {"brightness": present}
    assert analytics.range is None


@pytest.mark.lengthy
def test_a_session_is_followed_without_an_explorer(frame):
    session = Session(frame)
    analytics = Analytics(session)
    analytics.range = ("uniqueness", 0, 0.01)
    assert dict(session.filters) == {"uniqueness": (0, 0.01)}
    session.near = 0.01
    assert analytics.near == 0.01
    session.filters = None
    assert analytics.range is None


def test_a_grid_is_filtered_by_its_brush(frame):
    grid = dw.ImageGrid(frame)
    analytics = Analytics(grid)
    brush(analytics, "width", 641, 643)
    assert dict(grid.filters) == {"width": (641, 643)}
    grid.filters = {"width": (642, 643)}
    assert analytics.range == ("width", 642, 643)


@pytest.mark.lengthy
def test_undo_takes_a_brush_back(ex):
    ex.analytics.range = ("uniqueness", 0, 0.01)
    eventually(lambda: dict(ex.filters) == {"uniqueness": (0, 0.01)})
    ex.undo()
    assert ex.analytics.range is None


@pytest.mark.lengthy
def test_an_explorers_filter_is_told_once_and_not_back(ex):
    told = []
    ex.observe(lambda change: told.append(change["new"]), names="filters")
    ex.analytics.range = ("uniqueness", 0, 0.01)
    eventually(lambda: told)
    ex.filters = {"uniqueness": (0, 0.5)}
    assert ex.analytics.range == ("uniqueness", 0, 0.5)
    ex.analytics.range = ("uniqueness", 0, 0.7)
    eventually(lambda: len(told) > 2)
    assert [it["uniqueness"] for it in told] == [(0, 0.01), (0, 0.5), (0, 0.7)]


@pytest.mark.lengthy
def test_of_a_brush_in_motion_the_last_place_is_the_filter(ex):
    analytics = ex.analytics
    for high in range(641, 648):
        brush(analytics, "width", 640, high)
    eventually(lambda: dict(ex.filters) == {"width": (640, 647)})
    assert analytics.range == ("width", 640, 647)


@pytest.mark.lengthy
def test_a_filter_of_another_column_does_not_take_back_what_the_brush_is_about_to_tell(ex):
    analytics = ex.analytics
    brush(analytics, "width", 640, 642)
    eventually(lambda: dict(ex.filters) == {"width": (640, 642)})
    brush(analytics, "width", 640, 643)
    brush(analytics, "width", 640, 644)
    ex.filters = {**ex.filters, "brightness": (0, 0.5)}
    assert analytics.range == ("width", 640, 644)
    eventually(lambda: dict(ex.filters) == {"width": (640, 644), "brightness": (0, 0.5)})


@pytest.mark.lengthy
def test_other_filters_of_the_explorer_leave_the_bars_and_the_axis_stays(ex):
    analytics = ex.analytics
    before = bars(analytics)
    tall = before.y
    ex.filters = {"brightness": (0.5, 1), "uniqueness": (0, 0.001)}
    eventually(lambda: "filtered out" in said(analytics))
    left = ex.frame.filter(pl.col("brightness") >= 0.5)
    assert f"\n{len(left)} images · min" in said(analytics)
    assert bars(analytics) is before
    assert (before.y > 0).sum() < (tall > 0).sum()
    ex.filters = None
    eventually(lambda: "filtered out" not in said(analytics))
    eventually(lambda: np.array_equal(before.y, tall))


@pytest.mark.lengthy
def test_near_is_the_explorers_both_ways(ex):
    analytics = ex.analytics
    assert analytics.near == ex.near == 0.05
    analytics.near = 0.001234567891
    assert ex.near == analytics.near == 0.001234567891
    ex.near = 0.1
    assert analytics.near == 0.1
    assert field(analytics, "Near-duplicate boundary").value == 0.1


@pytest.mark.lengthy
def test_a_new_boundary_draws_what_goes_then(ex):
    before = said(ex.analytics)
    assert f"near-duplicates go {ex.session.summary.near}<" in before
    ex.near = 0.0001
    kept = ex.session.summary.kept
    eventually(lambda: f"kept {kept}<" in said(ex.analytics))
    assert said(ex.analytics) != before


@pytest.mark.lengthy
def test_an_explorers_columns_of_other_names_are_known(frame):
    named = frame.rename({"path": "file", "uniqueness": "score"})
    ex = dw.Explorer(named, path="file", score="score")
    assert ex.analytics.metric == "score"
    assert ex.analytics.log_scale
    assert len(ex.analytics.curve) > 3


# The threshold curve


def test_the_curve_is_computed_when_it_is_shown_and_not_before(frame):
    asked, go_on = [], threading.Event()

    def slow(nears=None):
        asked.append((nears, threading.current_thread()))
        go_on.wait(10)
        return curve(nears)

    analytics = Analytics(Curved(frame, slow))
    assert not asked
    show(analytics)
    show(analytics)
    assert "computing" in said(analytics)
    go_on.set()
    eventually(lambda: "5 images stay, 5 go" in said(analytics))
    assert [nears for nears, _ in asked] == [None]
    assert asked[0][1] is not threading.current_thread()
    assert "3 groups, 2 with near-duplicates" in said(analytics)
    stays, groups, boundary = lines(analytics)
    assert stays.y.tolist() == [9, 7, 5, 3]
    assert groups.y.tolist() == [1, 2, 3, 2]
    assert boundary.x.tolist() == [pytest.approx(0.05**0.5)] * 2
    assert drawn(analytics, Pointer)[1].texts[1] == (
        "near 0.01\n7 images stay, 3 go\n2 groups, 1 with near-duplicates"
    )


def test_a_boundary_picked_on_the_curve_is_near(frame):
    analytics = Analytics(Curved(frame, curve))
    assert analytics.curve.equals(CURVE)
    assert drawn(analytics, Pointer)[1].places == pytest.approx([0, 0.05**0.5, 0.5, 1])
    pick(analytics, 1)
    assert analytics.near == field(analytics, "Near-duplicate boundary").value == 0.01
    assert lines(analytics)[2].x.tolist() == [pytest.approx(0.1)] * 2
    analytics.near = 0.2
    pick(analytics, 1)
    assert analytics.near == 0.01, "the same place can be picked again"


def test_what_a_boundary_between_the_points_does_is_computed_too(frame):
    analytics = Analytics(Curved(frame, curve))
    assert len(analytics.curve) == 4
    field(analytics, "Near-duplicate boundary").value = 0.0333
    assert analytics.near == 0.0333
    eventually(lambda: len(analytics.curve) == 5)
    assert analytics.curve["near"].to_list() == [0.0, 0.01, 0.0333, 0.05, 0.2]
    eventually(lambda: "near 0.0333</b> · 5 images" in said(analytics))


def test_what_a_boundary_does_is_not_overwritten_by_what_was_read_before(frame, monkeypatch):
    read, told, found_in = threading.Event(), threading.Event(), pl.DataFrame.filter

    def computed(nears=None):
        assert nears is None or read.wait(10)
        return curve(nears)

    def found_and_held(points, *predicates):
        rows = found_in(points, *predicates)
        if rows.is_empty() and any(
            it.name == "dedup-widgets-curve" for it in threading.enumerate()
        ):
            read.set()
            told.wait(0.5)
        return rows

    analytics = Analytics(Curved(frame, computed))
    assert len(analytics.curve) == 4
    [text] = [it for it in drawn(analytics, ipywidgets.HTML) if "near 0.05" in it.value]
    text.observe(lambda it: "5 images" in it["new"] and told.set(), "value")
    monkeypatch.setattr(pl.DataFrame, "filter", found_and_held)
    field(analytics, "Near-duplicate boundary").value = 0.0333
    eventually(lambda: "near 0.0333</b> · 5 images" in text.value)


@pytest.mark.lengthy
def test_the_curve_of_an_explorer_is_its_own_plans(ex):
    curve = ex.analytics.curve
    point = curve.filter(pl.col("near") == 0.05).to_dicts()[0]
    assert point["removed"] == (ex.plan["action"] == "remove").sum()
    ex.near = 0.01
    point = curve.filter(pl.col("near") == 0.01).to_dicts()[0]
    assert point["removed"] == (ex.plan["action"] == "remove").sum()


@pytest.mark.lengthy
def test_a_curve_of_a_plain_frame_needs_no_curve_of_ones_own(frame):
    assert Analytics(frame.rename({"path": "file"}), path="file").curve["stays"].max() <= 10


def test_a_frame_without_embeddings_has_no_curve_and_says_why(frame):
    analytics = Analytics(frame.drop("embedding"))
    show(analytics)
    eventually(lambda: "No curve" in said(analytics))
    assert "needs a column &#x27;embedding&#x27;" in said(analytics)
    assert not lines(analytics)
    with pytest.raises(dw.InputError, match="needs a column 'embedding'"):
        analytics.curve  # noqa: B018


# What goes wrong


def test_what_goes_wrong_on_a_click_is_shown(frame):
    def fail():
        raise MemoryError("no room for <b>this</b>")

    analytics = Analytics(Curved(frame, fail))
    show(analytics)
    eventually(lambda: "No curve" in said(analytics))
    assert "no room for &lt;b&gt;this" in said(analytics)
    assert error_of(analytics) == ""


def test_a_boundary_that_the_review_refuses_is_not_shown(frame):
    session = Session(frame.drop("embedding"))
    analytics = Analytics(session)
    field(analytics, "Near-duplicate boundary").value = 0.2
    assert "needs a column &#x27;embedding&#x27;" in error_of(analytics)
    assert field(analytics, "Near-duplicate boundary").value == analytics.near == session.near
    field(analytics, "Near-duplicate boundary").value = 7.0
    assert analytics.near == session.near
    brush(analytics, "width", 641, 643)
    assert error_of(analytics) == "", "the next step clears it"


@pytest.mark.lengthy
def test_what_goes_wrong_in_the_explorer_is_shown(ex):
    def refuse(changes):
        raise dw.InputError("not this one")

    analytics = ex.analytics
    ex.session.watch(refuse)
    brush(analytics, "width", 641, 643)
    eventually(lambda: "not this one" in error_of(analytics))
