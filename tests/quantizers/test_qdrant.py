"""Qdrant's scalar and binary codes against its formulas, restated one number at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import unit_rows
from vqbench.quantizers.qdrant import QdrantBinary, QdrantBinaryCodec, QdrantScalar, QdrantScalarCodec

F = np.float32
RNG = np.random.default_rng(0)


def _fit(sample_nd: np.ndarray, quantile: float = 0.99) -> QdrantScalarCodec:
    codec = QdrantScalar(quantile=quantile).fit(np.asarray(sample_nd, F), RNG)
    assert isinstance(codec, QdrantScalarCodec)
    return codec


def _kept(sample_nd: np.ndarray, quantile: float) -> list[float]:
    """What find_quantile_interval leaves: one selection drops the top, another the bottom and its own pivot."""
    values = sorted(float(x) for x in sample_nd.ravel())
    n = len(sample_nd)
    if n < 127 or quantile >= 1 or len(values) < 4:
        return values
    cut = min((len(values) - 1) // 2, int(F(n) * (F(1) - F(quantile)) / F(2)))
    cut = max(cut, 1)
    return values[: len(values) - cut][cut + 1 :]


@pytest.mark.parametrize(
    ("n", "d", "quantile"), [(60, 5, 0.99), (126, 3, 0.5), (127, 3, 0.99), (800, 7, 0.9), (700, 2, 0.5), (300, 4, 1.0)]
)
def test_the_range_is_what_two_selections_leave(n: int, d: int, quantile: float) -> None:
    sample_nd = np.random.default_rng(n).standard_normal((n, d)).astype(F)
    codec, kept = _fit(sample_nd, quantile), _kept(sample_nd, quantile)
    assert codec.offset == F(kept[0])
    assert codec.alpha == (F(kept[-1]) - F(kept[0])) / F(127)


def test_five_thousand_vectors_lose_twenty_four_components_on_top_and_twenty_five_below() -> None:
    """Float32: 5000 (1 - .99) / 2 is a little less than 25. And it is components, however many dimensions there are."""
    sample_nd = np.arange(5000 * 3, dtype=F).reshape(5000, 3)
    codec = _fit(sample_nd)
    assert codec.offset == 25
    assert codec.alpha == F(15000 - 25 - 25) / F(127)


def test_the_range_does_not_depend_on_the_order_of_rows() -> None:
    sample_nd = RNG.standard_normal((5000, 40)).astype(F)  # more than one block
    one, other = _fit(sample_nd), _fit(sample_nd[::-1])
    assert (one.offset, one.alpha) == (other.offset, other.alpha)


def _code(x: np.float32, alpha: np.float32, offset: np.float32) -> int:
    value = float(min(max((x - offset) / alpha, F(0)), F(127)))
    whole = math.floor(value)
    return whole + (value - whole >= 0.5)  # Rust's round: halves away from zero


@given(st.lists(st.integers(-600, 600), min_size=1, max_size=20))
def test_codes_one_by_one_with_halves_away_from_zero(eighths: list[int]) -> None:
    """Steps of 1/4 from -8: every other eighth lies half way between two codes."""
    codec = QdrantScalarCodec(d=len(eighths), alpha=np.asarray(F(0.25)), offset=np.asarray(F(-8)))
    x_1d = np.array([eighths], F) / 8
    codes = codec.encode(x_1d)[0, : len(eighths)].tolist()
    assert codes == [_code(x, F(0.25), F(-8)) for x in x_1d[0]]


def test_what_lies_just_below_a_half_goes_down() -> None:
    codec = QdrantScalarCodec(d=2, alpha=np.asarray(F(1)), offset=np.asarray(F(0)))
    assert codec.encode(np.array([[0.49999997, 0.5]], F))[0, :2].tolist() == [0, 1]


@pytest.mark.parametrize("d", [16, 13, 40])
def test_the_score_is_qdrants_own(d: int) -> None:
    """multiplier * dot + query offset + vector offset: over the padded width, whose part is the same for all."""
    x_nd = unit_rows(RNG.normal(0.1, 1, (200, d)))
    codec = _fit(x_nd)
    alpha, offset, width = float(codec.alpha), float(codec.offset), -(-d // 16) * 16
    codes_nb = codec.encode(x_nd)
    assert codes_nb.shape == (200, width + 4)
    filler = _code(F(0), F(codec.alpha), F(codec.offset))
    assert (codes_nb[:, d:width] == filler).all()
    ours_qn = codec.estimate_queries(x_nd[:9]) @ codec.estimate_rows(codes_nb).T
    for q in range(9):
        query = [_code(x, F(codec.alpha), F(codec.offset)) for x in x_nd[q]] + [filler] * (width - d)
        for n in range(0, 200, 17):
            vector = codes_nb[n, :width].tolist()
            stored = codes_nb[n, width:].view("<f4")[0]
            constant = width * offset**2 + sum(vector) * alpha * offset
            assert stored == pytest.approx(constant, rel=1e-6)  # float32 holds 2**-24
            dot = sum(a * b for a, b in zip(query, vector, strict=True))
            score = alpha**2 * dot + sum(query) * alpha * offset + constant
            padded = (width - d) * (alpha * filler + offset) ** 2
            assert ours_qn[q, n] == pytest.approx(score - padded, abs=1e-12)


def test_a_constant_sample_and_a_quantile_out_of_range() -> None:
    codec = _fit(np.full((200, 4), 0.25))
    codes_nb = codec.encode(np.array([[0.25, 1, -1, 0]], F))
    assert codec.decode(codes_nb).tolist() == [[0.25] * 4]
    with pytest.raises(VqbenchError, match="quantile = 99"):
        QdrantScalar(quantile=99.0)
    with pytest.raises(VqbenchError, match="query_bits = 2"):
        QdrantBinary(query_bits=2)


def _levels(query_d: np.ndarray, bits: int) -> list[int]:
    """_encode_scalar_query_vector."""
    reach = max(abs(x) for x in query_d)
    ranges = 2**bits - 1
    delta = (reach - -reach) / F(ranges)
    found = []
    for x in query_d:
        steps = float((x + reach) / delta) if delta > np.finfo(F).eps else 0.0
        found.append((math.floor(steps) + (steps - math.floor(steps) >= 0.5)) % (ranges + 1))
    return found


@pytest.mark.parametrize("bits", [4, 8])
def test_asymmetric_scores_count_the_bits_that_differ(bits: int) -> None:
    d = 37
    x_nd = RNG.standard_normal((30, d)).astype(F)
    queries_qd = np.concatenate([RNG.standard_normal((6, d)).astype(F), np.zeros((1, d), F), np.full((1, d), 1e-6, F)])
    codec = QdrantBinary(query_bits=bits).fit(x_nd, RNG)
    assert isinstance(codec, QdrantBinaryCodec)
    ours_qn = codec.estimate_queries(queries_qd) @ codec.estimate_rows(codec.encode(x_nd)).T
    for q, query_d in enumerate(queries_qd):
        levels = _levels(query_d, bits)
        for n, x_d in enumerate(x_nd):
            xor = 0
            for level, x in zip(levels, x_d, strict=True):
                for plane in range(bits):
                    xor += ((level >> plane & 1) ^ int(x > 0)) << plane
            assert ours_qn[q, n] == d * (2**bits - 1) - 2 * xor


def test_bits_fill_words_of_128() -> None:
    x_nd = np.array([[0.0, -0.0, 1e-38, -1e-38] * 33], F)
    codec = QdrantBinary().fit(x_nd, RNG)
    codes_nb = codec.encode(x_nd)
    assert codes_nb.shape == (1, 32)
    assert np.unpackbits(codes_nb)[:132].tolist() == [0, 0, 1, 0] * 33
    assert not np.unpackbits(codes_nb)[132:].any()
