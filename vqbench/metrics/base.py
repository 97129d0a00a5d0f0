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
    """Where documents stand in a ranking of the whole corpus: one entry for each document.

    above_f: rows that score higher, or BELOW. tied_f: rows that score the same, itself included.
    """

    above_f: Ints
    tied_f: Ints


@dataclass(frozen=True)
class Cut:
    """How the relevant documents of each query lie around rank k: integers ``(q,)``.

    sure_q: surely within k. torn_q: relevant ones among the ``tied_q`` rows that straddle rank k,
    of which ``room_q`` fit.
    """

    sure_q: Ints
    torn_q: Ints
    tied_q: Ints
    room_q: Ints

    @property
    def least_q(self) -> Ints:
        return self.sure_q + np.maximum(0, self.room_q - (self.tied_q - self.torn_q))

    @property
    def most_q(self) -> Ints:
        return self.sure_q + np.minimum(self.torn_q, self.room_q)

    @property
    def expected_q(self) -> Floats:
        """Whole products are divided once, so that nothing is lost when all tied rows are relevant."""
        return self.sure_q + self.torn_q * self.room_q / np.maximum(self.tied_q, 1)


@dataclass(frozen=True)
class View:
    """All that a metric may look at, for one variant at one k and oversample factor.

    The flat arrays hold the documents that matter, sorted by query: every row whose true score
    reaches the deepest true rank, and the judged ones.

    q: number of queries. oversample: 0 = no rescoring. fetched: candidates that were rescored (k
    without rescoring). truth, coded, final: places in the float ranking, in the code's ranking,
    and in the list as it is returned (after rescoring, where ties at the edge of the candidates
    are broken by a draw). true_f, code_f: float cosine and code score. gain_f: relevance gain, 0 where not
    judged relevant. best_qk: the k highest true scores. listed_qk: the true scores of the returned
    list, rank by rank, averaged over ties. bound_f: how far the code says that code_f may lie from
    true_f, None where it says nothing.
    """

    q: int
    k: int
    oversample: int
    fetched: int
    query_f: Ints
    truth: Placement
    coded: Placement
    final: Placement
    true_f: Floats
    code_f: Floats
    gain_f: Floats
    best_qk: Floats
    listed_qk: Floats
    bound_f: Floats | None = None

    def count(self, which_f: Bools) -> Ints:
        """How many of ``which_f`` each query has."""
        return np.bincount(self.query_f[which_f], minlength=self.q)

    def total(self, query_f: Ints, values_f: Floats) -> Floats:
        """Sums of ``values_f`` by query, ``(q,)``."""
        return np.asarray(np.bincount(query_f, weights=values_f, minlength=self.q), dtype=np.float64)

    def cut(self, relevant_f: Bools, placement: Placement, k: int) -> Cut:
        """The relevant documents around rank ``k`` of a ranking."""
        reached = np.flatnonzero(relevant_f & (placement.above_f < k))
        query_r, above_r, tied_r = self.query_f[reached], placement.above_f[reached], placement.tied_f[reached]
        torn_r = above_r + tied_r > k
        tied_q, room_q = np.zeros(self.q, dtype=np.int64), np.zeros(self.q, dtype=np.int64)
        # All torn documents of a query stand in one group of equal scores.
        tied_q[query_r[torn_r]] = tied_r[torn_r]
        room_q[query_r[torn_r]] = k - above_r[torn_r]
        sure_q, torn_q = (np.bincount(query_r[x_r], minlength=self.q) for x_r in (~torn_r, torn_r))
        return Cut(sure_q, torn_q, tied_q, room_q)


@dataclass(frozen=True)
class PerQuery:
    """Values ``(q,)`` float64, NaN where undefined, and what tie-breaking could make of them."""

    values_q: Floats
    low_q: Floats | None = None
    high_q: Floats | None = None


@dataclass(frozen=True, kw_only=True)
class Metric(ABC):
    """A frozen description of a measurement; tables and figures take its words from here."""

    name: ClassVar[str]
    label: ClassVar[str]
    unit: ClassVar[str]
    lowest: ClassVar[float]
    highest: ClassVar[float]
    higher_is_better: ClassVar[bool]


@dataclass(frozen=True, kw_only=True)
class QueryMetric(Metric):
    """One value for each query, at each k."""

    #: Whether it means something for a rescored list.
    rescored: ClassVar[bool] = True
    #: Looks at the scores of the returned documents (``listed_qk``), which cost a search of their own.
    listed: ClassVar[bool] = False
    #: Needs relevance judgements; its ratio to float search is reported too, as ``<name>_kept``.
    judged: ClassVar[bool] = False
    #: Looks at the error bounds that the code states (``bound_f``).
    bounded: ClassVar[bool] = False

    @abstractmethod
    def measure(self, view: View) -> PerQuery:
        """The value of every query."""


@dataclass(frozen=True, kw_only=True)
class RowMetric(Metric):
    """One value for each corpus row, from the row and what its code decodes to."""

    @abstractmethod
    def measure(self, x_nd: Floats, decoded_nd: Floats, codec: Codec) -> Floats:
        """``(n,)`` float64 for a block of rows; the mean over all rows is reported."""
