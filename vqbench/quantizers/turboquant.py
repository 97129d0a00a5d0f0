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
from vqbench.numerics.packing import append_floats, pack_levels, split_floats, unpack_levels
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.ledger import Item, Ledger
from vqbench.quantizers.parts.levels import (
    check_bits,
    float32_thresholds,
    gaussian_levels,
    nearest_levels,
    symmetric_levels,
)

_LARGEST = float(np.finfo(np.float32).max)

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


def _unit_levels(bits: int, d: int, codebook: Codebook) -> Floats:
    """Levels ``(2**bits,)`` float32 for the components of a unit vector; for 0 bits the one level 0."""
    if bits == 0:
        return np.zeros(1, np.float32)
    if codebook == "gaussian":
        return (gaussian_levels(bits)[0] / np.sqrt(d)).astype(np.float32)
    return sphere_levels(bits, d)[0].astype(np.float32)


def _check_dimensions(d: int, codebook: Codebook) -> None:
    if codebook == "beta" and d < 2:
        raise NotApplicableError(f"codebook: beta, d = {d}: a coordinate on the sphere has a density from d = 2 on")


@dataclass(frozen=True, kw_only=True)
class TurboQuantMSE(Quantizer):
    """TurboQuant for the least square error (arXiv:2504.19874, Algorithm 1), to stand behind a random rotation.

    A row is its norm, float32, times a direction. After a random rotation each component of the
    direction is distributed as a coordinate of a random unit vector, so that no training is needed.
    codebook: Lloyd-Max for just that law (``beta``), or for the normal that it tends to (``gaussian``).
    """

    bits: int = 4
    codebook: Codebook = "beta"

    def __post_init__(self) -> None:
        check_bits(self.bits)

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        d = sample_nd.shape[1]
        _check_dimensions(d, self.codebook)
        return TurboQuantMSECodec(d=d, bits=self.bits, codebook=self.codebook)


@dataclass(frozen=True, kw_only=True)
class TurboQuantMSECodec(Codec):
    """Packed numbers of levels, then the norm. Nothing is learned: ``d``, bits and codebook give the levels."""

    bits: int
    codebook: Codebook

    @cached_property
    def levels(self) -> Floats:
        """The levels of a unit vector's components, ``(2**bits,)`` float32."""
        return _unit_levels(self.bits, self.d, self.codebook)

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
        return self.levels[numbers_nd] * norms_n[:, None]

    def encode(self, x_nd: Floats) -> Codes:
        norms_n = _stored_norms(x_nd)
        return append_floats(pack_levels(self.numbers(x_nd, norms_n), self.bits), norms_n)

    def decode(self, codes_nb: Codes) -> Floats:
        packed_nb, norms_n1 = split_floats(codes_nb, 1)
        return self.rows(unpack_levels(packed_nb, self.d, self.bits), norms_n1[:, 0])

    def ledger(self) -> Ledger:
        code = Ledger.of_bits(bits=self.bits * self.d)
        return Ledger((*code.items, Item("norm", "vector", 4)))


def _stored_norms(x_nd: Floats) -> Floats:
    """Norms ``(n,)`` as float32, so small that no level times a norm overflows."""
    return np.minimum(row_norms(x_nd), _LARGEST / 8).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class TurboQuantProd(Quantizer):
    """TurboQuant for unbiased inner products (arXiv:2504.19874, Algorithm 2), to stand behind a random rotation.

    ``bits - 1`` bits per dimension as in ``TurboQuantMSE``, and for what they leave, the residual r,
    its norm and one bit per dimension, sign(S r) (Zandieh, Daliri and Han, QJL, arXiv:2406.03482).
    projection: S has independent normal numbers (``gaussian``: as the paper has it, and its bounds),
    or is a random rotation (``orthogonal``: the authors' released code; about a third of the variance).
    """

    bits: int = 4
    codebook: Codebook = "beta"
    projection: Literal["gaussian", "orthogonal"] = "orthogonal"

    def __post_init__(self) -> None:
        check_bits(self.bits)

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        d = sample_nd.shape[1]
        _check_dimensions(d, self.codebook)
        if self.projection == "orthogonal":
            sketch_dd = on_unit_grid(haar(d, rng))
            scale = np.sqrt(np.pi) * np.exp(gammaln((d + 1) / 2) - gammaln(d / 2)) / d
        else:
            sketch_dd = on_grid(rng.standard_normal((d, d)))
            scale = np.sqrt(np.pi / 2) / d
        base = TurboQuantMSECodec(d=d, bits=self.bits - 1, codebook=self.codebook)
        return TurboQuantProdCodec(d=d, base=base, scale=float(scale), sketch_dd=sketch_dd)


