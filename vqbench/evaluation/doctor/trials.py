"""Small trials: variants, as conf/quantizer has them, on a sample that is its own corpus.

A number that describes vectors (a mean, a spectrum) says what could go wrong; whether it does is tried, so
that no check advises what these vectors do not support. The overlap on a few thousand rows is larger than on
many; which of two settings is ahead shows there too.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vqbench.numerics.arrays import Bools, Floats, row_norms
from vqbench.quantizers.binary import Binary
from vqbench.quantizers.cast import Cast
from vqbench.quantizers.offset_int8 import OffsetInt8
from vqbench.quantizers.rabitq import RaBitQ
from vqbench.quantizers.scalar import Scalar
from vqbench.quantizers.transforms.normalize import Normalize
from vqbench.quantizers.transforms.pca import PCA
from vqbench.quantizers.transforms.rotation import Hadamard
from vqbench.quantizers.transforms.truncate import Truncate
from vqbench.quantizers.variant import Variant
from vqbench.search.scorers import Cosine, Hamming, Inner
from vqbench.search.similarity import CodeArray, code_search
from vqbench.search.topk import Search

K = 10
_DECIMALS = 9  # of scores: coarser than the rounding of any sum, so that threads and blocks cannot show

#: Variants that checks try. A test holds them to the files of the same names.
PROBES: Mapping[str, Variant] = {
    "offset_int8": Variant(quantizer=OffsetInt8()),
    "int8_minmax": Variant(quantizer=Scalar()),
    "int8_minmax_global": Variant(quantizer=Scalar(scope="global")),
    "int8_quantile": Variant(quantizer=Scalar(range="quantile", quantile=0.99)),
    "int4_minmax": Variant(quantizer=Scalar(bits=4)),
    "int4_vector": Variant(quantizer=Scalar(bits=4, scope="vector")),
    "int4_quantile": Variant(quantizer=Scalar(bits=4, range="quantile", quantile=0.99)),
    "binary_zero": Variant(quantizer=Binary(), similarity="hamming"),
    "binary_zero_decoded": Variant(quantizer=Binary()),
    "binary_mean_dimension": Variant(quantizer=Binary(threshold="mean", scope="dimension"), similarity="hamming"),
    "binary_mean_dimension_levels": Variant(quantizer=Binary(threshold="mean", scope="dimension", levels="means")),
    "binary_hadamard": Variant(transforms=(Hadamard(),), quantizer=Binary(), similarity="hamming"),
    "rabitq1_hadamard": Variant(transforms=(Normalize(), Hadamard()), quantizer=RaBitQ(bits=1), similarity="estimate"),
    "pca128_int8": Variant(transforms=(PCA(m=128), Normalize()), quantizer=OffsetInt8(), similarity="asymmetric"),
    "truncate64_float32": Variant(
        transforms=(Truncate(m=64),), quantizer=Cast(dtype="float32"), similarity="asymmetric"
    ),
    "truncate128_int8": Variant(transforms=(Truncate(m=128),), quantizer=OffsetInt8(), similarity="asymmetric"),
    "truncate256_int8": Variant(transforms=(Truncate(m=256),), quantizer=OffsetInt8(), similarity="asymmetric"),
}


def cosines(queries_qd: Floats, rows_md: Floats) -> Floats:
    """Cosines ``(q, m)`` in float64, rounded, of every query with every row; 0 with a row of zeros."""
    rows_md, same = _unit(rows_md), queries_qd is rows_md
    found_qm = (rows_md if same else _unit(queries_qd)) @ rows_md.T  # of one set with itself BLAS takes half as long
    return np.round(found_qm, _DECIMALS, out=found_qm)


def code_scores(variant: Variant, rows_md: Floats, queries_qd: Floats) -> Floats:
    """Scores ``(q, m)`` of a variant that was fitted to the rows and codes them."""
    codec = variant.fit(rows_md, 0)
    return _scores(code_search(codec, queries_qd, CodeArray(codec.encode(rows_md)), variant.similarity))


def _scores(search: Search) -> Floats:
    rows_mw, queries_qw, scorer = search.rows.block(0, search.rows.n), search.queries_qd, search.scorer
    if isinstance(scorer, Hamming):  # bits as -1 and 1, whose products order as distances do
        rows_mw, queries_qw = scorer.prepare(rows_mw), scorer.prepare(queries_qw)
    if isinstance(scorer, Cosine):
        return cosines(queries_qw, rows_mw)
    reach = scorer.reach if isinstance(scorer, Inner) else 1.0
    found_qm = queries_qw.astype(np.float64) @ rows_mw.T.astype(np.float64)
    found_qm /= reach or 1.0
    return np.round(found_qm, _DECIMALS, out=found_qm)


def best(true_qm: Floats, k: int = K) -> Bools:
    """Which rows have one of the ``k`` best true scores, or the last of them too, ``(q, m)``."""
    return true_qm >= np.partition(true_qm, -k, axis=1)[:, -k, None]


def overlaps(true_qm: Floats, code_qm: Floats, k: int = K, relevant_qm: Bools | None = None) -> Floats:
    """Expected overlap@k of each query ``(q,)``: over all ways of breaking ties, as in the metric of that name.

    A row that a query may not find has the true score -inf. relevant_qm: ``best`` of the true scores, where it is
    known already.
    """
    relevant_qm = best(true_qm, k) if relevant_qm is None else relevant_qm
    code_qm = np.where(np.isneginf(true_qm), -np.inf, code_qm)
    edge_q1 = np.partition(code_qm, -k, axis=1)[:, -k, None]
    above_qm, tied_qm = code_qm > edge_q1, code_qm == edge_q1
    open_q = k - above_qm.sum(axis=1)
    sure_q = (relevant_qm & above_qm).sum(axis=1)
    return (sure_q + (relevant_qm & tied_qm).sum(axis=1) * open_q / tied_qm.sum(axis=1)) / k


def _unit(x_nd: Floats) -> Floats:
    norms_n = row_norms(x_nd)
    return np.asarray(x_nd, dtype=np.float64) / np.where(norms_n == 0, 1, norms_n)[:, None]
