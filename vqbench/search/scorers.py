"""How a query row and a corpus row are scored: exactly, and by fast products whose error is known.

A distance is one class here. The search asks it for products that find candidates (``prepare``, ``factors``,
``error``), and for the exact scores that decide (``scores``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import SCORE_DECIMALS, Floats, Ints, Numbers
from vqbench.numerics.packing import only_bits, unpack_bits
from vqbench.search.exact_dots import lane_cosines, lane_dots, rough_norms


class Scorer(ABC):
    """Scores of rows and queries; a higher score is nearer. Subclasses are frozen dataclasses."""

    #: Precision of the products that find candidates.
    dtype: type[np.floating] = np.float32
    #: No score is larger than this; ``error`` is relative to it.
    reach: float

    def prepare(self, x_nd: Numbers) -> Floats:
        """Return query rows whose products with ``factors`` approximate the score."""
        rows_nd, scale_n = self.factors(x_nd)
        return rows_nd if scale_n is None else (rows_nd * scale_n[:, None]).astype(self.dtype, copy=False)

    def factors(self, x_nd: Numbers) -> tuple[Floats, Floats | None]:
        """Return corpus rows in ``dtype``, and what to multiply their products by: ``(n,)`` float64, or None for 1."""
        return x_nd.astype(self.dtype, copy=False), None

    def error(self, d: int) -> float:
        """Bound |product - score|, whatever the order of summation.

        Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., eq. 3.5: |error| <= d u / (1 - d u) times
        sum |x_i y_i|, and by Cauchy-Schwarz that sum is at most ``reach``. Rounding the rows or their scale adds two
        units of roundoff; the rest is slack. The score's own error in float64 and half a unit of its last kept decimal
        are added.
        """
        product, score = (
            1.1 * (d + 8) * u / (1 - d * u) for u in (float(np.finfo(t).eps) / 2 for t in (self.dtype, np.float64))
        )
        return (product + score) * self.reach + self.unit * 10.0**-SCORE_DECIMALS

    @property
    def unit(self) -> float:
        """Scores are rounded relative to this: 1, but less for rows so short that 12 decimals would be too few."""
        return 1.0 if self.reach >= 1e-3 or self.reach == 0 else 2.0 ** np.floor(np.log2(self.reach))

    def least_product(self, scores_q: Floats, d: int) -> Floats:
        """Return the smallest product that a row of this score or more can have."""
        return scores_q - self.error(d)

    def from_products(self, products_f: Floats, d: int) -> Floats | None:
        """Return exact scores where products tell them, else None."""
        return None

    @abstractmethod
    def scores(self, x_md: Numbers, queries_qd: Numbers, query_m: Ints) -> Floats:
        """Return exact scores ``(m,)`` float64 of row i with query ``query_m[i]``."""


@dataclass(frozen=True)
class Cosine(Scorer):
    """Cosine in float64, rounded to 12 decimals; a zero row has cosine 0 with everything.

    >>> rows = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> Cosine().scores(rows, np.array([[4.0, 3.0]]), np.array([0, 0])).tolist()
    [0.96, 0.0]
    """

    #: float64 is for rows that share a large offset: their cosines lie closer together than float32 can tell.
    dtype: type[np.floating] = np.float32
    reach = 1.0

    def factors(self, x_nd: Floats) -> tuple[Floats, Floats | None]:
        norms_n = rough_norms(x_nd)
        if not np.isfinite(norms_n).all():
            row = int(np.flatnonzero(~np.isfinite(norms_n))[0])
            raise VqbenchError(f"row {row} of {len(x_nd)} is NaN or infinite: every component must be finite")
        scale_n = 1 / np.where(norms_n == 0, 1, norms_n)
        if not (scale_n.min(initial=1) > 1e-9 and scale_n.max(initial=1) < 1e9):  # float32 could run out of range
            return (x_nd * scale_n[:, None]).astype(self.dtype, copy=False), np.ones(len(x_nd))
        return x_nd.astype(self.dtype, copy=False), scale_n

    def scores(self, x_md: Floats, queries_qd: Floats, query_m: Ints) -> Floats:
        cosines_m = lane_cosines(x_md, queries_qd, query_m)
        return np.round(cosines_m, SCORE_DECIMALS) + 0.0  # + 0.0: no negative zero


@dataclass(frozen=True)
class Inner(Scorer):
    """Inner product in float64, rounded: the estimate of codes that are made for it.

    >>> Inner(reach=10.0).scores(np.array([[1.0, 2.0]]), np.array([[3.0, 0.5]]), np.array([0])).tolist()
    [4.0]
    """

    #: At least the norm of any query times the norm of any row.
    reach: float
    #: float32 is for norms that are far from its limits (see ``fits_float32``).
    dtype: type[np.floating] = np.float64

    @staticmethod
    def fits_float32(*longest: float) -> bool:
        """Tell whether what float32 rounds to zero, or cannot hold, is far below its relative error."""
        return all(1e-9 < norm < 1e9 for norm in longest)

    def scores(self, x_md: Floats, queries_qd: Floats, query_m: Ints) -> Floats:
        return np.round(lane_dots(x_md, queries_qd, query_m) / self.unit, SCORE_DECIMALS) * self.unit + 0.0


@dataclass(frozen=True)
class Hamming(Scorer):
    """Minus the number of bits that differ; rows are packed bits ``(n, ceil(bits / 8))`` uint8.

    Bits become -1 and 1 in ``factors``: a float32 product of such rows is an exact integer up to 2**24 dimensions.

    >>> Hamming(bits=4).scores(np.array([[0b1010_0000]], np.uint8), np.array([[0b0110_0000]], np.uint8), np.array([0]))
    array([-2.])
    """

    #: The first ``bits`` of a row count; what pads its last byte does not.
    bits: int

    def factors(self, x_nd: Numbers) -> tuple[Floats, None]:
        return unpack_bits(x_nd, self.bits).astype(np.float32) * 2 - 1, None

    def error(self, d: int) -> float:
        return 0.0

    def least_product(self, scores_q: Floats, d: int) -> Floats:
        return self.bits + 2 * scores_q  # a product is bits - 2 * distance

    def from_products(self, products_f: Floats, d: int) -> Floats:
        return (products_f - self.bits) / 2

    def scores(self, x_md: Numbers, queries_qd: Numbers, query_m: Ints) -> Floats:
        differing_mb = only_bits(x_md, self.bits) ^ only_bits(queries_qd, self.bits)[query_m]
        return -np.bitwise_count(differing_mb).sum(axis=1, dtype=np.int64).astype(np.float64)
