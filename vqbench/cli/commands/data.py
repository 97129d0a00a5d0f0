"""Commands that read vectors, and the one that clears what is kept of them."""

from __future__ import annotations

from functools import partial

from vqbench.cli.commands.parser import Parser
from vqbench.cli.console import console, progress_bar
from vqbench.cli.screens.summary import print_dropped
from vqbench.errors import VqbenchError
from vqbench.experiment.plan import Options


def nearest(arguments: list[str]) -> int:
    """The neighbours of one row under each variant, side by side."""
    from vqbench.cli.commands.neighbours import neighbours, show

    parser = Parser(prog="vqbench nearest", description="The rows most similar to one row, under each variant.")
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


def doctor(arguments: list[str]) -> int:
    """What in the vectors that a run would take makes quantizing easy or hard."""
    from vqbench.cli.screens.doctor import as_json, show, what_next
    from vqbench.evaluation.doctor.checkup import checkup
    from vqbench.experiment.config.compose import composed, plain
    from vqbench.experiment.plan import make_plan, named_variant
    from vqbench.experiment.run import prepared

    parser = Parser(
        prog="vqbench doctor", description="What in these vectors makes quantizing easy or hard, and what to try."
    )
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="as for a run: dataset=file dataset.path=X")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given, unknown = parser.parse_known_args(arguments)
    for setting in [*unknown, *given.settings]:
        if "=" not in setting or setting.startswith("-"):
            raise VqbenchError(f"doctor: {setting}: takes settings like key=value, as in dataset=movies, and --json")
    config, overrides = composed(given.settings)
    plan = make_plan(plain(config), overrides)
    found, dropped = {}, {}
    with progress_bar() as progress:
        for name, data in prepared(plan).items():
            dropped[name] = {of: some.plain() for of, some in data.dropped.items()}
            task = progress.add_task(name, total=None)
            advance = partial(lambda t, n, words: progress.update(t, description=f"{n}: {words}"), task, name)
            found[name] = checkup(data, partial(named_variant, place="doctor", plugins=()), advance)
            progress.remove_task(task)
    if given.json:
        print(as_json(found))
        return 0
    for name, findings in found.items():
        show(name, findings, console())
        print_dropped(name, dropped[name], console())
    advised = [finding for findings in found.values() for finding in findings]
    what_next(advised, given.settings, console())
    return 0


def cache(arguments: list[str]) -> int:
    """``cache clear``: delete the cached float results. ``cache``: say where they are."""
    parser = Parser(prog="vqbench cache")
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
