"""Families of searches: built, checked, then raced, size by size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from experiments.peers.contest import Ask, Contestant, Family, race, same_threads, version_of
from experiments.peers.families import float32, hamming, int8, one_bit, product
from experiments.peers.problem import Problem, mixture
from experiments.peers.settings import PARTS, Timed
from experiments.peers.table import Row
from vqbench.errors import NotApplicableError
from vqbench.numerics.arrays import Ints

FAMILIES: Mapping[str, Family] = {
    module.FAMILY.name: module.FAMILY for module in (float32, int8, hamming, one_bit, product)
}


@dataclass(frozen=True)
class _Checked:
    """Whether a contestant found the right rows; NaN where it finds none, as a product alone."""

    agreement: float = float("nan")
    overlap: float = float("nan")
    wrong: str = ""


def problem(timed: Timed, size: Sequence[int], threads: int) -> Problem:
    """The data of one size."""
    n, d, q = size
    queries_qd = mixture(q, d, timed.seed, stream=1)
    return Problem(mixture(n, d, timed.seed, stream=0), queries_qd, timed.seed, threads, timed.training, max(timed.k))


def compete(family: Family, vectors: Problem, timed: Timed) -> Iterator[Row]:
    """The rows of one family at one size, for every k."""
    asks: dict[str, Ask] = {}
    lost: dict[str, tuple[str, str]] = {}
    for entry in family.contestants:
        try:
            with same_threads(vectors.threads):
                asks[entry.name] = entry.build(vectors)
        except NotApplicableError as error:
            lost[entry.name] = ("skipped", str(error))
        except Exception as error:  # one contestant's fault must not lose the others
            lost[entry.name] = ("failed", f"{type(error).__name__}: {error}")
    for k in timed.k:
        with same_threads(vectors.threads):
            yield from _ranks(family, vectors, timed, k, asks, lost)


def _ranks(
    family: Family, vectors: Problem, timed: Timed, k: int, asks: Mapping[str, Ask], lost: Mapping[str, tuple[str, str]]
) -> Iterator[Row]:
    entries = {entry.name: entry for entry in family.contestants}
    lost, checked = dict(lost), dict[str, _Checked]()
    best_qk = None
    for name, ask in asks.items():
        try:
            ids_qk = ask(vectors.queries_qd[: entries[name].queries(vectors)], k)  # the first search is not timed
            checked[name] = _check(family, vectors, k, ids_qk, best_qk)
        except Exception as error:
            lost[name] = ("failed", f"{type(error).__name__}: {error}")
            continue
        if best_qk is None and not entries[name].against:
            best_qk = ids_qk
    runs = {name: partial(_ask, asks[name], vectors, entries[name].queries(vectors), k) for name in checked}
    key = [timed.seed, PARTS.index(family.name), vectors.n, vectors.d, k]
    seconds = race(runs, timed.repeats, key)
    scaled = {name: [x * vectors.q / entries[name].queries(vectors) for x in taken] for name, taken in seconds.items()}
    for entry in family.contestants:
        yield from _rows(family, vectors, k, entry, scaled, checked, lost)


def _ask(ask: Ask, vectors: Problem, q: int, k: int) -> None:
    ask(vectors.queries_qd[:q], k)


def _check(family: Family, vectors: Problem, k: int, ids_qk: Ints | None, best_qk: Ints | None) -> _Checked:
    """Whether the rows exist, how many of float's top k they are, and whether they are the right ones."""
    if ids_qk is None:
        return _Checked()
    truth_qk = vectors.truth_qk[: len(ids_qk), :k]
    if ids_qk.shape != (len(ids_qk), k) or ids_qk.min() < 0 or ids_qk.max() >= vectors.n:
        return _Checked(wrong=f"did not find {k} rows for each query")
    if any(len(set(ids_k)) < k for ids_k in ids_qk.tolist()):
        return _Checked(wrong="found a row twice for one query")
    overlap = float(np.mean([len(np.intersect1d(*pair)) / k for pair in zip(ids_qk, truth_qk, strict=True)]))
    if family.scores is None or best_qk is None:
        return _Checked(1.0 if family.scores else float("nan"), overlap)
    own_qk, their_qk = (
        np.sort(family.scores(vectors, each_qk), axis=1) for each_qk in (best_qk[: len(ids_qk)], ids_qk)
    )
    agree_q = np.abs(own_qk - their_qk).max(axis=1) <= family.tolerance(vectors.d)
    wrong = "" if agree_q.all() else f"other rows for {np.count_nonzero(~agree_q)} of {len(agree_q)} queries"
    return _Checked(float(agree_q.mean()), overlap, wrong)


def _rows(
    family: Family,
    vectors: Problem,
    k: int,
    entry: Contestant,
    seconds: Mapping[str, Sequence[float]],
    checked: Mapping[str, _Checked],
    lost: Mapping[str, tuple[str, str]],
) -> Iterator[Row]:
    """One row for ours; for a rival one for each of ours that it is compared with."""
    row = Row(
        family=family.name,
        contestant=entry.name,
        version=version_of(entry.package),
        threads=vectors.threads,
        n=vectors.n,
        d=vectors.d,
        queries=vectors.q,
        k=k,
    )
    if entry.name in lost:
        status, reason = lost[entry.name]
        yield replace(row, status=status, reason=reason)
        return
    check, own, timed_queries = checked[entry.name], seconds[entry.name], entry.queries(vectors)
    few = "" if timed_queries == vectors.q else f"timed with {timed_queries} of {vectors.q} queries, seconds scaled"
    row = replace(
        row,
        seconds=own,
        timed_queries=timed_queries,
        agreement=check.agreement,
        overlap=check.overlap,
        status="differs" if check.wrong else "",
        reason="; ".join(filter(None, [check.wrong, few])),
    )
    if not entry.against:
        yield row
    for name, goal in entry.against.items():
        ratios = [theirs / ours for theirs, ours in zip(own, seconds.get(name, []), strict=False)]
        yield replace(row, against=name, ratios=ratios, goal=goal if ratios else None)
