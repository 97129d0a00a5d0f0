"""Commands that read results folders."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.markup import escape

from vqbench.cli.commands.parser import Parser, whole
from vqbench.cli.console import console, progress_bar
from vqbench.errors import VqbenchError
from vqbench.text import shown


def recommend(arguments: list[str]) -> int:
    """The cheapest setting that meets a target, for each dataset. 1 where one of them has none."""
    from vqbench.analysis.recommend import recommend
    from vqbench.cli.screens import recommend as screen
    from vqbench.experiment.config.compose import names
    from vqbench.experiment.config.targets import conf_folder
    from vqbench.results.folder import read_results

    given = _recommend_parser().parse_args(arguments)
    results, shipped = read_results(given.folder), names(conf_folder(), "quantizer")
    found, mistakes = [], []
    for dataset in [given.dataset] if given.dataset else results.meta["datasets"]:
        try:
            rec = recommend(
                results,
                dataset=dataset,
                target=given.recall,
                k=given.k,
                metric=given.metric,
                n=given.n,
                floats=given.floats,
                max_bytes=given.max_bytes,
            )
            found.append(rec)
        except VqbenchError as error:  # a dataset on which nothing ran must not hide the others
            mistakes.append(error)
    if not found:
        raise mistakes[0]
    for error in mistakes:
        print(f"vqbench: {shown(str(error))}", file=sys.stderr)
    if given.json:
        plain = [screen.as_json(results, rec, shipped) for rec in found]
        print(json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        for rec in found:
            screen.show(results, rec, console(), shipped)
    return int(bool(mistakes) or any(rec.chosen is None for rec in found))


def compare(arguments: list[str]) -> int:
    """Two results folders: 0 where quality held, 1 where it fell."""
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
    parser.add_argument("--max-drop", type=float, default=0.01, metavar="X", help="so much may be lost (0.01)")
    parser.add_argument("--confidence", type=float, default=0.95, metavar="P", help="how sure a fall must be (0.95)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--common", action="store_true", help="what only BEFORE has is no loss")
    given = parser.parse_args(arguments)
    outcome = compared(
        read_results(given.before),
        read_results(given.after),
        metric=given.metric,
        max_drop=given.max_drop,
        confidence=given.confidence,
        common=given.common,
    )
    if given.json:
        print(as_json(outcome))
    else:
        show(outcome, str(given.before), str(given.after), console())
    return int(outcome.worse)


def scale(arguments: list[str]) -> int:
    """What overlap will be at a size that was not measured, from a results folder with nested subsamples."""
    from vqbench.analysis.scaling.show import show
    from vqbench.results.folder import read_results

    parser = Parser(
        prog="vqbench scale", description="Overlap at another corpus size, with an interval, and whether to trust it."
    )
    parser.add_argument("folder", type=Path, help="a results folder with two or more sizes of one corpus")
    parser.add_argument("--n", type=whole, required=True, metavar="ROWS", help="the size, as in 10_000_000")
    parser.add_argument("--k", type=int, help="ranks; 10 if it was measured, or else the largest")
    given = parser.parse_args(arguments)
    show(read_results(given.folder), given.n, given.k, console())
    return 0


def report(arguments: list[str]) -> int:
    """Make report.html of a results folder again, or one report of several."""
    from vqbench.report.page import write_report
    from vqbench.results.folder import read_results

    parser = Parser(
        prog="vqbench report", description="One self-contained HTML page of one results folder, or of several."
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="as in results/wordnet or results/*")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to (default: report.html in the one folder)")
    given = parser.parse_args(arguments)
    several, mistakes = [], []
    for folder in given.folders:
        try:
            several.append(read_results(folder))
        except VqbenchError as error:
            mistakes.append(error)
    if not several:
        raise mistakes[0]
    for error in mistakes:
        print(f"vqbench: left out: {shown(str(error))}", file=sys.stderr)
    out = write_report(*several, out=given.out)
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
    parser.add_argument("folder", type=Path, help="a results folder, as in results/wordnet")
    parser.add_argument("--recall", type=float, default=0.95, metavar="T", help="the target (default: 0.95)")
    parser.add_argument("--k", type=int, help="of the first k (default: 10, or else the largest measured)")
    parser.add_argument("--metric", default="overlap", help="what the target is for (default: overlap)")
    parser.add_argument("--max-bytes", type=float, metavar="B", help="at most so many bytes of memory a vector")
    parser.add_argument("--n", type=whole, help="vectors to be stored, as in 10_000_000 (default: those measured)")
    parser.add_argument("--floats", choices=["disk", "ram"], default="disk", help="where rescoring reads the floats")
    parser.add_argument("--dataset", metavar="D", help="only this one of the folder's datasets")
    parser.add_argument("--json", action="store_true", help="print JSON instead")
    return parser
