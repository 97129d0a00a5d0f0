"""Matrix products whose every result depends on its own row only, on any machine and number of threads.

BLAS sums in an order that changes with the shape of a block and with threads, so a rotated row would
depend on its neighbours. Here both factors are first rounded to grids so coarse that no sum is ever
rounded: whatever the order, float64 holds each partial sum exactly.
"""

from __future__ import annotations

import numpy as np

from vqbench.numerics.arrays import Floats, blocks, row_norms

# Bits kept of a row and of a column, relative to the power of two above its norm. By Cauchy-Schwarz
# every partial sum is at most the product of the norms, so 28 + 22 bits and a carry fit into 53.
_ROW_BITS, _COLUMN_BITS = 28, 22
_BLOCK = 1024  # rows whose float64 copy stays in a second-level cache


def on_grid(matrix_dm: Floats) -> Floats:
    """Round a matrix for ``exact_product``: float32, within 2**-23 of its longest column's norm."""
    matrix_dm = np.asarray(matrix_dm, dtype=np.float64)
    unit = 2.0 ** (_exponents(row_norms(matrix_dm.T)).max() - _COLUMN_BITS)
    return (np.rint(matrix_dm / unit) * unit).astype(np.float32)


def exact_product(x_nd: Floats, matrix_dm: Floats) -> Floats:
    """Return ``x_nd @ matrix_dm`` in float64, ``(n, m)``, bit for bit the same row by row.

    Rows are rounded to within 2**-29 of their norm, finer than float32 holds a unit row.

    >>> exact_product(np.array([[1.0, 2.0]]), on_grid(np.eye(2))).tolist()
    [[1.0, 2.0]]

    Args:
        matrix_dm: a result of ``on_grid``, or its transpose where that has no longer columns.
    """
    matrix_dm = np.asarray(matrix_dm, dtype=np.float64)
    product_nm = np.empty((len(x_nd), matrix_dm.shape[1]))
    for start, stop in blocks(len(x_nd), _BLOCK):
        np.matmul(rows_on_grid(x_nd[start:stop]), matrix_dm, out=product_nm[start:stop])
    return product_nm


def rows_on_grid(x_nd: Floats) -> Floats:
    """Return rows ``(n, d)`` float64 as ``exact_product`` rounds them, each by its own norm."""
    rows_nd = np.array(x_nd, dtype=np.float64)
    unit_n1 = np.exp2(_exponents(row_norms(rows_nd)) - _ROW_BITS)[:, None]
    rows_nd /= unit_n1
    np.rint(rows_nd, out=rows_nd)
    rows_nd *= unit_n1
    return rows_nd


def _exponents(norms_n: Floats) -> Floats:
    """The smallest e with norm <= 2**e; 0 for a zero norm."""
    mantissa_n, exponent_n = np.frexp(norms_n)
    return np.where(mantissa_n > 0, exponent_n - (mantissa_n == 0.5), 0).astype(np.float64)
