"""1-bit codes: thresholds, levels, and the rate of differing bits that geometry gives."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from statistics import fmean, median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from places import FACTS

from vqbench.numerics.packing import unpack_bits
from vqbench.quantizers.base import Codec
from vqbench.quantizers.binary import Binary

UBINARY = json.loads((FACTS / "sentence_transformers.json").read_text("utf-8"))["ubinary"]
RATES = json.loads((FACTS / "sign_bits.json").read_text("utf-8"))["rate_by_cosine"]
# Quarters: every sum, mean and median of a few is exact, so values on a threshold are common.
SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 11))
QUARTERS = hnp.arrays(np.float32, SHAPES, elements=st.integers(-8, 8).map(lambda i: i / 4))
CENTRES = {"zero": lambda values: 0.0, "mean": fmean, "median": median}


def _fit(sample_nd: np.ndarray, **fields) -> Codec:
    return Binary(**fields).fit(sample_nd, np.random.default_rng(0))


def _thresholds(sample_nd: np.ndarray, kind: str, scope: str) -> list[float]:
    """One threshold per dimension, by statistics of plain lists."""
    if scope == "global":
        return [CENTRES[kind](sample_nd.ravel().tolist())] * sample_nd.shape[1]
    return [CENTRES[kind](column) for column in sample_nd.T.tolist()]


@pytest.mark.parametrize("scope", ["global", "dimension"])
@pytest.mark.parametrize("kind", ["zero", "mean", "median"])
@given(x_nd=QUARTERS)
def test_a_bit_is_set_above_the_threshold_only(kind: str, scope: str, x_nd: np.ndarray) -> None:
    codec = _fit(x_nd, threshold=kind, scope=scope)
    thresholds = _thresholds(x_nd, kind, scope)
    bits = [[int(a > t) for a, t in zip(row, thresholds, strict=True)] for row in x_nd.tolist()]
    assert unpack_bits(codec.encode(x_nd), x_nd.shape[1]).tolist() == bits


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["global", "dimension"])
@pytest.mark.parametrize("kind", ["zero", "mean", "median"])
@given(x_nd=QUARTERS)
def test_levels_are_the_means_of_either_side(kind: str, scope: str, x_nd: np.ndarray) -> None:
    """A side without values decodes to the threshold: a constant dimension is kept exactly."""
    codec = _fit(x_nd, threshold=kind, scope=scope, levels="means")
    decoded_nd = codec.decode(codec.encode(x_nd))
    thresholds = _thresholds(x_nd, kind, scope)
    for at, threshold in enumerate(thresholds):
        pool = x_nd.ravel().tolist() if scope == "global" else x_nd[:, at].tolist()
        for value, decoded in zip(x_nd[:, at].tolist(), decoded_nd[:, at], strict=True):
            side = [a for a in pool if (a > threshold) == (value > threshold)]
            assert decoded == pytest.approx(fmean(side), rel=1e-6, abs=1e-7)
        if scope == "dimension" and kind != "zero" and len(set(pool)) == 1:
            np.testing.assert_array_equal(decoded_nd[:, at], x_nd[:, at])
    unseen_nd = codec.decode(codec.encode(np.full_like(x_nd[:1], 99)))
    for at, threshold in enumerate(thresholds):
        pool = x_nd.ravel().tolist() if scope == "global" else x_nd[:, at].tolist()
        above = [a for a in pool if a > threshold]
        assert unseen_nd[0, at] == pytest.approx(fmean(above) if above else threshold, rel=1e-6, abs=1e-7)


def test_signs_decode_to_plus_and_minus_one() -> None:
    x_nd = np.float32([[0.5, 0.0, -0.1, -0.0, 1e-38, 7, -7, 2, -2]])
    codec = _fit(x_nd)
    assert codec.decode(codec.encode(x_nd)).tolist() == [[1, -1, -1, -1, 1, 1, -1, 1, -1]]


@pytest.mark.parametrize("example", UBINARY, ids=lambda example: f"{len(example['input'][0])} dimensions")
def test_packed_signs_are_those_of_sentence_transformers(example: dict) -> None:
    x_nd = np.array(example["input"], dtype=np.float32)
    assert _fit(x_nd).encode(x_nd).tolist() == example["output"]


@pytest.mark.parametrize("name", ["disney-titles-minilm", "clip-lvis-vitb32", "sift-ngt-5k"])
def test_the_notebooks_mean_threshold(embeddings: Callable[[str], np.ndarray], name: str) -> None:
    """`x > np.mean(everything)` on real embeddings, whatever the order in which the mean is summed."""
    x_nd = embeddings(name).astype(np.float32)
    codec = _fit(x_nd[::-1], threshold="mean")
    notebook = x_nd.astype(np.float64) > np.mean(x_nd.astype(np.float64))
    np.testing.assert_array_equal(codec.encode(x_nd), np.packbits(notebook, axis=1))


def test_the_mean_threshold_is_one_scalar_in_float64(gaussian: np.ndarray) -> None:
    codec = _fit(gaussian, threshold="mean")
    everything = gaussian.ravel().tolist()
    assert codec.threshold.shape == ()  # pyright: ignore[reportAttributeAccessIssue]
    assert float(codec.threshold) == pytest.approx(math.fsum(everything) / len(everything), rel=1e-14)  # pyright: ignore


@pytest.mark.parametrize("kind", ["mean", "median"])
@pytest.mark.parametrize("steps", [0, 1])
def test_neighbouring_floats_on_either_side_of_the_threshold(kind: str, steps: int) -> None:
    """Two float32 values with no other between them: their mean and median are, in float64."""
    low = np.float32(1 + steps * 2.0**-23)
    x_nd = np.array([[low, np.nextafter(low, np.float32(2))]])
    codec = _fit(x_nd, threshold=kind)
    assert unpack_bits(codec.encode(x_nd), 2).tolist() == [[0, 1]]


@pytest.mark.parametrize("cosine", sorted(RATES))
def test_signs_after_a_random_rotation_differ_at_angle_over_pi(cosine: str) -> None:
    """100 random rotations of one pair in 256 dimensions: 4 standard errors, which are conservative here."""
    d, rounds, rate = 256, 100, RATES[cosine]
    assert rate == pytest.approx(math.acos(float(cosine)) / math.pi, abs=1e-15)
    rng = np.random.default_rng(int(100 * float(cosine)))
    angle, differing = math.acos(float(cosine)), 0
    for _ in range(rounds):
        # Two columns of a random orthogonal matrix: the images of two fixed orthogonal vectors.
        frame_d2, _ = np.linalg.qr(rng.standard_normal((d, 2)))
        turned_d = frame_d2 @ [math.cos(angle), math.sin(angle)]
        pair = np.float32([frame_d2[:, 0], turned_d])
        codes = _fit(pair).encode(pair)
        differing += int(np.bitwise_count(codes[0] ^ codes[1]).sum())
    tolerance = 4 * math.sqrt(rate * (1 - rate) / (rounds * d))
    assert differing / (rounds * d) == pytest.approx(rate, abs=tolerance)
