"""What figures say: titles, axes, labels and plotted values against the tables they were drawn from."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from folders import copied
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.text import Text
from rich.progress import Progress
from scipy.stats import spearmanr

from vqbench.experiment.plan import make_plan
from vqbench.experiment.run import run
from vqbench.report.figures import (
    across,
    folder,
    heatmap,
    neighbours,
    queries,
    ranks,
    rescoring,
    score_scatter,
    tradeoff,
    vectors,
)
from vqbench.report.figures.figure_data import Slice, on_front, slices
from vqbench.report.figures.label_placement import Label, beside, spread
from vqbench.report.figures.looks import family_of, looks_of
from vqbench.report.figures.series import find_series
from vqbench.report.figures.style import canvas, drawing, number, size
from vqbench.results.assemble import assemble
from vqbench.results.folder import read_results
from vqbench.text import share

Q = "vqbench.quantizers."
INT8 = {"_target_": f"{Q}offset_int8.OffsetInt8"}
VARIANTS = {
    "float32": {"quantizer": {"_target_": f"{Q}cast.Cast", "dtype": "float32"}},
    "offset_int8": {"quantizer": INT8},
    "offset_int8_raw": {"quantizer": INT8, "similarity": "raw"},
    "int8_hamming": {"quantizer": INT8, "similarity": "hamming"},  # makes no sense: becomes a skipped row
    "binary_mean": {"quantizer": {"_target_": f"{Q}binary.Binary", "threshold": "mean"}, "similarity": "hamming"},
    "binary_zero": {"quantizer": {"_target_": f"{Q}binary.Binary"}, "similarity": "hamming"},
    "binary_zero_decoded": {"quantizer": {"_target_": f"{Q}binary.Binary"}},
}
METRICS = {
    "overlap": {"_target_": "vqbench.metrics.overlap.Overlap"},
    "rbo": {"_target_": "vqbench.metrics.rbo.RBO"},
    "worst": {"_target_": "vqbench.metrics.overlap.Worst"},
    "mse": {"_target_": "vqbench.metrics.reconstruction.MSE"},
}
ALONE = {
    "overlap_vs_bytes", "differences", "overlap_by_k", "metrics_heatmap", "per_query", "score_calibration",
    "bit_balance", "oversampling", "vector_bars", "vector_histogram", "vector_int8", "vector_binary", "nearest",
}  # fmt: skip
# For sweeps over many variants, and over real engines.
LARGE = {"frontier", "overlap_by_variant", "calibration", "engine_overlap", "engine_bytes"}


def _synthetic(**more: Any) -> dict[str, Any]:
    return {"_target_": "vqbench.datasets.synthetic.Synthetic", "n": 240, "d": 40, "queries": 30, "clusters": 8,
            **more}  # fmt: skip


def _made(out: Path, datasets: dict[str, Any], **more: Any) -> Path:
    config = {
        "datasets": datasets, "quantizer": VARIANTS, "metric": METRICS, "k": [1, 10], "oversample": [0, 2, 4],
        "seed": 0, "out": str(out), "cache": "off", "doctor": False, **more,
    }  # fmt: skip
    with Progress(disable=True) as progress:
        return assemble([run(make_plan(config), progress)])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with one dataset."""
    return _made(tmp_path_factory.mktemp("figures") / "one", {"small": _synthetic()})


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with three offsets and one other dataset, two seeds, no rescoring."""
    offsets = {f"offset {x}": _synthetic(offset=x) for x in (2.0, 0.0, 1.0)}
    datasets = {"other": _synthetic(d=24, seed=5), **offsets}
    return _made(tmp_path_factory.mktemp("figures") / "many", datasets, k=[10], oversample=[0], seed=[0, 1])


@pytest.fixture(scope="module")
def part(made: Path) -> Slice:
    (found,) = slices(read_results(made))
    return found


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with drawing():
        yield


def _texts(figure: Figure) -> str:
    """Every text of a figure, after it has been laid out."""
    figure.draw_without_rendering()
    said = [text.get_text().replace("\n", " ") for text in figure.findobj(Text) if isinstance(text, Text)]
    return "\n".join(said).replace("\N{NO-BREAK SPACE}", " ")


def _bars(figure: Figure, at: int = 0) -> dict[str, ErrorbarContainer]:
    """Points with interval bars, by their label."""
    return {str(box.get_label()): box for box in figure.axes[at].containers if isinstance(box, ErrorbarContainer)}


def _drawn(figure: Figure | None) -> Figure:
    assert figure is not None
    return figure


def _xy(box: ErrorbarContainer) -> tuple[np.ndarray, np.ndarray]:
    x, y = box[0].get_data()
    return np.asarray(x), np.asarray(y)


@pytest.mark.slow
def test_every_figure_is_drawn_and_says_what_it_shows(part: Slice) -> None:
    assert set(folder.FIGURES) == ALONE | LARGE
    for name in ALONE:
        figure = _drawn(folder.FIGURES[name](part))
        assert figure.get_suptitle(), name
        said = _texts(figure)
        assert "small: 240 vectors of 40 dimensions; 30 queries" in said, name
        assert figure.get_figwidth() == 9, name


def test_overlap_vs_bytes_plots_the_tables(part: Slice) -> None:
    figure = _drawn(tradeoff.overlap_vs_bytes(part))
    ax, bars, own = figure.axes[0], _bars(figure), part.at("overlap", k=10)
    assert set(bars) == set(VARIANTS) - {"int8_hamming"}
    for name, box in bars.items():
        x, y = _xy(box)
        assert y == pytest.approx([own.loc[name, "value"]])
        assert abs(np.log2(x[0] / part.bytes[name])) < 0.5, "sideways, but nearer to its size than to any other"
        if name == "float32":  # the reference
            assert not np.size(box[2][0].get_segments())
        else:
            ends = box[2][0].get_segments()[0][:, 1]
            assert ends == pytest.approx([own.loc[name, "ci_low"], own.loc[name, "ci_high"]])
        assert f"{name}  {share(y[0])}" in _texts(figure)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["5 B", "40 B", "160 B"]
    assert ax.get_ylabel() == "overlap@10 with float search (share of 10)"
    assert share(own.loc["offset_int8", "value"]) in figure.get_suptitle()


def test_rescored_results_are_hollow_and_named_as_such(part: Slice) -> None:
    figure = _drawn(tradeoff.overlap_vs_bytes(part))
    lines = {str(line.get_label()): line for line in figure.axes[0].lines}
    again = part.at("overlap", k=10, oversample=4)
    for name in again.index:
        line = lines[f"{name} rescored"]
        assert line.get_markerfacecolor() == "white"
        assert line.get_ydata() == pytest.approx([again.loc[name, "value"]])
    said = _texts(figure)
    assert "rescored \N{MULTIPLICATION SIGN}4 (float32)" in said
    assert "160 B more per vector" in said
    alone = replace(part, metrics=part.metrics[part.metrics["oversample"] == 0])
    assert "rescored" not in _texts(_drawn(tradeoff.overlap_vs_bytes(alone)))


def test_the_front_holds_what_no_other_beats() -> None:
    own = pd.DataFrame({"value": [1.0, 1.0, 0.9, 0.5, 0.7, 0.7], "bytes": [64, 32, 16, 16, 2, 2]})
    assert on_front(own["bytes"], own["value"]).tolist() == [False, True, True, False, True, True]


def test_labels_do_not_overlap(part: Slice) -> None:
    """Also with many variants of one size, and with names from the command line."""
    copies = []
    for at in range(14):
        rows = part.metrics[part.metrics["variant"] == "binary_mean"]
        copies.append(rows.assign(variant=f"binary_mean(threshold=median,copy={at})", value=rows["value"] - at / 500))
    names = [frame["variant"].iloc[0] for frame in copies]
    many = replace(
        part,
        metrics=pd.concat([part.metrics, *copies]),
        bytes={**part.bytes, **dict.fromkeys(names, 5.0)},
        looks=looks_of(
            {**{name: look.family for name, look in part.looks.items()}, **dict.fromkeys(names, "binary")},
            {**{name: look.similarity for name, look in part.looks.items()}, **dict.fromkeys(names, "hamming")},
        ),
    )
    figure = _drawn(tradeoff.overlap_vs_bytes(many))
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 20
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_overlap_by_k_plots_the_tables(part: Slice) -> None:
    figure = _drawn(ranks.overlap_by_k(part))
    bars = _bars(figure)
    for name, box in bars.items():
        x, y = _xy(box)
        assert x == pytest.approx([1, 10], rel=0.05)
        assert y == pytest.approx([part.at("overlap", k=k).loc[name, "value"] for k in (1, 10)])
    assert len(bars) == 6
    tied = part.at("overlap", k=10)
    shaded = sum((tied["high"] - tied["low"] > 0.004) | (part.at("overlap", k=1)["high"] > tied["high"] + 1))
    assert len(figure.axes[0].collections) - len(bars) >= shaded > 0
    assert "range of ties" in _texts(figure)
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["1", "10"]


def test_heatmap_annotates_values_and_shades_losses(part: Slice) -> None:
    figure = _drawn(heatmap.metrics_heatmap(part))
    ax = figure.axes[0]
    rows = [tick.get_text() for tick in ax.get_yticklabels()]
    columns = [tick.get_text() for tick in ax.get_xticklabels()]
    assert rows[0] == "overlap@10 with float search (share of 10)  \N{UPWARDS ARROW}"
    assert rows[2] == ">half lost (share of queries)  \N{DOWNWARDS ARROW}"
    assert columns[0] == "float32"
    assert columns[-1] == "int8_hamming"
    said = [text.get_text() for text in ax.texts]
    assert said.count("skipped") == 1
    first = said[: len(columns) - 1]
    assert first == [number(part.at("overlap", k=10).loc[name, "value"]) for name in columns[:-1]]
    shade = np.ma.filled(ax.collections[0].get_array().astype(float), np.nan).reshape(len(rows), -1)  # pyright: ignore
    assert shade[:, 0] == pytest.approx(0), "float32 is the best of every row"
    assert np.isnan(shade[:, -1]).all()
    assert np.nanmax(shade[0]) == 1
    assert np.nanargmax(shade[0]) == np.argmin([float(x) for x in first])


def test_per_query_bars_hold_all_queries(part: Slice) -> None:
    figure = _drawn(queries.per_query(part))
    ax = figure.axes[0]
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    widths = np.array([[bar.get_width() for bar in box] for box in ax.containers])  # pyright: ignore
    assert widths.sum(axis=0) == pytest.approx(1)
    p = part.per_query
    p = p[(p["metric"] == "overlap") & (p["k"] == 10) & (p["oversample"] == 0)]
    said = _texts(figure)
    for at, name in enumerate(names):
        values = p[p["variant"] == name]["value"]
        assert widths[:2, at].sum() == pytest.approx((values < 0.5 - 1e-9).mean())
        assert widths[4, at] == pytest.approx((values > 1 - 1e-9).mean())
        assert share(values.mean()) in said
    assert share(part.at("overlap", k=10).loc["binary_mean", "value"]) in said


def test_calibration_prints_the_correlation(part: Slice) -> None:
    figure = _drawn(score_scatter.score_calibration(part))
    panels = {ax.get_title("left"): ax for ax in figure.axes if ax.get_visible()}
    assert list(panels) == part.variants
    units = {name: ax.get_ylabel() for name, ax in panels.items()}
    assert units["binary_mean"] == "\N{MINUS SIGN} Hamming distance"
    assert units["offset_int8_raw"] == "cosine of integers"
    pair = part.sampled("pair")["binary_mean"]
    rho = spearmanr(pair["value"].round(12), pair["code"].round(12)).statistic
    assert f"\N{GREEK SMALL LETTER RHO} {rho:.4f}" in panels["binary_mean"].texts[0].get_text()
    assert sum(len(np.asarray(line.get_xdata())) for line in panels["binary_mean"].lines) == len(pair)
    assert "\N{GREEK SMALL LETTER RHO} 1.0000" in panels["float32"].texts[0].get_text()


def test_calibration_tells_near_pairs_from_random_ones(part: Slice) -> None:
    pairs = part.samples["kind"] == "pair"
    near = part.samples.assign(index=np.where(pairs, [i % 2 or np.nan for i in range(len(pairs))], np.nan))
    said = _texts(_drawn(score_scatter.score_calibration(replace(part, samples=near))))
    assert "nearest only" in said
    assert "a document at random" in said


def test_bit_balance_shares_lines_of_equal_bits(part: Slice) -> None:
    figure = _drawn(score_scatter.bit_balance(part))
    lines = {str(line.get_label()): np.asarray(line.get_ydata()) for line in figure.axes[0].lines[:-1]}
    assert set(lines) == {"binary_mean", "binary_zero_decoded, binary_zero"} or set(lines) == {
        "binary_mean",
        "binary_zero, binary_zero_decoded",
    }
    assert lines["binary_mean"] == pytest.approx(np.sort(part.sampled("balance")["binary_mean"]["value"]))
    half = figure.axes[0].lines[-1].get_ydata()
    assert np.asarray(half).tolist() == [0.5, 0.5]


def test_oversampling_keeps_the_code_alone_apart(part: Slice) -> None:
    figure = _drawn(rescoring.oversampling(part))
    assert [ax.get_title("left").replace("\N{NO-BREAK SPACE}", " ") for ax in figure.axes] == ["k = 1", "k = 10"]
    bars = _bars(figure, at=1)
    _, alone = _xy(bars["binary_mean alone"])
    assert alone == pytest.approx([part.at("overlap", k=10).loc["binary_mean", "value"]])
    _, again = _xy(bars["binary_mean"])
    assert again == pytest.approx([part.at("overlap", k=10, oversample=x).loc["binary_mean", "value"] for x in (2, 4)])
    ticks = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert ticks == ["alone", "\N{MULTIPLICATION SIGN}2", "\N{MULTIPLICATION SIGN}4"]
    assert "Not drawn, since always 1.000: float32" in _texts(figure)


def test_vector_figures_show_the_samples(part: Slice) -> None:
    vector = part.sampled("vector")
    rows = vector["binary_mean"].sort_values("index")
    values = rows["value"].to_numpy()
    bars = _drawn(vectors.vector_bars(part)).axes[0].patches[0]
    assert bars.get_data().values == pytest.approx(values)  # pyright: ignore
    histogram = _drawn(vectors.vector_histogram(part))
    assert sum(patch.get_height() for patch in histogram.axes[0].patches) == len(values)  # pyright: ignore
    assert "binary_mean" in _texts(histogram)
    assert ": threshold between" in _texts(histogram)
    int8 = _drawn(vectors.vector_int8(part))
    codes_d = vector["offset_int8"].sort_values("index")["code"]
    assert int8.axes[1].patches[0].get_data().values == pytest.approx(codes_d)  # pyright: ignore
    assert f"as {codes_d.nunique()} different codes" in int8.get_suptitle()
    binary = _drawn(vectors.vector_binary(part))
    assert f"{int(rows['code'].sum())} of 40" in binary.get_suptitle().replace("\n", " ")
    assert binary.axes[1].patches[0].get_data().values == pytest.approx(rows["code"])  # pyright: ignore


def test_long_vectors_are_cut_into_rows(part: Slice) -> None:
    """1,536 bars in one row would be thinner than a pixel."""
    longer = []
    for at in range(39):
        rows = part.samples[part.samples["kind"] == "vector"]
        longer.append(rows.assign(index=rows["index"] + 40 * at))
    wide = replace(part, samples=pd.concat(longer))
    assert len(_drawn(vectors.vector_bars(wide)).axes) == 4
    assert "the first 256 of 1,560 dimensions" in _texts(_drawn(vectors.vector_int8(wide)))
    assert "the first 256 of 1,560 dimensions" in _texts(_drawn(vectors.vector_binary(wide)))


def test_nearest_marks_moves_against_float(part: Slice) -> None:
    figure = _drawn(neighbours.nearest(part))
    panels = {ax.texts[0].get_text(): [text.get_text() for text in ax.texts] for ax in figure.axes if ax.texts}
    assert list(panels) == part.variants
    lists = part.sampled("nearest")
    exact = lists["float32"].sort_values("index")["other"].tolist()
    for name, rows in lists.items():
        said = panels[name]
        ids = rows.sort_values("index")["other"].tolist()
        assert said[2:42:4] == ids
        if name != "float32":
            signs = said[4:44:4]
            assert [sign == "+" for sign in signs] == [x not in exact for x in ids]
            assert [sign == "=" for sign in signs] == [a == b for a, b in zip(ids, exact, strict=True)]
            assert said[-1] == f"{sum(x in exact for x in ids)} of float's top 10"


@pytest.mark.parametrize(
    ("drop", "draw"),
    [
        (["oversample"], rescoring.oversampling),
        (["k"], ranks.overlap_by_k),
        (["balance"], score_scatter.bit_balance),
        (["pair"], score_scatter.score_calibration),
        (["vector"], vectors.vector_bars),
        (["vector"], vectors.vector_histogram),
        (["vector"], vectors.vector_int8),
        (["vector"], vectors.vector_binary),
        (["nearest"], neighbours.nearest),
        (["overlap"], tradeoff.overlap_vs_bytes),
        (["overlap"], ranks.overlap_by_k),
        (["overlap"], rescoring.oversampling),
        (["queries"], queries.per_query),
    ],
)
def test_figures_without_content_are_left_out(
    part: Slice, drop: list[str], draw: Callable[[Slice], Figure | None]
) -> None:
    m, s = part.metrics, part.samples
    for what in drop:
        m = m[(m["oversample"] == 0) | (what != "oversample")]
        m = m[(m["k"] != 1) | (what != "k")]
        m = m[m["metric"] != what]
        s = s[s["kind"] != what]
    q = part.per_query.iloc[:0] if "queries" in drop else part.per_query
    assert draw(replace(part, metrics=m, samples=s, per_query=q)) is None


def test_no_float_variant_to_compare_with(part: Slice) -> None:
    coded = replace(part, metrics=part.metrics[part.metrics["variant"] != "float32"])
    figures = {name: draw(coded) for name, draw in folder.FIGURES.items() if name in ALONE}
    assert None not in figures.values()
    assert "There is no float variant" in _texts(_drawn(figures["nearest"]))
    assert coded.baseline is None


def test_metric_labels_come_from_the_folder(part: Slice) -> None:
    described = {**part.described, "overlap": {**part.described["overlap"], "label": "hits@k", "unit": "of k"}}
    figure = _drawn(tradeoff.overlap_vs_bytes(replace(part, described=described)))
    assert figure.axes[0].get_ylabel() == "hits@10 (of 10)"
    assert part.label("overlap_kept", 10) == "overlap@10 with float search, relative to float search"
    assert part.label("unheard_of", 10) == "unheard_of"


@pytest.mark.slow
def test_across_datasets(several: Path) -> None:
    results = read_results(several)
    parts = slices(results)
    assert [part.dataset for part in parts] == ["other", "offset 2.0", "offset 0.0", "offset 1.0"]
    figure = _drawn(across.overlap_by_dataset(parts, results.meta["config"]))
    apart, joined = figure.axes
    assert apart.get_xticklabels()[0].get_text() == "other\n240\nx 24"
    assert joined.get_xlabel() == "offset"
    x, y = _xy(_bars(figure, at=1)["binary_zero"])
    assert x.tolist() == [0, 1, 2]
    of = {part.dataset: part.at("overlap", k=10).loc["binary_zero", "value"] for part in parts}
    assert y == pytest.approx([of["offset 0.0"], of["offset 1.0"], of["offset 2.0"]])
    assert "differ only in offset" in _texts(figure)
    assert "95 % interval of the mean over queries and seeds" in _texts(figure)


def test_series_are_told_apart_by_what_else_differs() -> None:
    nodes = {
        f"{even}{x}": {"name": "a", "offset": x, "even": even, "n": 5} for even in (True, False) for x in (2, 0, 1)
    }
    nodes["lonely"] = {"offset": 7, "even": True, "n": 6}
    found = find_series({"datasets": nodes}, list(nodes))
    assert [(series.key, series.apart) for series in found] == [("offset", "even = true"), ("offset", "even = false")]
    assert list(found[0].values) == ["True0", "True1", "True2"]
    (alone,) = find_series({"datasets": nodes}, [name for name in nodes if name.startswith("True")])
    assert alone.apart == ""
    assert find_series({"datasets": nodes}, ["True0", "True1"]) == []
    assert find_series([{"dataset": {}}], ["a", "b"]) == []


def test_several_seeds_are_shown_together(several: Path) -> None:
    results = read_results(several)
    part, m = slices(results)[0], results.metrics
    rows = m[(m["dataset"] == "other") & (m["variant"] == "binary_mean") & (m["metric"] == "overlap")]
    assert rows["seed"].tolist() == ["0", "1", "all"]
    shown = part.at("overlap", k=10).loc["binary_mean"]
    assert shown["value"] == pytest.approx(rows["value"].iloc[:2].mean())
    assert shown["ci_low"] == rows["ci_low"].iloc[2]
    assert "mean over 2 seeds" in _texts(_drawn(heatmap.metrics_heatmap(part)))
    assert "the first of 2 seeds" in _texts(_drawn(neighbours.nearest(part)))
    assert "all queries of 2 seeds" in _texts(_drawn(queries.per_query(part)))
    assert len(part.sampled("vector")["binary_mean"]) == 24


def test_draw_all_writes_deterministic_files_and_clears_old_ones(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = ("overlap_vs_bytes", "vector_bars", "nearest")
    monkeypatch.setattr(folder, "FIGURES", {name: folder.FIGURES[name] for name in some})
    settings = dict(mpl.rcParams)
    target = tmp_path / "run"
    shutil.copytree(made, target, ignore=shutil.ignore_patterns("cells", "figures"))
    (target / "figures").mkdir()
    for name in ("overlap_by_dataset.png", "mine.png"):
        (target / "figures" / name).write_bytes(b"old")
    with Progress(disable=True) as progress:
        drawn = folder.draw_all(read_results(target), progress)
        assert [task.completed for task in progress.tasks] == [len(some)]
    assert {path.name for path in drawn} == {name + end for name in some for end in (".png", ".svg")}
    assert {path.name for path in (target / "figures").iterdir()} == {"mine.png", *(path.name for path in drawn)}
    assert dict(mpl.rcParams) == settings
    svg = (target / "figures" / "nearest.svg").read_text("utf-8")
    assert "<dc:date>" not in svg
    assert ">binary_zero_decoded</text>" in svg
    before = {path: path.read_bytes() for path in drawn}
    with Progress(disable=True) as progress:
        folder.draw_all(read_results(target), progress)
    assert before == {path: path.read_bytes() for path in drawn}


@pytest.mark.parametrize("listed", [False, True])
def test_the_config_may_name_the_figures(made: Path, tmp_path: Path, listed: bool) -> None:
    """The config of a multirun is a list of its jobs' configs."""
    shutil.copytree(made, tmp_path / "run", ignore=shutil.ignore_patterns("cells", "figures"))
    meta = json.loads((tmp_path / "run" / "meta.json").read_text("utf-8"))
    config = meta["config"] | {"figures": ["overlap_vs_bytes"]}
    (tmp_path / "run" / "meta.json").write_text(json.dumps(meta | {"config": [config, config] if listed else config}))
    with Progress(disable=True) as progress:
        drawn = folder.draw_all(read_results(tmp_path / "run"), progress)
    assert [path.name for path in drawn] == ["overlap_vs_bytes.png", "overlap_vs_bytes.svg"]


