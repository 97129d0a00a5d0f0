"""Lloyd-Max: coding against a loop; trained levels against naive k-means, scipy and the best there are."""

from __future__ import annotations

import json
import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from places import FACTS
from scipy.cluster.vq import kmeans

from vqbench.errors import VqbenchError
from vqbench.numerics.packing import unpack_levels
from vqbench.quantizers.lloyd_max import LloydMax, LloydMaxCodec
from vqbench.quantizers.parts.levels import float32_thresholds

EXACT = json.loads((FACTS / "lloyd_max.json").read_text("utf-8"))["bits"]
BITS = range(1, 9)
# Quarters: sums are exact, and numbers on a midpoint between two levels are common.
QUARTERS = hnp.arrays(np.float32, st.tuples(st.integers(1, 40), st.integers(1, 3)), elements=st.integers(-40, 40))
MANY = np.random.default_rng(0).standard_normal(1_000_000).astype(np.float32)


def _fit(sample_nd: np.ndarray, **fields) -> LloydMaxCodec:
    codec = LloydMax(**fields).fit(np.asarray(sample_nd, np.float32), np.random.default_rng(0))
    assert isinstance(codec, LloydMaxCodec)
    return codec


def _square_error(codec: LloydMaxCodec, x_nd: np.ndarray) -> float:
    return float(np.square(codec.decode(codec.encode(x_nd)).astype(np.float64) - x_nd).mean())


# Coding


@given(x_nd=QUARTERS, bits=st.sampled_from([1, 2, 3, 5, 6, 8]), trained=st.booleans(), whole=st.booleans())
def test_each_number_gets_the_nearest_level_and_on_a_midpoint_the_lower(
    x_nd: np.ndarray, bits: int, trained: bool, whole: bool
) -> None:
    """A loop over exact distances; ``min`` takes the first of equals. 6 bits and more take the other code path."""
    x_nd = x_nd / np.float32(4)
    codebook, scope = "trained" if trained else "gaussian", "global" if whole else "dimension"
    codec = _fit(x_nd, bits=bits, codebook=codebook, scope=scope)
    codes_nb = codec.encode(x_nd)
    numbers_nd, decoded_nd = unpack_levels(codes_nb, codec.d, bits), codec.decode(codes_nb)
    for row, row_x in enumerate(x_nd.tolist()):
        for at, x in enumerate(row_x):
            levels = (codec.levels if whole else codec.levels[at]).astype(np.float64).tolist()
            nearest = min(range(2**bits), key=lambda i: abs(x - levels[i]))
            assert decoded_nd[row, at] == levels[nearest]
            if len(set(levels)) == len(levels):
                assert numbers_nd[row, at] == nearest


@pytest.mark.parametrize("bits", BITS)
def test_blocks_leave_no_seam(bits: int) -> None:
    """More rows than are coded at a time, against numpy's search."""
    x_nd = MANY[: 3 * 50_001].reshape(-1, 3)
    codec = _fit(x_nd, bits=bits, scope="dimension")
    numbers_nd = unpack_levels(codec.encode(x_nd), 3, bits)
    for at in range(3):
        thresholds = float32_thresholds(codec.levels[at])
        np.testing.assert_array_equal(numbers_nd[:, at], np.searchsorted(thresholds, x_nd[:, at]))


def test_the_gaussian_codebook_is_moved_and_scaled() -> None:
    x_nd = np.float32([[1, 10], [2, 10], [3, 10], [4, 10]])
    whole, own = _fit(x_nd, bits=1), _fit(x_nd, bits=1, scope="dimension")
    mean, deviation = statistics.fmean(x_nd.ravel()), statistics.pstdev(x_nd.ravel().tolist())
    level = math.sqrt(2 / math.pi)
    np.testing.assert_allclose(whole.levels, [mean - level * deviation, mean + level * deviation], rtol=1e-6)
    spread = level * statistics.pstdev([1, 2, 3, 4])
    np.testing.assert_allclose(own.levels, [[2.5 - spread, 2.5 + spread], [10, 10]], rtol=1e-6)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("codebook", ["gaussian", "trained"])
