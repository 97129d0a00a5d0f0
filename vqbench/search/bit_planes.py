"""Products of one-bit codes with queries of at most four bits: ones are counted, nothing is expanded.

A query's numbers are ``low + step * level`` with whole levels below 16, but for a shift that all queries share. Bit p
of the levels, packed as the codes are, is plane p; a product is then 2^p times the ones that code and plane share,
summed over p, times step and width, and a few terms of the row or the query alone (Gao and Long, RaBitQ, SIGMOD 2024,
section 3.3.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vqbench.numerics.arrays import Codes, Floats
from vqbench.numerics.kernels.choice import compiled
from vqbench.numerics.packing import Words, as_words, only_bits, pack_bits
from vqbench.quantizers.base import TwoValued

_SLOWER = 4e-12  # seconds that a product of floats takes longer for a component
_NOISE = 1e-4  # of the range of a query's numbers: what lies closer together is one level


@dataclass(frozen=True)
class Planes:
    """Queries as the compiled module ``kernels`` takes them."""

    kernels: Any  #: the compiled module ``vqbench.numerics.kernels.planes``
    d: int
    planes_qpw: Words  #: bit p of each query's levels, packed
    step_q: Floats  #: between two levels, float64
    terms_qr: Floats  #: what is multiplied with the terms of the rows and added, float64

    @classmethod
    def of(cls, prepared_qw: Floats, shift_d: Floats, n: int) -> Planes | None:
        """Return prepared queries as planes, or None where they lie on no such grid, or numpy is to do the work.

        How far a query may lie off its grid is of the order of the rounding of one float32 product, and a tenth of
        what ``Inner.error`` allows for d of them.

        Args:
            prepared_qw: what ``Scorer.prepare`` makes of the queries.
            shift_d: what was taken from each query before.
            n: how many rows they are compared with.
        """
        d = len(shift_d)
        kernels = compiled("planes", _SLOWER * n * prepared_qw.size)
        if kernels is None:
            return None
        value_qd = prepared_qw[:, :d].astype(np.float64) + shift_d
        low_q, step_q, level_qd = _grid(value_qd)
        off_q = np.linalg.norm(value_qd - (low_q[:, None] + step_q[:, None] * level_qd), axis=1)
        allowed_q = 0.1 * d * np.finfo(np.float32).eps * np.linalg.norm(prepared_qw.astype(np.float64), axis=1)
        if level_qd.max(initial=0) >= 2**kernels.PLANES or (off_q > allowed_q).any():
            return None
        bits = [as_words(pack_bits((level_qd.astype(np.uint8) >> p) & 1 == 1)) for p in range(kernels.PLANES)]
        sum_q = d * low_q + step_q * level_qd.sum(axis=1)
        terms_qr = np.column_stack([sum_q, low_q, prepared_qw[:, d:].astype(np.float64), np.ones(len(value_qd))])
        return cls(kernels, d, np.ascontiguousarray(np.stack(bits, axis=1)), step_q, terms_qr)

    def products(self, rows: TwoValued, first: int, last: int, out_qb: Floats) -> None:
        """Fill ``out_qb`` with the products of queries ``first`` to ``last`` and the rows."""
        bits_nb = only_bits(rows.bits_nb, self.d)
        words_bw = as_words(bits_nb)
        ones_n = np.bitwise_count(words_bw).sum(axis=1, dtype=np.float64)
        shifted_n = rows.low_n * rows.shift_d.sum(dtype=np.float64) + rows.width_n * self._shifts(bits_nb, rows.shift_d)
        terms_rb = np.vstack([rows.low_n, rows.width_n * ones_n, rows.rest_en, -shifted_n])
        planes_qpw, step_q, terms_qr = (each[first:last] for each in (self.planes_qpw, self.step_q, self.terms_qr))
        self.kernels.products(planes_qpw, step_q, terms_qr, words_bw, rows.width_n, terms_rb, out_qb)

    def _shifts(self, bits_nb: Codes, shift_d: Floats) -> Floats:
        """The product of each row's bits with the shift: a table has the sums of eight, by place and value."""
        if not shift_d.any():
            return np.zeros(len(bits_nb))
        padded_b8 = np.zeros((bits_nb.shape[1], 8))
        padded_b8.reshape(-1)[: self.d] = shift_d
        of_byte_v8 = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
        return (padded_b8 @ of_byte_v8.T.astype(np.float64))[np.arange(len(padded_b8)), bits_nb].sum(axis=1)


def _grid(value_qd: Floats) -> tuple[Floats, Floats, Floats]:
    """The lowest number of each row, the step between neighbours, and how many steps each number lies above."""
    sorted_qd = np.sort(value_qd, axis=1)
    low_q, range_q = sorted_qd[:, 0], sorted_qd[:, -1] - sorted_qd[:, 0]
    gaps_qd = np.diff(sorted_qd, axis=1, append=np.inf)
    gap_q = np.where(gaps_qd > _NOISE * range_q[:, None], gaps_qd, np.inf).min(axis=1)
    steps_q = np.rint(np.divide(range_q, gap_q, out=np.zeros_like(gap_q), where=np.isfinite(gap_q)))
    step_q = np.divide(range_q, steps_q, out=np.zeros_like(range_q), where=steps_q > 0)
    level_qd = np.divide(
        value_qd - low_q[:, None], step_q[:, None], out=np.zeros_like(value_qd), where=step_q[:, None] > 0
    )
    return low_q, step_q, np.rint(level_qd)
