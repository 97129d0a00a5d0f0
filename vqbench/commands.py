"""The commands beside the sweep."""

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


def compare(arguments: list[str]) -> int:
    """Two results folders: 0 where quality held, 1 where it fell."""
    from vqbench.compare import compare as compared
    from vqbench.compared import as_json, show
    from vqbench.store import read_results

    parser = argparse.ArgumentParser(
        prog="vqbench compare",
        description="Did quality fall from BEFORE to AFTER? Exit status: 0 no, 1 yes, 2 they cannot be compared.",
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--metric", default="overlap", metavar="NAME", help="a metric of both (overlap)")
    parser.add_argument("--max-drop", type=float, default=0.01, metavar="X", help="so much may be lost (0.01)")
    parser.add_argument("--confidence", type=float, default=0.95, metavar="P", help="how sure a fall must be (0.95)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    outcome = compared(
        read_results(given.before), read_results(given.after),
        metric=given.metric, max_drop=given.max_drop, confidence=given.confidence,
    )  # fmt: skip
    if given.json:
        print(as_json(outcome))
    else:
        show(outcome, str(given.before), str(given.after), console())
    return int(outcome.worse)


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
