"""Commands that read results folders."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.markup import escape

from vqbench.cli.commands.parser import Parser, whole
from vqbench.cli.console import console, progress_bar
from vqbench.errors import VqbenchError
from vqbench.text import shown


def recommend(arguments: list[str]) -> int:
    """Print the cheapest setting that reaches a target, for each dataset. Returns 1 where one of them has none."""
    from vqbench.analysis.recommend import recommend
    from vqbench.cli.screens import recommend as screen
    from vqbench.cli.screens.fit_width import json_text
    from vqbench.experiment.config.folders import config_names
    from vqbench.results.folder import read_results

    options = _recommend_parser().parse_args(arguments)
    results, shipped = read_results(options.folder), config_names("quantizer")
    recommendations, mistakes = [], []
    for dataset in [options.dataset] if options.dataset else results.meta["datasets"]:
        try:
            rec = recommend(
                results,
                dataset=dataset,
                target=options.keep,
                k=options.k,
                metric=options.metric,
                n=options.n,
                floats=options.floats,
                max_bytes=options.max_bytes,
            )
            recommendations.append(rec)
        except VqbenchError as error:  # a dataset on which nothing ran must not hide the others
            mistakes.append(error)
    if not recommendations:
        raise mistakes[0]
    for error in mistakes:
        print(f"vqbench: {shown(str(error))}", file=sys.stderr)
    if options.json:
        print(json_text([screen.as_json(results, rec, shipped) for rec in recommendations]))
    else:
        for rec in recommendations:
            screen.show(results, rec, console(), shipped)
    return int(bool(mistakes) or any(rec.chosen is None for rec in recommendations))


def compare(arguments: list[str]) -> int:
    """Compare two results folders. Returns 0 where quality held, 1 where it fell."""
    from vqbench.analysis.compare import compare as compared
    from vqbench.cli.screens.compare import as_json, show
    from vqbench.results.folder import read_results

    parser = Parser(
        prog="vqbench compare",
        description="Did quality fall from BEFORE to AFTER? Exit status: 0 no, 1 yes, 2 they cannot be compared.",
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--metric", default="overlap", metavar="NAME", help="a metric of both (overlap)")
    parser.add_argument(
        "--max-drop", type=float, default=0.01, metavar="X", help="the largest loss that is accepted (0.01)"
    )
    parser.add_argument(
        "--confidence", type=float, default=0.95, metavar="P", help="confidence that quality fell (0.95)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--common", action="store_true", help="ignore what only BEFORE has")
    options = parser.parse_args(arguments)
    outcome = compared(
        read_results(options.before),
        read_results(options.after),
        metric=options.metric,
        max_drop=options.max_drop,
        confidence=options.confidence,
        common=options.common,
    )
    if options.json:
        print(as_json(outcome))
    else:
        show(outcome, str(options.before), str(options.after), console())
    return int(outcome.worse)


def scale(arguments: list[str]) -> int:
    """Predict overlap at a size that was not measured, from a results folder with nested subsamples."""
    from vqbench.cli.screens.scale import show
    from vqbench.results.folder import read_results

    parser = Parser(
        prog="vqbench scale", description="Overlap at another corpus size, with an interval, and whether to trust it."
    )
    parser.add_argument("folder", type=Path, help="a results folder with two or more sizes of one corpus")
    parser.add_argument("--n", type=whole, required=True, metavar="ROWS", help="the size, as in 10_000_000")
    parser.add_argument("--k", type=int, help="ranks; 10 if it was measured, or else the largest")
    options = parser.parse_args(arguments)
    show(read_results(options.folder), options.n, options.k, console())
    return 0


def report(arguments: list[str]) -> int:
    """Write report.html of a results folder again, or one report of several."""
    from vqbench.report.page import write_report
    from vqbench.results.folder import read_results

    parser = Parser(
        prog="vqbench report", description="One self-contained HTML page of one results folder, or of several."
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="as in results/mine or results/*")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to (default: report.html in the one folder)")
    options = parser.parse_args(arguments)
    several, mistakes = [], []
    for folder in options.folders:
        try:
            several.append(read_results(folder))
        except VqbenchError as error:
            mistakes.append(error)
    if not several:
        raise mistakes[0]
    for error in mistakes:
        print(f"vqbench: left out: {shown(str(error))}", file=sys.stderr)
    out = write_report(*several, out=options.out)
    console().print(f"Written to [bold]{escape(str(out))}[/bold]", soft_wrap=True)
    return 0


def figures(arguments: list[str]) -> int:
    """Draw the figures of a results folder again."""
    from vqbench.report.figures.folder import draw_all
    from vqbench.results.folder import read_results

    parser = Parser(prog="vqbench figures")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(arguments).folder
    with progress_bar() as progress:
        drawn = draw_all(read_results(folder), progress)
    console().print(f"{len(drawn)} figures in [bold]{escape(str(folder / 'figures'))}[/bold]")
    return 0


def _recommend_parser() -> Parser:
    parser = Parser(
        prog="vqbench recommend",
        description="The cheapest setting whose lower bound meets a target. Exit status 1 where a dataset has none.",
    )
    parser.add_argument("folder", type=Path, help="a results folder, as in results/mine")
    parser.add_argument("--keep", type=float, default=0.95, metavar="T", help="the target (default: 0.95)")
    parser.add_argument("--k", type=int, help="of the first k (default: 10, or else the largest measured)")
    parser.add_argument("--metric", default="overlap", help="what the target is for (default: overlap)")
    parser.add_argument("--max-bytes", type=float, metavar="B", help="most bytes of memory per vector")
    parser.add_argument("--n", type=whole, help="vectors to store, as in 10_000_000 (default: those measured)")
    parser.add_argument("--floats", choices=["disk", "ram"], default="disk", help="where rescoring reads the floats")
    parser.add_argument("--dataset", metavar="D", help="only this one of the folder's datasets")
    parser.add_argument("--json", action="store_true", help="print JSON instead")
    return parser
