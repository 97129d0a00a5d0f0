"""exact_topk, code_topk and hamming_topk: results, padding, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import oracles
import pytest

import vqbench
from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.numerics.packing import pack_bits
from vqbench.quantizers.binary import Binary
from vqbench.quantizers.cast import Cast
from vqbench.quantizers.offset_int8 import OffsetInt8
from vqbench.search.topk import Hits
from vqbench.storage.vectors import Vectors


def _assert_same(hits: Hits, scores_qn: np.ndarray, k: int) -> None:
    for query, scores_n in enumerate(scores_qn):
        ids, scores, dropped = oracles.top(scores_n, k)
        assert hits.ids_qk[query].tolist() == ids
        assert hits.scores_qk[query].tolist() == scores
        assert hits.dropped_ties_q[query] == dropped


def _codec(quantizer, sample_nd: np.ndarray):
    return quantizer.fit(sample_nd, np.random.default_rng(0))


def test_exact_topk_of_arrays_maps_and_vectors(tied_rows: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", tied_rows)
    scores_qn = oracles.cosines(tied_rows[:9], tied_rows)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    for corpus in (tied_rows, mapped, Vectors(tied_rows, normalize=False), Vectors(mapped, normalize=True)):
        _assert_same(vqbench.exact_topk(tied_rows[:9], corpus, 7), scores_qn, 7)


@pytest.mark.parametrize("d", [1, 5, 8, 11, 16, 17])
def test_hamming_topk_ignores_padding(d: int) -> None:
    """Bits beyond d are filled with noise and change nothing."""
    rng = np.random.default_rng(d)
    bits_nd = rng.integers(0, 2, size=(90, d)).astype(bool)
    clean_nb = pack_bits(bits_nd)
    noise_nb = rng.integers(0, 256, size=clean_nb.shape).astype(np.uint8)
    noise_nb &= ~pack_bits(np.ones((90, d), dtype=bool))
    dirty_nb = clean_nb | noise_nb
    scores_qn = oracles.hamming(bits_nd[:10], bits_nd)
    for codes_nb in (clean_nb, dirty_nb):
        _assert_same(vqbench.hamming_topk(codes_nb[:10], codes_nb, 6, d=d), scores_qn, 6)
    if d % 8:
        assert (dirty_nb != clean_nb).any()
        all_bits = np.unpackbits(dirty_nb, axis=1)
        scores_qn = oracles.hamming(all_bits[:10], all_bits)
        _assert_same(vqbench.hamming_topk(dirty_nb[:10], dirty_nb, 6), scores_qn, 6)


def test_code_topk_under_every_similarity(gaussian: np.ndarray) -> None:
    x_nd, queries_qd = gaussian[:80], gaussian[80:92]
    codec = _codec(OffsetInt8(), x_nd)
    codes_nb, query_codes_qb = codec.encode(x_nd), codec.encode(queries_qd)
    decoded_nd, decoded_qd = ((c + 0.5) / 127 - 1 for c in (codes_nb, query_codes_qb))
    wanted = {
        "decoded": oracles.cosines(queries_qd, decoded_nd.astype(np.float32)),
        "symmetric": oracles.cosines(decoded_qd.astype(np.float32), decoded_nd.astype(np.float32)),
        "raw": oracles.cosines(query_codes_qb, codes_nb),
    }
    for similarity, scores_qn in wanted.items():
        hits = vqbench.code_topk(codec, queries_qd, codes_nb, 9, similarity=similarity)
        _assert_same(hits, scores_qn, 9)
    binary = _codec(Binary(threshold="median", scope="dimension"), x_nd)
    hits = vqbench.code_topk(binary, queries_qd, binary.encode(x_nd), 9, similarity="hamming")
    middle_d = np.median(x_nd.astype(float), axis=0)
    _assert_same(hits, oracles.hamming(queries_qd > middle_d, x_nd > middle_d), 9)


def test_exclusion_in_every_search(gaussian: np.ndarray) -> None:
    x_nd, rows = gaussian[:50], np.array([4, 49])
    codec = _codec(Binary(), x_nd)
    codes_nb = codec.encode(x_nd)
    for hits in (
        vqbench.exact_topk(x_nd[rows], x_nd, 49, exclude_q=rows),
        vqbench.code_topk(codec, x_nd[rows], codes_nb, 49, exclude_q=rows),
        vqbench.hamming_topk(codes_nb[rows], codes_nb, 49, d=16, exclude_q=rows),
    ):
        for listed, own in zip(hits.ids_qk, rows, strict=True):
            assert sorted(listed.tolist()) == [row for row in range(50) if row != own]


@pytest.mark.parametrize(("k", "exclude"), [(0, False), (-1, False), (51, False), (50, True)])
def test_k_beyond_what_can_be_found(gaussian: np.ndarray, k: int, exclude: bool) -> None:
    x_nd = gaussian[:50]
    codec = _codec(Binary(), x_nd)
    codes_nb, exclude_q = codec.encode(x_nd), np.zeros(1, dtype=np.int64) if exclude else None
    message = f"k = {k}: .* between 1 and {50 - exclude}"
    with pytest.raises(VqbenchError, match=message):
        vqbench.exact_topk(x_nd[:1], x_nd, k, exclude_q=exclude_q)
    with pytest.raises(VqbenchError, match=message):
        vqbench.code_topk(codec, x_nd[:1], codes_nb, k, exclude_q=exclude_q)
    with pytest.raises(VqbenchError, match=message):
        vqbench.hamming_topk(codes_nb[:1], codes_nb, k, exclude_q=exclude_q)


def test_queries_of_another_width(gaussian: np.ndarray) -> None:
    codec = _codec(Binary(), gaussian)
    codes_nb = codec.encode(gaussian)
    with pytest.raises(VqbenchError, match=r"shape \(3, 15\), the corpus needs \(q, 16\)"):
        vqbench.exact_topk(gaussian[:3, :15], gaussian, 1)
    with pytest.raises(VqbenchError, match=r"shape \(16,\), the corpus needs \(q, 16\)"):
        vqbench.exact_topk(gaussian[0], gaussian, 1)
    with pytest.raises(VqbenchError, match=r"shape \(3, 15\), the corpus needs \(q, 16\)"):
        vqbench.code_topk(codec, gaussian[:3, :15], codes_nb, 1)
    with pytest.raises(VqbenchError, match="queries have 1 bytes, codes 2"):
        vqbench.hamming_topk(codes_nb[:, :1], codes_nb, 1)
    for d in (0, 17):
        with pytest.raises(VqbenchError, match=f"d = {d}"):
            vqbench.hamming_topk(codes_nb, codes_nb, 1, d=d)


def test_similarities_that_make_no_sense(gaussian: np.ndarray) -> None:
    codec = _codec(Cast(dtype="float16"), gaussian)
    codes_nb = codec.encode(gaussian)
    with pytest.raises(NotApplicableError, match="CastCodec is no 1-bit code"):
        vqbench.code_topk(codec, gaussian[:1], codes_nb, 1, similarity="hamming")
    with pytest.raises(NotApplicableError, match="CastCodec stores no integers"):
        vqbench.code_topk(codec, gaussian[:1], codes_nb, 1, similarity="raw")
