import pickle
import subprocess
import sys
import traceback

import pytest

import dedup_widgets as dw


@pytest.mark.parametrize("name", dw.__all__)
def test_every_public_name_is_there_and_documented(name):
    assert getattr(dw, name).__doc__
    assert name in dir(dw)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="attribute scores"):
        dw.scores  # noqa: B018


@pytest.mark.slow
@pytest.mark.parametrize(
    "first",
    [
        "dw.uniqueness",
        "dw.Explorer",
        "import dedup_widgets.scoring.uniqueness",
        "from dedup_widgets.scale.score import score",
        "from dedup_widgets.search import similar",
        "from dedup_widgets.planning import plan",
    ],
)
def test_functions_named_like_their_module_are_functions_whatever_is_imported_first(first):
    program = f"import dedup_widgets as dw\n{first}\nprint(dw.uniqueness, dw.similar, dw.plan)"
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert said.stdout.count(b"<function ") == 3


@pytest.mark.parametrize("error", [dw.DedupError, *dw.DedupError.__subclasses__()])
def test_an_error_prints_under_the_name_to_catch_it_by(error):
    printed = traceback.format_exception_only(error("no"))[-1]
    assert printed == f"dedup_widgets.{error.__name__}: no\n"
    assert getattr(dw, error.__name__) is error
    assert type(pickle.loads(pickle.dumps(error("no")))) is error


@pytest.mark.lengthy
def test_modules_are_reached_as_attributes():
    program = (
        "import dedup_widgets as dw; "
        "dw.keepers.highest('votes'); dw.filters.present; dw.dataset.REMOVED_SCHEMA"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_importing_the_package_pulls_in_nothing_heavy():
    heavy = {"torch", "sentence_transformers", "polars", "numpy", "PIL", "usearch", "ipywidgets"}
    program = f"import sys, dedup_widgets; print(*{heavy} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert said.stdout.split() == []


@pytest.mark.lengthy
def test_scoring_own_vectors_pulls_in_no_torch():
    program = (
        "import sys, dedup_widgets as d; d.uniqueness([[1]]); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
