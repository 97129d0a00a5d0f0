"""Every branch of a recommendation on tables written by hand, and what a choice is worth on fresh queries."""

from __future__ import annotations

import io
import json
import math
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folders import row, write_folder
from hypothesis import given, settings
from hypothesis import strategies as st
from places import RESULTS, ROOT
from rich.console import Console
from scipy.stats import norm

from vqbench.analysis import recommend_text
from vqbench.analysis.recommend import Recommendation, corrected, recommend
from vqbench.analysis.rerun_command import command_of, yaml_of
from vqbench.cli.main import main
from vqbench.cli.screens import recommend as screen_of
from vqbench.errors import VqbenchError
from vqbench.numerics.stats import intervals
from vqbench.results.folder import read_results
from vqbench.results.measured_settings import Setting, pooled_rows

#: d = 32: float32 takes 128 bytes a vector.
STORED = {"float32": (128, 0), "int8": (32, 0), "four": (16, 0), "bits": (4, 0), "means": (4, 128), "turned": (4, 4096)}


@pytest.fixture
def told(tmp_path: Path) -> Any:
    """A function from rows to a recommendation."""

    def make(rows: list[dict], stored: dict = STORED, n: int | None = None, corpus: int = 1000, **asked: Any) -> Any:
        folder = write_folder(tmp_path / "r", rows, stored, n=corpus)
        return recommend(read_results(folder), **{"dataset": "d", "target": 0.9, "n": n, **asked})

    return make


def name(setting: Setting | None) -> str | None:
    return None if setting is None else f"{setting.variant}/{setting.oversample}"


def names(rec: Recommendation) -> tuple:
    return name(rec.chosen), name(rec.runner_up), name(rec.step_down), name(rec.step_up)


FULL = row("float32", 0, 1.0, 0.003, ci_high=1.0)


def test_the_cheapest_whose_lower_bound_meets_the_target(told: Any) -> None:
    rows = [FULL, row("int8", 0, 0.98, 0.004), row("four", 0, 0.93, 0.01), row("four", 4, 0.99, 0.003),
            row("bits", 0, 0.5, 0.01), row("bits", 4, 0.85, 0.01)]  # fmt: skip
    rec = told(rows)
    assert names(rec) == ("four/0", "int8/0", "bits/4", "int8/0")
    assert (rec.tried, rec.too_large, name(rec.fallback), rec.queries) == (5, 0, "float32/0", 1000)
    assert rec.chosen == Setting(
        dataset="d", variant="four", oversample=0, value=0.93, ci_low=0.92, ci_high=0.94, queries=1000, vector_bytes=16,
        once_bytes=0, store_bytes=0,
    )  # fmt: skip
    assert names(told(rows, target=0.975)) == ("four/4", "int8/0", "bits/4", None)  # int8's 0.98 - 0.004 reaches 0.976


def test_a_mean_above_the_target_is_not_enough(told: Any) -> None:
    """A half width of 0.02 at 1,000 queries is one of 0.01, the room there is, at 4,000."""
    rec = told([FULL, row("int8", 0, 0.95, 0.01), row("bits", 4, 0.91, 0.02)])
    assert name(rec.chosen) == "int8/0"
    assert [(name(one.setting), one.queries) for one in rec.undecided] == [("bits/4", 4000)]
    assert "bits rescored ×4 (float32) (4 B)" in recommend_text.open_cases(rec)[0]
    alone = told([FULL, row("bits", 4, 0.91, 0.02), row("bits", 2, 0.9, 0.02)])
    assert alone.chosen is None
    assert [one.queries for one in alone.undecided] == [None, 4000]
    assert "About 4,000 queries would do for bits rescored ×4" in recommend_text.answer(alone)
    (case,) = recommend_text.open_cases(alone)
    assert case == (
        "bits rescored ×4 (float32) (4 B): mean 0.910, lower bound 0.890; about 4,000 queries would decide "
        "(n_queries=4000); undecided too: ×2"
    )


