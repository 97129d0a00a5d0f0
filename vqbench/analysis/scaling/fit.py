"""A line through noise against log10(n / k) whose slope may drift, and how far it can be trusted.

The law (``vqbench.analysis.scaling.law``) turns an overlap into a noise r that depends on n / k alone. How r grows
depends on the data: for normal scores like sqrt(log(n / k)), on a surface of dimension d like (n / k)^(2 / d), and
differently within one cluster than between clusters. So no curve is assumed: r is a straight line in log10(n / k) whose
slope does a random walk, which is the smoothing spline of Wahba (JRSS B 40, 1978) seen as a Gaussian process (Rasmussen
and Williams, Gaussian Processes for Machine Learning, 2006, 6.3). Near the measured sizes the fit follows them. Beyond
them it continues straight, and its uncertainty grows with the distance to the power 3/2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize_scalar
from scipy.special import ndtri

from vqbench.analysis.scaling.law import noise_of, overlap_of
from vqbench.numerics.arrays import Floats, Ints
from vqbench.numerics.stats.intervals import CONFIDENCE

#: By how much the slope may change over a decade of n / k, as a share of r: a standard deviation. It is never taken
#: smaller; a curve that bends more raises it for itself. results/scale/README.md shows what it was chosen on.
DRIFT = 0.4
_MOST_DRIFT = 20.0
#: k points are no continuum: by this over sqrt(k), as a share of r, curves of different k may lie apart. Simulating
#: the law's process with k = 1, 10, 100 gives about 0.25, 0.05, 0.01.
_APART = 0.25
_ASTRAY = 0.05  # and so much of it changes along the curve,
_REMEMBERED = 0.5  # within so many decades of n / k
_LEVEL, _SLOPE = 10.0, 1.0  # what is thought of level and slope (as a share of r a decade) before seeing any: little
_ROUNDING = 1e-8


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Mean overlaps of one variant at nested sizes, by the same queries."""

    n_m: Ints  #: corpus rows of each of the m points
    k_m: Ints  #: ranks
    value_m: Floats  #: the means
    means_rm: Floats  #: the same means of r resamples of the queries, jointly: they give the points' covariance
    oversample: int  #: as in metrics.csv


@dataclass(frozen=True)
class Prediction:
    """Overlap at sizes ``n``: the median, and the ends of the 95 % interval."""

    n: Floats
    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Fit:
    """A fitted curve."""

    curve: Curve
    k: int
    unit: float  #: the noise at the largest size of this k
    drift: float  #: as ``DRIFT``

    def predict(self, n: Floats) -> Prediction:
        """Predict the overlap@k of a corpus of ``n`` rows, over the population of queries."""
        x = np.log10(np.asarray(n, dtype=float) / self.k)
        own = np.full(len(x), self.k)
        x_m, y_m, noise_mm = _points(self.curve, self.unit)
        start = min(x_m.min(), x.min())
        prior_mm = _prior(x_m, self.curve.k_m, x_m, self.curve.k_m, start, self.drift)
        across_xm = _prior(x, own, x_m, self.curve.k_m, start, self.drift)
        factor = cho_factor(prior_mm + noise_mm)
        centre = across_xm @ cho_solve(factor, y_m)
        spread = np.diag(_prior(x, own, x, own, start, self.drift) - across_xm @ cho_solve(factor, across_xm.T))
        half = ndtri((1 + CONFIDENCE) / 2) * np.sqrt(np.maximum(spread, 0))
        value, low, high = (
            overlap_of(self.unit * np.maximum(y, 0), self.curve.oversample)
            for y in (centre, centre + half, centre - half)
        )
        return Prediction(np.asarray(n, dtype=float), value, low, high)


def fit_curve(curve: Curve, k: int) -> Fit:
    """Fit all points of the curve, to predict overlap@k. The largest size of that k gives the unit.

    The drift is the one under which the points are likeliest, but at least ``DRIFT``: few points can look straight
    by luck.
    """
    largest = np.flatnonzero(curve.k_m == k)[-1]
    unit = float(noise_of(curve.value_m[largest], curve.oversample))
    x_m, y_m, noise_mm = _points(curve, unit)

    def surprise(log_drift: float) -> float:
        """Minus the log likelihood of the points, less a constant."""
        total_mm = _prior(x_m, curve.k_m, x_m, curve.k_m, x_m.min(), np.exp(log_drift)) + noise_mm
        factor, lower = cho_factor(total_mm)
        return float(y_m @ cho_solve((factor, lower), y_m) / 2 + np.log(np.diag(factor)).sum())

    bounds = (np.log(DRIFT), np.log(_MOST_DRIFT))
    least = minimize_scalar(surprise, bounds=bounds, method="bounded", options={"xatol": 1e-3})
    drift = DRIFT if surprise(bounds[0]) <= least.fun else float(np.exp(least.x))
    return Fit(curve, k, unit, drift)


def _points(curve: Curve, unit: float) -> tuple[Floats, Floats, Floats]:
    """Positions log10(n / k), noises in units of ``unit``, and their covariance over resampled queries."""
    y_m = noise_of(curve.value_m, curve.oversample) / unit
    sampled_rm = noise_of(curve.means_rm, curve.oversample) / unit
    noise_mm = np.atleast_2d(np.cov(sampled_rm.T)) + _ROUNDING * np.eye(len(y_m))
    return np.log10(curve.n_m / curve.k_m), y_m, noise_mm


def _prior(x_a: Floats, k_a: Ints, x_b: Floats, k_b: Ints, start: float, drift: float) -> Floats:
    """Covariance ``(a, b)`` of a line from ``start`` whose slope drifts; each k strays from it by a little."""
    left, right = np.minimum.outer(x_a, x_b) - start, np.maximum.outer(x_a, x_b) - start
    same_ab = k_a[:, None] == k_b
    walk = left**2 * (3 * right - left) / 6  # of an integrated Wiener process
    shift = _APART**2 + _ASTRAY**2 * np.exp((left - right) / _REMEMBERED)
    return _LEVEL**2 + _SLOPE**2 * np.outer(x_a - start, x_b - start) + drift**2 * walk + same_ab * shift / k_b
