"""Optimized scalar quantization: Lucene's loop for one vector, theory for Gaussians, and what is stored."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vqbench.api import code_topk, exact_topk
from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.numerics.arrays import Floats, unit_rows
from vqbench.quantizers.binary import Binary
from vqbench.quantizers.osq import OSQ, OSQCodec
from vqbench.quantizers.transforms.center import Center
from vqbench.quantizers.transforms.normalize import Normalize
from vqbench.quantizers.variant import Variant

# Steps and mean square errors of the best uniform quantizer of N(0, 1): Max, Quantizing for Minimum
# Distortion (1960), table II up to 5 bits, and the same integrals solved numerically beyond.
STEPS = (1.5957691, 0.9956867, 0.5860194, 0.3352006, 0.1881388, 0.1040630, 0.0568677, 0.0307624)
ERRORS = (0.3633802, 0.1188461, 0.0374397, 0.0115429, 0.0034952)
# Lucene's MINIMUM_MSE_GRID: where the interval starts, in standard deviations.
GRID = (0.798, 1.493, 2.051, 2.514, 2.916, 3.278, 3.611, 3.922)


def _fit(sample_nd: Floats, **fields) -> OSQCodec:
    codec = OSQ(**fields).fit(sample_nd, np.random.default_rng(0))
    assert isinstance(codec, OSQCodec)
    return codec


def _parts(codec: OSQCodec, code_b: np.ndarray) -> tuple[list[int], float, float, float, int]:
    """Levels, lower and upper end, <c, x> and sum of levels, read from the bytes of one centred row."""
    spec = codec.spec
    form = "<fff" + {16: "H", 32: "I"}[spec.sum_bits]
    tail = struct.calcsize(form)
    low, high, dot, total = struct.unpack(form, code_b[-tail:].tobytes())
    bits = "".join(f"{byte:08b}" for byte in code_b[:-tail])
    width = 8 if spec.bits == 7 else spec.bits
    return [int(bits[i * width : (i + 1) * width], 2) for i in range(codec.d)], low, high, dot, total


def _nearest(x: list[float], low: float, high: float, top: int) -> list[int]:
    if high <= low:
        return [0] * len(x)
    return [math.floor((min(max(value, low), high) - low) * top / (high - low) + 0.5) for value in x]


def _naive_loss(x: list[float], low: float, high: float, top: int, weight: float) -> float:
    """(1 - weight) (x . e)**2 / |x|**2 + weight |e|**2 as it stands, component by component."""
    levels = _nearest(x, low, high, top)
    e = [value - (low + (high - low) / top * k) for value, k in zip(x, levels, strict=True)]
    along = math.fsum(a * b for a, b in zip(x, e, strict=True))
    return (1 - weight) * along**2 / math.fsum(a * a for a in x) + weight * math.fsum(a * a for a in e)


def _naive(x: list[float], bits: int, weight: float, rounds: int) -> tuple[float, float]:
    """Lucene's optimizeIntervals for one centred vector, by its 2 x 2 system of normal equations."""
    top, d = 2**bits - 1, len(x)
    mean = math.fsum(x) / d
    sd = math.sqrt(math.fsum((a - mean) ** 2 for a in x) / d)
    half = GRID[bits - 1]
    low = float(np.float32(min(max(mean - half * sd, min(x)), max(x))))
    high = float(np.float32(min(max(mean + half * sd, min(x)), max(x))))
    scale = (1 - weight) / math.fsum(a * a for a in x)
    loss = _naive_loss(x, low, high, top, weight)
    for _ in range(rounds):
        s = [k / top for k in _nearest(x, low, high, top)]
        gradient = np.array([math.fsum(a * (1 - t) for a, t in zip(x, s, strict=True)), np.dot(x, s)])
        cross = math.fsum((1 - t) * t for t in s)
        squares = np.array([[math.fsum((1 - t) ** 2 for t in s), cross], [cross, math.fsum(t * t for t in s)]])
        ends = np.linalg.solve(weight * squares + scale * np.outer(gradient, gradient), gradient)
        new_low, new_high = (float(np.float32(end)) for end in ends)
        new_loss = _naive_loss(x, new_low, new_high, top, weight)
        if new_loss > loss:
            break
        low, high, loss = new_low, new_high, new_loss
    return low, high


def _rows(d: int) -> Floats:
    """Rows of four kinds: Gaussian, uniform, skewed, and mostly zeros."""
    rng = np.random.default_rng(d)
    kinds = (rng.normal(0.3, 1, (8, d)), rng.uniform(-1, 2, (8, d)), rng.exponential(1, (8, d)))
    sparse_nd = rng.standard_normal((8, d)) * (rng.random((8, d)) < 0.3)
    return np.concatenate([*kinds, sparse_nd]).astype(np.float32)


