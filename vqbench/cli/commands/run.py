"""A run, which has no command name: compose the config, plan it, evaluate it, write tables and figures."""

from __future__ import annotations

import sys
from pathlib import Path

from vqbench.cli.commands.parser import Parser
from vqbench.cli.commands.words import settings_of
from vqbench.cli.console import progress_bar
from vqbench.cli.finish import finish
from vqbench.errors import VqbenchError
from vqbench.experiment.cell_cache import reason_of
from vqbench.experiment.config.compose import Job, Sweep, compose_jobs, launch
from vqbench.experiment.config.settings import known_keys
from vqbench.experiment.multirun import load_mistakes, load_notes, notes_folder, save_mistake, save_note
from vqbench.experiment.plan import Plan, make_plan
from vqbench.experiment.run import run
from vqbench.text import did_you_mean, fit_message


def run_sweep(arguments: list[str]) -> int:
    """Run what vectors and settings describe: once, or for each combination of a multirun (``-m``).

    Every job is composed and planned before the first one starts.
    """
    parser = Parser(prog="vqbench", add_help=False)
    parser.add_argument("words", nargs="*")
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("--config-dir", "-cd", metavar="DIR")
    parser.add_argument("--cfg", "-c", choices=["job"])
    options, unknown = parser.parse_known_intermixed_args(arguments)
    if unknown:
        raise VqbenchError(_no_option(unknown[0], arguments))
    sweep = compose_jobs(settings_of(options.words), many=options.multirun, config_dir=options.config_dir)
    if options.cfg:
        print("\n".join(job.text() for job in sweep.jobs), end="")
        return 0
    plans = [plan_of(job) for job in sweep.jobs]
    if options.multirun:
        return _multirun(sweep, plans)
    with progress_bar() as progress:
        record = run(plans[0], progress)
    return finish([record])


def _no_option(word: str, arguments: list[str]) -> str:
    """What to write instead of ``--key value``, which other tools take."""
    name, equals, value = word.lstrip("-").partition("=")
    after = arguments[arguments.index(word) + 1 :][:1]
    if not equals and after and not after[0].startswith("-") and "=" not in after[0]:
        value = after[0]
    key = name.replace("-", "_")
    if key.partition(".")[0] in known_keys():
        return f"{word}: no such option; settings are written key=value, as in {key}={value or '...'}"
    hint = did_you_mean(key, known_keys())
    hint = hint if hint.endswith("?") else "see vqbench --help"
    return f"{word}: no such option; settings are written key=value, as in dataset=movies; {hint}"


def plan_of(job: Job) -> Plan:
    """The checked plan of a job, its figures' names too."""
    plan = make_plan(job.plain(), job.settings, job.experiment)
    if not isinstance(figures := plan.config.get("figures", True), bool):
        from vqbench.report.figures.folder import check_names  # only here: it imports matplotlib

        check_names(figures)
    return plan


def _multirun(sweep: Sweep, plans: list[Plan]) -> int:
    """Run the jobs, report what stopped some of them, and write tables and figures of the folders that were filled."""
    with notes_folder() as folder:
        stopped = []
        try:
            if sweep.launcher == "basic":
                for number, plan in enumerate(plans):
                    _run_job(plan, number, folder)
            else:
                launch(sweep, folder, _run_job)
        except Exception as error:  # a launcher's: a worker that died took its job along
            stopped.append(f"the launcher stopped: {reason_of(error)}; give the same command again to go on")
        records, mistakes = load_notes(folder), [*load_mistakes(folder), *stopped]
        for mistake in dict.fromkeys(mistakes):  # the same one may have stopped several jobs
            print(f"vqbench: {fit_message(mistake)}", file=sys.stderr)
        statuses = [2] * bool(mistakes)
        for out in dict.fromkeys(record.out for record in records):
            statuses.append(finish([record for record in records if record.out == out]))
    return max(statuses, default=0)


def _run_job(job: Job | Plan, number: int, folder: Path) -> None:
    """Run a job and leave its record, or what stopped it, where the multirun finds it.

    A job that comes from a launcher is planned here: in its own process, perhaps on another machine.
    """
    try:
        with progress_bar() as progress:
            save_note(folder, number, run(job if isinstance(job, Plan) else plan_of(job), progress))
    except Exception as error:  # one job's fault must not lose the others
        save_mistake(folder, number, reason_of(error))
