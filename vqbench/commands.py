"""The commands beside the sweep: nearest, figures, scale, cache."""

from __future__ import annotations

import argparse
from pathlib import Path

from vqbench.plan import Options
from vqbench.terminal import console, progress_bar


def nearest(arguments: list[str]) -> int:
    """The neighbours of one row under each variant, side by side."""
    from vqbench.nearest import neighbours, show

    parser = argparse.ArgumentParser(
        prog="vqbench nearest", description="The rows most similar to one row, under each variant."
    )
    parser.add_argument("title", help="an id of the dataset, or how it begins")
    parser.add_argument("--dataset", default="movies", metavar="D", help="a dataset of conf/dataset, or a file")
    parser.add_argument("--ids", help="ids of the rows, one a line, where the dataset is a file")
    parser.add_argument("--top", type=int, default=10)
    parser.add_argument(
        "--quantizer", default="float32,offset_int8_raw,binary_mean", help="variants, separated by commas"
    )
    given = parser.parse_args(arguments)
    with progress_bar() as progress:
        found = neighbours(given.title, given.dataset, given.ids, given.quantizer.split(","), given.top, progress)
    show(found, console())
    return 0


def figures(arguments: list[str]) -> int:
    """Draw the figures of a results folder again."""
    from vqbench.figures.folder import draw_all

    parser = argparse.ArgumentParser(prog="vqbench figures")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(arguments).folder
    with progress_bar() as progress:
        drawn = draw_all(folder, progress)
    console().print(f"{len(drawn)} figures in [bold]{folder / 'figures'}[/bold]")
    return 0


def scale(arguments: list[str]) -> int:
    """What overlap will be at a size that was not measured, from a results folder with nested subsamples."""
    from vqbench.scaling.show import show
    from vqbench.store import read_results

    parser = argparse.ArgumentParser(
        prog="vqbench scale", description="Overlap at another corpus size, with an interval, and whether to trust it."
    )
    parser.add_argument("folder", type=Path, help="a results folder with two or more sizes of one corpus")
    parser.add_argument("--n", type=_rows, required=True, metavar="ROWS", help="the size, as in 10_000_000")
    parser.add_argument("--k", type=int, help="ranks; 10 if it was measured, or else the largest")
    given = parser.parse_args(arguments)
    show(read_results(given.folder), given.n, given.k, console())
    return 0


def _rows(text: str) -> int:
    """A number of rows: 10000000, 10_000_000, 10,000,000."""
    try:
        return int(text.replace(",", ""))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number, as in 10_000_000") from None


def cache(arguments: list[str]) -> int:
    """``cache clear``: delete the cached float results. ``cache``: say where they are."""
    parser = argparse.ArgumentParser(prog="vqbench cache")
    parser.add_argument("action", nargs="?", choices=["clear"])
    parser.add_argument("--cache", default="auto", metavar="DIR", help="the folder, if not the user's")
    given = parser.parse_args(arguments)
    folder = Options(cache=given.cache).cache_folder
    files = [] if folder is None else sorted(folder.glob("truth-*.npz"))
    size = sum(file.stat().st_size for file in files) / 2**20
    if given.action == "clear":
        for file in files:
            file.unlink(missing_ok=True)
    done = "deleted" if given.action == "clear" else "held"
    console().print(f"{len(files)} float results, {size:.1f} MiB, {done} in {folder}", soft_wrap=True)
    return 0
