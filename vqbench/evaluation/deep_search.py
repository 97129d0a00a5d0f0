"""One search of a variant's codes, so deep that it serves every k and every oversample factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vqbench.numerics.arrays import Floats, Ints
from vqbench.quantizers.base import Codec, Similarity
from vqbench.search.similarity import CodeBlocks, code_search
from vqbench.search.tie_order import sorted_by_id, top_by_id
from vqbench.search.topk import Hits, Search


@dataclass(frozen=True)
class DeepSearch:
    """What was searched, and what was found."""

    search: Search
    hits: Hits

    @classmethod
    def of_codes(
        cls, like: Search, codec: Codec, codes: CodeBlocks, similarity: Similarity, queries_qd: Floats, depth: int
    ) -> DeepSearch:
        """Search codes for float queries ``(q, d)``.

        Args:
            like: the float search, whose exclusions, order of ties and workers are kept.
            depth: how many rows to list for each query.
        """
        found = code_search(codec, queries_qd, codes, similarity)
        search = replace(like, queries_qd=found.queries_qd, rows=found.rows, scorer=found.scorer)
        return cls(search, search.top(depth))

    def scores(self, query_f: Ints, row_f: Ints) -> Floats:
        """Score (query, row) pairs exactly."""
        return self.search.pairs(query_f, row_f)

    def lists(self, queries: Sequence[int], k: int, ids: Sequence[str]) -> Hits:
        """Return the best ``k`` of some queries, equal scores in the order of their ids.

        The hits say so where they hold every row that ties with the k-th. Else the queries are searched again.
        """
        chosen = np.array(queries, dtype=np.int64)
        rows_qm, scores_qm, dropped_q = (x_q[chosen] for x_q in vars(self.hits).values())
        if rows_qm.shape[1] < k or ((scores_qm[:, -1] == scores_qm[:, k - 1]) & (dropped_q > 0)).any():
            return top_by_id(self.search.only(chosen), k, ids)
        found = [sorted_by_id(*each, ids) for each in zip(rows_qm, scores_qm, strict=True)]
        rows_qk, scores_qk = (np.array([each[:k] for each in side]) for side in zip(*found, strict=True))
        return Hits(rows_qk, scores_qk, dropped_q)
