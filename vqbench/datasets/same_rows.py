"""Whether two stored vectors are the same row: equal to what the precision of their numbers can tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from vqbench.numerics.arrays import Bools, Floats, Ints, block_rows, blocks, row_dots, unit_rows
from vqbench.storage.vectors import Vectors

#: Rows with a lower cosine differ by more than any rounding that leaves a vector usable.
ALIKE = 0.999
#: Fewer numbers are too few to tell a coarse precision from round values that somebody typed.
_FEW = 16
_LEARNED = 256  # rows that a precision is learned from
_DECIMALS = 9  # more are finer than float32 for components of unit rows
_DIGITS = 6  # every float32 can be told from its neighbours by more
_PAIRS = 1 << 14  # rows that are compared at a time
_TINY = 1e-18  # lengths of rows
_PROJECTED = 8  # dimensions in which rows near a query are looked up
_NEAREST = 4  # of them in each block are compared in full


@dataclass(frozen=True)
class Precision:
    """The distance from a number to the next one that can be stored, as the numbers themselves show it.

    The dtype does not tell it: float16 numbers come in float32 files, and text has as many digits as were printed.
    """

    #: The step as a share of the number: 2 ** -10 of float16, 1e-5 of six printed digits.
    relative: float
    #: The least step: 1 of whole numbers, 2 ** -24 of float16, 1e-5 of five printed decimals.
    absolute: float = 0.0

    @classmethod
    def of(cls, x_nd: Floats) -> Precision:
        """Learn it from float32 rows: the coarsest one in which all their numbers can be written."""
        x = x_nd[:_LEARNED][x_nd[:_LEARNED] != 0]
        if len(x) < _FEW:
            return FLOAT32
        mantissa, exponent = np.frexp(x)
        whole = np.abs(np.ldexp(mantissa, 24)).astype(np.int64)
        last = whole & -whole  # the last bit that is used
        relative = 2.0 ** (np.log2(last.min()) - 23)
        absolute = float(np.ldexp(last.astype(np.float64), exponent - 24).min())
        wide = x.astype(np.float64)
        leading = np.floor(np.log10(np.abs(wide)))
        for digits in range(1, _DIGITS + 1):
            scale = 10.0 ** (digits - 1 - leading)
            with np.errstate(over="ignore"):
                rounded = np.float32(np.round(wide * scale) / scale)
            if np.array_equal(rounded, x):
                relative = max(relative, 10.0 ** (1 - digits))
                break
        for decimals in range(_DECIMALS + 1):
            if np.array_equal(np.float32(np.round(wide, decimals)), x):
                absolute = max(absolute, 10.0**-decimals)
                break
        return cls(relative, absolute)

    @property
    def whole(self) -> bool:
        """Whether the numbers are whole numbers."""
        return self.absolute >= 1

    def steps(self, x_nd: Floats) -> Floats:
        """The step at each number."""
        return np.maximum(self.relative * np.abs(x_nd), self.absolute)


FLOAT32 = Precision(2.0**-23)


def precisions(a_md: Floats, b_md: Floats) -> tuple[Precision, Precision]:
    """Learn the precisions of two sets of rows that are to be compared.

    Whole numbers on both sides are exact: neither is a rounding of the other.
    """
    a, b = Precision.of(a_md), Precision.of(b_md)
    return (FLOAT32, FLOAT32) if a.whole and b.whole else (a, b)


def compare(a_md: Floats, b_md: Floats, a: Precision, b: Precision) -> tuple[Bools, Floats]:
    """Compare row by row, whatever the lengths of the rows.

    Two rows are the same if one vector v could have been stored as both. Rounding moves a component by half a step of
    its precision, and a second rounding (where rows were scaled before they were stored) or the error of the common
    scale by up to half a step more. So components of the same row, brought to one scale, differ by at most the sum of
    both steps; the coarser precision makes up nearly all of it. The cosine must be above ``ALIKE`` as well, since few
    dimensions of small whole numbers would agree by chance.

    Returns:
        Whether the rows are the same, and their cosines.
    """
    x, y = a_md.astype(np.float64), b_md.astype(np.float64)
    dot, xx, yy = row_dots(x, y), row_dots(x, x), row_dots(y, y)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale, cosine_m = (dot / yy)[:, None], dot / np.sqrt(xx * yy)
        near = np.abs(x - scale * y) <= a.steps(x) + np.abs(scale) * b.steps(y)
    return near.all(axis=1) & (cosine_m > ALIKE), cosine_m


def pair_blocks(count: int, d: int) -> Iterator[tuple[int, int]]:
    """Yield as many pairs as ``compare`` should look at together: their float64 copies must fit into memory."""
    return blocks(count, block_rows(d, _PAIRS))


def with_twin(queries_qd: Floats, corpus: Vectors) -> Bools:
    """Find the queries that are the same as a row of the corpus, in one pass over it.

    Rows that are near a query in a projection to few dimensions are compared in full: the same rows have nearly the
    same projection. The cost is that of the projection, not of a search.
    """
    twin_q = np.zeros(len(queries_qd), dtype=bool)
    first_nd = corpus.raw(0, min(_LEARNED, corpus.n))
    a, b = precisions(queries_qd, first_nd)
    basis_dm = _basis(corpus.d)
    asking_qm = _projected(queries_qd, basis_dm)
    radius = min(_rounding(queries_qd, a) + _rounding(first_nd, b), float(np.sqrt(2 - 2 * ALIKE))) + 1e-5
    for start, stop in blocks(corpus.n, block_rows(corpus.d, _PAIRS)):
        pending = np.flatnonzero(~twin_q)
        if not len(pending):
            break
        x_nd = corpus.raw(start, stop)
        nearest = min(_NEAREST, len(x_nd))
        _, row_qk = cKDTree(_projected(x_nd, basis_dm)).query(
            asking_qm[pending], k=range(1, nearest + 1), distance_upper_bound=radius
        )
        query_f, rank_f = np.nonzero(row_qk < len(x_nd))  # where there are fewer, the tree answers with their number
        twin_q[pending[_same(queries_qd, x_nd, pending[query_f], row_qk[query_f, rank_f], a, b, query_f)]] = True
    return twin_q


def _same(
    queries_qd: Floats, x_nd: Floats, query_f: Ints, row_f: Ints, a: Precision, b: Precision, place_f: Ints
) -> Ints:
    """The places of the pairs that are the same row."""
    places: list[Ints] = [np.zeros(0, dtype=np.int64)]
    for start, stop in pair_blocks(len(query_f), x_nd.shape[1]):
        some = slice(start, stop)
        places.append(place_f[some][compare(queries_qd[query_f[some]], x_nd[row_f[some]], a, b)[0]])
    return np.unique(np.concatenate(places))


def _basis(d: int) -> Floats:
    """Orthonormal directions ``(d, m)``, the same in each run."""
    if d <= _PROJECTED:
        return np.eye(d, dtype=np.float32)
    return np.linalg.qr(np.random.default_rng(0).standard_normal((d, _PROJECTED)))[0].astype(np.float32)


def _projected(x_nd: Floats, basis_dm: Floats) -> Floats:
    """Unit rows in a few directions."""
    norms_n = np.sqrt(np.einsum("nd,nd->n", x_nd, x_nd, dtype=np.float64))
    if norms_n.min() < _TINY or norms_n.max() > 1 / _TINY:  # products of their numbers may leave float32
        return unit_rows(x_nd) @ basis_dm
    return x_nd @ basis_dm / norms_n[:, None]


def _rounding(x_nd: Floats, precision: Precision) -> float:
    """How far rounding may move a unit row."""
    x_nd = x_nd[:_LEARNED].astype(np.float64)
    norms_n = np.sqrt(row_dots(x_nd, x_nd))
    steps_n = np.sqrt(row_dots(precision.steps(x_nd), precision.steps(x_nd)))
    return float((steps_n / np.where(norms_n == 0, np.inf, norms_n)).max())
