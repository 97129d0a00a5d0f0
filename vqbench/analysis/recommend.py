"""Which setting to use: the cheapest whose lower bound meets a target. A pure function of a results folder.

A setting is a variant with an oversample factor. It qualifies if the lower end of the 95 % interval of its mean
over queries reaches the target; a mean that does so by luck is not enough. Its cost is memory: the bytes of a code
plus its share of what is stored once. The float vectors that rescoring reads lie on disk unless they are said to be
in memory, where no rescored setting can save any: the floats alone are as large as float search.

The choice is the best of many, so its bound is also given as it is after Bonferroni's correction for the number of
settings that could have been chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vqbench.errors import VqbenchError
from vqbench.numerics.stats.distributions import normal_quantile, t_quantile
from vqbench.numerics.stats.intervals import CONFIDENCE
from vqbench.results.folder import Results
from vqbench.results.measured_settings import FLOAT32, Floats, Setting, measured_ks, settings_of, shown_k


@dataclass(frozen=True, kw_only=True)
class Undecided:
    """A setting whose mean meets the target and whose lower bound does not.

    queries: about how many it would take to tell, if its mean and spread stay; None where no number would do.
    """

    setting: Setting
    queries: int | None


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The answer for one dataset, metric, k and target.

    n: so many vectors are to be stored; measured_n: so many were searched. queries: the least that a setting was
    measured with. chosen: None where nothing smaller than float32 qualifies. runner_up: the next that qualifies with
    another variant. cheaper: the best of the settings that take fewer bytes than the chosen one; dearer: the cheapest
    of those that take more and keep more. undecided: cheapest first. tried: how many settings could have been chosen;
    too_large: how many that keep fewer bits than float32 could not, for their bytes.
    corrected_low: the chosen one's lower bound, corrected for that. closest: the best lower bound there is.
    fallback: float search itself, if it was measured. least_queries: with fewer, a setting that never loses anything
    cannot be shown to meet the target (rule of three). failed: variants without a result.
    """

    dataset: str
    metric: str
    k: int
    target: float
    n: int
    measured_n: int
    d: int
    floats: Floats
    max_bytes: float | None
    queries: int
    chosen: Setting | None
    runner_up: Setting | None
    cheaper: Setting | None
    dearer: Setting | None
    undecided: tuple[Undecided, ...]
    tried: int
    too_large: int
    corrected_low: float | None
    closest: Setting | None
    fallback: Setting | None
    least_queries: int
    failed: tuple[str, ...]

    @property
    def survives(self) -> bool:
        """Does the choice still meet the target after the correction?"""
        return self.corrected_low is not None and self.corrected_low >= self.target

    @property
    def too_few_queries(self) -> bool:
        """Are these too few to show even that a setting that never loses anything meets the target?"""
        return self.queries < self.least_queries


def recommend(
    results: Results,
    *,
    dataset: str,
    target: float,
    k: int | None = None,
    metric: str = "overlap",
    n: int | None = None,
    floats: Floats = "disk",
    max_bytes: float | None = None,
) -> Recommendation:
    """The cheapest setting of ``dataset`` whose lower bound meets ``target``.

    k: 10 where it was measured, else the largest. n: how many vectors will be stored; the corpus's size by default.
    max_bytes: settings with more bytes of memory for a vector are left out.
    Raises VqbenchError where the folder lacks dataset, metric or k, or a number makes no sense.
    """
    lowest, highest = _range(results, metric)
    if not lowest < target < highest:
        raise VqbenchError(_no_target(target, metric, lowest, highest))
    if max_bytes is not None and not max_bytes > 0:
        raise VqbenchError(f"max_bytes (--max-bytes) = {max_bytes:g}: must be more than 0, or left out")
    about = _about(results, dataset)
    n = int(about["n"]) if n is None else n
    if n < 1:
        raise VqbenchError(f"n = {n}: needs at least 1 vector")
    if floats not in ("disk", "ram"):
        raise VqbenchError(f"floats = {floats}: is one of disk, ram")
    k = shown_k(results, dataset, metric) if k is None else k
    found = settings_of(results, dataset=dataset, metric=metric, k=k)
    if not found:
        raise VqbenchError(_nothing(results, dataset, metric, k))

    def order(s: Setting) -> tuple:
        return (_level(s, n, floats), s.oversample, -_known(s.ci_low), s.ram(n, floats), s.variant)

    full = FLOAT32 * int(about["d"])
    small = [s for s in found if s.ram(n, floats) < full and s.vector_bytes < full]
    small = sorted((s for s in small if max_bytes is None or s.ram(n, floats) <= max_bytes), key=order)
    fit = [s for s in small if s.ci_low >= target]
    chosen = fit[0] if fit else None
    cells = results.metrics[(results.metrics["dataset"] == dataset) & (results.metrics["status"] == "failed")]
    exact = sorted((s for s in found if s.vector_bytes >= full and not s.oversample), key=order)
    return Recommendation(
        dataset=dataset,
        metric=metric,
        k=k,
        target=target,
        n=n,
        measured_n=int(about["n"]),
        d=int(about["d"]),
        floats=floats,
        max_bytes=max_bytes,
        queries=min(s.queries for s in small or found),
        chosen=chosen,
        runner_up=next((s for s in fit if chosen and s.variant != chosen.variant), None),
        cheaper=_cheaper(small, chosen, n, floats),
        dearer=_dearer(small, chosen, n, floats),
        undecided=tuple(
            Undecided(setting=s, queries=_needed(s, target)) for s in small if s.value >= target and s not in fit
        ),
        tried=len(small),
        too_large=sum(s.vector_bytes < full for s in found) - len(small),
        corrected_low=None if chosen is None else corrected(chosen, len(small)),
        closest=max(small, key=lambda s: _known(s.ci_low), default=None),
        fallback=exact[0] if exact else None,
        least_queries=math.ceil(3 * (highest - lowest) / (highest - target) * (1 - 1e-12)),
        failed=tuple(cells["variant"].unique()),
    )


