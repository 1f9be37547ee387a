"""Greedy groups by any relation: the leader algorithm [1]_, the one way in which groups are formed.

References
----------
.. [1] J. A. Hartigan, "Clustering Algorithms", Wiley, 1975, chapter 3.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray


def group_greedily(
    order: Iterable[int], n: int, neighbors: Callable[[int], NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Group n items greedily: the first of an order that is in no group takes its neighbours.

    Parameters
    ----------
    order
        Items, the preferred representatives first; the others are members at most.
    n
        How many items there are.
    neighbors
        Returns the neighbours of an item.

    Returns
    -------
    NDArray[np.int64]
        (n,), the representative of each item; that of a representative is its own.

    Examples
    --------
    >>> near = {0: [1], 1: [0, 2], 2: [1]}
    >>> group_greedily([0, 1, 2], 3, lambda item: np.array(near[item])).tolist()
    [0, 0, 2]
    """
    representative = np.full(n, -1)
    for item in order:
        if representative[item] < 0:
            representative[item] = item
            near = neighbors(item)
            representative[near[representative[near] < 0]] = item
    return np.where(representative < 0, np.arange(n), representative)
