"""Three cells per dimension in 2, 1.5 and 1.6 bits: Qdrant's rules as loops, and what theory says of Gaussians."""

from __future__ import annotations

import itertools
import math
from statistics import NormalDist, fmean, stdev

import numpy as np
import pytest

from vqbench.api import code_topk
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Floats
from vqbench.numerics.packing import unpack_bits
from vqbench.quantizers.base import Codec
from vqbench.quantizers.multibinary import MultiBinary

SIGMAS = np.float32(2) / np.float32(3)
# A Gaussian's share of an outer cell, of the middle cell, and its mean in the upper cell.
UPPER = NormalDist().cdf(-2 / 3)
MIDDLE = 1 - 2 * UPPER
LEVEL = NormalDist().pdf(2 / 3) / UPPER
BINARY = ["two_bits", "one_and_half_bits"]


def _fit(sample_nd: Floats, **fields) -> Codec:
    return MultiBinary(**fields).fit(sample_nd, np.random.default_rng(0))


def _rows(n: int, d: int) -> Floats:
    """Offset Gaussians; the third dimension is constant and the fourth takes four values."""
    rng = np.random.default_rng(n + d)
    x_nd = rng.normal(rng.normal(0, 1, d), rng.uniform(0.1, 2, d), (n, d)).astype(np.float32)
    if d > 3:
        x_nd[:, 2], x_nd[:, 3] = np.float32(0.3), rng.integers(-1, 3, n)
    return x_nd


def _naive_pair(value: np.float32, column: list[float]) -> tuple[int, int]:
    """The two bits of one value, in float32 as Qdrant computes."""
    mean, sd = np.float32(fmean(column)), np.float32(stdev(column) if len(column) > 1 else 0)
    if sd < 2.0**-23:
        return int(value > 0), 0
    z = (value - mean) / sd
    return int(z > -SIGMAS), int(z >= SIGMAS)


def _naive_bits(row_d: Floats, sample_nd: Floats, shared: bool) -> list[int]:
    pairs = [_naive_pair(value, column) for value, column in zip(row_d, sample_nd.T.tolist(), strict=True)]
    second = [b for _, b in pairs]
    if shared:
        second = [int(any(second[at : at + 2])) for at in range(0, len(second), 2)]
    return [a for a, _ in pairs] + second


@pytest.mark.parametrize("d", [1, 2, 7, 24])
@pytest.mark.parametrize("n", [1, 2, 60])
@pytest.mark.parametrize("encoding", BINARY)
def test_bits_are_qdrants(encoding: str, n: int, d: int) -> None:
    sample_nd, x_nd = _rows(n, d), _rows(20, d)
    codec = _fit(sample_nd, encoding=encoding)
    shared = encoding == "one_and_half_bits"
    bits = d + math.ceil(d / 2) if shared else 2 * d
    assert codec.code_bits == bits
    assert codec.is_binary
    codes_nb = codec.encode(x_nd)
    assert codes_nb.shape[1] == math.ceil(bits / 8) == codec.ledger().total("vector")
    for row_d, bits_c in zip(x_nd, unpack_bits(codes_nb, bits).tolist(), strict=True):
        assert bits_c == _naive_bits(row_d, sample_nd, shared)


def test_cells_end_as_qdrants_do() -> None:
    """(-inf, -2/3], (-2/3, 2/3), [2/3, inf) of z, to the last bit of a float32. Mean 0, sd 1."""
    codec = _fit(np.float32([[-1], [0], [1]]))
    inside = np.nextafter(SIGMAS, np.float32(0))
    x_nd = np.array([[-SIGMAS], [-inside], [inside], [SIGMAS]], dtype=np.float32)
    assert unpack_bits(codec.encode(x_nd), 2).tolist() == [[0, 0], [1, 0], [1, 0], [1, 1]]


@pytest.mark.parametrize(
    ("pair", "triple"),
    [((0, 9), [1, 1, 1]), ((-9, 0), [0, 1, 0]), ((9, -9), [1, 0, 1]), ((-9, -9), [0, 0, 0]), ((0, 0), [1, 1, 0])],
)
def test_two_dimensions_share_a_bit(pair: tuple[float, float], triple: list[int]) -> None:
    """The first two are the examples in Qdrant's source: 10 and 11 make 111, 00 and 10 make 010."""
    codec = _fit(np.float32([[-1, -1], [0, 0], [1, 1]]), encoding="one_and_half_bits")
    assert unpack_bits(codec.encode(np.float32([pair])), 3)[0].tolist() == triple


