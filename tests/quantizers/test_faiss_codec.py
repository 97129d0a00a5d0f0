"""Codecs of faiss: against faiss itself, its own numbers on seeded data, and the size of its files."""

from __future__ import annotations

import copy
import hashlib
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from test_product import SEEDED_SHA256, recall, seeded

from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.numerics.arrays import unit_rows
from vqbench.numerics.draws import content_keys, drawn
from vqbench.quantizers.base import Codec
from vqbench.quantizers.faiss_codec import FaissCodec, FaissIndex, FaissSigns
from vqbench.quantizers.parts.faiss_index import step_of

faiss = pytest.importorskip("faiss")

D = 64
TURNED = pytest.param("OPQ{d/8}_32,PQ8x4", marks=pytest.mark.slow)  # its rotation takes seconds to train
EVERY = [
    "PQ{d/8}x8", "PQ{d/32}x6", "PQ{d/8}x4fs", TURNED, "RQ3x6", "PRQ{d/32}x2x5", "SQ8", "SQ6", "SQ4",
    "SQfp16", "SQbf16", "RR{d},SQ4", "PCA{d/2},SQ8", "RaBitQ", "RR{d},RaBitQ", "LSH", "LSHrt", "LSH{d*2}r",
    "ITQ{d/2},LSH",
]  # fmt: skip


def rows(n: int = 600, d: int = D, seed: int = 0) -> np.ndarray:
    """Unit rows around 30 centres, in the order in which training takes them: faiss can be given the same."""
    rng = np.random.default_rng(seed)
    x_nd = unit_rows(rng.standard_normal((30, d))[rng.integers(0, 30, n)] + 0.6 * rng.standard_normal((n, d)))
    return x_nd[drawn(content_keys(x_nd), n, seed_of(), "faiss")]


def seed_of(seed: int = 0) -> int:
    """What a fit with this generator hands to faiss."""
    return int(np.random.default_rng(seed).integers(2**31))


def fit(factory: str, x_nd: np.ndarray, seed: int = 0, **spec: int) -> Codec:
    return FaissCodec(factory=factory, **spec).fit(x_nd, np.random.default_rng(seed))


def trained(factory: str, x_nd: np.ndarray) -> Any:
    """faiss alone: factory, seed, train."""
    metric = faiss.METRIC_INNER_PRODUCT if factory == "RaBitQ" else faiss.METRIC_L2
    index = faiss.index_factory(x_nd.shape[1], factory, metric)
    for part in ("pq", "rq"):
        if hasattr(index, part):
            getattr(index, part).cp.seed = seed_of()
    if hasattr(index, "prq"):
        for i in range(index.prq.nsplits):
            faiss.downcast_AdditiveQuantizer(index.prq.subquantizer(i)).cp.seed = seed_of()
    if isinstance(index, faiss.IndexPQ):
        index.do_polysemous_training = False
    index.train(x_nd)
    return index


@pytest.fixture
def one_thread() -> Any:
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield
    faiss.omp_set_num_threads(before)


@pytest.mark.parametrize(
    "factory",
    ["SQ8", "SQ6", "SQ4", "SQfp16", "SQbf16", "RaBitQ", "PQ8x8", "PQ8x6", "PQ2x8", "PQ16x4fs", "RQ3x6", "PRQ2x2x5"],
)
def test_codes_and_vectors_are_those_of_the_index_that_faiss_trains(factory: str, one_thread: None) -> None:
    """Ours is made again from the arrays alone, so they hold all that coding needs."""
    x_nd, fresh_nd = rows(), rows(100, seed=1)
    index, codec = trained(factory, x_nd), fit(factory, x_nd)
    for some_nd in (x_nd, fresh_nd):
        codes_nb = np.concatenate([index.sa_encode(some_nd[i : i + 1]) for i in range(len(some_nd))])
        np.testing.assert_array_equal(codec.encode(some_nd), codes_nb)
        np.testing.assert_array_equal(codec.decode(codes_nb), index.sa_decode(codes_nb))


