"""The Python API: ``evaluate`` and the three searches, for notebooks and scripts, without configs or files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vqbench.datasets.base import QueryMode, Source
from vqbench.datasets.prepare import prepare
from vqbench.errors import VqbenchError
from vqbench.evaluation.bench import open_bench
from vqbench.evaluation.cell import evaluate_variant
from vqbench.evaluation.settings import Settings
from vqbench.metrics.base import Metric
from vqbench.metrics.overlap import Overlap, Recall
from vqbench.numerics.arrays import Codes, Floats, Ints, Rows, as_float32
from vqbench.numerics.kernels.choice import Kernels, working
from vqbench.quantizers.base import Codec, Similarity
from vqbench.quantizers.variant import Variant
from vqbench.results.columns import labelled
from vqbench.search.parallel.base import Parallel
from vqbench.search.scorers import Cosine
from vqbench.search.similarity import CodeArray, code_search, hamming_search
from vqbench.search.topk import Hits, Search
from vqbench.storage.vectors import Vectors
from vqbench.text import shortened


def evaluate(
    corpus_nd: NDArray[np.generic],
    queries_qd: NDArray[np.generic] | None = None,
    *,
    variants: Mapping[str, Variant],
    k: int | Sequence[int] = (10,),
    oversample: int | Sequence[int] = (0,),
    metrics: Sequence[Metric] = (Overlap(), Recall()),
    ids: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    queries: QueryMode | None = None,
    n_queries: int | None = None,
    normalize: bool = True,
    seed: int = 0,
    parallel: Parallel | None = None,
    threads: int | None = None,
    kernels: Kernels | None = None,
) -> pd.DataFrame:
    """The tidy table of metrics.csv for vectors in memory.

    corpus_nd: ``(n, d)`` real numbers. queries_qd: ``(q, d)``; without them each corpus row is a query
    (``queries="self"``), left out of its own result, or rows are held out (``"holdout"``). groups: the group of each
    query (of each row where rows are the queries); intervals then count groups. parallel: who searches, as in
    ``vqbench.search.parallel.loky.Loky(workers=4)``; none: this process. threads: so many work at a time in this process,
    BLAS' own included; none: one on each processor. kernels: ``numba`` (compiled, extra fast), ``numpy``, or ``auto``:
    compiled where that is worth it; none: what VQBENCH_KERNELS says, else auto. None of these three changes a result.
    Raises VqbenchError where vectors, k or a variant do not fit.
    """
    _check(variants)
    queries_qd = _checked_queries(queries_qd, corpus_nd)
    source = Source(
        "corpus_nd",
        np.asarray(corpus_nd),
        None if ids is None else [*map(str, ids)],
        queries_qd,
        groups=None if groups is None else [*map(str, groups)],
    )
    ks, factors = ([x] if isinstance(x, int) else sorted(x) for x in (k, oversample))
    settings = Settings(ks, factors, metrics)
    with working(threads=threads, kernels=kernels):
        data = prepare(source, "array", queries=queries, n_queries=n_queries, normalize=normalize)
        with nullcontext() if parallel is None else parallel.open() as spread:
            bench = open_bench(data, settings, spread=spread)
            tables = [
                labelled(
                    evaluate_variant(bench, variant, seed, settings).metrics, data.name, name, variant.similarity, seed
                )
                for name, variant in variants.items()
            ]
    return pd.concat(tables, ignore_index=True)


def _check(variants: object) -> None:
    if not isinstance(variants, Mapping):
        raise VqbenchError("variants: needs a dict of names and vqbench.Variant(...), as in {'binary': Variant(...)}")
    for name, variant in variants.items():
        if not isinstance(variant, Variant):
            raise VqbenchError(f"variants[{name!r}] is a {type(variant).__name__}: wrap it in vqbench.Variant(...)")
    if not variants:
        raise VqbenchError("variants is empty: name at least one")


def _checked_queries(queries_qd: object, corpus_nd: object) -> NDArray[np.generic] | None:
    """The queries as an array that can meet the corpus. Raises VqbenchError."""
    if queries_qd is None:
        return None
    if isinstance(queries_qd, str):
        raise VqbenchError(
            f"queries_qd = {shortened(repr(queries_qd))}: must be an array (q, d); without one, queries='self' takes "
            "each corpus row as a query, and queries='holdout' takes rows out of the corpus"
        )
    array_qd, shape = np.asarray(queries_qd), np.shape(np.asarray(corpus_nd))
    if array_qd.ndim == 2 and len(shape) == 2 and array_qd.shape[1] != shape[1]:
        raise VqbenchError(
            f"queries_qd has {array_qd.shape[1]} dimensions, corpus_nd {shape[1]}: both must come from the same model"
        )
    return array_qd


def exact_topk(queries_qd: Floats, corpus_nd: Floats | Rows, k: int, *, exclude_q: Ints | None = None) -> Hits:
    """The ``k`` corpus rows of the highest cosine with each query. All are read as float32, and scored in float64.

    queries_qd: ``(q, d)``. corpus_nd: ``(n, d)``, an array (a memory map too) or ``Vectors``.
    exclude_q: for each query a row that it may not find, or -1.
    Raises VqbenchError where shapes or ``k`` do not fit.
    """
    queries_qd = as_float32(np.asarray(queries_qd))
    rows = Vectors(corpus_nd, normalize=False) if isinstance(corpus_nd, np.ndarray) else corpus_nd
    _check_shapes(queries_qd, rows.n, rows.d, k, exclude_q)
    return Search(queries_qd, rows, Cosine(), _rows(exclude_q)).top(k)


def code_topk(
    codec: Codec,
    queries_qd: Floats,
    codes_nb: Codes,
    k: int,
    *,
    similarity: Similarity = "decoded",
    exclude_q: Ints | None = None,
) -> Hits:
    """The ``k`` codes ``(n, code_bytes)`` nearest to each float query ``(q, d)`` under a similarity."""
    queries_qd, codes_nb = np.asarray(queries_qd), np.asarray(codes_nb)
    _check_shapes(queries_qd, len(codes_nb), codec.d, k, exclude_q)
    width = codec.ledger().total("vector")
    if codes_nb.ndim != 2 or codes_nb.shape[1] != width or codes_nb.dtype != np.uint8:
        raise VqbenchError(f"codes are {codes_nb.dtype} {codes_nb.shape}: this codec needs uint8 (n, {width:.0f})")
    search = code_search(codec, queries_qd, CodeArray(codes_nb), similarity)
    return replace(search, exclude_q=_rows(exclude_q)).top(k)


def hamming_topk(
    query_codes_qb: Codes, codes_nb: Codes, k: int, *, d: int | None = None, exclude_q: Ints | None = None
) -> Hits:
    """The ``k`` packed codes with the fewest differing bits; scores are minus that number.

    d: bits in use (default: all of them); padding beyond ``d`` does not count.
    """
    for name, codes in (("query_codes_qb", query_codes_qb), ("codes_nb", codes_nb)):
        if not isinstance(codes, np.ndarray) or codes.ndim != 2 or codes.dtype != np.uint8:
            raise VqbenchError(
                f"{name}: needs packed bits, a two-dimensional array of uint8, as numpy.packbits makes it"
            )
    bits = 8 * codes_nb.shape[1] if d is None else d
    if query_codes_qb.shape[1] != codes_nb.shape[1] or not 0 < bits <= 8 * codes_nb.shape[1]:
        raise VqbenchError(
            f"queries have {query_codes_qb.shape[1]} bytes, codes {codes_nb.shape[1]}, d = {bits}: "
            "both must have the same number of bytes, and d fit into it"
        )
    _check_shapes(query_codes_qb, len(codes_nb), query_codes_qb.shape[1], k, exclude_q)
    search = hamming_search(query_codes_qb, CodeArray(codes_nb), bits)
    return replace(search, exclude_q=_rows(exclude_q)).top(k)


def _rows(exclude_q: Ints | None) -> Ints | None:
    return None if exclude_q is None else np.asarray(exclude_q, dtype=np.int64)


def _check_shapes(queries: Floats | Codes, n: int, width: int, k: int, exclude_q: Ints | None) -> None:
    if queries.ndim != 2 or queries.shape[1] != width:
        raise VqbenchError(f"queries have shape {queries.shape}, the corpus needs (q, {width})")
    if exclude_q is not None and np.shape(exclude_q) != (len(queries),):
        raise VqbenchError(f"exclude_q has shape {np.shape(exclude_q)}: give one row number, or -1, for each query")
    found = n - (exclude_q is not None)
    if not 1 <= k <= found:
        raise VqbenchError(f"k = {k}: it must be between 1 and {found}, the rows that a query can find")
