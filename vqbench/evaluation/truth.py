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

#: Part of every cache key: raise it when truth would come out differently for the same data.
ARITHMETIC = 3
_ARRAYS = ("ids", "scores", "dropped", "tied_query", "tied_row")


@dataclass(frozen=True)
class Truth:
    """The float top k of each query, and the documents that metrics ask about.

    The flat arrays (``_f``) are sorted by query, then true score and priority: every row that reaches the k-th true
    score, however many, and every judged row.
    """

    hits: Hits
    query_f: Ints
    row_f: Ints
    true_f: Floats
    gain_f: Floats
    placed: Placement  #: places of the documents in the float ranking


def find_truth(data: Data, k: int, *, search: Search, cache: Path | None, cache_mb: float = 2048) -> Truth:
    """Compute exact cosines over all rows, or read the same from the cache.

    Args:
        search: a cosine search of the corpus.
        cache: the folder of the cache; None: no cache.
        cache_mb: the files unused for longest are removed beyond this size.
    """
    path = None if cache is None else cache / f"truth-{_key(data, k)}.npz"
    stored: dict[str, Any] | None = _read(path)
    if stored is None:
        hits = search.top(k)
        tied = np.flatnonzero(hits.dropped_ties_q)
        query_f, row_f, _ = search.at_least(tied, hits.scores_qk[:, -1])
        stored = dict[str, Any](zip(_ARRAYS, (*vars(hits).values(), query_f, row_f), strict=True))
        if path is not None:
            _write(path, stored, cache_mb)
    hits = Hits(stored["ids"], stored["scores"], stored["dropped"])
    return _with_documents(data, hits, stored["tied_query"], stored["tied_row"], search)


def _with_documents(data: Data, hits: Hits, tied_query_f: Ints, tied_row_f: Ints, search: Search) -> Truth:
    q, k = hits.ids_qk.shape
    n, qrels = data.corpus.n, data.qrels
    pairs = [np.repeat(np.arange(q), k) * n + hits.ids_qk.ravel(), tied_query_f * n + tied_row_f]
    if qrels is not None:
        pairs.append(qrels.query_f * n + qrels.row_f)
    pair_f = np.unique(np.concatenate(pairs))
    gain_f = np.zeros(len(pair_f))
    if qrels is not None:
        gain_f[np.searchsorted(pair_f, pairs[-1])] = qrels.gain_f
    query_f, row_f = np.divmod(pair_f, n)
    if data.exclude_q is not None:  # a query's own row may be judged, but it is never found
        kept_f = data.exclude_q[query_f] != row_f
        query_f, row_f, gain_f = query_f[kept_f], row_f[kept_f], gain_f[kept_f]
    true_f = search.pairs(query_f, row_f)
    assert search.priority_n is not None
    order_f = np.lexsort((search.priority_n[row_f], -true_f, query_f))
    query_f, row_f, true_f = query_f[order_f], row_f[order_f], true_f[order_f]
    return Truth(hits, query_f, row_f, true_f, gain_f[order_f], place(hits, query_f, true_f))


def _key(data: Data, k: int) -> str:
    settings = f"{ARITHMETIC} {SCORE_DECIMALS} {Cosine()} {data.corpus.normalize} {k} {data.fingerprint}"
    return hashlib.sha256(settings.encode()).hexdigest()[:40]


def _read(path: Path | None) -> dict[str, np.ndarray] | None:
    if path is None or not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in _ARRAYS}
    except Exception:  # whatever is wrong with a cache file, the remedy is to compute it again
        return None
    with contextlib.suppress(OSError):  # a cache of others may be read, though not touched
        os.utime(path)
    return arrays


def _write(path: Path, arrays: dict[str, np.ndarray], cache_mb: float) -> None:
    """Write it whole; drop the files unused for longest beyond the size cap."""
    with contextlib.suppress(OSError, VqbenchError):  # a cache that cannot be written costs time, not results
        write_atomically(path, lambda file: np.savez(file, **arrays))  # pyright: ignore[reportArgumentType]
        files = sorted(path.parent.glob("truth-*.npz"), key=lambda f: f.stat().st_mtime, reverse=True)
        total = 0.0
        for file in files:
            total += file.stat().st_size / 2**20
            if total > cache_mb and file != path:
                file.unlink(missing_ok=True)
