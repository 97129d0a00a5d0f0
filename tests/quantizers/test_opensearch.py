"""OpenSearch's thresholds and bits against MultiBitScalarQuantizer.java, restated one number at a time."""

from __future__ import annotations

from statistics import fmean, pstdev

import numpy as np
import pytest

from vqbench.api import hamming_topk
from vqbench.errors import VqbenchError
from vqbench.quantizers.opensearch import OpenSearchBinary, OpenSearchBinaryCodec

#: In standard deviations from the mean; the two-bit and four-bit examples of the project's unit tests follow them.
PLACES = {1: [0.0], 2: [-1 / 3, 1 / 3], 4: [-0.6, -0.2, 0.2, 0.6]}


def _fit(sample_nd: np.ndarray, bits: int) -> OpenSearchBinaryCodec:
    codec = OpenSearchBinary(bits=bits).fit(np.asarray(sample_nd, np.float32), np.random.default_rng(0))
    assert isinstance(codec, OpenSearchBinaryCodec)
    return codec


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_thresholds_are_evenly_spaced_about_the_mean(bits: int) -> None:
    sample_nd = np.random.default_rng(bits).normal([0, 3, -1], [1, 0.01, 5], (500, 3)).astype(np.float32)
    codec = _fit(sample_nd, bits)
    assert codec.thresholds_bd.dtype == np.float32
    for j, column in enumerate(sample_nd.T.tolist()):
        expected = [fmean(column) + place * pstdev(column) for place in PLACES[bits]]
        assert codec.thresholds_bd[:, j].tolist() == pytest.approx(expected, rel=2**-23, abs=2**-24)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_bits_stand_where_opensearch_packs_them(bits: int) -> None:
    d = 11
    x_nd = np.random.default_rng(9).standard_normal((40, d)).astype(np.float32)
    codec = _fit(x_nd, bits)
    codes_nb = codec.encode(x_nd)
    for x_d, code_b in zip(x_nd, codes_nb, strict=True):
        packed = [0] * -(-bits * d // 8)
        for i in range(bits):
            for j in range(d):
                if x_d[j] > codec.thresholds_bd[i, j]:
                    at = i * d + j
                    packed[at >> 3] |= 1 << (7 - (at & 7))
        assert code_b.tolist() == packed


@pytest.mark.parametrize("bits", [2, 4])
def test_the_distance_is_how_many_cells_two_rows_lie_apart(bits: int) -> None:
    x_nd = np.random.default_rng(8).standard_normal((50, 24)).astype(np.float32)
    codec = _fit(x_nd, bits)
    cells_nd = (x_nd[:, None, :] > codec.thresholds_bd).sum(axis=1)
    codes_nb = codec.encode(x_nd)
    hits = hamming_topk(codes_nb[:3], codes_nb, 50)
    for q in range(3):
        apart_k = np.abs(cells_nd[hits.ids_qk[q]] - cells_nd[q]).sum(axis=1)
        assert (-hits.scores_qk[q]).tolist() == apart_k.tolist()
    np.testing.assert_array_equal(codec.decode(codes_nb), 2 * cells_nd - bits)


def test_constant_dimensions_and_wrong_bits() -> None:
    codec = _fit(np.full((30, 3), 0.1), 4)
    assert np.isfinite(codec.thresholds_bd).all()
    assert not codec.encode(np.full((1, 3), 0.1, np.float32)).any()
    with pytest.raises(VqbenchError, match="bits = 3"):
        OpenSearchBinary(bits=3)
