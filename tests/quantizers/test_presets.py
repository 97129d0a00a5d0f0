"""Presets against the products themselves where these can be installed, else against what they document."""

from __future__ import annotations

import math
import sqlite3
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import yaml
from places import ROOT

from vqbench.api import code_topk
from vqbench.experiment.config.folders import config_files
from vqbench.experiment.config.variants import about_of, build_variant
from vqbench.numerics.arrays import unit_rows
from vqbench.quantizers.base import Codec
from vqbench.quantizers.variant import Variant

NODES = {name: yaml.safe_load(path.read_text("utf-8"))[name] for name, path in config_files("quantizer").items()}
HEADERS = {name: about_of(node["about"], name) for name, node in NODES.items()}
PRESETS = sorted(name for name, header in HEADERS.items() if header.family.startswith("preset "))
PRODUCTS = {HEADERS[name].family.removeprefix("preset ") for name in PRESETS}
F = np.float32


def _variant(name: str) -> Variant:
    return build_variant(NODES[name], name)


def _fit(name: str, sample_nd: np.ndarray) -> Codec:
    return _variant(name).fit(np.asarray(sample_nd, F), 0)


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """Rows ``(700, 96)`` of many lengths, with zeros, negative zeros and subnormal numbers among them."""
    rng = np.random.default_rng(7)
    x_nd = rng.standard_normal((700, 96)) * np.exp(rng.uniform(-6, 6, (700, 1)))
    x_nd[0, :8] = [0, -0.0, 1e-45, -1e-45, 1e-38, 1, -1, 0]
    x_nd[1] = 0
    x_nd[1, 3] = -1
    return x_nd.astype(F)


def test_every_preset_says_what_it_follows_and_how_the_product_rescores() -> None:
    assert len(PRODUCTS) >= 14
    for name in PRESETS:
        header = HEADERS[name]
        assert "https://" in header.source, name
        assert len(header.rescoring) > 4, name
        assert header.rescoring.endswith("."), name
        checked = "Checked" in header.source
        assert checked != ("Formula only; server not run." in header.source), name
    assert not [name for name, header in HEADERS.items() if header.rescoring and name not in PRESETS]


def test_the_experiment_runs_all_presets() -> None:
    text = (ROOT / "experiments" / "presets.yaml").read_text("utf-8")
    chosen = next(
        part["override /quantizer"] for part in yaml.safe_load(text)["defaults"] if "override /quantizer" in part
    )
    assert sorted(chosen) == sorted(["float32", *PRESETS])


# quantize_embeddings of sentence-transformers 6.2.0 and of v3.0.0, run on these rows with these ranges.
ST_RANGES = [[-1.0, -1.0, 0.0, -0.5], [1.0, 1.0, 2.0, 0.5]]
ST_ROWS = [[-1.0, 0.0, 1.0, 0.25], [1.0, -0.004, 0.0, 0.0], [0.5, 0.99, 2.0, -0.5], [1.2, -1.5, 2.5, 0.6]]
ST_CODES = {
    "st_uint8": [[0, 127, 127, 191], [254, 126, 0, 127], [191, 253, 254, 0], [255, 0, 255, 255]],
    "st_int8": [[-128, -1, -1, 63], [126, -2, -128, -1], [63, 125, 126, -128], [127, -128, 127, 127]],
    "st_uint8_v3": [[0, 127, 127, 191], [254, 126, 0, 127], [191, 253, 254, 0], [24, 193, 62, 24]],
    "st_int8_v3": [[-128, 0, 0, 63], [126, -1, -128, 0], [63, 125, 126, -128], [-104, 65, -66, -104]],
}


@pytest.mark.parametrize("name", ST_CODES)
def test_codes_of_sentence_transformers(name: str) -> None:
    codec = _fit(name, np.array(ST_RANGES))
    codes_nb = codec.encode(np.array(ST_ROWS, F))
    assert codec.integers(codes_nb).tolist() == ST_CODES[name]
    assert _variant(name).similarity == "raw"


def test_sentence_transformers_rescoring_reads_the_left_edge_of_a_step() -> None:
    codec = _fit("st_int8_decoded", np.array(ST_RANGES))
    decoded_nd = codec.decode(codec.encode(np.array(ST_ROWS, F)))
    codes = np.array(ST_CODES["st_uint8"])
    low_d, high_d = np.array(ST_RANGES)
    np.testing.assert_allclose(decoded_nd, codes * ((high_d - low_d) / 255) + low_d, atol=1e-6)


