"""The notebook's int8 codes, bit for bit, and the error that theory gives them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import FACTS

from vqbench.numerics.arrays import unit_rows
from vqbench.quantizers.base import Codec
from vqbench.quantizers.offset_int8 import OffsetInt8, WrapInt8

FACT = json.loads((FACTS / "offset_int8.json").read_text("utf-8"))
FLOATS = st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=20)


def _codec(quantizer, d: int) -> Codec:
    return quantizer.fit(np.zeros((1, d), dtype=np.float32), np.random.default_rng(0))


@given(FLOATS)
def test_codes_are_the_notebooks(x: list[float]) -> None:
    """`((np.clip(x + 1, 0, 2)) * 127).astype(np.uint8)` on a float64 array, and the same in plain Python."""
    x_nd = np.array([x], dtype=np.float32)
    codes_nb = _codec(OffsetInt8(), len(x)).encode(x_nd)
    notebook = ((np.clip(np.array([x]) + 1, 0, 2)) * 127).astype(np.uint8)
    np.testing.assert_array_equal(codes_nb, notebook)
    assert codes_nb.tolist() == [[int(min(max(a + 1, 0), 2) * 127) for a in x]]


def test_codes_beside_every_step_are_those_of_float64() -> None:
    """Around each multiple of 1/127 and around 0, where x + 1 in float32 would round to the next code."""
    near = [np.float32(c / 127 - 1) for c in range(255)]
    beside = [np.nextafter(x, np.float32(side)) for x in near for side in (-9, 9)]
    x_d = np.array([*near, *beside, -1e-9, 1e-9, -1e-30], dtype=np.float32)
    wanted = [int(min(max(a + 1, 0), 2) * 127) for a in x_d.tolist()]
    assert _codec(OffsetInt8(), len(x_d)).encode(x_d[None, :]).tolist() == [wanted]
    in_float32 = (np.clip(x_d + np.float32(1), 0, 2) * np.float32(127)).astype(np.uint8)
    assert (in_float32 != wanted).any(), "these points tell nothing"


@given(FLOATS)
def test_the_first_version_wraps(x: list[float]) -> None:
    """`((x + 1) * 127).astype(np.int8)` on common hardware: truncated, then taken modulo 256."""
    x_nd = np.array([x], dtype=np.float32)
    codec = _codec(WrapInt8(), len(x))
    stored = codec.integers(codec.encode(x_nd))
    wanted = [(int((a + 1) * 127) + 128) % 256 - 128 for a in x]
    assert stored.tolist() == [wanted]
    np.testing.assert_array_equal(
        codec.decode(codec.encode(x_nd)), np.array([[a / 127 - 1 for a in wanted]], dtype=np.float32)
    )


@pytest.mark.parametrize(("x", "code"), FACT["points"].items())
def test_codes_at_published_points(x: str, code: int) -> None:
    assert _codec(OffsetInt8(), 1).encode(np.float32([[float(x)]])).tolist() == [[code]]


def test_every_code_decodes_to_its_step() -> None:
    codes_nb = np.arange(256, dtype=np.uint8)[None, :]
    for half_step, shift in ((True, 0.5), (False, 0.0)):
        decoded = _codec(OffsetInt8(half_step=half_step), 256).decode(codes_nb)[0]
        assert decoded.tolist() == [float(np.float32((c + shift) / 127 - 1)) for c in range(256)]
    centres = _codec(OffsetInt8(), 255).decode(codes_nb[:, :255])
    assert centres.max() > 1
    np.testing.assert_array_equal(
        _codec(OffsetInt8(), 254).encode(centres[:, :254]), codes_nb[:, :254], "a centre has its own code"
    )


@pytest.mark.parametrize("d", [128, 384])
def test_error_on_random_unit_vectors(d: int) -> None:
    """Mean, variance and mean square of the error, to the tolerances of the fact file."""
    n = math.ceil(1.5e6 / d)
    x_nd = unit_rows(np.random.default_rng(d).standard_normal((n, d)))
    theory, count = FACT["theory"], n * d
    assert theory["floor_error_mean"] == -1 / 254
    for half_step, mean, square in (
        (False, -1 / 254, theory["floor_mse_per_coord"]),
        (True, 0.0, theory["mid_mse_per_coord"]),
    ):
        codec = _codec(OffsetInt8(half_step=half_step), d)
        error = codec.decode(codec.encode(x_nd)).astype(float) - x_nd
        assert error.mean() == pytest.approx(mean, abs=4 * math.sqrt(5.17e-6 / count))
        assert error.var() == pytest.approx(theory["error_var"], rel=0.005)
        assert (error**2).mean() == pytest.approx(square, rel=0.005)


def test_what_lies_outside_the_range() -> None:
    """[-1, 1] for the clipped code; for the wrapped one, what does not fit a signed byte."""
    x_nd = np.float32([[-1.001, -1, 0, 1, 1.001]])
    assert _codec(OffsetInt8(), 5).clipped(x_nd).tolist() == [[True, False, False, False, True]]
    x_nd = np.float32([[0.0, 0.0078, 0.0079, -2.007, -2.02]])
    assert _codec(WrapInt8(), 5).clipped(x_nd).tolist() == [[False, False, True, False, True]]


@pytest.mark.parametrize("name", ["disney-titles-minilm", "sift-ngt-5k"])
def test_codes_of_real_embeddings(embeddings: Callable[[str], np.ndarray], name: str) -> None:
    x_nd = embeddings(name).astype(np.float32)[:1000]
    codes_nb = _codec(OffsetInt8(), x_nd.shape[1]).encode(x_nd)
    notebook = ((np.clip(x_nd.astype(np.float64) + 1, 0, 2)) * 127).astype(np.uint8)
    np.testing.assert_array_equal(codes_nb, notebook)
    assert len(np.unique(codes_nb)) > 1
