"""Commands that read results folders."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.markup import escape

from vqbench.cli.commands.parser import Parser
from vqbench.cli.console import console, progress_bar
from vqbench.errors import VqbenchError
from vqbench.text import shown


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
    options = parser.parse_intermixed_args(arguments)
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


def report(arguments: list[str]) -> int:
    """Write report.html of a results folder again, or one report of several."""
    from vqbench.report.page import write_report
    from vqbench.results.folder import read_results

    parser = Parser(
        prog="vqbench report", description="One self-contained HTML page of one results folder, or of several."
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="as in results/mine or results/*")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to (default: report.html in the one folder)")
    options = parser.parse_intermixed_args(arguments)
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
    folder = parser.parse_intermixed_args(arguments).folder
    with progress_bar() as progress:
        drawn = draw_all(read_results(folder), progress)
    console().print(f"{len(drawn)} figures in [bold]{escape(str(folder / 'figures'))}[/bold]")
    return 0
