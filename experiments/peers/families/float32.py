"""Float vectors, searched exactly."""

from __future__ import annotations

import numpy as np

from experiments.peers.contest import Ask, Contestant, Family, Goal, load_faiss
from experiments.peers.ours import product_alone
from experiments.peers.problem import Problem
from vqbench.api import exact_topk
from vqbench.numerics.arrays import Floats, Ints, row_dots
from vqbench.search.scorers import Cosine

_OURS = "vqbench exact_topk"


def _ours(problem: Problem) -> Ask:
    return lambda queries_qd, k: exact_topk(queries_qd, problem.corpus_nd, k).ids_qk


def _faiss(problem: Problem) -> Ask:
    index = load_faiss(problem.threads).IndexFlatIP(problem.d)
    index.add(problem.corpus_nd)  # pyright: ignore[reportCallIssue]
    return lambda queries_qd, k: index.search(queries_qd, k)[1]  # pyright: ignore[reportCallIssue]


def _scores(problem: Problem, ids_qk: Ints) -> Floats:
    q, k = ids_qk.shape
    rows_md = problem.corpus_nd[ids_qk.ravel()]
    return row_dots(rows_md, np.repeat(problem.queries_qd[:q], k, axis=0)).reshape(q, k)


FAMILY = Family(
    "float32",
    (
        Contestant(_OURS, "vqbench", _ours),
        Contestant("faiss IndexFlatIP", "faiss-cpu", _faiss, {_OURS: Goal("at least", 1)}),
        product_alone({_OURS: Goal("at least", 0.85)}),
    ),
    _scores,
    lambda d: 2 * Cosine().error(d),  # float32 may swap rows whose cosines lie closer than both their errors
)
