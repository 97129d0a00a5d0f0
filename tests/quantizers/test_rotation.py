"""Random rotations: orthogonal, uniformly drawn, and what they promise for sign bits."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from places import FACTS
from scipy.linalg import hadamard

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import unit_rows
from vqbench.numerics.packing import unpack_bits
from vqbench.quantizers.binary import Binary
from vqbench.quantizers.transforms.base import FittedTransform, Projection, Transform
from vqbench.quantizers.transforms.rotation import Hadamard, HadamardRotation, Orthogonal
from vqbench.quantizers.variant import Variant

RATES = json.loads((FACTS / "sign_bits.json").read_text("utf-8"))["rate_by_cosine"]
BOTH = pytest.mark.parametrize("spec", [Orthogonal(), Hadamard()], ids=["orthogonal", "hadamard"])
SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 70))
ROWS = hnp.arrays(np.float32, SHAPES, elements=st.floats(-100, 100, width=32))


def _fit(spec: Transform, d: int, seed: int = 0) -> FittedTransform:
    return spec.fit(np.zeros((1, d), np.float32), np.random.default_rng(seed))


def _matrix(spec: Transform, d: int, seed: int = 0) -> np.ndarray:
    """A rotation as a matrix ``(d, width)`` float64: what it makes of the identity."""
    return _fit(spec, d, seed).apply(np.eye(d, dtype=np.float32)).astype(np.float64)


@pytest.mark.parametrize("d", [1, 2, 3, 64, 384])
def test_orthogonal_matrices_are_orthogonal(d: int) -> None:
    """Numbers rounded to a grid are off by 2**-23 at most, 7e-8 in the mean square: 1e-6 is ten times the spread
    sqrt(2) * 7e-8 that this gives a product of two columns, and their squared lengths are known twice as well."""
    matrix_dd = _matrix(Orthogonal(), d)
    np.testing.assert_allclose(matrix_dd.T @ matrix_dd, np.eye(d), atol=1e-6, rtol=0)
    np.testing.assert_allclose(matrix_dd @ matrix_dd.T, np.eye(d), atol=1e-6, rtol=0)


def test_orthogonal_matrices_are_drawn_uniformly() -> None:
    """Moments under Haar's law, within 4 standard errors of 3000 draws.

    Of a number: E q^2 = 1/d, E q^4 = 3 / (d (d + 2)) (a coordinate of a point on the sphere). Of the
    trace: E tr Q = 0, E (tr Q)^2 = 1 and E tr Q^2 = 1 (Diaconis and Shahshahani, On the eigenvalues of
    random matrices, J. Appl. Probab. 31A, 1994). QR without the sign fix fails the trace: its first diagonal
    numbers are all of one sign.
    """
    d, draws = 6, 3000
    matrices = np.stack([_fit(Orthogonal(), d, seed).matrix_dm for seed in range(draws)]).astype(np.float64)  # pyright: ignore
    trace = np.trace(matrices, axis1=1, axis2=2)
    for values, expected in [
        (trace, 0),
        (trace**2, 1),
        (np.trace(matrices @ matrices, axis1=1, axis2=2), 1),
        (matrices[:, 0, 0] ** 2, 1 / d),
        (matrices[:, 0, 0] ** 4, 3 / (d * (d + 2))),
        (matrices[:, d - 1, 0] * matrices[:, 0, d - 1], 0),
        (np.linalg.det(matrices), 0),
    ]:
        assert values.mean() == pytest.approx(expected, abs=4 * values.std() / math.sqrt(draws))


@pytest.mark.parametrize("d", [1, 2, 5, 13, 63, 64, 65, 100, 384])
@pytest.mark.parametrize("rounds", [1, 3])
def test_the_fast_rotation_is_its_matrices(d: int, rounds: int) -> None:
    """Against dense products: signs, a permutation, Sylvester's matrix by scipy on each block."""
    fitted = _fit(Hadamard(rounds=rounds), d)
    assert isinstance(fitted, HadamardRotation)
    width = d if d % 64 == 0 else 64 * (d // 64 + 1) if d > 64 else 2 ** math.ceil(math.log2(d))
    assert fitted.width == width
    block = max(b for b in (2**i for i in range(17)) if width % b == 0)
    walsh_ww = np.kron(hadamard(block), np.eye(width // block)) / math.sqrt(block)
    x_nd = np.random.default_rng(1).standard_normal((70, d)).astype(np.float32)
    y_nw = np.hstack([x_nd, np.zeros((70, width - d))])
    for signs, order in zip(unpack_bits(fitted.signs_rb, width), fitted.permutations_rw, strict=True):
        assert sorted(order.tolist()) == list(range(width))
        y_nw = (y_nw * (1.0 - 2.0 * signs))[:, order] @ walsh_ww
    np.testing.assert_allclose(fitted.apply(x_nd), y_nw, rtol=1e-6, atol=1e-6)
    # float32 holds a number below 4 to within 2**-23; the way back adds at most sqrt(width) of those.
    np.testing.assert_allclose(fitted.restore(fitted.apply(x_nd)), x_nd, atol=2**-23 * math.sqrt(width), rtol=0)


@BOTH
@given(x_nd=ROWS)
def test_lengths_and_inner_products_stay(spec: Transform, x_nd: np.ndarray) -> None:
    """Worst case: each number of the matrix off by 2**-23 (its norm by d times that), each result by 2**-24."""
    d = x_nd.shape[1]
    fitted = _fit(spec, d)
    y_nw, x_nd = fitted.apply(x_nd).astype(np.float64), x_nd.astype(np.float64)
    lengths_n = np.linalg.norm(x_nd, axis=1)
    bound_nn = np.outer(lengths_n, lengths_n) * (2 * d * 2**-23 + 2 * 2**-24) * 1.01 + 1e-40
    assert (np.abs(y_nw @ y_nw.T - x_nd @ x_nd.T) <= bound_nn).all()
    back_nd = fitted.restore(y_nw.astype(np.float32))
    assert (np.linalg.norm(back_nd - x_nd, axis=1) <= lengths_n * (2 * d + 2) * 2**-23 + 1e-40).all()


@BOTH
def test_the_seed_makes_the_rotation(spec: Transform) -> None:
    same, again, other = _matrix(spec, 24, 5), _matrix(spec, 24, 5), _matrix(spec, 24, 6)
    assert same.tobytes() == again.tobytes()
    assert np.abs(same - other).max() > 0.1


def test_three_rounds_mix_all_dimensions() -> None:
    """Coordinates of a rotated axis look Gaussian: fourth moment 3 / d**2 within 4 standard errors of as many
    independent numbers, sqrt(96 / count). One round leaves 2/3 of the numbers zero: its moment is 3 times
    1, by chance the same, so the largest number is looked at too: 6 deviations are met once in 5e8."""
    d = 384
    scaled = _matrix(Hadamard(), d).ravel() * math.sqrt(d)
    assert (scaled**4).mean() == pytest.approx(3, abs=4 * math.sqrt(96 / scaled.size))
    assert np.abs(scaled).max() < 6
    assert np.count_nonzero(_matrix(Hadamard(rounds=1), d)) == d * 128
    assert np.mean(scaled == 0) < 0.02


def _pairs(d: int) -> dict[tuple[str, str], np.ndarray]:
    """Pairs of known cosine: in a random plane; with a large offset in common; along two axes, the least mixed."""
    frames = {
        "plane": np.random.default_rng(8).standard_normal((2, d)),
        "offset": np.random.default_rng(9).standard_normal((2, d)) + 5,
        "axes": np.eye(d)[[3, d - 2]],
    }
    pairs = {}
    for kind, (first_d, second_d) in frames.items():
        first_d = first_d / np.linalg.norm(first_d)
        across_d = second_d - (second_d @ first_d) * first_d
        across_d /= np.linalg.norm(across_d)
        for cosine in sorted(RATES):
            angle = math.acos(float(cosine))
            pairs[kind, cosine] = unit_rows(np.array([first_d, math.cos(angle) * first_d + math.sin(angle) * across_d]))
    return pairs


@pytest.mark.slow
@BOTH
def test_sign_bits_differ_at_angle_over_pi(spec: Transform) -> None:
    """Any pair of one cosine, through a whole variant: 50 rotations of 320 dimensions, within 4 standard errors.

    Bits of one rotation are less spread than independent ones (at cosine 0 sd .77 of the binomial's), so
    the binomial standard error is conservative.
    """
    d, rounds = 320, 50
    pairs = _pairs(d)
    rows_pd = np.concatenate(list(pairs.values()))
    variant = Variant(transforms=(spec,), quantizer=Binary(threshold="zero"), similarity="hamming")
    differing = np.zeros(len(pairs))
    for seed in range(rounds):
        codes = variant.fit(rows_pd, seed).encode(rows_pd)
        differing += np.bitwise_count(codes[0::2] ^ codes[1::2]).sum(axis=1)
    for (kind, cosine), count in zip(pairs, differing, strict=True):
        rate = RATES[cosine]
        tolerance = 4 * math.sqrt(rate * (1 - rate) / (rounds * d))
        assert count / (rounds * d) == pytest.approx(rate, abs=tolerance), kind


def test_everything_held_is_counted() -> None:
    """A float32 matrix; a bit and a 16-bit place for each round and padded dimension, 32-bit beyond 2**16."""
    assert sum(item.bytes for item in _fit(Orthogonal(), 100).items()) == 4 * 100**2
    assert sum(item.bytes for item in _fit(Hadamard(), 100).items()) == 3 * (128 / 8 + 2 * 128)
    assert sum(item.bytes for item in _fit(Hadamard(rounds=2, multiple=2), 13).items()) == 2 * (2 + 2 * 14)
    assert sum(item.bytes for item in _fit(Hadamard(rounds=1), 2**16).items()) == 2**16 * (1 / 8 + 2)
    assert sum(item.bytes for item in _fit(Hadamard(rounds=1), 2**16 + 1).items()) == (2**16 + 64) * (1 / 8 + 4)
    assert isinstance(_fit(Orthogonal(), 3), Projection)


@pytest.mark.parametrize("fields", [{"rounds": 0}, {"multiple": 0}, {"multiple": 1}, {"multiple": 48}])
def test_settings_without_sense_are_refused(fields: dict[str, int]) -> None:
    with pytest.raises(VqbenchError, match=next(iter(fields))):
        Hadamard(**fields)