BYTES = {"as": "uint8", "bytes_per_vector": 32}


def test_bytes_that_are_stored_today_are_the_base_line(tmp_path: Path) -> None:
    """What takes as much is never advised, nor what keeps today's bytes beside it."""
    rows = [FULL, row("int8", 0, 0.98, 0.004), row("four", 0, 0.93, 0.01), row("bits", 4, 0.99, 0.003)]
    results = read_results(write_folder(tmp_path / "r", rows, STORED, today=BYTES))
    rec = recommend(results, dataset="d", target=0.9)
    assert names(rec) == ("four/0", None, None, None)
    assert recommend_text.answer(rec).startswith(
        "Use four: 16 bytes/vector, 2x less memory than the 32 bytes/vector you store today (uint8); the uint8 vectors "
        "are not needed (16 kB in all). It finds 93.0 %"
    )
    assert rec.tried == 1
    none = recommend(results, dataset="d", target=0.95)
    assert none.chosen is None
    assert none.fallback is None
    assert recommend_text.answer(none).startswith(
        "Keep the 32 bytes/vector you store today (uint8): nothing smaller is shown to reach overlap@10 of 0.95. The "
        "closest, four, finds 93.0 %"
    )
    assert recommend_text.notes(none) == [
        "bits rescored ×4 (uint8, as stored) needs 4 bytes/vector in memory, but the 32 bytes/vector you store today "
        "(uint8) stay on disk: 36 kB in all, more than today."
    ]
    for rec_of in (rec, none):
        assert "float32 in memory" not in screen_text(results, rec_of)
        json.dumps(screen_of.as_json(results, rec_of))
    assert "uint8, as stored today" in screen_text(results, rec)


def screen_text(results: Any, rec: Recommendation) -> str:
    out = io.StringIO()
    screen_of.show(results, rec, Console(file=out, width=100))
    return out.getvalue()


@given(
    today=st.integers(1, 200), values=st.lists(st.floats(0.5, 1), min_size=6, max_size=6), target=st.floats(0.5, 0.99)
)
@settings(max_examples=30, deadline=None)
def test_no_advice_takes_what_is_stored_today(
    tmp_path_factory: pytest.TempPathFactory, today: int, values: list[float], target: float
) -> None:
    rows = [row(variant, x, value, 0.01) for variant, value in zip(STORED, values, strict=True) for x in (0, 4)]
    folder = tmp_path_factory.mktemp("r")
    results = read_results(write_folder(folder, rows, STORED, today={"as": "int8", "bytes_per_vector": today}))
    rec = recommend(results, dataset="d", target=target)
    for one in (rec.chosen, rec.runner_up, rec.step_up, rec.step_down, *(each.setting for each in rec.undecided)):
        assert one is None or (not one.oversample and round(one.ram(rec.n)) < today)
    if rec.chosen is None:
        size = f"{today:,}"
        assert recommend_text.answer(rec).startswith(f"Keep the {size} bytes/vector you store today (int8): nothing")


def test_where_no_query_lost_anything_the_bound_shrinks_with_n(told: Any) -> None:
    """3 / 1,000 becomes 1 / 1,000 at 3,000 queries."""
    rec = told([FULL, row("int8", 0, 1.0, 0.003)], target=0.999)
    assert rec.chosen is None
    assert rec.undecided[0].queries == 3000
    assert (rec.least_queries, rec.too_few_queries) == (3000, True)
    assert "too few to tell" in recommend_text.answer(rec)


def test_nothing_qualifies(told: Any) -> None:
    rec = told([FULL, row("int8", 0, 0.8, 0.01), row("bits", 0, 0.5, 0.01)])
    assert names(rec) == (None, None, None, None)
    assert (name(rec.closest), rec.corrected_low, rec.survives) == ("int8/0", None, False)
    assert recommend_text.answer(rec).startswith("Nothing smaller than float32 is shown to reach overlap@10 of 0.9.")
    assert "Stay with float32" in recommend_text.answer(rec)
    assert told([row("int8", 0, 0.8, 0.01)]).fallback is None


