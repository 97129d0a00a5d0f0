"""The check of queries that are not corpus rows: do they come from the same distribution?"""

from __future__ import annotations

import numpy as np

from vqbench.evaluation.doctor.base import Finding, graded, highest, share
from vqbench.evaluation.doctor.sample import Sample

_SHIFTED, _APART = 0.1, 0.5  # squared distance of the means, in units of the corpus' variance
_FARTHER = 0.1  # nearest cosines


def shift(sample: Sample) -> Finding | None:
    """Measure the squared distance of the queries' mean from the corpus' mean, in units of its variance.

    What two samples of one distribution would show by chance, var/m + var/q, is subtracted.

    Returns:
        None where queries are corpus rows.
    """
    if not sample.queries_apart:
        return None
    queries_qd = sample.queries_qd.astype(np.float64)
    mean_d, variance = queries_qd.mean(axis=0), float(sample.variance_d.sum())
    scatter = float(((queries_qd - mean_d) ** 2).sum(axis=1).mean())
    q, m, p = len(queries_qd), len(sample.rows_md), len(sample.pairs_pp)
    chance = scatter / max(q - 1, 1) + variance / max(m - 1, 1)
    distance = float(((mean_d - sample.mean_d) ** 2).sum())
    value = max(distance - chance, 0.0) / variance if variance else 0.0
    theirs, own = (float(np.median(cosines.max(axis=1))) for cosines in (sample.true_qm[:, :p], sample.pairs_pp))
    shown = f"means {share(value)} of the variance apart; nearest cosine {theirs:.2f}, among rows {own:.2f}"
    level = highest([graded(value, _SHIFTED, _APART), "note" if abs(own - theirs) >= _FARTHER else "fine"])
    if level == "fine":
        return Finding(value, shown, "Queries lie where the corpus does, so corpus rows may stand in for them.")
    text = (
        "Queries are distributed differently from corpus rows, and codes learn from corpus rows alone. Keep queries as "
        "floats or code them with the corpus' codec, and measure with real queries, not queries=self."
    )
    return Finding(value, shown, text, level)
