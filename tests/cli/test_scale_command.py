"""``vqbench scale`` and the figure of the same name, from a run to the table."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from folders import copied, row, write_folder
from rich.console import Console

from vqbench.analysis.scaling.curves import nested, points
from vqbench.analysis.scaling.forecast import courses
from vqbench.cli.main import main
from vqbench.cli.screens.scale import show
from vqbench.report.figures.figure_data import slices
from vqbench.report.figures.folder import SCALE
from vqbench.report.figures.scale import scale as scale_figure
from vqbench.report.figures.style import drawing
from vqbench.results.folder import read_results

pytestmark = pytest.mark.slow  # each folder of nested sizes takes seconds to make

SIZES = (100, 200, 400, 800)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four nested sizes of one corpus by multirun; 1-bit codes and int8."""
    out = tmp_path_factory.mktemp("scale") / "x"
    told = ["dataset=synthetic", "dataset.n=800", "dataset.d=24", "dataset.clusters=1", "dataset.queries=80",
            "dataset.rows=100,200,400,null", "quantizer=[offset_int8,binary_mean]", "metric=[overlap]", "k=[5,20]",
            "oversample=[0,2]", "figures=[scale]", "cache=off", f"out={out}"]  # fmt: skip
    assert main(["-m", *told]) == 0
    return out


def test_the_sizes_are_found_by_content(made: Path) -> None:
    (group,) = nested(read_results(made))
    assert tuple(group.sizes.values()) == SIZES
    assert group.largest == 800
    assert group.queries == 80
    assert group.name == "synthetic"


def test_points_are_the_means_of_the_tables(made: Path) -> None:
    results = read_results(made)
    (group,) = nested(results)
    found = points(results, group)
    assert set(found) == {(v, c) for v in ("offset_int8", "binary_mean") for c in (0, 2)}
    for (variant, factor), part in found.items():
        for point in part.table.itertuples():
            m = results.metrics
            (own,) = m[(m["variant"] == variant) & (m["oversample"] == factor) & (m["k"] == point.k)
                       & (m["dataset"] == point.dataset)]["value"]  # fmt: skip
            assert point.value == pytest.approx(own)
            q = results.per_query
            q = q[(q["variant"] == variant) & (q["oversample"] == factor) & (q["k"] == point.k)
                  & (q["dataset"] == point.dataset)]["value"]  # fmt: skip
            assert point.losers == (q < 1).sum()
            # 2000 resamples of 80 queries: their deviation is the standard error, to a few in a hundred.
            error = q.std(ddof=0) / np.sqrt(len(q))
            assert part.means_rm[:, point.Index].std() == pytest.approx(error, rel=0.1, abs=1e-12)


