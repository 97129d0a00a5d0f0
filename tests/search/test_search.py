"""The exact top k against a naive sort: rows, scores and dropped ties, for any blocks and any row order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import oracles
import pytest

from vqbench.numerics.kernels.choice import working
from vqbench.search import topk
from vqbench.search.scorers import Cosine, Hamming, Scorer
from vqbench.search.similarity import CodeArray, CodeRows
from vqbench.search.topk import Hits, Search
from vqbench.storage.vectors import Vectors


def _assert_same(hits: Hits, scores_qn: np.ndarray, k: int, exclude_q=None, priority_n=None) -> None:
    """Ids, scores and dropped ties are exactly the oracle's."""
    for query, scores_n in enumerate(scores_qn):
        exclude = -1 if exclude_q is None else exclude_q[query]
        ids, scores, dropped = oracles.top(scores_n, k, exclude=exclude, priority_n=priority_n)
        assert hits.ids_qk[query].tolist() == ids
        assert hits.scores_qk[query].tolist() == scores
        assert hits.dropped_ties_q[query] == dropped


def _assert_equal(left: Hits, right: Hits) -> None:
    for name in ("ids_qk", "scores_qk", "dropped_ties_q"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)


def _search(queries_qd: np.ndarray, x_nd: np.ndarray, scorer: Scorer | None = None, **fields) -> Search:
    return Search(queries_qd, Vectors(x_nd, normalize=False), scorer or Cosine(), **fields)


def _bits(queries_qd: np.ndarray, x_nd: np.ndarray, **fields) -> Search:
    """The search of the signs, packed."""
    d, packed_nb = x_nd.shape[1], np.packbits(x_nd > 0, axis=1)
    rows = CodeRows(CodeArray(packed_nb), np.asarray, d)
    return Search(np.packbits(queries_qd > 0, axis=1), rows, Hamming(d), **fields)


