"""Row-by-row arithmetic, unit rows, bit packing and keys: nothing depends on the rows around a row."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vqbench.numerics.arrays import as_float32, row_dots, row_norms, unit_rows
from vqbench.numerics.draws import content_keys, drawn, id_keys, mixed
from vqbench.numerics.packing import pack_bits, unpack_bits

WIDTHS = [1, 2, 3, 7, 8, 15, 17, 64, 100, 384, 1536, 3000, 4095, 4096, 4097, 8191, 8192, 8193, 9000]
ROWS = hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=st.floats(-9, 9, width=32))


@pytest.mark.parametrize("d", WIDTHS)
def test_a_row_has_the_same_product_wherever_it_stands(d: int) -> None:
    """Bit for bit: alone, in batches, permuted, misaligned, with strides, repeated; one partner or many."""
    rng = np.random.default_rng(d)
    x_nd, y_nd = rng.standard_normal((2, 23, d))
    alone = np.array([row_dots(x_nd[i : i + 1], y_nd[0])[0] for i in range(23)])
    alone_paired = np.array([row_dots(x_nd[i : i + 1], y_nd[i : i + 1])[0] for i in range(23)])
    order = rng.permutation(23)
    shifted = np.empty(23 * d + 1)[1:].reshape(23, d)
    shifted[:] = x_nd
    bytes_off = np.frombuffer(b"\0" * 3 + x_nd.tobytes(), dtype=np.uint8)[3:].view(np.float64).reshape(23, d)
    wide = np.empty((46, 2 * d))
    wide[::2, ::2] = x_nd
    forms = {"batch": x_nd, "shifted": shifted, "misaligned": bytes_off, "strided": wide[::2, ::2],
             "fortran": np.asfortranarray(x_nd)}  # fmt: skip
    for name, form in forms.items():
        np.testing.assert_array_equal(row_dots(form, y_nd[0]), alone, err_msg=name)
        np.testing.assert_array_equal(row_dots(form, y_nd), alone_paired, err_msg=name)
    np.testing.assert_array_equal(row_dots(x_nd[order], y_nd[0]), alone[order])
    np.testing.assert_array_equal(row_dots(np.tile(x_nd, (50, 1)), y_nd[0]), np.tile(alone, 50))
    for start, stop in ((0, 2), (5, 8), (1, 23)):
        np.testing.assert_array_equal(row_dots(x_nd[start:stop], y_nd[0]), alone[start:stop])
    np.testing.assert_array_equal(row_norms(shifted), [row_norms(x_nd[i : i + 1])[0] for i in range(23)])


@pytest.mark.parametrize("d", [1, 5, 384, 4097, 9000])
def test_row_dots_are_accurate(d: int) -> None:
    rng = np.random.default_rng(d)
    x_nd, y_nd = rng.standard_normal((2, 6, d)).astype(np.float32)
    for value, x, y in zip(row_dots(x_nd, y_nd), x_nd.astype(float), y_nd.astype(float), strict=True):
        assert value == pytest.approx(math.fsum(x * y), abs=d * 2.0**-52 * math.fsum(abs(x * y)))
    for value, x in zip(row_norms(x_nd), x_nd.astype(float), strict=True):
        assert value == pytest.approx(math.sqrt(math.fsum(x * x)), rel=d * 2.0**-52)


@given(ROWS)
def test_unit_rows(x_nd: np.ndarray) -> None:
    before = x_nd.copy()
    unit_nd = unit_rows(x_nd)
    assert unit_nd.dtype == np.float32
    np.testing.assert_array_equal(x_nd, before)
    for unit, x in zip(unit_nd, x_nd.astype(float), strict=True):
        length = math.sqrt(math.fsum(x * x))
        wanted = [0.0] * len(x) if length == 0 else [a / length for a in x]
        np.testing.assert_allclose(unit, wanted, rtol=1e-7, atol=1e-45)


def test_scaling_by_a_power_of_two_changes_no_unit_row(gaussian: np.ndarray) -> None:
    np.testing.assert_array_equal(unit_rows(gaussian * np.float32(2)), unit_rows(gaussian))
    np.testing.assert_array_equal(unit_rows(gaussian * np.float32(2.0**-20)), unit_rows(gaussian))


@given(st.integers(1, 70), st.integers(1, 5), st.integers(0, 2**32))
def test_bits_round_trip(d: int, n: int, seed: int) -> None:
    """Against bytes put together by hand: the first dimension is the highest bit, the rest is zero."""
    bits_nd = np.random.default_rng(seed).integers(0, 2, (n, d)).astype(bool)
    codes_nb = pack_bits(bits_nd)
    assert codes_nb.dtype == np.uint8
    for code, bits in zip(codes_nb, bits_nd, strict=True):
        text = "".join("1" if bit else "0" for bit in bits)
        text += "0" * (-d % 8)
        assert code.tolist() == [int(text[at : at + 8], 2) for at in range(0, len(text), 8)]
    np.testing.assert_array_equal(unpack_bits(codes_nb, d), bits_nd)


@pytest.mark.parametrize(
    "x_nd",
    [np.array([[1, -0.0], [0.0, 3]]), np.array([[1, 0], [0, 3]]), np.array([[1, -0.0], [0, 3]], dtype=">f2"),
     np.asfortranarray([[1.0, 0], [0, 3]]), np.array([[1, 0], [0, 3]], dtype=">u8")],
    ids=["float64", "int", "big-endian half", "fortran", "big-endian unsigned"],
)  # fmt: skip
def test_as_float32_gives_equal_rows_equal_bytes(x_nd: np.ndarray) -> None:
    found = as_float32(x_nd)
    assert found.dtype == np.float32
    assert found.dtype.isnative
    assert found.flags.c_contiguous
    assert found.tobytes() == np.array([[1, 0], [0, 3]], dtype=np.float32).tobytes()


@given(st.permutations(range(20)), st.integers(0, 20), st.integers(0, 2**40))
def test_draws_follow_the_rows_through_any_permutation(order: list[int], count: int, seed: int) -> None:
    """By content and by id: the same rows are drawn, in the same order, wherever they stand."""
    x_nd = np.random.default_rng(0).standard_normal((20, 5)).astype(np.float32)
    ids = [f"row-{i}" for i in range(20)]
    for keys_n, shuffled_n in (
        (content_keys(x_nd), content_keys(x_nd[order])),
        (id_keys(ids), id_keys([ids[i] for i in order])),
    ):
        np.testing.assert_array_equal(shuffled_n, keys_n[order])
        picked = drawn(keys_n, count, seed, "a")
        assert len(set(picked.tolist())) == count
        np.testing.assert_array_equal(np.array(order)[drawn(shuffled_n, count, seed, "a")], picked)


def test_keys_do_not_depend_on_the_batch_and_differ_between_rows() -> None:
    x_nd = np.random.default_rng(1).standard_normal((500, 3)).astype(np.float32)
    keys_n = content_keys(x_nd)
    assert len(set(keys_n.tolist())) == 500
    assert [int(content_keys(x_nd[i : i + 1])[0]) for i in range(500)] == keys_n.tolist()
    swapped = content_keys(x_nd[:, ::-1].copy())
    assert not set(swapped.tolist()) & set(keys_n.tolist())
    assert content_keys(np.float32([[0, 1]])) != content_keys(np.float32([[1, 0]]))
    assert len(set(id_keys([str(i) for i in range(5000)]).tolist())) == 5000


def test_draws_differ_by_seed_and_spread_evenly() -> None:
    """Every row is drawn about as often: 200 draws of 20 from 100, expectation 40, sd 5.7."""
    keys_n = id_keys([f"{i}" for i in range(100)])
    draws = [tuple(drawn(keys_n, 20, seed, "a").tolist()) for seed in range(200)]
    assert len(set(draws)) == 200
    counts = np.bincount(np.ravel(draws), minlength=100)
    assert counts.min() > 40 - 4.5 * 5.7
    assert counts.max() < 40 + 4.5 * 5.7


def test_mixing_is_a_bijection_by_seed() -> None:
    keys_n = np.arange(10_000, dtype=np.uint64)
    for seed in (0, 1, 2**70):
        assert len(np.unique(mixed(keys_n, seed))) == 10_000
    # splitmix64 seeded with 0: its state steps by 0x9E3779B97F4A7C15, its first output is 0xE220A8397B1DCDAF.
    state = np.array([0x9E3779B97F4A7C15 - 1], dtype=np.uint64)
    assert int(mixed(state, 0)[0]) == 0xE220A8397B1DCDAF
