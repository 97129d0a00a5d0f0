"""Merging partial results is associative and does not depend on how rows arrive."""

from __future__ import annotations

import numpy as np
import oracles
from hypothesis import given
from hypothesis import strategies as st

from vqbench.search.topk_merge import Best

SCORES = st.lists(st.lists(st.integers(0, 3), min_size=12, max_size=12), min_size=1, max_size=3)


def _added(merged: Best, scores_qn: np.ndarray, rows: list[int], queries: list[int]) -> Best:
    """``merged`` with some rows of some queries, as flat arrays sorted by query."""
    query_f = np.repeat(np.array(queries, dtype=np.int64), len(rows))
    row_f = np.tile(np.array(rows, dtype=np.int64), len(queries))
    return merged.with_rows(query_f, row_f, scores_qn[query_f, row_f], 100 - row_f)


@given(SCORES, st.integers(1, 12), st.permutations(range(12)), st.sets(st.integers(1, 11)))
def test_any_partition_in_any_order(scores: list, k: int, rows: list[int], cuts: set[int]) -> None:
    """Shards of any size, added in any order, end in the naive top k with its dropped ties."""
    scores_qn = np.array(scores, dtype=float)
    merged = Best.empty(len(scores), k)
    for shard in np.split(np.array(rows), sorted(cuts)):
        merged = _added(merged, scores_qn, shard.tolist(), list(range(len(scores))))
    for query, scores_n in enumerate(scores_qn):
        priority_n = [100 - row for row in range(12)]
        ids, best, dropped = oracles.top(scores_n, k, priority_n=priority_n)
        assert merged.ids_qk[query].tolist() == ids
        assert merged.scores_qk[query].tolist() == best
        assert merged.dropped_q[query] == dropped


@given(SCORES, st.integers(1, 6))
def test_queries_that_are_not_touched_stay_as_they_are(scores: list, k: int) -> None:
    scores_qn = np.array(scores + scores, dtype=float)
    every = list(range(len(scores_qn)))
    before = _added(Best.empty(len(scores_qn), k), scores_qn, list(range(8)), every)
    after = _added(before, scores_qn, [8, 9, 10, 11], every[::2])
    for name in ("ids_qk", "scores_qk", "priority_qk", "dropped_q"):
        np.testing.assert_array_equal(getattr(after, name)[1::2], getattr(before, name)[1::2])


def test_nothing_added_changes_nothing() -> None:
    empty = Best.empty(2, 3)
    none = np.zeros(0, dtype=np.int64)
    after = empty.with_rows(none, none, np.zeros(0), none)
    np.testing.assert_array_equal(after.ids_qk, np.full((2, 3), -1))
    np.testing.assert_array_equal(after.dropped_q, [0, 0])


def test_fewer_rows_than_places() -> None:
    merged = _added(Best.empty(1, 4), np.array([[1.0, 2.0]]), [0, 1], [0])
    assert merged.ids_qk.tolist() == [[1, 0, -1, -1]]
    assert merged.scores_qk.tolist() == [[2.0, 1.0, -np.inf, -np.inf]]
    assert merged.dropped_q.tolist() == [0]
