"""Every engine of conf/backend: what it returns, what it holds, and what it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vqbench.cli.main import main
from vqbench.datasets.base import Source
from vqbench.datasets.prepare import prepare
from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.evaluation.backends import faiss as faiss_backend
from vqbench.evaluation.backends.base import NONE, Backend, Engine, Held, sign_bits
from vqbench.evaluation.backends.faiss import Faiss, FaissBits
from vqbench.evaluation.backends.lancedb import LanceFlat, LanceIndex
from vqbench.evaluation.backends.sqlite_vec import SqliteVec
from vqbench.evaluation.backends.usearch import Usearch
from vqbench.evaluation.bench import Bench, open_bench
from vqbench.evaluation.engine_run import Pairing, evaluate_engine, overlaps, run_engine, without_own
from vqbench.evaluation.settings import Settings
from vqbench.experiment.config.folders import conf_folder
from vqbench.experiment.config.targets import allowed_targets
from vqbench.experiment.plan import Plan, make_plan
from vqbench.metrics.overlap import Overlap
from vqbench.numerics.arrays import unit_rows
from vqbench.quantizers.faiss_codec import FaissCodec
from vqbench.storage.vectors import Vectors

FOLDER = conf_folder() / "backend"
NODES = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.yaml"))}
#: Settings whose engine codes and compares exactly as the variant does: the lists are the same but for ties.
EXACT = {
    "faiss_bits", "faiss_lsh", "lancedb_bit", "qdrant_binary", "qdrant_binary_1_5", "qdrant_binary_2", "qdrant_int8",
    "sqlite_vec_bit", "sqlite_vec_float", "sqlite_vec_int8", "usearch_b1", "usearch_bf16", "usearch_e4m3",
    "usearch_e5m2", "usearch_f16", "usearch_i8",
}  # fmt: skip
SETTINGS = Settings([1, 10], [0], [Overlap()])
WIDTH, ROWS, QUERIES = 64, 600, 25
I8 = {"_target_": "vqbench.evaluation.backends.usearch.Usearch", "dtype": "i8"}


def plan_of(nodes: dict[str, Any]) -> Plan:
    """A run with these backends."""
    config = {
        "dataset": {"_target_": "vqbench.datasets.synthetic.Synthetic"},
        "quantizer": {"q": {"quantizer": {"_target_": "vqbench.quantizers.cast.Cast", "dtype": "float32"}}},
        "metric": {"overlap": {"_target_": "vqbench.metrics.overlap.Overlap"}},
        "k": 10, "oversample": 0, "seed": 0, "figures": False, "backend": nodes,
    }  # fmt: skip
    return make_plan(config)


def pairing(name: str) -> Pairing:
    """The pairing as a run would build it."""
    return plan_of(NODES[name]).backends[name]


def installed(engine: Backend) -> None:
    try:
        engine.load()
    except NotApplicableError as reason:
        pytest.skip(str(reason))


def clustered(rows: int, seed: int) -> np.ndarray:
    """Unit rows around twenty centres, off the origin: ``(rows, WIDTH)``."""
    rng = np.random.default_rng(3)
    centres = rng.standard_normal((20, WIDTH)) + 0.2
    rng = np.random.default_rng(seed)
    return unit_rows(centres[rng.integers(20, size=rows)] + 0.7 * rng.standard_normal((rows, WIDTH)))


@pytest.fixture(scope="module")
def bench() -> Bench:
    data = prepare(Source("rows", clustered(ROWS, 1)), "rows", queries="self", n_queries=QUERIES, normalize=True)
    return open_bench(data, SETTINGS)


def places(engine: Backend, rows: np.ndarray, queries: np.ndarray, k: int, folder: Path) -> np.ndarray:
    installed(engine)
    opened = engine.build(Vectors(rows, normalize=False), np.random.default_rng(0), folder)
    try:
        return opened.search(queries, k)
    finally:
        opened.close()


def test_the_folder_was_read() -> None:
    assert len(NODES) > 25
    assert set(NODES) >= EXACT


def test_every_engine_has_a_setting() -> None:
    """A class that no config names would be tested nowhere."""
    used = {pairing["engine"]["_target_"] for node in NODES.values() for pairing in node.values()}
    assert used == set(allowed_targets("backends"))


@pytest.mark.slow
@pytest.mark.parametrize("name", NODES)
def test_contract(name: str, bench: Bench) -> None:
    """k rows of the corpus, each once, the query's own never; the same again if it says so; bytes that add up."""
    given = pairing(name)
    installed(given.engine)
    returned = run_engine(bench, given, 0, 10)
    assert returned.rows_qk.shape == (QUERIES, 10)
    assert returned.rows_qk.min() >= 0
    assert returned.rows_qk.max() < ROWS
    assert all(len(set(rows_k)) == 10 for rows_k in returned.rows_qk.tolist())
    assert not (returned.rows_qk == bench.data.exclude_q[:, None]).any()
    assert sum(each.codes for each in returned.held) == 1
    assert all(each.bytes > 0 or not each.codes for each in returned.held)
    if given.engine.repeats:
        again = run_engine(bench, given, 0, 10)
        np.testing.assert_array_equal(again.rows_qk, returned.rows_qk)
        assert again.held == returned.held


