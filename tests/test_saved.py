"""What a notebook shows of a widget where there is no kernel."""

import base64
import re
from html.parser import HTMLParser

import polars as pl
import pytest

import dedup_widgets as dw
from dedup_widgets.widgets.saved import saved_html
from page import Pixels

pytestmark = pytest.mark.lengthy


class Parser(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data + " "


@pytest.fixture
def frame(photo_folder, make_photo):
    folder = photo_folder(40, copies=30)
    make_photo(3).save(folder / "<script>alert(1).png")
    make_photo(3).save(folder / '" onerror="alert(1).png')
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    return dw.score(folder, model=Pixels(), near=0.05, progress=False)


def test_it_says_what_the_plan_does_and_shows_the_first_groups(frame):
    review = dw.Session(frame)
    html = saved_html(review, "here")
    said = Parser(html)
    counts = review.summary
    assert f"{counts.exact} exact duplicates and {counts.near} near-dup" in said.text
    assert "1 cannot be read" in said.text
    assert 5 < said.tags.count("img") <= 24
    first = base64.b64decode(re.search(r"base64,([^\"]+)", html)[1])
    assert first.startswith(b"\xff\xd8\xff")
    assert len(html) < 200_000


def test_it_holds_no_script_whatever_files_are_called(frame):
    said = Parser(saved_html(dw.Session(frame), "here"))
    assert set(said.tags) <= {"style", "div", "p", "small", "img"}
    assert not [name for name, _ in said.attributes if name.startswith("on")]
    assert "<script>alert(1).png" in said.text


@pytest.mark.parametrize(
    "frame_",
    [
        pl.DataFrame({"path": ["a.jpg", "b.jpg"]}),
        pl.DataFrame({"path": [], "uniqueness": []}, schema={"path": str, "uniqueness": float}),
    ],
)
def test_frames_without_groups_have_one_too(frame_):
    assert "image" in Parser(saved_html(dw.ImageGrid(frame_).session, "here")).text


@pytest.mark.slow
def test_html_that_is_made_of_a_notebook_shows_it(frame, tmp_path):
    import nbformat
    from nbclient import NotebookClient
    from nbconvert import HTMLExporter

    frame.write_parquet(tmp_path / "df.parquet")
    code = "import dedup_widgets as dw, polars as pl\ndw.Explorer(pl.read_parquet('df.parquet'))"
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    place = {"metadata": {"path": tmp_path}}
    NotebookClient(book, timeout=60, resources=place, kernel_name="python3").execute()
    # As `jupyter nbconvert --execute` leaves it, and as JupyterLab saves it: without the state.
    for _ in range(2):
        html, _resources = HTMLExporter().from_notebook_node(book)
        assert html.count('class="dw-saved-') == 1
        assert html.count("data:image/jpeg") > 5
        book.metadata.pop("widgets", None)
