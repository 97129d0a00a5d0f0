"""comparisons.csv, seeds and groups, end to end, each value made again in another way."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from vqbench.cli.main import main
from vqbench.numerics.stats.intervals import mean_interval
from vqbench.numerics.stats.multiple import holm
from vqbench.numerics.stats.permutation import sign_flip
from vqbench.results.folder import read_results
from vqbench.results.significance import COMPARISONS, chosen_baseline

RUN = ["dataset=synthetic", "dataset.n=400", "dataset.d=24", "dataset.queries=60", "k=[1,5]", "oversample=[0,2]",
       "metric=[overlap,regret,ndcg,kendall,mse]", "figures=false", "doctor=false", "report=false", "cache=off",
       "out=x"]  # fmt: skip
NAMES = ["float32", "offset_int8", "binary_rotated", "binary_mean", "binary_median"]
VARIANTS = f"quantizer=[{','.join(NAMES)}]"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run with three seeds, compared with binary_mean."""
    folder = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main([*RUN, VARIANTS, "seed=[0,1,2]", "baseline=binary_mean", "margin=0.02"]) == 0
    return folder / "x"


@pytest.fixture
def values(ran: Path) -> pd.DataFrame:
    """Per-query values of one metric, k and factor: a row a query, columns (variant, seed)."""
    p = pd.read_parquet(ran / "per_query.parquet")
    p = p[(p["metric"] == "overlap") & (p["k"] == 5) & (p["oversample"] == 0)]
    return p.pivot_table(index="query", columns=["variant", "seed"], values="value", observed=True)


def at(frame: pd.DataFrame, metric: str = "overlap", k: int = 5, oversample: int = 0) -> pd.DataFrame:
    rows = frame[(frame["metric"] == metric) & (frame["k"] == k) & (frame["oversample"] == oversample)]
    return rows.set_index("variant")


def test_every_variant_metric_k_and_factor_has_a_row(ran: Path) -> None:
    c = read_results(ran).comparisons
    assert list(c.columns) == COMPARISONS
    # kendall means nothing for a rescored list
    assert len(c) == len(NAMES) * (2 * 2 * 2 + 1)
    assert set(c["metric"]) == {"overlap", "regret", "kendall"}
    assert not c.duplicated(["dataset", "variant", "metric", "k", "oversample"]).any()
    assert set(c.loc[c["variant"] == "binary_mean", "verdict"]) == {"baseline"}


def test_differences_are_those_of_the_metrics(ran: Path, values: pd.DataFrame) -> None:
    results = read_results(ran)
    rows, m = at(results.comparisons), at(results.pooled)
    for name in NAMES:
        wanted = m.loc[name, "value"] - m.loc["binary_mean", "value"]
        assert rows.loc[name, "difference"] == pytest.approx(wanted, abs=1e-9)
    d = values["offset_int8"][0] - values["binary_mean"][0]  # neither depends on the seed
    ends = scipy_stats.bootstrap((d,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(1))
    width = ends.confidence_interval.high - ends.confidence_interval.low
    found = rows.loc["offset_int8"]
    assert (found["ci_low"], found["ci_high"]) == pytest.approx(tuple(ends.confidence_interval), abs=0.15 * width)
    assert found["verdict"] == "better"
    assert found["letters"] != rows.loc["binary_mean", "letters"]


def test_p_is_corrected_over_the_variants(ran: Path, values: pd.DataFrame) -> None:
    rows = at(read_results(ran).comparisons).drop(index="binary_mean")
    fixed = [name for name in NAMES if name not in ("binary_mean", "binary_rotated")]
    d_nm = np.stack([values[name][0] - values["binary_mean"][0] for name in fixed], axis=1)
    assert rows.loc[fixed, "p"].tolist() == pytest.approx(sign_flip(d_nm).tolist())
    assert rows["p_holm"].tolist() == pytest.approx(holm(rows["p"].to_numpy()).tolist())


def test_verdicts_follow_from_the_numbers(ran: Path) -> None:
    c = read_results(ran).comparisons
    c = c[c["verdict"] != "baseline"]
    sure = c["p_holm"] <= 0.05
    assert set(c["margin"]) == {0.02}
    higher = c["metric"] != "regret"
    up = (c["difference"] > 0) == higher
    decided = c["verdict"].isin(["better", "worse"])
    assert sure[decided].all()
    assert ((c["verdict"] == "better") == up)[decided].all()
    assert (~sure[c["verdict"] == "unclear"]).all()
    equivalent = c[c["verdict"] == "equivalent"]
    assert len(equivalent)
    assert (equivalent["difference"].abs() < 0.02).all()


def test_rows_over_all_seeds(ran: Path, values: pd.DataFrame) -> None:
    m = pd.read_csv(ran / "metrics.csv", keep_default_na=False, na_values={"value": [""], "ci_low": [""]})
    m = m[(m["metric"] == "overlap") & (m["k"].astype(str) == "5") & (m["oversample"] == 0)]
    rotated = m[m["variant"] == "binary_rotated"].set_index("seed")
    assert list(rotated.index) == ["0", "1", "2", "all"]
    assert rotated.loc["all", "value"] == pytest.approx(values["binary_rotated"].to_numpy().mean())
    own = rotated.loc[["0", "1", "2"], "value"].astype(float)
    queries = mean_interval(values["binary_rotated"].mean(axis=1).to_numpy(), lowest=0, highest=1)
    half = scipy_stats.t.ppf(0.975, 2) * own.std(ddof=1) / np.sqrt(3)
    centre = own.mean()
    assert float(rotated.loc["all", "ci_low"]) == pytest.approx(centre - np.hypot(centre - queries[0], half))
    fixed = m[m["variant"] == "binary_mean"].set_index("seed")
    assert fixed.loc["all", "ci_low"] == fixed.loc["0", "ci_low"], "nothing random, nothing added"
    pooled = read_results(ran).pooled
    assert set(pooled["seed"]) == {"all"}
    assert at(pooled[pooled["metric"] == "mse"].fillna({"k": 0}), "mse", 0).loc["binary_mean", "value"] > 0


def test_the_baseline_must_be_a_variant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*RUN, VARIANTS, "baseline=binary_meen"]) == 2
    assert "baseline = binary_meen: not a variant of this run; did you mean binary_mean" in capsys.readouterr().err
    assert main([*RUN, VARIANTS, "margin=0"]) == 2
    assert "margin = 0.0: must be above 0" in capsys.readouterr().err
    assert not Path("x").exists()


