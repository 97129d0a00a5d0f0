"""``vqbench.run``: the numbers of the command, from a file and from an array, and what is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import vqbench
from vqbench.cli.main import main
from vqbench.errors import VqbenchError

X = np.random.default_rng(2).standard_normal((80, 12)).astype(np.float32)
QUICK: dict[str, Any] = {"k": [5], "oversample": [0, 2], "cache": "off", "doctor": False}
VARIANTS = ["float32", "scalar8", "binary_zero"]


@pytest.fixture(autouse=True)
def _in_a_folder_with_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("mine.npy", X)


def test_a_file_gives_the_table_of_the_command() -> None:
    run = vqbench.run("mine.npy", variants=VARIANTS, **QUICK)
    assert run.folder == Path("results/mine")
    words = ["k=[5]", "oversample=[0,2]", "cache=off", "doctor=false", "figures=false", "report=false", "out=x"]
    assert main(["mine.npy", f"quantizer=[{','.join(VARIANTS)}]", *words]) == 0
    assert (run.folder / "metrics.csv").read_bytes() == Path("x/metrics.csv").read_bytes()
    assert run.metrics["value"].tolist() == pd.read_csv("x/metrics.csv")["value"].tolist()
    assert not (run.folder / "figures").exists()


def test_an_array_gives_the_numbers_of_its_file() -> None:
    queries_qd, ids = X[:10] + 0.2, [f"row {row}" for row in range(80)]
    np.save("asked.npy", queries_qd)
    Path("ids.txt").write_text("\n".join(ids) + "\n")
    array = vqbench.run(X, queries=queries_qd, ids=ids, name="mine", variants=VARIANTS, out="a", **QUICK)
    file = vqbench.run("mine.npy", queries="asked.npy", ids="ids.txt", variants=VARIANTS, out="b", **QUICK)
    pd.testing.assert_frame_equal(array.metrics, file.metrics)
    assert "mine: array in memory, float32, 80 x 12, queries 10 x 12" in repr(array)
    assert (
        array.results.meta["datasets"]["mine"]["sha256_corpus"]
        == file.results.meta["datasets"]["mine"]["sha256_corpus"]
    )


def test_overlap_is_what_a_plain_search_counts() -> None:
    run = vqbench.run(X, name="plain", variants=["binary_zero"], n_queries=None, **QUICK)
    unit_nd = X / np.linalg.norm(X.astype(np.float64), axis=1, keepdims=True)
    true_nn, bits_nd = unit_nd @ unit_nd.T, X > 0
    np.fill_diagonal(true_nn, -np.inf)
    differ_nn = (bits_nd[:, None] != bits_nd[None]).sum(axis=2)
    expected = []
    for row in range(80):
        best = set(np.argsort(-true_nn[row])[:5])
        others = np.delete(np.arange(80), row)
        at_5 = np.sort(differ_nn[row, others])[4]
        above = {other for other in others if differ_nn[row, other] < at_5}
        tied = {other for other in others if differ_nn[row, other] == at_5}
        expected.append((len(best & above) + len(best & tied) * (5 - len(above)) / len(tied)) / 5)
    value = run.metrics.query("metric == 'overlap' and k == 5 and oversample == 0")["value"].item()
    assert value == pytest.approx(np.mean(expected), abs=1e-9)


def test_a_run_is_shown_as_its_table_and_advises() -> None:
    run = vqbench.run(X, variants=VARIANTS, **QUICK)
    assert run.folder == Path("results/array")
    assert "binary_zero" in repr(run)
    html = run._repr_html_()
    assert "<table" in html
    assert "overlap@5" in html
    advice = run.recommend(keep=0.9)
    assert (advice.variant, advice.oversample) == ("scalar8", 0)
    assert repr(advice).startswith("Use scalar8: ")
    assert run.recommend(keep=0.9, max_bytes=1).variant is None


@pytest.mark.slow
def test_report_figures_and_doctor() -> None:
    run = vqbench.run("mine.npy", variants=["float32", "binary_zero"], **{**QUICK, "doctor": True})
    assert run.report("r.html") == Path("r.html")
    assert "mine.npy: float32, 80 x 12" in Path("r.html").read_text("utf-8")
    drawn = run.figures("figs", format="pdf")
    assert {path.suffix for path in drawn} == {".pdf"}
    assert all(path.read_bytes().startswith(b"%PDF") for path in drawn)
    assert not (run.folder / "figures").exists()
    findings = run.doctor()
    assert list(findings.columns) == ["level", "title", "shown", "sentence", "variants"]
    assert "Number of rows" in set(findings["title"])
    with pytest.raises(VqbenchError, match=r"format = bmp: figures have no such format"):
        run.figures("figs", format="bmp")


def test_a_second_run_computes_nothing_again() -> None:
    run = vqbench.run("mine.npy", variants=VARIANTS, **QUICK)
    cells = {path: path.stat().st_mtime_ns for path in run.folder.rglob("*.cell")}
    again = vqbench.run("mine.npy", variants=VARIANTS, **QUICK)
    assert {path: path.stat().st_mtime_ns for path in again.folder.rglob("*.cell")} == cells
    assert vqbench.run(X + 1, name="mine", variants=VARIANTS, **QUICK).folder == Path("results/mine-2")


def test_settings_of_the_dataset_have_their_last_name() -> None:
    run = vqbench.run("mine.npy", rows=50, queries="holdout", n_queries=9, variants=["scalar8"], **QUICK)
    (about,) = run.results.meta["datasets"].values()
    assert (about["n"], about["queries"]) == (50, 9)


MISTAKES: dict[str, dict[str, Any]] = {
    "nope.npy: no such file or folder": {"vectors": "nope.npy"},
    "ids = ids.txt: is a file, and the vectors are an array": {"vectors": X, "ids": "ids.txt"},
    "queries: is no file, and the vectors are in one": {"vectors": "mine.npy", "queries": X},
    "key: has no effect on an array in memory": {"vectors": X, "key": "emb"},
    "did you mean": {"vectors": X, "variants": ["int8_minmaxx"]},
    "query_ids: has no effect without queries=ARRAY": {"vectors": X, "queries": "self", "query_ids": ["a"]},
    "kk: unknown key; did you mean k?": {"vectors": X, "kk": 3},
    "two files (mine.npy, asked.npy): one is the corpus": {"vectors": ["mine.npy", "asked.npy"]},
    "queries have 3 dimensions, the corpus has 12": {"vectors": X, "queries": X[:5, :3]},
}


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_is_one_sentence(message: str) -> None:
    np.save("asked.npy", X[:5])
    with pytest.raises(VqbenchError) as refused:
        vqbench.run(**MISTAKES[message])
    assert message in str(refused.value)
    assert not Path("results").exists()


def test_doctor_of_a_run_without_one() -> None:
    run = vqbench.run("mine.npy", variants=["scalar8"], **QUICK)
    with pytest.raises(VqbenchError, match="run again with doctor=True"):
        run.doctor()


def test_a_column_of_a_data_frame_is_a_table() -> None:
    frame = pd.DataFrame({"embedding": list(X)})
    column, table = (
        vqbench.run(rows, variants=["binary_zero"], out=name, **QUICK).metrics
        for name, rows in (("column", frame["embedding"]), ("table", X))
    )
    assert column["value"].tolist() == table["value"].tolist()