@pytest.mark.slow
@pytest.mark.parametrize("name", NODES)
def test_the_prediction_holds(name: str, bench: Bench) -> None:
    """To the row where the codes and the rule are the same, else within what 25 queries of 10 leave to chance."""
    given = pairing(name)
    installed(given.engine)
    rows = evaluate_engine(bench, given, 0, SETTINGS).metrics.set_index("k")
    if name in EXACT:
        assert (rows["agreement"] == 1).all()
        assert (rows["shortfall"] == 0).all()
        assert (rows["obtained"] >= rows["predicted_low"] - 1e-12).all()
        assert (rows["obtained"] <= rows["predicted_high"] + 1e-12).all()
    else:
        assert abs(rows.loc[10, "difference"]) < 0.15


def kth_best(scores_qn: np.ndarray, found_qk: np.ndarray) -> bool:
    """Whether the rows found have the k best scores, as far as float32 can tell them apart."""
    k = found_qk.shape[1]
    best_qk = -np.sort(-scores_qn, axis=1)[:, :k]
    return bool(np.allclose(np.take_along_axis(scores_qn, found_qk, axis=1), best_qk, rtol=0, atol=2e-5))


def l2(x_nd: np.ndarray, queries_qd: np.ndarray) -> np.ndarray:
    return -np.array([[((q - x) ** 2).sum() for x in x_nd.astype(float)] for q in queries_qd.astype(float)])


@pytest.mark.parametrize("metric", ["inner", "l2"])
def test_faiss_ranks_decoded_vectors_by_product_or_distance(metric: Any, tmp_path: Path) -> None:
    """No cosine: that, and nothing else, parts it from the prediction."""
    rows, queries = clustered(300, 1), clustered(12, 2)
    found_qk = places(Faiss(factory="SQ4", metric=metric), rows, queries, 10, tmp_path)
    codec = FaissCodec(factory="SQ4").fit(rows, np.random.default_rng(0))
    decoded_nd = codec.decode(codec.encode(rows)).astype(float)
    scores_qn = queries.astype(float) @ decoded_nd.T if metric == "inner" else l2(decoded_nd, queries)
    assert kth_best(scores_qn, found_qk)


@pytest.mark.slow  # LanceDB takes long to import
def test_lancedb_sq_compares_truncated_bytes_by_distance(tmp_path: Path) -> None:
    """Both sides ``floor((x - least) / (greatest - least) * 255)``, the squares of their differences summed."""
    rows, queries = clustered(300, 1), clustered(12, 2)
    found_qk = places(LanceIndex(index="sq"), rows, queries, 10, tmp_path)
    low, high = rows.min(), rows.max()
    codes, asked = (np.clip(np.floor((x.astype(float) - low) / (high - low) * 255), 0, 255) for x in (rows, queries))
    assert kth_best(l2(codes, asked), found_qk)


def test_sqlite_vec_by_l2_compares_the_integers(tmp_path: Path) -> None:
    rows, queries = clustered(300, 1), clustered(12, 2)
    found_qk = places(SqliteVec(column="int8", distance="L2"), rows, queries, 10, tmp_path)
    codes, asked = (np.clip((x + 1) / (2 / 255) - 128, -128, 127).astype(np.int8) for x in (rows, queries))
    scores_qn = l2(codes, asked)
    best_qk = -np.sort(-scores_qn, axis=1)[:, :10]
    assert np.abs(np.take_along_axis(scores_qn, found_qk, axis=1) - best_qk).max() <= 2 * 255  # a code on an edge


