"""What comparisons promise, by simulation: false wins, coverage, seeds, groups."""

from __future__ import annotations

import numpy as np
import pytest

from vqbench.numerics.arrays import Floats
from vqbench.numerics.stats.groups import Groups
from vqbench.numerics.stats.intervals import mean_interval
from vqbench.numerics.stats.multiple import holm
from vqbench.numerics.stats.paired import differences, p_values
from vqbench.numerics.stats.seeds import mean_over_seeds

pytestmark = pytest.mark.slow
#: How hard queries are (the chance to find each of ten), by kind of code.
KINDS = {
    "1 bit": lambda rng, n: rng.beta(5, 4, n),
    "int8": lambda rng, n: rng.beta(60, 1.5, n),
    "near-lossless": lambda rng, n: 1 - (rng.random(n) < 0.03) * 0.05,
}


def equal(rng: np.random.Generator, n: int, variants: int, kind: str) -> Floats:
    """overlap@10 of variants that are equally good: the same hard queries, luck of their own."""
    return rng.binomial(10, KINDS[kind](rng, n)[:, None], (n, variants)) / 10


@pytest.mark.parametrize(("n", "pairs"), [(50, "all"), (300, "baseline")])
@pytest.mark.parametrize("kind", KINDS)
def test_false_wins_among_ten_equal_variants(kind: str, n: int, pairs: str) -> None:
    """At most 5 % of families have any, against a baseline or all pairs; 400 families, 2.5 standard errors."""
    rng, found = np.random.default_rng(n), 0
    left, right = np.triu_indices(10, 1) if pairs == "all" else (np.arange(1, 10), np.zeros(9, dtype=int))
    for _ in range(400):
        x_nv = equal(rng, n, 10, kind)
        columns = [(x_nv[:, a] - x_nv[:, b])[None] for a, b in zip(left, right, strict=True)]
        found += bool((holm(p_values(columns)) <= 0.05).any())
    assert found / 400 <= 0.0775


@pytest.mark.parametrize("n", [50, 300, 1000])
@pytest.mark.parametrize(("lost", "won"), [(0.0015, 0.0015), (0.01, 0.01), (0.01, 0.03), (0.0, 0.02), (0.05, 0.05)])
def test_intervals_of_rare_differences_hold(lost: float, won: float, n: int) -> None:
    """A tenth lost or won by few queries: 95 % less 2.5 standard errors (.011) of 400 samples at the least."""
    rng = np.random.default_rng(n)
    columns = [((rng.random(n) < won) * 0.1 - (rng.random(n) < lost) * 0.1)[None] for _ in range(400)]
    found, true = differences(columns, reach=1), 0.1 * (won - lost)
    assert np.mean([each.low <= true <= each.high for each in found]) >= 0.9225
    if won != lost:
        return
    assert np.mean([each.p <= 0.05 for each in found]) <= 0.0775


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
@pytest.mark.parametrize("scatter", [0.0, 0.003, 0.01])
def test_a_variant_differs_from_itself_under_other_seeds_at_most_one_time_in_twenty(seeds: int, scatter: float) -> None:
    """A/A with seeds of a standard deviation of up to .01; and the interval over seeds holds the mean."""
    rng, held, columns, true = np.random.default_rng(seeds), 0, [], 5 / 9

    def cell(hard_q: Floats) -> Floats:
        luck_s = rng.normal(0, scatter, seeds)
        return rng.binomial(20, np.clip(hard_q + luck_s[:, None], 0, 1)) / 20

    for _ in range(400):
        hard_q = rng.beta(5, 4, 300)
        one = cell(hard_q)
        _, low, high = mean_over_seeds(one, lowest=0, highest=1)
        held += low <= true <= high
        columns.append(one - cell(hard_q))
    assert held / 400 >= 0.9225
    assert np.mean([each.p <= 0.05 for each in differences(columns, reach=1)]) <= 0.0775


SIZES = {
    "about 10 each": lambda rng, groups: 1 + rng.poisson(9, groups),
    "a few large ones": lambda rng, groups: np.ceil(10 * rng.lognormal(0, 1, groups)).astype(int),
    "one holds half of the queries": lambda rng, groups: np.array([10 * (groups - 1), *[10] * (groups - 1)]),
}


@pytest.mark.parametrize("groups", [20, 100])
@pytest.mark.parametrize("sizes", SIZES)
def test_intervals_over_groups_hold_where_those_over_queries_do_not(sizes: str, groups: int) -> None:
    """Queries of a group are alike; how hard it is does not depend on its size. 400 samples: standard error .011."""
    rng, held, naive = np.random.default_rng(groups), 0, 0
    for _ in range(400):
        names = np.repeat(np.arange(groups), SIZES[sizes](rng, groups))
        hard = np.clip(rng.beta(5, 4, groups)[names] + rng.normal(0, 0.05, len(names)), 0, 1)
        values = rng.binomial(10, hard) / 10
        low, high = mean_interval(values, lowest=0, highest=1, groups=Groups.of(names))
        held += low <= 5 / 9 <= high
        naive += abs(values.mean() - 5 / 9) <= 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    assert held / 400 >= 0.9
    assert naive / 400 < 0.75
