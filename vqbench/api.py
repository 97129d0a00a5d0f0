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
from vqbench.metrics.overlap import Overlap, Top1
from vqbench.numerics.arrays import Codes, Floats, Ints, Rows, as_float32
from vqbench.numerics.kernels.choice import Kernels, working
from vqbench.quantizers.base import Codec, Similarity
from vqbench.quantizers.variant import Variant
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
    metrics: Sequence[Metric] = (Overlap(), Top1()),
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
    """Evaluate variants on vectors in memory.

    Args:
        corpus_nd: ``(n, d)`` real numbers.
        queries_qd: ``(q, d)``; None: ``queries`` says which corpus rows are queries.
        variants: by the names that the table shall show.
        k: ranks.
        oversample: 0: no rescoring, else ``k * oversample`` candidates are put in float order.
        metrics: frozen specs, as in ``vqbench.metrics``.
        ids: of the rows; None: their numbers.
        groups: of each query, or of each row where rows are the queries; intervals then count groups.
        queries: ``"self"`` (each row, left out of its own result; the default) or ``"holdout"`` (rows are taken out).
        n_queries: so many are drawn by id; None: all.
        normalize: bring rows to unit length first.
        seed: drives calibration draws and every random choice of a quantizer.
        parallel: who searches, as in ``vqbench.search.parallel.loky.Loky(workers=4)``; None: this process. It changes
            no result, nor do the next two.
        threads: so many work at a time in this process, BLAS' own included; None: one on each processor.
        kernels: ``"numba"`` (compiled, extra fast), ``"numpy"``, or ``"auto"``: compiled where that is worth it;
            None: what VQBENCH_KERNELS says, else auto.

    Returns:
        The tidy table of metrics.csv.

    Raises:
        VqbenchError: vectors, k or a variant do not fit.

    >>> import numpy as np, vqbench
    >>> from vqbench.quantizers.binary import Binary
    >>> corpus_nd = np.random.default_rng(0).normal(size=(200, 32))
    >>> variants = {"binary": vqbench.Variant(quantizer=Binary(threshold="mean"), similarity="hamming")}
    >>> table = vqbench.evaluate(corpus_nd, variants=variants, k=10)
    >>> table[["metric", "k", "bytes_per_vector"]].values.tolist()
    [['overlap', 10, 4.04], ['top1', 10, 4.04]]
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
            tables = []
            for name, variant in variants.items():
                cell = evaluate_variant(bench, variant, seed, settings)
                about = {"dataset": data.name, "variant": name, "similarity": variant.similarity, "seed": seed}
                tables.append(cell.labelled(**about))
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
    """Find the ``k`` corpus rows of the highest cosine with each query.

    Args:
        queries_qd: ``(q, d)``, read as float32 and scored in float64.
        corpus_nd: ``(n, d)``, an array (a memory map too) or ``Vectors``.
        exclude_q: for each query a row that it may not find, or -1.

    Returns:
        Rows, scores and dropped ties of each query, best first.

    Raises:
        VqbenchError: shapes or ``k`` do not fit.

    >>> import numpy as np, vqbench
    >>> vqbench.exact_topk(np.eye(2), np.eye(3, 2) + 1, k=1).ids_qk.tolist()
    [[0], [1]]
    """
    queries_qd = as_float32(np.asarray(queries_qd))
    rows = Vectors(corpus_nd, normalize=False) if isinstance(corpus_nd, np.ndarray) else corpus_nd
    own_q = _checked(queries_qd, rows.n, rows.d, k, exclude_q)
    return Search(queries_qd, rows, Cosine(), own_q).top(k)


def code_topk(
    codec: Codec,
    queries_qd: Floats,
    codes_nb: Codes,
    k: int,
    *,
    similarity: Similarity = "decoded",
    exclude_q: Ints | None = None,
) -> Hits:
    """Find the ``k`` codes nearest to each float query.

    Args:
        codec: what ``quantizer.fit`` or ``variant.fit`` returned.
        queries_qd: ``(q, d)``.
        codes_nb: ``(n, code_bytes)`` uint8, what ``codec.encode`` returned.
        similarity: how a query is compared with codes; see ``vqbench.search.similarity.code_search``.
        exclude_q: for each query a row that it may not find, or -1.

    Raises:
        VqbenchError: shapes or ``k`` do not fit.
        NotApplicableError: the codec has no such similarity.

    >>> import numpy as np, vqbench
    >>> from vqbench.quantizers.binary import Binary
    >>> x_nd = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    >>> codec = Binary().fit(x_nd, np.random.default_rng(0))
    >>> vqbench.code_topk(codec, x_nd[:2], codec.encode(x_nd), k=1, similarity="hamming").scores_qk.tolist()
    [[0.0], [0.0]]
    """
    queries_qd, codes_nb = np.asarray(queries_qd), np.asarray(codes_nb)
    own_q = _checked(queries_qd, len(codes_nb), codec.d, k, exclude_q)
    width = codec.ledger().total("vector")
    if codes_nb.ndim != 2 or codes_nb.shape[1] != width or codes_nb.dtype != np.uint8:
        raise VqbenchError(f"codes are {codes_nb.dtype} {codes_nb.shape}: this codec needs uint8 (n, {width:.0f})")
    search = code_search(codec, queries_qd, CodeArray(codes_nb), similarity)
    return replace(search, exclude_q=own_q).top(k)


def hamming_topk(
    query_codes_qb: Codes, codes_nb: Codes, k: int, *, d: int | None = None, exclude_q: Ints | None = None
) -> Hits:
    """Find the ``k`` packed codes with the fewest differing bits; scores are minus that number.

    Args:
        query_codes_qb: ``(q, bytes)`` uint8, as ``numpy.packbits`` makes it.
        codes_nb: ``(n, bytes)`` uint8.
        d: bits in use; padding beyond does not count. None: all of them.
        exclude_q: for each query a row that it may not find, or -1.

    Raises:
        VqbenchError: shapes, ``d`` or ``k`` do not fit.

    >>> import numpy as np, vqbench
    >>> codes_nb = np.array([[0b00000000], [0b11110000]], dtype=np.uint8)
    >>> vqbench.hamming_topk(codes_nb[:1], codes_nb, k=2).scores_qk.tolist()
    [[0.0, -4.0]]
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
    own_q = _checked(query_codes_qb, len(codes_nb), query_codes_qb.shape[1], k, exclude_q)
    return replace(hamming_search(query_codes_qb, CodeArray(codes_nb), bits), exclude_q=own_q).top(k)


def _checked(queries: Floats | Codes, n: int, width: int, k: int, exclude_q: Ints | None) -> Ints | None:
    """The excluded rows as whole numbers. Raises VqbenchError where shapes or ``k`` do not fit."""
    if queries.ndim != 2 or queries.shape[1] != width:
        raise VqbenchError(f"queries have shape {queries.shape}, the corpus needs (q, {width})")
    if exclude_q is not None and np.shape(exclude_q) != (len(queries),):
        raise VqbenchError(f"exclude_q has shape {np.shape(exclude_q)}: give one row number, or -1, for each query")
    most = n - (exclude_q is not None)
    if not 1 <= k <= most:
        raise VqbenchError(f"k = {k}: it must be between 1 and {most}, the rows that a query can find")
    return None if exclude_q is None else np.asarray(exclude_q, dtype=np.int64)
