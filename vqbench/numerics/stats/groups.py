"""Queries that are not drawn one by one: several of one user, document or topic, alike among themselves.

Groups are drawn, so groups are what an interval may count. The mean over queries is the ratio of the groups' sums
to their sizes. Where all groups are of one size that is the mean of the groups' means, and nothing else changes. Where
they are not, a large group pulls the mean towards itself, and what is left of its deviation says too little: there the
mean without each group in turn tells (jackknife: Cochran, Sampling Techniques, 3rd ed., section 6.17; its simulated
coverage against linearisation: tests/statistics/test_paired_coverage.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqbench.numerics.arrays import Bools, Floats, Ints


@dataclass(frozen=True)
class Groups:
    """Which group each query belongs to.

    >>> Groups.of(["bob", "ann", "bob"]).scaled_sums(np.array([1.0, 2.0, 3.0])).round(3).tolist()
    [1.333, 2.667]
    """

    index_q: Ints  #: from 0 to ``count`` - 1
    count: int  #: none of them is empty

    @classmethod
    def of(cls, names_q: Sequence[str] | NDArray[np.generic]) -> Groups:
        """Return groups by name, numbered in the order of the names."""
        names, index_q = np.unique(np.asarray(names_q, dtype=object).astype(str), return_inverse=True)
        return cls(index_q, len(names))

    def scaled_sums(self, values_q: Floats) -> Floats:
        """Return the groups' sums times groups / queries, ``(count,)``: their mean is the mean over queries."""
        if self.count == len(values_q):
            return values_q[np.argsort(self.index_q)]
        order_q = np.lexsort((values_q, self.index_q))  # sums depend on the values alone, not on their order
        sums_g = np.bincount(self.index_q[order_q], weights=values_q[order_q], minlength=self.count)
        return sums_g * (self.count / len(values_q))

    @property
    def equal(self) -> bool:
        """Are all groups of one size?"""
        return bool(np.ptp(np.bincount(self.index_q)) == 0)

    def pseudo_values(self, values_q: Floats) -> Floats:
        """Return independent values, one a group, whose mean is the mean over queries and whose spread the jackknife's.

        ``(count,)``: centre + (count - 1) (centre - the mean without the group), shifted to the centre.
        """
        if self.count == len(values_q):
            return values_q[np.argsort(self.index_q)]
        n, centre = len(values_q), math.fsum(values_q) / len(values_q)
        sums_g = self.scaled_sums(values_q - centre) * (n / self.count)
        sizes_g = np.bincount(self.index_q, minlength=self.count)
        moved_g = (self.count - 1) * sums_g / (n - sizes_g)
        return centre + moved_g - math.fsum(moved_g) / self.count

    @property
    def largest(self) -> float:
        """Size of the largest group, in units of the mean size."""
        return float(np.bincount(self.index_q).max() * self.count / len(self.index_q))

    def only(self, kept_q: Bools) -> Groups:
        """Return the groups of some of the queries."""
        _, index_q = np.unique(self.index_q[kept_q], return_inverse=True)
        return Groups(index_q, int(index_q.max(initial=-1)) + 1)


def groups_of(groups: Groups | None, n: int) -> Groups:
    """Return the groups; of ``n`` queries drawn one by one, each is a group of its own."""
    return Groups(np.arange(n), n) if groups is None else groups