@pytest.mark.parametrize("encoding", BINARY)
def test_all_bits_are_counted(encoding: str) -> None:
    """The score of a search is minus the number of differing bits, the second ones too."""
    x_nd, queries_qd = _rows(50, 13), _rows(5, 13)
    codec = _fit(x_nd, encoding=encoding)
    hits = code_topk(codec, queries_qd, codec.encode(x_nd), 50, similarity="hamming")
    for query_d, ids_k, scores_k in zip(queries_qd, hits.ids_qk, hits.scores_qk, strict=True):
        query = _naive_bits(query_d, x_nd, encoding != "two_bits")
        for row, score in zip(ids_k.tolist(), scores_k.tolist(), strict=True):
            document = _naive_bits(x_nd[row], x_nd, encoding != "two_bits")
            assert score == -sum(a != b for a, b in zip(query, document, strict=True))


def _naive_levels(query: list[np.float32], bits: int) -> list[int]:
    """Qdrant's scalar query in float32: from -max to max in 2**bits - 1 steps."""
    largest = max(abs(value) for value in query)
    step = (largest + largest) / np.float32(2**bits - 1)
    return [math.floor(float((value + largest) / step) + 0.5) for value in query]


@pytest.mark.parametrize("d", [13, 24])
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("encoding", BINARY)
def test_the_asymmetric_score_is_qdrants_xor(encoding: str, bits: int, d: int) -> None:
    """XOR of a bit with each bit of a level gives the level (bit 0) or m - level (bit 1); Qdrant divides by m."""
    x_nd, queries_qd = _rows(12, d), _rows(5, d)
    codec = _fit(x_nd, encoding=encoding, query_bits=bits)
    ours_qn = codec.estimate_queries(queries_qd) @ codec.estimate_rows(codec.encode(x_nd)).T
    for query_d, ours_n in zip(queries_qd, ours_qn, strict=True):
        second = list(query_d)
        if encoding == "one_and_half_bits":
            second = [max(query_d[at : at + 2]) for at in range(0, d, 2)]
        levels = _naive_levels([*query_d, *second], bits)
        for row_d, ours in zip(x_nd, ours_n, strict=True):
            document = _naive_bits(row_d, x_nd, encoding != "two_bits")
            planes = [[(level >> plane) & 1 for level in levels] for plane in range(bits)]
            xor = sum(
                sum(a != b for a, b in zip(document, plane_c, strict=True)) << plane
                for plane, plane_c in enumerate(planes)
            )
            assert ours == pytest.approx(len(document) - 2 * xor / (2**bits - 1), abs=1e-12 * len(document))


def test_a_float_query_and_a_zero_query() -> None:
    """Qdrant codes a query without a step as all zeros, so that it prefers rows with few bits."""
    x_nd = _rows(30, 9)
    float_codec = _fit(x_nd, encoding="one_and_half_bits")
    query_qd = np.float32([[1, -2, 3, 4, 0, 0, -5, -6, 7]])
    assert float_codec.estimate_queries(query_qd).tolist() == [[1, -2, 3, 4, 0, 0, -5, -6, 7, 1, 4, 0, -5, 7]]
    coded = _fit(x_nd, encoding="two_bits", query_bits=4)
    assert coded.estimate_queries(np.zeros((1, 9), np.float32)).tolist() == [[-1.0] * 18]


@pytest.mark.parametrize("d", [1, 5, 7, 24])
def test_five_cells_share_a_byte_and_decode_to_their_means(d: int) -> None:
    sample_nd = _rows(60, d)
    codec = _fit(sample_nd, encoding="ternary")
    codes_nb = codec.encode(sample_nd)
    assert codes_nb.shape[1] == math.ceil(d / 5) == codec.ledger().total("vector")
    columns = sample_nd.T.tolist()
    cells_nd = [
        [sum(_naive_pair(value, column)) for value, column in zip(row_d, columns, strict=True)] for row_d in sample_nd
    ]
    for cells_d, code_b in zip(cells_nd, codes_nb.tolist(), strict=True):
        filled = cells_d + [0] * (-d % 5)
        expected = [int("".join(map(str, filled[at : at + 5])), 3) for at in range(0, len(filled), 5)]
        assert code_b == expected
    decoded_nd = codec.decode(codes_nb)
    for at, column in enumerate(columns):
        for cell in range(3):
            members = [row for row in range(60) if cells_nd[row][at] == cell]
            if members:
                mean = fmean(column[row] for row in members)
                assert decoded_nd[members, at].tolist() == pytest.approx([mean] * len(members), rel=1e-6, abs=1e-7)


