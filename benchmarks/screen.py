"""What a person waits for on screen, in JupyterLab and Chromium: to open, to drag, to jump.

The photos are a thousand of 500 × 375, each under many paths: its folder has many names. The others
show what one would use otherwise: a table, and a grid of image widgets.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks import widget
from benchmarks.data import make_photos
from benchmarks.harness import OURS, Case, Values

sys.path.append(str(Path(__file__).parents[1] / "scripts"))

PHOTOS = 1_000
GRID_IMAGES = 1_000
"""Images that a grid of image widgets is made of: each is sent whole, before one is seen."""
JUMPS = (0.37, 0.81, 0.13, 0.62, 0.94, 0.25, 0.5)
"""Where to, as parts of the whole; the median counts."""
LIMIT = 300
"""Seconds that a run may take: to start a JupyterLab and a browser, to show, and to end both."""
TRIES, LOST = 4, 45
"""Runs of a cell whose messages get lost, and seconds after which they count as lost."""
MOVES = 60
"""Of the pointer, while the end of the range is dragged."""


def cases(size: str) -> list[Case]:
    sizes = {"tiny": [1_000], "quick": [100_000], "full": [100_000, 1_000_000]}[size]
    rounds = 1 if size == "tiny" else 3
    shown = [(OURS, n) for n in sizes]
    shown += [("itables", sizes[0]), ("ipywidgets.GridBox", min(GRID_IMAGES, sizes[0]))]
    return [Case("screen", variant, {"n": n}, rounds, LIMIT) for variant, n in shown]


def prepare(data: Path, n: int) -> None:
    photos = make_photos(data, PHOTOS).resolve()
    album = data / "album"
    album.mkdir(exist_ok=True)
    for number in range(-(-n // PHOTOS)):
        link = album / str(number)
        if not link.is_symlink():
            link.symlink_to(photos, target_is_directory=True)
    if not _file(data, n).exists():
        number = pl.col("path").str.extract(r"(\d+)\.jpg$").cast(pl.Int64)
        file = pl.format(
            "{}/{}/{}.jpg",
            pl.lit(str(album)),
            number // PHOTOS,
            (number % PHOTOS).cast(pl.String).str.zfill(6),
        )
        # Without fingerprints a thumbnail is remembered for its file; the made-up ones are of none.
        frame = widget.frame(n).drop("fingerprint")
        named = frame.select("path", file=file)
        nearest = frame.select(path="nearest").join(named, on="path", maintain_order="left")
        frame.with_columns(path=named["file"], nearest=nearest["file"]).write_parquet(
            _file(data, n)
        )


def explorer(data: Path, n: int) -> Values:
    """Open an Explorer that was made before, jump, and drag the ends of ranges."""
    made = f"""
import dedup_widgets as dw, polars as pl
ex = dw.Explorer(pl.read_parquet({str(_file(data, n))!r}), store={{store!r}})"""
    with _notebook(made, "ex") as notebook:
        page = notebook.page
        seconds = _shown(page, _PAINTED)
        on_demand = _jumped(page)
        # Another view knows nothing of what the first one has drawn.
        page.evaluate(f"() => {{ {_APP} app.remove(); }}")
        _run(page, 1)
        _shown(page, _PAINTED)
        stored = _jumped(page)
        return {"seconds": seconds, "on_demand_ms": on_demand, "stored_ms": stored, **_drags(page)}


def table(data: Path, n: int) -> Values:
    """Show all of the frame's rows as a table, without pictures, and go to other pages of it."""
    import itables  # noqa: F401

    made = f"""
import itables, polars as pl
frame = pl.read_parquet({str(_file(data, n))!r})
itables.init_notebook_mode(connected=False)"""
    with _notebook(made, "itables.show(frame, maxBytes=0)") as notebook:
        return {"seconds": _shown(notebook.page, _TABLE)}


def images(data: Path, n: int) -> Values:
    """Show a grid of image widgets, one a file.

    Each widget is two messages, and ZeroMQ drops those that a server has not taken when a thousand
    wait. Of such a run nothing is seen: the cell is run again, and that time counts.
    """
    from playwright.sync_api import TimeoutError as NothingShown

    made = f"""
import ipywidgets, polars as pl
paths = pl.read_parquet({str(_file(data, n))!r})["path"]"""
    show = """ipywidgets.GridBox(
    [ipywidgets.Image(value=open(path, "rb").read(), width=180) for path in paths],
    layout=ipywidgets.Layout(grid_template_columns="repeat(5, 190px)"),
)"""
    with _notebook(made, show) as notebook:
        for _ in range(TRIES - 1):
            with suppress(NothingShown):
                return {"seconds": _shown(notebook.page, _IMAGES, LOST)}
            _run(notebook.page, 1)
        return {"seconds": _shown(notebook.page, _IMAGES, LOST)}


_APP = """
const app = [...document.querySelectorAll('.jp-OutputArea-output *')]
    .map((element) => element.shadowRoot?.querySelector('section.app')).find(Boolean);
"""

_DRAWN = """
const tilesSeen = () => {
    const seen = app.querySelector('[role=grid]')?.getBoundingClientRect();
    return [...app.querySelectorAll('[role=gridcell]')].filter((tile) => {
        const { top, bottom } = tile.getBoundingClientRect();
        return bottom > seen.top && top < seen.bottom;
    });
};
const isDrawn = (tile) => tile.querySelector('.thumb img')?.complete;
"""

