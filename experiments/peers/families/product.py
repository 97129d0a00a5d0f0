"""Product codes: every 8 numbers one of 256 centroids."""

from __future__ import annotations

from experiments.peers.contest import SOME_PAIRS, Ask, Contestant, Family, Goal, load_faiss
from experiments.peers.ours import coded, product_alone
from experiments.peers.problem import Problem

_OURS = "vqbench pq1"
DIMS = 8  # of pq1


def _faiss(problem: Problem) -> Ask:
    faiss = load_faiss(problem.threads)
    index = faiss.IndexPQ(problem.d, problem.d // DIMS, 8, faiss.METRIC_INNER_PRODUCT)
    index.do_polysemous_training = False  # it renumbers the centroids, which changes no result
    index.pq.cp.min_points_per_centroid = 1  # no warning on standard error
    index.train(problem.sample_nd)
    index.add(problem.corpus_nd)
    return lambda queries_qd, k: index.search(queries_qd, k)[1]


FAMILY = Family(
    "product",
    (
        coded("pq1"),
        Contestant("faiss IndexPQ", "faiss-cpu", _faiss, {_OURS: Goal("at least", 4)}, SOME_PAIRS),
        product_alone({_OURS: None}),
    ),
)
