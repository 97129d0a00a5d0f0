"""Small trials of variants on a sample that is its own corpus.

A number that describes vectors (a mean, a spectrum) says what could go wrong. A trial shows whether it does, so no
check suggests what these vectors do not support. The overlap on a few thousand rows is higher than on many, but the
same variant is ahead.
"""

from __future__ import annotations

import numpy as np

from vqbench.numerics.arrays import Bools, Floats, row_norms
from vqbench.quantizers.variant import Variant
from vqbench.search.scorers import Cosine, Hamming
from vqbench.search.similarity import CodeArray, code_search

K = 10
_DECIMALS = 9  # of scores: coarser than the rounding of any sum, so that threads and blocks do not show


def cosines(queries_qd: Floats, rows_md: Floats) -> Floats:
    """Cosines ``(q, m)`` in float64, rounded, of every query with every row; 0 with a row of zeros."""
    rows_md, same = _unit(rows_md), queries_qd is rows_md
    cosines_qm = (rows_md if same else _unit(queries_qd)) @ rows_md.T  # of one set with itself, BLAS does half the work
    return np.round(cosines_qm, _DECIMALS, out=cosines_qm)


def _unit(x_nd: Floats) -> Floats:
    norms_n = row_norms(x_nd)
    return np.asarray(x_nd, dtype=np.float64) / np.where(norms_n == 0, 1, norms_n)[:, None]


def code_scores(variant: Variant, rows_md: Floats, queries_qd: Floats) -> Floats:
    """Scores ``(q, m)`` under a variant that is fitted to the rows and encodes them."""
    codec = variant.fit(rows_md, 0)
    search = code_search(codec, queries_qd, CodeArray(codec.encode(rows_md)), variant.similarity)
    rows_mw, queries_qw, scorer = search.rows.block(0, search.rows.n), search.queries_qd, search.scorer
    if isinstance(scorer, Cosine):
        return cosines(queries_qw, rows_mw)
    if isinstance(scorer, Hamming):  # bits as -1 and 1, whose products order as distances do
        rows_mw, queries_qw = scorer.prepare(rows_mw), scorer.prepare(queries_qw)
    reach = getattr(scorer, "reach", 1.0) or 1.0
    return np.round(queries_qw.astype(np.float64) @ rows_mw.T.astype(np.float64) / reach, _DECIMALS)


def relevant(true_qm: Floats, k: int = K) -> Bools:
    """Which rows have one of the ``k`` best true scores, or tie with the last of them, ``(q, m)``."""
    return true_qm >= np.partition(true_qm, -k, axis=1)[:, -k, None]


def overlaps(true_qm: Floats, code_qm: Floats, relevant_qm: Bools, k: int = K) -> Floats:
    """Expected overlap@k of each query ``(q,)`` over all ways of breaking ties, as the metric of that name.

    Args:
        true_qm: true scores; -inf for a row that a query may not find.
        code_qm: scores of the codes.
        relevant_qm: ``relevant`` of the true scores.
        k: ranks.
    """
    code_qm = np.where(np.isneginf(true_qm), -np.inf, code_qm)
    edge_q1 = np.partition(code_qm, -k, axis=1)[:, -k, None]
    above_qm, tied_qm = code_qm > edge_q1, code_qm == edge_q1
    open_q = k - above_qm.sum(axis=1)
    sure_q = (relevant_qm & above_qm).sum(axis=1)
    return (sure_q + (relevant_qm & tied_qm).sum(axis=1) * open_q / tied_qm.sum(axis=1)) / k