_PAINTED = f"""() => {{
{_APP}
if (!app) return false;
{_DRAWN}
const tiles = tilesSeen();
return tiles.length > 0 && tiles.every(isDrawn);
}}"""

_TABLE = "() => document.querySelectorAll('.jp-OutputArea-output table tbody tr').length > 5"

_IMAGES = f"""() => {{
const images = [...document.querySelectorAll('.jp-OutputArea-output img')];
return images.length >= {GRID_IMAGES} && images.every((image) => image.complete);
}}"""

_JUMP = f"""async (part) => {{
{_APP}
{_DRAWN}
const grid = app.querySelector('[role=grid]');
const before = new Set(tilesSeen().map((tile) => tile.dataset.row));
const start = performance.now();
grid.scrollTop = part * (grid.scrollHeight - grid.clientHeight);
for (;;) {{
    await new Promise(requestAnimationFrame);
    const tiles = tilesSeen();
    const isNew = tiles.length > 0 && tiles.every((tile) => !before.has(tile.dataset.row));
    if (isNew && tiles.every(isDrawn)) return performance.now() - start;
    if (performance.now() - start > 60_000) throw new Error('nothing is painted');
}}
}}"""


@contextmanager
def _notebook(made: str, shown: str) -> Iterator[Any]:
    """Open a notebook whose first cell was run, and which has just begun with its second."""
    from lab import run_lab, write_notebook

    with tempfile.TemporaryDirectory() as name:
        root, home = Path(name) / "root", Path(name) / "home"
        root.mkdir()
        home.mkdir()
        cells = made.replace("{store!r}", repr(f"{name}/store")), shown
        write_notebook(root / "screen.ipynb", *cells)
        with (
            run_lab(root, home, {"DEDUP_WIDGETS_STORE": f"{name}/store"}) as lab,
            lab.open("screen.ipynb") as notebook,
        ):
            _run(notebook.page, 0)
            notebook.kernel("1", timeout=300)
            _run(notebook.page, 1)
            yield notebook


def _run(page: Any, cell: int) -> None:
    page.locator(".jp-CodeCell .cm-content").nth(cell).click()
    page.keyboard.press("Control+Enter")


def _shown(page: Any, condition: str, limit: float = LIMIT) -> float:
    """Return the seconds until the page shows something."""
    start = time.perf_counter()
    page.wait_for_function(condition, timeout=1000 * limit, polling=20)
    return time.perf_counter() - start


def _jumped(page: Any) -> float:
    """Return the milliseconds from a jump to the last picture of those that one sees."""
    taken = []
    for part in JUMPS:
        taken.append(page.evaluate(_JUMP, part))
        page.wait_for_timeout(300)
    return statistics.median(taken)


def _drags(page: Any) -> Values:
    """Drag the range of the scores, that of another column, and that beside one of the scores."""
    metrics = page.context.new_cdp_session(page)
    metrics.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.evaluate(
        """() => { window.frames_drawn = 0;
        const count = () => { window.frames_drawn++; requestAnimationFrame(count); };
        requestAnimationFrame(count); }"""
    )
    app = page.locator(".jp-OutputArea-output section.app")
    app.get_by_role("button", name="Filter", exact=True).click()
    scores = app.get_by_role("slider", name="Highest uniqueness")
    one = _dragged(page, metrics, scores)
    scores.press("End")
    other = _dragged(page, metrics, _slider_of(app, "bytes"))
    page.keyboard.press("Escape")
    app.get_by_role("button", name="Reset filters").click()
    # About a third is outside.
    scores.press("PageDown")
    two = _dragged(page, metrics, _slider_of(app, "bytes"))
    return {"script_ms": one, "other_ms": other, "two_ms": two}


def _slider_of(app: Any, column: str) -> Any:
    """Open the filter of a column, and return what moves the end of its range."""
    app.get_by_role("button", name="Add filter").click()
    app.page.keyboard.type(column)
    app.page.keyboard.press("Enter")
    slider = app.page.get_by_role("slider", name=f"Highest {column}")
    slider.wait_for()
    return slider


def _dragged(page: Any, metrics: Any, thumb: Any) -> float:
    """Return the milliseconds of processor time that script, style and layout take a frame."""
    thumb.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    box = thumb.bounding_box()
    plot = thumb.locator("xpath=ancestor::*[contains(@class, 'plot')]").bounding_box()

    def worked() -> float:
        found = metrics.send("Performance.getMetrics")["metrics"]
        names = ("ScriptDuration", "RecalcStyleDuration", "LayoutDuration")
        return sum(it["value"] for it in found if it["name"] in names)

    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    before, drawn = worked(), page.evaluate("window.frames_drawn")
    for move in range(1, MOVES + 1):
        page.mouse.move(plot["x"] + plot["width"] * (1 - move / (MOVES + 20)), plot["y"] + 5)
        page.evaluate("() => new Promise(requestAnimationFrame)")
    seconds, frames = worked() - before, page.evaluate("window.frames_drawn") - drawn
    page.mouse.up()
    return 1000 * seconds / max(1, min(frames, MOVES))


def _file(data: Path, n: int) -> Path:
    return data / f"screen-{n}.parquet"


VARIANTS = {OURS: explorer, "itables": table, "ipywidgets.GridBox": images}
