"""Commands that take vectors or a results folder: vectors are measured first, as far as they have not been."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from rich.markup import escape

from vqbench.cli.commands.parser import Parser, whole
from vqbench.cli.commands.words import holds_results, is_setting, settings_of
from vqbench.cli.console import console, progress_bar
from vqbench.errors import VqbenchError
from vqbench.experiment.plan import Plan
from vqbench.results.folder import Results
from vqbench.text import expanded, shortened, shown

_WORDS = "a results folder, as in results/mine; or vectors and settings, as for a run, which is carried out first"


def recommend(arguments: list[str]) -> int:
    """Print the cheapest setting that reaches a target, for each dataset. Returns 1 where one of them has none."""
    from vqbench.analysis.recommend import check_share, recommend
    from vqbench.cli.screens import recommend as screen
    from vqbench.cli.screens.fit_width import json_text
    from vqbench.experiment.config.folders import config_names

    options = _recommend_parser().parse_intermixed_args(arguments)
    if options.metric == "overlap":
        check_share(options.keep)  # before anything is measured
    results, own = _results(options.words, "recommend", lambda settings: _sweep(settings, options.k))
    shipped, recommendations, mistakes = config_names("quantizer"), [], []
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
        _say_what(results, own)
        for rec in recommendations:
            screen.show(results, rec, console(), shipped)
        _say_where(results, own)
    return int(bool(mistakes) or any(rec.chosen is None for rec in recommendations))


def scale(arguments: list[str]) -> int:
    """Predict overlap at a size that was not measured, from nested subsamples of one corpus."""
    from vqbench.cli.screens.scale import show
    from vqbench.experiment.nested_sizes import scale_plan

    parser = Parser(
        prog="vqbench scale", description="Overlap at another corpus size, with an interval, and whether to trust it."
    )
    parser.add_argument("words", nargs="*", metavar="FOLDER | VECTORS KEY=VALUE", help=_WORDS)
    parser.add_argument("--n", type=whole, required=True, metavar="ROWS", help="the size, as in 10_000_000")
    parser.add_argument("--k", type=int, help="ranks; 10 if it was measured, or else the largest")
    options = parser.parse_intermixed_args(arguments)
    results, own = _results(options.words, "scale", lambda settings: scale_plan(settings, options.k))
    _say_what(results, own)
    show(results, options.n, options.k, console())
    _say_where(results, own)
    return 0


def _results(words: Sequence[str], command: str, plan: Callable[[list[str]], Plan]) -> tuple[Results, bool]:
    """The results of the folder that the words name, or of a run on the vectors that they name; whether it is a run."""
    from vqbench.cli.finish import settle
    from vqbench.experiment.run import run
    from vqbench.results.folder import read_results

    if not words:
        raise VqbenchError(f"{command}: name a results folder or vectors, as in vqbench {command} mine.npy")
    folders = [word for word in words if not is_setting(word) and holds_results(word)]
    if not folders:
        planned = plan(settings_of(words, command))
        with progress_bar() as progress:
            record = run(planned, progress)
        return settle(record), True
    others = [word for word in words if word != folders[0]]
    if others:
        raise VqbenchError(
            f"{command}: {shortened(others[0])}: has no effect beside the results folder {shortened(folders[0])}, "
            "which was measured already; leave it out"
        )
    return read_results(expanded(folders[0])), False


def _sweep(settings: list[str], k: int | None) -> Plan:
    """The plan of a run, which measures ``k`` too."""
    from vqbench.cli.commands.run import plan_of
    from vqbench.experiment.config.compose import compose_jobs

    (job,) = compose_jobs(settings).jobs
    if k is not None and not any(setting.lstrip("+").startswith("k=") for setting in job.settings):
        measured = sorted({*job.plain()["k"], k})
        (job,) = compose_jobs([*settings, f"k={measured}".replace(" ", "")]).jobs
    return plan_of(job)


def _say_what(results: Results, own: bool) -> None:
    """Print what was taken for vectors, where this command measured them."""
    from vqbench.cli.screens.about_data import print_taken

    if own:
        print_taken(results.meta["datasets"], console())


def _say_where(results: Results, own: bool) -> None:
    """Print what is worth saying of the vectors, and where their results are, where this command measured them."""
    from vqbench.cli.screens.about_data import print_notes

    if own:
        print_notes(results.meta["datasets"], console())
        console().print(f"Written to [bold]{escape(str(results.folder))}[/bold].", soft_wrap=True)


def _recommend_parser() -> Parser:
    parser = Parser(
        prog="vqbench recommend",
        description="The cheapest setting whose lower bound meets a target. Exit status 1 where a dataset has none.",
    )
    parser.add_argument("words", nargs="*", metavar="FOLDER | VECTORS KEY=VALUE", help=_WORDS)
    parser.add_argument("--keep", type=float, default=0.95, metavar="T", help="the target (default: 0.95)")
    parser.add_argument("--k", type=int, help="of the first k (default: 10, or else the largest measured)")
    parser.add_argument("--metric", default="overlap", help="what the target is for (default: overlap)")
    parser.add_argument("--max-bytes", type=float, metavar="B", help="most bytes of memory per vector")
    parser.add_argument("--n", type=whole, help="vectors to store, as in 10_000_000 (default: those measured)")
    parser.add_argument("--floats", choices=["disk", "ram"], default="disk", help="where rescoring reads the floats")
    parser.add_argument("--dataset", metavar="D", help="only this one of the folder's datasets")
    parser.add_argument("--json", action="store_true", help="print JSON instead")
    return parser