def test_float_search_is_no_recommendation(told: Any) -> None:
    wide = {**STORED, "float64": (256, 0), "again": (128, 0)}
    rows = [FULL, row("float64", 0, 1.0, 0.001), row("again", 4, 1.0, 0.001), row("bits", 0, 0.5, 0.01)]
    rec = told(rows, wide)
    assert (rec.chosen, name(rec.fallback), rec.tried) == (None, "float32/0", 1)


def test_ties_in_cost(told: Any) -> None:
    """Without rescoring first, then the smaller factor, then the higher lower bound, then the name."""
    stored = {"float32": (128, 0), "a": (4, 0), "b": (4, 0), "c": (4, 0)}
    rows = [row("a", 4, 0.97, 0.01), row("b", 2, 0.95, 0.01), row("b", 8, 0.99, 0.005), row("c", 0, 0.92, 0.01)]
    assert name(told(rows, stored).chosen) == "c/0"
    assert name(told(rows[:3], stored).chosen) == "b/2"
    same = [row("b", 2, 0.95, 0.01), row("a", 2, 0.95, 0.02)]
    assert name(told(same, stored).chosen) == "b/2"
    assert name(told([row("b", 2, 0.95, 0.01), row("a", 2, 0.95, 0.01)], stored).chosen) == "a/2"


def test_what_is_stored_once_is_shared_by_n(told: Any) -> None:
    """4,096 bytes for 100 vectors are 41 each; for a million they are nothing, and no rescoring comes first."""
    rows = [row("four", 0, 0.95, 0.01), row("turned", 0, 0.93, 0.01), row("bits", 4, 0.96, 0.01)]
    assert name(told(rows[:2], corpus=100).chosen) == "four/0"
    assert name(told(rows[:2], corpus=100, n=1_000_000).chosen) == "turned/0"
    assert name(told(rows, n=1_000_000).chosen) == "turned/0"
    assert name(told(rows, n=1000).chosen) == "bits/4"
    alone = told(rows[1:2], corpus=20)
    assert (alone.chosen, alone.tried, alone.too_large) == (None, 0, 1)
    assert "--n N" in recommend_text.notes(alone)[0]


def test_floats_in_memory(told: Any) -> None:
    rows = [FULL, row("int8", 0, 0.95, 0.01), row("bits", 4, 0.99, 0.005)]
    assert name(told(rows).chosen) == "bits/4"
    rec = told(rows, floats="ram")
    assert name(rec.chosen) == "int8/0"
    assert rec.too_large == 1
    assert Setting(**{**vars(told(rows).chosen)}).ram(1000, "ram") == 4 + 128


def test_a_limit_of_bytes(told: Any) -> None:
    rows = [FULL, row("int8", 0, 0.95, 0.01), row("bits", 4, 0.8, 0.01)]
    assert name(told(rows, max_bytes=32).chosen) == "int8/0"
    rec = told(rows, max_bytes=31)
    assert (rec.chosen, name(rec.closest)) == (None, "bits/4")
    assert "within 31 bytes/vector" in recommend_text.answer(rec)


def test_the_correction_for_many_settings(told: Any) -> None:
    """Half widths grow by z(.025 / m) / z(.025); where nothing was lost, by log(.05 / m) / log(.05)."""
    rows = [row("int8", 0, 0.93, 0.025)] + [row("bits", factor, 0.5, 0.01) for factor in range(9)]
    rec = told(rows)
    assert rec.tried == 10
    assert rec.corrected_low == pytest.approx(0.93 - 0.025 * norm.ppf(1 - 0.0025) / norm.ppf(0.975))
    assert not rec.survives
    assert "does not reach the target" in recommend_text.notes(rec)[0]
    assert told(rows[:1]).corrected_low == pytest.approx(0.905)
    nothing_lost = replace(rec.chosen, value=1.0, ci_low=0.997, ci_high=1.0)
    assert corrected(nothing_lost, 10) == pytest.approx(1 - 0.003 * math.log(0.005) / math.log(0.05))
    assert told([row("int8", 0, 0.97, 0.02), *rows[1:]]).survives


