"""Matrix products that no neighbour, block or thread can change, and the packing of small numbers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vqbench.numerics.exact_products import exact_product, on_grid
from vqbench.numerics.packing import append_floats, pack_levels, packed_bytes, split_floats, unpack_levels


def test_every_sum_is_exact_in_any_order() -> None:
    """Against rational arithmetic: the rounded factors' products add up without any rounding."""
    rng = np.random.default_rng(0)
    x_nd = (rng.standard_normal((6, 50)) * 10.0 ** rng.integers(-6, 7, (6, 1))).astype(np.float32)
    matrix_dm = on_grid(rng.standard_normal((50, 7)) * 3)
    found_nm = exact_product(x_nd, matrix_dm)
    for row in range(6):
        unit = Fraction(2) ** (int(np.ceil(np.log2(np.linalg.norm(x_nd[row].astype(float))))) - 28)
        rounded = [round(Fraction(float(x)) / unit) * unit for x in x_nd[row]]
        for column in range(7):
            exact = sum(a * Fraction(float(b)) for a, b in zip(rounded, matrix_dm[:, column], strict=True))
            assert Fraction(float(found_nm[row, column])) == exact


@pytest.mark.parametrize("n", [1, 7, 1024, 2500])
def test_rows_do_not_feel_their_neighbours(n: int) -> None:
    rng = np.random.default_rng(n)
    x_nd = rng.standard_normal((n, 300)).astype(np.float32)
    matrix_dm = on_grid(np.linalg.qr(rng.standard_normal((300, 300)))[0])
    product_nm = exact_product(x_nd, matrix_dm)
    assert np.array_equal(exact_product(x_nd[::-1], matrix_dm)[::-1], product_nm)
    assert np.array_equal(exact_product(x_nd[n // 2 : n // 2 + 1], matrix_dm)[0], product_nm[n // 2])
    close_nm = x_nd.astype(np.float64) @ matrix_dm.astype(np.float64)
    norms_n1 = np.linalg.norm(x_nd.astype(np.float64), axis=1, keepdims=True)
    assert (np.abs(product_nm - close_nm) <= norms_n1 * 2.0**-29 * np.sqrt(300)).all()


def test_extreme_rows_and_unit_columns() -> None:
    x_nd = np.array([[0, 0], [1e30, -1e30], [1e-40, 1e-40]], np.float32)
    assert np.array_equal(exact_product(x_nd, on_grid(np.eye(2))), x_nd.astype(np.float64))
    third = on_grid(np.array([[1 / 3], [2 / 3], [2 / 3]]) * (1 - 1e-9))
    assert np.abs(third[:, 0] - np.array([1, 2, 2]) / 3).max() <= 2.0**-23 * (1 + 1e-6) + 1e-9


@given(st.integers(1, 8), st.integers(1, 40), st.integers(0, 5), st.randoms(use_true_random=False))
def test_packing_is_a_stream_of_bits(bits: int, d: int, n: int, random) -> None:
    levels = [[random.randrange(2**bits) for _ in range(d)] for _ in range(n)]
    levels_nd = np.array(levels, np.uint8).reshape(n, d)
    codes_nb = pack_levels(levels_nd, bits)
    assert codes_nb.shape == (n, packed_bytes(d, bits)) == (n, -(-d * bits // 8))
    for row, code in zip(levels, codes_nb, strict=True):
        stream = "".join(format(level, f"0{bits}b") for level in row)
        stream += "0" * (-len(stream) % 8)
        assert code.tobytes() == bytes(int(stream[at : at + 8], 2) for at in range(0, len(stream), 8))
    assert np.array_equal(unpack_levels(codes_nb, d, bits), levels_nd)


@given(arrays(np.float32, (4, 3), elements=st.floats(width=32, allow_nan=False)))
def test_numbers_behind_a_code_come_back_bit_for_bit(floats_nf: np.ndarray) -> None:
    codes_nb = np.arange(20, dtype=np.uint8).reshape(4, 5)
    both_nb = append_floats(codes_nb, floats_nf)
    assert both_nb.shape == (4, 17)
    back_nb, back_nf = split_floats(both_nb, 3)
    assert np.array_equal(back_nb, codes_nb)
    assert np.array_equal(back_nf.view(np.uint32), floats_nf.view(np.uint32))
    assert both_nb[0, 5:9].tobytes() == floats_nf[0, 0].astype("<f4").tobytes()