def test_usearch_stores_the_same_integers_and_floats(rows: np.ndarray) -> None:
    index_module = pytest.importorskip("usearch.index")
    keys = np.arange(len(rows), dtype=np.uint64)

    def stored(kind: str, read: str) -> np.ndarray:
        index = index_module.Index(ndim=96, metric="cos", dtype=kind)
        index.add(keys, rows)
        return np.array(index.get(keys, dtype=read))

    i8 = _fit("usearch_i8", rows)
    np.testing.assert_array_equal(i8.integers(i8.encode(rows)), stored("i8", "i8"))
    np.testing.assert_array_equal(i8.decode(i8.encode(rows)), stored("i8", "f32"))
    for kind in ("f16", "bf16"):
        codec = _fit(f"usearch_{kind}", rows)
        np.testing.assert_array_equal(codec.decode(codec.encode(rows)), stored(kind, "f32"))
    # Only the first 12 bytes are bits; reading 32-bit floats back from b1 overruns usearch's own buffer.
    bits_nb = stored("f32", "b1")[:, :12]
    np.testing.assert_array_equal(_fit("usearch_b1", rows).encode(rows), bits_nb)


def test_usearch_finds_what_we_predict(rows: np.ndarray) -> None:
    """Its exact search over i8 and b1: the same distances, rank by rank."""
    index_module = pytest.importorskip("usearch.index")
    keys = np.arange(len(rows), dtype=np.uint64)
    i8 = index_module.Index(ndim=96, metric="cos", dtype="i8")
    i8.add(keys, rows)
    codec = _fit("usearch_i8", rows)
    hits = code_topk(codec, rows[50:60], codec.encode(rows), 10, similarity=_variant("usearch_i8").similarity)
    found = i8.search(rows[50:60], 10, exact=True)
    np.testing.assert_allclose(1 - found.distances, hits.scores_qk, atol=1e-6)  # its distances are float32
    b1 = index_module.Index(ndim=96, metric="hamming", dtype="b1")
    codec = _fit("usearch_b1", rows)
    codes_nb = codec.encode(rows)
    b1.add(keys, codes_nb)
    hits = code_topk(codec, rows[50:60], codes_nb, 10, similarity="hamming")
    np.testing.assert_array_equal(b1.search(codes_nb[50:60], 10, exact=True).distances, -hits.scores_qk)


@pytest.fixture
def run_sql() -> Callable[..., Any]:
    """The one value that a query over sqlite-vec gives."""
    extension = pytest.importorskip("sqlite_vec")
    connection: Any = sqlite3.connect(":memory:")
    if hasattr(connection, "enable_load_extension"):
        connection.enable_load_extension(True)
        extension.load(connection)
    else:  # a Python built without extensions
        connection = pytest.importorskip("apsw").Connection(":memory:")
        connection.enable_load_extension(True)
        connection.load_extension(extension.loadable_path())
    return lambda sql, *values: connection.execute(sql, values).fetchone()[0]


def test_sqlite_vec_stores_the_same_bytes(rows: np.ndarray, run_sql: Callable[..., Any]) -> None:
    edges = np.array([1, -1, 1.5, -1.5, 0.0039, -0.0039, 1.0000001, 0.9999], F)
    x_nd = np.concatenate([unit_rows(rows[:300]), np.tile(edges, 12)[None]])
    int8, bits = _fit("sqlite_vec_int8", x_nd).core, _fit("sqlite_vec_bit", x_nd)
    for x_d, integers_d, bits_b in zip(x_nd, int8.integers(int8.encode(x_nd)), bits.encode(x_nd), strict=True):
        assert run_sql("select vec_quantize_int8(vec_f32(?), 'unit')", x_d.tobytes()) == integers_d.tobytes()
        theirs = np.frombuffer(run_sql("select vec_quantize_binary(vec_f32(?))", x_d.tobytes()), np.uint8)
        assert np.unpackbits(theirs, bitorder="little").tolist() == np.unpackbits(bits_b).tolist()


def test_what_sqlite_vec_integers_stand_for_lies_within_a_step() -> None:
    x_nd = np.linspace(-1, 1, 4096, dtype=F).reshape(64, 64)
    codec = _fit("sqlite_vec_int8", x_nd).core
    error_nd = codec.decode(codec.encode(x_nd)) - x_nd.astype(float)
    assert np.abs(error_nd).max() <= 2 / 255 * 1.0001
    assert np.abs(error_nd.mean()) < 2 / 255 / 100  # truncation toward zero errs to both sides alike


def test_sqlite_vec_compares_the_integers(rows: np.ndarray, run_sql: Callable[..., Any]) -> None:
    x_nd = unit_rows(rows[:40])
    codec = _fit("sqlite_vec_int8", x_nd)
    codes_nb = codec.encode(x_nd)
    hits = code_topk(codec, x_nd[:3], codes_nb, 40, similarity=_variant("sqlite_vec_int8").similarity)
    for q in range(3):
        for id_, score in zip(hits.ids_qk[q], hits.scores_qk[q], strict=True):
            distance = run_sql(
                "select vec_distance_cosine(vec_int8(?), vec_int8(?))", codes_nb[q].tobytes(), codes_nb[id_].tobytes()
            )
            assert 1 - distance == pytest.approx(score, abs=1e-6)  # float32


