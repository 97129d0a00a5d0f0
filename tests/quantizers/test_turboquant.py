"""TurboQuant for the least square error: levels and distortion against theory, codes against a loop."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from places import FACTS
from scipy.integrate import quad

from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.numerics.arrays import unit_rows
from vqbench.numerics.packing import unpack_levels
from vqbench.quantizers.base import Codec
from vqbench.quantizers.parts.levels import gaussian_levels
from vqbench.quantizers.transforms.rotation import Orthogonal
from vqbench.quantizers.turboquant import TurboQuantMSE, TurboQuantMSECodec, TurboQuantProd, sphere_levels

FACTS = json.loads((FACTS / "turboquant.json").read_text("utf-8"))
MSE = FACTS["mse"]
CASES = [(int(d), int(bits)) for d in MSE for bits in MSE[d]]


def _fit(quantizer: TurboQuantMSE | TurboQuantProd, d: int, seed: int = 0) -> Codec:
    return quantizer.fit(np.zeros((1, d), np.float32), np.random.default_rng(seed))


def _mse_codec(d: int, **fields) -> TurboQuantMSECodec:
    codec = _fit(TurboQuantMSE(**fields), d)
    assert isinstance(codec, TurboQuantMSECodec)
    return codec


def _directions(n: int, d: int, seed: int) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).standard_normal((n, d)))


# Levels


def _distortion(levels_k: np.ndarray, d: int) -> float:
    """E |x - code(x)|^2 of a random unit vector, by quadrature over the density of a coordinate."""

    def density(x: float) -> float:
        return (1 - x * x) ** ((d - 3) / 2)

    upper = levels_k[len(levels_k) // 2 :]
    far = min(1.0, 12 / math.sqrt(d))  # 12 standard deviations: nothing is left
    edges = [0.0, *((upper[1:] + upper[:-1]) / 2), far]
    cells = zip(upper, edges, edges[1:], strict=False)
    error = sum(quad(lambda x, c=c: density(x) * (x - c) ** 2, a, b, epsabs=0)[0] for c, a, b in cells)
    return d * error / sum(quad(density, a, b, epsabs=0)[0] for a, b in zip(edges, edges[1:], strict=False))


@pytest.mark.parametrize(("d", "bits"), CASES)
def test_expected_distortion_of_the_levels(d: int, bits: int) -> None:
    """Against integrals computed elsewhere. Their beta levels had not converged from 5 bits on: ours may be lower."""
    fact = MSE[str(d)][str(bits)]
    assert _distortion(gaussian_levels(bits)[0] / math.sqrt(d), d) == pytest.approx(fact["gaussian"], rel=1e-6)
    beta = _distortion(sphere_levels(bits, d)[0], d)
    assert beta <= fact["beta"] * (1 + 1e-7)
    assert beta == pytest.approx(fact["beta"], rel=2e-6 if bits <= 4 else 5e-3)
    # With 1 bit, and where rounding is coarse, normal levels are nearly as good; never better.
    assert beta < fact["gaussian"]


@pytest.mark.parametrize("bits", range(1, 9))
def test_on_a_sphere_in_three_dimensions_levels_are_even(bits: int) -> None:
    """There a coordinate is uniform on [-1, 1] (Archimedes), so the levels are the midpoints of equal cells."""
    even = (np.arange(2**bits) + 0.5) / 2**bits * 2 - 1
    np.testing.assert_allclose(sphere_levels(bits, 3)[0], even, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("d", "bits"), [(2, 1), (2, 3), (2, 8), (8, 2), (8, 5), (100, 8)])
def test_each_level_is_the_mean_of_its_cell(d: int, bits: int) -> None:
    """By quadrature in the angle: x = sin(a) has density cos(a) ** (d - 2)."""
    levels_k, thresholds_j = sphere_levels(bits, d)
    edges = np.arcsin([-1.0, *thresholds_j, 1.0])
    for level, low, high in zip(levels_k, edges, edges[1:], strict=False):
        mass, _ = quad(lambda a: math.cos(a) ** (d - 2), low, high, epsabs=0)
        moment, _ = quad(lambda a: math.sin(a) * math.cos(a) ** (d - 2), low, high, epsabs=1e-16)
        assert level == pytest.approx(moment / mass, rel=1e-8, abs=1e-10)


# The code for the least square error


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 6, 8])
@pytest.mark.parametrize("codebook", ["gaussian", "beta"])
def test_square_error_of_random_directions(codebook: str, bits: int) -> None:
    """4 standard errors of the mean over 4000 vectors: 0.3 % with 1 bit, 1 % with 4."""
    x_nd = _directions(4000, 384, bits)
    codec = _mse_codec(384, bits=bits, codebook=codebook)
    errors_n = np.square(codec.decode(codec.encode(x_nd)).astype(np.float64) - x_nd).sum(axis=1)
    error = errors_n.mean()
    assert error == pytest.approx(MSE["384"][str(bits)][codebook], abs=4 * errors_n.std() / math.sqrt(4000))
    assert 4.0**-bits <= error <= math.sqrt(3) * math.pi / 2 * 4.0**-bits


@pytest.mark.slow
@pytest.mark.parametrize("bits", [1, 4])
def test_a_rotation_makes_any_vector_a_random_direction(bits: int) -> None:
    """Unit coordinate vectors are the worst there are; behind rotations their error is that of the theory.

    All 128 images in one rotation are orthogonal to each other: less scattered than independent ones.
    """
    d, rounds = 128, 20
    x_nd = np.eye(d, dtype=np.float32)
    codec = _mse_codec(d, bits=bits, codebook="beta")
    expected = MSE[str(d)][str(bits)]["beta"]
    errors = []
    for seed in range(rounds):
        rotated_nd = Orthogonal().fit(x_nd, np.random.default_rng(seed)).apply(x_nd)
        errors.append(np.square(codec.decode(codec.encode(rotated_nd)).astype(np.float64) - rotated_nd).sum(axis=1))
    assert np.mean(errors) == pytest.approx(expected, abs=4 * np.std(errors) / math.sqrt(d * rounds))
    bare = np.square(codec.decode(codec.encode(x_nd)).astype(np.float64) - x_nd).sum(axis=1)
    assert bare.mean() > 1.5 * expected


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_inner_products_shrink_by_the_distortion(bits: int) -> None:
    """E <y, code(x)> = (1 - D) <y, x>: 2 / pi with 1 bit in many dimensions (paper, section 3.2)."""
    n, d, cosine = 4000, 384, 0.6
    x_nd, other_nd = _directions(2 * n, d, 10 + bits).reshape(2, n, d)
    # Two independent directions are orthogonal on average: E <code(x), other> = 0.
    y_nd = cosine * x_nd + 0.8 * other_nd
    codec = _mse_codec(d, bits=bits, codebook="beta")
    slopes_n = (codec.decode(codec.encode(x_nd)) * y_nd).sum(axis=1, dtype=np.float64) / cosine
    slope = 1 - MSE["384"][str(bits)]["beta"]
    assert slopes_n.mean() == pytest.approx(slope, abs=4 * slopes_n.std() / math.sqrt(n))
    if bits == 1:
        assert slope == pytest.approx(2 / math.pi, abs=0.001)


# Codes, row by row


def _number(x: float, levels: list[float]) -> int:
    return min(range(len(levels)), key=lambda i: abs(x - levels[i]))


@pytest.mark.parametrize("bits", [1, 3, 4, 8])
@pytest.mark.parametrize("codebook", ["gaussian", "beta"])
def test_codes_of_a_loop(codebook: str, bits: int) -> None:
    """Norm, direction, nearest level: one number at a time."""
    x_nd = np.random.default_rng(bits).normal(0.1, 2, (30, 11)).astype(np.float32)
    codec = _mse_codec(11, bits=bits, codebook=codebook)
    codes_nb = codec.encode(x_nd)
    levels = (
        gaussian_levels(bits)[0] / math.sqrt(11) if codebook == "gaussian" else sphere_levels(bits, 11)[0]
    ).tolist()
    for row, code in zip(x_nd.tolist(), codes_nb, strict=True):
        norm = math.sqrt(sum(x * x for x in row))
        numbers = [_number(x / norm, levels) for x in row]
        assert unpack_levels(code[None, :-4], 11, bits)[0].tolist() == numbers
        assert code[-4:].tobytes() == np.array(norm, "<f4").tobytes()
        np.testing.assert_allclose(codec.decode(code[None])[0], [levels[i] * norm for i in numbers], rtol=1e-6)


def test_zero_rows_decode_to_zero_and_lengths_are_kept() -> None:
    x_nd = np.array([[0] * 4, [3e38] * 4, [-1e-40, 0, 0, 1e-40]], np.float32)
    for quantizer in (TurboQuantMSE(bits=8), TurboQuantProd(bits=8), TurboQuantProd(bits=1)):
        codec = _fit(quantizer, 4)
        decoded_nd = codec.decode(codec.encode(x_nd))
        assert np.isfinite(decoded_nd).all()
        assert not decoded_nd[0].any()
    codec = _mse_codec(4, bits=8)
    np.testing.assert_allclose(codec.decode(codec.encode(x_nd))[2], x_nd[2], atol=2e-42)


# The spec and the ledger


def test_bytes_by_item() -> None:
    items = {
        "mse": _mse_codec(30, bits=3).ledger(),
        "prod": _fit(TurboQuantProd(bits=3), 30).ledger(),
        "prod1": _fit(TurboQuantProd(bits=1), 30).ledger(),
    }
    assert {name: {item.name: item.bytes for item in ledger.items} for name, ledger in items.items()} == {
        "mse": {"code": 11.25, "padding": 0.75, "norm": 4},
        "prod": {"code": 11.25, "padding": 0.75, "norm": 4, "residual norm": 4, "sketch": 3600},
        "prod1": {"code": 3.75, "padding": 0.25, "norm": 4, "sketch": 3600},
    }


@pytest.mark.parametrize("quantizer", [TurboQuantMSE, TurboQuantProd])
def test_what_does_not_suit_is_refused(quantizer: Callable[..., TurboQuantMSE | TurboQuantProd]) -> None:
    for bits in (0, 9):
        with pytest.raises(VqbenchError, match=f"bits = {bits}: must be from 1 to 8"):
            quantizer(bits=bits)
    with pytest.raises(NotApplicableError, match="d = 1"):
        _fit(quantizer(codebook="beta"), 1)
