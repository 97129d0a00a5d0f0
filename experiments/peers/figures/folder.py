"""All figures of a timed comparison."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from experiments.peers.figures.linear import linear
from experiments.peers.figures.memory import memory
from experiments.peers.figures.searches import searches
from experiments.peers.table import AGAIN, read_meta
from vqbench.errors import VqbenchError
from vqbench.report.figures.folder import save
from vqbench.report.figures.style import drawing
from vqbench.results.folder import check_tables

FIGURES: dict[str, Callable[[Path, dict[str, Any]], Figure | None]] = {
    "peers": searches,
    "linear": linear,
    "memory": memory,
}


def draw_all(folder: Path) -> list[Path]:
    """Draw what the tables of ``folder`` allow, as PNG and SVG; figures that no table supports are deleted.

    Raises:
        VqbenchError: the folder holds no comparison, or its tables are not those of meta.json.
    """
    meta = read_meta(folder)
    if meta is None:
        raise VqbenchError(f"{folder}: holds no timed comparison: name its parts, as in parts=[hamming]")
    check_tables(folder, meta, AGAIN)
    paths: list[Path] = []
    for name, draw in FIGURES.items():
        with drawing():
            figure = draw(folder, meta)
            if figure is not None:
                paths += save(figure, folder / "figures" / name)
    for old in (folder / "figures" / f"{name}.{ending}" for name in FIGURES for ending in ("png", "svg")):
        if old not in paths:
            old.unlink(missing_ok=True)
    return paths