def test_normal_numbers_have_the_exact_distortion(codebook: str, bits: int) -> None:
    """Within 4 standard errors of the mean square error of a million numbers.

    Training on the sample itself lowers the error by about 2**bits / n of it, 0.03 % at 8 bits, where
    4 standard errors are 3.8 %. Mean and deviation of the sample err by 0.1 %, which changes nothing to first order.
    """
    fact = EXACT[str(bits)]
    mse = _square_error(_fit(MANY[:, None], bits=bits, codebook=codebook), MANY[:, None])
    assert mse == pytest.approx(fact["mse"], abs=4 * fact["sd_square_error"] / math.sqrt(len(MANY)))


# Training


def _one_round(values: list[float], levels: list[float]) -> list[float]:
    """A round of k-means by loops; a level that got nothing stays."""
    cells: list[list[float]] = [[] for _ in levels]
    for value in values:
        cells[min(range(len(levels)), key=lambda i: abs(value - levels[i]))].append(value)
    return [statistics.fmean(cell) if cell else level for cell, level in zip(cells, levels, strict=True)]


def _least_error(values: np.ndarray, count: int) -> float:
    """The least sum of squares that any ``count`` levels can have: dynamic programming over sorted values."""
    v = np.sort(values.astype(np.float64))
    n = len(v)
    sums, squares = np.append(0, np.cumsum(v)), np.append(0, np.cumsum(v * v))
    best = np.append(0, np.full(n, np.inf))
    for _ in range(count):
        after = np.zeros(n + 1)
        for stop in range(1, n + 1):
            start = np.arange(stop)
            within = squares[stop] - squares[start] - (sums[stop] - sums[start]) ** 2 / (stop - start)
            after[stop] = (best[start] + within).min()
        best = after
    return float(best[n])


SHAPES = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "heavy tails": lambda rng, n: rng.standard_cauchy(n),
    "skewed": lambda rng, n: rng.exponential(size=n),
    "two peaks": lambda rng, n: rng.choice([-5.0, 5.0], n) + 0.1 * rng.standard_normal(n),
    "mostly zero": lambda rng, n: np.where(rng.random(n) < 0.6, 0, rng.standard_normal(n)),
    "float16": lambda rng, n: (0.05 * rng.standard_normal(n)).astype(np.float16),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_another_round_changes_nothing(shape: str, bits: int) -> None:
    """Trained levels are a fixed point of naive k-means, and of scipy's, up to their rounding to float32."""
    values = SHAPES[shape](np.random.default_rng(bits), 600).astype(np.float32)
    levels = _fit(values[:, None], bits=bits, codebook="trained").levels.astype(np.float64)
    scale = np.abs(values).max()
    np.testing.assert_allclose(_one_round(values.tolist(), levels.tolist()), levels, rtol=0, atol=1e-6 * scale)
    theirs, _ = kmeans(values.astype(np.float64), levels, thresh=0)
    np.testing.assert_allclose(np.sort(np.ravel(theirs)), levels, rtol=0, atol=1e-6 * scale)


@pytest.mark.parametrize("shape", ["normal", "skewed"])
@pytest.mark.parametrize("bits", [1, 2, 3])
def test_training_comes_near_the_best_levels_there_are(shape: str, bits: int) -> None:
    """k-means finds a local optimum. Where the logarithm of the density is concave there is but one (Fleischer, 1964).

    So only the sample's own roughness keeps it from the best; with hundreds of values per level that is a
    few per cent at most, while a level lost or badly placed costs tens.
    """
    values = SHAPES[shape](np.random.default_rng(bits), 2000).astype(np.float32)
    error = 2000 * _square_error(_fit(values[:, None], bits=bits, codebook="trained"), values[:, None])
    best = _least_error(values, 2**bits)
    assert best * (1 - 1e-6) <= error <= 1.05 * best


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bits", [2, 5, 8])
def test_trained_levels_beat_those_of_a_normal_on_their_own_sample(shape: str, bits: int) -> None:
    x_nd = SHAPES[shape](np.random.default_rng(bits), 20_000).astype(np.float32)[:, None]
    trained, normal = (_square_error(_fit(x_nd, bits=bits, codebook=c), x_nd) for c in ("trained", "gaussian"))
    assert trained < normal


