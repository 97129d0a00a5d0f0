"""Scores: exact to the last kept decimal, and the fast products within their stated error."""

from __future__ import annotations

import numpy as np
import oracles

from vqbench.numerics.arrays import blocks
from vqbench.search.scorers import Cosine, Inner
from vqbench.search.topk import Search
from vqbench.storage.vectors import Vectors


def _scores(x_nd: np.ndarray, query_d: np.ndarray) -> np.ndarray:
    return Cosine().scores(x_nd, query_d[None, :], np.zeros(len(x_nd), np.int64))


def test_zero_rows_score_zero() -> None:
    x_nd = np.array([[0, 0], [1, 1], [-1, -1], [0, 0], [1, -1]], dtype=np.float32)
    queries_qd = np.array([[1, 1], [0, 0]], dtype=np.float32)
    hits = Search(queries_qd, Vectors(x_nd, normalize=False), Cosine()).top(3)
    assert hits.ids_qk.tolist() == [[1, 0, 3], [0, 1, 2]]
    assert hits.scores_qk.tolist() == [[1, 0, 0], [0, 0, 0]]
    assert hits.dropped_ties_q.tolist() == [1, 2]
    assert not np.signbit(hits.scores_qk).any()


def test_pairs_are_scored_exactly(tied_rows: np.ndarray) -> None:
    query_f, row_f = np.repeat([0, 2, 3], 40), np.tile(np.arange(40), 3)
    found = Search(tied_rows, Vectors(tied_rows, normalize=False), Cosine()).pairs(query_f, row_f)
    wanted = oracles.cosines(tied_rows[[0, 2, 3]], tied_rows[:40]).ravel()
    assert found.tolist() == wanted.tolist()


def test_products_stay_within_the_stated_error(gaussian: np.ndarray) -> None:
    """The bound on |float32 product - score| holds at several widths, and is not absurdly wide."""
    rng = np.random.default_rng(6)
    for d in (3, 50, 700):
        x_nd = (rng.standard_normal((300, d)) + 1).astype(np.float32)
        scorer = Cosine()
        prepared_nd = scorer.prepare(x_nd)
        products = prepared_nd[:20] @ prepared_nd.T
        scores = np.array([_scores(x_nd, query) for query in x_nd[:20]])
        assert np.abs(products - scores).max() <= scorer.error(d) <= 1e-4


def test_no_negative_zero() -> None:
    """A cosine of -1e-13 rounds to zero, and is written as 0."""
    scores = _scores(np.array([[-1e-13, 1.0], [1e-13, 1.0]]), np.array([1.0, 0.0]))
    assert scores.tolist() == [0, 0]
    assert not np.signbit(scores).any()


def test_at_least_finds_rows_whose_product_was_rounded_down(gaussian: np.ndarray) -> None:
    """Every score as its own threshold: about half of the float32 products lie below it."""
    search, query_q = Search(gaussian[:1], Vectors(gaussian, normalize=False), Cosine()), np.zeros(1, dtype=np.int64)
    scores = _scores(gaussian, gaussian[0])
    products = search.scorer.prepare(gaussian) @ search.scorer.prepare(gaussian[:1])[0]
    assert (products < scores).sum() > 50
    for row, score in enumerate(scores[:150]):
        _, found, _ = search.at_least(query_q, np.array([score]))
        assert row in found.tolist()
        assert len(found) == (scores >= score).sum()


def test_blocks_cover_every_row() -> None:
    assert list(blocks(7, 3)) == [(0, 3), (3, 6), (6, 7)]
    assert list(blocks(0, 3)) == []


def test_short_rows_are_told_apart_by_their_inner_products() -> None:
    """Scores are rounded relative to the rows: else those of length 1e-8 would all tie."""
    rng = np.random.default_rng(2)
    x_nd, queries_qd = rng.standard_normal((200, 16)), rng.standard_normal((5, 16))
    wanted = np.argsort(-(queries_qd @ x_nd.T), axis=1, kind="stable")[:, :20]
    for scale in (1.0, 2.0**-20, 2.0**-30):
        short_nd, short_qd = x_nd * scale, queries_qd * scale
        reach = float(np.linalg.norm(short_nd, axis=1).max() * np.linalg.norm(short_qd, axis=1).max())
        hits = Search(short_qd, _Rows(short_nd), Inner(reach)).top(20)
        assert hits.ids_qk.tolist() == wanted.tolist()
        assert not hits.dropped_ties_q.any()


class _Rows:
    """float64 rows, which ``Vectors`` would round."""

    def __init__(self, x_nd: np.ndarray):
        self.x_nd, self.n, self.d = x_nd, *x_nd.shape

    def block(self, start: int, stop: int) -> np.ndarray:
        return self.x_nd[start:stop]

    def take(self, rows: np.ndarray) -> np.ndarray:
        return self.x_nd[rows]
