import subprocess
import sys

import pytest

import dedup_widgets as dw


@pytest.mark.parametrize("name", dw.__all__)
def test_every_public_name_is_there_and_documented(name):
    assert getattr(dw, name).__doc__
    assert name in dir(dw)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'scores'"):
        dw.scores  # noqa: B018


@pytest.mark.slow
@pytest.mark.parametrize(
    "first",
    [
        "dw.uniqueness",
        "dw.score",
        "dw.Explorer",
        "from dedup_widgets.scoring import score",
        "import dedup_widgets.scoring.uniqueness",
        "import dedup_widgets.search.similar",
        "from dedup_widgets.scoring.uniqueness import scale",
    ],
)
def test_functions_named_like_their_module_are_functions_whatever_is_imported_first(first):
    program = f"import dedup_widgets as dw\n{first}\ndw.uniqueness([[1, 0]]); dw.similar.__call__"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_importing_the_package_pulls_in_nothing_heavy():
    heavy = {"torch", "sentence_transformers", "polars", "numpy", "PIL", "usearch", "ipywidgets"}
    program = f"import sys, dedup_widgets; print(*{heavy} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert said.stdout.split() == []


def test_scoring_own_vectors_pulls_in_no_torch():
    program = (
        "import sys, dedup_widgets as d; d.uniqueness([[1]]); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
