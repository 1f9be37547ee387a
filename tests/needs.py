"""What a test does where a program that it needs is neither there nor could be installed."""

import os
import warnings
from typing import NoReturn

import pytest


def do_without(what: str, why: object) -> NoReturn:
    """Skip the test and say so loudly; fail it where all must run, as in CI."""
    said = f"NO {what.upper()}: it could not be installed to test with:\n{why}"
    if os.environ.get("DEDUP_WIDGETS_TEST_ALL"):
        pytest.fail(said)
    warnings.warn(said, stacklevel=2)
    pytest.skip(said)
