"""Slow and plain definitions, written without the code under test: loops, exact sums, enumeration.

A ranking with ties stands for all its tie-breakings, equally likely. ``orders`` lists them, and an
expectation is a mean over that list: no formula of the package is repeated here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import combinations, groupby, permutations, product
from statistics import fmean

import numpy as np

DECIMALS = 12


def exact_cosine(x: Sequence[float], y: Sequence[float]) -> float:
    """Cosine of float32 vectors: their products are exact in float64, and fsum rounds once."""
    x, y = [float(a) for a in x], [float(b) for b in y]
    square_x, square_y = math.fsum(a * a for a in x), math.fsum(b * b for b in y)
    if square_x == 0 or square_y == 0:
        return 0.0
    dot = math.fsum(a * b for a, b in zip(x, y, strict=True))
    return round(dot / (math.sqrt(square_x) * math.sqrt(square_y)), DECIMALS) + 0.0


def cosines(queries_qd: np.ndarray, corpus_nd: np.ndarray) -> np.ndarray:
    return np.array([[exact_cosine(query, row) for row in corpus_nd] for query in queries_qd])


def hamming(queries_qd: np.ndarray, corpus_nd: np.ndarray) -> np.ndarray:
    """Minus the number of differing entries."""

    def score(query: np.ndarray, row: np.ndarray) -> float:
        return -float(sum(a != b for a, b in zip(query, row, strict=True)))

    return np.array([[score(query, row) for row in corpus_nd] for query in queries_qd])


def top(
    scores_n: Sequence[float], k: int, *, exclude: int = -1, priority_n: Sequence[int] | None = None
) -> tuple[list[int], list[float], int]:
    """The k best rows, their scores, and how many rows that tie with the last are left out."""
    priority_n = range(len(scores_n)) if priority_n is None else priority_n
    rows = [row for row in range(len(scores_n)) if row != exclude]
    rows.sort(key=lambda row: (-scores_n[row], priority_n[row]))
    listed = rows[:k]
    last = scores_n[listed[-1]]
    return listed, [scores_n[row] for row in listed], sum(scores_n[row] == last for row in rows[k:])


def orders(scores: Sequence[float]) -> Iterator[tuple[int, ...]]:
    """Every ranking (best first) that the scores allow."""
    by_score = sorted(range(len(scores)), key=lambda row: -scores[row])
    groups = [list(group) for _, group in groupby(by_score, key=lambda row: scores[row])]
    for parts in product(*(permutations(group) for group in groups)):
        yield tuple(row for part in parts for row in part)


def relevant(true: Sequence[float], k: int) -> set[int]:
    """Every row that reaches the k-th best true score."""
    least = sorted(true, reverse=True)[k - 1]
    return {row for row, score in enumerate(true) if score >= least}


def expected(code: Sequence[float], value: Callable[[tuple[int, ...]], float]) -> tuple[float, float, float]:
    """Mean, least and most of a value of a ranking over all tie-breakings."""
    values = [value(order) for order in orders(code)]
    return fmean(values), min(values), max(values)


def overlap_by_formula(true: Sequence[float], code: Sequence[float], k: int) -> Fraction:
    """(|R and A| + |R and T| (k - |A|) / |T|) / k, as the design states it."""
    wanted, last = relevant(true, k), sorted(code, reverse=True)[k - 1]
    above = {row for row, score in enumerate(code) if score > last}
    tied = {row for row, score in enumerate(code) if score == last}
    return (len(wanted & above) + Fraction(len(wanted & tied) * (k - len(above)), len(tied))) / k


def candidate_sets(code: Sequence[float], fetched: int) -> Iterator[set[int]]:
    """Every set of candidates that tie-breaking at the edge of the fetched list could give."""
    last = sorted(code, reverse=True)[fetched - 1]
    above = {row for row, score in enumerate(code) if score > last}
    tied = [row for row, score in enumerate(code) if score == last]
    for some in combinations(tied, fetched - len(above)):
        yield above | set(some)


def rescored_overlap(
    true: Sequence[float], code: Sequence[float], k: int, fetched: int
) -> tuple[Fraction, Fraction, Fraction]:
    """Mean, least and most overlap after the candidates were put in float order."""
    wanted = relevant(true, k)
    values = []
    for candidates in candidate_sets(code, fetched):
        returned = sorted(candidates, key=lambda row: -true[row])[:k]
        values.append(Fraction(sum(row in wanted for row in returned), k))
    return sum(values, Fraction(0)) / len(values), min(values), max(values)


def overlap_at(order: Sequence[int], true: Sequence[float], k: int) -> float:
    return len(set(order[:k]) & relevant(true, k)) / k


def recall_at(order: Sequence[int], true: Sequence[float], k: int) -> float:
    return float(any(true[row] == max(true) for row in order[:k]))


def rbo_at(order: Sequence[int], true: Sequence[float], k: int, p: float) -> float:
    """RBO_ext of Webber, Moffat and Zobel 2010, equation 32, for two lists of length k."""
    agreement = [len(set(order[:d]) & relevant(true, d)) / d for d in range(1, k + 1)]
    summed = sum(a * p**d for d, a in enumerate(agreement, start=1))
    return (1 - p) / p * summed + agreement[-1] * p**k


def mrr_at(order: Sequence[int], gains: Sequence[float], k: int) -> float:
    return next((1 / rank for rank, row in enumerate(order[:k], start=1) if gains[row] > 0), 0.0)


def ndcg_at(order: Sequence[int], gains: Sequence[float], k: int, *, exponential: bool = False) -> float:
    worth = [2.0**gain - 1 if exponential else float(gain) for gain in gains]
    dcg = sum(worth[row] / math.log2(rank + 1) for rank, row in enumerate(order[:k], start=1))
    best = sorted(worth, reverse=True)[:k]
    return dcg / sum(gain / math.log2(rank + 1) for rank, gain in enumerate(best, start=1))


def judged_recall_at(order: Sequence[int], gains: Sequence[float], k: int) -> float:
    relevant_rows = [row for row, gain in enumerate(gains) if gain > 0]
    return sum(row in relevant_rows for row in order[:k]) / len(relevant_rows)


def regret_at(order: Sequence[int], true: Sequence[float], k: int) -> float:
    best = sorted(true, reverse=True)[:k]
    return fmean(b - true[row] for b, row in zip(best, order[:k], strict=True))


def skewed_rows(n: int, d: int, seed: int = 0, ratio: float = 20) -> np.ndarray:
    """Rows with a mean and with variances from 1 down to 1 / ratio along random axes: no two are alike."""
    rng = np.random.default_rng(seed)
    axes_dd = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return ((rng.standard_normal((n, d)) * np.geomspace(1, ratio**-0.5, d)) @ axes_dd + 0.3).astype(np.float32)
