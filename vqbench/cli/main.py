"""The command line. Only this file and config know Hydra.

A plain run is composed and started by Hydra, so that overrides, experiments and multirun are what
Hydra users know; the other commands parse their few arguments themselves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vqbench.cli.signals import farewell, heard, status_of
from vqbench.errors import VqbenchError
from vqbench.text import shown

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from vqbench.experiment.plan import Plan

HELP = """\
vqbench: can I store my embeddings in fewer bytes, and what will it cost me?

  vqbench                                      the default sweep on the bundled embeddings
  vqbench dataset=file dataset.path=mine.npy   your own vectors (.npy .npz .json .csv .parquet
                                               .hdf5 .h5 .fvecs .bvecs .fbin .u8bin .i8bin, or a
                                               folder that Hugging Face datasets saved)
          dataset.ids=ids.txt queries=self     one id a line; queries: self (each row, itself left out),
          n_queries=500                        holdout (rows taken out), or dataset.queries=q.npy
  vqbench 'quantizer=[offset_int8,binary_mean]' 'k=[1,10,100]' 'oversample=[0,2,4]'
  vqbench quantizer.binary_mean.quantizer.threshold=median
  vqbench baseline=binary_zero 'seed=[1,2,3]'  what all are compared with; intervals over queries and seeds
  vqbench experiment=thresholds                a named sweep; results/thresholds holds what it found
  vqbench 'backend=[usearch_i8,faiss_sq8]'     the real engines beside what is predicted of them (extra backends)
  vqbench -m dataset=movies,wordnet seed=1,2   Hydra multirun: every combination
  vqbench parallel=dask parallel.address=tcp://HOST:8786
                                               shards of the corpus on a cluster; or parallel=loky, ray
  vqbench ... out=DIR                          write there instead of results/NAME

  vqbench recommend results/NAME --keep 0.95 --k 10 [--n 10_000_000] [--max-bytes B] [--json]
                                               the cheapest setting that is sure to keep so much
  vqbench report results/NAME [...]            report.html again; several folders: one report, --out FILE
  vqbench list [GROUP [PART]] [--config-dir DIR]
                                               variants, metrics, datasets, experiments; list quantizer qdrant
  vqbench nearest TITLE [--dataset D] [--top 10] [--quantizer A,B]
                                               the neighbours of a row under each variant, side by side
  vqbench compare A B [--max-drop 0.01]        two results folders: exit status 1 if quality fell by more than that
  vqbench doctor KEY=VALUE ... [--json]        what in these vectors makes quantizing easy or hard, and what to try
  vqbench scale results/scale --n 10_000_000   overlap at a size you cannot measure, from nested subsamples
  vqbench figures results/NAME                 draw the figures of a results folder again
  vqbench cache clear                          delete the cached float results
  vqbench --help | --version                   and Hydra's own: --cfg job, --info, ...

A run prints a table and writes metrics.csv, ledger.csv, timings.csv, per_query.parquet, samples.parquet,
meta.json, figures/ and report.html. Exit status: 0 fine, 1 a variant failed or nothing to recommend, 2 a mistake in
the input or a folder that cannot be written, 130 interrupted (143: by SIGTERM); the same command then goes on.
"""

_MOST_TOLD = 2000  # characters of a message


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sweep = not given or given[0].startswith("-") or "=" in given[0]
    if given[:1] == ["help"] or (sweep and {"-h", "--help"} & set(given)):
        print(HELP, end="")
        return 0
    if sweep and "--version" in given:
        from vqbench.version import __version__

        print(__version__)
        return 0
    try:
        with heard():
            return _sweep(given) if sweep else _command(given[0])(given[1:])
    except VqbenchError as error:
        print(f"vqbench: {_told(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        print(f"vqbench: {farewell(error, given, sweep=sweep)}", file=sys.stderr)
        return status_of(error)
    except BrokenPipeError:
        raise
    except (MemoryError, OSError) as error:
        print(f"vqbench: {farewell(error, given, sweep=sweep)}", file=sys.stderr)
        return 1


def _told(error: object) -> str:
    """The message in one line, without its middle where somebody's file or setting made it endless."""
    text = shown(str(error))
    return text if len(text) <= _MOST_TOLD else f"{text[: _MOST_TOLD // 2]} ... {text[-_MOST_TOLD // 2 :]}"


def _command(name: str) -> Callable[[list[str]], int]:
    from vqbench.cli.commands import data, listing, results
    from vqbench.text import did_you_mean

    found: dict[str, Callable[[list[str]], int]] = {
        "list": listing.listing,
        "nearest": data.nearest,
        "doctor": data.doctor,
        "cache": data.cache,
        "recommend": results.recommend,
        "compare": results.compare,
        "scale": results.scale,
        "report": results.report,
        "figures": results.figures,
    }
    if name not in found:
        hint = (
            f"for vectors in a file: vqbench dataset=file dataset.path={name}"
            if Path(name).exists()
            else did_you_mean(name, found)
        )
        raise VqbenchError(f"{name}: no such command; {hint}; settings look like key=value")
    return found[name]


