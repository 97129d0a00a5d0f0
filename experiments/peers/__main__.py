"""The command ``python -m experiments.peers``: settings, the comparison, its figures and the screen."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import yaml

from experiments.peers.run import measure
from experiments.peers.screen import show
from experiments.peers.settings import Timed
from experiments.peers.table import TABLE, read
from vqbench.cli.console import progress_bar
from vqbench.errors import VqbenchError
from vqbench.experiment.config.targets import checked
from vqbench.text import expanded, shown

OUT = "results/peers"
HELP = """\
python -m experiments.peers [KEY=VALUE ...] [out=DIR]

Time the searches of vqbench against faiss and USearch (pip install -e ".[backends]"): about an hour on 2 cores.
Run it with nothing else on the machine. Parts that are not named keep the rows of an earlier run into the same
folder, if machine, versions and settings are the same.

  python -m experiments.peers                                       all parts but memory, into results/peers
  python -m experiments.peers 'parts=[float32,hamming]'             some of them again
  python -m experiments.peers 'parts=[memory]' out=results/memory   peak memory of the default sweep
  python -m experiments.peers 'parts=[]'                            draw the figures again
  python -m experiments.peers repeats=1 out=x                       a rehearsal

Settings and their defaults:
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a comparison.

    Args:
        arguments: ``KEY=VALUE`` each; the command line's by default.

    Returns:
        0; 1 where a contestant failed or found other rows; 2 for a mistake; 130 where it was interrupted.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if {"-h", "--help"} & set(arguments):
        print(help_text(), end="")
        return 0
    try:
        timed, out = parsed(arguments)
        if timed.parts:
            with progress_bar() as progress:
                measure(timed, out, progress)
        draw(out)
        table = read(out / TABLE)
        show(table, out)
    except VqbenchError as error:
        print(f"peers: {shown(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("peers: interrupted; parts that were finished are kept", file=sys.stderr)
        return 130
    return int(table["status"].isin(["failed", "differs"]).any())


def parsed(arguments: Sequence[str]) -> tuple[Timed, Path]:
    """The settings and the folder. Raises VqbenchError for an unknown key or a value of another type."""
    values: dict[str, object] = {}
    for argument in arguments:
        key, equals, text = argument.partition("=")
        if not equals:
            raise VqbenchError(f"{argument}: is no setting: write KEY=VALUE, or see --help")
        try:
            values[key] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise VqbenchError(f"{argument}: the value is not valid YAML: write lists as KEY=[1,2]") from None
    out = values.pop("out", OUT)
    if not isinstance(out, str) or not out:
        raise VqbenchError(f"out = {out!r}: must be a folder")
    return Timed(**checked(values, Timed, "")), expanded(out)


def help_text() -> str:
    """What ``--help`` prints."""
    lines = [
        f"  {setting.name}={_as_yaml(getattr(Timed(), setting.name))}\n      {setting.metadata['help']}\n"
        for setting in fields(Timed)
    ]
    return HELP + "".join(lines)


def _as_yaml(value: object) -> str:
    """On one line, as it is written in a setting."""
    return str(value).replace("None", "null").replace("'", "").replace(", ", ",")


def draw(out: Path) -> None:
    """Draw the figures of a folder."""
    from experiments.peers.figures.folder import draw_all  # only here: it imports matplotlib

    draw_all(out)


if __name__ == "__main__":
    sys.exit(main())
