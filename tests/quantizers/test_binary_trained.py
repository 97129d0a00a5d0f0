"""The trained threshold of 1-bit codes, and signs of centred vectors met by queries of 32, 8, 4 and 1 bits."""

from __future__ import annotations

import math
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.cluster.vq import kmeans2
from scipy.optimize import brentq

from vqbench.api import code_topk, exact_topk
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Floats, unit_rows
from vqbench.quantizers.binary import Binary, BinaryCodec
from vqbench.quantizers.scalar import Scalar
from vqbench.quantizers.transforms.center import Center
from vqbench.quantizers.variant import Variant

ROWS = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 9), st.integers(1, 4)), elements=st.integers(-20, 20).map(lambda i: i / 4)
)


def _fit(sample_nd: Floats, **fields) -> BinaryCodec:
    codec = Binary(threshold="trained", **fields).fit(sample_nd, np.random.default_rng(0))
    assert isinstance(codec, BinaryCodec)
    return codec


def _naive(values: list[float]) -> float:
    """Lloyd's iteration with two levels from the mean, until the sides stay as they are."""
    threshold, before = fmean(values), None
    while True:
        sides = [value > threshold for value in values]
        if sides == before or len(set(sides)) == 1:
            return threshold
        low, high = ([v for v, up in zip(values, sides, strict=True) if up == side] for side in (False, True))
        threshold, before = (fmean(low) + fmean(high)) / 2, sides


@pytest.mark.parametrize("scope", ["global", "dimension"])
@given(x_nd=ROWS)
def test_thresholds_are_those_of_lloyds_iteration(scope: str, x_nd: Floats) -> None:
    codec = _fit(x_nd, scope=scope)
    pools = [x_nd.ravel().tolist()] if scope == "global" else x_nd.T.tolist()
    expected = [_naive(pool) for pool in pools]
    assert np.atleast_1d(codec.threshold).tolist() == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert codec.threshold.nbytes == 8 * len(pools) == codec.ledger().total("once")


@pytest.mark.slow
@given(x_nd=ROWS)
def test_training_never_raises_the_error_of_the_mean(x_nd: Floats) -> None:
    """With the levels of least error on either side of a threshold, each round can only lower the error."""
    errors = []
    for threshold in ("mean", "trained"):
        codec = Binary(threshold=threshold, scope="dimension", levels="means").fit(x_nd, np.random.default_rng(0))
        errors.append(((x_nd - codec.decode(codec.encode(x_nd)).astype(np.float64)) ** 2).sum(axis=0))
    assert (errors[1] <= errors[0] + 1e-9).all()


def test_levels_are_scipys_two_means() -> None:
    """scipy.cluster.vq.kmeans2 on each dimension, started from the means of the sides of the mean."""
    x_nd = np.random.default_rng(5).gamma(2, 1, (4000, 6)).astype(np.float32)
    codec = _fit(x_nd, scope="dimension", levels="means")
    for at, column in enumerate(x_nd.T.astype(np.float64)):
        start = [[column[column <= column.mean()].mean()], [column[column > column.mean()].mean()]]
        centres, _ = kmeans2(column[:, None], np.array(start), iter=300, minit="matrix")
        assert [codec.low[at], codec.high[at]] == pytest.approx(sorted(centres.ravel()), rel=1e-9)  # type: ignore[index]
        assert codec.threshold[at] == pytest.approx(centres.mean(), rel=1e-9)


def test_gaussians_are_cut_at_their_mean() -> None:
    """Levels +-sqrt(2 / pi), error 1 - 2 / pi = .3634 (Max 1960, N = 2), n = 400,000.

    The midpoint of both sides' means has sd sqrt((1 - 2 / pi) / n) and moves by 2 / pi of a shift of the
    threshold, so the fixed point's sd is .6028 / sqrt(n) / (1 - 2 / pi) = .0026; the errors' sd is .6155.
    """
    n = 400_000
    x_nd = np.random.default_rng(6).standard_normal((n, 1)).astype(np.float32)
    codec = _fit(x_nd, levels="means")
    error_n = (x_nd - codec.decode(codec.encode(x_nd)).astype(np.float64)) ** 2
    assert float(codec.threshold) == pytest.approx(0, abs=4 * 0.0026)
    assert error_n.mean() == pytest.approx(1 - 2 / math.pi, abs=4 * 0.6155 / math.sqrt(n))
    assert [float(codec.low), float(codec.high)] == pytest.approx([-0.79788, 0.79788], abs=4 * 0.0026)


def test_exponentials_are_cut_above_their_mean() -> None:
    """The root of t = (E[x | x <= t] + t + 1) / 2 is 1.594, far from the mean 1. n = 1,000,000.

    The upper mean has sd 1 / sqrt(n exp(-t)) = .0022, the lower one .0005; half of that, over 1 - .67
    (how much the midpoint moves with t) is .0035. Tolerance: 4 of them.
    """
    low_mean = lambda t: 1 - t * math.exp(-t) / -math.expm1(-t)  # noqa: E731
    root = brentq(lambda t: (low_mean(t) + t + 1) / 2 - t, 0.5, 4)
    assert root == pytest.approx(1.594, abs=0.001)
    x_nd = np.random.default_rng(8).exponential(1, (1000, 1000)).astype(np.float32)
    assert float(_fit(x_nd).threshold) == pytest.approx(root, abs=4 * 0.0035)


