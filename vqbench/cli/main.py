"""The command line: a run by its settings, or a command by its name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from vqbench.cli.signals import catch_signals, exit_status, explain_end
from vqbench.errors import VqbenchError
from vqbench.text import fit_message

HELP = """\
vqbench: can I store my embeddings in fewer bytes, and what does it cost?

  vqbench                                      the default sweep on the bundled embeddings
  vqbench mine.npy                             your own vectors: a file (.npy .parquet .csv .json .hdf5 .fbin
                                               and others), a folder or a glob; short for
                                               dataset=file dataset.path=mine.npy
          dataset.ids=ids.txt                  with one id per line; dataset.key=NAME chooses a column or array
          queries=self n_queries=500           500 rows as queries, each left out of its own result; or
                                               queries=holdout (rows taken out), or dataset.queries=q.npy
  vqbench 'quantizer=[offset_int8,binary_mean]' 'k=[1,10,100]' 'oversample=[0,2,4]'
  vqbench quantizer.binary_mean.quantizer.threshold=median
  vqbench baseline=binary_zero 'seed=[1,2,3]'  compare all with this variant; intervals over queries and seeds
  vqbench experiment=thresholds                a named sweep; results/thresholds holds its committed results
  vqbench experiment=presets mine.npy          the same on your own vectors
  vqbench 'backend=[usearch_i8,faiss_sq8]'     real engines next to their prediction (extra: backends)
  vqbench -m dataset=a.npy,b.npy seed=1,2      Hydra multirun: every combination
  vqbench parallel=dask parallel.address=tcp://HOST:8786
                                               search parts of the corpus on a cluster; or parallel=loky, ray
  vqbench ... out=DIR                          write to DIR instead of results/NAME
  vqbench ... --config-dir DIR                 your own configs, as in DIR/experiment/NAME.yaml
  vqbench ... --cfg job                        print the composed config and stop

  vqbench recommend mine.npy --keep 0.95 --k 10 [--n 10_000_000] [--max-bytes B] [--json]
                                               the cheapest setting that keeps 95 % of float search's top 10;
                                               recommend results/NAME takes what was measured already
  vqbench report results/NAME [...]            write report.html again; for several folders, add --out FILE
  vqbench list [GROUP | NAME | PART]           variants, metrics, datasets, experiments; details of one
  vqbench nearest TITLE [mine.npy] [--top 10] [--quantizer A,B]
                                               the neighbours of a row under each variant, side by side
  vqbench compare A B [--max-drop 0.01]        two results folders: exit status 1 if quality fell by more
  vqbench doctor mine.npy [--json]             why quantizing these vectors is easy or hard, and what to try
  vqbench scale mine.npy --n 10_000_000        predict overlap at a larger size, from nested subsamples; or
                                               scale results/NAME
  vqbench figures results/NAME                 draw the figures of a results folder again
  vqbench cache clear                          delete the cached float results
  vqbench --help | --version

Each command takes vectors and settings in the same way and in any order; a file called like a command is ./list.
A run prints a table and writes metrics.csv, ledger.csv, timings.csv, per_query.parquet, samples.parquet,
meta.json, figures/ and report.html. Exit status: 0 success; 1 a variant failed, quality fell, or nothing to
recommend; 2 wrong input, or a folder that cannot be written; 130 interrupted (143 by SIGTERM). To resume an
interrupted run, give the same command again.
"""
#: Command -> its module in vqbench.cli.commands, which is imported when it is needed, and its function.
COMMANDS = {
    "list": ("listing", "list_configs"),
    "nearest": ("neighbours", "nearest"),
    "doctor": ("data", "doctor"),
    "cache": ("data", "cache"),
    "recommend": ("measured", "recommend"),
    "compare": ("results", "compare"),
    "scale": ("measured", "scale"),
    "report": ("results", "report"),
    "figures": ("results", "figures"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: those of the command line if None.

    Returns:
        The exit status.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    sweep = not words or words[0] not in COMMANDS
    if words[:1] == ["help"] or (sweep and {"-h", "--help"} & set(words)):
        print(HELP, end="")
        return 0
    if sweep and "--version" in words:
        from vqbench.version import __version__

        print(__version__)
        return 0
    try:
        with catch_signals():
            return _command("" if sweep else words[0])(words if sweep else words[1:])
    except VqbenchError as error:
        print(f"vqbench: {fit_message(error)}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        raise
    except (KeyboardInterrupt, MemoryError, OSError) as error:
        print(f"vqbench: {explain_end(error, words, sweep=sweep)}", file=sys.stderr)
        return exit_status(error)


def _command(name: str) -> Callable[[list[str]], int]:
    """The function of a command; of a run where the name is empty."""
    module, function = COMMANDS.get(name, ("run", "run_sweep"))
    return getattr(import_module(f"vqbench.cli.commands.{module}"), function)
