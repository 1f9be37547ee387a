"""The range-slider histogram, alone: numbers in, a range out."""

from typing import Any

import numpy as np
import polars as pl
import traitlets

from dedup_widgets.errors import InputError
from dedup_widgets.widgets.base import Widget, front_end
from dedup_widgets.widgets.protocol import Buffers, HistogramReply, OpenHistogramRequest


class RangeHistogram(Widget):
    """A histogram of numbers in [0, 1] with a range slider over it.

    ``value`` is the range, a tuple of two numbers; ``observe(handler, names="value")`` follows it
    live.

    Parameters
    ----------
    values
        Numbers in [0, 1], (n,): a Polars or pandas Series, an array, a list. Nulls and NaN are
        left out.
    value
        The range to start with.
    log
        Whether to start with a logarithmic axis, which separates 0 … 0.0001 from 0.05.
    label
        What the numbers are; default: the name of the series.

    Raises
    ------
    InputError
        When values are no numbers, or lie outside [0, 1].

    Examples
    --------
    >>> histogram = RangeHistogram([0.0, 0.01, 0.4, 0.9], label="uniqueness", value=(0, 0.05))
    >>> histogram
    RangeHistogram(4 values of uniqueness, 0 … 0.05)
    >>> histogram.observe(lambda change: print(change["new"]), names="value")
    >>> histogram.value = (0, 0.5)
    (0.0, 0.5)
    """

    _esm, _code = front_end("range_histogram")
    value = traitlets.Tuple(traitlets.Float(), traitlets.Float(), default_value=(0.0, 1.0)).tag(
        sync=True
    )
    log = traitlets.Bool(False).tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        values: Any,
        *,
        value: tuple[float, float] = (0.0, 1.0),
        log: bool = False,
        label: str | None = None,
    ) -> None:
        name = getattr(values, "name", None) if label is None else label
        numbers = pl.Series(np.asarray(values)) if not isinstance(values, pl.Series) else values
        try:
            numbers = numbers.cast(pl.Float32).fill_nan(None).drop_nulls()
        except pl.exceptions.PolarsError as error:
            raise InputError(f"values must be numbers, not {numbers.dtype}") from error
        array = numbers.to_numpy()
        if array.size and not (array.min() >= 0 and array.max() <= 1):
            raise InputError(
                f"values lie in {array.min():g} … {array.max():g}; a RangeHistogram shows [0, 1]"
            )
        self._values = array
        super().__init__(value=value, log=log, label=str(name or "value"))
        self.handlers[OpenHistogramRequest] = self._open

    @traitlets.validate("value")
    def _valid_range(self, proposal: Any) -> tuple[float, float]:
        low, high = proposal["value"]
        if not low <= high:
            raise traitlets.TraitError(f"the range is {low} … {high}: low end first")
        return low, high

    def __repr__(self) -> str:
        low, high = self.value
        return f"RangeHistogram({len(self._values):,} values of {self.label}, {low:g} … {high:g})"

    def _open(self, _request: OpenHistogramRequest, _in: list[Any], out: Buffers) -> HistogramReply:
        return HistogramReply(values=out.add(self._values))
