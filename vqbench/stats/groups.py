"""Queries that are not drawn one by one: several of one user, document or topic, alike among themselves.

Groups are drawn, so groups are what an interval may count. The mean over queries is the ratio of the groups'
sums to their sizes; linearised (Cochran, Sampling Techniques, 3rd ed., section 9A.2), its error is the mean over
groups of the group's summed deviations, scaled by groups / queries. With groups of one query each nothing changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqbench.arrays import Bools, Floats, Ints


@dataclass(frozen=True)
class Groups:
    """Which group each query belongs to: ``index_q`` from 0 to ``count`` - 1, none of them empty."""

    index_q: Ints
    count: int

    @classmethod
    def of(cls, names_q: Sequence[str] | NDArray[np.generic]) -> Groups:
        """Groups by name, numbered in the order of the names."""
        names, index_q = np.unique(np.asarray(names_q, dtype=object).astype(str), return_inverse=True)
        return cls(index_q, len(names))

    def scaled_sums(self, values_q: Floats) -> Floats:
        """The groups' sums times groups / queries, ``(count,)``: their mean is the mean over queries."""
        order_q = np.lexsort((values_q, self.index_q))  # sums depend on the values alone, not on their order
        sums_g = np.bincount(self.index_q[order_q], weights=values_q[order_q], minlength=self.count)
        return sums_g * (self.count / len(values_q))

    @property
    def largest(self) -> float:
        """Size of the largest group, in units of the mean size."""
        return float(np.bincount(self.index_q).max() * self.count / len(self.index_q))

    def only(self, kept_q: Bools) -> Groups:
        """The groups of some of the queries."""
        _, index_q = np.unique(self.index_q[kept_q], return_inverse=True)
        return Groups(index_q, int(index_q.max(initial=-1)) + 1)