def test_the_table(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scale", str(made), "--n", "8_000", "--k", "5"]) == 0
    shown = capsys.readouterr().out
    assert "synthetic: overlap@5 at 8,000 rows, from 4 nested sizes, 80 queries" in shown
    assert max(map(len, shown.splitlines())) <= 100
    (course,) = [c for c in courses(read_results(made), 5) if (c.variant, c.oversample) == ("binary_mean", 0)]
    found = course.forecast(8000)
    (line,) = [x for x in shown.splitlines() if x.startswith(" binary_mean ") and "(float32)" not in x]
    assert f"{found.value:.3f}" in line
    assert f"{found.low:.3f}-{found.high:.3f}" in line
    assert found.kind == "fitted"
    assert 0 <= found.low < found.value < found.high <= 1
    assert main(["scale", str(made), "--n", "1,000,000"]) == 0
    shown = capsys.readouterr().out
    assert "no: x1,200" in shown
    assert "points:" not in shown, "only words that occur are explained"


def test_at_a_measured_size_the_forecast_is_what_was_measured(made: Path) -> None:
    for course in courses(read_results(made), 5):
        if course.fit is None:
            continue
        last = course.points.at(5).iloc[-1]
        assert course.forecast(800).trust == "yes: measured"
        assert course.forecast(800).value == pytest.approx(last["value"], abs=3 * (last["ci_high"] - last["ci_low"]))


def test_without_values_per_query_the_means_serve(made: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    for name in ("metrics.csv", "ledger.csv", "meta.json"):
        shutil.copy(made / name, small / name)
    results = read_results(small)
    screen = Console(record=True, width=100)
    show(results, 8000, 5, screen)
    assert "no values per query" in " ".join(screen.export_text().split())
    whole = {(c.variant, c.oversample): c for c in courses(read_results(made), 5)}
    seen = 0
    for course in courses(results, 5):
        exact = whole[course.variant, course.oversample]
        if course.fit is not None and exact.fit is not None:
            a, b = course.forecast(1600), exact.forecast(1600)
            assert a.value == pytest.approx(b.value, abs=(b.high - b.low))
            seen += 1
    assert seen


def test_the_figure_plots_the_tables(made: Path) -> None:
    results = read_results(made)
    (group,) = nested(results)
    with drawing():
        figure = scale_figure(results, slices(results), group)
        assert figure is not None
        figure.draw_without_rendering()
    ax = figure.axes[0]
    k = 20  # the largest, since 10 was not measured
    for box in ax.containers:
        x, y = box[0].get_data()
        m = results.metrics
        rows = m[(m["variant"] == box.get_label()) & (m["k"] == k) & (m["oversample"] == 0)]
        wanted = {group.sizes[row.dataset]: row.value for row in rows.itertuples()}
        assert dict(zip(np.asarray(x).tolist(), np.asarray(y).tolist(), strict=True)) == pytest.approx(wanted)
    assert len(ax.containers) == 2
    assert ax.get_xscale() == "log"
    assert ax.get_xlim()[1] > 10 * 800
    assert "100 to 800 rows" in figure.get_suptitle()
    assert (made / "figures" / f"{SCALE}.png").exists()


def test_a_saturated_code_gets_a_bound(made: Path, tmp_path: Path) -> None:
    """Values of 1 at every size say only how little is lost."""
    copy = copied(made, tmp_path / "ones")
    table = pd.read_csv(copy / "metrics.csv", keep_default_na=False)
    table.loc[table["variant"] == "offset_int8", ["value", "ci_low", "ci_high"]] = [1.0, 1 - 3 / 80, 1.0]
    table.to_csv(copy / "metrics.csv", index=False)
    each = pd.read_parquet(copy / "per_query.parquet")
    each.loc[each["variant"] == "offset_int8", "value"] = 1.0
    each.to_parquet(copy / "per_query.parquet")
    course = next(c for c in courses(read_results(copy), 5) if (c.variant, c.oversample) == ("offset_int8", 0))
    near, far = course.forecast(800), course.forecast(8000)
    assert (near.kind, far.kind) == ("bound", "bound")
    assert near.low == pytest.approx(1 - 3 / 80)
    assert far.low < near.low
    assert far.high == 1


def test_too_few_points_say_so(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = copied(made, tmp_path / "few")
    meta = json.loads((copy / "meta.json").read_text())
    dropped = [name for name, about in meta["datasets"].items() if about["n"] in (200, 400)]
    for name in dropped:
        del meta["datasets"][name]
    (copy / "meta.json").write_text(json.dumps(meta))
    for table in copy.glob("*.csv"):
        rows = pd.read_csv(table, dtype=str, keep_default_na=False)
        rows[~rows["dataset"].isin(dropped)].to_csv(table, index=False)
    course = next(c for c in courses(read_results(copy), 20) if (c.variant, c.oversample) == ("binary_mean", 2))
    assert course.fit is None
    found = course.forecast(8000)
    assert found.kind == "none"
    assert "of 4 points" in found.trust
    assert main(["scale", str(copy), "--n", "8000", "--k", "20"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "points: too few for a curve: run one more size into the same folder (dataset.rows=N out=DIR)" in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--n", "0"], "--n: 0: needs a whole number of at least 1"),
        (["--n", "-5"], "--n: -5: needs a whole number of at least 1"),
        (["--n", "100", "--k", "7"], "--k 7: not measured in"),
    ],
)
def test_bad_input_gets_one_line(
    made: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scale", str(made), *arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith("vqbench: ")
    assert says in err
    assert err.count("\n") == 1


def test_a_folder_without_sizes_says_how_to_get_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "one", [row("bits", 0, 0.5, 0.01)], {"bits": (4, 0)})
    assert main(["scale", str(folder), "--n", "100"]) == 2
    wanted = "holds no two sizes of one corpus. Measure several: vqbench -m dataset=NAME dataset.rows="
    assert wanted in capsys.readouterr().err
    assert main(["scale", str(tmp_path), "--n", "100"]) == 2
    assert "is no results folder, but holds some: name one of one" in capsys.readouterr().err