def test_several_seeds(told: Any) -> None:
    """The row over all seeds counts; where a folder lacks it, the mean with the widest interval."""
    seeds = [row("bits", 0, 0.9 + shift, 0.01, seed=seed) for seed, shift in enumerate((0.02, 0.04, 0.03))]
    rec = told(seeds)
    assert (rec.chosen.value, rec.chosen.ci_low, rec.chosen.ci_high) == pytest.approx((0.93, 0.91, 0.95))
    rec = told([*seeds, row("bits", 0, 0.925, 0.02, seed="all")])
    assert (rec.chosen.value, rec.chosen.ci_low) == pytest.approx((0.925, 0.905))


def test_unknown_bounds_and_failed_cells_decide_nothing(told: Any) -> None:
    failed = row("bits", 0, math.nan, math.nan, status="failed", reason="no")
    rec = told([row("int8", 0, 0.95, math.nan, ci_high=math.nan), failed])
    assert (rec.chosen, rec.undecided[0].queries, rec.tried) == (None, None, 1)


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 140), st.integers(0, 4000), st.sampled_from([0, 1, 4]), st.floats(0.5, 1), st.floats(0, 0.05)
        ),
        min_size=1, max_size=12,
    ),
    st.sampled_from([0.6, 0.9, 0.95]), st.sampled_from([10, 1000, 10**7]), st.sampled_from(["disk", "ram"]),
)  # fmt: skip
def test_a_naive_search_finds_the_same(
    tmp_path_factory: pytest.TempPathFactory, drawn: list, target: float, n: int, floats: Any
) -> None:
    """Whole bytes first; nothing that qualifies is cheaper, no rescoring and the smaller factor among equals."""
    stored = {f"v{at}": (each, once) for at, (each, once, *_) in enumerate(drawn)}
    rows = [row(f"v{at}", factor, value, half) for at, (_, _, factor, value, half) in enumerate(drawn)]
    folder = write_folder(tmp_path_factory.mktemp("naive"), rows, stored)
    rec = recommend(read_results(folder), dataset="d", target=target, n=n, floats=floats)
    best = None
    for at, (each, once, factor, value, half) in enumerate(drawn):
        cost = each + once / n + (128 if floats == "ram" and factor else 0)
        low = float(f"{value - half:.10g}")
        if cost < 128 and low >= target:
            key = (round(cost), factor, -low, cost, f"v{at}")
            best = key if best is None else min(best, key)
    assert (None if rec.chosen is None else rec.chosen.variant) == (None if best is None else best[-1])


def _queries(rng: np.random.Generator, mean: float, q: int) -> np.ndarray:
    """overlap@10 of ``q`` queries whose difficulty differs: beta-binomial, as codes of few bits show it."""
    return rng.binomial(10, rng.beta(6 * mean, 6 * (1 - mean), q)) / 10


def _measured(halves: dict[str, np.ndarray], folder: Path) -> Recommendation:
    """The recommendation from the values of these queries; the settings cost more in the order given."""
    rows = []
    for variant, values_q in halves.items():
        low, high = intervals.mean_interval(values_q, lowest=0, highest=1)
        rows.append(row(variant, 0, intervals.mean(values_q), 0, ci_low=low, ci_high=high, n_queries=len(values_q)))
    stored = {variant: (4.0 + 8 * at, 0.0) for at, variant in enumerate(halves)}
    return recommend(read_results(write_folder(folder, rows, stored)), dataset="d", target=0.9)