@pytest.mark.parametrize(
    "engine",
    [FaissBits(), Usearch(dtype="b1"), SqliteVec(column="bit"), LanceFlat(column="bit")],
    ids=lambda e: e.engine,
)
def test_bits_are_counted(engine: Backend, tmp_path: Path) -> None:
    rows, queries = clustered(200, 1), clustered(8, 2)
    found_qk = places(engine, rows, queries, 7, tmp_path)
    differing_qn = np.array([[((x > 0) != (q > 0)).sum() for x in rows] for q in queries])
    least_qk = np.sort(differing_qn, axis=1)[:, :7]
    np.testing.assert_array_equal(np.take_along_axis(differing_qn, found_qk, axis=1), least_qk)


def test_signs_fill_whole_bytes() -> None:
    assert sign_bits(np.array([[1, -1, 0, 2, -0.0, 1, 1, 1, 3]], np.float32)).tolist() == [[0b10010111, 0b10000000]]


def scripted_engine(places_qk: np.ndarray) -> Engine:
    """Returns these places, whatever is asked."""
    return Engine(lambda queries_qd, k: places_qk[:, :k], (Held("codes", "memory", 6000, codes=True),))


def scripted(bench: Bench, rows_qk: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Pairing:
    """A pairing whose engine returns these corpus rows, whatever it was given."""
    place_n = np.argsort(np.argsort(bench.data.priority(0)))
    order_n = np.argsort(bench.data.priority(0))
    place_n[order_n] = np.arange(len(order_n))
    places_qk = np.where(rows_qk == NONE, NONE, place_n[rows_qk])
    monkeypatch.setattr(FaissBits, "load", lambda self: None)
    monkeypatch.setattr(FaissBits, "build", lambda self, corpus, rng, folder: scripted_engine(places_qk))
    return pairing_of(FaissBits())


def pairing_of(engine: Backend) -> Pairing:
    return Pairing(engine=engine, predicted="binary_zero", variant=pairing("faiss_bits").variant)


def test_what_float_search_returns_is_all_found(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the own row in front, which is left out, and with it missing, where the last one goes."""
    truth_qk = bench.truth.hits.ids_qk
    own_q = bench.data.exclude_q
    with_own = np.concatenate([own_q[:, None], truth_qk], axis=1)
    spare_q = np.array(
        [np.setdiff1d(np.arange(ROWS), [*row, own])[0] for row, own in zip(truth_qk, own_q, strict=True)]
    )
    for rows_qk in (with_own, np.concatenate([truth_qk, spare_q[:, None]], axis=1)):
        rows = evaluate_engine(bench, scripted(bench, rows_qk, monkeypatch), 0, SETTINGS).metrics.set_index("k")
        assert rows["obtained"].tolist() == [1.0, 1.0]
        assert rows["absent"].tolist() == [0.0, 0.0]
        assert rows["bytes_codes"].tolist() == [10.0, 10.0]
        assert np.isnan(rows["bytes_disk"]).all()
        np.testing.assert_allclose(rows["difference"], rows["obtained"] - rows["predicted"])


def test_what_an_engine_leaves_out_counts_as_not_found(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    rows_qk = np.concatenate([bench.truth.hits.ids_qk, np.full((QUERIES, 1), NONE)], axis=1)
    rows_qk[:, 5:] = NONE
    rows = evaluate_engine(bench, scripted(bench, rows_qk, monkeypatch), 0, SETTINGS).metrics.set_index("k")
    assert rows["obtained"].tolist() == [1.0, 0.5]
    assert rows["absent"].tolist() == [0.0, 0.5]


@pytest.mark.parametrize(("places", "said"), [([3, 3], "a row twice"), ([0, ROWS], "was not given")])
def test_an_adapter_that_errs_is_found_out(
    places: list[int], said: str, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FaissBits, "load", lambda self: None)
    engine = scripted_engine(np.tile(places, (QUERIES, 1)))
    monkeypatch.setattr(FaissBits, "build", lambda self, corpus, rng, folder: engine)
    with pytest.raises(VqbenchError, match=said):
        run_engine(bench, pairing_of(FaissBits()), 0, 1)


@given(st.lists(st.integers(0, 30), min_size=2, max_size=12, unique=True), st.integers(-1, 30))
def test_the_own_row_goes_else_the_last(rows: list[int], own: int) -> None:
    expected = [row for row in rows if row != own][: len(rows) - 1]
    assert without_own(np.array([rows]), np.array([own])).tolist() == [expected]


def test_overlap_counts_as_a_loop_does(bench: Bench) -> None:
    rng = np.random.default_rng(0)
    rows_qk = np.array([rng.permutation(ROWS)[:10] for _ in range(QUERIES)])
    rows_qk[:, :4] = bench.truth.hits.ids_qk[:, [0, 3, 5, 9]]
    x_nd = bench.data.corpus.block(0, ROWS).astype(float)
    for query, found in enumerate(overlaps(bench, rows_qk, 10)):
        cosine_n = x_nd @ bench.data.queries_qd[query].astype(float)
        cosine_n[bench.data.exclude_q[query]] = -2
        tenth = np.sort(cosine_n)[-10]
        assert found == sum(cosine_n[row] >= tenth - 1e-12 for row in rows_qk[query]) / 10


@pytest.mark.slow
def test_an_engine_that_is_not_installed_is_a_row_with_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Usearch, "module", "usearch_that_nobody_has")
    monkeypatch.setattr(Usearch, "package", "usearch-that-nobody-has")
    told = ["backend=[usearch_i8,faiss_bits]", "quantizer=[float32]", "metric=[overlap]", "k=[10]", "oversample=[0]",
            "dataset=synthetic", "dataset.n=300", "dataset.d=32", "dataset.queries=20", "figures=false", "cache=off",
            "report=false", "doctor=false", f"out={tmp_path / 'x'}"]  # fmt: skip
    assert main(told) == 0
    table = pd.read_csv(tmp_path / "x" / "backends.csv").set_index("backend")
    assert table.loc["usearch_i8", "status"] == "skipped"
    assert "pip install 'vqbench[backends]'" in table.loc["usearch_i8", "reason"]
    pytest.importorskip("faiss")
    assert table.loc["faiss_bits", "status"] == "ok"
    assert table.loc["faiss_bits", "agreement"] == 1
    first = (tmp_path / "x" / "backends.csv").read_bytes()
    assert main([*told, "force=true"]) == 0
    assert (tmp_path / "x" / "backends.csv").read_bytes() == first
    assert main(["backend=[]", *told[1:]]) == 0
    assert not list((tmp_path / "x").glob("backends*"))


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"engine": I8, "variant": "usearch_i7"}, "no such variant; did you mean usearch_i8"),
        ({"engine": {**I8, "dtype": "i9"}, "variant": "usearch_i8"}, "dtype = 'i9': must be one of 'f32'"),
        ({"engine": {"_target_": "os.system"}, "variant": "usearch_i8"}, "not a class of vqbench.evaluation.backends"),
        ({"engine": I8}, "needs the keys engine and variant"),
    ],
)
def test_a_setting_that_does_not_exist_is_refused(node: dict[str, Any], said: str) -> None:
    with pytest.raises(VqbenchError, match=said):
        plan_of({"mine": node})


def test_a_setting_can_be_changed_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = ["backend=[usearch_i8]", "backend.usearch_i8.engine.metrics=ip", f"out={tmp_path / 'x'}"]
    assert main(told) == 2
    assert "backend.usearch_i8.engine.metrics: Usearch has no such key; did you mean metric?" in capsys.readouterr().err


def test_faiss_indexes_that_skip_rows_are_refused() -> None:
    with pytest.raises(VqbenchError, match="skips rows"):
        Faiss(factory="IVF16,SQ8")


def test_an_engine_refuses_more_rows_than_it_returns(tmp_path: Path) -> None:
    engine = SqliteVec(column="bit")
    installed(engine)
    build: Callable[..., Engine] = engine.build
    opened = build(Vectors(clustered(20, 1), normalize=False), np.random.default_rng(0), tmp_path)
    with pytest.raises(NotApplicableError, match="at most 4096"):
        opened.search(clustered(1, 2), 5000)
    opened.close()


def test_faiss_module_is_ours() -> None:
    """The file is named after the engine; it must not shadow the engine itself."""
    faiss: Any = pytest.importorskip("faiss")
    assert faiss.__file__ != faiss_backend.__file__
