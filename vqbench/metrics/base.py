"""What a metric declares, and what it may look at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vqbench.numerics.arrays import Bools, Floats, Ints
from vqbench.quantizers.base import Codec

#: How many rows stand above a document that is below everything listed: more than any k.
BELOW = 2**40


@dataclass(frozen=True)
class Placement:
    """Where documents stand in a ranking of the whole corpus: one entry for each document."""

    above_f: Ints  #: rows that score higher, or BELOW
    tied_f: Ints  #: rows that score the same, the document itself included


@dataclass(frozen=True)
class Cut:
    """How the relevant documents of each query lie around rank k: integers ``(q,)``.

    At most one group of equal scores straddles rank k, and only some of its rows get a place.
    """

    sure_q: Ints  #: relevant documents within k however ties are broken
    straddling_q: Ints  #: relevant documents in the group that straddles rank k
    tied_q: Ints  #: rows of that group
    places_q: Ints  #: places that are left for that group

    @property
    def least_q(self) -> Ints:
        return self.sure_q + np.maximum(0, self.places_q - (self.tied_q - self.straddling_q))

    @property
    def most_q(self) -> Ints:
        return self.sure_q + np.minimum(self.straddling_q, self.places_q)

    @property
    def expected_q(self) -> Floats:
        # Whole products are divided once, so that nothing is lost when all tied rows are relevant.
        return self.sure_q + self.straddling_q * self.places_q / np.maximum(self.tied_q, 1)


@dataclass(frozen=True)
class View:
    """All that a metric may look at, for one variant at one k and oversample factor.

    The flat arrays (``_f``) hold the documents that matter, sorted by query: every row whose true score reaches the
    deepest true rank, and the judged ones.
    """

    q: int  #: number of queries
    k: int
    oversample: int  #: 0: no rescoring
    fetched: int  #: candidates that were rescored; k without rescoring
    query_f: Ints  #: the query of each document
    truth: Placement  #: places in the float ranking
    coded: Placement  #: places in the code's ranking
    final: Placement  #: places in the returned list; after rescoring, a draw breaks ties at the edge of the candidates
    true_f: Floats  #: float cosine
    code_f: Floats  #: code score
    gain_f: Floats  #: relevance gain, 0 where not judged relevant
    best_qk: Floats  #: the k highest true scores
    listed_qk: Floats  #: true scores of the returned list, rank by rank, averaged over ties
    bound_f: Floats | None = None  #: how far ``code_f`` may lie from ``true_f`` by the code's word; None: it gives none

    def count(self, which_f: Bools) -> Ints:
        """Count the documents of each query that ``which_f`` selects, ``(q,)``."""
        return np.bincount(self.query_f[which_f], minlength=self.q)

    def total(self, query_f: Ints, values_f: Floats) -> Floats:
        """Sum ``values_f`` by query, ``(q,)``."""
        return np.asarray(np.bincount(query_f, weights=values_f, minlength=self.q), dtype=np.float64)

    def cut(self, relevant_f: Bools, placement: Placement, k: int) -> Cut:
        """Cut a ranking at rank ``k`` and count the relevant documents on either side."""
        reached = np.flatnonzero(relevant_f & (placement.above_f < k))
        query_r, above_r, tied_r = self.query_f[reached], placement.above_f[reached], placement.tied_f[reached]
        straddles_r = above_r + tied_r > k
        tied_q, places_q = np.zeros((2, self.q), dtype=np.int64)
        # All straddling documents of a query stand in one group of equal scores.
        tied_q[query_r[straddles_r]] = tied_r[straddles_r]
        places_q[query_r[straddles_r]] = k - above_r[straddles_r]
        sure_q, straddling_q = (np.bincount(query_r[x_r], minlength=self.q) for x_r in (~straddles_r, straddles_r))
        return Cut(sure_q, straddling_q, tied_q, places_q)


@dataclass(frozen=True)
class PerQuery:
    """The value of every query under one metric, ``(q,)`` float64, NaN where it is undefined."""

    values_q: Floats
    low_q: Floats | None = None  #: the least that tie-breaking could give
    high_q: Floats | None = None  #: the most


def tie_means(sorted_qk: Floats, values_qk: Floats) -> Floats:
    """Average ``values_qk`` over the ranks of each query whose scores, which are sorted, are equal."""
    new_qk = np.ones(sorted_qk.shape, dtype=bool)
    new_qk[:, 1:] = sorted_qk[:, 1:] != sorted_qk[:, :-1]
    group_f = np.cumsum(new_qk.ravel()) - 1
    means = np.bincount(group_f, weights=values_qk.ravel()) / np.bincount(group_f)
    return means[group_f].reshape(values_qk.shape)


@dataclass(frozen=True, kw_only=True)
class Metric(ABC):
    """A frozen description of a measurement. Tables and figures take its name, label, range and direction from here.

    >>> import numpy as np, vqbench
    >>> from vqbench.metrics.overlap import Overlap
    >>> from vqbench.quantizers.binary import Binary
    >>> corpus_nd = np.random.default_rng(0).normal(size=(100, 16))
    >>> variants = {"binary": vqbench.Variant(quantizer=Binary(), similarity="hamming")}
    >>> vqbench.evaluate(corpus_nd, variants=variants, k=10, metrics=[Overlap()])["metric"].tolist()
    ['overlap']
    """

    name: ClassVar[str]
    label: ClassVar[str]
    unit: ClassVar[str] = "0 to 1"
    lowest: ClassVar[float] = 0
    highest: ClassVar[float] = 1
    higher_is_better: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class QueryMetric(Metric):
    """One value for each query, at each k."""

    #: Whether it means something for a rescored list.
    rescored: ClassVar[bool] = True
    #: Looks at the scores of the returned documents (``listed_qk``), which cost a search of their own.
    listed: ClassVar[bool] = False
    #: Needs relevance judgements. Its ratio to float search is reported too, as ``<name>_kept``.
    judged: ClassVar[bool] = False
    #: Looks at the error bounds that the code states (``bound_f``).
    bounded: ClassVar[bool] = False

    @abstractmethod
    def measure(self, view: View) -> PerQuery:
        """Return the value of every query."""


@dataclass(frozen=True, kw_only=True)
class RowMetric(Metric):
    """One value for each corpus row, from the row and what its code decodes to."""

    higher_is_better: ClassVar[bool] = False

    @abstractmethod
    def measure(self, x_nd: Floats, decoded_nd: Floats, codec: Codec) -> Floats:
        """Return ``(n,)`` float64 for a block of rows. The mean over all rows is reported."""
