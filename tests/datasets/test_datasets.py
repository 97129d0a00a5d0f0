"""Every bad corpus is refused with place, rule and rows; queries are drawn or held out."""

from __future__ import annotations

import numpy as np
import pytest

from vqbench.datasets.base import Data, Source
from vqbench.datasets.prepare import prepare
from vqbench.errors import VqbenchError

GOOD = np.arange(1, 13, dtype=np.float32).reshape(4, 3)


def _prepare(x_nd: np.ndarray, *, queries=None, n_queries=None, **fields) -> Data:
    source = Source("here", x_nd, **fields)
    return prepare(source, "test", queries=queries, n_queries=n_queries, normalize=False)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_rows_that_are_not_finite(value: float) -> None:
    x_nd = np.ones((9000, 2))
    x_nd[8500, 1] = value
    with pytest.raises(VqbenchError, match="row 8500 is NaN, infinite or beyond float32"):
        _prepare(x_nd)
    x_nd[[0, 8191, 8192], 0] = value
    with pytest.raises(VqbenchError, match="rows 0, 8191, 8192, 8500 are NaN"):
        _prepare(x_nd)
    x_nd[:1000, 0] = value
    with pytest.raises(VqbenchError, match="rows 0, 1, 2, 3, 4 and 998 more are NaN"):
        _prepare(x_nd)


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-50])
def test_zero_rows(value: float) -> None:
    x_nd = np.ones((4, 3))
    x_nd[2] = value
    with pytest.raises(VqbenchError, match="here: row 2 is all zero.*no cosine"):
        _prepare(x_nd)
    with pytest.raises(VqbenchError, match="queries of here: row 2 is all zero"):
        _prepare(GOOD, queries_qd=x_nd)
    x_nd = np.ones((9000, 1))
    x_nd[[8191, 8192]] = value
    with pytest.raises(VqbenchError, match="rows 8191, 8192 are all zero"):
        _prepare(x_nd)


@pytest.mark.parametrize("dtype", ["complex64", "U3", "S2", "O", "M8[s]", "m8[s]", [("x", "f4")]])
def test_dtypes_that_are_no_real_numbers(dtype: object) -> None:
    with pytest.raises(VqbenchError, match="dtype .* must be real numbers"):
        _prepare(np.ones((2, 2)).astype(int).astype(dtype))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,), (2, 2, 2), ()])
def test_shapes_that_are_no_table(shape: tuple[int, ...]) -> None:
    with pytest.raises(VqbenchError, match=r"shape \(.*needs \(n, d\)"):
        _prepare(np.ones(shape))


def test_ids_that_do_not_fit() -> None:
    with pytest.raises(VqbenchError, match="3 ids for 4 rows"):
        _prepare(GOOD, ids=["a", "b", "c"])
    with pytest.raises(VqbenchError, match="id 'b' occurs at rows 1 and 3: ids must be unique"):
        _prepare(GOOD, ids=["a", "b", "c", "b"])
    with pytest.raises(VqbenchError, match="queries of here: 1 ids for 2 rows"):
        _prepare(GOOD, queries_qd=GOOD[:2], query_ids=["a"])
    with pytest.raises(VqbenchError, match="queries of here: id 'a' occurs at rows 0 and 1"):
        _prepare(GOOD, queries_qd=GOOD[:2], query_ids=["a", "a"])


def test_messages_name_the_file_that_is_to_be_mended() -> None:
    files = {"ids": "ids.txt", "queries": "q.npy", "query_ids": "qids.txt"}
    with pytest.raises(VqbenchError, match=r"^ids.txt: id 'b' occurs on lines 2 and 4: ids must be unique"):
        _prepare(GOOD, ids=["a", "b", "c", "b"], files=files)
    with pytest.raises(VqbenchError, match=r"^qids.txt: id 'a' occurs on lines 1 and 2"):
        _prepare(GOOD, queries_qd=GOOD[:2], query_ids=["a", "a"], files=files)
    with pytest.raises(VqbenchError, match=r"^q.npy: queries have 2 dimensions, the corpus has 3 \(here\): both"):
        _prepare(GOOD, queries_qd=GOOD[:, :2], files=files)
    with pytest.raises(VqbenchError, match=r"^q.npy: row 1 is all zero"):
        _prepare(GOOD, queries_qd=np.array([[1.0, 0, 0], [0, 0, 0]]), files=files)


def test_queries_of_another_width() -> None:
    with pytest.raises(VqbenchError, match="here: queries have 2 dimensions, the corpus has 3"):
        _prepare(GOOD, queries_qd=GOOD[:, :2])


def test_judgements_of_unknown_documents() -> None:
    for judgements in ([("0", "9", 1.0)], [("0", "1", 0.0)], [("z", "1", 1.0)]):
        with pytest.raises(VqbenchError, match="qrels of here: (1 of 1 relevant documents|no query|none of)"):
            _prepare(GOOD, judgements=judgements)
    data = _prepare(GOOD, judgements=[("2", "1", 1.0), ("z", "1", 1.0), ("2", "0", 3.0), ("0", "3", 0.0)])
    assert data.qrels is not None
    at = data.query_ids.index("2")
    assert data.qrels.query_f.tolist() == [at, at]
    assert (data.qrels.row_f.tolist(), data.qrels.gain_f.tolist()) == ([0, 1], [3, 1])


@pytest.mark.parametrize("n_queries", [0, -1])
def test_a_number_of_queries_that_makes_no_sense(n_queries: int) -> None:
    with pytest.raises(VqbenchError, match="n_queries"):
        _prepare(GOOD, n_queries=n_queries)


def test_queries_are_drawn_rows_or_held_out() -> None:
    data = _prepare(GOOD, n_queries=3)
    assert data.exclude_q is not None
    np.testing.assert_array_equal(data.queries_qd, GOOD[data.exclude_q])
    assert [data.ids[row] for row in data.exclude_q] == data.query_ids
    assert (data.findable, len(set(data.query_ids))) == (3, 3)
    held = _prepare(GOOD, queries="holdout", n_queries=3)
    assert held.exclude_q is None
    assert (held.corpus.n, held.findable, held.query_ids) == (1, 1, data.query_ids)
    rows = sorted([*held.queries_qd.tolist(), *held.corpus.block(0, 1).tolist()])
    assert rows == GOOD.tolist()
    assert [*held.ids, *held.query_ids] != data.ids
    assert {*held.ids, *held.query_ids} == {"0", "1", "2", "3"}
