"""Scalar quantization: the rule by hand, the rules of sentence-transformers and faiss bit for bit, theory."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from places import FACTS

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import unit_rows
from vqbench.numerics.packing import unpack_levels
from vqbench.quantizers.base import Codec
from vqbench.quantizers.scalar import Scalar
from vqbench.quantizers.wrapped import Wrapped

EXAMPLES = json.loads((FACTS / "sentence_transformers_bytes.json").read_text("utf-8"))["examples"]
OFFSET = json.loads((FACTS / "offset_int8.json").read_text("utf-8"))["theory"]
BITS = pytest.mark.parametrize("bits", range(1, 9))
SENTENCE_TRANSFORMERS = {"range": "minmax", "rounding": "floor", "span": "ends", "decode": "edge"}
FAISS = {"range": "minmax", "rounding": "floor", "span": "ends", "decode": "midpoint", "divisor": "range"}
FLOATS = st.floats(-(2.0**126), 2.0**126, width=32) | st.floats(-2, 2, width=32)
ROWS = hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 9)), elements=FLOATS)


def fit(sample_nd, **fields) -> Codec:
    return Scalar(**fields).fit(np.asarray(sample_nd, dtype=np.float32), np.random.default_rng(0))


def levels_of(codec: Codec, x_nd: np.ndarray, bits: int) -> np.ndarray:
    return unpack_levels(codec.encode(x_nd), codec.d, bits)


def round_trip(codec: Codec, x_nd: np.ndarray) -> np.ndarray:
    return codec.decode(codec.encode(x_nd)).astype(np.float64)


@BITS
@pytest.mark.parametrize("span", ["ends", "cells"])
@pytest.mark.parametrize(("rounding", "decode"), [("floor", "edge"), ("floor", "midpoint"), ("nearest", "edge")])
def test_the_rule_by_hand(bits: int, rounding: str, span: str, decode: str) -> None:
    """Steps of 1/4 from -2 on, numbers that are multiples of 1/16: float32 is exact, so plain numbers must agree."""
    last = 2**bits - 1
    steps = last + (span == "cells")
    high = -2 + steps / 4
    x = np.arange(-64, 16 * high + 40) / 16
    divisors = ("step", "range") if span == "cells" else ("step",)  # a width of 2**bits steps divides exactly
    for divisor in divisors:
        codec = fit(
            [x], bits=bits, range="fixed", low=-2, high=high, scope="global", rounding=rounding, span=span,
            decode=decode, divisor=divisor,
        )  # fmt: skip
        x_nd = x[None, :].astype(np.float32)
        whole = [round((a + 2) * 4) if rounding == "nearest" else math.floor((a + 2) * 4) for a in x.tolist()]
        codes = [min(max(c, 0), last) for c in whole]
        assert levels_of(codec, x_nd, bits).tolist() == [codes]
        shift = 0.5 if decode == "midpoint" else 0
        assert codec.decode(codec.encode(x_nd)).tolist() == [[-2 + (c + shift) / 4 for c in codes]]
        least, most = (-0.5, last + 0.5) if rounding == "nearest" else (0, last + 1)
        assert codec.clipped(x_nd).tolist() == [[not least <= (a + 2) * 4 <= most for a in x.tolist()]]
        assert codec.ledger().total("once") == 0


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example['name']} {example['precision']}")
def test_codes_of_sentence_transformers(example: dict) -> None:
    """Version 6.2.0 clips, 3.0.0 wraps; both on the float32 numbers that its own code was run on."""
    signed = example["precision"] == "int8"
    x_nd = np.array(example["input"], dtype=np.float32)
    codec = fit(example["calibration"], signed=signed, **SENTENCE_TRANSFORMERS)
    assert codec.integers(codec.encode(x_nd)).tolist() == example["v6_2_0"]
    old = Wrapped(signed=signed).fit(np.array(example["calibration"], dtype=np.float32), np.random.default_rng(0))
    assert old.integers(old.encode(x_nd)).tolist() == example["v3_0_0"]


@given(sample_nd=ROWS, seed=st.integers(0, 99))
def test_the_rule_of_sentence_transformers_one_number_at_a_time(sample_nd: np.ndarray, seed: int) -> None:
    """``clip(floor((x - min) / step), 0, 255)`` in float32, a step of 0 taken for 1; rescoring: code * step + min."""
    low, high = sample_nd.min(axis=0), sample_nd.max(axis=0)
    x_nd = np.random.default_rng(seed).permuted(np.concatenate([sample_nd, sample_nd[::-1] / 3]), axis=1)
    codec = fit(sample_nd, **SENTENCE_TRANSFORMERS)
    codes_nd, decoded_nd = codec.encode(x_nd), codec.decode(codec.encode(x_nd))
    with np.errstate(over="ignore"):
        for row, column in np.ndindex(x_nd.shape):
            step = np.float32(high[column] - low[column]) / np.float32(255)
            ratio = np.float32(x_nd[row, column] - low[column]) / (step or np.float32(1))
            code = int(min(max(np.floor(ratio), 0), 255))
            assert codes_nd[row, column] == code
            assert decoded_nd[row, column] == np.float32(code) * step + low[column]


@pytest.mark.parametrize(
    ("kind", "bits", "scope"),
    [("8bit", 8, "dimension"), ("6bit", 6, "dimension"), ("4bit", 4, "dimension"),
     ("8bit_uniform", 8, "global"), ("4bit_uniform", 4, "global")],
)  # fmt: skip
@pytest.mark.parametrize("d", [8, 24, 37])
def test_codes_of_faiss(kind: str, bits: int, scope: str, d: int) -> None:
    """The same codes, also outside the range and in a constant dimension; the decoded numbers to float32's rounding."""
    faiss = pytest.importorskip("faiss")
    rng = np.random.default_rng(d)
    sample_nd = (rng.standard_normal((500, d)) * rng.uniform(0.01, 3, d) + rng.standard_normal(d)).astype(np.float32)
    sample_nd[:, 3] = 0.25
    x_nd = np.concatenate([sample_nd, rng.standard_normal((500, d)).astype(np.float32) * 3])
    index = faiss.IndexScalarQuantizer(d, getattr(faiss.ScalarQuantizer, f"QT_{kind}"), faiss.METRIC_L2)
    index.train(sample_nd)
    theirs_nb = index.sa_encode(x_nd)
    little_ndb = np.unpackbits(theirs_nb, axis=1, bitorder="little", count=d * bits).reshape(len(x_nd), d, bits)
    codec = fit(sample_nd, bits=bits, scope=scope, **FAISS)
    np.testing.assert_array_equal(levels_of(codec, x_nd, bits), little_ndb @ 2 ** np.arange(bits))
    np.testing.assert_allclose(round_trip(codec, x_nd), index.sa_decode(theirs_nb), rtol=1e-5, atol=1e-5)