@pytest.mark.parametrize("factory", ["LSH", "LSHt"])
def test_signs_are_those_of_faiss_in_our_order_of_bits(factory: str, one_thread: None) -> None:
    x_nd = rows(300)
    x_nd[0] = 0  # on the threshold of LSH: faiss gives 1
    index, codec = trained(factory, x_nd), fit(factory, x_nd)
    codes_nb = index.sa_encode(x_nd)
    np.testing.assert_array_equal(
        np.unpackbits(codec.encode(x_nd), axis=1), np.unpackbits(codes_nb, axis=1, bitorder="little")
    )
    np.testing.assert_allclose(codec.decode(codec.encode(x_nd)), index.sa_decode(codes_nb), atol=1e-6)


def transforms() -> dict[str, Any]:
    return {
        "rotation": faiss.RandomRotationMatrix(D, D),
        "wider": faiss.RandomRotationMatrix(D, 2 * D),
        "narrower": faiss.RandomRotationMatrix(D, D // 2),
        "pca": faiss.PCAMatrix(D, 24),
        "opq": faiss.OPQMatrix(D, 1, 16),
        "itq": faiss.ITQTransform(D, D, True),
        "itq narrower": faiss.ITQTransform(D, 24, True),
    }


@pytest.mark.parametrize("name", transforms())
def test_rotations_are_those_of_faiss(name: str, one_thread: None) -> None:
    """To float32: both multiply unit rows, faiss in float32 over 64 terms, ours on a grid of 2**-23."""
    transform, x_nd = transforms()[name], rows() + np.float32(0.1)
    transform.train(x_nd)
    step = step_of(faiss, transform)
    y_nw = transform.apply(x_nd)
    np.testing.assert_allclose(step.apply(x_nd), y_nw, atol=64 * 2.0**-23)
    assert not (step.matrix_wd.astype(np.float64) * 2**22 % 1).any()  # products are exact, so rows stay apart
    if not name.startswith("itq"):
        np.testing.assert_allclose(step.restore(y_nw), transform.reverse_transform(y_nw), atol=64 * 2.0**-22)


def test_itq_leads_back_to_the_direction_from_the_mean() -> None:
    """faiss has no way back from ITQ. Without loss of dimensions ours must find mean + unit direction again."""
    transform, x_nd = faiss.ITQTransform(D, D, True), rows() + np.float32(0.1)
    transform.train(x_nd)
    step = step_of(faiss, transform)
    centred_nd = x_nd - x_nd.mean(axis=0, dtype=np.float64)
    unit_nd = centred_nd / np.linalg.norm(centred_nd, axis=1)[:, None]
    np.testing.assert_allclose(step.restore(step.apply(x_nd)), x_nd.mean(axis=0) + unit_nd, atol=1e-5)
    codec = fit("ITQ{d},LSH", x_nd)
    away_nd = codec.decode(codec.encode(x_nd)) - x_nd.mean(axis=0)
    np.testing.assert_allclose(np.linalg.norm(away_nd, axis=1), 1, atol=1e-5)
    # The cosine with the signs of a random rotation is sqrt(2 / pi) on average; ITQ brings it up.
    assert (away_nd * unit_nd).sum(axis=1).mean() > np.sqrt(2 / np.pi)


# faiss-cpu 1.15.1, seeded 20,000 x 128, 500 queries: error, recall@10 by cosine of decoded vectors (RaBitQ: by its
# estimate; LSH and ITQ: by differing bits). Scalar codes have no chance in them: error to 1e-5, recall to the few ties
# that summation order breaks. Others: the standard error of a recall is .005, between seeds .006 to .009, so .02;
# learned codes may be better. Error of PQ: 2 %.
EXACT = {
    "SQ8": (6.0936115914955735e-05, 0.9812),
    "SQ6": (0.0009966813959181309, 0.9232),
    "SQ4": (0.017592620104551315, 0.7212),
    "SQfp16": (4.2896065366448966e-08, 0.999),
    "SQbf16": (2.7413509542384418e-06, 0.995),
}
LEARNED = [
    pytest.param("PQ32x4", 0.29150909185409546, 0.2092, id="PQ32x4"),
    pytest.param("PQ16x8", 0.15924710035324097, 0.1998, id="PQ16x8", marks=pytest.mark.slow),
    pytest.param("PQ32x8", 0.0707973912358284, 0.4756, id="PQ32x8", marks=pytest.mark.slow),
    pytest.param("OPQ16,PQ16x8", 0.12417998909950256, 0.2686, id="OPQ16,PQ16x8", marks=pytest.mark.slow),
]
SIGNS = [
    pytest.param("LSH128r", 0.1824, id="LSH128r"),
    pytest.param("LSH128rt", 0.1856, id="LSH128rt"),
    pytest.param("LSH256r", 0.2482, id="LSH256r", marks=pytest.mark.slow),
    pytest.param("LSH512r", 0.3474, id="LSH512r", marks=pytest.mark.slow),
    pytest.param("ITQ128,LSH", 0.184, id="ITQ128,LSH", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module")
def reference() -> tuple[np.ndarray, np.ndarray]:
    x_nd, queries_qd = seeded()
    assert hashlib.sha256(x_nd.tobytes()).hexdigest() == SEEDED_SHA256
    return x_nd, queries_qd


def mse(x_nd: np.ndarray, decoded_nd: np.ndarray) -> float:
    return float(((x_nd - decoded_nd.astype(np.float64)) ** 2).sum(axis=1).mean())


@pytest.mark.slow
@pytest.mark.parametrize("factory", EXACT)
def test_scalar_codes_repeat_the_reference(reference: tuple[np.ndarray, np.ndarray], factory: str) -> None:
    x_nd, queries_qd = reference
    codec = fit(factory, x_nd)
    decoded_nd = codec.decode(codec.encode(x_nd))
    assert mse(x_nd, decoded_nd) == pytest.approx(EXACT[factory][0], rel=1e-5)
    assert recall(queries_qd, x_nd, decoded_nd) == pytest.approx(EXACT[factory][1], abs=0.0006)


@pytest.mark.slow
@pytest.mark.parametrize(("factory", "error", "least"), LEARNED)
def test_learned_codes_are_as_good_as_the_reference(
    reference: tuple[np.ndarray, np.ndarray], factory: str, error: float, least: float
) -> None:
    x_nd, queries_qd = reference
    codec = fit(factory, x_nd)
    decoded_nd = codec.decode(codec.encode(x_nd))
    assert mse(x_nd, decoded_nd) == pytest.approx(error, rel=0.02)
    assert recall(queries_qd, x_nd, decoded_nd) >= least - 0.02


@pytest.mark.slow
@pytest.mark.parametrize(("factory", "expected"), SIGNS)
def test_signs_are_as_good_as_the_reference(
    reference: tuple[np.ndarray, np.ndarray], factory: str, expected: float
) -> None:
    x_nd, queries_qd = reference
    codec = fit(factory, x_nd)
    query_qb, code_nb = (np.unpackbits(codec.encode(y), axis=1).astype(np.float32) * 2 - 1 for y in (queries_qd, x_nd))
    true_qk = np.argsort(-(queries_qd @ x_nd.T), axis=1)[:, :10]
    found_qk = np.argsort(-(query_qb @ code_nb.T), axis=1, kind="stable")[:, :10]
    got = float(np.mean([len(set(t) & set(f)) / 10 for t, f in zip(true_qk, found_qk, strict=True)]))
    assert got == pytest.approx(expected, abs=0.02)


@pytest.mark.slow
def test_the_estimate_of_rabitq_is_as_good_as_the_reference(reference: tuple[np.ndarray, np.ndarray]) -> None:
    """Recall .2224; over pairs of queries and rows the estimate's error has mean -.0009 and deviation .0662."""
    x_nd, queries_qd = reference
    codec = fit("RR{d},RaBitQ", x_nd)
    estimated_qn = codec.estimate_queries(queries_qd) @ codec.estimate_rows(codec.encode(x_nd)).T
    true_qk, found_qk = (np.argsort(-s, axis=1)[:, :10] for s in (queries_qd @ x_nd.T, estimated_qn))
    got = float(np.mean([len(set(t) & set(f)) / 10 for t, f in zip(true_qk, found_qk, strict=True)]))
    assert got == pytest.approx(0.2224, abs=0.02)
    assert (estimated_qn - queries_qd @ x_nd.T).std() == pytest.approx(0.06622, rel=0.03)


@pytest.mark.parametrize("factory", ["RaBitQ", "RR{d},RaBitQ"])
def test_the_estimate_of_rabitq_is_the_one_that_faiss_ranks_by(factory: str, one_thread: None) -> None:
    """Inner product, float queries: every row's score, also of rows that have no unit length."""
    x_nd, queries_qd = rows() * np.linspace(0.5, 2, 600, dtype=np.float32)[:, None], rows(20, seed=1)
    codec: Any = fit(factory, x_nd)
    index = faiss.IndexRaBitQ(D, faiss.METRIC_INNER_PRODUCT)
    mapped_nd, mapped_qd = (codec._mapped(y) for y in (x_nd, queries_qd))
    index.train(mapped_nd)
    index.qb = 0
    index.add(mapped_nd)
    theirs_qn, at_qn = index.search(mapped_qd, len(x_nd))
    ours_qn = codec.estimate_queries(queries_qd) @ codec.estimate_rows(codec.encode(x_nd)).T
    scale = np.abs(theirs_qn).max()
    np.testing.assert_allclose(np.take_along_axis(ours_qn, at_qn, axis=1), theirs_qn, rtol=0, atol=1e-5 * scale)


# Bytes of faiss.serialize_index on an empty index that describe it (type, d, metric, sizes, seeds of training), found
# to be the same at each d and m (RQ: 106, and 8 for each stage: its number of bits). Then what faiss keeps of training
# but needs for no code: the eigenvalues and all axes of a PCA with its mean (which the bias holds already), and the
# rotation inside ITQ (part of its product).
FILES = {
    "PQ{d/8}x8": (86, lambda d: 0),
    "PQ{d/8}x4": (86, lambda d: 0),
    "RQ2x4": (106 + 2 * 8, lambda d: 0),
    "RQ4x5": (106 + 4 * 8, lambda d: 0),
    "SQ8": (81, lambda d: 0),
    "SQfp16": (81, lambda d: 0),
    "RaBitQ": (74, lambda d: 0),
    "LSHt": (93, lambda d: 0),
    "LSHrt": (93, lambda d: 0),
    "RR{d},SQ4": (152, lambda d: 0),
    "OPQ{d/8},PQ{d/8}x4": (157, lambda d: 0),
    "PCA{d/2},SQ8": (189, lambda d: 4 * (d * d + 2 * d)),
    "ITQ{d/2},LSH": (224, lambda d: 4 * (d // 2) ** 2),
}


@pytest.mark.parametrize("d", [32, 48])
@pytest.mark.parametrize("factory", FILES)
def test_what_is_counted_once_is_what_faiss_writes(factory: str, d: int, one_thread: None) -> None:
    x_nd = rows(300, d)
    index = faiss.index_factory(d, FaissCodec(factory=factory).factory_at(d))
    inner = faiss.downcast_index(index.index) if "," in factory else index
    if isinstance(inner, faiss.IndexPQ):
        inner.do_polysemous_training = False
    index.train(x_nd)
    header, unneeded = FILES[factory]
    written = faiss.serialize_index(index).nbytes
    assert fit(factory, x_nd).ledger().total("once") == written - header - unneeded(d)


@pytest.mark.parametrize("factory", EVERY)
def test_codes_do_not_depend_on_neighbours_or_threads(factory: str) -> None:
    """The whole sample, blocks of uneven sizes, four threads at once; faiss's own setting is left as it was."""
    x_nd, before = rows(), faiss.omp_get_max_threads()
    codec = fit(factory, x_nd)
    codes_nb = codec.encode(x_nd)
    decoded_nd = codec.decode(codes_nb)
    cuts = [slice(a, b) for a, b in ((0, 1), (1, 8), (8, 9), (9, 300), (300, 600))]
    try:
        faiss.omp_set_num_threads(3)
        again = fit(factory, x_nd)
        assert faiss.omp_get_max_threads() == 3
    finally:
        faiss.omp_set_num_threads(before)
    np.testing.assert_array_equal(again.encode(x_nd), codes_nb)
    with ThreadPoolExecutor(4) as pool:
        np.testing.assert_array_equal(np.concatenate(list(pool.map(lambda c: again.encode(x_nd[c]), cuts))), codes_nb)
        parts = list(pool.map(lambda c: again.decode(codes_nb[c]), cuts))
    np.testing.assert_array_equal(np.concatenate(parts), decoded_nd)


@pytest.mark.parametrize("factory", ["PQ1x6", "RQ1x6"])
def test_rounding_in_blas_does_not_reach_the_codes(factory: str) -> None:
    """Centroids of the same numbers in other places, and constant rows: all distances tie but for rounding."""
    rng = np.random.default_rng(0)
    centroids_kd = np.stack([rng.permutation(np.linspace(-1, 1.3, D, dtype=np.float32)) for _ in range(64)])
    codec = FaissIndex(d=D, factory=factory, steps=(), parts=(centroids_kd.ravel(),), code_bytes=1)
    x_nd = rng.standard_normal((400, 1)).astype(np.float32).repeat(D, axis=1)
    codes_nb = codec.encode(x_nd)
    assert len(np.unique(codes_nb)) > 1
    for size in (1, 7, 64):
        parts = [codec.encode(x_nd[start : start + size]) for start in range(0, 400, size)]
        np.testing.assert_array_equal(np.concatenate(parts), codes_nb)


@pytest.mark.parametrize("factory", EVERY)
def test_copies_code_alike_and_far_rows_stay_finite(factory: str) -> None:
    x_nd = rows()
    codec = fit(factory, x_nd)
    stored = len(pickle.dumps(codec))
    codes_nb = codec.encode(x_nd[:40])
    assert len(pickle.dumps(codec)) == stored  # the index that coding has made does not travel
    for other in (pickle.loads(pickle.dumps(codec)), copy.deepcopy(codec)):
        np.testing.assert_array_equal(other.encode(x_nd[:40]), codes_nb)
        np.testing.assert_array_equal(other.decode(codes_nb), codec.decode(codes_nb))
    far_nd = np.float32([[0], [1e30], [-1e30], [1e-40], [3e38]]).repeat(D, axis=1)
    assert np.isfinite(codec.decode(codec.encode(far_nd))).all()
    assert codec.encode(x_nd[:0]).shape == (0, codec.ledger().total("vector"))


@pytest.mark.slow
@pytest.mark.parametrize("factory", ["PQ4x4", "OPQ4,PQ4x4", "RQ2x4", "PRQ2x2x4", "LSHr", "RR{d},SQ4", "ITQ32,LSH"])
def test_the_generator_seeds_faiss_and_the_order_of_the_sample_does_not_matter(factory: str) -> None:
    x_nd = rows(300)
    first, turned, other = fit(factory, x_nd), fit(factory, x_nd[::-1]), fit(factory, x_nd, 1)
    np.testing.assert_array_equal(first.encode(x_nd), turned.encode(x_nd))
    # Rows come in another order, too, which by rounding alone changes a few codes, but not most.
    assert (first.encode(x_nd) != other.encode(x_nd)).any(axis=1).mean() > 0.5


def test_itq_is_the_one_that_faiss_learns_from_this_seed(one_thread: None) -> None:
    transform, codec = faiss.ITQTransform(D, 32, True), fit("ITQ32,LSH", rows())
    transform.itq.seed = seed_of()
    transform.train(rows())
    assert isinstance(codec, FaissSigns)
    np.testing.assert_array_equal(codec.steps[0].matrix_wd, step_of(faiss, transform).matrix_wd)


def test_no_more_rows_than_asked_for_are_used() -> None:
    """The range of SQ8 comes from the rows drawn: each component of theirs decodes to within half a step."""
    x_nd = rows(400)
    few = x_nd[drawn(content_keys(x_nd), 20, seed_of(), "faiss")]
    np.testing.assert_array_equal(fit("SQ8", x_nd, train=20).encode(x_nd), fit("SQ8", few).encode(x_nd))
    assert not np.array_equal(fit("SQ8", x_nd).encode(x_nd), fit("SQ8", few).encode(x_nd))


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("PQ7", "multiple of the number of subquantizers"),
        ("PQ{d/5}", "{d/5} is no whole number at d = 64"),
        ("PQ8x10", "faiss cannot train on 600 rows: .*600.* clusters .1024"),
        ("LSQ4x4", "random numbers by its place in the batch"),
        ("PLSQ2x2x4", "random numbers by its place in the batch"),
        ("RaBitQ4", "decodes the first bit"),
        ("RQ2x4_Nfloat", "norms"),
        ("LSH32", "use LSH32r"),
        ("PCAW32,SQ8", "not orthonormal"),
        ("L2norm,SQ8", "none of PCA, OPQ, RR and ITQ"),
        ("IVF4,PQ8", "no codec"),
        ("HNSW32", "no codec"),
    ],
)
def test_what_has_no_honest_codec_is_refused(factory: str, said: str) -> None:
    with pytest.raises(NotApplicableError, match=said):
        fit(factory, rows())


@pytest.mark.parametrize("factory", ["ITQ{d},LSH", "OPQ8,PQ8x4"])
def test_rotations_are_learned_from_at_least_d_rows(factory: str) -> None:
    with pytest.raises(NotApplicableError, match="needs at least d = 64 rows, got 63"):
        fit(factory, rows(63))
    if "ITQ" in factory:  # the k-means of OPQ always has 256 centroids
        fit(factory, rows(64))


@pytest.mark.parametrize(
    ("factory", "at"),
    [("PQ{d/8}x8", "PQ8x8"), ("RR{d},LSH{d*2}", "RR64,LSH128"), ("SQ{d*3/24}", "SQ8"), ("RQ3", "RQ3")],
)
def test_placeholders_count_in_dimensions(factory: str, at: str) -> None:
    assert FaissCodec(factory=factory).factory_at(64) == at


@pytest.mark.parametrize("factory", ["", "PQ{d+1}", "PQ{m}", "PQ{d/0}", "PQ{d", "PQ{d/2.5}"])
def test_other_braces_are_mistakes(factory: str) -> None:
    with pytest.raises(VqbenchError, match="factory = "):
        FaissCodec(factory=factory)


def test_a_string_that_faiss_cannot_read_is_a_mistake() -> None:
    with pytest.raises(VqbenchError, match="could not parse") as caught:
        fit("PX8", rows(20))
    assert not isinstance(caught.value, NotApplicableError)
    with pytest.raises(VqbenchError, match="train = 0"):
        FaissCodec(factory="SQ8", train=0)


def test_without_faiss_the_variant_does_not_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(NotApplicableError, match=r"pip install 'vqbench\[faiss\]'"):
        fit("SQ8", rows(20))
