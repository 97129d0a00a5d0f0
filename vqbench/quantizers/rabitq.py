"""RaBitQ: a codeword close in angle, and an unbiased estimate of the inner product with an error bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vqbench.errors import NotApplicableError
from vqbench.numerics.arrays import Codes, Floats, Ints, row_dots, row_norms
from vqbench.numerics.packing import plus_minus
from vqbench.quantizers.base import Codec, Quantizer, TwoValued
from vqbench.quantizers.parts.layout import BlockCodec, Layout
from vqbench.quantizers.parts.rounding import to_float32
from vqbench.quantizers.parts.spec import Bits

#: Standard deviations of the error that the bound allows: the paper's epsilon_0 (section 5.2.4).
EPSILON = 1.9
#: What float32 storage and a float32 rotation may add to an error, relative to the lengths involved.
_ROUNDING = 2.0**-21

# Scales tried by ``search: fast``, relative to the one at which the largest component reaches the edge.
_COARSE = np.geomspace(0.5, 4, 16)
_FINE = np.geomspace(_COARSE[0] / _COARSE[1], _COARSE[1] / _COARSE[0], 64)


@dataclass(frozen=True, kw_only=True)
class RaBitQ(Quantizer):
    """``bits`` per dimension for vectors that were rotated at random before: put a rotation in front.

    Code: with the sample's mean c and r = x - c, the codeword y of the grid
    {-(2^bits - 1)/2, ..., (2^bits - 1)/2}^d, steps of 1, whose cosine with r is the largest.
    Estimate (2024, theorem 3.2): <q, x> is about <q - c, f y> + <c, x> + <q, c> - |c|^2 with
    f = |r|^2 / <y, r>; unbiased over the rotation. ``decode`` gives c + f y.

    Stored per vector beside the code, float32 each: f; <c, x> where centred; |f y - r| where ``bounded``.
    That is 12 bytes at most; 8 are enough for ranking. The 2024 paper stores |r| and the cosine (8 bytes): enough
    for distances and for unit vectors, but not for inner products of any. The authors' RaBitQ-Library stores
    three such float32 too (F_add, F_rescale, F_error), and five where a code is split to be read in two steps.

    Source: for 1 bit, the signs: Gao and Long, RaBitQ: Quantizing High-Dimensional Vectors with a Theoretical Error
    Bound for Approximate Nearest Neighbor Search, SIGMOD 2024, section 3.1. For more: Gao et al., Practical and
    Asymptotically Optimal Quantization of High-Dimensional Vectors in Euclidean Space for Approximate Nearest
    Neighbor Search, SIGMOD 2025, section 3.2.

    >>> codec = RaBitQ(center=False).fit(np.ones((1, 2), np.float32), np.random.default_rng(0))
    >>> codes_nb = codec.encode(np.float32([[3, -1]]))
    >>> codes_nb[:, 0], codec.decode(codes_nb)  # f = 10 / 2
    (array([128], dtype=uint8), array([[ 2.5, -2.5]], dtype=float32))
    """

    bits: Bits = 1  # per dimension
    center: bool = True  # subtract the sample's mean, stored once as float32
    #: For 2 bits and more. ``exact`` tries every codeword that is nearest to t r for some t > 0, among which is the
    #: best: it sorts d (2^(bits - 1) - 1) numbers a row. ``fast`` tries 80 values of t in the range that suits rotated
    #: vectors. At d = 384 its (1 - cos^2)/cos^2 came out 0.01 % larger at 4 and 5 bits, 0.6 % at 8, and 20,000 rows
    #: took 2 s on one core, where ``exact`` took 2 s at 4 bits and 35 s at 8.
    search: Literal["exact", "fast"] = "exact"
    bounded: bool = True  # store |f y - r|, which only the error bound needs and no other stored number gives

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        d = sample_nd.shape[1]
        mean_d = sample_nd.mean(axis=0, dtype=np.float64) if self.center else np.zeros(d)
        return RaBitQCodec(d=d, spec=self, mean_d=mean_d.astype(np.float32))


@dataclass(frozen=True, kw_only=True)
class RaBitQCodec(BlockCodec):
    """Levels 0 to 2^bits - 1, which stand for y + (2^bits - 1)/2, then f, <c, x> and |f y - r|."""

    spec: RaBitQ
    mean_d: Floats  # c, float32; zeros where nothing is subtracted

    @property
    def layout(self) -> Layout:
        names = ("factor", *["<mean, x>"] * self.spec.center, *["residual length"] * self.spec.bounded)
        return Layout(count=self.d, bits=self.spec.bits, side=tuple((name, "<f4") for name in names))

    @property
    def numbers_at_once(self) -> int:  # type: ignore[override]
        """The exact search holds ``_top`` numbers for each of the row's."""
        return 2**18 // max(self._top if self.spec.search == "exact" else 1, 1)

    def encode_block(self, x_nd: Floats) -> Codes:
        residual_nd = x_nd.astype(np.float64) - self.mean_d
        levels_nd = self._nearest(residual_nd)
        codeword_nd = levels_nd - self._middle
        along_n = row_dots(codeword_nd, residual_nd)  # 0 for a zero residual only
        factor_n = row_dots(residual_nd, residual_nd) / np.where(along_n > 0, along_n, 1)
        side: list[Floats] = [factor_n]
        if self.spec.center:
            side.append(row_dots(x_nd, self.mean_d))
        if self.spec.bounded:
            side.append(row_norms(factor_n[:, None] * codeword_nd - residual_nd))
        return self.layout.pack(levels_nd, *side)

    @property
    def _middle(self) -> float:
        """The level that would stand for 0."""
        return (2.0**self.spec.bits - 1) / 2

    @property
    def _top(self) -> int:
        """The largest magnitude in the grid is this and a half."""
        return 2 ** (self.spec.bits - 1) - 1

    def _nearest(self, residual_nd: Floats) -> Ints:
        """Levels ``(n, d)`` uint8 of the codewords of the largest cosine."""
        signs_nd, top = residual_nd > 0, self._top
        if top == 0:
            return signs_nd.astype(np.uint8)
        size_nd = np.abs(residual_nd)
        largest_n1 = size_nd.max(axis=1, keepdims=True)
        # Between 0 and 1, and never 0: then no quotient below overflows.
        size_nd = np.maximum(size_nd / np.where(largest_n1 > 0, largest_n1, 1), 2.0**-60)
        scale = _best_scale if self.spec.search == "exact" else _good_scale
        whole_nd = _whole(size_nd, scale(size_nd, top), top).astype(np.uint8)
        return np.where(signs_nd, np.uint8(top + 1) + whole_nd, np.uint8(top) - whole_nd)

    def decode(self, codes_nb: Codes) -> Floats:
        return to_float32(self._rows(codes_nb, np.float64)[:, : self.d] + self.mean_d)

    def estimate_queries(self, queries_qd: Floats) -> Floats:
        """q - c, 1, <q, c> - |c|^2: ``(q, d + 2)``."""
        centred_qd = queries_qd.astype(np.float64) - self.mean_d
        return np.column_stack([centred_qd, np.ones(len(queries_qd)), row_dots(centred_qd, self.mean_d)])

    def estimate_rows(self, codes_nb: Codes) -> Floats:
        """f y, <c, x>, 1: ``(n, d + 2)``."""
        return self._rows(codes_nb, np.float64)

    def rough_rows(self, codes_nb: Codes) -> Floats:
        return self._rows(codes_nb, np.float32)

    def _rows(self, codes_nb: Codes, dtype: type[np.floating]) -> Floats:
        """The rows of the estimate. Codewords are exact in float32 and float64: a product is rounded once."""
        rows_nw, side = np.empty((len(codes_nb), self.d + 2), dtype), self.layout.side_values(codes_nb)
        estimate_nd, factor_n = rows_nw[:, : self.d], side["factor"].astype(dtype)
        if self.spec.bits == 1:
            plus_minus(codes_nb[:, : -(-self.d // 8)], factor_n / 2, estimate_nd)
        else:
            np.subtract(self.layout.numbers(codes_nb), dtype(self._middle), out=estimate_nd)
            estimate_nd *= factor_n[:, None]
        rows_nw[:, self.d] = side.get("<mean, x>", 0.0)
        rows_nw[:, self.d + 1] = 1
        return rows_nw

    def two_valued(self, codes_nb: Codes) -> TwoValued | None:
        if self.spec.bits != 1:
            return None
        side, ones_n = self.layout.side_values(codes_nb), np.ones(len(codes_nb))
        rest_en = np.stack([side.get("<mean, x>", 0 * ones_n), ones_n])
        return TwoValued(codes_nb, -side["factor"] / 2, side["factor"], rest_en, self.mean_d)

    def error_bounds(self, queries_qd: Floats, codes_qb: Codes) -> Floats:
        """``|q - c| |f y - r| EPSILON / sqrt(d - 1)``: theorem 3.2 (2024), rewritten; ``(q,)``.

        With o = r/|r| and o' = y/|y| the theorem's sqrt((1 - <o', o>^2) / <o', o>^2) |r| is |f y - r|.
        It holds for the query as it is compared, over the random rotation, with a probability that EPSILON sets:
        94 % where the residuals of query and document are orthogonal, more the closer they are. A few
        units of float32 rounding are added.
        """
        if not self.spec.bounded:
            raise NotApplicableError("RaBitQ with bounded: false keeps no number for an error bound")
        rows_qw, side = self._rows(codes_qb, np.float64), self.layout.side_values(codes_qb)
        query_q = row_norms(queries_qd.astype(np.float64) - self.mean_d)
        moved_q = row_norms(queries_qd) * row_norms(self.mean_d[None, :])[0] + np.abs(rows_qw[:, self.d])
        rounding_q = _ROUNDING * (query_q * row_norms(rows_qw[:, : self.d]) + moved_q)
        return query_q * side["residual length"] * (EPSILON / max(self.d - 1, 1) ** 0.5) + rounding_q

    def learned(self) -> Mapping[str, NDArray[Any]]:
        return super().learned() if self.spec.center else {}


def _whole(size_nd: Floats, scale_n: Floats, top: int) -> Floats:
    """The magnitudes in the grid, less a half, nearest to ``scale * size``."""
    whole_nd = size_nd * scale_n[:, None]
    return np.minimum(np.floor(whole_nd, out=whole_nd), top, out=whole_nd)


def _best_scale(size_nd: Floats, top: int) -> Floats:
    """The t ``(n,)`` for which the codeword nearest to t * size has the largest cosine with it.

    size_nd: above 0, at most 1. A component grows by 1 where t passes m / size, m = 1 ... top. All such
    t are sorted; two running sums follow <y, size> and |y|^2, so every codeword on the way is tried.
    """
    n, d = size_nd.shape
    growth_nmd = np.arange(1, top + 1)[:, None] / size_nd[:, None, :]
    # The last bits of a double make room for the component's number: one sort moves both.
    low = np.uint64((1 << (d - 1).bit_length()) - 1)
    key_ne = (growth_nmd.reshape(n, -1).view(np.uint64) & ~low) | np.tile(np.arange(d, dtype=np.uint64), top)
    key_ne.sort(axis=1)
    passed_ne = (key_ne & ~low).view(np.float64)
    grown_ne = np.take_along_axis(size_nd, (key_ne & low).astype(np.intp), axis=1)
    square_ne = 2 * np.rint(passed_ne * grown_ne)  # (m + 1/2)^2 - (m - 1/2)^2
    np.cumsum(square_ne, axis=1, out=square_ne)
    square_ne += d / 4
    first_n = row_dots(size_nd, np.full(d, 0.5))
    np.cumsum(grown_ne, axis=1, out=grown_ne)
    grown_ne += first_n[:, None]
    cosine_ne = grown_ne * grown_ne / square_ne
    best_n = cosine_ne.argmax(axis=1)
    rows_n, last = np.arange(n), passed_ne.shape[1] - 1
    next_n = np.where(best_n < last, passed_ne[rows_n, np.minimum(best_n + 1, last)], 3 * passed_ne[:, last])
    between_n = (passed_ne[rows_n, best_n] + next_n) / 2
    # Before the first step, which is never below 1, y is a half everywhere.
    return np.where(first_n * first_n / (d / 4) >= cosine_ne[rows_n, best_n], 0.5, between_n)


def _good_scale(size_nd: Floats, top: int) -> Floats:
    """The best of a coarse and then a fine row of scales ``(n,)``, for the same cosine."""
    edge_n = np.full(len(size_nd), top + 1.0)
    for factors in (_COARSE, _FINE):
        best_n, scale_n = np.zeros(len(size_nd)), edge_n
        for factor in factors:
            codeword_nd = _whole(size_nd, edge_n * factor, top)
            codeword_nd += 0.5
            cosine_n = row_dots(codeword_nd, size_nd) ** 2 / row_dots(codeword_nd, codeword_nd)
            better_n = cosine_n > best_n
            best_n, scale_n = np.where(better_n, cosine_n, best_n), np.where(better_n, edge_n * factor, scale_n)
        edge_n = scale_n
    return edge_n