def _signs(n: int, d: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice([-1, 1], size=(n, d)).astype(np.float32)


MakeSearch = Callable[..., Search]
SEARCHES = pytest.mark.parametrize(
    "make", [_search, partial(_search, scorer=Cosine(np.float64)), _bits], ids=["cosine", "float64", "bits"]
)
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@DTYPES
@pytest.mark.parametrize("k", [1, 3, 10, 59, 119, 120])
def test_cosine_of_copies_and_scaled_copies(tied_rows: np.ndarray, k: int, dtype: type) -> None:
    scores_qn = oracles.cosines(tied_rows[:40], tied_rows)
    assert all(len(set(scores)) < 20 for scores in scores_qn), "the corpus has no ties to test"
    _assert_same(_search(tied_rows[:40], tied_rows, Cosine(dtype)).top(k), scores_qn, k)


@DTYPES
@pytest.mark.parametrize("k", [1, 7, 50, 300])
def test_cosine_without_ties(gaussian: np.ndarray, k: int, dtype: type) -> None:
    queries_qd = gaussian[::15] * np.float32(3)
    scores_qn = oracles.cosines(queries_qd, gaussian)
    _assert_same(_search(queries_qd, gaussian, Cosine(dtype)).top(k), scores_qn, k)


@DTYPES
def test_rows_closer_together_than_float32_can_tell(dtype: type) -> None:
    """Pythagorean triples, so norms and products are whole numbers: nearly parallel, and still ordered."""
    x_nd = np.array([(m * m - 1, 2 * m) for m in range(3000, 3400)], dtype=np.float32)
    unit_nd = (x_nd / np.linalg.norm(x_nd.astype(float), axis=1, keepdims=True)).astype(np.float32)
    assert len(np.unique(unit_nd @ unit_nd[0])) <= 4
    scores_qn = oracles.cosines(x_nd[::40], x_nd)
    assert all(len(set(scores)) > 100 for scores in scores_qn)
    _assert_same(_search(x_nd[::40], x_nd, Cosine(dtype)).top(12), scores_qn, 12)


@pytest.mark.parametrize("d", [1, 7, 16, 70])
@pytest.mark.parametrize("k", [1, 5, 100])
def test_hamming(d: int, k: int) -> None:
    x_nd = _signs(100, d, seed=d)
    _assert_same(_bits(x_nd[:25], x_nd).top(k), oracles.hamming(x_nd[:25], x_nd), k)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_tiny_corpora(n: int) -> None:
    x_nd = np.array([[3, 4], [6, 8], [4, 3]], dtype=np.float32)[:n]
    for k in range(1, n + 1):
        _assert_same(_search(x_nd, x_nd).top(k), oracles.cosines(x_nd, x_nd), k)


@pytest.mark.parametrize("k", [1, 10, 118, 119])
def test_a_query_is_left_out_of_its_own_result(tied_rows: np.ndarray, k: int) -> None:
    rows = np.arange(0, 120, 3)
    exclude_q = np.where(rows % 2, rows, -1)
    hits = _search(tied_rows[rows], tied_rows, exclude_q=exclude_q).top(k)
    _assert_same(hits, oracles.cosines(tied_rows[rows], tied_rows), k, exclude_q)


def test_leaving_a_row_out_equals_removing_it(gaussian: np.ndarray) -> None:
    hits = _search(gaussian[[17]], gaussian, exclude_q=np.array([17])).top(299)
    removed = _search(gaussian[[17]], np.delete(gaussian, 17, axis=0)).top(299)
    np.testing.assert_array_equal(hits.scores_qk, removed.scores_qk)
    np.testing.assert_array_equal(hits.ids_qk, removed.ids_qk + (removed.ids_qk >= 17))


def test_equal_scores_stand_in_order_of_priority(tied_rows: np.ndarray) -> None:
    priority_n = np.random.default_rng(1).permutation(120)
    hits = _search(tied_rows[:20], tied_rows, priority_n=priority_n).top(15)
    _assert_same(hits, oracles.cosines(tied_rows[:20], tied_rows), 15, priority_n=priority_n)


@pytest.fixture
def big() -> np.ndarray:
    """Rows ``(2000, 8)`` with many ties: small integers."""
    return np.random.default_rng(3).integers(-2, 3, size=(2000, 8)).astype(np.float32)


@pytest.mark.parametrize("block_mb", [1e-9, 1.3, 3.0, 1e4])
@SEARCHES
def test_block_size_does_not_matter(
    big: np.ndarray, block_mb: float, make: MakeSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries_qd, exclude_q = big[:60], np.arange(60)
    reference = make(queries_qd, big, exclude_q=exclude_q).top(20)
    search = make(queries_qd, big, exclude_q=exclude_q, block_mb=block_mb)
    assert (search.block_rows == 256) if block_mb < 1 else (search.block_rows > 256)
    monkeypatch.setattr(topk, "_QUERIES", 7)
    monkeypatch.setattr(topk, "PAIRS", 500)
    _assert_equal(search.top(20), reference)


@SEARCHES
def test_row_order_does_not_matter(big: np.ndarray, make: MakeSearch) -> None:
    """The rows are shuffled and the result maps back, when the priority moves with the rows."""
    rng = np.random.default_rng(4)
    priority_n, shuffled = rng.permutation(len(big)), rng.permutation(len(big))
    hits = make(big[:50], big, priority_n=priority_n).top(20)
    other = make(big[:50], big[shuffled], priority_n=priority_n[shuffled]).top(20)
    _assert_equal(hits, replace(other, ids_qk=shuffled[other.ids_qk]))


def _count_streamed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    streamed: list[int] = []
    original = Search._stream

    def spy(self: Search, best, crowded, floor_q):
        streamed.extend(crowded.tolist())
        return original(self, best, crowded, floor_q)

    monkeypatch.setattr(Search, "_stream", spy)
    return streamed


@pytest.mark.parametrize("exclude", [False, True])
def test_all_rows_equal(monkeypatch: pytest.MonkeyPatch, exclude: bool) -> None:
    streamed = _count_streamed(monkeypatch)
    x_nd = np.tile(np.float32([0.3, -0.7, 0.1]), (3000, 1))
    exclude_q = np.array([0, 5, 2999]) if exclude else None
    hits = _search(x_nd[:3], x_nd, exclude_q=exclude_q).top(10)
    assert streamed == [0, 1, 2]
    _assert_same(hits, np.ones((3, 3000)), 10, exclude_q)
    assert hits.dropped_ties_q.tolist() == [2990 - exclude] * 3


@pytest.mark.slow
@pytest.mark.parametrize("block_mb", [1e-9, 64])
def test_mass_ties_of_one_bit_codes(monkeypatch: pytest.MonkeyPatch, block_mb: float) -> None:
    """8 bits and 7000 rows: hundreds tie at the boundary, more than the nominated list is wide."""
    streamed = _count_streamed(monkeypatch)
    monkeypatch.setattr(topk, "PAIRS", 4000)
    x_nd = _signs(7000, 8, seed=0)
    with working(threads=1, kernels="numpy"):  # of several threads each has a list of its own
        hits = _bits(x_nd[:40], x_nd, block_mb=block_mb).top(300)
    assert sorted(streamed) == list(range(40))
    assert hits.dropped_ties_q.min() > 100
    _assert_same(hits, oracles.hamming(x_nd[:40], x_nd), 300)


def test_streamed_and_listed_queries_in_one_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the queries meet a crowd of equal rows, the others do not."""
    streamed = _count_streamed(monkeypatch)
    rng = np.random.default_rng(8)
    crowd_nd = np.tile(np.float32([1, 1, 1, 1]), (400, 1))
    others_nd = rng.standard_normal((400, 4)).astype(np.float32) - 4
    x_nd = np.concatenate([crowd_nd, others_nd])[rng.permutation(800)]
    queries_qd = np.concatenate([crowd_nd[:6], others_nd[:6]])[[0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]]
    hits = _search(queries_qd, x_nd, block_mb=1e-9).top(20)
    assert streamed == [0, 2, 4, 6, 8, 10]
    _assert_same(hits, oracles.cosines(queries_qd, x_nd), 20)


@SEARCHES
@pytest.mark.parametrize("block_mb", [1e-9, 64])
def test_at_least(make: MakeSearch, block_mb: float) -> None:
    """Every row at or above a score, also far beyond a top k; scores at the edge count."""
    x_nd = _signs(700, 16, seed=9)
    name, score = (oracles.hamming, -6.0) if make is _bits else (oracles.cosines, 0.25)
    scores_qn, part = name(x_nd[:12], x_nd), np.array([0, 3, 4, 11])
    exclude_q = np.arange(12)
    search = make(x_nd[:12], x_nd, exclude_q=exclude_q, block_mb=block_mb)
    query_f, row_f, score_f = search.at_least(part, np.full(12, score))
    wanted = [
        (-scores_qn[query, row], query, row)
        for query in part
        for row in range(700)
        if row != query and scores_qn[query, row] >= score
    ]
    wanted.sort(key=lambda at: (at[1], at[0], at[2]))
    assert any(-minus == score for minus, _, _ in wanted)
    assert list(zip((-score_f).tolist(), query_f.tolist(), row_f.tolist(), strict=True)) == wanted


@pytest.mark.parametrize("d", [13, 384])
def test_copies_tie_wherever_they_stand(d: int) -> None:
    """Five copies of every row, scattered over blocks: each group of copies has one score."""
    rng = np.random.default_rng(d)
    x_nd, at = rng.standard_normal((60, d)).astype(np.float32), rng.permutation(np.repeat(np.arange(60), 5))
    hits = _search(x_nd[:20], x_nd[at], block_mb=1e-9).top(52)
    copies_qk = at[hits.ids_qk]
    assert (hits.dropped_ties_q == 3).all()
    for copies_k, scores_k in zip(copies_qk, hits.scores_qk, strict=True):
        assert [len(set(copies_k[i : i + 5])) for i in range(0, 50, 5)] == [1] * 10
        assert [len(set(scores_k[i : i + 5])) for i in range(0, 50, 5)] == [1] * 10


def test_at_least_of_no_query() -> None:
    x_nd = _signs(10, 4, seed=0)
    found = _search(x_nd, x_nd).at_least(np.zeros(0, dtype=np.int64), np.zeros(10))
    assert [len(array) for array in found] == [0, 0, 0]
