"""Commands about vectors: ``doctor``, and ``cache`` for what is kept of them."""

from __future__ import annotations

from functools import partial

from vqbench.cli.commands.parser import Parser
from vqbench.cli.commands.words import settings_of
from vqbench.cli.console import console, progress_bar
from vqbench.cli.screens.about_data import print_notes, print_taken
from vqbench.cli.screens.summary import print_dropped
from vqbench.experiment.plan import Options


def doctor(arguments: list[str]) -> int:
    """Say why quantizing the vectors of a run is easy or hard, and what to try."""
    from vqbench.cli.screens.doctor import as_json, show, what_next
    from vqbench.evaluation.doctor.checkup import checkup
    from vqbench.experiment.config.compose import compose_jobs
    from vqbench.experiment.config.variants import named_variant
    from vqbench.experiment.plan import make_plan
    from vqbench.experiment.run import prepared

    parser = Parser(prog="vqbench doctor", description="Why quantizing these vectors is easy or hard, and what to try.")
    parser.add_argument("words", nargs="*", metavar="VECTORS KEY=VALUE", help="as for a run: mine.npy dataset.key=emb")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_intermixed_args(arguments)
    job = compose_jobs(settings_of(options.words, "doctor")).jobs[0]
    findings, dropped, about = {}, {}, {}
    with progress_bar() as progress:
        for name, data in prepared(make_plan(job.plain(), job.settings, job.experiment)).items():
            told = data.numbers.sentences if data.numbers else []  # by the check of that name
            about[name] = {"taken": data.taken, "notes": [note for note in data.notes if note not in told]}
            dropped[name] = {of: rows.plain() for of, rows in data.dropped.items()}
            task = progress.add_task(name, total=None)
            advance = partial(lambda t, n, words: progress.update(t, description=f"{n}: {words}"), task, name)
            findings[name] = checkup(data, partial(named_variant, place="doctor"), advance)
            progress.remove_task(task)
    if options.json:
        print(as_json(findings))
        return 0
    print_taken(about, console())
    for name in findings:
        show(name, findings[name], console())
        print_dropped(name, dropped[name], console())
    print_notes(about, console())
    what_next([finding for each in findings.values() for finding in each], options.words, console())
    return 0


def cache(arguments: list[str]) -> int:
    """Say where float results are kept; with ``clear``, delete them."""
    parser = Parser(prog="vqbench cache", description="Where float results are kept.")
    parser.add_argument("action", nargs="?", choices=["clear"], help="delete them")
    parser.add_argument("--cache", default="auto", metavar="DIR", help="the folder, if not the user's")
    options = parser.parse_intermixed_args(arguments)
    folder = Options(cache=options.cache).cache_folder
    files = [] if folder is None else sorted(folder.glob("truth-*.npz"))
    size = sum(file.stat().st_size for file in files) / 2**20
    for file in files if options.action == "clear" else ():
        file.unlink(missing_ok=True)
    done = "deleted" if options.action == "clear" else "held"
    console().print(f"{len(files)} float results, {size:.1f} MiB, {done} in {folder}", soft_wrap=True)
    return 0