@pytest.mark.parametrize("weight", [0.1, 1.0])
@pytest.mark.parametrize("bits", range(1, 9))
def test_levels_and_ends_are_those_of_lucenes_loop(bits: int, weight: float) -> None:
    """Both sides in float64 with ends rounded to float32: they may differ by that last bit, 2**-23 = 1.2e-7.

    Such a bit moves a level only where a component lies within it of a cell's edge: none does here.
    """
    x_nd = _rows(45)
    codec = _fit(x_nd, bits=bits, weight=weight)
    mean_d = x_nd.astype(np.float64).mean(axis=0).astype(np.float32)
    for row_d, code_b in zip(x_nd, codec.encode(x_nd), strict=True):
        x = (row_d.astype(np.float64) - mean_d).tolist()
        low, high = _naive(x, bits, weight, rounds=5)
        levels, stored_low, stored_high, dot, total = _parts(codec, code_b)
        assert [stored_low, stored_high] == pytest.approx([low, high], rel=3e-7)
        assert levels == _nearest(x, low, high, 2**bits - 1)
        assert total == sum(levels)
        assert dot == pytest.approx(
            math.fsum(a * b for a, b in zip(row_d.tolist(), mean_d.tolist(), strict=True)), rel=1e-6
        )


def test_the_start_is_the_best_uniform_grid_of_a_gaussian() -> None:
    """Its outermost levels lie (2**bits - 1) / 2 steps from the mean; Lucene writes three decimals."""
    for bits, (step, half) in enumerate(zip(STEPS, GRID, strict=True), start=1):
        assert half == pytest.approx(step * (2**bits - 1) / 2, abs=0.001)


@given(
    x_nd=hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 12)), elements=st.integers(-9, 9)),
    bits=st.integers(1, 8),
    weight=st.sampled_from([0.01, 0.1, 0.7, 1.0]),
)
def test_refining_never_raises_the_loss(x_nd: Floats, bits: int, weight: float) -> None:
    """Equality up to float64 rounding, relative to |x|**2; also constant, two-valued and single-component rows."""
    start = _fit(x_nd, bits=bits, weight=weight, center=False, rounds=0)
    codec = _fit(x_nd, bits=bits, weight=weight, center=False)
    for row_d in x_nd:
        if not row_d.any():
            continue
        x = row_d.astype(np.float64).tolist()
        ends = [struct.unpack("<ff", c.encode(row_d[None])[0, -12:-4].tobytes()) for c in (start, codec)]
        before, after = (_naive_loss(x, low, high, 2**bits - 1, weight) for low, high in ends)
        assert after <= before + 1e-13 * sum(a * a for a in x)
        if max(x) > min(x) and bits == 1:
            assert after < sum(a * a for a in x)


@pytest.mark.parametrize("bits", range(1, 6))
def test_plain_errors_reach_those_of_the_best_uniform_quantizer(bits: int) -> None:
    """weight = 1 is least squares. Two ends fitted to d values explain about 2 / d of the error.

    Tolerance: 5 standard errors of the mean over 200 Gaussian rows of 8000, and that 2 / d; in all < 3 %.
    """
    x_nd = np.random.default_rng(bits).standard_normal((200, 8000)).astype(np.float32)
    codec = _fit(x_nd, bits=bits, weight=1.0, center=False)
    e_nd = x_nd - codec.decode(codec.encode(x_nd)).astype(np.float64)
    error_n = (e_nd**2).sum(axis=1) / (x_nd.astype(np.float64) ** 2).sum(axis=1)
    tolerance = 5 * error_n.std() / math.sqrt(200) + 2 / 8000 * ERRORS[bits - 1]
    assert error_n.mean() == pytest.approx(ERRORS[bits - 1], abs=tolerance)
    assert tolerance < 0.03 * ERRORS[bits - 1]


def test_the_weighted_loss_trades_error_for_length() -> None:
    """1 bit, Gaussian: least squares explains s = 2 / pi of |x|**2, and weighting scales it by f.

    Setting the loss's derivative along the fit to 0 gives f = 1 / (w + (1 - w) s), so the error is
    1 - 2 f s + f**2 s = 0.514 where 1 - s = 0.363 would be the least; and <x, x_hat> = f s |x|**2 = 0.946.
    Tolerances: 5 standard errors of the mean over 40 rows; 2 / d = 0.0005 for the two fitted ends.
    """
    x_nd = np.random.default_rng(1).standard_normal((40, 4000)).astype(np.float32)
    codec = _fit(x_nd, bits=1, center=False)
    y_nd = codec.decode(codec.encode(x_nd)).astype(np.float64)
    share = 2 / math.pi
    scale = 1 / (0.1 + 0.9 * share)
    error_n = ((x_nd - y_nd) ** 2).sum(axis=1) / (x_nd**2).sum(axis=1)
    along_n = (x_nd * y_nd).sum(axis=1) / (x_nd**2).sum(axis=1)
    expected = 1 - 2 * scale * share + scale**2 * share
    assert error_n.mean() == pytest.approx(expected, abs=5 * error_n.std() / math.sqrt(40) + 0.0005)
    assert along_n.mean() == pytest.approx(scale * share, abs=5 * along_n.std() / math.sqrt(40) + 0.0005)