def test_several_datasets_get_names_of_their_own(several: Path) -> None:
    results = read_results(several)
    names = [name for _, name, _ in folder._plan(results, slices(results))]
    assert names[0] == "overlap_by_dataset"
    assert "overlap_vs_bytes-offset-2.0" in names
    assert len(set(names)) == len(names) == 1 + 4 * len(ALONE | LARGE)


def test_nothing_to_draw(made: Path, tmp_path: Path) -> None:
    """Every variant failed: no figure, and those of before are gone."""
    copied(made, tmp_path / "run")
    metrics = pd.read_csv(made / "metrics.csv")
    metrics[metrics["status"] == "skipped"].to_csv(tmp_path / "run" / "metrics.csv", index=False)
    (tmp_path / "run" / "figures").mkdir(exist_ok=True)
    (tmp_path / "run" / "figures" / "nearest.png").write_bytes(b"old")
    with Progress(disable=True) as progress:
        assert folder.draw_all(read_results(tmp_path / "run"), progress) == []
    assert not (tmp_path / "run" / "figures" / "nearest.png").exists()


def test_ids_are_text_not_formulas(part: Slice) -> None:
    strange = part.samples.assign(other="$a_b$ \N{CJK UNIFIED IDEOGRAPH-4E2D}", id="100 % $x$")
    figure = _drawn(neighbours.nearest(replace(part, samples=strange)))
    assert "$a_b$" in _texts(figure)
    assert "100 % $x$" in figure.get_suptitle().replace("\N{NO-BREAK SPACE}", " ")


