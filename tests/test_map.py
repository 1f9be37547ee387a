"""A map of the images: where they lie, and a selection that two screens share."""

import gc
import weakref

import numpy as np
import polars as pl
import pytest

import dedup_widgets as dw

pytestmark = pytest.mark.lengthy


@pytest.fixture
def frame():
    """Two clusters of images, scored by their vectors, and one file that could not be read."""
    rng = np.random.default_rng(0)
    vectors = np.repeat(np.eye(5)[:2], 10, axis=0) + rng.normal(0, 0.05, (20, 5))
    scores = dw.uniqueness(vectors)
    frame = pl.DataFrame({"path": [f"/photos/{i:02}.jpg" for i in range(20)]}).hstack(
        scores.with_columns(nearest=pl.lit(None, pl.String)).with_columns(
            embedding=pl.Series(vectors, dtype=pl.Array(pl.Float32, 5))
        )
    )
    unreadable = pl.DataFrame({"path": ["/photos/broken.jpg"]})
    return pl.concat([unreadable, frame], how="diagonal")


@pytest.fixture
def grid(frame):
    return dw.ImageGrid(frame)


@pytest.fixture
def plotted():
    from jscatter import Scatter  # half a second, which other tests need not wait for

    return Scatter


@pytest.fixture
def scatter(plotted, frame):
    return plotted(data=frame.join(dw.projection(frame), on="path").reverse(), x="x", y="y")


@pytest.mark.parametrize("method", ["pca", pytest.param("umap", marks=pytest.mark.slow)])
def test_images_that_are_alike_lie_together(frame, method):
    where = dw.projection(frame, method=method)
    assert where["path"].to_list() == frame["path"].to_list()[1:]
    points = where.select("x", "y").to_numpy()
    one, other = points[:10], points[10:]
    spread = max(np.ptp(one, axis=0).max(), np.ptp(other, axis=0).max())
    assert np.linalg.norm(one.mean(0) - other.mean(0)) > spread


def test_a_map_is_computed_once(frame, monkeypatch):
    first = dw.projection(frame)
    monkeypatch.setattr("sklearn.decomposition.PCA", None)
    assert dw.projection(frame).equals(first)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_there_is_a_map_of_a_few_images(frame, n):
    assert len(dw.projection(frame[1 : 1 + n], method="umap")) == n


def test_an_unknown_method_is_refused_with_those_there_are(frame):
    with pytest.raises(dw.InputError, match="'tsne'; the methods are pca, umap"):
        dw.projection(frame, method="tsne")


def test_a_lasso_selects_images(grid, scatter):
    grid.link(scatter)
    scatter.widget.selection = np.array([0, 19], np.uint32)
    assert set(grid.selection["path"]) == {"/photos/19.jpg", "/photos/00.jpg"}


def test_what_is_selected_is_marked_on_the_map(grid, scatter):
    grid.selection = ["/photos/19.jpg", "/photos/broken.jpg"]
    grid.link(scatter)
    assert scatter.selection().tolist() == [0]
    grid.selection = ["/photos/18.jpg", "/photos/broken.jpg"]
    assert scatter.selection().tolist() == [1]
    assert len(grid.selection) == 2


def test_the_map_shows_what_the_filters_leave(grid, scatter):
    grid.link(scatter)
    assert scatter.widget.filter is None
    grid.filters = {"path": "1"}
    shown = [f"/photos/{19 - point:02}.jpg" for point in scatter.widget.filter]
    assert sorted(shown) == sorted(grid.view["path"])
    grid.filters = {}
    assert scatter.widget.filter is None


def test_a_link_can_be_ended(grid, scatter):
    end = grid.link(scatter)
    end()
    scatter.widget.selection = np.array([3], np.uint32)
    assert grid.selection.is_empty()
    grid.selection = ["/photos/01.jpg"]
    assert scatter.selection().tolist() == [3]


def test_a_map_holds_no_session_that_nobody_else_holds(frame, scatter):
    grid = dw.ImageGrid(frame)
    session = weakref.ref(grid.session)
    grid.link(scatter)
    grid.close()
    del grid
    gc.collect()
    assert session() is None
    scatter.widget.selection = np.array([3], np.uint32)


def test_points_without_paths_are_the_rows(frame, plotted):
    readable = frame[1:]
    where = dw.projection(readable)
    scatter = plotted(x=where["x"].to_numpy(), y=where["y"].to_numpy())
    grid = dw.ImageGrid(readable)
    grid.link(scatter)
    scatter.widget.selection = np.array([4], np.uint32)
    assert grid.selection["path"].to_list() == ["/photos/04.jpg"]


def test_points_that_are_no_images_are_refused(grid, frame, plotted):
    other = plotted(data=pl.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]}), x="x", y="y")
    with pytest.raises(dw.InputError, match="2 points for 21 images"):
        grid.link(other)
    with pytest.raises(dw.InputError, match="pass a Scatter of jupyter-scatter"):
        grid.link(frame)