def test_milvus_sq8_is_faiss_sq8(rows: np.ndarray) -> None:
    faiss: Any = pytest.importorskip("faiss")
    x_nd = unit_rows(rows)
    quantizer = faiss.ScalarQuantizer(96, faiss.ScalarQuantizer.QT_8bit)
    quantizer.train(x_nd)
    codes_nb = quantizer.compute_codes(x_nd)
    codec = _fit("milvus_sq8", x_nd)
    np.testing.assert_array_equal(codec.encode(x_nd), codes_nb)
    # faiss may fuse a product and a sum, which rounds once less: a unit in the last place of numbers below 1.
    np.testing.assert_allclose(codec.decode(codes_nb), quantizer.decode(codes_nb), rtol=0, atol=2**-23)


def test_pgvector_halfvec_and_bit(rows: np.ndarray) -> None:
    """A half is what struct packs; a bit string has the first dimension in front."""
    x_nd = unit_rows(rows)
    half, bit = _fit("pgvector_halfvec", x_nd), _fit("pgvector_bit", x_nd)
    for x_d, code_b, bits_b in zip(x_nd[:50], half.encode(x_nd), bit.encode(x_nd), strict=False):
        assert code_b.tobytes() == struct.pack("<96e", *x_d.tolist())
        text = "".join("1" if x > 0 else "0" for x in x_d.tolist())
        assert "".join(f"{byte:08b}" for byte in bits_b) == text


def test_vespa_packs_the_rows_of_its_own_documentation() -> None:
    """The table in Binarizing Vectors: eight floats, and the int8 that pack_bits makes of them."""
    table = {(1.0,) * 8: -1, (0.0,) * 8: 0, (-1.0,) * 8: 0, (1.0, *[0.0] * 7): -128, (2.0, *[0.0] * 6, 1.0): -127}
    x_nd = np.array(list(table), F)
    codes_nb = _fit("vespa_bits", x_nd).encode(x_nd)
    assert codes_nb.view(np.int8)[:, 0].tolist() == list(table.values())


def test_azure_scalar_maps_to_the_closest_of_256_values(rows: np.ndarray) -> None:
    x_nd = unit_rows(rows)
    values = np.sort(x_nd.ravel())
    codec = _fit("azure_scalar", x_nd)
    decoded_nd = codec.decode(codec.encode(x_nd))
    assert len(np.unique(decoded_nd)) == 256
    cut = len(values) // 200
    step = (values[-cut] - values[cut]) / 255
    inside_nd = (x_nd > values[cut + 2]) & (x_nd < values[-cut - 2])
    assert inside_nd.mean() == pytest.approx(0.99, abs=0.001)
    assert np.abs(decoded_nd - x_nd)[inside_nd].max() <= step / 2 * 1.01
    wide_nd = unit_rows(np.random.default_rng(0).standard_normal((50, 384)))
    assert _fit("azure_scalar_256", wide_nd).ledger().total("vector") == 256
    assert _fit("azure_binary_256", wide_nd).ledger().total("vector") == 32


@pytest.mark.parametrize(("name", "bits"), [("redis_lvq4", 4), ("redis_lvq8", 8)])
def test_lvq_as_its_paper_has_it(name: str, bits: int, rows: np.ndarray) -> None:
    """Q(x) = step floor((x - l) / step + 1/2) + l of centred x, step = (u - l) / (2**B - 1), l and u its ends."""
    x_nd = unit_rows(rows[:60])
    codec = _fit(name, x_nd)
    decoded_nd = codec.decode(codec.encode(x_nd))
    centred_nd = x_nd.astype(float) - x_nd.mean(axis=0, dtype=float)
    for x_d, decoded_d in zip(centred_nd, decoded_nd - x_nd.mean(axis=0, dtype=float), strict=True):
        low, high = min(x_d), max(x_d)
        step = (high - low) / (2**bits - 1)
        expected = [step * math.floor((x - low) / step + 0.5) + low for x in x_d]
        # A component within float32 rounding of a half step may fall on either side: none does here.
        np.testing.assert_allclose(decoded_d, expected, atol=2**-21)


def test_one_bit_presets_agree_but_for_zeros(rows: np.ndarray) -> None:
    """Eight products keep the signs alike; Weaviate counts zero as positive."""
    alike = ("st_binary", "st_ubinary", "pgvector_bit", "usearch_b1", "sqlite_vec_bit", "mongodb_binary", "vespa_bits")
    codes = {name: _fit(name, rows).encode(rows) for name in (*alike, "qdrant_binary", "weaviate_bq")}
    for name in alike:
        np.testing.assert_array_equal(codes[name], codes["st_ubinary"])
    np.testing.assert_array_equal(codes["qdrant_binary"][:, :12], codes["st_ubinary"])
    below_nd = np.unpackbits(codes["weaviate_bq"][:, :12], axis=1)
    above_nd = np.unpackbits(codes["st_ubinary"], axis=1)
    np.testing.assert_array_equal(below_nd + above_nd == 0, rows == 0)