def test_many_values_of_few_kinds_are_trained_well() -> None:
    """A million numbers in float16: each value occurs often, and the more so the larger its step."""
    x_nd = MANY.astype(np.float16).astype(np.float32)[:, None]
    error = _square_error(_fit(x_nd, bits=8, codebook="trained"), x_nd)
    assert error == pytest.approx(EXACT["8"]["mse"], abs=4 * EXACT["8"]["sd_square_error"] / math.sqrt(len(MANY)))


@given(x_nd=QUARTERS, bits=st.integers(1, 8), whole=st.booleans())
def test_no_level_is_wasted(x_nd: np.ndarray, bits: int, whole: bool) -> None:
    """With no more distinct values than levels nothing is lost; with more, every level has values of its own."""
    codec = _fit(x_nd, bits=bits, codebook="trained", scope="global" if whole else "dimension")
    numbers_nd, decoded_nd = unpack_levels(codec.encode(x_nd), codec.d, bits), codec.decode(codec.encode(x_nd))
    for at in [slice(None)] if whole else range(codec.d):
        if len(np.unique(x_nd[:, at])) <= 2**bits:
            np.testing.assert_array_equal(decoded_nd[:, at], x_nd[:, at])
        else:
            assert len(np.unique(numbers_nd[:, at])) == 2**bits


def test_levels_of_empty_cells_go_to_outliers() -> None:
    """Most levels begin in the long gaps of such a sample, where nothing is."""
    values = np.concatenate([np.random.default_rng(1).normal(0, 1e-3, 5000), 10.0 ** np.arange(-1, 5)])
    codec = _fit(values[:, None], bits=6, codebook="trained")
    decoded = codec.decode(codec.encode(np.float32(values[:, None])))[:, 0]
    np.testing.assert_array_equal(decoded[5000:], np.float32(values[5000:]))
    assert len(np.unique(decoded)) == 64


@pytest.mark.parametrize("scope", ["global", "dimension"])
def test_training_does_not_depend_on_the_order_of_rows(scope: str) -> None:
    x_nd = MANY[:6000].reshape(-1, 3)
    there, back = (_fit(rows_nd, bits=5, codebook="trained", scope=scope) for rows_nd in (x_nd, x_nd[::-1]))
    np.testing.assert_array_equal(there.parameters, back.parameters)


# The spec and the ledger


def test_what_is_stored_once() -> None:
    """Of a normal's codebook mean and deviation, in float32; of a trained one the levels."""
    x_nd = MANY[:4000].reshape(-1, 10)
    once = {
        (codebook, scope): _fit(x_nd, bits=3, codebook=codebook, scope=scope).ledger().total("once")
        for codebook in ("gaussian", "trained")
        for scope in ("global", "dimension")
    }
    assert once == {
        ("gaussian", "global"): 8,
        ("gaussian", "dimension"): 80,
        ("trained", "global"): 32,
        ("trained", "dimension"): 320,
    }
    assert _fit(x_nd, bits=3).ledger().total("vector") == 4  # 30 bits, 2 of padding


@pytest.mark.parametrize("bits", [0, 9])
def test_bits_out_of_range_are_refused(bits: int) -> None:
    with pytest.raises(VqbenchError, match=f"bits = {bits}: must be from 1 to 8"):
        LloydMax(bits=bits)


@pytest.mark.parametrize("codebook", ["gaussian", "trained"])
def test_enormous_samples_decode_to_something_finite(codebook: str) -> None:
    x_nd = np.float32([[3e38, -3e38], [-3e38, 3e38], [3e38, 3e38]])
    codec = _fit(x_nd, bits=8, codebook=codebook)
    assert np.isfinite(codec.decode(codec.encode(x_nd))).all()