def test_every_byte_of_cells_is_read_back() -> None:
    """All 243 combinations of five cells."""
    codec = _fit(np.float32([[-3.0] * 5, [0.0] * 5, [3.0] * 5]), encoding="ternary")
    x_nd = np.float32(list(itertools.product([-3, 0, 3], repeat=5)))
    codes_nb = codec.encode(x_nd)
    assert codes_nb[:, 0].tolist() == list(range(243))
    np.testing.assert_array_equal(codec.decode(codes_nb), x_nd)


def _expected_error(encoding: str) -> float:
    """1 - E[level**2] of N(0, 1), by the cells (and for shared bits the partner's cells) that a code tells apart."""
    if encoding != "one_and_half_bits":
        return 1 - 2 * UPPER * LEVEL**2
    maybe = LEVEL * (MIDDLE + UPPER) / (2 * MIDDLE + UPPER)
    return 1 - (UPPER + UPPER**2) * LEVEL**2 - (2 * MIDDLE * UPPER + UPPER**2) * maybe**2


@pytest.mark.parametrize("encoding", [*BINARY, "ternary"])
def test_errors_on_gaussians(encoding: str) -> None:
    """.1917 for three cells, .3120 with the shared bit, between them and 1 bit's 1 - 2 / pi = .3634.

    2,000 rows of 100 dimensions: 5 standard errors of the rows' mean; the sample's own means and sds
    save 3 fitted numbers in 2,000 a dimension, .15 % of the error.
    """
    x_nd = np.random.default_rng(3).standard_normal((2000, 100)).astype(np.float32)
    codec = _fit(x_nd, encoding=encoding)
    error_n = ((x_nd - codec.decode(codec.encode(x_nd)).astype(np.float64)) ** 2).mean(axis=1)
    expected = _expected_error(encoding)
    assert error_n.mean() == pytest.approx(expected, abs=5 * error_n.std() / math.sqrt(2000) + 0.0015 * expected)
    assert 0.19 < expected < 1 - 2 / math.pi


def test_shared_bits_decode_to_what_is_expected_of_them() -> None:
    """Each of the seven codes of a pair: the mean of 400,000 simulated pairs, within 5 of its standard errors."""
    x_nd = np.random.default_rng(4).standard_normal((400_000, 2)).astype(np.float32)
    codec = _fit(x_nd, encoding="one_and_half_bits")
    codes_n = codec.encode(x_nd)[:, 0]
    kinds = np.unique(codes_n)
    assert len(kinds) == 7  # 001 cannot be: an upper cell has its first bit
    for code in kinds:
        members_nd = x_nd[codes_n == code].astype(np.float64)
        error_d = 5 * members_nd.std(axis=0) / math.sqrt(len(members_nd)) + 0.01  # the sample's own mean and sd
        assert (np.abs(codec.decode(np.uint8([[code]]))[0] - members_nd.mean(axis=0)) < error_d).all()


def test_odd_dimensions_keep_their_last_bit_to_themselves() -> None:
    codec = _fit(np.float32([[-1.0] * 3, [0.0] * 3, [1.0] * 3]), encoding="one_and_half_bits")
    decoded_nd = codec.decode(codec.encode(np.float32([[0, 0, 1], [0, -1, 0], [1, -1, -1]])))
    np.testing.assert_allclose(decoded_nd, np.array([[0, 0, 1], [0, -1, 0], [1, -1, -1]]) * LEVEL, rtol=1e-6)


@pytest.mark.parametrize(
    "fields", [{"encoding": "three_bits"}, {"query_bits": 5}, {"encoding": "ternary", "query_bits": 4}]
)
def test_other_settings_are_refused(fields: dict) -> None:
    with pytest.raises(VqbenchError, match="must be"):
        MultiBinary(**fields)