def test_almost_equal_values_leave_no_side_empty() -> None:
    """The mean of many equal values is rounded; neither that nor a constant may give NaN."""
    value = np.float32(0.1)
    x_nd = np.full((10_001, 1), value)
    assert float(_fit(x_nd).threshold) == value
    x_nd[0] = np.nextafter(value, np.float32(1))
    codec = _fit(x_nd, levels="means")
    np.testing.assert_array_equal(codec.decode(codec.encode(x_nd)), x_nd)


def test_neighbouring_floats_on_either_side_of_the_threshold() -> None:
    """Their mean in float32 would be the upper value, and the split would take it for a lower one."""
    low = np.float32(1)
    high = np.nextafter(low, np.float32(2))
    threshold = float(_fit(np.array([[low, high, high]])).threshold)
    assert threshold == (float(low) + float(high)) / 2


def test_the_order_of_rows_does_not_matter() -> None:
    x_nd = np.random.default_rng(9).exponential(1, (500, 20)).astype(np.float32)
    for scope in ("global", "dimension"):
        assert np.array_equal(_fit(x_nd, scope=scope).threshold, _fit(x_nd[::-1], scope=scope).threshold)


def test_an_unknown_threshold_is_refused() -> None:
    with pytest.raises(VqbenchError, match="threshold = 'mode'"):
        Binary(threshold="mode")


def _offset_clusters(n: int, seed: int) -> Floats:
    """Unit rows in clusters around a mean that is far from 0, as many embeddings have it."""
    rng = np.random.default_rng(41)
    offset_d, centers_cd = rng.normal(0, 1, 96), rng.standard_normal((60, 96))
    rng = np.random.default_rng(seed)
    return unit_rows(offset_d + 0.7 * centers_cd[rng.integers(60, size=n)] + rng.normal(0, 0.5, (n, 96)))


def _recall(variant: Variant, x_nd: Floats, queries_qd: Floats) -> Floats:
    codec = variant.fit(x_nd, 0)
    hits = code_topk(codec, queries_qd, codec.encode(x_nd), 10, similarity=variant.similarity)
    truth_qk = exact_topk(queries_qd, x_nd, k=10).ids_qk
    return np.array([len({*a} & {*b}) / 10 for a, b in zip(hits.ids_qk, truth_qk, strict=True)])


def test_a_query_must_be_centred_as_the_bits_are() -> None:
    """Bits above each dimension's mean, met by the float query: centred likewise, or (a known mistake) not.

    The same bits on both sides; 8 standard errors of the paired difference. Centred also beats counting
    bits. On real sets .597 was measured against .523.
    """
    x_nd, queries_qd = _offset_clusters(3000, 1), _offset_clusters(200, 2)
    bits = Binary(threshold="mean", scope="dimension")
    wrong_q = _recall(Variant(quantizer=bits, similarity="decoded"), x_nd, queries_qd)
    counted_q = _recall(Variant(quantizer=bits, similarity="hamming"), x_nd, queries_qd)
    centred_q = _recall(Variant(quantizer=Binary(), transforms=[Center()], similarity="asymmetric"), x_nd, queries_qd)
    for worse_q in (wrong_q, counted_q):
        difference_q = centred_q - worse_q
        assert difference_q.mean() > 8 * difference_q.std() / math.sqrt(len(queries_qd))


@pytest.mark.slow
def test_coarser_queries_lose_more() -> None:
    """8 bits change next to nothing, 4 bits little, 1 bit a lot: means over 400 queries, 4 standard errors."""
    x_nd, queries_qd = _offset_clusters(3000, 1), _offset_clusters(400, 3)
    coarse = {8: Scalar(bits=8, scope="vector"), 4: Scalar(bits=4, scope="vector"), 1: Binary()}
    recall = {
        bits: _recall(
            Variant(quantizer=Binary(), transforms=[Center()], query=query, similarity="asymmetric"), x_nd, queries_qd
        )
        for bits, query in {32: None, **coarse}.items()
    }
    lost = {bits: recall[32] - recall[bits] for bits in coarse}
    error = {bits: lost[bits].std() / math.sqrt(400) for bits in coarse}
    assert abs(lost[8].mean()) < 4 * error[8] + 0.002
    assert lost[1].mean() > lost[4].mean() + 4 * (error[1] + error[4])
    assert lost[1].mean() > 8 * error[1]


def test_one_bit_queries_order_as_counted_bits_do() -> None:
    """The cosine of signs is 1 - 2 distance / d, so scores tell the same distances, ties included."""
    x_nd, queries_qd = _offset_clusters(300, 1), _offset_clusters(10, 2)
    counted = Variant(quantizer=Binary(), transforms=[Center()], similarity="hamming").fit(x_nd, 0)
    signs = Variant(quantizer=Binary(), transforms=[Center()], query=Binary(), similarity="asymmetric").fit(x_nd, 0)
    codes_nb = counted.encode(x_nd)
    by_bits = code_topk(counted, queries_qd, codes_nb, 300, similarity="hamming")
    by_cosine = code_topk(signs, queries_qd, codes_nb, 300, similarity="asymmetric")
    np.testing.assert_array_equal(by_bits.ids_qk, by_cosine.ids_qk)
    np.testing.assert_allclose(by_cosine.scores_qk, 1 + 2 * by_bits.scores_qk / 96, atol=1e-12)