# Max 1960, Table II for 1 to 5 bits (steps to four digits); mean square errors and standard deviations of
# the square error computed in closed form and by quadrature, apart from this package.
UNIFORM = {
    1: (1.5957691216, 0.3633802276, 0.6155169), 2: (0.9956866998, 0.1188460504, 0.2489911),
    3: (0.5860194414, 0.0374396594, 0.1039276), 4: (0.3352006027, 0.0115428844, 0.0453702),
    5: (0.1881387961, 0.0034952114, 0.0205521), 6: (0.1040630080, 0.0010400454, 0.00953986),
    7: (0.0568676713, 0.0003043328, 0.00449397), 8: (0.0307623909, 0.0000876862, 0.00213590),
}  # fmt: skip


@pytest.fixture(scope="module")
def million() -> np.ndarray:
    return np.random.default_rng(1960).standard_normal((2000, 500)).astype(np.float32)


@BITS
def test_distortion_of_a_gaussian_at_the_optimal_step(bits: int, million: np.ndarray) -> None:
    """Within 4 standard errors on a million numbers, for both ways to lay the same grid."""
    step, expected, sd = UNIFORM[bits]
    for span, steps, others in (
        ("ends", 2**bits - 1, {"rounding": "nearest", "decode": "edge"}),
        ("cells", 2**bits, {"rounding": "floor", "decode": "midpoint"}),
    ):
        half = step * steps / 2
        codec = fit(million, bits=bits, range="fixed", low=-half, high=half, scope="global", span=span, **others)
        error = np.square(round_trip(codec, million) - million).mean()
        assert error == pytest.approx(expected, abs=4 * sd / math.sqrt(million.size))
        overload = math.erfc(step * 2**bits / 2 / math.sqrt(2))
        assert codec.clipped(million).mean() == pytest.approx(
            overload, abs=4 * math.sqrt(overload * (1 - overload) / million.size)
        )


@pytest.mark.parametrize("d", [128, 384])
def test_bias_and_variance_of_the_offset_int8_as_a_fixed_range(d: int) -> None:
    """Steps of 1/127 from -1 on: the notebook's int8, and its theory, to the tolerances of the fact file."""
    x_nd = unit_rows(np.random.default_rng(d).standard_normal((math.ceil(1.5e6 / d), d)))
    fixed = {"range": "fixed", "scope": "global", "low": -1, "high": -1 + 256 / 127, "span": "cells"}
    for decode, mean, square in (
        ("edge", OFFSET["floor_error_mean"], OFFSET["floor_mse_per_coord"]),
        ("midpoint", 0.0, OFFSET["mid_mse_per_coord"]),
    ):
        codec = fit(x_nd, rounding="floor", decode=decode, **fixed)
        error = round_trip(codec, x_nd) - x_nd
        assert error.mean() == pytest.approx(mean, abs=4 * math.sqrt(5.17e-6 / x_nd.size))
        assert error.var() == pytest.approx(OFFSET["error_var"], rel=0.005)
        assert np.square(error).mean() == pytest.approx(square, rel=0.005)
        assert not codec.clipped(x_nd).any()


BAD = {
    "bits = 9: must be from 1 to 8": {"bits": 9},
    "bits = 0": {"bits": 0},
    "decode = midpoint": {"rounding": "nearest", "decode": "midpoint"},
    "bits = 1: range absmax": {"bits": 1, "range": "absmax"},
    "range = absmax: keeps zero": {"range": "absmax", "span": "cells"},
    "range = mse: not for scope vector": {"range": "mse", "scope": "vector"},
    "scope = dimension: a fixed range": {"range": "fixed", "low": 0, "high": 1},
    "low = 0, high = None: range fixed needs both": {"range": "fixed", "scope": "global", "low": 0},
    "low = 1, high = 1: range fixed needs": {"range": "fixed", "scope": "global", "low": 1, "high": 1},
    "low = nan": {"range": "fixed", "scope": "global", "low": math.nan, "high": 1},
    "quantile = 0.9: only range quantile": {"quantile": 0.9},
    "sigmas = 3: only range sigma": {"range": "minmax", "sigmas": 3},
    "quantile = 1.5: must be": {"range": "quantile", "quantile": 1.5},
    "sigmas = -1: must be": {"range": "sigma", "sigmas": -1},
}  # fmt: skip


@pytest.mark.parametrize("message", BAD)
def test_settings_that_make_no_sense(message: str) -> None:
    with pytest.raises(VqbenchError, match=message):
        Scalar(**BAD[message])
