"""Compiled kernels and numpy give the same: to the bit where sums are ordered, and the same hits always."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqbench.errors import VqbenchError
from vqbench.numerics.kernels import choice
from vqbench.numerics.kernels.choice import working
from vqbench.numerics.packing import expand_bits, pack_bits, plus_minus
from vqbench.numerics.thread_pool import map_in_order, share_blocks, threads
from vqbench.quantizers.parts.grid import Grid
from vqbench.quantizers.product import k_means, nearest
from vqbench.search.exact_dots import lane_cosines, lane_dots, lane_norms
from vqbench.search.scorers import Cosine, Hamming, Inner
from vqbench.search.similarity import CodeArray, CodeRows
from vqbench.search.topk import Hits, Search
from vqbench.storage.vectors import Vectors

BOTH = ("numpy", "numba") if find_spec("numba") else ("numpy",)
needs_numba = pytest.mark.skipif(len(BOTH) == 1, reason="numba is not installed: pip install 'vqbench[fast]'")


def _same(left: Hits, right: Hits) -> None:
    for name in ("ids_qk", "scores_qk", "dropped_ties_q"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)


def _rows(seed: int, n: int, d: int, levels: int) -> np.ndarray:
    """Rows of few values, so that scores tie."""
    return np.random.default_rng(seed).integers(-levels, levels + 1, (n, d)).astype(np.float32)


@needs_numba
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [1, 31, 32, 33, 100, 384])
def test_lanes_add_up_alike(d: int, dtype: type) -> None:
    rng = np.random.default_rng(d)
    x_md, y_qd = rng.standard_normal((60, d)).astype(dtype), rng.standard_normal((7, d)).astype(dtype)
    at_m = rng.integers(0, 7, 60)
    found = []
    for kernels in BOTH:
        with working(kernels=kernels):
            found.append((lane_dots(x_md, y_qd, at_m), lane_norms(x_md), lane_cosines(x_md, y_qd, at_m)))
    for left, right in zip(*found, strict=True):
        assert left.tolist() == right.tolist()
    exact_m = [
        float(sum(map(float, x * y))) for x, y in zip(x_md.astype(object), y_qd[at_m].astype(object), strict=True)
    ]
    np.testing.assert_allclose(found[0][0], exact_m, atol=1e-12 * d)


@needs_numba
@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 8), st.booleans(), st.booleans(), st.booleans(), st.booleans(),
    st.sampled_from(["global", "dimension", "vector"]),
)  # fmt: skip
def test_values_of_a_grid_are_the_same_to_the_bit(
    seed: int, bits: int, symmetric: bool, cells: bool, midpoint: bool, by_width: bool, scope: str
) -> None:
    rng = np.random.default_rng(seed)
    n, d = rng.integers(1, 40, 2)
    grid = Grid(bits=max(bits, 1 + symmetric), symmetric=symmetric, cells=cells, midpoint=midpoint, by_width=by_width)
    levels_nd = rng.integers(0, grid.last - grid.first + 1, (n, d), np.uint8)
    shape = {"global": (), "dimension": (d,), "vector": (n, 1)}[scope]
    low = np.asarray(rng.standard_normal(shape) * 10.0 ** rng.integers(-30, 30), np.float32)
    width = np.asarray(rng.random(shape) * 10.0 ** rng.integers(-44, 30), np.float32)
    if symmetric and scope == "vector":
        low = np.zeros((), np.float32)  # as Scalar hands it over
    found = []
    for kernels in BOTH:
        with working(kernels=kernels):
            value_nd = np.empty((n, d), np.float32)
            grid.values(levels_nd, low, width, value_nd)
            found.append(value_nd.tobytes())
    assert found[0] == found[1]


@pytest.mark.parametrize("kernels", BOTH)
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000), n=st.integers(2, 600), d=st.integers(1, 20), levels=st.integers(1, 3),
    count=st.integers(1, 3), inner=st.booleans(), data=st.data(),
)  # fmt: skip
def test_products_find_what_a_naive_sort_finds(
    kernels: str, seed: int, n: int, d: int, levels: int, count: int, inner: bool, data: st.DataObject
) -> None:
    x_nd = _rows(seed, n, d, levels)
    queries_qd, exclude_q = x_nd[:5], np.arange(min(5, n))
    k = data.draw(st.integers(1, n - 1))
    priority_n = np.random.default_rng(seed).permutation(n)
    scores_qn = queries_qd.astype(float) @ x_nd.T.astype(float) if inner else oracles.cosines(queries_qd, x_nd)
    scorer = Inner(1e4, np.float32) if inner else Cosine()
    search = Search(queries_qd, Vectors(x_nd, normalize=False), scorer, exclude_q, priority_n, block_mb=1e-9)
    with working(kernels=kernels, threads=count):
        hits = search.top(k)
    for query, scores_n in enumerate(scores_qn):
        ids, scores, dropped = oracles.top(scores_n, k, exclude=exclude_q[query], priority_n=priority_n)
        assert hits.ids_qk[query].tolist() == ids
        assert hits.scores_qk[query].tolist() == scores
        assert hits.dropped_ties_q[query] == dropped


@pytest.mark.parametrize("kernels", BOTH)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 700), bits=st.integers(1, 300), count=st.integers(1, 3),
       data=st.data())  # fmt: skip
def test_packed_bits_find_what_a_naive_sort_finds(
    kernels: str, seed: int, n: int, bits: int, count: int, data: st.DataObject
) -> None:
    """Few distinct patterns, so that hundreds tie; what pads the last byte is noise."""
    rng = np.random.default_rng(seed)
    patterns = rng.integers(0, 256, (min(n, 40), -(-bits // 8) + 1), dtype=np.uint8)
    codes_nb = patterns[rng.integers(0, len(patterns), n)]
    signs_nd = np.unpackbits(codes_nb, axis=1, count=bits).astype(int) * 2 - 1
    codes_nb[:, -(-bits // 8) :] = rng.integers(0, 256, (n, 1))
    k = data.draw(st.integers(1, n - 1))
    priority_n, exclude_q = rng.permutation(n), np.arange(min(4, n))
    rows = CodeRows(CodeArray(codes_nb), np.asarray, bits)
    search = Search(codes_nb[:4], rows, Hamming(bits), exclude_q, priority_n)
    scores_qn = oracles.hamming(signs_nd[:4], signs_nd)
    with working(kernels=kernels, threads=count):
        hits = search.top(k)
        query_f, row_f, score_f = search.at_least(np.arange(len(exclude_q)), hits.scores_qk[:, -1])
    for query, scores_n in enumerate(scores_qn):
        ids, scores, dropped = oracles.top(scores_n, k, exclude=exclude_q[query], priority_n=priority_n)
        assert hits.ids_qk[query].tolist() == ids
        assert hits.scores_qk[query].tolist() == scores
        assert hits.dropped_ties_q[query] == dropped
        reached = [row for row in range(n) if scores_n[row] >= scores[-1] and row != exclude_q[query]]
        assert sorted(row_f[query_f == query].tolist()) == reached
        assert (score_f[query_f == query] == scores_n[row_f[query_f == query]]).all()


@needs_numba
@pytest.mark.parametrize("n", [300, 5000])
def test_many_blocks_and_threads_change_nothing(n: int) -> None:
    rng = np.random.default_rng(1)
    x_nd = rng.standard_normal((n, 40)).astype(np.float32)
    search = Search(x_nd[:30], Vectors(x_nd, normalize=True), Cosine(), np.arange(30))
    with working(kernels="numpy", threads=1):
        wanted = search.top(50)
    for kernels in BOTH:
        for count in (1, 2, 5):
            with working(kernels=kernels, threads=count):
                _same(replace(search, block_mb=1e-9).top(50), wanted)


@needs_numba
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), w=st.integers(1, 20), bits=st.integers(4, 6), levels=st.sampled_from([1, 3, 1000]),
       scale=st.sampled_from([1e-12, 1.0, 1e12]))  # fmt: skip
def test_the_nearest_centroid_is_the_same(seed: int, w: int, bits: int, levels: int, scale: float) -> None:
    """With few values many centroids are equally near: the first of them counts."""
    from vqbench.numerics.kernels import centroids

    rng = np.random.default_rng(seed)
    x_nw = (rng.integers(-levels, levels + 1, (150, w)) * np.float32(scale / levels)).astype(np.float32)
    centroids_kw = x_nw[rng.integers(0, 150, 2**bits)]
    with working(kernels="numpy"):
        wanted = nearest(x_nw, centroids_kw)
    assert nearest(x_nw, centroids_kw, centroids).tolist() == wanted.tolist()
    if levels == 1000:
        runs = [k_means(x_nw, 2**bits, 5, np.random.default_rng(0), each) for each in (None, centroids)]
        np.testing.assert_array_equal(*runs)


@pytest.mark.parametrize("d", [1, 7, 8, 65])
def test_bits_become_numbers(d: int) -> None:
    rng = np.random.default_rng(d)
    bits_nd = rng.integers(0, 2, (20, d)).astype(bool)
    np.testing.assert_array_equal(expand_bits(pack_bits(bits_nd), d, -1.5, 2.5), np.where(bits_nd, 2.5, -1.5))
    for dtype in (np.float32, np.float64):
        size_n, out_nw = rng.standard_normal(20).astype(dtype), np.full((20, d + 2), 9.0, dtype)
        plus_minus(pack_bits(bits_nd), size_n, out_nw[:, :d])
        np.testing.assert_array_equal(out_nw[:, :d], np.where(bits_nd, size_n[:, None], -size_n[:, None]))
        assert (out_nw[:, d:] == 9).all()


def test_a_state_belongs_to_one_thread_and_every_block_is_done_once() -> None:
    with working(threads=3):
        states = share_blocks(103, 10, list, lambda mine, start, stop: mine.append((start, stop)))
        found = list(map_in_order(lambda span: span[1] - span[0], [(0, 3), (3, 5), (5, 9), (9, 10), (10, 11)]))
    assert sorted(span for mine in states for span in mine) == [(at, min(at + 10, 103)) for at in range(0, 103, 10)]
    assert found == [(0, 3), (3, 2), (5, 4), (9, 1), (10, 1)]


def test_an_error_in_a_thread_comes_out() -> None:
    def fails(span: tuple[int, int]) -> int:
        raise VqbenchError("row 7 is NaN")

    with working(threads=2):
        with pytest.raises(VqbenchError, match="row 7"):
            list(map_in_order(fails, [(0, 1), (1, 2), (2, 3)]))
        with pytest.raises(VqbenchError, match="row 7"):
            share_blocks(10, 2, list, lambda mine, start, stop: fails((start, stop)))


def test_settings_hold_within_and_no_longer() -> None:
    before = threads()
    with working(threads=7, kernels="numpy"):
        assert threads() == 7
        assert choice.chosen_kernels() == "numpy"
        with working():
            assert threads() == 7
        with working(threads=2):
            assert threads() == 2
    assert threads() == before
    with pytest.raises(VqbenchError, match="threads = 0"), working(threads=0):
        pass


def test_blas_gets_one_thread_inside_a_shared_pass() -> None:
    """Else each of our threads would start as many of BLAS'."""
    from threadpoolctl import threadpool_info

    def count(mine: list[int], start: int, stop: int) -> None:
        mine += [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]

    with working(threads=2):
        states = share_blocks(4, 1, list, count)
    assert {number for mine in states for number in mine} <= {1}


def test_without_numba_numpy_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_loaded", lambda name: ImportError("No module named 'numba'"))
    with working(kernels="auto"):
        assert choice.compiled("rows") is None
    with working(kernels="numba"), pytest.raises(VqbenchError, match=r"pip install 'vqbench\[fast\]'"):
        choice.compiled("rows")


def test_an_unknown_choice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(choice.VARIABLE, "fortran")
    with pytest.raises(VqbenchError, match="must be one of auto, numba, numpy"):
        choice.compiled("rows")


@needs_numba
def test_little_work_does_not_load_numba() -> None:
    """Loading it takes longer than a small search."""
    code = (
        "import sys, numpy as np, vqbench; x = np.eye(50, dtype=np.float32); vqbench.exact_topk(x, x, 3); "
        "assert 'numba' not in sys.modules; from vqbench.numerics.kernels.choice import compiled; "
        "assert compiled('rows') is not None and 'numba' in sys.modules"
    )
    environment = {key: value for key, value in os.environ.items() if key != choice.VARIABLE}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
