"""All figures of a results folder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure
from rich.progress import Progress

from vqbench.analysis.scaling.curves import nested
from vqbench.errors import VqbenchError
from vqbench.report.figures.across import overlap_by_dataset
from vqbench.report.figures.calibration import calibration
from vqbench.report.figures.differences import differences
from vqbench.report.figures.engines import engine_bytes, engine_overlap
from vqbench.report.figures.figure_data import Slice, slices
from vqbench.report.figures.frontier import frontier
from vqbench.report.figures.heatmap import metrics_heatmap
from vqbench.report.figures.neighbours import nearest
from vqbench.report.figures.overlap_bars import overlap_by_variant
from vqbench.report.figures.queries import per_query
from vqbench.report.figures.ranks import overlap_by_k
from vqbench.report.figures.rescoring import oversampling
from vqbench.report.figures.scale import scale
from vqbench.report.figures.score_scatter import bit_balance, score_calibration
from vqbench.report.figures.style import DPI, drawing
from vqbench.report.figures.tradeoff import overlap_vs_bytes
from vqbench.report.figures.vectors import vector_bars, vector_binary, vector_histogram, vector_int8
from vqbench.results.folder import Results
from vqbench.storage.atomic import faults, write_together
from vqbench.text import check_no_links, did_you_mean, distinct

#: In the order in which a reader wants them.
FIGURES: dict[str, Callable[[Slice], Figure | None]] = {
    "overlap_vs_bytes": overlap_vs_bytes,
    "frontier": frontier,
    "overlap_by_variant": overlap_by_variant,
    "differences": differences,
    "calibration": calibration,
    "overlap_by_k": overlap_by_k,
    "metrics_heatmap": metrics_heatmap,
    "per_query": per_query,
    "score_calibration": score_calibration,
    "bit_balance": bit_balance,
    "oversampling": oversampling,
    "vector_bars": vector_bars,
    "vector_histogram": vector_histogram,
    "vector_int8": vector_int8,
    "vector_binary": vector_binary,
    "nearest": nearest,
    "engine_overlap": engine_overlap,
    "engine_bytes": engine_bytes,
}
ACROSS = "overlap_by_dataset"
SCALE = "scale"
#: Formats of the figures beside a results folder's tables.
FORMATS = ("png", "svg")
_DATE = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}  # left out: equal results give equal bytes


def check_names(chosen: object) -> None:
    """Raise VqbenchError where ``chosen``, a name or a list of them, names a figure that is not drawn."""
    names = [*FIGURES, ACROSS, SCALE]
    for name in chosen if isinstance(chosen, list) else [chosen]:
        if name not in names:
            raise VqbenchError(f"figures = {name}: no such figure; {did_you_mean(str(name), names)}")


def draw_all(
    results: Results, progress: Progress, *, folder: Path | None = None, formats: Sequence[str] = FORMATS
) -> list[Path]:
    """Draw the figures that the config names and the tables allow.

    Args:
        results: What was measured.
        progress: Shows a bar.
        folder: Where to; by default ``figures/`` of the results' folder, where a figure of an earlier run that is not
            drawn again is deleted.
        formats: Those of matplotlib, as in ``("pdf",)``.

    Returns:
        The paths written.

    Raises:
        VqbenchError: The folder lacks the tables of single queries and samples, or there is no such format.
    """
    check_no_links(results.folder)
    known = FigureCanvasBase.get_supported_filetypes()
    for name in formats:
        if name not in known:
            raise VqbenchError(f"format = {name}: figures have no such format; {did_you_mean(name, known)}")
    lacking = results.samples.empty or results.per_query.empty
    if lacking and (results.metrics["status"] == "ok").any():  # or the figures made from them would be deleted
        raise VqbenchError(
            f"{results.folder}: has no samples.parquet or per_query.parquet, which figures need: run vqbench again"
        )
    plan = list(_plan(results, slices(results)))
    wanted = [(name, draw) for figure, name, draw in plan if _wanted(results, figure)]
    task = progress.add_task("figures", total=len(wanted))
    drawn: list[Path] = []
    for name, draw in wanted:
        with drawing():
            figure = draw()
            drawn += [] if figure is None else save(figure, (folder or results.folder / "figures") / name, formats)
        progress.advance(task)
    if folder is None:
        _remove_others(results.folder, {*FIGURES, ACROSS, SCALE, *(name for _, name, _ in plan)}, drawn)
    return drawn


def _remove_others(folder: Path, names: Iterable[str], drawn: Collection[Path]) -> None:
    """Remove figures of earlier runs."""
    for path in (folder / "figures" / f"{name}.{each}" for name in names for each in FORMATS):
        if path not in drawn:
            with faults(path):
                path.unlink(missing_ok=True)


def _wanted(results: Results, figure: str) -> bool:
    """``figures`` in the config: true for all, or a list of names. A multirun's jobs share it."""
    config = results.meta["config"]
    chosen = (config[0] if isinstance(config, list) else config).get("figures", True)
    return figure in chosen if isinstance(chosen, list) else True


def _plan(results: Results, parts: list[Slice]) -> Iterator[tuple[str, str, Callable[[], Figure | None]]]:
    """Figures, their file names without ending, and how to draw each."""
    if len(parts) > 1:
        yield ACROSS, ACROSS, partial(overlap_by_dataset, parts, results.meta["config"])
    groups = nested(results)
    for group, own in zip(groups, distinct(group.name for group in groups), strict=True):
        yield SCALE, SCALE + (f"-{own}" if len(groups) > 1 else ""), partial(scale, results, parts, group)
    several = results.metrics["dataset"].nunique() > 1
    for part, own in zip(parts, distinct(part.dataset for part in parts), strict=True):
        for name, draw in FIGURES.items():
            yield name, name + (f"-{own}" if several else ""), partial(draw, part)


def save(figure: Figure, stem: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write a figure in each format, without a date: the same results give the same bytes."""
    paths = [stem.with_name(f"{stem.name}.{each}") for each in formats]
    # Laid out here: savefig would lay it out again for each file.
    figure.set_dpi(DPI)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)
    write_together(
        {
            path: lambda temporary: figure.savefig(temporary, dpi=DPI, metadata=_DATE.get(temporary.suffix))
            for path in paths
        }
    )
    return paths
