"""The three searches of the Python API."""

from __future__ import annotations

import numpy as np

from vqbench.arrays import Codes, Floats, Ints, Rows, Vectors, as_float32
from vqbench.errors import VqbenchError
from vqbench.quantizers.base import Codec
from vqbench.search.measure import Cosine
from vqbench.search.similarity import CodeArray, Similarity, hamming_sides, meet
from vqbench.search.topk import Hits, Search


def exact_topk(queries_qd: Floats, corpus_nd: Floats | Rows, k: int, *, exclude_q: Ints | None = None) -> Hits:
    """The ``k`` corpus rows of the highest cosine with each query. All are read as float32, and scored in float64.

    queries_qd: ``(q, d)``. corpus_nd: ``(n, d)``, an array (a memory map too) or ``Vectors``.
    exclude_q: for each query a row that it may not find, or -1.
    Raises VqbenchError where shapes or ``k`` do not fit.
    """
    queries_qd = as_float32(np.asarray(queries_qd))
    rows = Vectors(corpus_nd, normalize=False) if isinstance(corpus_nd, np.ndarray) else corpus_nd
    _check(queries_qd, rows.n, rows.d, k, exclude_q)
    return Search(rows, Cosine(), _rows(exclude_q)).top(queries_qd, k)


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
    _check(queries_qd, len(codes_nb), codec.d, k, exclude_q)
    width = codec.ledger().total("vector")
    if codes_nb.ndim != 2 or codes_nb.shape[1] != width or codes_nb.dtype != np.uint8:
        raise VqbenchError(f"codes are {codes_nb.dtype} {codes_nb.shape}: this codec needs uint8 (n, {width:.0f})")
    sides = meet(codec, queries_qd, CodeArray(codes_nb), similarity)
    return Search(sides.rows, sides.measure, _rows(exclude_q)).top(sides.queries_qd, k)


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
    _check(query_codes_qb, len(codes_nb), query_codes_qb.shape[1], k, exclude_q)
    sides = hamming_sides(query_codes_qb, CodeArray(codes_nb), bits)
    return Search(sides.rows, sides.measure, _rows(exclude_q)).top(sides.queries_qd, k)


def _rows(exclude_q: Ints | None) -> Ints | None:
    return None if exclude_q is None else np.asarray(exclude_q, dtype=np.int64)


def _check(queries: Floats | Codes, n: int, width: int, k: int, exclude_q: Ints | None) -> None:
    if queries.ndim != 2 or queries.shape[1] != width:
        raise VqbenchError(f"queries have shape {queries.shape}, the corpus needs (q, {width})")
    if exclude_q is not None and np.shape(exclude_q) != (len(queries),):
        raise VqbenchError(f"exclude_q has shape {np.shape(exclude_q)}: give one row number, or -1, for each query")
    found = n - (exclude_q is not None)
    if not 1 <= k <= found:
        raise VqbenchError(f"k = {k}: it must be between 1 and {found}, the rows that a query can find")
