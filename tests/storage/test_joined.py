"""Several tables as one: the rows of the whole, read only where they are asked for."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqbench.storage.joined import JoinedRows
from vqbench.storage.raw_rows import RawRows
from vqbench.storage.vectors import Vectors

WHOLE = np.arange(60, dtype=np.float32).reshape(20, 3)


def _in_files(folder: Path, *tables: np.ndarray) -> JoinedRows:
    parts = []
    for number, x_nd in enumerate(tables):
        (folder / f"{number}").write_bytes(x_nd.tobytes())
        parts.append(RawRows(path=folder / f"{number}", offset=0, shape=x_nd.shape, dtype=x_nd.dtype))
    return JoinedRows(parts)


@given(
    st.lists(st.integers(0, 20), max_size=4),
    st.slices(20),
    st.lists(st.integers(-20, 19), max_size=30),
)
def test_rows_are_those_of_one_table(cuts: list[int], some: slice, rows: list[int]) -> None:
    """Slices, rows in any order, repeated or counted from the end; parts may be empty."""
    joined = JoinedRows(np.split(WHOLE, sorted(cuts)))
    assert (joined.shape, joined.ndim, joined.dtype, len(joined)) == ((20, 3), 2, np.float32, 20)
    np.testing.assert_array_equal(joined[some], WHOLE[some])
    np.testing.assert_array_equal(joined[np.array(rows, dtype=np.int64)], WHOLE[np.array(rows, dtype=np.int64)])
    start, stop, _ = some.indices(20)
    np.testing.assert_array_equal(joined.span(start, max(start, stop))[:], WHOLE[start : max(start, stop)])


def test_rows_beyond_the_last(tmp_path: Path) -> None:
    joined = _in_files(tmp_path, WHOLE[:5], WHOLE[5:])
    for row in (20, -21):
        with pytest.raises(IndexError, match="of 20"):
            joined[np.array([row])]


def test_only_the_parts_that_are_asked_are_opened(tmp_path: Path) -> None:
    """What is asked of the first part does not touch the second, whose file is gone."""
    joined = _in_files(tmp_path, WHOLE[:5], WHOLE[5:])
    (tmp_path / "1").unlink()
    np.testing.assert_array_equal(joined[1:5], WHOLE[1:5])
    np.testing.assert_array_equal(joined[np.array([4, 0])], WHOLE[[4, 0]])
    with pytest.raises(FileNotFoundError):
        joined[4:6]


def test_it_lasts_and_travels_while_its_files_do(tmp_path: Path) -> None:
    joined = _in_files(tmp_path, WHOLE[:5], WHOLE[5:])
    assert joined.lasting
    assert not JoinedRows([*joined.parts, WHOLE]).lasting
    vectors = pickle.loads(pickle.dumps(Vectors(joined, normalize=False)))
    assert vectors.on_disk
    np.testing.assert_array_equal(vectors.block(3, 8), WHOLE[3:8])
    np.testing.assert_array_equal(vectors.only(np.array([6, 2])).take(np.array([1, 0])), WHOLE[[2, 6]])
    np.testing.assert_array_equal(vectors.span(4, 7).block(0, 3), WHOLE[4:7])
