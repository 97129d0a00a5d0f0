"""The check of queries that are no corpus rows: do they come from where the corpus does?"""

from __future__ import annotations

import numpy as np

from vqbench.evaluation.doctor.base import Finding, Level, graded, share
from vqbench.evaluation.doctor.sample import Subject

_SHIFTED, _APART = 0.1, 0.5  # squared distance of the means, in units of the corpus' variance
_FARTHER = 0.1  # nearest cosines


def shift(subject: Subject) -> Finding | None:
    """Squared distance of the queries' mean from the corpus' in units of its variance, and their nearest cosines.

    What two samples of one distribution would show by chance, var/m + var/q, is taken off. None where queries
    are corpus rows.
    """
    if not subject.apart:
        return None
    queries_qd = subject.queries_qd.astype(np.float64)
    mean_d = queries_qd.mean(axis=0)
    scatter = float(((queries_qd - mean_d) ** 2).sum(axis=1).mean())
    variance = float(subject.variance_d.sum())
    chance = scatter / max(len(queries_qd) - 1, 1) + variance / max(subject.m - 1, 1)
    distance = float(((mean_d - subject.mean_d) ** 2).sum())
    value = max(distance - chance, 0.0) / variance if variance else 0.0
    p = len(subject.pairs_pp)
    theirs = float(np.median(subject.true_qm[:, :p].max(axis=1)))
    own = float(np.median(subject.pairs_pp.max(axis=1)))
    level: Level = graded(value, _SHIFTED, _APART)
    if abs(own - theirs) >= _FARTHER and level == "fine":
        level = "note"
    text = "Queries lie where the corpus does: corpus rows may stand in for them."
    if level != "fine":
        text = (
            "Queries do not lie as the corpus' rows do. Thresholds and ranges are learned from the corpus alone, so "
            "code queries by the corpus' codec or leave them float, and measure with real queries: queries=self would "
            "not tell."
        )
    return Finding(
        check="shift",
        title="Queries and corpus",
        value=value,
        shown=f"means {share(value)} of the variance apart; nearest cosine {theirs:.2f}, among rows {own:.2f}",
        level=level,
        sentence=text,
    )
