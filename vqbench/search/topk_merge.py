"""A top k in the making, whether it grows by rows or by the top k of other rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.numerics.arrays import Floats, Ints


@dataclass(frozen=True)
class Best:
    """The top k of some rows, of one width whatever they were: -1 and minus infinity where there are fewer.

    ids_qk: row numbers, by descending score and ascending priority. dropped_q: how many of the rows score as the
    last one listed and are not listed; a list that is not full has dropped nothing.
    """

    ids_qk: Ints
    scores_qk: Floats
    priority_qk: Ints
    dropped_q: Ints

    @classmethod
    def empty(cls, q: int, k: int) -> Best:
        none_qk = np.full((q, k), -1, dtype=np.int64)
        return cls(none_qk, np.full((q, k), -np.inf), none_qk.copy(), np.zeros(q, dtype=np.int64))

    @classmethod
    def of(cls, q: int, k: int, query_f: Ints, row_f: Ints, score_f: Floats, priority_f: Ints) -> Best:
        """The top k of rows in flat arrays, however many a query has."""
        order_f = np.lexsort((priority_f, -score_f, query_f))
        query_f, score_f = query_f[order_f], score_f[order_f]
        rank_f = np.arange(len(query_f)) - np.searchsorted(query_f, query_f)
        kept_f, best = rank_f < k, cls.empty(q, k)
        at = query_f[kept_f], rank_f[kept_f]
        best.ids_qk[at], best.priority_qk[at] = row_f[order_f][kept_f], priority_f[order_f][kept_f]
        best.scores_qk[at] = score_f[kept_f]
        cut_f = query_f[~kept_f & (score_f == best.scores_qk[query_f, -1])]
        best.dropped_q[:] = np.bincount(cut_f, minlength=q)
        return best

    @property
    def found(self) -> tuple[Ints, Floats, Ints]:
        """Rows, scores and dropped ties."""
        return self.ids_qk, self.scores_qk, self.dropped_q

    def plus(self, other: Best) -> Best:
        """The top k of both sides' rows, which have none in common. Associative and commutative.

        Of equal scores at the new boundary these are dropped: those cut here, and those that a side had dropped
        already, if its own boundary was the same score. (Its boundary cannot lie above the new one, since
        it lists k rows; where it lies below, what it dropped does too.)
        """
        sides, k = (self, other), self.ids_qk.shape[1]
        scores_qw = np.concatenate([side.scores_qk for side in sides], axis=1)
        priority_qw = np.concatenate([side.priority_qk for side in sides], axis=1)
        ids_qw = np.concatenate([side.ids_qk for side in sides], axis=1)
        order_qw = np.lexsort((priority_qw, -scores_qw), axis=1)
        scores_qw = np.take_along_axis(scores_qw, order_qw, axis=1)
        last_q = scores_qw[:, k - 1]
        dropped_q = (scores_qw[:, k:] == last_q[:, None]).sum(axis=1)
        for side in sides:
            dropped_q += np.where(side.scores_qk[:, -1] == last_q, side.dropped_q, 0)
        return Best(
            np.take_along_axis(ids_qw, order_qw[:, :k], axis=1),
            scores_qw[:, :k],
            np.take_along_axis(priority_qw, order_qw[:, :k], axis=1),
            np.where(np.isneginf(last_q), 0, dropped_q),
        )

    def with_rows(self, query_f: Ints, row_f: Ints, score_f: Floats, priority_f: Ints) -> Best:
        """The top k of what is here and the new rows together; ``query_f`` is sorted."""
        touched, at_f = np.unique(query_f, return_inverse=True)
        new = Best.of(len(touched), self.ids_qk.shape[1], at_f, row_f, score_f, priority_f)
        grown = Best(*(each[touched] for each in vars(self).values())).plus(new)
        whole = Best(*(each.copy() for each in vars(self).values()))
        for each, part in zip(vars(whole).values(), vars(grown).values(), strict=True):
            each[touched] = part
        return whole
