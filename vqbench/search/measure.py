"""How a query row and a corpus row are scored: exactly, and fast with a known error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.arrays import SCORE_DECIMALS, Floats, row_dots, row_norms
from vqbench.errors import VqbenchError


@dataclass(frozen=True)
class Cosine:
    """Cosine in float64, rounded; a zero row has cosine 0 with everything.

    ``dtype`` is the precision of the product that nominates candidates. float64 is for rows
    that share a large offset: their cosines lie closer together than float32 can tell.
    """

    dtype: type[np.floating] = np.float32

    def prepare(self, x_nd: Floats) -> Floats:
        """Rows whose plain products approximate the score."""
        norms_n = row_norms(x_nd)
        if not np.isfinite(norms_n).all():
            row = int(np.flatnonzero(~np.isfinite(norms_n))[0])
            raise VqbenchError(f"row {row} of {len(x_nd)} is NaN or infinite: every component must be finite")
        return (x_nd / np.where(norms_n == 0, 1, norms_n)[:, None]).astype(self.dtype, copy=False)

    def error(self, d: int) -> float:
        """Bound on |product - score|, whatever the order of summation.

        Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., eq. 3.5: |error| <=
        d u / (1 - d u) sum |x_i y_i|, and the sum is at most 1 for unit rows. Two units of roundoff
        come from rounding the rows, the rest is slack. The score's own error in float64 and half a
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

    def pairs(self, x_md: Floats, query_d: Floats) -> Floats:
        """Exact scores ``(m,)`` float64 of each row with one query, row by row."""
        x_md, query_d = x_md.astype(np.float64), query_d.astype(np.float64)
        norms_m = row_norms(x_md) * row_norms(query_d[None, :])[0]
        dots_m = row_dots(x_md, query_d)
        cosines_m = np.divide(dots_m, norms_m, out=np.zeros(len(x_md)), where=norms_m > 0)
        return np.round(cosines_m, SCORE_DECIMALS) + 0.0  # + 0.0: no negative zero


@dataclass(frozen=True)
class Hamming:
    """Minus the number of bits that differ; rows hold -1 and 1.

    A float32 product of such rows is an exact integer up to 2**24 dimensions.
    """

    def prepare(self, x_nd: Floats) -> Floats:
        """Rows whose plain products order as the score does: d - 2 * distance."""
        return x_nd.astype(np.float32, copy=False)

    def error(self, d: int) -> float:
        """Integers: none."""
        return 0.0

    def least_product(self, scores_q: Floats, d: int) -> Floats:
        """The product d - 2 * distance of a row of this score."""
        return d + 2 * scores_q

    def from_products(self, products_f: Floats, d: int) -> Floats | None:
        """Exact scores: a product is d - 2 * distance."""
        return (products_f - d) / 2

    def pairs(self, x_md: Floats, query_d: Floats) -> Floats:
        """Exact scores ``(m,)`` float64 of each row with one query."""
        return -np.count_nonzero(x_md != query_d, axis=1).astype(np.float64)


@dataclass(frozen=True)
class Inner:
    """Inner product in float64, rounded: the estimate of codes that are made for it.

    reach: at least the norm of any query times the norm of any row.
    """

    reach: float

    def prepare(self, x_nd: Floats) -> Floats:
        """The rows themselves, in float64: estimates of near rows lie close together."""
        return x_nd.astype(np.float64, copy=False)

    def error(self, d: int) -> float:
        """Bound on |product - score|; see ``Cosine.error``. The score's own error is one more of the same."""
        u = float(np.finfo(np.float64).eps) / 2
        return 2.2 * (d + 8) * u / (1 - d * u) * self.reach + 10.0**-SCORE_DECIMALS

    def least_product(self, scores_q: Floats, d: int) -> Floats:
        """The smallest product that a row of this score or more can have."""
        return scores_q - self.error(d)

    def from_products(self, products_f: Floats, d: int) -> Floats | None:
        """Exact scores where products tell them; here they only come near."""
        return None

    def pairs(self, x_md: Floats, query_d: Floats) -> Floats:
        """Exact scores ``(m,)`` float64 of each row with one query, row by row."""
        return np.round(row_dots(x_md, query_d), SCORE_DECIMALS) + 0.0


Measure = Cosine | Hamming | Inner