@pytest.mark.parametrize("bits", [1, 2, 4, 7])
@pytest.mark.parametrize("query_bits", [4, 7])
def test_the_estimate_is_lucenes_score_of_the_stored_bytes(bits: int, query_bits: int) -> None:
    """OptimizedScalarQuantizedVectorSimilarity.score from nothing but both sides' bytes.

    Lucene's query term <q, c> is exact, ours is that of the coarsened query: a constant of the query,
    compared apart. float32 holds the met query to 2**-24, so scores of about 1 agree to 1e-6.
    """
    x_nd, queries_qd = unit_rows(_rows(33)), unit_rows(_rows(33)[::5] + np.float32(0.1))
    d, center = 33, Center().fit(x_nd, np.random.default_rng(0))
    codec, query = _fit(x_nd, bits=bits), _fit(x_nd, bits=query_bits)
    variant = Variant(quantizer=codec.spec, query=query.spec, similarity="estimate").fit(x_nd, 0)
    codes_nb, query_codes_qb = codec.encode(x_nd), query.encode(queries_qd)
    core_qd = variant.core_queries(queries_qd)
    ours_qn = codec.estimate_queries(core_qd) @ codec.estimate_rows(codes_nb).T
    for at in range(len(queries_qd)):
        levels_q, low_q, high_q, dot_q, sum_q = _parts(query, query_codes_qb[at])
        step_q = (high_q - low_q) / (2**query_bits - 1)
        core_dot = float(core_qd[at].astype(np.float64) @ codec.center_d)
        for code_b, ours in zip(codes_nb, ours_qn[at], strict=True):
            levels, low, high, dot, total = _parts(codec, code_b)
            step = (high - low) / (2**bits - 1)
            product = sum(a * b for a, b in zip(levels, levels_q, strict=True))
            score = low * low_q * d + low_q * step * total + low * step_q * sum_q + step * step_q * product
            lucene = score + dot_q + dot - float(codec.center_square)
            assert ours + (dot_q - core_dot) == pytest.approx(lucene, abs=1e-6)
    assert np.array_equal(codec.center_d, center.mean_d)  # type: ignore[attr-defined]


def test_eight_bits_and_a_float_query_give_the_inner_product() -> None:
    """The error of <q - c, x> at 8 bits has sd |q - c| step / sqrt(12), step = (b - a) / 255: 6 of them.

    Gaussian and uniform rows, whose components all lie within 3.9 sd; heavier tails are clipped.
    """
    x_nd, queries_qd = unit_rows(_rows(64)[:16]), unit_rows(_rows(64)[::4])
    codec = _fit(x_nd, bits=8)
    codes_nb = codec.encode(x_nd)
    ours_qn = codec.estimate_queries(queries_qd) @ codec.estimate_rows(codes_nb).T
    exact_qn = queries_qd.astype(np.float64) @ x_nd.astype(np.float64).T
    spans_n = [_parts(codec, code_b)[2] - _parts(codec, code_b)[1] for code_b in codes_nb]
    lengths_q = np.linalg.norm(queries_qd - codec.center_d, axis=1)
    allowed_qn = 6 * np.outer(lengths_q, spans_n) / 255 / math.sqrt(12) + 1e-6
    assert (np.abs(ours_qn - exact_qn) < allowed_qn).all()


def test_constant_and_zero_rows_are_kept() -> None:
    x_nd = np.array([[0.25] * 9, [-3] * 9, [0] * 9, [1e-40] * 9], dtype=np.float32)
    for bits in range(1, 9):
        codec = _fit(x_nd, bits=bits, center=False)
        np.testing.assert_array_equal(codec.decode(codec.encode(x_nd)), x_nd)
        one = _fit(x_nd[:1], bits=bits)
        np.testing.assert_array_equal(one.decode(one.encode(x_nd[:1])), x_nd[:1])


