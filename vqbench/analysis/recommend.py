"""Which setting to use: the cheapest whose lower bound reaches a target. A pure function of a results folder.

A setting is a variant with an oversample factor. It qualifies if the lower end of the 95 % interval of its mean
over queries reaches the target; a mean that does so by luck is not enough. Its cost is memory: the bytes of a code
and its share of what is stored once. The float vectors that rescoring reads stay on disk unless they are said to be
in memory, where no rescored setting can save any: the floats alone are as large as float search. Where vectors came
as bytes or bits, the base line is what these take, and what rescoring reads counts too: it is the bytes themselves.

The choice is the best of many, so its bound is also given after Bonferroni's correction for the number of settings
that could have been chosen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from vqbench.errors import VqbenchError
from vqbench.numerics.stats.distributions import normal_quantile, t_quantile
from vqbench.numerics.stats.intervals import CONFIDENCE
from vqbench.results.folder import Results
from vqbench.results.measured_settings import Floats, Setting, StoredToday, measured_ks, settings_of, shown_k


class DoubtfulVectorsError(VqbenchError):
    """What was measured is hardly what the user means by vectors, so that no setting is recommended."""


@dataclass(frozen=True, kw_only=True)
class Undecided:
    """A setting whose mean reaches the target and whose lower bound does not."""

    setting: Setting
    queries: int | None  #: about how many would decide, if mean and spread stay; None where no number would


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The answer for one dataset, metric, k and target."""

    dataset: str
    metric: str
    k: int
    target: float
    n: int  #: vectors that are to be stored
    measured_n: int  #: vectors that were searched
    d: int
    today: StoredToday  #: what a vector takes today
    floats: Floats  #: where the float vectors are that rescoring reads
    max_bytes: float | None
    queries: int  #: the least that a setting was measured with
    chosen: Setting | None  #: None where nothing smaller than the base line qualifies
    runner_up: Setting | None  #: the next that qualifies with another variant
    step_down: Setting | None  #: the best of the settings that take fewer bytes than the chosen one
    step_up: Setting | None  #: the cheapest of the settings that take more bytes and keep more
    undecided: tuple[Undecided, ...]  #: cheapest first
    tried: int  #: how many settings could have been chosen
    too_large: int  #: how many that store fewer bits than the base line could not, for their bytes
    corrected_low: float | None  #: the chosen one's lower bound, corrected for the number of settings
    kept_beside: Setting | None  #: the cheapest in memory that qualifies only as long as today's bytes stay on disk
    closest: Setting | None  #: the one with the best lower bound
    fallback: Setting | None  #: float search itself, if it is the base line and was measured
    least_queries: int  #: with fewer, even a setting that never loses anything cannot be shown to reach the target
    failed: tuple[str, ...]  #: variants without a result

    @property
    def survives(self) -> bool:
        """Whether the choice still reaches the target after the correction."""
        return self.corrected_low is not None and self.corrected_low >= self.target

    @property
    def too_few_queries(self) -> bool:
        """Whether even a setting that never loses anything could not be shown to reach the target."""
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
    """Find the cheapest setting of ``dataset`` whose lower bound reaches ``target``.

    Args:
        results: what was measured.
        dataset: one of its datasets.
        target: the metric's value that must be kept.
        k: 10 where it was measured, else the largest.
        metric: one of which more is better.
        n: how many vectors will be stored; by default the corpus's size.
        floats: where the float vectors are that rescoring reads.
        max_bytes: leave out settings with more bytes of memory per vector.

    Raises:
        DoubtfulVectorsError: the numbers are hardly vectors: packed bits, say, or token ids.
        VqbenchError: the folder lacks dataset, metric or k, or a number makes no sense.
    """
    lowest, highest = _range(results, metric)
    if not lowest < target < highest:
        raise VqbenchError(_no_target(target, metric, lowest, highest))
    if max_bytes is not None and not max_bytes > 0:
        raise VqbenchError(f"max_bytes (--max-bytes) = {max_bytes:g}: must be more than 0, or left out")
    if dataset not in results.meta["datasets"]:
        raise VqbenchError(
            f"dataset = {dataset}: {results.folder} has none of that name; it has {', '.join(results.meta['datasets'])}"
        )
    about = results.meta["datasets"][dataset]
    if doubt := about.get("doubt"):
        raise DoubtfulVectorsError(f"No recommendation for {dataset}. {doubt}")
    n = int(about["n"]) if n is None else n
    if n < 1:
        raise VqbenchError(f"n = {n}: needs at least 1 vector")
    if floats not in ("disk", "ram"):
        raise VqbenchError(f"floats = {floats}: is one of disk, ram")
    k = shown_k(results, dataset, metric) if k is None else k
    measured = settings_of(results, dataset=dataset, metric=metric, k=k)
    if not measured:
        raise VqbenchError(_not_measured(results, dataset, metric, k))

    def size(s: Setting) -> int:
        """Memory per vector in whole bytes: what a few thresholds add, stored once, decides nothing."""
        return round(s.ram(n, floats))

    measured.sort(key=lambda s: (size(s), s.oversample, -_known(s.ci_low), s.ram(n, floats), s.variant))
    today = StoredToday.of(about)
    full = today.bytes
    fewer = [s for s in measured if s.vector_bytes < full]
    affordable = [s for s in fewer if s.ram(n, floats) < full and (max_bytes is None or s.ram(n, floats) <= max_bytes)]
    # Beside bytes that stay what they are, any code takes more than today.
    small = [s for s in affordable if today.floats or (not s.oversample and size(s) < full)]
    qualified = [s for s in small if s.ci_low >= target]
    chosen = next(iter(qualified), None)
    smaller = [s for s in small if chosen and size(s) < size(chosen)]
    better = [s for s in small if chosen and size(s) > size(chosen) and s.value > chosen.value]
    cells = results.metrics[(results.metrics["dataset"] == dataset) & (results.metrics["status"] == "failed")]
    return Recommendation(
        dataset=dataset,
        metric=metric,
        k=k,
        target=target,
        n=n,
        measured_n=int(about["n"]),
        d=int(about["d"]),
        today=today,
        floats=floats,
        max_bytes=max_bytes,
        queries=min(s.queries for s in small or measured),
        chosen=chosen,
        runner_up=next((s for s in qualified if chosen and s.variant != chosen.variant), None),
        step_down=max(smaller, key=lambda s: s.value, default=None),
        step_up=max((s for s in better if size(s) == size(better[0])), key=lambda s: s.value, default=None),
        undecided=tuple(
            Undecided(setting=s, queries=_needed(s, target)) for s in small if s.value >= target and s not in qualified
        ),
        tried=len(small),
        too_large=len(fewer) - len(affordable),
        corrected_low=None if chosen is None else corrected(chosen, len(small)),
        kept_beside=next((s for s in affordable if s.oversample and not today.floats and s.ci_low >= target), None),
        closest=max(small, key=lambda s: _known(s.ci_low), default=None),
        fallback=next((s for s in measured if today.floats and s.vector_bytes >= full and not s.oversample), None),
        least_queries=math.ceil(3 * (highest - lowest) / (highest - target) * (1 - 1e-12)),
        failed=tuple(cells["variant"].unique()),
    )