def test_which_baseline() -> None:
    assert chosen_baseline(None, ["a", "float32"]) == "float32"
    assert chosen_baseline(None, ["b", "a"]) == "b"
    assert chosen_baseline("a", ["b", "a"]) == "a"
    assert chosen_baseline("a", ["b"]) is None
    assert chosen_baseline(None, []) is None


def test_a_new_baseline_evaluates_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    small = [*RUN, "quantizer=[float32,binary_mean]", "k=[5]"]
    assert main(small) == 0
    assert main([*small, "baseline=binary_mean"]) == 0
    assert "2 cells were finished before" in capsys.readouterr().out.replace("\n", " ")
    assert set(pd.read_csv("x/comparisons.csv")["baseline"]) == {"binary_mean"}


def test_groups_widen_intervals_and_are_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    np.save("x.npy", rng.normal(size=(300, 16)).astype(np.float32))
    centre = rng.normal(size=(8, 16))
    np.save("q.npy", (np.repeat(centre, 10, axis=0) + 0.05 * rng.normal(size=(80, 16))).astype(np.float32))
    Path("g.txt").write_text("".join(f"user {at // 10}\n" for at in range(80)))
    run = ["dataset=file", "dataset.path=x.npy", "dataset.queries=q.npy", "quantizer=[float32,binary_zero]", "k=[5]",
           "metric=[overlap]", "figures=false", "doctor=false", "report=false", "cache=off"]  # fmt: skip
    assert main([*run, "out=apart"]) == 0
    assert main([*run, "out=together", "dataset.groups=g.txt"]) == 0
    apart, together = (at(read_results(Path(out)).pooled) for out in ("apart", "together"))
    assert together.loc["binary_zero", "value"] == apart.loc["binary_zero", "value"]
    widths = [table.loc["binary_zero", "ci_high"] - table.loc["binary_zero", "ci_low"] for table in (together, apart)]
    assert widths[0] > 1.5 * widths[1]
    p = pd.read_parquet("together/per_query.parquet")
    assert p.groupby("group", observed=True)["query"].nunique().tolist() == [10] * 8
    assert json.loads(Path("together/meta.json").read_text())["datasets"]
    for content, message in (("a\n" * 79, "79 names for 80 queries"), ("a\n" * 80, "all queries belong to 'a'")):
        Path("g.txt").write_text(content)
        assert main([*run, "out=bad", "dataset.groups=g.txt"]) == 2
        assert message in capsys.readouterr().err


def test_lists_of_the_worst_queries(ran: Path) -> None:
    """Recounted: the queries with the least overlap, and lists that overlap just so much."""
    results = read_results(ran)
    s, p = results.samples, results.per_query
    s = s[(s["variant"] == "binary_mean") & (s["seed"] == 0)]
    p = p[(p["variant"] == "binary_mean") & (p["seed"] == 0) & (p["metric"] == "overlap") & (p["k"] == 5)]
    p = p[p["oversample"] == 0].astype({"query": str}).set_index("query")
    worst = list(dict.fromkeys(s.loc[s["kind"] == "worst", "id"]))
    assert worst == sorted(p.index, key=lambda query: (p.loc[query, "value"], query))[:5]
    for query in worst:
        lists = [s[(s["kind"] == kind) & (s["id"] == query)] for kind in ("worst", "worst_float")]
        assert [len(x) for x in lists] == [10, 10]
        found, true = (set(x.loc[x["index"] <= 5, "other"]) for x in lists)
        assert p.loc[query, "low"] - 1e-9 <= len(found & true) / 5 <= p.loc[query, "high"] + 1e-9
        assert lists[1]["value"].is_monotonic_decreasing
    assert "worst" not in set(results.samples.loc[results.samples["variant"] == "float32", "kind"])


def test_groups_in_python() -> None:
    from vqbench import Variant, evaluate
    from vqbench.quantizers.binary import Binary

    rng = np.random.default_rng(4)
    corpus_nd, queries_qd = rng.normal(size=(200, 12)), np.repeat(rng.normal(size=(15, 12)), 4, axis=0)
    variants = {"binary": Variant(quantizer=Binary(), similarity="hamming")}
    apart, together = (
        evaluate(corpus_nd, queries_qd, variants=variants, k=5, groups=groups).set_index("metric")
        for groups in (None, [str(at // 4) for at in range(60)])
    )
    single = evaluate(corpus_nd, queries_qd[::4], variants=variants, k=5).set_index("metric")
    for end in ("ci_low", "ci_high"):  # four equal queries of a group are one
        assert together.loc["overlap", end] == pytest.approx(single.loc["overlap", end])
    assert together.loc["overlap", "ci_low"] < apart.loc["overlap", "ci_low"]
