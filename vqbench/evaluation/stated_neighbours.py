"""The nearest rows that a file states, against those of our own float search."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from vqbench.datasets.base import Data
from vqbench.datasets.distances import UNIT, kind_of, off_unit
from vqbench.datasets.stated_neighbours import StatedNeighbours
from vqbench.evaluation.bench import Bench
from vqbench.numerics.arrays import Bools, Floats, Ints, Numbers
from vqbench.search.scorers import Cosine
from vqbench.storage.vectors import Vectors


def agreement(data: Data, opened: Callable[[], Bench | Exception]) -> dict[str, Any] | None:
    """Compare the nearest rows that a file states with ours.

    A neighbour is right if its true cosine is at least our k-th best less ``tolerance``, and no entry before it names
    the same row for its query; so rows that tie count as right in any order. k is the depth of our search or of the
    file's lists, whichever is less. Entries of -1 (and the largest number of an unsigned type) fill up short lists:
    they are counted, and not compared.

    The tolerance: both cosines were once compared as products of float32, each within ``Cosine.error`` of the true
    one, which also covers the rounding of rows and of stored distances. So a file that is right may prefer a row whose
    cosine is lower by two such errors. A squared Euclidean distance of unit vectors is 2 - 2 cos and is summed from
    terms twice as large: four. Lengths that differ from 1 by at most e move what such a distance says of a cosine
    by at most 2 e, for each of the two.

    Args:
        opened: the search, or why there is none; called only where the file's distance ranks as ours does.

    Returns:
        What meta.json says of it; None where the file states no neighbours, or there is no search.
    """
    given = data.stated_neighbours
    if given is None:
        return None
    obstacle, off = (given.obstacle, 0.0) if given.obstacle else _ranks_otherwise(data.corpus, given)
    if obstacle:
        return {"checked": False, "sentence": f"neighbors in the file were not compared with ours: {obstacle}"}
    tolerance = (2 if kind_of(given.distance) in ("cosine", "dot") else 4) * Cosine().error(data.corpus.d) + 4 * off
    bench = opened()
    if isinstance(bench, Exception):
        return None
    return {"checked": True, "distance": given.distance, "tolerance": tolerance, **_compared(given, bench, tolerance)}


def _ranks_otherwise(corpus: Vectors, given: StatedNeighbours) -> tuple[str, float]:
    """Why the file's distance ranks otherwise than cosine, or nothing and how far lengths lie from 1."""
    if not given.distance:
        return "the file has no attribute 'distance' that says how they were found", 0.0
    kind, name = kind_of(given.distance), ascii(given.distance[:40]).strip("'")
    if kind == "cosine":
        return "", 0.0
    if not kind:
        return f"they were found by {name} distance, ours by cosine", 0.0
    assert given.lengths_q is not None
    off = float(np.abs(given.lengths_q - 1).max(initial=0))
    off = off if off > UNIT else max(off, off_unit(corpus))
    if off > UNIT:
        return f"they were found by {name} distance of vectors that are not of unit length, ours by cosine", off
    return "", off


@dataclass(frozen=True)
class _Entries:
    """The entries of a file's lists, up to our depth, against our search.

    rows_qk: row numbers as ours count. stated_qk, within_qk, first_qk, right_qk: whether an entry is none that only
    fills up its list, names a row of the corpus, is the first of its query that names it, and is right.
    """

    rows_qk: Ints
    stated_qk: Bools
    within_qk: Bools
    first_qk: Bools
    cosines_qk: Floats
    right_qk: Bools

    @classmethod
    def of(cls, numbers_qk: Numbers, begins: int, bench: Bench, least_q1: Floats, tolerance: float) -> _Entries:
        """begins: the number of the first row in the file."""
        n, most = bench.data.corpus.n, np.iinfo(numbers_qk.dtype).max
        filler = most if numbers_qk.dtype.kind == "u" and most > n else -1
        stated_qk = numbers_qk != filler
        within_qk = stated_qk & (numbers_qk >= begins) & (numbers_qk < n + begins)
        rows_qk = np.where(within_qk, numbers_qk, begins).astype(np.int64) - begins
        query_f = np.repeat(np.arange(len(rows_qk)), rows_qk.shape[1])
        cosines_qk = bench.search.pairs(query_f, rows_qk.ravel()).reshape(rows_qk.shape)
        first_qk = _first_of_each(np.where(within_qk, rows_qk, n + np.arange(rows_qk.shape[1])))
        right_qk = within_qk & first_qk & (cosines_qk >= least_q1 - tolerance)
        return cls(rows_qk, stated_qk, within_qk, first_qk, cosines_qk, right_qk)


