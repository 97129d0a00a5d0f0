"""MSE, cosine error and the clipped share against loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vqbench.metrics.reconstruction import MSE, Clipped, CosineError
from vqbench.quantizers.cast import Cast
from vqbench.quantizers.offset_int8 import OffsetInt8, WrapInt8


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x_nd = (rng.standard_normal((40, 19)) * 0.8).astype(np.float32)
    return x_nd, (x_nd + rng.standard_normal((40, 19)) * 0.1).astype(np.float32)


def _codec(quantizer):
    return quantizer.fit(np.zeros((1, 19), dtype=np.float32), np.random.default_rng(0))


def test_mse(rows: tuple[np.ndarray, np.ndarray]) -> None:
    found = MSE().measure(*rows, _codec(Cast()))
    for value, x, y in zip(found, *rows, strict=True):
        wanted = math.fsum((float(a) - float(b)) ** 2 for a, b in zip(x, y, strict=True)) / 19
        assert value == pytest.approx(wanted, rel=1e-13)


def test_cosine_error(rows: tuple[np.ndarray, np.ndarray]) -> None:
    x_nd, decoded_nd = rows
    found = CosineError().measure(x_nd, decoded_nd, _codec(Cast()))
    scaled = CosineError().measure(x_nd, decoded_nd * np.float32(4), _codec(Cast()))
    np.testing.assert_allclose(scaled, found, rtol=1e-12)
    for value, x, y in zip(found, x_nd.astype(float), decoded_nd.astype(float), strict=True):
        norms = math.sqrt(math.fsum(x * x)) * math.sqrt(math.fsum(y * y))
        assert value == pytest.approx(1 - math.fsum(x * y) / norms, abs=1e-13)


def test_cosine_error_keeps_its_digits_near_zero() -> None:
    """An angle of 1e-6: the error is 5e-13, of which 1 - cosine in float64 would keep three digits."""
    x_nd = np.array([[1.0, 0.0]], dtype=np.float32)
    y_nd = np.array([[1.0, 1e-6]], dtype=np.float32)
    wanted = 2 * math.sin(math.atan(float(y_nd[0, 1])) / 2) ** 2
    assert CosineError().measure(x_nd, y_nd, _codec(Cast()))[0] == pytest.approx(wanted, rel=1e-9)


def test_cosine_error_of_special_rows() -> None:
    """A zero row has cosine 0 with everything; opposite rows have error 2."""
    x_nd = np.array([[1, 0], [0, 0], [1, 0], [0, 0]], dtype=np.float32)
    y_nd = np.array([[0, 0], [1, 0], [-3, 0], [0, 0]], dtype=np.float32)
    assert CosineError().measure(x_nd, y_nd, _codec(Cast())).tolist() == [1, 1, 2, 1]


def test_clipped(rows: tuple[np.ndarray, np.ndarray]) -> None:
    x_nd, decoded_nd = rows
    found = Clipped().measure(x_nd, decoded_nd, _codec(OffsetInt8()))
    assert found.tolist() == [sum(abs(float(a)) > 1 for a in x) / 19 for x in x_nd]
    assert found.max() > 0
    assert Clipped().measure(x_nd, decoded_nd, _codec(Cast(dtype="float16"))).tolist() == [0] * 40
    wrapped = Clipped().measure(x_nd, decoded_nd, _codec(WrapInt8()))
    wanted = [sum(not -128 <= math.trunc((float(a) + 1) * 127) <= 127 for a in x) / 19 for x in x_nd]
    assert wrapped.tolist() == wanted
