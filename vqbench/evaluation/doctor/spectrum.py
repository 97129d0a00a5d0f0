"""Checks of redundancy: principal directions, correlated bits, and whether the first dimensions do."""

from __future__ import annotations

import numpy as np

from vqbench.evaluation.doctor.base import Finding, Gain, Level, points, share
from vqbench.evaluation.doctor.sample import Subject
from vqbench.evaluation.doctor.trials import cosines, overlaps
from vqbench.numerics.arrays import Floats

_ROWS = 2048  # whose correlations are looked at
_EIGEN = 1024  # dimensions up to which the spectrum itself is computed: its cost grows with their cube
_SHORT = 128  # principal directions that are tried
_HELD = 0.88  # of the variance in them: with less, no set of real embeddings kept 90 % of its neighbours
_KEPT = 0.9  # of the top 10: then a shorter code is worth a word
_REDUNDANT = 0.1
_AHEAD = 0.05  # points by which the first half of the dimensions must beat the last


def participation(x_md: Floats) -> float:
    """Participation ratio (sum of eigenvalues)^2 / (sum of their squares) of the covariance of centred rows.

    Of the population: a sample's second sum is too large by (sum)^2 / m, which is taken off (the leading term for
    Gaussian rows; Gao et al., A theory of multineuronal dimensionality, bioRxiv 214262, 2017, define the ratio).
    """
    m, d = x_md.shape
    gram = x_md.T @ x_md if d <= m else x_md @ x_md.T
    total, squares = float(np.trace(gram)) / m, float((gram**2).sum()) / m**2
    if total == 0:
        return 0.0
    return min(float(d), total**2 / max(squares - total**2 / m, total**2 / d))


def dimension(subject: Subject) -> Finding:
    """How many directions carry the variance, and whether 128 of them would do."""
    d, m = subject.whole.d, subject.m
    centred_md = subject.rows64_md - subject.mean_d
    value = participation(centred_md[:_ROWS])
    shown = f"{value:.0f} effective of {d} dimensions"
    level: Level = "fine"
    variants: tuple[str, ...] = ()
    text = "Vectors are short already: there is little to drop."
    if d >= 2 * _SHORT:
        text = f"{m:,} rows of {d} dimensions do not say which directions could be dropped."
    if d <= _EIGEN and m >= 2 * d:
        share_d = _explained(centred_md)
        few = max(1, round(d / 10))
        shown += f"; {share(share_d[few - 1])} of the variance in {few} directions"
        if d >= 2 * _SHORT:
            held = share(share_d[_SHORT - 1])
            text = f"{_SHORT} principal directions hold {held} of the variance: too little to drop the others."
        if d >= 2 * _SHORT and share_d[_SHORT - 1] >= _HELD:
            found = float(subject.overlap("pca128_int8").mean())
            text = f"{_SHORT} principal directions in int8 keep {points(found)} of the top 10"
            text += f" in {share(_SHORT / d)} of the bytes of int8."
            if found >= _KEPT:
                level, variants = "note", ("pca128_int8",)
    return Finding(
        check="dimension",
        title="Effective dimension",
        value=value,
        shown=shown,
        level=level,
        sentence=text,
        variants=variants,
    )


def _explained(centred_md: Floats) -> list[float]:
    """Share of the variance in the first principal direction, the first two, and so on."""
    eigen_d = np.maximum(np.linalg.eigvalsh(centred_md.T @ centred_md)[::-1], 0)
    total = float(eigen_d.sum())
    return (np.cumsum(eigen_d) / total).tolist() if total else [1.0] * len(eigen_d)


def correlation(subject: Subject) -> Finding:
    """How many independent bits the sign bits around the means are worth, as a share of the dimensions."""
    above_md = (subject.rows64_md > subject.mean_d)[:_ROWS].astype(np.float64)
    centred_md = above_md - above_md.mean(axis=0)
    deviation_d = np.sqrt((centred_md**2).mean(axis=0))
    value = participation(centred_md[:, deviation_d > 0] / deviation_d[deviation_d > 0]) / subject.whole.d
    text = "Sign bits say different things."
    if value < _REDUNDANT:
        text = (
            "Sign bits repeat one another: a code has far more of them than it has to say. See the effective dimension "
            "for whether fewer dimensions do."
        )
    return Finding(
        check="correlation",
        title="Correlation of bits",
        value=value,
        shown=f"{subject.whole.d} sign bits are worth {value * subject.whole.d:.0f} independent ones",
        level="note" if value < _REDUNDANT else "fine",
        sentence=text,
    )


def truncation(subject: Subject) -> Finding:
    """Whether the first half of the dimensions keeps the neighbours, and better than the last half does."""
    d = subject.whole.d
    half = d // 2
    first_q, last_q = (_cut(subject, part) for part in (slice(0, half), slice(d - half, d)))
    gain = Gain.between(last_q, first_q)
    value = gain.after
    text = f"The last half keeps as much ({points(gain.before)}): dimensions stand in no order, cutting is dear."
    level: Level = "fine"
    variants: tuple[str, ...] = ()
    if gain.difference >= _AHEAD and gain.level != "fine":
        level = "note"
        text = f"The first dimensions matter most (the last half keeps {points(gain.before)}), as in Matryoshka models"
        names = (("truncate256_int8", 256), ("truncate128_int8", 128), ("truncate64_float32", 64))
        name = next((name for name, kept in names if 2 * kept <= d), None)
        found = float(subject.overlap(name).mean()) if name else 0.0
        if name and found >= _KEPT:
            variants, text = (name,), f"{text}: {name} keeps {points(found)} of the top 10."
        else:
            text += ", but cutting costs neighbours all the same."
    return Finding(
        check="truncation",
        title="First half alone",
        value=value,
        shown=f"{points(value)} of the top 10 kept by {half} dimensions",
        level=level,
        sentence=text,
        variants=variants,
    )


def _cut(subject: Subject, part: slice) -> Floats:
    """Overlap@10 of each query if only some dimensions are kept, in float."""
    scores_qm = cosines(subject.queries_qd[:, part], subject.rows_md[:, part])
    return overlaps(subject.true_qm, scores_qm, relevant_qm=subject.best_qm)
