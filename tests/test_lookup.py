"""Rows are found by their texts, whatever their hashes."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup_widgets.frame.lookup import Lookup


class Clashing(Lookup):
    """A lookup in which a hash has two bits, so that most texts have one with others."""

    _bits = np.uint64(62)


texts = st.lists(st.one_of(st.none(), st.sampled_from("abcdefghijklmnop")), max_size=40)


@pytest.mark.parametrize("kind", [Lookup, Clashing])
@given(column=texts, wanted=texts)
def test_rows_are_those_that_a_list_has(kind, column, wanted):
    lookup = kind(pl.Series(column, dtype=pl.String))
    first = [column.index(text) if text is not None and text in column else -1 for text in wanted]
    assert lookup.first(pl.Series(wanted, dtype=pl.String)).tolist() == first
    equals = [row if text is None else column.index(text) for row, text in enumerate(column)]
    assert lookup.equals.tolist() == equals
    named = {text for text in wanted if text is not None}
    rows = {text: [r for r, it in enumerate(column) if it == text] for text in named}
    found = {text: rows.tolist() for text, rows in lookup.rows(named).items()}
    assert found == {text: it for text, it in rows.items() if it}