def corrected(setting: Setting, tried: int) -> float:
    """Correct the lower bound for ``tried`` settings (Bonferroni).

    The half width grows by the ratio of the normal quantiles; of Student's, which is far more, where few seeds show
    how much a seed matters. Where no query lost anything the bound is the rule of three, -ln(.05) / n rounded, and
    grows by the ratio of the logarithms. Skewed losses have a heavier tail than either: take it as a guide.
    """
    tail = 1 - CONFIDENCE
    wider = normal_quantile(tail / 2 / tried) / normal_quantile(tail / 2)
    if setting.seeds > 1:
        free = setting.seeds - 1
        wider = t_quantile(tail / 2 / tried, free) / t_quantile(tail / 2, free)
    if setting.ci_high <= setting.value:
        wider = math.log(tail / tried) / math.log(tail)
    return setting.value - wider * (setting.value - setting.ci_low)


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


def check_share(target: float) -> None:
    """Raise VqbenchError for a share that no setting could be shown to keep, or that every one would."""
    if not 0 < target < 1:
        raise VqbenchError(_no_target(target, "overlap", 0, 1))


def _no_target(target: float, metric: str, lowest: float, highest: float) -> str:
    """What is wrong with a target that no setting could be shown to reach, or that every one would."""
    wrong = f"target (--keep) = {target:g}: {metric} needs one between {lowest:g} and {highest:g}"
    if highest < target <= 100 * highest and lowest < target / 100 < highest:
        return f"{wrong}: did you mean {target / 100:g}?"
    if target == highest:
        return f"{wrong}: no sample of queries can show that nothing is ever lost: as in 0.99"
    return f"{wrong}, as in 0.95"


def _range(results: Results, metric: str) -> tuple[float, float]:
    """Lowest and highest value of a metric of which more is better."""
    base, described = metric.removesuffix("_kept"), results.meta["metrics"]
    usable = [name for name, about in described.items() if about["higher_is_better"]]
    if base not in described:
        raise VqbenchError(f"metric = {metric}: {results.folder} did not measure it; it has {', '.join(usable)}")
    if base not in usable:
        raise VqbenchError(f"metric = {metric}: less of it is better, a target needs one of {', '.join(usable)}")
    if base != metric:  # a ratio to float search
        return 0.0, 1.0
    return float(described[metric]["lowest"]), float(described[metric]["highest"])


def _not_measured(results: Results, dataset: str, metric: str, k: int) -> str:
    if ks := ", ".join(map(str, measured_ks(results, dataset, metric))):
        return f"k = {k}: {dataset} was measured at k = {ks}: choose one of them, or run it again with 'k=[{k}]'"
    return f"{results.folder}: holds no {metric} of {dataset}: run it again with metric=[{metric}]"
