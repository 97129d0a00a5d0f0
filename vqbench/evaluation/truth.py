"""The exact float result of every query, cached by content, and the documents that matter to metrics."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vqbench.datasets.base import Data
from vqbench.errors import VqbenchError
from vqbench.evaluation.placement import place
from vqbench.metrics.base import Placement
from vqbench.numerics.arrays import SCORE_DECIMALS, Floats, Ints
from vqbench.search.scorers import Cosine
from vqbench.search.topk import Hits, Search
from vqbench.storage.atomic import write_atomically
from vqbench.storage.locks import remove_dead

#: Part of every cache key: raise it when truth would come out differently for the same data.
ARITHMETIC = 3
_ARRAYS = ("ids", "scores", "dropped", "tied_query", "tied_row")


@dataclass(frozen=True)
class Truth:
    """The float top k of each query, and the documents that metrics ask about.

    The flat arrays are sorted by query, then true score and priority: every row that reaches the k-th
    true score, however many, and every judged row. placed: their places in the float ranking.
    """

    hits: Hits
    query_f: Ints
    row_f: Ints
    true_f: Floats
    gain_f: Floats
    placed: Placement


def find_truth(data: Data, k: int, *, search: Search, cache: Path | None, cache_mb: float = 2048) -> Truth:
    """Exact cosines over all rows, or the same from the cache. ``search`` is a cosine search of the corpus."""
    path = None if cache is None else cache / f"truth-{_key(data, k)}.npz"
    stored: dict[str, Any] | None = _read(path)
    if stored is None:
        hits = search.top(k)
        tied = np.flatnonzero(hits.dropped_ties_q)
        query_f, row_f, _ = search.at_least(tied, hits.scores_qk[:, -1])
        found: tuple[np.ndarray, ...] = (hits.ids_qk, hits.scores_qk, hits.dropped_ties_q, query_f, row_f)
        stored = dict(zip(_ARRAYS, found, strict=True))
        if path is not None:
            _write(path, stored, cache_mb)
    hits = Hits(stored["ids"], stored["scores"], stored["dropped"])
    return _with_documents(data, hits, stored["tied_query"], stored["tied_row"], search)


def _with_documents(data: Data, hits: Hits, tied_query_f: Ints, tied_row_f: Ints, search: Search) -> Truth:
    q, k = hits.ids_qk.shape
    query = [np.repeat(np.arange(q), k), tied_query_f]
    row = [hits.ids_qk.ravel(), tied_row_f]
    if data.qrels is not None:
        query.append(data.qrels.query_f)
        row.append(data.qrels.row_f)
    pair_f = np.unique(np.concatenate(query) * data.corpus.n + np.concatenate(row))
    query_f, row_f = np.divmod(pair_f, data.corpus.n)
    if data.exclude_q is not None:  # a query's own row may be judged, but it is never found
        kept_f = data.exclude_q[query_f] != row_f
        query_f, row_f = query_f[kept_f], row_f[kept_f]
    true_f = search.pairs(query_f, row_f)
    assert search.priority_n is not None
    order_f = np.lexsort((search.priority_n[row_f], -true_f, query_f))
    query_f, row_f, true_f = query_f[order_f], row_f[order_f], true_f[order_f]
    gain_f = np.zeros(len(query_f))
    if data.qrels is not None:
        judged = dict(zip(zip(data.qrels.query_f, data.qrels.row_f, strict=True), data.qrels.gain_f, strict=True))
        gain_f = np.array([judged.get(pair, 0.0) for pair in zip(query_f, row_f, strict=True)])
    return Truth(hits, query_f, row_f, true_f, gain_f, place(hits, query_f, true_f))


def _key(data: Data, k: int) -> str:
    settings = f"{ARITHMETIC} {SCORE_DECIMALS} {Cosine()} {data.corpus.normalize} {k} {data.fingerprint}"
    return hashlib.sha256(settings.encode()).hexdigest()[:40]


def _read(path: Path | None) -> dict[str, np.ndarray] | None:
    if path is None or not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = {name: stored[name] for name in _ARRAYS}
    except Exception:  # whatever is wrong with a cache file, the remedy is to compute it again
        return None
    with contextlib.suppress(OSError):  # a cache of others may be read, though not touched
        os.utime(path)
    return found


def _write(path: Path, arrays: dict[str, np.ndarray], cache_mb: float) -> None:
    """Write it whole; drop the files unused for longest beyond the size cap, and what dead processes left."""
    with contextlib.suppress(OSError, VqbenchError):  # a cache that cannot be written costs time, not results
        write_atomically(path, lambda file: np.savez(file, **arrays))  # pyright: ignore[reportArgumentType]
        remove_dead(path.parent)
        files = sorted(path.parent.glob("truth-*.npz"), key=lambda f: f.stat().st_mtime, reverse=True)
        total = 0.0
        for file in files:
            total += file.stat().st_size / 2**20
            if total > cache_mb and file != path:
                file.unlink(missing_ok=True)
