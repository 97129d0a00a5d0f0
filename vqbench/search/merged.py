"""A top k in the making."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.arrays import Floats, Ints


@dataclass(frozen=True)
class Merged:
    """A top k in the making: exact scores, and the boundary ties that were dropped. Merging is associative."""

    rows_qk: Ints
    scores_qk: Floats
    priority_qk: Ints
    dropped_q: Ints

    @classmethod
    def empty(cls, q: int, k: int) -> Merged:
        none_qk = np.full((q, k), -1, dtype=np.int64)
        return cls(none_qk, np.full((q, k), -np.inf), none_qk.copy(), np.zeros(q, dtype=np.int64))

    @property
    def found(self) -> tuple[Ints, Floats, Ints]:
        """Rows, scores and dropped ties."""
        return self.rows_qk, self.scores_qk, self.dropped_q

    def plus(self, query_f: Ints, row_f: Ints, score_f: Floats, priority_f: Ints) -> Merged:
        """The top k of what is here and the new rows together; ``query_f`` is sorted."""
        touched, k = np.unique(query_f), self.rows_qk.shape[1]
        old = self.rows_qk[touched] >= 0
        query_a = np.concatenate([np.repeat(touched, old.sum(axis=1)), query_f])
        row_a = np.concatenate([self.rows_qk[touched][old], row_f])
        score_a = np.concatenate([self.scores_qk[touched][old], score_f])
        priority_a = np.concatenate([self.priority_qk[touched][old], priority_f])
        order = np.lexsort((priority_a, -score_a, query_a))
        query_a, row_a, score_a, priority_a = query_a[order], row_a[order], score_a[order], priority_a[order]
        rank_a = np.arange(len(query_a)) - np.searchsorted(query_a, query_a)
        kept = rank_a < k

        rows_qk, scores_qk, priority_qk = self.rows_qk.copy(), self.scores_qk.copy(), self.priority_qk.copy()
        at = query_a[kept], rank_a[kept]
        rows_qk[at], scores_qk[at], priority_qk[at] = row_a[kept], score_a[kept], priority_a[kept]
        last_q = scores_qk[:, -1]
        dropped_q = np.where(last_q == self.scores_qk[:, -1], self.dropped_q, 0)
        cut_query = query_a[~kept & (score_a == last_q[query_a])]
        dropped_q += np.bincount(cut_query, minlength=len(dropped_q))
        return Merged(rows_qk, scores_qk, priority_qk, dropped_q)