@pytest.mark.parametrize(("bits", "width"), [(1, 1), (2, 2), (3, 3), (4, 4), (7, 8), (8, 8)])
@pytest.mark.parametrize("center", [True, False])
def test_every_byte_is_counted(bits: int, width: int, center: bool) -> None:
    """Lucene 10.4: the levels (7 bits in a byte), three float32 and an int32; c and |c|**2 once."""
    codec = _fit(_rows(20), bits=bits, center=center)
    ledger = codec.ledger()
    assert ledger.total("vector") == math.ceil(20 * width / 8) + (16 if center else 12)
    assert ledger.total("once") == (20 * 4 + 4 if center else 0)
    assert codec.encode(_rows(20)).shape[1] == ledger.total("vector")


def test_clipped_components_lie_outside_the_rows_interval() -> None:
    x_nd = _rows(40)
    codec = _fit(x_nd, bits=4)
    for row_d, code_b, clipped_d in zip(x_nd, codec.encode(x_nd), codec.clipped(x_nd), strict=True):
        _, low, high, _, _ = _parts(codec, code_b)
        centred_d = row_d.astype(np.float64) - codec.center_d
        assert clipped_d.tolist() == [not low <= value <= high for value in centred_d.tolist()]


def test_bbq_finds_more_than_counted_bits_on_offset_clusters() -> None:
    """1-bit documents, 4-bit queries, against 1 bit by each dimension's mean: 8 standard errors of the difference.

    As context only (other data): Lucene reports recall .50 to .59 for 1 bit without rescoring, .91 for 4
    bits (apache/lucene PR 15564 and mikemccand/luceneutil issue 497).
    """
    rng = np.random.default_rng(7)
    centers_cd, offset_d = rng.standard_normal((60, 96)), rng.normal(0, 0.7, 96)
    x_nd = unit_rows(offset_d + centers_cd[rng.integers(60, size=3000)] * 0.7 + rng.standard_normal((3000, 96)) * 0.5)
    queries_qd = unit_rows(
        offset_d + centers_cd[rng.integers(60, size=200)] * 0.7 + rng.standard_normal((200, 96)) * 0.5
    )
    truth_qk = exact_topk(queries_qd, x_nd, k=10).ids_qk
    variants = {
        "counted": Variant(quantizer=Binary(threshold="mean", scope="dimension"), similarity="hamming"),
        "bbq": Variant(
            quantizer=OSQ(bits=1, sum_bits=16), query=OSQ(bits=4), transforms=[Normalize()], similarity="estimate"
        ),
        "four": Variant(quantizer=OSQ(bits=4), query=OSQ(bits=4), transforms=[Normalize()], similarity="estimate"),
    }
    found = {}
    for name, variant in variants.items():
        codec = variant.fit(x_nd, 0)
        hits = code_topk(codec, queries_qd, codec.encode(x_nd), 10, similarity=variant.similarity)
        found[name] = np.array([len({*a} & {*b}) / 10 for a, b in zip(hits.ids_qk, truth_qk, strict=True)])
    for worse, better in (("counted", "bbq"), ("bbq", "four")):
        difference_q = found[better] - found[worse]
        assert difference_q.mean() > 8 * difference_q.std() / math.sqrt(200)


@pytest.mark.parametrize(
    "fields", [{"bits": 0}, {"bits": 9}, {"weight": 0.0}, {"weight": 1.5}, {"rounds": -1}, {"sum_bits": 8}]
)
def test_settings_outside_their_range_are_refused(fields: dict) -> None:
    with pytest.raises(VqbenchError, match=f"{next(iter(fields))} = "):
        OSQ(**{"bits": 4, **fields})


def test_a_sum_that_does_not_fit_is_refused() -> None:
    """257 levels of 255, or 65,535 of 1, reach 65,535, the largest of 16 bits; one more does not fit."""
    for d, bits in ((257, 8), (65_535, 1)):
        _fit(np.zeros((1, d), np.float32), bits=bits, sum_bits=16)
        with pytest.raises(NotApplicableError, match="sum of levels"):
            _fit(np.zeros((1, d + 1), np.float32), bits=bits, sum_bits=16)


def test_levels_are_filled_up_to_words() -> None:
    """As Lucene 10.2 stores 200 bits: four words of 64, 32 bytes, and 14 beside them."""
    x_nd = np.random.default_rng(3).normal(0.1, 1, (30, 200)).astype(np.float32)
    plain, wide = (OSQ(bits=1, sum_bits=16, word=word).fit(x_nd, np.random.default_rng(0)) for word in (8, 64))
    assert plain.ledger().total("vector") == 25 + 14
    assert wide.ledger().total("vector") == wide.encode(x_nd).shape[1] == 32 + 14
    np.testing.assert_array_equal(plain.decode(plain.encode(x_nd)), wide.decode(wide.encode(x_nd)))
    np.testing.assert_array_equal(plain.estimate_rows(plain.encode(x_nd)), wide.estimate_rows(wide.encode(x_nd)))