@dataclass(frozen=True, kw_only=True)
class TurboQuantProdCodec(Codec):
    """Each component's level and sign as one number, ``2 * level + sign``; then the norm and the residual's norm.

    With 1 bit there are no levels: the residual is the row itself, and its norm is stored once.
    ``sketch_dd``: the transpose of S, float32, drawn from the seed. ``scale``: what makes
    <y, x> = <y, levels> + scale * |r| * <S y, sign(S r)> right on average over S: one over the mean of
    s . u sign(s . u), summed over the rows s of S, for a unit vector u. For a normal s that is
    d * sqrt(2 / pi); for a unit s, d times the mean absolute coordinate of a random unit vector.
    """

    base: TurboQuantMSECodec
    scale: float
    sketch_dd: Floats

    @property
    def bits(self) -> int:
        """Bits per dimension, the sign included."""
        return self.base.bits + 1

    def encode(self, x_nd: Floats) -> Codes:
        norms_n = _stored_norms(x_nd)
        numbers_nd = self.base.numbers(x_nd, norms_n)
        residual_nd = x_nd - self.base.rows(numbers_nd, norms_n).astype(np.float64)
        signs_nd = exact_product(residual_nd, self.sketch_dd) > 0
        packed_nb = pack_levels(2 * numbers_nd + signs_nd, self.bits)
        left_n = _stored_norms(residual_nd)
        return append_floats(packed_nb, np.stack([norms_n, left_n], axis=1)[:, -self._floats :])

    def decode(self, codes_nb: Codes) -> Floats:
        rows_nd, sketched_nd = self._parts(codes_nb)
        decoded_nd = rows_nd + exact_product(sketched_nd, self.sketch_dd.T)
        return np.clip(decoded_nd, -_LARGEST, _LARGEST).astype(np.float32)

    def estimate_queries(self, met_qd: Floats) -> Floats:
        """The query and its sketch: ``(q, 2 * d)``, with 1 bit the sketch alone, ``(q, d)``."""
        sketched_qd = exact_product(met_qd, self.sketch_dd)
        return sketched_qd if self.bits == 1 else np.concatenate([met_qd, sketched_qd], axis=1)

    def estimate_rows(self, codes_nb: Codes) -> Floats:
        """Levels, and signs times their length: the inner product that ``decode`` would give, without a product."""
        rows_nd, sketched_nd = self._parts(codes_nb)
        return sketched_nd if self.bits == 1 else np.concatenate([rows_nd, sketched_nd], axis=1)

    def _parts(self, codes_nb: Codes) -> tuple[Floats, Floats]:
        """What the levels stand for, and scale * |r| * sign(S r), both ``(n, d)`` float64."""
        packed_nb, floats_nf = split_floats(codes_nb, self._floats)
        numbers_nd = unpack_levels(packed_nb, self.d, self.bits)
        rows_nd = self.base.rows(numbers_nd >> 1, floats_nf[:, 0]).astype(np.float64)
        lengths_n1 = self.scale * floats_nf[:, -1:].astype(np.float64)
        return rows_nd, np.where(numbers_nd & 1, lengths_n1, -lengths_n1)

    @property
    def _floats(self) -> int:
        """How many numbers a row keeps beside its bits."""
        return 1 if self.bits == 1 else 2

    def ledger(self) -> Ledger:
        code = Ledger.of_bits(bits=self.bits * self.d)
        norms = [Item("norm", "vector", 4), Item("residual norm", "vector", 4)][: self._floats]
        return Ledger((*code.items, *norms, Item("sketch", "once", self.sketch_dd.nbytes)))
