"""Product quantization: a naive loop, faiss and scipy as oracles, and faiss's own numbers on seeded data."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.vq import kmeans2, vq

from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.numerics.arrays import unit_rows
from vqbench.numerics.packing import unpack_levels
from vqbench.quantizers.product import ProductCodec, ProductQuantization, _means, k_means, nearest

SEEDED_SHA256 = "5f5c53e598948a11aadbca2a2a1715faab48cbd233de9d621a90a3ff7a1e40fb"


def seeded(d: int = 128, n: int = 20_000, q: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows around 100 centres, with the draws of the reference run of faiss below."""
    rng = np.random.default_rng(1234)
    centre_cd = rng.standard_normal((100, d), dtype=np.float32)
    sides = []
    for rows in (n, q):
        x_nd = centre_cd[rng.integers(0, 100, rows)]
        x_nd = x_nd + np.float32(0.5) * rng.standard_normal((rows, d), dtype=np.float32)
        sides.append(x_nd / np.linalg.norm(x_nd, axis=1, keepdims=True))
    return sides[0], sides[1]


@pytest.fixture(scope="module")
def reference() -> tuple[np.ndarray, np.ndarray]:
    x_nd, queries_qd = seeded()
    assert hashlib.sha256(x_nd.tobytes()).hexdigest() == SEEDED_SHA256
    return x_nd, queries_qd


def recall(queries_qd: np.ndarray, x_nd: np.ndarray, decoded_nd: np.ndarray) -> float:
    """recall@10 by cosine against float32 inner products, all by plain sorting."""
    true_qk = np.argsort(-(queries_qd @ x_nd.T), axis=1)[:, :10]
    decoded_nd = decoded_nd.astype(np.float64)
    found_qk = np.argsort(-(queries_qd @ (decoded_nd / np.linalg.norm(decoded_nd, axis=1)[:, None]).T), axis=1)[:, :10]
    return float(np.mean([len(set(t) & set(f)) / 10 for t, f in zip(true_qk, found_qk, strict=True)]))


def fit(x_nd: np.ndarray, seed: int = 0, **spec: int) -> ProductCodec:
    codec = ProductQuantization(**spec).fit(x_nd, np.random.default_rng(seed))
    assert isinstance(codec, ProductCodec)
    return codec


def error(x_nd: np.ndarray, centroids_kw: np.ndarray) -> float:
    """Mean squared distance to the nearest centroid."""
    squared_nk = ((x_nd[:, None].astype(np.float64) - centroids_kw[None]) ** 2).sum(axis=2)
    return float(squared_nk.min(axis=1).mean())


def loop(x_nd: np.ndarray, codebooks_mkw: np.ndarray) -> list[list[int]]:
    """Codes by definition, in Python floats: the first centroid at the least squared distance."""
    codes, width = [], codebooks_mkw.shape[2]
    for row in x_nd.tolist():
        code = []
        for piece, codebook in enumerate(codebooks_mkw.tolist()):
            part = row[piece * width : (piece + 1) * width]
            away = [sum((a - b) ** 2 for a, b in zip(part, centroid, strict=True)) for centroid in codebook]
            code.append(away.index(min(away)))
        codes.append(code)
    return codes


