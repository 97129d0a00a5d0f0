"""Whether two stored vectors are the same row: equal to what the precision of their numbers can tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from vqbench.numerics.arrays import Bools, Floats, Ints, block_rows, blocks, row_dots, unit_rows
from vqbench.storage.vectors import Vectors

#: Rows with a lower cosine differ by more than any rounding that leaves a vector usable.
ALIKE = 0.999
#: Fewer numbers are too few to tell a coarse precision from round values that somebody typed.
_FEW = 16
_LEARNED = 256  # rows that the precision of a whole set is learned from
_OF_ROW = 64  # numbers of one row that its own precision is learned from
_DECIMALS = 9  # more are finer than float32 for components of unit rows
_DIGITS = 6  # every float32 can be told from its neighbours by more
_PAIRS = 1 << 14  # rows that are compared at a time
_TINY = 1e-18  # lengths of rows
_PROJECTED = 8  # dimensions in which rows near a query are looked up
_NEAREST = 4  # of them in each block are compared in full
_RADIUS = float(np.sqrt(2 - 2 * ALIKE)) + 1e-5  # around a query, as a unit row: others are not alike


@dataclass(frozen=True)
class Precision:
    """The distance from a number to the next one that can be stored, as the numbers themselves show it.

    The dtype does not tell it: float16 numbers come in float32 files, and text has as many digits as were printed.
    """

    #: The step as a share of the number: 2 ** -10 of float16, 1e-5 of six printed digits; or a column of them, by row.
    relative: float | Floats
    #: The least step: 1 of whole numbers, 2 ** -24 of float16, 1e-5 of five printed decimals; or a column of them.
    absolute: float | Floats = 0.0

    @classmethod
    def of(cls, x_nd: Floats) -> Precision:
        """Learn it from float32 rows: the coarsest one in which all their numbers can be written."""
        x = x_nd[:_LEARNED][x_nd[:_LEARNED] != 0]
        if len(x) < _FEW:
            return FLOAT32
        relative_n, absolute_n = _learned(x[None])
        return cls(float(relative_n[0]), float(absolute_n[0]))

    @classmethod
    def of_each(cls, x_nd: Floats, common: Precision) -> Precision:
        """Learn that of each row, since rows may come from several sources; ``common`` is for those of few numbers."""
        if x_nd.shape[1] > _OF_ROW:
            places = np.argsort(x_nd == 0, axis=1, kind="stable")[:, :_OF_ROW]
            x_nd = np.take_along_axis(x_nd, places, axis=1)
        enough_n = (x_nd != 0).sum(axis=1) >= _FEW
        relative_n, absolute_n = np.full(len(x_nd), common.relative), np.full(len(x_nd), common.absolute)
        if enough_n.any():
            some = x_nd[enough_n]
            least = np.take_along_axis(some, (some != 0).argmax(axis=1)[:, None], axis=1)
            relative_n[enough_n], absolute_n[enough_n] = _learned(np.where(some == 0, least, some))
        return cls(relative_n[:, None], absolute_n[:, None])

    def steps(self, x_nd: Floats) -> Floats:
        """The step at each number."""
        return np.maximum(self.relative * np.abs(x_nd), self.absolute)


FLOAT32 = Precision(2.0**-23)


def _learned(x_nl: Floats) -> tuple[Floats, Floats]:
    """The relative and the absolute step of each row of float32 numbers, none of them 0."""
    x_nl = x_nl.astype(np.float32)
    mantissa_nl, exponent_nl = np.frexp(x_nl)
    whole_nl = np.abs(np.ldexp(mantissa_nl, 24)).astype(np.int64)
    last_nl = whole_nl & -whole_nl  # the last bit that is used
    relative_n = 2.0 ** (np.log2(last_nl.min(axis=1)) - 23)
    absolute_n = np.ldexp(last_nl.astype(np.float64), exponent_nl - 24).min(axis=1)

    def to_digits(x_ml: Floats, digits: int) -> Floats:
        scale_ml = 10.0 ** (digits - 1 - np.floor(np.log10(np.abs(x_ml))))
        return np.round(x_ml * scale_ml) / scale_ml

    digits_n, decimals_n = _fewest(x_nl, to_digits, 1, _DIGITS), _fewest(x_nl, np.round, 0, _DECIMALS)
    return np.maximum(relative_n, 10.0 ** (1 - digits_n)), np.maximum(absolute_n, 10.0**-decimals_n)


def _fewest(x_nl: Floats, rounded: Callable[[Floats, int], Floats], least: int, most: int) -> Floats:
    """How few digits, from ``most`` down, write all numbers of each row; infinity where ``most`` are too few."""
    fewest_n, rows = np.full(len(x_nl), np.inf), np.arange(len(x_nl))
    for count in range(most, least - 1, -1):
        some = x_nl[rows]
        with np.errstate(over="ignore"):
            same_m = (rounded(some.astype(np.float64), count).astype(np.float32) == some).all(axis=1)
        rows = rows[same_m]
        fewest_n[rows] = count
        if not len(rows):
            break
    return fewest_n


def compare(a_md: Floats, b_md: Floats, a: Precision, b: Precision) -> tuple[Bools, Floats]:
    """Compare row by row, whatever the lengths of the rows.

    Two rows are the same if one vector v could have been stored as both. Rounding moves a component by half a step of
    its precision, and a second rounding (where rows were scaled before they were stored) or the error of the common
    scale by up to half a step more. So components of the same row, brought to one scale, differ by at most the sum of
    both steps; the coarser precision makes up nearly all of it. The cosine must be above ``ALIKE`` as well, since few
    dimensions of small whole numbers would agree by chance. Whole numbers on both sides are exact: neither is a
    rounding of the other.

    Args:
        a_md: float32 rows.
        b_md: float32 rows, as many.
        a: the precision of the set that ``a_md`` is from, for rows of too few numbers to show their own.
        b: that of ``b_md``.

    Returns:
        Whether the rows are the same, and their cosines.
    """
    x, y = a_md.astype(np.float64), b_md.astype(np.float64)
    dot, xx, yy = row_dots(x, y), row_dots(x, x), row_dots(y, y)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine_m = dot / np.sqrt(xx * yy)
    same_m = cosine_m > ALIKE
    some = np.flatnonzero(same_m)
    if len(some):
        x, y, scale = x[some], y[some], (dot[some] / yy[some])[:, None]
        own_a, own_b = Precision.of_each(a_md[some], a), Precision.of_each(b_md[some], b)
        whole = (own_a.absolute >= 1) & (own_b.absolute >= 1)  # type: ignore[operator]
        bound = np.where(
            whole,
            FLOAT32.steps(x) + np.abs(scale) * FLOAT32.steps(y),
            own_a.steps(x) + np.abs(scale) * own_b.steps(y),
        )
        same_m[some] = (np.abs(x - scale * y) <= bound).all(axis=1)
    return same_m, cosine_m


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
    a, b = Precision.of(queries_qd), Precision.of(first_nd)
    basis_dm = _basis(corpus.d)
    asking_qm = _projected(queries_qd, basis_dm)
    for start, stop in blocks(corpus.n, block_rows(corpus.d, _PAIRS)):
        pending = np.flatnonzero(~twin_q)
        if not len(pending):
            break
        x_nd = corpus.raw(start, stop)
        nearest = min(_NEAREST, len(x_nd))
        _, row_qk = cKDTree(_projected(x_nd, basis_dm)).query(
            asking_qm[pending], k=range(1, nearest + 1), distance_upper_bound=_RADIUS
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
