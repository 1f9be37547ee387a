"""One query compared with all vectors: an exact search."""

import warnings
from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.neighbors.vectors import Vectors, float32_error, parts

MAX_COPIED_NUMBERS = 50_000_000
"""Numbers, n x d, up to which a float32 copy is held: 200 MB, which take 10 ms to scan."""


ONE_THREAD_NUMBERS = 2**15
"""Numbers up to which torch and BLAS use one thread: on a busy machine, several threads that wait
for each other take up to a hundred times as long."""


class Scan:
    """Compares a query with all vectors.

    Up to :data:`MAX_COPIED_NUMBERS` numbers a float32 copy is held. Of more, nothing is held:
    they are read from where they are, in their own precision; 1,000,000 x 512 of float16 take
    0.3 s.

    Parameters
    ----------
    vectors
        n of them, at least one.
    stored
        The numbers that they were made from, (n, d).
    max_copied_numbers, one_thread_numbers
        Up to how many numbers a copy is held, and how many of them are read at a time otherwise.
    """

    def __init__(
        self,
        vectors: Vectors,
        stored: NDArray[np.generic],
        *,
        max_copied_numbers: int = MAX_COPIED_NUMBERS,
        one_thread_numbers: int = ONE_THREAD_NUMBERS,
    ) -> None:
        self._vectors, self._stored = vectors, stored
        self._is_copied = stored.size <= max_copied_numbers
        self._rows_at_a_time = max(1, one_thread_numbers // stored.shape[1])

    def candidates(self, unit: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """Return the rows that may be among the k nearest to a unit vector, (d,)."""
        cosine = self._copy @ unit if self._is_copied else self._read(unit)
        # Dividing by lengths that are summed in float32 adds an error as large as that of products.
        slack = (2 if self._is_copied else 4) * float32_error(self._vectors.dimensions)
        return np.flatnonzero(cosine >= np.partition(cosine, -k)[-k] - slack)

    @cached_property
    def _copy(self) -> NDArray[np.float32]:
        return self._vectors.unit(slice(None))

    def _read(self, unit: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the float32 cosines, (n,), of all vectors with a unit vector, without a copy."""
        cosine = np.empty(len(self._stored), np.float32)
        if self._lengths is None:
            for part in parts(len(cosine)):
                cosine[part] = self._vectors.unit(part) @ unit
            return cosine
        for part, block in self._blocks():
            cosine[part] = block @ unit
        cosine /= self._lengths
        return cosine

    @cached_property
    def _lengths(self) -> NDArray[np.float32] | None:
        """Length of each vector as stored; None where they exceed the range of float32."""
        if self._stored.dtype not in (np.float16, np.float32):
            return None
        lengths = np.empty(len(self._stored), np.float32)
        for part, block in self._blocks():
            lengths[part] = np.sqrt(np.einsum("nd,nd->n", block, block))
        return lengths if lengths.min() > 1e-15 and lengths.max() < 1e15 else None

    def _blocks(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Yield the stored numbers as float32; torch converts float16 20 times as fast as numpy."""
        import torch

        rows = self._rows_at_a_time
        block = torch.empty((rows, self._stored.shape[1]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the array is read-only: so is its use
            stored = torch.from_numpy(self._stored)
        for part in parts(len(self._stored), rows):
            yield part, block[: part.stop - part.start].copy_(stored[part]).numpy()
