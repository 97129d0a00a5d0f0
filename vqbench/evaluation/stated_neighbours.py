"""The nearest rows that a file states, against those of our own float search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vqbench.datasets.base import Data
from vqbench.datasets.stated_neighbours import StatedNeighbours
from vqbench.evaluation.bench import Bench
from vqbench.numerics.arrays import Bools, Ints, block_rows, blocks, row_norms
from vqbench.search.scorers import Cosine
from vqbench.storage.vectors import Vectors

_BLOCK = 8192  # rows at a time
#: Words for what a file measured. The second kind ranks as cosine does only where all vectors have unit length.
_COSINE, _EUCLIDEAN, _INNER = ("angular", "cosine"), ("euclidean", "l2"), ("dot", "ip", "inner_product")
#: How far from 1 a length may lie that float32 arithmetic has made 1.
_UNIT = 1e-5


def agreement(data: Data, opened: Callable[[], Bench | Exception]) -> dict[str, Any] | None:
    """Compare the nearest rows that a file states with ours.

    A neighbour is right if its true cosine is at least our k-th best less ``tolerance``, and no other entry of its
    query names the same row; so rows that tie count as right in any order. k is the depth of our search or of the
    file's lists, whichever is less.

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
    tolerance = (4 if given.distance in _EUCLIDEAN else 2) * Cosine().error(data.corpus.d) + 4 * off
    bench = opened()
    if isinstance(bench, Exception):
        return None
    return {"checked": True, "distance": given.distance, "tolerance": tolerance, **_compared(given, bench, tolerance)}


def _ranks_otherwise(corpus: Vectors, given: StatedNeighbours) -> tuple[str, float]:
    """Why the file's distance ranks otherwise than cosine, or nothing and how far lengths lie from 1."""
    if given.distance in _COSINE:
        return "", 0.0
    if not given.distance:
        return "the file has no attribute 'distance' that says how they were found", 0.0
    name = ascii(given.distance[:40]).strip("'")
    if given.distance not in (*_EUCLIDEAN, *_INNER):
        return f"they were found by {name} distance, ours by cosine", 0.0
    assert given.lengths_q is not None
    off = float(np.abs(given.lengths_q - 1).max(initial=0))
    for start, stop in blocks(corpus.n, block_rows(corpus.d, _BLOCK)):
        if off > _UNIT:
            return f"they were found by {name} distance of vectors that are not of unit length, ours by cosine", off
        off = max(off, float(np.abs(row_norms(corpus.raw(start, stop)) - 1).max()))
    return "", off


def _compared(given: StatedNeighbours, bench: Bench, tolerance: float) -> dict[str, Any]:
    best_qk = bench.truth.hits.scores_qk
    k = min(given.neighbours_qk.shape[1], best_qk.shape[1])
    rows_qk = np.asarray(given.neighbours_qk[:], dtype=np.int64)[:, :k]
    query_f = np.repeat(np.arange(len(rows_qk)), k)
    true_qk = bench.search.pairs(query_f, rows_qk.ravel()).reshape(rows_qk.shape)
    right_qk = (true_qk >= best_qk[:, k - 1 : k] - tolerance) & _first_of_each(rows_qk)
    wrong_q = np.flatnonzero(~right_qk.all(axis=1))
    numbers_q = given.at_q if given.at_q is not None else np.arange(len(rows_qk))
    first = None
    if len(wrong_q):
        query = int(wrong_q[np.argmin(numbers_q[wrong_q])])  # the first one in the file, in any order of the draw
        rank = int(np.flatnonzero(~right_qk[query])[0])
        first = {
            "query": int(numbers_q[query]),
            "place": rank,
            "row": int(rows_qk[query, rank]),
            "cosine": float(true_qk[query, rank]),
            "least": float(best_qk[query, k - 1]),
        }
    outcome: dict[str, Any] = {
        "k": k,
        "queries": len(rows_qk),
        "entries": rows_qk.size,
        "right": int(right_qk.sum()),
        "queries_with_wrong": len(wrong_q),
        "first_wrong": first,
        "distances_off": None,
    }
    # The cosines that the file's distances stand for; conventions differ for inner products.
    if given.distances_qk is not None and given.distance not in _INNER:
        distances_qk = np.asarray(given.distances_qk[:], dtype=np.float64)[:, :k]
        off_qk = np.abs(1 - (distances_qk if given.distance in _COSINE else distances_qk**2 / 2) - true_qk)
        outcome["distances_off"] = float(off_qk.max()) if np.isfinite(off_qk).all() else None
        outcome["distances_right"] = bool((off_qk <= tolerance).all())  # a NaN is not
    return {**outcome, "sentence": _sentence(outcome)}


def _first_of_each(rows_qk: Ints) -> Bools:
    """Whether an entry is the first of its query that names this row, ``(q, k)``."""
    named_f = (rows_qk + np.arange(len(rows_qk))[:, None] * (rows_qk.max(initial=0) + 1)).ravel()
    first_f = np.zeros(rows_qk.size, dtype=bool)
    first_f[np.unique(named_f, return_index=True)[1]] = True
    return first_f.reshape(rows_qk.shape)


def _sentence(outcome: dict[str, Any]) -> str:
    k, entries, right, first = (outcome[key] for key in ("k", "entries", "right", "first_wrong"))
    text = f"neighbors in the file: all {entries:,} are in our top {k}, as far as float32 can tell"
    if first is not None:
        percent = min(99.999, 100 * right / entries)  # never a round 100 for less than all
        wrong = "for a second time"
        if first["cosine"] < first["least"]:
            wrong = f"of cosine {first['cosine']:.6f}; our top {k} ends at {first['least']:.6f}"
        text = (
            f"neighbors in the file: {percent:.{1 if percent < 99.9 else 3}f} % of {entries:,} are in our top {k}, "
            f"{outcome['queries_with_wrong']:,} of {outcome['queries']:,} queries disagree. The first is query "
            f"{first['query']}: at place {first['place']} it has row {first['row']} {wrong}"
        )
    if outcome.get("distances_right") is False:
        off = outcome["distances_off"]
        how = "some are no finite numbers" if off is None else f"as cosines they are off by up to {off:.3g}"
        text += f". The distances are not those of these rows: {how}"
    return text
