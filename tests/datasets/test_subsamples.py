"""Nested subsamples: each within the larger, drawn by id, the queries and all else untouched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqbench.datasets.base import Data, Source
from vqbench.datasets.prepare import prepare
from vqbench.errors import VqbenchError
from vqbench.evaluation.bench import open_bench
from vqbench.evaluation.settings import Settings
from vqbench.numerics.draws import drawn, id_keys

N, D = 40, 5
X = np.random.default_rng(2).standard_normal((N, D)).astype(np.float32)
IDS = [f"row {at}" for at in range(N)]
MODES = st.sampled_from(["self", "holdout", "own"])


def _source(order: np.ndarray | None = None, *, ids: bool = True, own: bool = False, **more) -> Source:
    order = np.arange(N) if order is None else order
    given_ids = [IDS[at] for at in order] if ids else None
    if own:
        more |= {"queries_qd": X[:7] + 1, "query_ids": [f"q{at}" for at in range(7)]}
    return Source("here", X[order], given_ids, **more)


def _data(source: Source, mode: str, rows: int | None, rows_seed: int = 0) -> Data:
    queries = None if mode == "own" else mode
    return prepare(source, "x", queries=queries, n_queries=7, normalize=True, rows=rows, rows_seed=rows_seed)


@given(mode=MODES, smaller=st.integers(1, 33), more=st.integers(0, 32), seed=st.integers(0, 5))
def test_the_smaller_lies_in_the_larger_and_queries_stay(mode: str, smaller: int, more: int, seed: int) -> None:
    source = _source(own=mode == "own")
    larger = min(33, smaller + more)
    a, b, whole = (_data(source, mode, rows, seed) for rows in (smaller, larger, None))
    assert (a.corpus.n, b.corpus.n) == (smaller, larger)
    assert len(set(a.ids)) == smaller
    assert set(a.ids) <= set(b.ids) <= set(whole.ids)
    for data in (a, b):
        assert data.query_ids == whole.query_ids
        np.testing.assert_array_equal(data.queries_qd, whole.queries_qd)
        rows = [IDS.index(i) for i in data.ids]
        np.testing.assert_array_equal(
            data.corpus.block(0, data.corpus.n), _data(source, "self", None).corpus.take(rows)
        )
        np.testing.assert_array_equal(data.keys_n, id_keys(data.ids))


@given(mode=MODES, rows=st.integers(1, 33), order=st.permutations(range(N)), ids=st.booleans())
def test_the_draw_does_not_depend_on_the_order_of_rows(mode: str, rows: int, order: list[int], ids: bool) -> None:
    """With ids by id, without by content."""
    plain = _data(_source(ids=ids, own=mode == "own"), mode, rows)
    other = _data(_source(np.array(order), ids=ids, own=mode == "own"), mode, rows)
    for name in ("corpus", "queries"):
        a, b = (
            _sorted(getattr(x, f"{name}_qd") if name == "queries" else x.corpus.block(0, rows)) for x in (plain, other)
        )
        np.testing.assert_array_equal(a, b)


def _sorted(x_nd: np.ndarray) -> np.ndarray:
    return x_nd[np.lexsort(x_nd.T)]


def test_the_draw_is_that_of_the_keys() -> None:
    """In the order of the file, the first of the draw named rows; another seed draws others."""
    wanted = np.sort(drawn(id_keys(IDS), 12, 3, "rows"))
    assert list(_data(_source(), "own", 12, 3).ids) == [IDS[at] for at in wanted]
    assert set(_data(_source(), "own", 12, 4).ids) != set(_data(_source(), "own", 12, 3).ids)


@given(rows=st.integers(1, N))
def test_a_query_leaves_out_its_own_row_where_that_is_searched(rows: int) -> None:
    data = _data(_source(), "self", rows)
    own = [data.ids.index(i) if i in data.ids else -1 for i in data.query_ids]
    if max(own) < 0:
        assert data.exclude_q is None
        assert data.findable == rows
    else:
        assert data.exclude_q is not None
        assert data.exclude_q.tolist() == own
        assert data.findable == rows - 1


def test_queries_of_a_file_that_are_corpus_rows_are_found_again() -> None:
    source = Source("here", X, IDS, X[:6], [*IDS[:5], "stranger"])
    for rows in (3, 20, N):
        data = _data(source, "own", rows)
        own = [data.ids.index(i) if i in data.ids else -1 for i in data.query_ids]
        assert (data.exclude_q is None) == (max(own) < 0)
        if data.exclude_q is not None:
            assert data.exclude_q.tolist() == own


@settings(max_examples=30)
@given(rows=st.integers(2, N - 7), mode=st.sampled_from(["self", "holdout"]))
def test_truth_is_that_of_the_rows_left(rows: int, mode: str) -> None:
    """Against a sort of all cosines, looked up by id."""
    data = _data(_source(), mode, rows)
    found = open_bench(data, Settings([1], [0], []), cache=None).truth.hits
    x_nd = X / np.linalg.norm(X, axis=1, keepdims=True)
    for query, row in zip(data.query_ids, found.ids_qk[:, 0], strict=True):
        scores = {i: x_nd[IDS.index(query)] @ x_nd[IDS.index(i)] for i in data.ids if i != query}
        assert data.ids[row] == max(scores, key=scores.__getitem__)


def test_judgements_follow_the_rows() -> None:
    judged = [(f"q{at}", IDS[at], 1.0) for at in range(7)]
    source = _source(own=True, judgements=judged)
    data = _data(source, "own", 20)
    assert data.qrels is not None
    found = {(data.query_ids[q], data.ids[r]) for q, r in zip(data.qrels.query_f, data.qrels.row_f, strict=True)}
    assert found == {(query, document) for query, document, _ in judged if document in data.ids}
    assert 0 < len(found) < 7
    none = next(rows for rows in range(1, N) if not set(_data(source, "own", rows).ids) & set(IDS[:7]))
    assert _data(source, "own", none).qrels is None
    with pytest.raises(VqbenchError, match=r"\('nobody'\) are not in the corpus"):
        _data(_source(own=True, judgements=[("q0", "nobody", 1.0)]), "own", 20)


def test_fingerprints_tell_draws_apart_and_know_the_whole() -> None:
    draws = [(None, 0), (N, 3), (20, 0), (21, 0), (20, 1)]
    made = [_data(_source(own=True), "own", *draw) for draw in draws]
    assert len({data.whole for data in made}) == 1
    assert made[0].fingerprint == made[1].fingerprint == made[0].whole
    assert len({data.fingerprint for data in made}) == 4


def test_as_many_rows_as_there_are_is_the_whole() -> None:
    whole, all_rows = _data(_source(), "self", None), _data(_source(), "self", N)
    assert list(whole.ids) == list(all_rows.ids)
    assert whole.exclude_q.tolist() == all_rows.exclude_q.tolist()


@pytest.mark.parametrize(
    ("mode", "rows", "has"), [("self", 41, 40), ("self", 0, 40), ("own", -1, 40), ("holdout", 34, 33)]
)
def test_rows_that_cannot_be(mode: str, rows: int, has: int) -> None:
    with pytest.raises(
        VqbenchError, match=f"rows = {rows}: here has {has} rows to search: set rows between 1 and that"
    ):
        _data(_source(own=mode == "own"), mode, rows)


def test_a_seed_that_cannot_be() -> None:
    with pytest.raises(VqbenchError, match="rows_seed = -1: must not be negative"):
        _data(_source(), "self", 5, -1)


def test_k_beyond_the_subsample() -> None:
    with pytest.raises(VqbenchError, match="k = 10: a query of x can find only 9 rows"):
        open_bench(_data(_source(), "holdout", 9), Settings([10], [0], []), cache=None)
