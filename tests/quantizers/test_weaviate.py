"""Weaviate's BQ, SQ and RQ against its Go code, restated one number at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.linalg import hadamard

from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.numerics.arrays import unit_rows
from vqbench.quantizers.transforms.weaviate_rotation import WeaviateRotated, WeaviateRotation
from vqbench.quantizers.weaviate import (
    RotatedSignsCodec,
    WeaviateBinary,
    WeaviateRotational,
    WeaviateScalar,
    WeaviateScalarCodec,
)

F = np.float32


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_bq_sets_a_bit_for_what_is_below_zero() -> None:
    x_nd = np.array([[0.0, -0.0, 1e-38, -1e-38, 5, -5, 0] * 10], F)
    codec = WeaviateBinary().fit(x_nd, _rng())
    codes_nb = codec.encode(x_nd)
    assert codes_nb.shape == (1, 16)  # 70 bits in two words
    assert np.unpackbits(codes_nb)[:70].tolist() == [0, 0, 0, 1, 0, 1, 0] * 10
    assert not np.unpackbits(codes_nb)[70:].any()
    assert codec.decode(codes_nb)[0, :7].tolist() == [1, 1, 1, -1, 1, -1, 1]


def _code_for(x: np.float32, a: np.float32, b: np.float32) -> int:
    if x < b:
        return 0
    if x - b > a:
        return 255
    return math.floor((x - b) * F(255) / a)


def test_sq_one_by_one() -> None:
    rng = _rng()
    sample_nd = rng.standard_normal((90, 21)).astype(F)
    codec = WeaviateScalar().fit(sample_nd, rng)
    assert isinstance(codec, WeaviateScalarCodec)
    a, b = F(codec.span), F(codec.low)
    assert b == sample_nd.min()
    assert a == sample_nd.max() - sample_nd.min()
    x_nd = np.concatenate([sample_nd, sample_nd[:9] * F(2)])
    codes_nb = codec.encode(x_nd)
    for x_d, code_b in zip(x_nd, codes_nb, strict=True):
        codes = [_code_for(x, a, b) for x in x_d]
        assert code_b[:21].tolist() == codes
        assert code_b[21:].view(">u4").tolist() == [sum(codes), sum(c * c for c in codes)]
    # DistanceBetweenCompressedVectors for dot: a2 dot + ab (sums) + ib2.
    ours_qn = codec.estimate_queries(x_nd[:4]) @ codec.estimate_rows(codes_nb).T
    a, b = float(a), float(b)
    for q in range(4):
        for n in range(0, 99, 7):
            left, right = codes_nb[q, :21].tolist(), codes_nb[n, :21].tolist()
            dot = sum(u * v for u, v in zip(left, right, strict=True))
            score = a * a / 255**2 * dot + a * b / 255 * (sum(left) + sum(right)) + b * b * 21
            assert ours_qn[q, n] == pytest.approx(score, abs=1e-11)


def test_rq8_one_by_one() -> None:
    rng = _rng()
    x_nd = rng.standard_normal((40, 64)).astype(F)
    codec = WeaviateRotational(bits=8).fit(x_nd, rng)
    codes_nb = codec.encode(x_nd)
    kept_n4 = np.ascontiguousarray(codes_nb[:, 64:]).view("<f4")
    for x_d, code_b, (lower, step, total, square) in zip(x_nd, codes_nb, kept_n4, strict=True):
        assert lower == x_d.min()
        assert step == pytest.approx((float(x_d.max()) - float(x_d.min())) / 255, rel=2**-23)
        codes = [math.floor((float(x) - float(lower)) / float(step) + 0.5) for x in x_d]
        assert code_b[:64].tolist() == codes
        assert total == pytest.approx(float(step) * sum(codes), rel=2**-23)
        assert square == pytest.approx(math.fsum(float(x) ** 2 for x in x_d), rel=2**-23)
    ours_nn = codec.estimate_queries(x_nd) @ codec.estimate_rows(codes_nb).T
    for q in range(0, 40, 5):
        for n in range(40):
            (l1, s1, t1, _), (l2, s2, t2, _) = kept_n4[q].tolist(), kept_n4[n].tolist()
            dot = sum(int(u) * int(v) for u, v in zip(codes_nb[q, :64], codes_nb[n, :64], strict=True))
            score = 64 * l1 * l2 + l1 * t2 + l2 * t1 + s1 * s2 * dot
            # The sums of codes, about 160, are float32: 2**-17 each, times a lower end of about 2.5.
            assert ours_nn[q, n] == pytest.approx(score, abs=2 * 4 * 2**-17)


def test_rq1_one_by_one() -> None:
    rng = _rng()
    x_nd = rng.standard_normal((30, 64)).astype(F)
    codec = WeaviateRotational(bits=1).fit(x_nd, rng)
    assert isinstance(codec, RotatedSignsCodec)
    assert ((codec.query_rounding_d >= 0) & (codec.query_rounding_d < 1)).all()
    codes_nb = codec.encode(x_nd)
    assert codes_nb.shape == (30, 8 + 8)
    queries_qd = np.concatenate([x_nd[:5], np.zeros((1, 64), F)])
    ours_qn = codec.estimate_queries(queries_qd) @ codec.estimate_rows(codes_nb).T
    for q, query_d in enumerate(queries_qd.tolist()):
        reach = max(abs(x) for x in query_d)
        step = reach / 31
        levels = [
            math.floor((x + reach) / (2 * step) + float(u)) if reach else 0
            for x, u in zip(query_d, codec.query_rounding_d, strict=True)
        ]
        for n, x_d in enumerate(x_nd.tolist()):
            square, total = math.fsum(x * x for x in x_d), math.fsum(abs(x) for x in x_d)
            dot = 31 * 64
            for plane in range(5):
                differing = sum((level >> plane & 1) != (x > 0) for level, x in zip(levels, x_d, strict=True))
                dot -= differing << (plane + 1)
            # The document's step is kept in float32.
            assert ours_qn[q, n] == pytest.approx(step * square / total * dot, rel=2**-23, abs=1e-12)
    # Restore: the length is kept, every component is as large as the others.
    np.testing.assert_allclose(np.linalg.norm(codec.decode(codes_nb), axis=1), np.linalg.norm(x_nd, axis=1), rtol=1e-6)


def _naive(fitted: WeaviateRotated, x_d: np.ndarray) -> np.ndarray:
    """Rotate: pair by pair, sign by sign, then a matrix for each block."""
    y = [*map(float, x_d), *[0.0] * (fitted.width - fitted.d)]
    for pairs_p2, signs_w in zip(fitted.swaps_rp2.tolist(), fitted.signs_rw.tolist(), strict=True):
        for i, j in pairs_p2:
            y[i], y[j] = signs_w[i] * y[j], signs_w[j] * y[i]
        at, turned = 0, []
        while at < len(y):
            block = 256 if len(y) - at >= 256 else 64
            turned.extend(hadamard(block) @ y[at : at + block] / math.sqrt(block))
            at += block
        y = turned
    return np.array(y)


@pytest.mark.parametrize(
    ("d", "least", "width"), [(1, 64, 64), (65, 64, 128), (300, 64, 320), (640, 64, 640), (30, 256, 256)]
)
def test_the_rotation_swaps_signs_and_transforms(d: int, least: int, width: int) -> None:
    x_nd = unit_rows(np.random.default_rng(d).standard_normal((3, d)))
    fitted = WeaviateRotation(least=least).fit(x_nd, _rng())
    assert isinstance(fitted, WeaviateRotated)
    assert fitted.width == width
    assert all(sorted(pairs.ravel()) == list(range(width)) for pairs in fitted.swaps_rp2)
    assert set(np.unique(fitted.signs_rw)) == {-1, 1}
    y_nw = fitted.apply(x_nd)
    np.testing.assert_allclose(y_nw, [_naive(fitted, x_d) for x_d in x_nd], rtol=0, atol=2**-24)
    np.testing.assert_allclose(fitted.restore(y_nw), x_nd, rtol=0, atol=2**-22)
    np.testing.assert_allclose(np.linalg.norm(y_nw.astype(float), axis=1), 1, atol=1e-6)


def test_what_is_refused() -> None:
    with pytest.raises(VqbenchError, match="bits = 4"):
        WeaviateRotational(bits=4)
    with pytest.raises(VqbenchError, match="least = 0"):
        WeaviateRotation(least=0)
    with pytest.raises(NotApplicableError, match="65537"):
        WeaviateRotation().fit(np.zeros((1, 65537), F), _rng())


def test_constant_samples_and_zero_rows() -> None:
    zeros = np.zeros((3, 64), F)
    for quantizer in (WeaviateScalar(), WeaviateRotational(bits=8), WeaviateRotational(bits=1)):
        codec = quantizer.fit(zeros, _rng())
        assert not codec.decode(codec.encode(zeros)).any()
        assert not codec.estimate_rows(codec.encode(zeros)).any()
