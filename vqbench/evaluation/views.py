"""What metrics look at, for each k and oversample factor, all from one search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vqbench.evaluation.bench import Bench
from vqbench.evaluation.placement import place, ranks, rescored, tie_means
from vqbench.evaluation.settings import Settings
from vqbench.metrics.base import View
from vqbench.numerics.arrays import Floats
from vqbench.search.topk import Hits


@dataclass(frozen=True)
class Found:
    """One deep search of the codes.

    code_f: the code scores of the truth's documents. true_qm: the true scores of the rows listed.
    last_q: the mean true score of all rows that tie with the last one listed, NaN where all are listed.
    bound_f: the code's error bounds for the truth's documents, None where it states none.
    """

    hits: Hits
    code_f: Floats
    true_qm: Floats
    last_q: Floats
    bound_f: Floats | None = None


def views(bench: Bench, settings: Settings, found: Found) -> Iterator[View]:
    """A view for each k and oversample factor."""
    truth, hits = bench.truth, found.hits
    coded = place(hits, truth.query_f, found.code_f)
    rank_f = ranks(hits, truth.query_f, truth.row_f)
    tied_qm = tie_means(hits.scores_qk, found.true_qm, found.last_q)
    for k in settings.k:
        for oversample in settings.oversample:
            fetched = settings.fetched(k, oversample, bench.data.findable)
            final, listed_qk = coded, tied_qm[:, :k]
            if oversample:
                best_qm = -np.sort(-found.true_qm[:, :fetched], axis=1)
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
                code_f=found.code_f,
                gain_f=truth.gain_f,
                best_qk=truth.hits.scores_qk[:, :k],
                listed_qk=listed_qk,
                bound_f=found.bound_f,
            )
