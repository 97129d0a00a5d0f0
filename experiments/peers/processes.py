"""Whole commands, each in a process of its own: seconds and peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import vqbench
from experiments.peers import child
from experiments.peers.contest import Goal, race, version_of
from experiments.peers.problem import mixture
from experiments.peers.settings import PARTS, Timed
from experiments.peers.table import Row, spread

_MB = 1e6
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # what vqbench and BLAS take their number from
_COMPILE = """
import pkgutil
import vqbench.numerics.kernels
from vqbench.numerics.kernels.choice import compiled
for module in pkgutil.iter_modules(vqbench.numerics.kernels.__path__):
    if hasattr(__import__(f"vqbench.numerics.kernels.{module.name}", fromlist=["warm"]), "warm"):
        compiled(module.name)
"""


@dataclass(frozen=True)
class Command:
    """A command line for Python, and its goals."""

    name: str
    arguments: Sequence[str]
    seconds: Goal | None = None
    megabytes: Goal | None = None  # peak memory
    fresh: bool = False  # no kernel is compiled yet


def startup() -> list[Command]:
    """What a user waits for before any work is done."""
    help_ = ["-m", "vqbench", "--help"]
    return [
        Command("python -c pass", ["-c", "pass"]),
        Command("import vqbench", ["-c", "import vqbench"], Goal("at most", 0.3, "s")),
        Command("vqbench --help", help_, Goal("at most", 1.2, "s")),
        Command("load all compiled kernels", ["-c", _COMPILE]),
        Command("compile all kernels for the first time", ["-c", _COMPILE], Goal("at most", 5, "s"), fresh=True),
    ]


def sweep_arguments(folder: Path) -> list[str]:
    """What a sweep of the vectors in ``folder`` is started with; no truth is kept."""
    return [
        "-m",
        "vqbench",
        "dataset=file",
        f"dataset.path={folder / 'corpus.npy'}",
        f"dataset.queries={folder / 'queries.npy'}",
        "n_queries=null",
        "cache=off",
        f"out={folder / 'out'}",
    ]


def whole_commands(folder: Path) -> list[Command]:
    """The whole command on vectors in ``folder``, every run with a results folder of its own."""
    chosen = "quantizer=[float32,int8_minmax,binary_zero,binary_zero_decoded,pq1]"
    arguments = [*sweep_arguments(folder), "force=true", chosen]
    tables = [*arguments, "figures=false", "report=false"]
    return [
        Command("whole command, tables", tables, Goal("at most", 3, "s"), Goal("at most", 350, "MB")),
        Command("whole command, tables, without the doctor", [*tables, "doctor=false"]),
        Command("whole command, figures and report", arguments, Goal("at most", 8, "s")),
    ]


def command_rows(timed: Timed, threads: int) -> Iterator[Row]:
    """Rows of the whole command. The first run of each is not timed; no truth is kept."""
    n, d, q = timed.whole
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "corpus.npy", mixture(n, d, timed.seed, stream=0))
        np.save(folder / "queries.npy", mixture(q, d, timed.seed, stream=1))
        about = {"n": n, "d": d, "queries": q}
        yield from rows("command", whole_commands(folder), timed, threads, about)


def rows(
    family: str, commands: Sequence[Command], timed: Timed, threads: int, about: Mapping[str, int] | None = None
) -> Iterator[Row]:
    """Two rows for a command with a goal for memory: its time, and its peak."""
    peaks: dict[str, list[float]] = {command.name: [] for command in commands}
    lost: dict[str, str] = {}

    def run(command: Command) -> None:
        if command.name in lost:
            return
        outcome = measured(command, threads)
        if outcome["status"]:
            lost[command.name] = f"exit status {outcome['status']}: {str(outcome['errors']).strip()[-300:]}"
        elif outcome["peak"] is not None:
            peaks[command.name].append(float(outcome["peak"]) / _MB)  # pyright: ignore[reportArgumentType]

    for command in commands:
        run(command)
    seconds = race({c.name: lambda c=c: run(c) for c in commands}, timed.repeats, [timed.seed, PARTS.index(family)])
    for command in commands:
        row = {
            "family": family,
            "contestant": command.name,
            "version": version_of("vqbench"),
            "threads": threads,
            **(about or {}),
        }
        if command.name in lost:
            yield Row(**row, status="failed", reason=lost[command.name])
            continue
        peak = spread(peaks[command.name])[0]
        yield Row(**row, seconds=seconds[command.name], megabytes=peak, goal=command.seconds)
        if command.megabytes:
            yield Row(**{**row, "contestant": f"{command.name}: peak memory"}, megabytes=peak, goal=command.megabytes)


def measured(command: Command, threads: int) -> dict[str, object]:
    """Its seconds, peak (bytes, or None), exit status and the end of its standard error."""
    home = os.pathsep.join(filter(None, [str(Path(vqbench.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": home} | dict.fromkeys(_THREADS, str(threads))
    with tempfile.TemporaryDirectory() as name:
        if command.fresh:
            environment["NUMBA_CACHE_DIR"] = name
        line = [sys.executable, "-I", str(Path(child.__file__)), sys.executable, *command.arguments]
        done = subprocess.run(line, capture_output=True, text=True, env=environment, check=True)
    return json.loads(done.stdout)
