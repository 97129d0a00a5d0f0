"""Figures for sweeps over many variants: what they say against the tables they were drawn from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from rich.progress import Progress

from vqbench.experiment.plan import make_plan
from vqbench.experiment.run import run
from vqbench.report.figures.calibration import DRAWS, calibration
from vqbench.report.figures.figure_data import Slice, on_front, slices
from vqbench.report.figures.frontier import families_of, frontier
from vqbench.report.figures.overlap_bars import overlap_by_variant
from vqbench.report.figures.style import below, canvas, drawing, size
from vqbench.results.assemble import assemble
from vqbench.results.folder import read_results
from vqbench.text import share

Q = "vqbench.quantizers."


def _scalar(bits: int, **more: Any) -> dict[str, Any]:
    fields = {"_target_": f"{Q}scalar.Scalar", "bits": bits, "range": "minmax", "scope": "dimension"}
    return {"quantizer": fields, **more}


VARIANTS = {
    "float32": {"quantizer": {"_target_": f"{Q}cast.Cast", "dtype": "float32"}},
    "bits": {"quantizer": {"_target_": f"{Q}binary.Binary"}, "similarity": "hamming"},
    **{f"grid{bits}": _scalar(bits) for bits in (2, 4, 6, 8)},
    **{f"coarse_{draw}_{rows}": _scalar(3, calibration=rows, draw=draw) for draw in DRAWS for rows in (8, 32, 128)},
    "coarse": _scalar(3),
}


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Slice:
    data = {"_target_": "vqbench.datasets.synthetic.Synthetic", "n": 300, "d": 32, "queries": 40, "clusters": 8}
    config = {
        "datasets": {"small": data}, "quantizer": VARIANTS, "k": [10], "oversample": [0, 2], "seed": 0, "cache": "off",
        "doctor": False,
        "metric": {"overlap": {"_target_": "vqbench.metrics.overlap.Overlap"}},
        "out": str(tmp_path_factory.mktemp("large")),
    }  # fmt: skip
    with Progress(disable=True) as progress:
        folder: Path = assemble([run(make_plan(config), progress)])
    (found,) = slices(read_results(folder))
    return found


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with drawing():
        yield


def _drawn(figure: Figure | None) -> Figure:
    assert figure is not None
    figure.draw_without_rendering()
    return figure


def _bars(figure: Figure, at: int = 0) -> dict[str, ErrorbarContainer]:
    return {str(box.get_label()): box for box in figure.axes[at].containers if isinstance(box, ErrorbarContainer)}


def _texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)]


def test_families_are_names_that_differ_in_their_last_number() -> None:
    bits = {"rabitq1": 1.3, "rabitq4": 4.3, "rabitq8": 8.3, "pq0_5": 0.5, "pq1": 1, "pq2": 2, "a_8_x": 1, "a_9_x": 2}
    assert families_of(bits) == {"rabitq": ["rabitq1", "rabitq4", "rabitq8"], "pq": ["pq0_5", "pq1", "pq2"]}
    assert families_of({"int8_pca_48": 1, "int8_pca_96": 2, "int4_pca_96": 1, "int8_pca_9": 1}) == {}


def test_the_frontier_joins_the_sizes_of_a_family(part: Slice) -> None:
    figure = _drawn(frontier(part))
    own = part.at("overlap", k=10)
    bars = _bars(figure)
    assert "grid" in bars
    x, y = (np.asarray(values) for values in bars["grid"][0].get_data())
    names = ["grid2", "grid4", "grid6", "grid8"]
    assert x.tolist() == [8 * part.bytes[name] / 32 for name in names]
    assert np.floor(x).tolist() == [2, 4, 6, 8], "the range of each dimension, stored once, is spread over 300 rows"
    assert y == pytest.approx(own.loc[names, "value"])
    assert "grid" in _texts(figure)


def test_nothing_smaller_and_better_than_the_front(part: Slice) -> None:
    own = part.overlap()
    own = own.assign(bits=own["bytes"] / 4)
    front = own.index[on_front(own["bytes"], own["value"])]
    assert "float32" in front
    for name, row in own.iterrows():
        beaten = ((own["bits"] <= row["bits"]) & (own["value"] >= row["value"]) & (own.index != name)).any()
        if name not in front:
            assert beaten, name
        else:
            assert not ((own["bits"] <= row["bits"]) & (own["value"] > row["value"])).any(), name


def test_one_line_a_variant_with_its_value_and_size(part: Slice) -> None:
    figure = _drawn(overlap_by_variant(part))
    own, said = part.at("overlap", k=10), _texts(figure)
    bars = _bars(figure)
    for name in VARIANTS:
        (x,), (y,) = bars[name][0].get_data()
        assert x == pytest.approx(own.loc[name, "value"])
        assert share(float(own.loc[name, "value"])) in said
        assert size(part.bytes[name]) in said
        label = figure.axes[0].get_yticklabels()[int(y)].get_text()
        assert label == name
    ordered = [part.bytes[text.get_text()] for text in figure.axes[0].get_yticklabels()]
    assert ordered == sorted(ordered, reverse=True)


def test_calibration_has_a_panel_for_each_way_of_drawing(part: Slice) -> None:
    figure = _drawn(calibration(part))
    own = part.at("overlap", k=10)
    assert [ax.get_title(loc="left") for ax in figure.axes] == list(DRAWS.values())
    for at, draw in enumerate(DRAWS):
        x, y = (np.asarray(values) for values in _bars(figure, at)["coarse"][0].get_data())
        assert x.tolist() == [8, 32, 128, 300], draw
        names = [f"coarse_{draw}_{rows}" for rows in (8, 32, 128)]
        assert y == pytest.approx(own.loc[[*names, "coarse"], "value"])


def test_a_small_sweep_has_none_of_them(part: Slice) -> None:
    from dataclasses import replace

    few = replace(part, metrics=part.metrics[part.metrics["variant"].isin(["float32", "bits", "grid2", "coarse"])])
    assert frontier(few) is None
    assert overlap_by_variant(few) is None
    assert calibration(few) is None


def test_a_legend_never_leaves_the_figure() -> None:
    """Also with long entries, as many as there are."""
    figure = canvas(3, "Title", "How to read it", "About it")
    figure.subplots()
    below(figure, [Line2D([], [], label=f"{at}: what an entry of some length says of a marker") for at in range(6)])
    figure.draw_without_rendering()
    (box,) = figure.legends
    assert box.get_window_extent().x1 <= figure.bbox.x1