def _compared(given: StatedNeighbours, bench: Bench, tolerance: float) -> dict[str, Any]:
    assert given.neighbours_qk is not None
    best_qk = bench.truth.hits.scores_qk
    k = min(given.neighbours_qk.shape[1], best_qk.shape[1])
    numbers_qk, least_q1 = np.asarray(given.neighbours_qk[:])[:, :k], best_qk[:, k - 1 : k]
    begins, entries = 0, _Entries.of(numbers_qk, 0, bench, least_q1, tolerance)
    count = int(entries.stated_qk.sum())
    if not entries.right_qk[entries.stated_qk].all() and not (numbers_qk == 0).any():
        from_one = _Entries.of(numbers_qk, 1, bench, least_q1, tolerance)
        if from_one.right_qk.sum() > max(entries.right_qk.sum(), count // 2):
            begins, entries = 1, from_one
    wrong_qk = entries.stated_qk & ~entries.right_qk
    wrong_q = np.flatnonzero(wrong_qk.any(axis=1))
    at_q = given.at_q if given.at_q is not None else np.arange(len(numbers_qk))
    first = None
    if len(wrong_q):
        query = int(wrong_q[np.argmin(at_q[wrong_q])])  # the first one in the file, in any order of the draw
        rank = int(np.flatnonzero(wrong_qk[query])[0])
        first = {
            "query": int(at_q[query]),
            "place": rank,
            "row": int(numbers_qk[query, rank]),
            "cosine": float(entries.cosines_qk[query, rank]) if entries.within_qk[query, rank] else None,
            "least": float(least_q1[query, 0]),
        }
    outcome: dict[str, Any] = {
        "k": k,
        "queries": len(numbers_qk),
        "entries": count,
        "right": int(entries.right_qk.sum()),
        "padding": numbers_qk.size - count,
        "repeated": int((entries.within_qk & ~entries.first_qk).sum()),
        "beyond": int((entries.stated_qk & ~entries.within_qk).sum()),
        "rows_begin_at": begins,
        "queries_with_wrong": len(wrong_q),
        "first_wrong": first,
        **_distances(given, entries, tolerance),
    }
    return {**outcome, "sentence": _sentence(outcome)}


def _distances(given: StatedNeighbours, entries: _Entries, tolerance: float) -> dict[str, Any]:
    """How far the file's distances lie from those of the rows it names; conventions differ for inner products."""
    kind = kind_of(given.distance)
    if given.distances_obstacle:
        return {"distances_off": None, "distances_obstacle": given.distances_obstacle}
    if given.distances_qk is None or kind == "dot":
        return {"distances_off": None}
    far_qk = np.asarray(given.distances_qk[:], dtype=np.float64)[:, : entries.rows_qk.shape[1]]
    finite_qk = np.isfinite(far_qk)
    with np.errstate(over="ignore", invalid="ignore"):
        stated_qk = 1 - {"cosine": far_qk, "euclidean": far_qk**2 / 2, "squared": far_qk / 2}[kind]
        off_f = np.abs(stated_qk - entries.cosines_qk)[entries.within_qk & finite_qk]
    return {
        "distances_off": float(off_f.max()) if len(off_f) and np.isfinite(off_f).all() else None,
        "distances_right": bool((off_f <= tolerance).all()),
        "distances_not_finite": int((entries.within_qk & ~finite_qk).sum()),
    }


def _first_of_each(rows_qk: Ints) -> Bools:
    """Whether an entry is the first of its query that names this row, ``(q, k)``."""
    named_f = (rows_qk + np.arange(len(rows_qk))[:, None] * (rows_qk.max(initial=0) + 1)).ravel()
    first_f = np.zeros(rows_qk.size, dtype=bool)
    first_f[np.unique(named_f, return_index=True)[1]] = True
    return first_f.reshape(rows_qk.shape)


def _sentence(outcome: dict[str, Any]) -> str:
    k, entries, right, first = (outcome[key] for key in ("k", "entries", "right", "first_wrong"))
    text = f"neighbors in the file: all {entries:,} are in our top {k}, as far as float32 can tell"
    if not entries:
        text = "neighbors in the file: none is stated"
    if first is not None:
        percent = min(99.999, 100 * right / entries)  # never a round 100 for less than all
        wrong = "for a second time"
        if first["cosine"] is None:
            wrong = "which is no row of the corpus"
        elif first["cosine"] < first["least"]:
            wrong = f"of cosine {first['cosine']:.6f}; our top {k} ends at {first['least']:.6f}"
        text = (
            f"neighbors in the file: {percent:.{1 if percent < 99.9 else 3}f} % of {entries:,} are in our top {k}, "
            f"{outcome['queries_with_wrong']:,} of {outcome['queries']:,} queries disagree. The first is query "
            f"{first['query']}: at place {first['place']} it has row {first['row']} {wrong}"
        )
    return text + "".join(f". {remark}" for remark in _remarks(outcome))


def _remarks(outcome: dict[str, Any]) -> Iterator[str]:
    """What else is worth knowing of the lists and their distances, a sentence each."""
    counted = {"padding": "fill up short lists (-1)", "repeated": "repeat a row", "beyond": "name no row of the corpus"}
    counts = [f"{outcome[key]:,} {words}" for key, words in counted.items() if outcome[key]]
    if counts:
        yield f"Of {outcome['entries'] + outcome['padding']:,} entries, {', '.join(counts)}"
    if outcome["rows_begin_at"]:
        yield "The file counts the rows from 1"
    if outcome.get("distances_obstacle"):
        yield f"The distances were not compared: {outcome['distances_obstacle']}"
    if outcome.get("distances_not_finite"):
        yield f"{outcome['distances_not_finite']:,} of the distances are NaN or infinite"
    if outcome.get("distances_right") is False:
        off = outcome["distances_off"]
        how = "" if off is None else f": as cosines they are off by up to {off:.3g}"
        yield f"The distances are not those of these rows{how}"