@pytest.mark.slow
def test_a_choice_holds_on_other_queries(tmp_path: Path) -> None:
    """Chosen on one half of the queries, the mean of the other half meets the target in 95 % of 300 trials.

    A setting can be chosen only with a mean 1.96 standard errors above the target. In the worst case, where it is
    just that, a fresh mean of as many queries falls below with 1 - Phi(1.96 / sqrt(2)) = 8 %; settings that lie
    further above do so less often, and among means spread over .80 to .99 they are most of those chosen. Three
    standard deviations of 300 draws are allowed.
    """
    rng, trials = np.random.default_rng(5), 300
    means = dict(zip("abcdefgh", (0.80, 0.86, 0.89, 0.91, 0.93, 0.95, 0.97, 0.99), strict=True))
    held = chosen = 0
    for trial in range(trials):
        halves = {variant: np.split(_queries(rng, mean, 800), 2) for variant, mean in means.items()}
        rec = _measured({variant: first for variant, (first, _) in halves.items()}, tmp_path / str(trial))
        if rec.chosen is not None:
            chosen += 1
            held += halves[rec.chosen.variant][1].mean() >= 0.9
    assert chosen > 290
    assert held / chosen >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / chosen)


@pytest.mark.slow
def test_the_correction_holds_among_many_that_just_fail(tmp_path: Path) -> None:
    """Ten settings whose true mean is the target itself: one is chosen by luck in up to 1 - .975^10 = 22 % of trials.

    Corrected, at most 2.5 % may survive (one side of a 95 % interval); three standard deviations of 300 draws are
    allowed. Without the correction the rate must be far higher, or this test would show nothing.
    """
    rng, trials = np.random.default_rng(7), 300
    found = [
        _measured({f"v{at}": _queries(rng, 0.9, 400) for at in range(10)}, tmp_path / str(trial))
        for trial in range(trials)
    ]
    chosen, survived = (
        sum(x) / trials for x in ([rec.chosen is not None for rec in found], [rec.survives for rec in found])
    )
    assert survived <= 0.025 + 3 * math.sqrt(0.025 * 0.975 / trials)
    assert chosen > 0.1