@given(bits=st.integers(4, 8), m=st.integers(1, 5), width=st.integers(1, 3), seed=st.integers(0, 10**6))
def test_codes_are_those_of_a_loop_and_ties_go_to_the_first(bits: int, m: int, width: int, seed: int) -> None:
    """Quarters: every distance is exact, and equal distances and equal centroids are common."""
    rng = np.random.default_rng(seed)
    codebooks_mkw = rng.integers(-8, 9, (m, 2**bits, width)).astype(np.float32) / 4
    x_nd = rng.integers(-9, 10, (7, m * width)).astype(np.float32) / 4
    codec = ProductCodec(d=m * width, bits=bits, codebooks_mkw=codebooks_mkw)
    codes_nb = codec.encode(x_nd)
    levels = loop(x_nd, codebooks_mkw)
    assert codes_nb.shape == (7, -(-m * bits // 8))
    assert unpack_levels(codes_nb, m, bits).tolist() == levels
    decoded = [[value for i in range(m) for value in codebooks_mkw[i, code[i]].tolist()] for code in levels]
    assert codec.decode(codes_nb).tolist() == decoded


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_assignments_are_those_of_scipy_away_from_ties(scale: float) -> None:
    rng = np.random.default_rng(3)
    x_nw, centroids_kw = (rng.standard_normal((n, 6)).astype(np.float32) for n in (3000, 64))
    x_nw[:50] *= 1000  # so that the squared norm of a row dwarfs what tells centroids apart
    index_n, away_n = vq(x_nw.astype(np.float64), centroids_kw.astype(np.float64))
    squared_nk = ((x_nw[:, None].astype(np.float64) - centroids_kw) ** 2).sum(axis=2)
    second_n = np.sqrt(np.partition(squared_nk, 1, axis=1)[:, 1])
    # Centroids move by up to 2**-23 of the longest (6 dimensions: below 4.6 long) in each dimension.
    clear_n = second_n - away_n > 2 * 6 * 4.6 * 2.0**-23
    assert clear_n.mean() > 0.999
    got_n = nearest(x_nw * np.float32(scale), centroids_kw * np.float32(scale))
    np.testing.assert_array_equal(got_n[clear_n], index_n[clear_n])


@pytest.mark.slow
@pytest.mark.parametrize(("m", "bits"), [(8, 8), (16, 8), (4, 6), (16, 4)])
def test_with_the_codebooks_of_faiss_codes_and_vectors_are_those_of_faiss(m: int, bits: int) -> None:
    """faiss packs codes of less than 8 bits from the lowest bit on; unpacked they are the same numbers."""
    faiss = pytest.importorskip("faiss")
    rng = np.random.default_rng(8)
    x_nd = unit_rows(rng.standard_normal((2000, 32)))
    theirs = faiss.ProductQuantizer(32, m, bits)
    theirs.cp.min_points_per_centroid = 1
    theirs.train(x_nd)
    codebooks_mkw = faiss.vector_to_array(theirs.centroids).reshape(m, 2**bits, 32 // m)
    codec = ProductCodec(d=32, bits=bits, codebooks_mkw=codebooks_mkw)
    codes_nb = theirs.compute_codes(x_nd)
    stream_nb = np.unpackbits(codes_nb, axis=1, bitorder="little")[:, : m * bits].reshape(-1, m, bits)
    their_nm = stream_nb @ (1 << np.arange(bits))
    our_nm = unpack_levels(codec.encode(x_nd), m, bits)
    # faiss sums in float32: where it picks another centroid, that one must be as near up to its rounding.
    for row, piece in np.argwhere(our_nm != their_nm):
        part_w = x_nd[row].reshape(m, -1)[piece].astype(np.float64)
        ours, other = (((part_w - codebooks_mkw[piece, nm[row, piece]]) ** 2).sum() for nm in (our_nm, their_nm))
        assert abs(ours - other) < 32 * 2.0**-24 * ours
    assert (our_nm == their_nm).mean() > 0.9999
    same_n = (our_nm == their_nm).all(axis=1)
    np.testing.assert_array_equal(codec.decode(codec.encode(x_nd))[same_n], theirs.decode(codes_nb)[same_n])


@pytest.mark.slow
@pytest.mark.parametrize(("k", "width"), [(16, 2), (64, 4), (256, 8)])
def test_k_means_is_as_good_as_others(k: int, width: int) -> None:
    """Random starts differ by well below 2 % in error here; a broken update or a lost centroid costs more."""
    rng = np.random.default_rng(width)
    x_nw = (rng.standard_normal((40, width))[rng.integers(0, 40, 5000)] + rng.normal(0, 0.4, (5000, width))).astype(
        "f4"
    )
    ours = np.mean([error(x_nw, k_means(x_nw, k, 25, np.random.default_rng(seed))) for seed in range(3)])
    scipys = np.mean([error(x_nw, kmeans2(x_nw, k, 25, minit="points", rng=seed)[0]) for seed in range(3)])
    assert ours <= 1.02 * scipys
    faiss = pytest.importorskip("faiss")
    theirs = faiss.Kmeans(width, k, niter=25, min_points_per_centroid=1)
    theirs.train(x_nw)
    assert ours <= 1.02 * error(x_nw, theirs.centroids)


def test_more_rounds_help() -> None:
    x_nw = np.random.default_rng(0).standard_normal((3000, 4)).astype(np.float32)
    errors = [error(x_nw, k_means(x_nw, 64, rounds, np.random.default_rng(1))) for rounds in (1, 5, 25)]
    assert errors[0] > 1.05 * errors[1] > 1.05 * errors[2]


def test_a_mean_is_the_mean_of_its_rows_and_an_empty_centroid_moves_to_the_worst_row() -> None:
    x_nw = np.float32([[0, 0], [1, 0], [9, 0], [8, 2], [8, 7]])
    before_kw = np.float32([[0, 0], [100, 100], [8, 1]])
    after_kw = _means(x_nw, np.array([0, 0, 2, 2, 2]), before_kw)
    np.testing.assert_array_equal(after_kw, np.float32([[0.5, 0], [8, 7], [25 / 3, 3]]))


# faiss-cpu 1.15.1 (AVX2, one thread), 20,000 x 128, 500 queries, recall@10 by cosine of decoded vectors; it trains
# on all rows. Recall: the standard error of a mean of 500 queries is .005, of a difference between two trainings
# .006 to .009, so .02 is over 2 of them, and only a loss counts: the codebooks are learned. Error: 2 %.
REFERENCE = [
    pytest.param(32, 4, 0.29150909185409546, 0.2092, id="PQ32x4"),
    pytest.param(16, 8, 0.15924710035324097, 0.1998, id="PQ16x8", marks=pytest.mark.slow),
    pytest.param(32, 8, 0.0707973912358284, 0.4756, id="PQ32x8", marks=pytest.mark.slow),
]


@pytest.mark.slow
@pytest.mark.parametrize(("m", "bits", "mse", "least"), REFERENCE)
def test_error_and_recall_are_those_of_faiss(
    reference: tuple[np.ndarray, np.ndarray], m: int, bits: int, mse: float, least: float
) -> None:
    x_nd, queries_qd = reference
    codec = fit(x_nd, m=m, bits=bits, sample_per_centroid=64 if bits == 8 else 256)
    decoded_nd = codec.decode(codec.encode(x_nd))
    assert ((x_nd - decoded_nd.astype(np.float64)) ** 2).sum(axis=1).mean() == pytest.approx(mse, rel=0.02)
    assert recall(queries_qd, x_nd, decoded_nd) >= least - 0.02


def test_few_distinct_pieces_are_kept_exactly() -> None:
    """Rows that repeat, a constant piece, and a piece of three values: nothing is lost but what there is."""
    rng = np.random.default_rng(4)
    x_nd = np.zeros((600, 12), np.float32)
    x_nd[:, 4:8] = rng.standard_normal((3, 4))[rng.integers(0, 3, 600)]
    x_nd[:, 8:] = np.repeat(rng.standard_normal((20, 4)), 30, axis=0)
    codec = fit(x_nd, dims_per_code=4, bits=5)
    np.testing.assert_array_equal(codec.decode(codec.encode(x_nd)), x_nd)
    assert np.isfinite(codec.codebooks_mkw).all()


def test_each_row_many_times_still_uses_every_centroid() -> None:
    values_vd = np.random.default_rng(9).standard_normal((40, 4)).astype(np.float32)
    x_nd = values_vd.repeat(25, axis=0)
    codec = fit(x_nd, m=1, bits=5)
    assert len(np.unique(codec.encode(x_nd))) == 32


def test_the_order_of_the_sample_does_not_matter() -> None:
    x_nd = np.random.default_rng(1).standard_normal((900, 8)).astype(np.float32)
    forth, back = (fit(rows, m=4, bits=4, sample_per_centroid=20) for rows in (x_nd, x_nd[::-1]))
    np.testing.assert_array_equal(forth.codebooks_mkw, back.codebooks_mkw)
    other = fit(x_nd, 1, m=4, bits=4, sample_per_centroid=20)
    assert not np.array_equal(forth.codebooks_mkw, other.codebooks_mkw)


def test_no_more_rows_than_asked_for_are_used() -> None:
    """One row for each centroid: the centroids are 16 of the rows."""
    x_nd = np.random.default_rng(1).standard_normal((500, 8)).astype(np.float32)
    codec = fit(x_nd, m=2, bits=4, sample_per_centroid=1)
    for piece, codebook_kw in enumerate(codec.codebooks_mkw):
        rows = {tuple(row) for row in x_nd[:, 4 * piece : 4 * piece + 4].tolist()}
        assert {tuple(row) for row in codebook_kw.tolist()} <= rows
        assert len(np.unique(codebook_kw, axis=0)) == 16
    others = fit(x_nd, 1, m=2, bits=4, sample_per_centroid=1).codebooks_mkw
    assert len(np.unique(np.concatenate([codec.codebooks_mkw[0], others[0]]), axis=0)) > 24  # other rows drawn


def test_codes_are_the_same_on_one_thread_and_on_two() -> None:
    script = (
        "import hashlib, numpy as np; from vqbench.quantizers.product import ProductQuantization\n"
        "x = np.random.default_rng(0).standard_normal((6000, 32)).astype('f4')\n"
        "codec = ProductQuantization(dims_per_code=16).fit(x, np.random.default_rng(0))\n"
        "print(hashlib.sha256(codec.codebooks_mkw.tobytes() + codec.encode(x).tobytes()).hexdigest())\n"
    )
    digests = set()
    for threads in ("1", "2"):
        env = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        digests.add(subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, check=True).stdout)
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("spec", "code_bytes"), [({"m": 6}, 6), ({"dims_per_code": 4, "bits": 5}, 4), ({"m": 3, "bits": 4}, 2)]
)
def test_bytes_are_counted(spec: dict[str, int], code_bytes: int) -> None:
    """Codebooks hold d numbers of 4 bytes for each of the centroids, however many pieces there are."""
    codec = fit(np.random.default_rng(0).standard_normal((300, 24)).astype(np.float32), **spec)
    assert codec.ledger().total("vector") == code_bytes
    assert codec.ledger().total("once") == 4 * 24 * 2 ** spec.get("bits", 8)


@pytest.mark.parametrize(
    ("spec", "n", "said"),
    [
        ({"m": 5}, 300, "d = 24 is not divisible by m = 5"),
        ({"m": 48}, 300, "d = 24 is not divisible by m = 48"),
        ({"dims_per_code": 7}, 300, "d = 24 is not divisible by dims_per_code = 7"),
        ({"m": 4}, 255, "255 rows cannot train 256 centroids: calibrate on at least 256"),
        ({"m": 4, "bits": 4}, 15, "15 rows cannot train 16 centroids"),
    ],
)
def test_what_does_not_suit_is_refused(spec: dict[str, int], n: int, said: str) -> None:
    with pytest.raises(NotApplicableError, match=said):
        fit(np.random.default_rng(0).standard_normal((n, 24)).astype(np.float32), **spec)


@pytest.mark.parametrize(
    "spec",
    [{}, {"m": 2, "dims_per_code": 2}, {"m": 0}, {"dims_per_code": -1}, {"m": 2, "bits": 3}, {"m": 2, "bits": 9},
     {"m": 2, "iterations": 0}, {"m": 2, "sample_per_centroid": 0}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(spec: dict[str, int]) -> None:
    with pytest.raises(VqbenchError, match="="):
        ProductQuantization(**spec)
