"""What overlap will be at a size that was not measured, and in plain words whether to trust that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.analysis.scaling.curves import DEPTH, Nested, Points, nested, points
from vqbench.analysis.scaling.fit import DRIFT, Fit, fit_curve
from vqbench.analysis.scaling.law import noise_of, overlap_of
from vqbench.results.folder import Results

#: So many times the largest corpus measured, and the intervals were checked on held-out sizes.
REACH = 10.0
_SIZES, _POINTS = 2, 4  # of the k asked for; of all k together
_BENT = 2.0  # times the usual drift
_HARDLY = 0.99  # overlap above which losses are so few that a bound is worth giving
_WIDE = 0.3


@dataclass(frozen=True)
class Forecast:
    """A predicted overlap@k with its 95 % interval."""

    #: ``fitted``; ``bound`` where too few queries lose anything for more than a lower bound: that of the largest size,
    #: if the noise at most doubles with each decade (value is NaN, high is 1); ``none`` where nothing can be said.
    kind: str
    value: float
    low: float
    high: float
    trust: str  #: whether to trust it, in plain words


@dataclass(frozen=True)
class Course:
    """One variant along the sizes of a nested group, for one k and oversample factor."""

    group: Nested
    points: Points
    k: int
    fit: Fit | None

    @property
    def variant(self) -> str:
        return self.points.variant

    @property
    def oversample(self) -> int:
        return self.points.oversample

    def forecast(self, n: int) -> Forecast:
        """Predict the overlap@k at ``n`` rows."""
        times = n / self.group.largest
        if self.fit is None:
            return self._bound(n, times)
        predicted = self.fit.predict(np.array([n]))
        value, low, high = (float(x[0]) for x in (predicted.value, predicted.low, predicted.high))
        if times <= 1:
            return Forecast("fitted", value, low, high, "yes: measured")
        doubts = {
            _times(times): times > REACH,
            "it bends": self.fit.drift > _BENT * DRIFT,
            "too wide": high - low > _WIDE,
        }
        said = ", ".join(doubt for doubt, holds in doubts.items() if holds)
        return Forecast("fitted", value, low, high, f"no: {said}" if said else f"yes: {_times(times)}")

    def _bound(self, n: int, times: float) -> Forecast:
        """A bound where hardly a query loses at the largest size; else there are too few points to say anything."""
        last = self.points.at(self.k).iloc[-1]
        deep = last["n"] >= DEPTH * self.k * max(1, self.oversample)
        if not (deep and last["n"] == self.group.largest and last["value"] > _HARDLY):
            few = len(self.points.usable(self.k))
            return Forecast("none", np.nan, np.nan, np.nan, f"no: {few} of {_POINTS} points")
        noise = float(noise_of(np.array([last["ci_low"]]), self.oversample)[0])
        low = float(overlap_of(np.array([noise * 2 ** max(0.0, np.log10(times))]), self.oversample)[0])
        return Forecast("bound", np.nan, low, 1.0, f"no: {_times(times)}" if times > REACH else "a bound: few lose")


def courses(results: Results, k: int, group: Nested | None = None) -> list[Course]:
    """Every variant and factor of every nested group that has overlap@k, fitted where the points allow it."""
    return [
        Course(one, part, k, _fitted(part, k))
        for one in (nested(results) if group is None else [group])
        for part in points(results, one).values()
        if len(part.at(k))
    ]


def _fitted(part: Points, k: int) -> Fit | None:
    usable = part.usable(k)
    own = usable[usable["k"] == k]
    if len(usable) < _POINTS or len(own) < _SIZES or own["n"].max() < part.at(k)["n"].max():
        return None
    return fit_curve(part.curve(k), k)


def _times(factor: float) -> str:
    """Two digits: x1.9, x7.6, x76, x1,300."""
    return f"x{factor:.2g}" if factor < 100 else f"x{round(factor, 1 - len(str(int(factor))) + 1):,.0f}"
