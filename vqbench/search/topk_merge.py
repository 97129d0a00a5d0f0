"""A top k in the making, whether it grows by rows or by the top k of other rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.numerics.arrays import Floats, Ints


@dataclass(frozen=True)
class Best:
    """The top k of some rows: lists of one width, filled up with -1 and minus infinity where there are fewer rows.

    >>> rows, scores = np.array([3, 4, 5]), np.array([0.5, 0.9, 0.5])
    >>> best = Best.of(1, 2, np.zeros(3, int), rows, scores, priority_f=rows)
    >>> best.ids_qk.tolist(), best.dropped_q.tolist()
    ([[4, 3]], [1])
    """

    #: Row numbers, by descending score and ascending priority.
    ids_qk: Ints
    scores_qk: Floats
    priority_qk: Ints
    #: How many of the rows score as the last one listed and are not listed; 0 where the list is not full.
    dropped_q: Ints

    @classmethod
    def empty(cls, q: int, k: int) -> Best:
        """Return lists without a row."""
        none_qk = np.full((q, k), -1, dtype=np.int64)
        return cls(none_qk, np.full((q, k), -np.inf), none_qk.copy(), np.zeros(q, dtype=np.int64))

    @classmethod
    def of(cls, q: int, k: int, query_f: Ints, row_f: Ints, score_f: Floats, priority_f: Ints) -> Best:
        """Return the top k of rows in flat arrays, however many a query has."""
        order_f = np.lexsort((priority_f, -score_f, query_f))
        query_f, score_f = query_f[order_f], score_f[order_f]
        rank_f = np.arange(len(query_f)) - np.searchsorted(query_f, query_f)
        kept_f, best = rank_f < k, cls.empty(q, k)
        place = query_f[kept_f], rank_f[kept_f]
        best.ids_qk[place], best.priority_qk[place] = row_f[order_f][kept_f], priority_f[order_f][kept_f]
        best.scores_qk[place] = score_f[kept_f]
        cut_f = query_f[~kept_f & (score_f == best.scores_qk[query_f, -1])]
        best.dropped_q[:] = np.bincount(cut_f, minlength=q)
        return best

    def plus(self, other: Best) -> Best:
        """Return the top k of both sides' rows, which have none in common. Associative and commutative.

        Of equal scores at the new boundary these are dropped: those cut here, and those that a side had dropped
        already, if its own boundary was the same score. (Its boundary cannot lie above the new one, since
        it lists k rows; where it lies below, what it dropped does too.)
        """
        k = self.ids_qk.shape[1]
        ids_qw, scores_qw, priority_qw = (
            np.concatenate([getattr(side, name) for side in (self, other)], axis=1)
            for name in ("ids_qk", "scores_qk", "priority_qk")
        )
        order_qw = np.lexsort((priority_qw, -scores_qw), axis=1)
        ids_qw, scores_qw, priority_qw = (
            np.take_along_axis(each, order_qw, axis=1) for each in (ids_qw, scores_qw, priority_qw)
        )
        last_q = scores_qw[:, k - 1]
        dropped_q = (scores_qw[:, k:] == last_q[:, None]).sum(axis=1)
        for side in (self, other):
            dropped_q += np.where(side.scores_qk[:, -1] == last_q, side.dropped_q, 0)
        return Best(ids_qw[:, :k], scores_qw[:, :k], priority_qw[:, :k], np.where(np.isneginf(last_q), 0, dropped_q))

    def with_rows(self, query_f: Ints, row_f: Ints, score_f: Floats, priority_f: Ints) -> Best:
        """Return the top k of what is here and the new rows together."""
        touched, query_t = np.unique(query_f, return_inverse=True)
        new = Best.of(len(touched), self.ids_qk.shape[1], query_t, row_f, score_f, priority_f)
        grown = Best(*(each[touched] for each in vars(self).values())).plus(new)
        whole = Best(*(each.copy() for each in vars(self).values()))
        for each, part in zip(vars(whole).values(), vars(grown).values(), strict=True):
            each[touched] = part
        return whole