def _sweep(overrides: list[str]) -> int:
    """Compose the config with Hydra and run it, once or for each job of a multirun."""
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from vqbench.experiment.config.compose import check_habits, explained, opened, plugin_folders, searched
    from vqbench.experiment.config.guard import check_flags, config_dir, guarded, options_first
    from vqbench.experiment.config.targets import conf_folder

    check_habits(overrides)
    many = bool({"-m", "--multirun"} & set(overrides))
    overrides = options_first([override for override in overrides if override not in ("-m", "--multirun")])
    overrides = [opened(override) for override in overrides]
    overrides += searched(overrides)
    status: list[int] = []
    faults: list[Exception] = []

    def task(config: DictConfig) -> None:
        try:
            status.append(_job(config))
        except Exception as error:  # caught here, since Hydra would print its own words first
            if many:
                _leave(error)  # one job's fault must not lose the others
            else:
                faults.append(error)

    def start(given: list[str]) -> None:
        before, sys.argv = sys.argv, ["vqbench", *given]
        try:
            check_flags(given)
            with guarded(_check_job):
                hydra.main(version_base="1.3", config_path=str(conf_folder().resolve()), config_name="config")(task)()
        except (HydraException, OmegaConfBaseException) as error:
            raise VqbenchError(explained(error, conf_folder(), config_dir(given), plugin_folders(given))) from None
        finally:
            sys.argv = before

    os.environ["HYDRA_FULL_ERROR"] = "1"  # let errors reach us instead of being printed
    if many:
        return _multirun(overrides, start)
    start(overrides)
    if faults:
        raise faults[0]
    return max(status, default=0)


def _multirun(overrides: list[str], start: Callable[[list[str]], None]) -> int:
    """Run the jobs; what stopped some of them; tables and figures of the folders that the others wrote into."""
    from vqbench.cli.finish import finish
    from vqbench.experiment.cell_cache import reason_of
    from vqbench.experiment.multirun import load_mistakes, load_notes, notes_folder

    with notes_folder() as folder:
        mistakes: list[str] = []
        try:
            start(["--multirun", *overrides, f"hydra.sweep.dir={folder}"])
        except VqbenchError as error:  # jobs before it may be done
            mistakes.append(str(error))
        except Exception as error:  # a launcher's: a worker that died took its job along
            mistakes.append(f"the launcher stopped: {reason_of(error)}; give the same command again to go on")
        notes, mistakes = load_notes(folder), [*load_mistakes(folder), *mistakes]
        for mistake in dict.fromkeys(mistakes):  # the same one may have stopped several jobs
            print(f"vqbench: {_told(mistake)}", file=sys.stderr)
        status = [2] * bool(mistakes)
        for out in dict.fromkeys(note.out for note in notes):
            status.append(finish([note for note in notes if note.out == out]))
    return max(status, default=0)


def _check_job(config: DictConfig) -> None:
    """Raise VqbenchError for a job of a multirun that cannot be planned: before the first one replaces any tables."""
    from omegaconf import OmegaConf

    from vqbench.experiment.config.compose import plain
    from vqbench.experiment.plan import make_plan

    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    _check_figures(make_plan(plain(own), config.hydra.overrides.task, config.hydra.runtime.choices.get("experiment")))


def _check_figures(plan: Plan) -> None:
    """Raise VqbenchError where ``figures`` names one that is not drawn."""
    if isinstance(chosen := plan.config.get("figures", True), bool):
        return
    from vqbench.report.figures.folder import check_names  # only here: it imports matplotlib

    check_names(chosen)


def _job(config: DictConfig) -> int:
    """One run. In a multirun the tables wait until all jobs are done."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from vqbench.cli.console import progress_bar
    from vqbench.cli.finish import finish
    from vqbench.experiment.config.compose import plain
    from vqbench.experiment.multirun import save_note
    from vqbench.experiment.plan import make_plan
    from vqbench.experiment.run import run

    hydra = HydraConfig.get()
    plan = make_plan(plain(config), hydra.overrides.task, hydra.runtime.choices.get("experiment"))
    _check_figures(plan)
    with progress_bar() as progress:
        note = run(plan, progress)
    if hydra.mode == RunMode.MULTIRUN:
        save_note(Path(hydra.sweep.dir), hydra.job.num, note)
        return 0
    return finish([note])


def _leave(error: Exception) -> None:
    """Leave what stopped a job where the multirun finds it: a launcher may run the job anywhere."""
    from hydra.core.hydra_config import HydraConfig

    from vqbench.experiment.cell_cache import reason_of
    from vqbench.experiment.multirun import save_mistake

    hydra = HydraConfig.get()
    save_mistake(Path(hydra.sweep.dir), hydra.job.num, reason_of(error))
