"""Product quantization: each vector in pieces, for each piece the nearest of a few learned ones."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.numerics.arrays import Codes, Floats, Ints, blocks, row_dots, row_norms
from vqbench.numerics.draws import content_keys, drawn
from vqbench.numerics.exact_products import exact_product, on_grid, rows_on_grid
from vqbench.numerics.kernels.choice import compiled
from vqbench.numerics.thread_pool import threads
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.layout import BlockCodec, Layout
from vqbench.quantizers.parts.spec import Count, Limits

# A block's product stays below the size from which BLAS calls its threads together, which costs more than it
# brings; the pieces are shared among threads instead.
_SMALL = 2**18
_SLOWER = 2e-10  # seconds that numpy takes longer for a multiplication


@dataclass(frozen=True, kw_only=True)
class ProductQuantization(Quantizer):
    """``m`` pieces of ``d / m`` dimensions, each replaced by the nearest of ``2 ** bits`` centroids.

    Centroids come from Lloyd's k-means in each piece, started from random rows; a centroid that no
    row is nearest to moves to the row whose error is the largest. Give ``m`` or ``dims_per_code``.
    ``fit`` raises NotApplicableError where d is not divisible or there are fewer rows than centroids.

    Source: Jégou, Douze and Schmid, Product quantization for nearest neighbor search (2011), section II.B.

    >>> x_nd = np.float32(np.arange(16))[:, None] * np.float32([1, 10])
    >>> codec = ProductQuantization(m=1, bits=4).fit(x_nd, np.random.default_rng(0))
    >>> codec.encode(x_nd[:3]).shape, bool((codec.decode(codec.encode(x_nd)) == x_nd).all())
    ((3, 1), True)
    """

    m: Count | None = None  # pieces
    dims_per_code: Count | None = None  # dimensions of a piece, d / m
    bits: Annotated[int, Limits(4, 8)] = 8  # of the code of a piece
    iterations: Count = 25  # rounds of k-means at most, fewer where no row changes its centroid
    #: Train on at most so many rows for each centroid, drawn by their content, so that their order does not matter. 64
    #: instead of faiss' 256 cost 0.6 % of the mean squared error at 8 bits and 3.6 % at 4 (20,000 x 128, clusters).
    sample_per_centroid: Count = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.m is None) == (self.dims_per_code is None):
            raise VqbenchError(f"m = {self.m}, dims_per_code = {self.dims_per_code}: give just one of the two")

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        n, d = sample_nd.shape
        name, divisor = ("m", self.m) if self.m is not None else ("dims_per_code", self.dims_per_code or 1)
        if d % divisor:
            raise NotApplicableError(f"d = {d} is not divisible by {name} = {divisor}: choose a divisor of d")
        m, k = self.m or d // divisor, 2**self.bits
        if n < k:
            raise NotApplicableError(
                f"{n} rows cannot train {k} centroids: calibrate on at least {k} rows, or use fewer bits"
            )
        rows = drawn(content_keys(sample_nd), k * self.sample_per_centroid, int(rng.integers(2**31)), "codebooks")
        rngs = rng.spawn(m)

        kernels = compiled("centroids", _SLOWER * len(rows) * d * k * self.iterations)

        def train(piece: int) -> Floats:
            piece_nw = np.ascontiguousarray(sample_nd[rows, piece * (d // m) : (piece + 1) * (d // m)])
            return k_means(piece_nw, k, self.iterations, rngs[piece], kernels)

        with ThreadPoolExecutor(threads()) as pool:
            codebooks_mkw = np.stack(list(pool.map(train, range(m))))
        return ProductCodec(d=d, bits=self.bits, codebooks_mkw=codebooks_mkw)


@dataclass(frozen=True, kw_only=True)
class ProductCodec(BlockCodec):
    """The number of a centroid for each piece, packed."""

    bits: int
    codebooks_mkw: Floats  # ``(m, 2 ** bits, d / m)`` float32

    numbers_at_once = 2**62  # all rows: the work is shared by pieces

    @property
    def layout(self) -> Layout:
        return Layout(count=len(self.codebooks_mkw), bits=self.bits)

    def encode_block(self, x_nd: Floats) -> Codes:
        m, _, width = self.codebooks_mkw.shape
        kernels = compiled("centroids", _SLOWER * len(x_nd) * self.codebooks_mkw.size)

        def code(piece: int) -> Ints:
            return nearest(x_nd[:, piece * width : (piece + 1) * width], self.codebooks_mkw[piece], kernels)

        with ThreadPoolExecutor(threads()) as pool:
            return self.layout.pack(np.stack(list(pool.map(code, range(m))), axis=1).astype(np.uint8))

    def decode(self, codes_nb: Codes) -> Floats:
        m, k, width = self.codebooks_mkw.shape
        index_nm = self.layout.numbers(codes_nb) + np.arange(0, m * k, k)
        return np.take(self.codebooks_mkw.reshape(m * k, width), index_nm, axis=0).reshape(len(codes_nb), self.d)


def nearest(x_nw: Floats, centroids_kw: Floats, kernels: Any = None) -> Ints:
    """For each row the nearest centroid ``(n,)``, the first of equals.

    |x - c|^2 is least where x.c - |c|^2 / 2 is greatest. Centroids are rounded to within 2**-23 of the
    longest, and then both terms are exact sums in float64: x.c by ``exact_product``; |c|^2 since it adds
    up squares of whole numbers to at most 2**44. So only their difference is rounded, in the same way
    whatever rows stand beside this one.
    """
    if kernels is None:
        return _argmax(x_nw, *_gridded(centroids_kw))
    return _raced(*_on_grid(x_nw), centroids_kw, kernels)


def _gridded(centroids_kw: Floats) -> tuple[Floats, Floats]:
    """Centroids ``(w, k)`` float32 on the grid of products, and half of their squared norms ``(k,)`` float64."""
    grid_wk = on_grid(centroids_kw.T)
    return grid_wk, row_dots(grid_wk.T, grid_wk.T) / 2


def _argmax(x_nw: Floats, grid_wk: Floats, halves_k: Floats) -> Ints:
    index_n = np.empty(len(x_nw), np.intp)
    for start, stop in blocks(len(x_nw), max(32, _SMALL // grid_wk.size)):
        scores_nk = exact_product(x_nw[start:stop], grid_wk)
        scores_nk -= halves_k
        index_n[start:stop] = scores_nk.argmax(axis=1)
    return index_n


def _on_grid(x_nw: Floats) -> tuple[Floats, float]:
    """Rows as products round them, and the longest norm.

    float32: nothing is lost, since they came as float32, on that grid or coarser.
    """
    rows_nw = rows_on_grid(x_nw).astype(np.float32)
    return rows_nw, float(row_norms(rows_nw).max(initial=0))


def _raced(rows_nw: Floats, longest: float, centroids_kw: Floats, kernels: Any) -> Ints:
    """``nearest`` with compiled kernels: float32 first, float64 where it cannot tell two scores apart.

    A score is a sum of w + 1 terms, of which |x| |c| + |c|^2 / 2 bounds the magnitudes (Higham, eq. 3.5).
    """
    grid_wk, halves_k = _gridded(centroids_kw)
    centroid = float(np.sqrt(2 * halves_k.max()))
    if not (1e-9 < longest < 1e9 and 1e-9 < centroid < 1e9):  # float32 could run out of range
        return _argmax(rows_nw, grid_wk, halves_k)
    doubt = np.float32(2.5 * (rows_nw.shape[1] + 12) * 2.0**-24 * (longest * centroid + centroid**2 / 2))
    index_n = np.empty(len(rows_nw), np.intp)
    kernels.nearest(rows_nw, np.ascontiguousarray(grid_wk.T), halves_k, doubt, index_n)
    return index_n


def k_means(x_nw: Floats, k: int, iterations: int, rng: np.random.Generator, kernels: Any = None) -> Floats:
    """``k`` centroids ``(k, w)`` float32, the same on any number of threads."""
    distinct_uw = np.unique(x_nw, axis=0)
    if len(distinct_uw) <= k:  # each value is its own centroid, the last one several times
        return distinct_uw[np.minimum(np.arange(k), len(distinct_uw) - 1)]
    centroids_kw = distinct_uw[rng.choice(len(distinct_uw), k, replace=False)]
    before_n, on_grid_once = np.full(len(x_nw), -1), None if kernels is None else _on_grid(x_nw)
    for _ in range(iterations):
        index_n = _raced(*on_grid_once, centroids_kw, kernels) if on_grid_once else nearest(x_nw, centroids_kw)
        if np.array_equal(index_n, before_n):
            break
        before_n = index_n
        centroids_kw = _means(x_nw, index_n, centroids_kw)
    return centroids_kw


def _means(x_nw: Floats, index_n: Ints, centroids_kw: Floats) -> Floats:
    """The mean of the rows of each centroid; one without rows moves to a row that is far from its own."""
    k = len(centroids_kw)
    count_k = np.bincount(index_n, minlength=k)
    total_kw = np.stack([np.bincount(index_n, weights=x_n, minlength=k) for x_n in x_nw.T], axis=1)
    empty = np.flatnonzero(count_k == 0)
    if len(empty):
        away_nw = x_nw.astype(np.float64) - centroids_kw[index_n]
        total_kw[empty] = x_nw[np.argsort(-row_dots(away_nw, away_nw), kind="stable")[: len(empty)]]
    return (total_kw / np.maximum(count_k, 1)[:, None]).astype(np.float32)
