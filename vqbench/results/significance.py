"""comparisons.csv: every variant against a baseline, paired by query, with the doubt that many comparisons bring."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

import numpy as np
import pandas as pd

from vqbench.numerics.arrays import Floats
from vqbench.numerics.stats.intervals import mean
from vqbench.numerics.stats.multiple import ALPHABET, LEVEL, holm, letters
from vqbench.numerics.stats.paired import Difference, differences, p_values
from vqbench.results.columns import BASELINE, BETTER, COMPARISONS, EQUIVALENT, FLOAT, UNCLEAR, WORSE
from vqbench.results.per_query import Values, by_query

_LETTERED = "overlap"  # all pairs take several times as long as the baseline's
_TOGETHER = 1 << 22  # differences that are held at a time: 32 MiB


def chosen_baseline(wanted: str | None, variants: Sequence[str]) -> str | None:
    """Choose the baseline: as wanted, else float32, else the first variant; None where there is no such result."""
    if wanted is not None:
        return wanted if wanted in variants else None
    return "float32" if "float32" in variants else next(iter(variants), None)


def comparisons(
    per_query: pd.DataFrame, described: Mapping[str, Mapping[str, Any]], baseline: str, margin: float
) -> pd.DataFrame:
    """Compare every variant of one dataset with the baseline, which has a row too.

    Args:
        per_query: the values of one dataset.
        described: what meta.json says of each metric.
        margin: a smaller difference does not matter, in the metric's units.

    Returns:
        A row for each variant, metric, k and oversample factor.

        - difference: variant - baseline, in the metric's units.
        - p_holm: corrected over the variants of one metric, k and oversample factor.
        - verdict: ``equivalent`` where the difference is proven to be smaller than ``margin`` either way, even if it
          is real; else ``better`` or ``worse`` where p_holm is at most 5 %; else ``unclear``.
        - letters: two variants share one where their overlaps cannot be told apart (all pairs, Holm).
    """
    rows: list[dict[str, Any]] = []
    for families in _batches(by_query(per_query), described, baseline):
        rows += _rows(families, baseline, margin)
    return pd.DataFrame(rows, columns=[name for name in COMPARISONS if name != "dataset"])


@dataclass(frozen=True)
class _Family:
    """All that is compared at one metric, k and oversample factor."""

    values: Values
    about: Mapping[str, Any]  #: the metric, as meta.json describes it
    present: list[str]  #: the variants with values
    columns: dict[str, Floats]  #: differences ``(seeds, queries)`` of each of the others with the baseline
    pairs: list[Floats]  #: differences of every two of ``present``, where letters are given

    @classmethod
    def of(cls, values: Values, about: Mapping[str, Any], baseline: str) -> _Family:
        present = [name for name in values.variants if len(values.of(name))]
        columns = {name: _paired(values, name, baseline) for name in present if name != baseline}
        lettered = values.metric == _LETTERED and 1 < len(present) <= len(ALPHABET)
        pairs = [_paired(values, *two) for two in combinations(present, 2)] if lettered else []
        return cls(values, about, present, columns, pairs)

    @property
    def reach(self) -> float:
        """How far two values can lie apart."""
        return self.about["highest"] - self.about["lowest"]


def _batches(
    metrics: Iterable[Values], described: Mapping[str, Mapping[str, Any]], baseline: str
) -> Iterator[list[_Family]]:
    """Families in order, so many at a time as share their draws without taking much memory."""
    batch: list[_Family] = []
    for values in metrics:
        if values.metric.endswith(FLOAT) or not (baseline in values.variants and len(values.of(baseline))):
            continue
        batch.append(_Family.of(values, described[values.metric], baseline))
        if sum(column.size for each in batch for column in (*each.columns.values(), *each.pairs)) > _TOGETHER:
            yield batch
            batch = []
    if batch:
        yield batch


def _rows(families: Sequence[_Family], baseline: str, margin: float) -> list[dict[str, Any]]:
    """The rows of some families, which share the draws of their intervals and tests."""
    groups = families[0].values.groups
    reach = [family.reach for family in families for _ in family.columns]
    columns = [x for family in families for x in family.columns.values()]
    compared = iter(differences(columns, groups=groups, reach=reach))
    p_pairs = iter(p_values([x for family in families for x in family.pairs], groups=groups))
    rows = []
    for family in families:
        own, own_p = islice(compared, len(family.columns)), np.array(list(islice(p_pairs, len(family.pairs))))
        rows += _family_rows(family, list(own), own_p, baseline, margin)
    return rows


def _family_rows(
    family: _Family, compared: Sequence[Difference], p_pairs: Floats, baseline: str, margin: float
) -> list[dict[str, Any]]:
    """The rows of one family, from its differences and the p of its pairs."""
    values = family.values
    own_sq = values.of(baseline)
    better = 1 if family.about["higher_is_better"] else -1
    # Of a baseline that is perfect for every query, a difference can only go down.
    known = _defined(own_sq)
    low = -family.reach if known.max() > family.about["lowest"] else 0.0
    high = family.reach if known.min() < family.about["highest"] else 0.0
    rows: dict[str, dict[str, Any]] = {
        name: {
            "difference": each.mean,
            "ci_low": max(each.low, low),
            "ci_high": min(each.high, high),
            "p": each.p,
            "p_holm": p_holm,
            "detectable": each.detectable,
            "verdict": _verdict(each, p_holm, margin, better),
            "n_queries": each.n,
            "n_seeds": len(column),
        }
        for (name, column), each, p_holm in zip(
            family.columns.items(), compared, holm(np.array([each.p for each in compared])), strict=True
        )
    }
    queries = len(known) // len(own_sq)
    rows[baseline] = {"difference": 0.0, "verdict": BASELINE, "n_seeds": len(own_sq), "n_queries": queries}
    shared = {"baseline": baseline, "metric": values.metric, "k": values.k, "oversample": values.oversample}
    lettered = _letters(family, p_pairs, better)
    return [
        {"variant": name, **shared, "margin": margin, **rows[name], "letters": lettered[name]}
        for name in family.present
    ]


def _paired(values: Values, name: str, baseline: str) -> Floats:
    """Differences ``(seeds, queries)`` under the seeds that both have; the baseline may lack seeds by its nature."""
    own_sq, base_sq = (values.values[values.variants.index(x)] for x in (name, baseline))
    both_s = np.isfinite(own_sq).any(axis=1) & np.isfinite(base_sq).any(axis=1)
    if both_s.any():
        return own_sq[both_s] - base_sq[both_s]
    return values.of(name) - values.of(baseline).mean(axis=0)


def _defined(values_sq: Floats) -> Floats:
    return values_sq[:, np.isfinite(values_sq).all(axis=0)].ravel()


def _verdict(compared: Difference, p_holm: float, margin: float, better: int) -> str:
    if compared.within(margin):
        return EQUIVALENT
    if p_holm <= LEVEL:
        return BETTER if compared.mean * better > 0 else WORSE
    return UNCLEAR


def _letters(family: _Family, p_pairs: Floats, better: int) -> dict[str, str]:
    """Letters by name, "a" for the best; empty where no pairs were compared."""
    names = family.present
    if not len(p_pairs):
        return dict.fromkeys(names, "")
    apart_mm = np.zeros((len(names), len(names)), dtype=bool)
    for (left, right), p in zip(combinations(range(len(names)), 2), holm(p_pairs), strict=True):
        apart_mm[left, right] = p <= LEVEL
    means = [mean(_defined(family.values.of(name))) for name in names]
    order = sorted(range(len(names)), key=lambda place: (-better * means[place], names[place]))
    return dict(zip(names, letters(apart_mm, order), strict=True))
