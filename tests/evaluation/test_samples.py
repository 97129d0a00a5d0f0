"""The lists that figures show: those of a naive ranking, whether the deep search held them or not."""

from __future__ import annotations

import numpy as np
import pytest

from vqbench.datasets.base import Data, Source
from vqbench.datasets.prepare import prepare
from vqbench.evaluation.bench import open_bench
from vqbench.evaluation.cell import evaluate_variant
from vqbench.evaluation.settings import Settings
from vqbench.metrics.overlap import Overlap
from vqbench.quantizers.binary import Binary
from vqbench.quantizers.variant import Variant


def _data(n: int, own_queries: bool) -> Data:
    """Rows on a coarse grid, so that cosines and codes tie; ids in an order of their own."""
    rng = np.random.default_rng(5)
    rows_nd = rng.integers(-2, 3, size=(n, 6)) + 0.25
    ids = [f"id{at:03}" for at in rng.permutation(n)]
    queries_qd = rng.integers(-2, 3, size=(9, 6)) + 0.5 if own_queries else None
    source = Source("grid", rows_nd, ids, queries_qd, [f"q{at}" for at in range(9)] if own_queries else None)
    return prepare(source, "grid", queries=None, n_queries=9, normalize=True)


def _naive(data: Data, score_n: np.ndarray, own: int, k: int) -> list[tuple[str, float]]:
    """Score descending, equal scores by id, less the query's own row."""
    listed = sorted((-score, i) for row, (score, i) in enumerate(zip(score_n, data.ids, strict=True)) if row != own)
    return [(i, -score) for score, i in listed[:k]]


@pytest.mark.parametrize("n", [8, 120])
@pytest.mark.parametrize("own_queries", [True, False])
@pytest.mark.parametrize(("k", "oversample"), [(1, 0), (5, 0), (5, 8)])
def test_lists_are_those_of_a_naive_ranking(n: int, own_queries: bool, k: int, oversample: int) -> None:
    data = _data(n, own_queries)
    settings = Settings([k], sorted({0, oversample}), [Overlap()])
    bench = open_bench(data, settings)
    found = evaluate_variant(bench, Variant(quantizer=Binary(), similarity="hamming"), 0, settings).samples
    rows_nd = data.corpus.block(0, n).astype(np.float64)
    own = dict(zip(data.query_ids, np.full(len(data.query_ids), -1), strict=True))
    vectors = dict(zip(data.query_ids, data.queries_qd.astype(np.float64), strict=True))
    if data.exclude_q is not None:
        own |= dict(zip(data.query_ids, data.exclude_q, strict=True))
    example = data.ids[bench.example]
    cases = [("nearest", example, rows_nd[bench.example], bench.example)]
    worst = found.loc[found["kind"] == "worst", "id"].unique()
    assert len(worst) > 0
    for name in worst:
        cases += [(kind, name, vectors[name], int(own[name])) for kind in ("worst", "worst_float")]
    for kind, name, vector_d, left_out in cases:
        cosine_n = np.round(rows_nd @ vector_d / np.linalg.norm(rows_nd, axis=1) / np.linalg.norm(vector_d), 12)
        score_n = cosine_n if kind == "worst_float" else -((rows_nd > 0) != (vector_d > 0)).sum(axis=1).astype(float)
        expected = _naive(data, score_n, left_out, min(10, n - 1))
        shown = found[(found["kind"] == kind) & (found["id"] == name)].sort_values("index")
        assert shown["other"].tolist() == [i for i, _ in expected], (kind, name)
        column = "value" if kind == "worst_float" else "code"
        assert shown[column].tolist() == pytest.approx([score for _, score in expected], abs=1e-11)
