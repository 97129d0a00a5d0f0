"""Codes of 4 and 8 bits a number, decoded; rivals search the integers as they are."""

from __future__ import annotations

import numpy as np

from experiments.peers.contest import SOME_PAIRS, Ask, Contestant, Family, Goal, load, load_faiss
from experiments.peers.ours import coded, product_alone
from experiments.peers.problem import Problem
from vqbench.numerics.arrays import Floats

_OURS = ("vqbench int8_minmax", "vqbench scalar4")


def _faiss(problem: Problem) -> Ask:
    faiss = load_faiss(problem.threads)
    index = faiss.IndexScalarQuantizer(problem.d, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
    index.train(problem.sample_nd)
    index.add(problem.corpus_nd)
    return lambda queries_qd, k: index.search(queries_qd, k)[1]


def _usearch(problem: Problem) -> Ask:
    """Its exact search of arrays, by inner product: its cosine of int8 takes twice as long."""
    usearch = load("usearch.index", "USearch")
    codes_nd = _integers(problem.corpus_nd)

    def ask(queries_qd: Floats, k: int) -> np.ndarray:
        found = usearch.search(
            codes_nd, _integers(queries_qd), k, usearch.MetricKind.IP, exact=True, threads=problem.threads
        )
        return np.atleast_2d(found.keys).astype(np.int64)

    return ask


def _integers(x_nd: Floats) -> np.ndarray:
    """Unit rows times 127, rounded: what USearch's own int8 index makes of them."""
    return np.rint(x_nd * np.float32(127)).astype(np.int8)


FAMILY = Family(
    "int8",
    (
        *(coded(name.removeprefix("vqbench ")) for name in _OURS),
        Contestant("faiss SQ QT_8bit", "faiss-cpu", _faiss, dict.fromkeys(_OURS, Goal("at least", 5)), SOME_PAIRS),
        Contestant("USearch exact i8", "usearch", _usearch, dict.fromkeys(_OURS, Goal("at least", 5)), SOME_PAIRS),
        product_alone(dict.fromkeys(_OURS, Goal("at least", 0.75))),
    ),
)
