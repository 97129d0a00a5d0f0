"""What metrics look at, for each k and oversample factor, all from one search."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vqbench.evaluation.bench import Bench
from vqbench.evaluation.placement import place, ranks, rescored, returned_scores
from vqbench.evaluation.settings import Settings
from vqbench.metrics.base import View
from vqbench.numerics.arrays import Floats
from vqbench.search.topk import Hits


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
