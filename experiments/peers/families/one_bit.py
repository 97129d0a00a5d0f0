"""One bit a number, compared with queries that are float or have 4 bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from experiments.peers.contest import SOME_PAIRS, Ask, Contestant, Family, Goal, load_faiss
from experiments.peers.ours import coded, product_alone
from experiments.peers.problem import Problem

_VARIANTS = ("rabitq1", "rabitq1_query4", "binary_zero_decoded")
_OURS = tuple(f"vqbench {name}" for name in _VARIANTS)
_SLOW = 1_000_000  # pairs for IndexRaBitQ with float queries: .1 million a second


def _faiss(make: Callable[[Any, int], Any]) -> Callable[[Problem], Ask]:
    """A search of the index that ``make`` returns."""

    def build(problem: Problem) -> Ask:
        index = make(load_faiss(problem.threads), problem.d)
        index.train(problem.sample_nd)
        index.add(problem.corpus_nd)
        return lambda queries_qd, k: index.search(queries_qd, k)[1]

    return build


def _rabitq(bits: int) -> Callable[[Any, int], Any]:
    """bits: of the query; 0 leaves it float."""

    def make(faiss: Any, d: int) -> Any:
        index = faiss.IndexRaBitQ(d, faiss.METRIC_INNER_PRODUCT)
        index.qb = bits
        return index

    return make


def _fast_scan(faiss: Any, d: int) -> Any:
    return faiss.IndexRaBitQFastScan(d, faiss.METRIC_INNER_PRODUCT)


_THREE, _MORE = Goal("at least", 3), Goal("at least", 1.3)
FAMILY = Family(
    "one_bit",
    (
        *(coded(name) for name in _VARIANTS),
        Contestant("faiss IndexRaBitQ qb=4", "faiss-cpu", _faiss(_rabitq(4)), dict.fromkeys(_OURS, _THREE), SOME_PAIRS),
        Contestant("faiss IndexRaBitQ qb=0", "faiss-cpu", _faiss(_rabitq(0)), dict.fromkeys(_OURS, _THREE), _SLOW),
        Contestant("faiss IndexRaBitQFastScan", "faiss-cpu", _faiss(_fast_scan), dict.fromkeys(_OURS, _MORE)),
        product_alone({_OURS[-1]: Goal("at least", 0.75)}),
    ),
)
