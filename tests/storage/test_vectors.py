"""Vectors: the same rows from any array, in memory or not, whole or a subset, by block or by row."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from vqbench.storage import vectors as home
from vqbench.storage.vectors import Vectors

N, D = 37, 6


@pytest.fixture
def whole() -> np.ndarray:
    """Whole numbers that every dtype under test holds exactly, no row zero."""
    x_nd = np.random.default_rng(0).integers(-100, 100, (N, D))
    x_nd[:, 0] = np.where(x_nd[:, 0] == 0, 1, x_nd[:, 0])
    return x_nd


def _wanted(x_nd: np.ndarray, normalize: bool) -> np.ndarray:
    rows = []
    for row in x_nd.tolist():
        length = math.sqrt(math.fsum(a * a for a in row)) if normalize else 1.0
        rows.append([np.float32(a / length) for a in row])
    return np.array(rows)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("kept", [0, 64 * 2**20])
@pytest.mark.parametrize("subset", [False, True])
@pytest.mark.parametrize("form", ["float64", "float16", ">f8", ">f4", "int8", ">i4", "fortran", "strided", "memmap"])
def test_every_form_gives_the_same_rows(
    whole: np.ndarray, form: str, subset: bool, kept: int, normalize: bool,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr(home, "_KEPT", kept)
    monkeypatch.setattr(home, "_TAKEN", 4)
    if form == "fortran":
        array_nd = np.asfortranarray(whole.astype(np.float64))
    elif form == "strided":
        array_nd = np.repeat(np.repeat(whole, 2, axis=0), 3, axis=1)[::2, ::3]
    elif form == "memmap":
        np.save(tmp_path / "x.npy", whole.astype(np.float16))
        array_nd = np.load(tmp_path / "x.npy", mmap_mode="r")
    else:
        array_nd = whole.astype(form)
    before = np.array(array_nd)
    picked = np.array([30, 2, 2, 17, 0, 36, 5]) if subset else None
    vectors = Vectors(array_nd, normalize=normalize, rows=picked)
    chosen = whole if picked is None else whole[picked]
    wanted = _wanted(chosen, normalize)
    assert (vectors.n, vectors.d) == wanted.shape
    parts = [vectors.block(at, min(at + 3, vectors.n)) for at in range(0, vectors.n, 3)]
    assert {part.dtype for part in parts} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(np.concatenate(parts), wanted)
    rows = np.random.default_rng(1).integers(0, vectors.n, 11)
    taken_nd = vectors.take(rows)
    np.testing.assert_array_equal(taken_nd, wanted[rows])
    np.testing.assert_array_equal(vectors.raw(1, 5), _wanted(chosen, False)[1:5])
    assert vectors.take(np.zeros(0, dtype=np.int64)).shape == (0, D)
    taken_nd[:] = 7
    np.testing.assert_array_equal(vectors.take(rows), wanted[rows])
    np.testing.assert_array_equal(array_nd, before)


@pytest.mark.parametrize("kept", [0, 64 * 2**20])
def test_only(whole: np.ndarray, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "_KEPT", kept)
    vectors = Vectors(whole, normalize=True).only(np.delete(np.arange(N), [0, 36, 5])).only(np.arange(1, N - 3))
    left = [row for row in range(N) if row not in (0, 1, 5, 36)]
    np.testing.assert_array_equal(vectors.block(0, vectors.n), _wanted(whole[left], True))


def test_what_lies_above_the_limit_is_not_kept(whole: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is on the finished rows' bytes: at 4 n d they are kept, one byte below they are not."""
    for limit, same in ((4 * N * D, True), (4 * N * D - 1, False)):
        monkeypatch.setattr(home, "_KEPT", limit)
        vectors = Vectors(whole, normalize=True)
        assert np.shares_memory(vectors.block(0, 5), vectors.block(0, 5)) is same
