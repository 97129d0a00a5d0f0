"""How a query row and a corpus row are scored: exactly, and fast with a known error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import SCORE_DECIMALS, Floats, Ints, Numbers
from vqbench.numerics.packing import only_bits, unpack_bits
from vqbench.search.exact_dots import lane_cosines, lane_dots, rough_norms


@dataclass(frozen=True)
class Cosine:
    """Cosine in float64, rounded; a zero row has cosine 0 with everything.

    ``dtype`` is the precision of the product that nominates candidates. float64 is for rows
    that share a large offset: their cosines lie closer together than float32 can tell.
    """

    dtype: type[np.floating] = np.float32

    def prepare(self, x_nd: Floats) -> Floats:
        """Rows whose plain products approximate the score."""
        x_nd, scale_n = self.parts(x_nd)
        return (x_nd * scale_n[:, None]).astype(self.dtype, copy=False)

    def parts(self, x_nd: Floats) -> tuple[Floats, Floats]:
        """Rows in ``dtype``, and what their products are to be multiplied by ``(n,)`` float64."""
        norms_n = rough_norms(x_nd)
        if not np.isfinite(norms_n).all():
            row = int(np.flatnonzero(~np.isfinite(norms_n))[0])
            raise VqbenchError(f"row {row} of {len(x_nd)} is NaN or infinite: every component must be finite")
        scale_n = 1 / np.where(norms_n == 0, 1, norms_n)
        if not (scale_n.min(initial=1) > 1e-9 and scale_n.max(initial=1) < 1e9):  # float32 could run out of range
            return (x_nd * scale_n[:, None]).astype(self.dtype, copy=False), np.ones(len(x_nd))
        return x_nd.astype(self.dtype, copy=False), scale_n

    def error(self, d: int) -> float:
        """Bound on |product - score|, whatever the order of summation.

        Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., eq. 3.5: |error| <=
        d u / (1 - d u) sum |x_i y_i|, and the sum is at most 1 for unit rows. Two units of roundoff
        come from rounding the rows or their scale, the rest is slack. The score's own error in float64 and half a
        unit of its last kept decimal are added.
        """
        product, score = (
            1.1 * (d + 8) * u / (1 - d * u) for u in (float(np.finfo(t).eps) / 2 for t in (self.dtype, np.float64))
        )
        return product + score + 10.0**-SCORE_DECIMALS

    def least_product(self, scores_q: Floats, d: int) -> Floats:
        """The smallest product that a row of this score or more can have."""
        return scores_q - self.error(d)

    def from_products(self, products_f: Floats, d: int) -> Floats | None:
        """Exact scores where products tell them; here they only come near."""
        return None

    def scores(self, x_md: Floats, queries_qd: Floats, at_m: Ints) -> Floats:
        """Exact scores ``(m,)`` float64 of row i with query ``at_m[i]``."""
        cosines_m = lane_cosines(x_md, queries_qd, at_m)
        return np.round(cosines_m, SCORE_DECIMALS) + 0.0  # + 0.0: no negative zero

    def pairs(self, x_md: Floats, query_d: Floats) -> Floats:
        """Exact scores ``(m,)`` float64 of each row with one query, row by row."""
        return self.scores(x_md, query_d[None, :], np.zeros(len(x_md), dtype=np.int64))


@dataclass(frozen=True)
class Hamming:
    """Minus the number of bits that differ; rows hold -1 and 1.

    A float32 product of such rows is an exact integer up to 2**24 dimensions.
    """

    def prepare(self, x_nd: Floats) -> Floats:
        """Rows whose plain products order as the score does: d - 2 * distance."""
        return x_nd.astype(np.float32, copy=False)

    def parts(self, x_nd: Floats) -> tuple[Floats, None]:
        """Rows as ``prepare`` makes them; their products need no scale."""
        return self.prepare(x_nd), None

    def error(self, d: int) -> float:
        """Integers: none."""
        return 0.0

    def least_product(self, scores_q: Floats, d: int) -> Floats:
        """The product d - 2 * distance of a row of this score."""
        return d + 2 * scores_q

    def from_products(self, products_f: Floats, d: int) -> Floats | None:
        """Exact scores: a product is d - 2 * distance."""
        return (products_f - d) / 2

    def scores(self, x_md: Floats, queries_qd: Floats, at_m: Ints) -> Floats:
        """Exact scores ``(m,)`` float64 of row i with query ``at_m[i]``."""
        return -np.count_nonzero(x_md != queries_qd[at_m], axis=1).astype(np.float64)

    def pairs(self, x_md: Floats, query_d: Floats) -> Floats:
        """Exact scores ``(m,)`` float64 of each row with one query."""
        return self.scores(x_md, query_d[None, :], np.zeros(len(x_md), dtype=np.int64))


@dataclass(frozen=True)
class PackedHamming(Hamming):
    """The same for rows of packed bits ``(n, ceil(bits / 8))`` uint8, of which the first ``bits`` count."""

    bits: int

    def prepare(self, x_nd: Numbers) -> Floats:
        """The bits as -1 and 1, float32."""
        return unpack_bits(x_nd, self.bits).astype(np.float32) * 2 - 1

    def least_product(self, scores_q: Floats, d: int) -> Floats:
        return super().least_product(scores_q, self.bits)

    def from_products(self, products_f: Floats, d: int) -> Floats | None:
        return super().from_products(products_f, self.bits)

    def scores(self, x_md: Numbers, queries_qd: Numbers, at_m: Ints) -> Floats:
        differing_mb = only_bits(x_md, self.bits) ^ only_bits(queries_qd, self.bits)[at_m]
        return -np.bitwise_count(differing_mb).sum(axis=1, dtype=np.int64).astype(np.float64)


@dataclass(frozen=True)
class Inner:
    """Inner product in float64, rounded: the estimate of codes that are made for it.

    reach: at least the norm of any query times the norm of any row. dtype: as in ``Cosine``; float32 is for
    norms that are far from its limits (see ``fits_float32``).
    """

    reach: float
    dtype: type[np.floating] = np.float64

    @staticmethod
    def fits_float32(*longest: float) -> bool:
        """Whether what float32 rounds to zero, or cannot hold, is far below its relative error."""
        return all(1e-9 < norm < 1e9 for norm in longest)

    def prepare(self, x_nd: Floats) -> Floats:
        """The rows themselves."""
        return x_nd.astype(self.dtype, copy=False)

    def parts(self, x_nd: Floats) -> tuple[Floats, None]:
        """Rows as ``prepare`` makes them; their products need no scale."""
        return self.prepare(x_nd), None

    def error(self, d: int) -> float:
        """Bound on |product - score|; see ``Cosine.error``."""
        product, score = (
            1.1 * (d + 8) * u / (1 - d * u) for u in (float(np.finfo(t).eps) / 2 for t in (self.dtype, np.float64))
        )
        return (product + score) * self.reach + self._unit * 10.0**-SCORE_DECIMALS

    def least_product(self, scores_q: Floats, d: int) -> Floats:
        """The smallest product that a row of this score or more can have."""
        return scores_q - self.error(d)

    def from_products(self, products_f: Floats, d: int) -> Floats | None:
        """Exact scores where products tell them; here they only come near."""
        return None

    def scores(self, x_md: Floats, queries_qd: Floats, at_m: Ints) -> Floats:
        """Exact scores ``(m,)`` float64 of row i with query ``at_m[i]``."""
        return np.round(lane_dots(x_md, queries_qd, at_m) / self._unit, SCORE_DECIMALS) * self._unit + 0.0

    @property
    def _unit(self) -> float:
        """What scores are rounded relative to: 1, but for rows so short that 12 decimals would be too few."""
        return 1.0 if self.reach >= 1e-3 or self.reach == 0 else 2.0 ** np.floor(np.log2(self.reach))

    def pairs(self, x_md: Floats, query_d: Floats) -> Floats:
        """Exact scores ``(m,)`` float64 of each row with one query, row by row."""
        return self.scores(x_md, query_d[None, :], np.zeros(len(x_md), dtype=np.int64))


Measure = Cosine | Hamming | Inner