def test_labels_are_spread_and_stay_in_order() -> None:
    placed = spread([0.5, 0.51, 0.5, 0.9], [0.1] * 4, 0, 1)
    assert np.diff(np.sort(placed)).min() >= 0.1 - 1e-12
    assert placed.argsort().tolist() == [0, 2, 1, 3]
    assert placed[3] == pytest.approx(0.9)
    assert placed[:3].mean() == pytest.approx(np.mean([0.5, 0.51, 0.5]))
    assert spread([0, 0], [0.1, 0.3], 0, 1) == pytest.approx([0, 0.2])
    assert spread([], [], 0, 1).size == 0
    figure = canvas(3, "t", "r", "a")
    ax = figure.subplots()
    beside(ax, [Label(1, 0.5, "a", "k"), Label(1, 0.5, "b", "k")], 2.5)
    figure.draw_without_rendering()
    a, b = (text.get_window_extent() for text in ax.texts)
    assert a.x0 > ax.get_window_extent().x1
    assert not a.overlaps(b)


@pytest.mark.parametrize(
    ("name", "bytes_per_dimension", "is_binary", "family"),
    [
        ("float16", 2, False, "float"), ("offset_int8", 1, False, "int8"), ("mine", 1.02, False, "int8"),
        ("binary_mean", 0.125, True, "binary"), ("my_bits", 0.2, True, "binary"), ("pq_48", 0.125, False, "other"),
        ("int4", 0.5, False, "other"), ("plain", 8, False, "float"),
    ],
)  # fmt: skip
def test_families(name: str, bytes_per_dimension: float, is_binary: bool, family: str) -> None:
    assert family_of(name, bytes_per_dimension, is_binary) == family


def test_numbers_are_written_for_people() -> None:
    assert [number(x) for x in (0, 1, 0.0336, 5.2e-6, -0.15)] == ["0", "1.000", "0.034", "5e\u22126", "\u22120.150"]
    assert [size(x) for x in (48, 1536, 0.5)] == ["48 B", "1,536 B", "0.5 B"]
    assert share(0.003) == "0.003"


def test_figures_know_neither_data_nor_hydra() -> None:
    """A pure function of the results folder: nothing that could compute a number again."""
    barred = {
        "hydra",
        "omegaconf",
        "vqbench.datasets",
        "vqbench.quantizers",
        "vqbench.search",
        "vqbench.experiment",
    }
    for path in Path(folder.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if any(name == x or name.startswith(x + ".") for x in barred)], path
            assert "matplotlib.pyplot" not in names, path