def corrected(setting: Setting, tried: int) -> float:
    """The lower bound after Bonferroni's correction for ``tried`` settings.

    The half width grows by the ratio of the normal quantiles; of Student's, which is far more, where few seeds tell
    how much a seed matters. Where no query lost anything the bound is the rule of three, -ln(.05) / n rounded, and
    grows by the ratio of the logarithms. Of skewed losses the tail is heavier than either: take it as a guide.
    """
    tail = 1 - CONFIDENCE
    wider = normal_quantile(tail / 2 / tried) / normal_quantile(tail / 2)
    if setting.seeds > 1:
        free = setting.seeds - 1
        wider = t_quantile(tail / 2 / tried, free) / t_quantile(tail / 2, free)
    if setting.ci_high <= setting.value:
        wider = math.log(tail / tried) / math.log(tail)
    return setting.value - wider * (setting.value - setting.ci_low)


def _cheaper(small: Sequence[Setting], chosen: Setting | None, n: int, floats: Floats) -> Setting | None:
    """The best of the settings with fewer bytes; among equals the first in order."""
    if chosen is None:
        return None
    least = _level(chosen, n, floats)
    return max((s for s in small if _level(s, n, floats) < least), key=lambda s: s.value, default=None)


def _dearer(small: Sequence[Setting], chosen: Setting | None, n: int, floats: Floats) -> Setting | None:
    """The best of the next size at which any setting keeps more."""
    if chosen is None:
        return None
    most = _level(chosen, n, floats)
    better = [s for s in small if _level(s, n, floats) > most and s.value > chosen.value]
    size = min((_level(s, n, floats) for s in better), default=0)
    return max((s for s in better if _level(s, n, floats) == size), key=lambda s: s.value, default=None)


def _level(setting: Setting, n: int, floats: Floats) -> int:
    """Memory for a vector in whole bytes: what a few thresholds add, stored once, decides nothing."""
    return round(setting.ram(n, floats))


def _known(bound: float) -> float:
    return -math.inf if math.isnan(bound) else bound


def _needed(setting: Setting, target: float) -> int | None:
    """Queries at which the lower bound would reach the target.

    A half width shrinks with the root of the number of queries; where no query lost anything, with the number itself.
    """
    room = setting.value - target
    if room <= 0 or math.isnan(setting.ci_low):
        return None
    power = 1 if setting.ci_high <= setting.value else 2
    return math.ceil(setting.queries * ((setting.value - setting.ci_low) / room) ** power)


def _about(results: Results, dataset: str) -> dict:
    if dataset not in results.meta["datasets"]:
        raise VqbenchError(
            f"dataset = {dataset}: {results.folder} has none of that name; it has {', '.join(results.meta['datasets'])}"
        )
    return results.meta["datasets"][dataset]


def _no_target(target: float, metric: str, lowest: float, highest: float) -> str:
    """What is wrong with a target that no setting could be shown to meet, or that every one would."""
    told = f"target (--recall) = {target:g}: {metric} needs one between {lowest:g} and {highest:g}"
    if highest < target <= 100 * highest and lowest < target / 100 < highest:
        return f"{told}: did you mean {target / 100:g}?"
    if target == highest:
        return f"{told}: no sample of queries can show that nothing is ever lost: as in 0.99"
    return f"{told}, as in 0.95"


def _range(results: Results, metric: str) -> tuple[float, float]:
    """Lowest and highest value of a metric of which more is better."""
    base = metric.removesuffix("_kept")
    described = results.meta["metrics"]
    usable = [name for name, one in described.items() if one["higher_is_better"]]
    if base not in described:
        raise VqbenchError(f"metric = {metric}: {results.folder} did not measure it; it has {', '.join(usable)}")
    if base not in usable:
        raise VqbenchError(f"metric = {metric}: less of it is better, a target needs one of {', '.join(usable)}")
    if base != metric:  # a ratio to float search
        return 0.0, 1.0
    return float(described[metric]["lowest"]), float(described[metric]["highest"])


def _nothing(results: Results, dataset: str, metric: str, k: int) -> str:
    ks = measured_ks(results, dataset, metric)
    if ks:
        measured = ", ".join(map(str, ks))
        return f"k = {k}: {dataset} was measured at k = {measured}: choose one of them, or run it again with 'k=[{k}]'"
    return f"{results.folder}: holds no {metric} of {dataset}: run it again with metric=[{metric}]"