@pytest.mark.parametrize("folder", sorted(path.name for path in RESULTS.iterdir() if (path / "metrics.csv").is_file()))
def test_every_committed_folder(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command answers for each dataset, in 100 columns, and its JSON agrees with a search of metrics.csv."""
    results = read_results(RESULTS / folder)
    status = main(["recommend", str(RESULTS / folder), "--keep", "0.9", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [one["dataset"] for one in found] == list(results.meta["datasets"])
    assert status == int(any(one["chosen"] is None for one in found))
    for one in found:
        rows = pooled_rows(results)
        rows = rows[(rows["dataset"] == one["dataset"]) & (rows["metric"] == "overlap") & (rows["k"] == one["k"])]
        totals = results.ledger[results.ledger["dataset"] == one["dataset"]].set_index(["variant", "item"])["bytes"]
        costs = [
            each
            for row in rows.itertuples()
            if row.ci_low >= 0.9
            and (each := totals[row.variant, "bytes_per_vector"]) - totals[row.variant, "bytes_once"] / one["n"]
            < 4 * one["d"]
        ]
        if one["chosen"]:
            assert round(one["chosen"]["memory_bytes"]) == round(min(costs))
        else:
            assert all(cost >= 4 * one["d"] for cost in costs)
    main(["recommend", str(RESULTS / folder), "--n", "10_000_000"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


def test_the_screen_and_its_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [FULL, row("bits", 4, 0.96, 0.01), row("int8", 0, 0.99, 0.001, dataset="[red]e")]
    folder = write_folder(tmp_path / "r", rows, STORED)
    assert main(["recommend", str(folder), "--n", "10,000,000"]) == 0
    shown = capsys.readouterr().out
    for text in ("40 MB", "1.28 GB", "32x less memory than float32", "re-ranks its 40 best codes", "96.0 %", "[red]e",
                 "threshold: mean", "(1.32 GB in", "measure again at a size nearer"):  # fmt: skip
        assert text in shown, text
    assert main(["recommend", str(folder), "--keep", "0.97"]) == 1  # "d" has nothing, "[red]e" has
    assert main(["recommend", str(folder), "--keep", "0.97", "--dataset", "[red]e"]) == 0


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--keep", "95"], "between 0 and 1"),
        (["--k", "7"], "k = 7: d was measured at k = 10: choose one of them, or run it again with 'k=[7]'"),
        (["--metric", "worst"], "less of it is better"),
        (["--metric", "mrr"], "did not measure it; it has overlap"),
        (["--dataset", "e"], "has none of that name; it has d"),
    ],
)
def test_mistakes_get_one_line(asked: list, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "r", [FULL], STORED)
    assert main(["recommend", str(folder), *asked]) == 2
    assert said in capsys.readouterr().err


def test_a_number_of_vectors_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    for given_n in ("0", "1.5", "many", "inf"):
        assert main(["recommend", "x", "--n", given_n]) == 2
        assert "needs a whole number" in capsys.readouterr().err


def test_a_dataset_without_results_does_not_hide_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failed = row("int8", 0, math.nan, math.nan, status="failed", reason="no", dataset="e")
    folder = write_folder(tmp_path / "r", [FULL, row("int8", 0, 0.99, 0.001), failed], STORED)
    assert main(["recommend", str(folder)]) == 1
    shown = capsys.readouterr()
    assert "Use int8" in shown.out
    assert "holds no overlap of e" in shown.err
    assert main(["recommend", str(folder), "--dataset", "d"]) == 0


def test_floats_lie_on_disk_or_in_memory(told: Any) -> None:
    with pytest.raises(VqbenchError, match="is one of disk, ram"):
        told([FULL], floats="tape")


def test_the_command_runs_and_gives_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed parameter, a seed and a path with a blank come back in the command that recommend prints."""
    monkeypatch.chdir(tmp_path)
    vectors = np.random.default_rng(3).normal(size=(200, 16)).astype(np.float32)
    np.save("my vectors.npy", vectors)
    common = ["dataset=file", "dataset.path='my vectors.npy'", "k=[5]", "n_queries=50", "oversample=[0,4]", "cache=off",
              "metric=[overlap]", "figures=false", "doctor=false", "report=false", "seed=3"]  # fmt: skip
    changed = "quantizer.binary_mean.quantizer.threshold=median"
    assert main([*common, "quantizer=[float32,binary_mean]", changed, "out=first"]) == 0
    results = read_results(Path("first"))
    rec = recommend(results, dataset=next(iter(results.meta["datasets"])), target=0.5)
    assert rec.chosen is not None
    assert rec.chosen.variant == "binary_mean(threshold=median)"
    line = command_of(results.meta, rec.chosen, rec.k, ["binary_mean"])
    assert "threshold: median" in str(yaml_of(results.meta, rec.chosen.variant))
    words = shlex.split(line)
    assert words[0] == "vqbench"
    assert (
        main(
            [*words[1:], "out=second", "figures=false", "doctor=false", "report=false", "cache=off", "metric=[overlap]"]
        )
        == 0
    )
    again = read_results(Path("second"))
    rec_again = recommend(again, dataset=rec.dataset, target=0.5)
    assert rec_again.chosen == rec.chosen


def test_variants_that_do_not_come_with_vqbench_name_their_folder(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "r", [row("bits", 0, 0.9, 0.01)], STORED)
    results = read_results(folder)
    chosen = recommend(results, dataset="d", target=0.5).chosen
    assert "plugins=[mine]" in command_of(results.meta, chosen, 10, ["int8"])
    assert "plugins" not in command_of(results.meta, chosen, 10, ["bits"])
    config = {**results.meta["config"], "plugins": ["my codes"]}
    words = shlex.split(command_of({**results.meta, "config": config}, chosen, 10, ["int8"]))
    assert "plugins=['my codes']" in words
    assert words[1:3] == ["dataset=file", "dataset.name=d"]


def test_the_readme_shows_what_the_command_says(capsys: pytest.CaptureFixture[str]) -> None:
    main(["recommend", str(RESULTS / "default"), "--keep", "0.95", "--n", "10_000_000"])
    shown = capsys.readouterr().out
    page = (ROOT / "vqbench" / "analysis" / "README.md").read_text("utf-8")
    (excerpt,) = re.findall(r"^```text\n(╭.*?)```", page, re.DOTALL | re.M)
    assert shown.startswith(excerpt)


def test_sizes_and_shares_in_words() -> None:
    sizes = {48: "48 B", 999: "999 B", 999.6: "1.00 kB", 1536: "1.54 kB", 15.4e9: "15.4 GB", 0: "0 B", 480e6: "480 MB",
             62.5: "62.5 B", 9.996e3: "10.0 kB"}  # fmt: skip
    assert {size: recommend_text.human(size) for size in sizes} == sizes


def test_the_command_and_yaml_come_from_what_meta_json_holds_of_the_variant(told: Any, tmp_path: Path) -> None:
    """The config's name, what the command line changed (of the quantizer or of the variant), and the node."""
    told([row("bits", 0, 0.95, 0.01)])
    meta = read_results(tmp_path / "r").meta
    node = {"quantizer": {"_target_": "x.B", "threshold": "median"}, "similarity": "raw"}
    overrides = ["similarity=raw", "threshold=median"]
    meta["variants"]["b(similarity=raw,threshold=median)"] = {"config": "b", "overrides": overrides, "node": node}
    setting = Setting(dataset="d", variant="b(similarity=raw,threshold=median)", oversample=4, value=0.9, ci_low=0.9,
                      ci_high=0.9, queries=9, vector_bytes=1, once_bytes=0, store_bytes=0)  # fmt: skip
    words = shlex.split(command_of(meta, setting, 10, ["b"]))
    assert words == ["vqbench", "dataset=file", "dataset.name=d", "dataset.path=d.npy", "quantizer=[b]",
                     "quantizer.b.similarity=raw", "quantizer.b.quantizer.threshold=median", "k=[10]",
                     "oversample=[4]", "out=results/d-b"]  # fmt: skip
    assert str(yaml_of(meta, setting.variant)).startswith("b:\n  quantizer:\n    _target_: x.B\n    threshold: median")
    assert yaml_of(meta, "unknown") is None
    assert "dataset.path" not in command_of({**meta, "datasets": {"d": {}}}, setting, 10)
    meta["datasets"]["d"]["node"] = {
        "_target_": "x.File",
        "name": "wordnet",
        "path": "bundled:wordnet/e.npy",
        "rows": 5,
    }
    assert command_of(meta, setting, 10).startswith("vqbench dataset=wordnet dataset.rows=5 ")


@pytest.mark.parametrize("width", [60, 80, 110])
def test_no_name_is_cut_on_a_narrow_screen(told: Any, tmp_path: Path, width: int) -> None:
    """Columns go first, named in a line below; then names go on in the next line."""
    long = {"qdrant_binary_scalar8": (48, 0), "binary_mean_dimension": (60, 0), "float32": (128, 0)}
    rows = [FULL, row("qdrant_binary_scalar8", 4, 0.95, 0.004), row("binary_mean_dimension", 4, 0.97, 0.004)]
    rec = told(rows, long)
    screen = Console(width=width, file=io.StringIO(), highlight=False)
    screen_of.show(read_results(tmp_path / "r"), rec, screen)
    shown = screen.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert max(map(len, shown.splitlines())) == width
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown
    table = shown.partition("setting")[2].partition("could have been chosen")[0]
    assert "qdrant_binary_scalar8" in table
    assert "binary_mean_dimension" in table
    for heading in ("95 % CI", "against choice"):
        assert heading in " ".join(table.replace("\N{BOX DRAWINGS LIGHT VERTICAL}", "").split())
    assert "0.950" in table
    assert ("Left out" in table) == (width < 110)
