"""TurboQuant: codebooks known beforehand for rotated vectors, and a 1-bit sketch of what they leave."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

import numpy as np
from scipy.special import betainc, betaincinv, gammaln

from vqbench.errors import NotApplicableError
from vqbench.numerics.arrays import Codes, Floats, Ints, row_norms
from vqbench.numerics.exact_products import exact_product, on_grid
from vqbench.numerics.orthonormal import haar, on_unit_grid
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.layout import BlockCodec, Layout
from vqbench.quantizers.parts.levels import float32_thresholds, gaussian_levels, nearest_levels, symmetric_levels
from vqbench.quantizers.parts.rounding import LARGEST, to_float32
from vqbench.quantizers.parts.spec import Bits

Codebook = Literal["gaussian", "beta"]


@cache
def sphere_levels(bits: int, d: int) -> tuple[Floats, Floats]:
    """Lloyd-Max levels and thresholds, float64, of one coordinate of a random unit vector in ``d`` dimensions.

    Its density is in proportion to (1 - x**2) ** ((d - 3) / 2) (Zandieh et al., TurboQuant, arXiv:2504.19874,
    Lemma 1), so that the tail is an incomplete beta function and the partial mean has a closed form.
    The start is Panter and Dite's: the cube root of this density is the same kind for d / 3 + 2 dimensions.
    """
    half = 2 ** (bits - 1)
    a, start = (d - 1) / 2, (d / 3 + 1) / 2
    constant = np.exp(gammaln(d / 2) - gammaln(a)) / np.sqrt(np.pi)
    return symmetric_levels(
        2 * betaincinv(start, start, 0.5 + (np.arange(half) + 0.5) / 2**bits) - 1,
        tail=lambda x: betainc(a, 0.5, 1 - x * x) / 2,
        density=lambda x: constant * (1 - x * x) ** ((d - 3) / 2),
        moment=lambda x: constant * (1 - x * x) ** a / (d - 1),
        end=1.0,
    )


@dataclass(frozen=True)
class UnitCodebook:
    """The levels of a component of a unit vector in ``d`` dimensions. Nothing is learned."""

    bits: int  # 0: one level, at 0
    d: int
    kind: Codebook

    def __post_init__(self) -> None:
        if self.kind == "beta" and self.d < 2:
            raise NotApplicableError(
                f"codebook: beta, d = {self.d}: a coordinate on the sphere has a density from d = 2 on"
            )

    @cached_property
    def levels(self) -> Floats:
        """The levels, ``(2**bits,)`` float32."""
        if self.bits == 0:
            return np.zeros(1, np.float32)
        if self.kind == "gaussian":
            return (gaussian_levels(self.bits)[0] / np.sqrt(self.d)).astype(np.float32)
        return sphere_levels(self.bits, self.d)[0].astype(np.float32)

    @cached_property
    def _thresholds(self) -> Floats:
        return float32_thresholds(self.levels)

    def numbers(self, x_nd: Floats, norms_n: Floats) -> Codes:
        """Which level each component is nearest to, ``(n, d)`` uint8, for rows of these stored norms."""
        if self.bits == 0:
            return np.zeros(x_nd.shape, np.uint8)
        return nearest_levels(x_nd / np.where(norms_n == 0, 1, norms_n)[:, None], self._thresholds)

    def rows(self, numbers_nd: Ints, norms_n: Floats) -> Floats:
        """The vectors ``(n, d)`` float32 that levels and norms stand for."""
        return self.levels[numbers_nd] * norms_n.astype(np.float32)[:, None]


def _stored_norms(x_nd: Floats) -> Floats:
    """Norms ``(n,)`` as float32, so small that no level times a norm overflows."""
    return np.minimum(row_norms(x_nd), LARGEST / 8).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class TurboQuantMSE(Quantizer):
    """TurboQuant for the least square error: a norm and a level for each component. Put a random rotation in front.

    After a random rotation each component of a row's direction is distributed as a coordinate of a random unit
    vector, so that no training is needed.

    Source: Zandieh et al., TurboQuant, arXiv:2504.19874, Algorithm 1.

    >>> codec = TurboQuantMSE(bits=1).fit(np.ones((1, 4), np.float32), np.random.default_rng(0))
    >>> codec.decode(codec.encode(np.float32([[1, -1, 1, 1]]))).round(3)
    array([[ 0.849, -0.849,  0.849,  0.849]], dtype=float32)
    """

    bits: Bits = 4  # per dimension
    codebook: Codebook = "beta"  # Lloyd-Max for just that law (beta), or for the normal that it tends to (gaussian)

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        d = sample_nd.shape[1]
        return TurboQuantMSECodec(d=d, codebook=UnitCodebook(self.bits, d, self.codebook))


@dataclass(frozen=True, kw_only=True)
class TurboQuantMSECodec(BlockCodec):
    """Packed numbers of levels, then the norm."""

    codebook: UnitCodebook

    @property
    def layout(self) -> Layout:
        return Layout(count=self.d, bits=self.codebook.bits, side=(("norm", "<f4"),))

    def encode_block(self, x_nd: Floats) -> Codes:
        norms_n = _stored_norms(x_nd)
        return self.layout.pack(self.codebook.numbers(x_nd, norms_n), norms_n)

    def decode(self, codes_nb: Codes) -> Floats:
        return self.codebook.rows(self.layout.numbers(codes_nb), self.layout.side_values(codes_nb)["norm"])


@dataclass(frozen=True, kw_only=True)
class TurboQuantProd(Quantizer):
    """TurboQuant for unbiased inner products: ``bits - 1`` bits of levels, and a bit of sketch for what they leave.

    The sketch of the residual r is its norm and sign(S r), one bit per dimension. Put a random rotation in front.

    Source: Zandieh et al., TurboQuant, arXiv:2504.19874, Algorithm 2; Zandieh, Daliri and Han, QJL, arXiv:2406.03482.

    >>> x_nd = np.float32([[1, -1, 1, 1]])
    >>> codec = TurboQuantProd(bits=2).fit(x_nd, np.random.default_rng(0))
    >>> codec.encode(x_nd).shape  # 4 x 2 bits and two norms of 4 bytes
    (1, 9)
    """

    bits: Bits = 4  # per dimension, the sketch included
    codebook: Codebook = "beta"  # as in ``TurboQuantMSE``
    #: S has independent normal numbers (``gaussian``: the paper and its bounds), or is a random rotation
    #: (``orthogonal``: the authors' released code; about a third of the variance).
    projection: Literal["gaussian", "orthogonal"] = "orthogonal"

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        d = sample_nd.shape[1]
        codebook = UnitCodebook(self.bits - 1, d, self.codebook)
        if self.projection == "orthogonal":
            sketch_dd = on_unit_grid(haar(d, rng))
            scale = np.sqrt(np.pi) * np.exp(gammaln((d + 1) / 2) - gammaln(d / 2)) / d
        else:
            sketch_dd = on_grid(rng.standard_normal((d, d)))
            scale = np.sqrt(np.pi / 2) / d
        return TurboQuantProdCodec(d=d, codebook=codebook, scale=float(scale), sketch_dd=sketch_dd)


@dataclass(frozen=True, kw_only=True)
class TurboQuantProdCodec(BlockCodec):
    """Each component's level and sign as one number, ``2 * level + sign``; then the norm and the residual's norm.

    With 1 bit there are no levels: the residual is the row itself, and its norm is stored once.
    """

    codebook: UnitCodebook
    #: What makes <y, x> = <y, levels> + scale * |r| * <S y, sign(S r)> right on average over S: one over the mean of
    #: s . u sign(s . u), summed over the rows s of S, for a unit vector u. For a normal s that is d * sqrt(2 / pi); for
    #: a unit s, d times the mean absolute coordinate of a random unit vector.
    scale: float
    sketch_dd: Floats  # the transpose of S, float32, drawn from the seed

    @property
    def layout(self) -> Layout:
        bits = self.codebook.bits + 1
        return Layout(count=self.d, bits=bits, side=(("norm", "<f4"), ("residual norm", "<f4"))[: min(bits, 2)])

    def encode_block(self, x_nd: Floats) -> Codes:
        norms_n = _stored_norms(x_nd)
        numbers_nd = self.codebook.numbers(x_nd, norms_n)
        residual_nd = x_nd - self.codebook.rows(numbers_nd, norms_n).astype(np.float64)
        signs_nd = exact_product(residual_nd, self.sketch_dd) > 0
        norms = [norms_n, _stored_norms(residual_nd)][-len(self.layout.side) :]
        return self.layout.pack(2 * numbers_nd + signs_nd, *norms)

    def decode(self, codes_nb: Codes) -> Floats:
        rows_nd, sketched_nd = self._parts(codes_nb)
        return to_float32(rows_nd + exact_product(sketched_nd, self.sketch_dd.T))

    def estimate_queries(self, queries_qd: Floats) -> Floats:
        """The query and its sketch: ``(q, 2 * d)``, with 1 bit the sketch alone, ``(q, d)``."""
        sketched_qd = exact_product(queries_qd, self.sketch_dd)
        return np.concatenate([queries_qd, sketched_qd], axis=1) if self.codebook.bits else sketched_qd

    def estimate_rows(self, codes_nb: Codes) -> Floats:
        """Levels, and signs times their length: the inner product that ``decode`` would give, without a product."""
        rows_nd, sketched_nd = self._parts(codes_nb)
        return np.concatenate([rows_nd, sketched_nd], axis=1) if self.codebook.bits else sketched_nd

    def _parts(self, codes_nb: Codes) -> tuple[Floats, Floats]:
        """What the levels stand for, and scale * |r| * sign(S r), both ``(n, d)`` float64."""
        numbers_nd, norms = self.layout.numbers(codes_nb), list(self.layout.side_values(codes_nb).values())
        rows_nd = self.codebook.rows(numbers_nd >> 1, norms[0]).astype(np.float64)
        lengths_n1 = self.scale * norms[-1][:, None]
        return rows_nd, np.where(numbers_nd & 1, lengths_n1, -lengths_n1)
