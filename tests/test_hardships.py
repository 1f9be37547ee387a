"""What held against hardship goes on to hold: a round each, of a seed; `make soak` has many."""

import signal

import pytest

import hardships

pytestmark = pytest.mark.lengthy


@pytest.mark.parametrize("name", hardships.ALL)
def test_it_holds(name):
    if name.startswith("kills") and not hasattr(signal, "SIGKILL"):
        pytest.skip("needs kill -9")
    assert hardships.ALL[name](1) > 0
