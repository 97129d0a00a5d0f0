"""vqbench compare: noise does not fail it, a loss of two points does, and what cannot be compared is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from folders import copied, row, write_folder
from scipy import stats as scipy_stats

from vqbench.analysis.compare import compare
from vqbench.cli.main import main
from vqbench.errors import VqbenchError
from vqbench.results.folder import read_results

RUN = ["dataset=synthetic", "dataset.n=500", "dataset.d=24", "dataset.queries=400", "k=[10]", "oversample=[0,2]",
       "metric=[overlap,mse]", "figures=false", "doctor=false", "report=false", "cache=off",
       "quantizer=[float32,offset_int8,binary_rotated]"]  # fmt: skip


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders: a; b, with other seeds."""
    folder = tmp_path_factory.mktemp("compare")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main([*RUN, "out=a", "seed=[1,2,3]"]) == 0
        assert main([*RUN, "out=b", "seed=[4,5,6]"]) == 0
    return folder


@pytest.fixture
def folders(ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies to be spoilt."""
    for name in ("a", "b"):
        copied(ran / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lose(folder: str, variant: str, share: float, seed: int = 0) -> None:
    """Take ``share`` of the overlap, in tenths, from queries drawn at random."""
    path = Path(folder) / "per_query.parquet"
    p = pd.read_parquet(path)
    rows = p.index[(p["variant"] == variant) & (p["metric"] == "overlap") & (p["oversample"] == 0)]
    hit = np.random.default_rng(seed).random(len(rows)) < share * 10
    p.loc[rows[hit], "value"] = (p.loc[rows[hit], "value"] - 0.1).clip(lower=0)
    p.to_parquet(path)


def test_a_folder_is_as_good_as_itself(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "a", "a"]) == 0
    out = capsys.readouterr().out
    assert "6 settings did not change at all" in out
    assert "Fine: overlap is the same in all 6 settings." in out


def test_other_seeds_are_noise(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "a", "b", "--max-drop", "0"]) == 0
    assert "binary_rotated" in capsys.readouterr().out


def test_a_loss_of_two_points_fails(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lose("b", "offset_int8", 0.02)
    assert main(["compare", "a", "b"]) == 1
    out = capsys.readouterr().out
    assert "Worse: 1 of 6 settings fell by more than 0.01 (95 % sure)" in out
    assert main(["compare", "a", "b", "--max-drop", "0.03"]) == 0
    assert "1 fell, by less" in capsys.readouterr().out
    assert main(["compare", "b", "a"]) == 0, "the other way round it is a gain"


def test_noise_alone_fails_it_rarely() -> None:
    """One-sided, at the allowed drop itself: 5 % of 400 samples, standard error .011."""
    from vqbench.numerics.stats.paired import p_values

    rng = np.random.default_rng(9)
    d_nm = rng.choice([-0.1, 0, 0.1], p=[0.2, 0.7, 0.1], size=(500, 400))  # mean -.01
    p_m = p_values([d[None] + 0.01 for d in d_nm.T], two_sided=False)
    assert np.mean(p_m <= 0.05) == pytest.approx(0.05, abs=0.033)


def test_numbers_against_scipy(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lose("b", "offset_int8", 0.02)
    assert main(["compare", "a", "b", "--json"]) == 1
    outcome = json.loads(capsys.readouterr().out)
    (row,) = [r for r in outcome["rows"] if r["variant"] == "offset_int8" and r["oversample"] == 0]
    before, after = (
        p[(p["variant"] == "offset_int8") & (p["metric"] == "overlap") & (p["oversample"] == 0)]
        .groupby("query", observed=True)["value"].mean()
        for p in (pd.read_parquet(name + "/per_query.parquet") for name in "ab")
    )  # fmt: skip
    d = (after - before).to_numpy()
    assert row["difference"] == pytest.approx(d.mean())
    student = scipy_stats.ttest_1samp(d, 0).confidence_interval(0.95)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((student.low, student.high), abs=0.004)
    assert row["verdict"] == "worse"
    assert row["paired"]
    assert outcome["worse"]
    assert outcome["max_drop"] == 0.01


def test_without_values_by_query_it_compares_means(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("b/per_query.parquet").unlink()
    assert main(["compare", "a", "b"]) == 0
    assert "not paired by query" in capsys.readouterr().out.replace("\n", " ")
    m = pd.read_csv("b/metrics.csv", keep_default_na=False)
    at = (m["variant"] == "binary_rotated") & (m["metric"] == "overlap")
    columns = ["value", "ci_low", "ci_high"]
    for column in columns:
        m[column] = pd.to_numeric(m[column]) - 0.2 * at
    m.to_csv("b/metrics.csv", index=False)
    assert main(["compare", "a", "b"]) == 1


def test_a_variant_that_fails_now_is_a_loss(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    m = pd.read_csv("b/metrics.csv", keep_default_na=False)
    gone = m["variant"] == "offset_int8"
    row = m[gone].iloc[[0]].assign(status="failed", reason="boom", value="", metric="")
    pd.concat([m[~gone], row]).to_csv("b/metrics.csv", index=False)
    assert main(["compare", "a", "b"]) == 1
    assert "offset_int8: failed: boom" in capsys.readouterr().out


def test_what_cannot_be_compared(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(*arguments: str) -> str:
        assert main(["compare", *arguments]) == 2
        return capsys.readouterr().err

    assert "nowhere: no such folder" in refused("a", "nowhere")
    assert "overlap cannot fall by that much; one point is 0.01" in refused("a", "b", "--max-drop", "1")
    assert "metric nonsense was not measured; there are overlap, mse" in refused("a", "b", "--metric", "nonsense")
    assert "no variant, k and oversample factor of mse" in refused("a", "b", "--metric", "mse")
    assert "confidence = 1.0" in refused("a", "b", "--confidence", "1")
    meta = json.loads(Path("b/meta.json").read_text())
    (name,) = meta["datasets"]
    for change, message in (
        ({"sha256": "0"}, "differ in data, ids, queries or their groups"),
        (
            {"sha256": "0", "queries": 1000, "groups": 7},
            "differ in number of queries (400 and 1,000), groups (null and 7): ",
        ),
        ({"normalized": False}, "differ in normalize"),
    ):
        content = {**meta, "datasets": {name: {**meta["datasets"][name], **change}}}
        Path("b/meta.json").write_text(json.dumps(content))
        assert message in refused("a", "b")
    Path("b/meta.json").write_text(json.dumps({**meta, "datasets": {"other": meta["datasets"][name]}}))
    assert f"dataset {name} is not in meta.json" in refused("a", "b")
    for table in Path("b").glob("*.csv"):
        table.write_text(table.read_text().replace(name, "other"))
    assert "no dataset in common" in refused("a", "b")
    Path("b/meta.json").write_text(json.dumps({**meta, "schema": meta["schema"] + 1}))
    assert "results of a later vqbench" in refused("a", "b")


def test_the_python_function_refuses_nonsense(ran: Path) -> None:
    results = read_results(ran / "a")
    with pytest.raises(VqbenchError, match="max_drop = -1"):
        compare(results, results, max_drop=-1)


def test_what_only_the_first_folder_has_is_lost(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    m = pd.read_csv("b/metrics.csv", keep_default_na=False)
    m[(m["variant"] != "binary_rotated") & (m["oversample"] != 2)].to_csv("b/metrics.csv", index=False)
    assert main(["compare", "a", "b"]) == 1
    out = capsys.readouterr().out
    assert "lost: only in a: variant binary_rotated" in out
    assert "lost: only in a: oversample = 2" in out
    assert main(["compare", "a", "b", "--common"]) == 0
    assert "note: only in a: variant binary_rotated" in capsys.readouterr().out
    assert main(["compare", "b", "a"]) == 0, "more than before is no loss"


def test_a_changed_setting_is_compared_with_what_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for bits, value in ((8, 0.99), (2, 0.5)):
        name = f"scalar8(bits={bits})"
        variants = {name: {"config": "scalar8", "overrides": [f"bits={bits}"], "node": {}}}
        rows = [row("float32", 0, 1.0, 0.003), row(name, 0, value, 0.01)]
        write_folder(tmp_path / str(bits), rows, {"float32": (128, 0), name: (4 * bits, 0)}, variants=variants)
    assert main(["compare", str(tmp_path / "8"), str(tmp_path / "2")]) == 1
    assert "scalar8(bits=2) is compared with scalar8(bits=8)" in capsys.readouterr().out


def test_no_loss_is_too_large_to_be_seen_among_many_settings(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lose("b", "offset_int8", 0.1)
    assert main(["compare", "a", "b", "--confidence", "0.99999"]) == 1
    capsys.readouterr()


def test_other_numbers_of_seeds_compare_means(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """after - before, whatever seeds either has; of a single seed the other side's scatter is assumed."""
    p, m = pd.read_parquet("b/per_query.parquet"), pd.read_csv("b/metrics.csv", keep_default_na=False)
    p[p["seed"] == 5].to_parquet("b/per_query.parquet")
    m[m["seed"] == "5"].to_csv("b/metrics.csv", index=False)
    assert main(["compare", "a", "b", "--json"]) == 0
    outcome = json.loads(capsys.readouterr().out)
    (row,) = [r for r in outcome["rows"] if r["variant"] == "binary_rotated" and r["oversample"] == 0]
    assert row["difference"] == pytest.approx(row["after"] - row["before"], abs=1e-9)
    own = pd.read_parquet("a/per_query.parquet")
    own = own[(own["variant"] == "binary_rotated") & (own["metric"] == "overlap") & (own["oversample"] == 0)]
    means = own.groupby("seed")["value"].mean()
    half = scipy_stats.t.ppf(0.975, 2) * means.std(ddof=1) * np.sqrt(1 + 1 / 3)
    assert row["ci_high"] - row["difference"] > half
    assert any("single seed" in note for note in outcome["notes"])
