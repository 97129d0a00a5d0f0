"""Packed bits, compared by counting."""

from __future__ import annotations

import numpy as np

from experiments.peers.contest import Ask, Contestant, Family, Goal, load, load_faiss
from experiments.peers.problem import Problem, sign_bits
from vqbench.api import hamming_topk
from vqbench.numerics.arrays import Codes, Floats, Ints

_OURS = "vqbench hamming_topk"


def _asked(problem: Problem) -> Codes:
    """The bits of the queries, packed beforehand for everyone."""
    return sign_bits(problem.queries_qd)


def _ours(problem: Problem) -> Ask:
    codes_nb, asked_qb = sign_bits(problem.corpus_nd), _asked(problem)
    return lambda queries_qd, k: hamming_topk(asked_qb[: len(queries_qd)], codes_nb, k, d=problem.d).ids_qk


def _faiss(problem: Problem) -> Ask:
    index = load_faiss(problem.threads).IndexBinaryFlat(problem.d)
    index.add(sign_bits(problem.corpus_nd))
    asked_qb = _asked(problem)
    return lambda queries_qd, k: index.search(asked_qb[: len(queries_qd)], k)[1]


def _usearch(problem: Problem) -> Ask:
    """Its exact search of arrays of bits."""
    usearch = load("usearch.index", "USearch")
    codes_nb, asked_qb = sign_bits(problem.corpus_nd), _asked(problem)
    kinds = {"metric": usearch.MetricKind.Hamming, "dtype": usearch.ScalarKind.B1}

    def ask(queries_qd: Floats, k: int) -> Ints:
        some_qb = asked_qb[: len(queries_qd)]
        found = usearch.search(codes_nb, some_qb, k, exact=True, threads=problem.threads, **kinds)
        return np.atleast_2d(found.keys).astype(np.int64)

    return ask


def _scores(problem: Problem, ids_qk: Ints) -> Floats:
    asked_qb = _asked(problem)[: len(ids_qk)]
    found = [sign_bits(problem.corpus_nd[ids_k]) ^ asked_b for ids_k, asked_b in zip(ids_qk, asked_qb, strict=True)]
    return -np.bitwise_count(np.stack(found)).sum(axis=2, dtype=np.int64).astype(np.float64)


FAMILY = Family(
    "hamming",
    (
        Contestant(_OURS, "vqbench", _ours),
        Contestant("faiss IndexBinaryFlat", "faiss-cpu", _faiss, {_OURS: Goal("at least", 3)}),
        Contestant("USearch exact b1", "usearch", _usearch, {_OURS: Goal("at least", 10)}),
    ),
    _scores,
)
