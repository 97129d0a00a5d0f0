"""One search of a variant's codes, so deep that it serves every k and every oversample factor; and views of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vqbench.evaluation.bench import Bench
from vqbench.evaluation.placement import place, ranks, rescored, returned_scores
from vqbench.evaluation.settings import Settings
from vqbench.metrics.base import View
from vqbench.numerics.arrays import Codes, Floats, Ints
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
        cls,
        like: Search,
        codec: Codec,
        codes: CodeBlocks,
        similarity: Similarity,
        queries_qd: Floats,
        depth: int,
        own_qb: Codes | None = None,
    ) -> DeepSearch:
        """Search codes for float queries ``(q, d)``.

        Args:
            like: the float search, whose exclusions, order of ties and workers are kept.
            depth: how many rows to list for each query.
            own_qb: packed bits of the queries, where they are known.
        """
        found = code_search(codec, queries_qd, codes, similarity, own_qb)
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


def views(
    bench: Bench,
    settings: Settings,
    hits: Hits,
    code_f: Floats,
    true_qm: Floats,
    last_q: Floats,
    bound_f: Floats | None = None,
) -> Iterator[View]:
    """Make a view for each k and oversample factor.

    Args:
        hits: the deep search of the codes.
        code_f: the code scores of the truth's documents.
        true_qm: the true scores of the rows listed in ``hits``.
        last_q: the mean true score of all rows that tie with the last one listed; NaN where all are listed.
        bound_f: the code's error bounds for the truth's documents; None where it states none.
    """
    truth = bench.truth
    coded = place(hits, truth.query_f, code_f)
    rank_f = ranks(hits, truth.query_f, truth.row_f)
    tied_qm = returned_scores(hits.scores_qk, true_qm, last_q)
    for k in settings.k:
        for oversample in settings.oversample:
            fetched = settings.fetched(k, oversample, bench.data.findable)
            final, listed_qk = coded, tied_qm[:, :k]
            if oversample:
                best_qm = -np.sort(-true_qm[:, :fetched], axis=1)
                final, listed_qk = rescored(best_qm, truth.query_f, truth.true_f, rank_f), best_qm[:, :k]
            yield View(
                q=len(hits.ids_qk),
                k=k,
                oversample=oversample,
                fetched=fetched,
                query_f=truth.query_f,
                truth=truth.placed,
                coded=coded,
                final=final,
                true_f=truth.true_f,
                code_f=code_f,
                gain_f=truth.gain_f,
                best_qk=truth.hits.scores_qk[:, :k],
                listed_qk=listed_qk,
                bound_f=bound_f,
            )
