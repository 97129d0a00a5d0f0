"""Checks of redundancy: principal directions, correlated bits, and whether the first dimensions suffice."""

from __future__ import annotations

import numpy as np

from vqbench.evaluation.doctor.base import Finding, Gain, points, share
from vqbench.evaluation.doctor.sample import Sample
from vqbench.evaluation.doctor.trials import cosines
from vqbench.numerics.arrays import Floats

_ROWS = 2048  # whose correlations are looked at
_EIGEN = 1024  # dimensions up to which the spectrum itself is computed: its cost grows with their cube
_SHORT = 128  # principal directions that are tried
_HELD = 0.88  # of the variance in them: with less, no set of real embeddings kept 90 % of its neighbours
_KEPT = 0.9  # of the top 10: then a shorter code is worth suggesting
_REDUNDANT = 0.1
_AHEAD = 0.05  # points by which the first half of the dimensions must beat the last
#: Variants that keep the first dimensions, by how many.
_TRUNCATED = {256: "truncate256_int8", 128: "truncate128_int8", 64: "truncate64_float32"}


def participation(x_md: Floats) -> float:
    """Participation ratio (sum of eigenvalues)^2 / (sum of their squares) of the covariance of centred rows.

    Of the population: a sample's second sum is too large by (sum)^2 / m, which is subtracted (the leading term for
    Gaussian rows; Gao et al., A theory of multineuronal dimensionality, bioRxiv 214262, 2017, define the ratio).
    """
    m, d = x_md.shape
    gram = x_md.T @ x_md if d <= m else x_md @ x_md.T
    total, squares = float(np.trace(gram)) / m, float((gram**2).sum()) / m**2
    if total == 0:
        return 0.0
    return min(float(d), total**2 / max(squares - total**2 / m, total**2 / d))


def dimension(sample: Sample) -> Finding:
    """Measure how many directions carry the variance, and try whether 128 of them suffice."""
    m, d = sample.rows_md.shape
    centred_md = sample.rows64_md - sample.mean_d
    value = participation(centred_md[:_ROWS])
    shown = f"{value:.0f} effective of {d} dimensions"
    short = Finding(value, shown, "Vectors are short already, so there is little to drop.")
    if d > _EIGEN or m < 2 * d:
        text = f"{m:,} rows of {d} dimensions do not show which directions could be dropped."
        return Finding(value, shown, text) if d >= 2 * _SHORT else short
    share_d = _explained(centred_md)
    few = max(1, round(d / 10))
    shown += f"; {share(share_d[few - 1])} of the variance in {few} directions"
    if d < 2 * _SHORT:
        return Finding(value, shown, short.sentence)
    if share_d[_SHORT - 1] < _HELD:
        held = share(share_d[_SHORT - 1])
        text = f"{_SHORT} principal directions hold {held} of the variance, too little to drop the others."
        return Finding(value, shown, text)
    overlap = float(sample.overlap("pca128_int8").mean())
    text = (
        f"{_SHORT} principal directions in int8 keep {points(overlap)} of the top 10 in {share(_SHORT / d)} of the "
        "bytes of int8."
    )
    return Finding(value, shown, text, "note", ("pca128_int8",)) if overlap >= _KEPT else Finding(value, shown, text)


def _explained(centred_md: Floats) -> list[float]:
    """Share of the variance in the first principal direction, the first two, and so on."""
    eigen_d = np.maximum(np.linalg.eigvalsh(centred_md.T @ centred_md)[::-1], 0)
    total = float(eigen_d.sum())
    return (np.cumsum(eigen_d) / total).tolist() if total else [1.0] * len(eigen_d)


def correlation(sample: Sample) -> Finding:
    """Measure how many independent bits the sign bits around the means are worth, as a share of the dimensions."""
    above_md = (sample.rows64_md > sample.mean_d)[:_ROWS].astype(np.float64)
    centred_md = above_md - above_md.mean(axis=0)
    deviation_d = np.sqrt((centred_md**2).mean(axis=0))
    d = sample.whole.d
    value = participation(centred_md[:, deviation_d > 0] / deviation_d[deviation_d > 0]) / d
    shown = f"{d} sign bits are worth {value * d:.0f} independent ones"
    if value >= _REDUNDANT:
        return Finding(value, shown, "Sign bits carry different information.")
    text = "Sign bits repeat one another: see the effective dimension for whether fewer dimensions suffice."
    return Finding(value, shown, text, "note")


def truncation(sample: Sample) -> Finding:
    """Try whether the first half of the dimensions keeps the neighbours, and better than the last half does."""
    d = sample.whole.d
    half = d // 2
    first_q, last_q = (
        sample.overlap_of(cosines(sample.queries_qd[:, part], sample.rows_md[:, part]))
        for part in (slice(0, half), slice(d - half, d))
    )
    gain = Gain.between(last_q, first_q)
    shown = f"{points(gain.after)} of the top 10 kept by {half} dimensions"
    if gain.difference < _AHEAD or gain.level == "fine":
        text = (
            f"The last half keeps as much ({points(gain.before)}): dimensions have no order, and truncation loses "
            "neighbours."
        )
        return Finding(gain.after, shown, text)
    text = f"The first dimensions matter most (the last half keeps {points(gain.before)}), as in Matryoshka models"
    name = next((name for kept, name in _TRUNCATED.items() if 2 * kept <= d), None)
    overlap = float(sample.overlap(name).mean()) if name else 0.0
    if name is None or overlap < _KEPT:
        return Finding(gain.after, shown, f"{text}, but truncation still loses neighbours.", "note")
    return Finding(gain.after, shown, f"{text}: {name} keeps {points(overlap)} of the top 10.", "note", (name,))
