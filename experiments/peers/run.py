"""Carry out a timed comparison: peers.csv, peers_runs.csv, linear.csv, meta.json, peers.md."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from rich.progress import Progress
from threadpoolctl import threadpool_info

from experiments.peers.contest import load_faiss, version_of
from experiments.peers.installed import size_row
from experiments.peers.kept import Kept
from experiments.peers.linear import linear
from experiments.peers.memory import memory
from experiments.peers.processes import command_rows, rows, startup
from experiments.peers.searches import FAMILIES, compete, problem
from experiments.peers.settings import PARTS, Timed
from experiments.peers.sweep import sweep
from experiments.peers.table import LINEAR, MARKDOWN, RUNS, TABLE, Row, frame, markdown, read_meta, runs
from experiments.peers.training import fit
from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.experiment import provenance
from vqbench.numerics.kernels.choice import chosen_kernels
from vqbench.numerics.thread_pool import threads
from vqbench.results.folder import write_tables
from vqbench.storage.atomic import check_writable, faults
from vqbench.storage.locks import TEMPORARY, claimed
from vqbench.text import check_no_links

_CLAIM = f"{TEMPORARY}peers.claim"
_PACKAGES = ("numpy", "numba", "llvmlite", "threadpoolctl", "faiss-cpu", "usearch")


@dataclass(frozen=True)
class _Step:
    """A part, or one size of it."""

    part: str
    title: str  # on the progress bar
    measure: Callable[[], Iterable[Row] | pd.DataFrame]  # rows of peers.csv, or linear.csv


def measure(timed: Timed, out: Path, progress: Progress) -> pd.DataFrame:
    """Time every part and write the folder after each.

    Parts that ``timed`` leaves out stay as they were, if machine, versions and settings are the same.

    Returns:
        The table peers.csv.

    Raises:
        VqbenchError: the folder cannot be written, holds a sweep, or another comparison is at work there.
    """
    check_writable(out)
    check_no_links(out)
    with contextlib.ExitStack() as stack:
        with faults(out):
            alone = stack.enter_context(claimed(out / _CLAIM))
        if not alone:
            raise VqbenchError(f"{out}: another comparison is at work there: wait until it ends")
        if read_meta(out) is None and (out / "meta.json").exists():
            raise VqbenchError(f"{out}: holds other results, which this run would replace: name another folder by out=")
        return _measure(timed, out, progress)


def _measure(timed: Timed, out: Path, progress: Progress) -> pd.DataFrame:
    count = timed.threads or threads()
    before, commit, meta = _load(), provenance.commit(), _meta(timed, count)
    kept, measured_rows, parts = Kept.of(out, meta), list[Row](), [step.part for step in _steps(timed, count)]
    linear_table: pd.DataFrame | str | None = None
    if "linear" in kept.measured:
        linear_table = (out / LINEAR).read_text("utf-8")
    table = frame([])
    task = progress.add_task("peers", total=len(parts))
    for number, step in enumerate(_steps(timed, count)):
        progress.update(task, description=step.title)
        try:
            result = step.measure()
            if isinstance(result, pd.DataFrame):
                linear_table = result
            else:
                measured_rows += result
        except Exception as error:  # one part's fault must not lose what the others took an hour to measure
            why = f"{type(error).__name__}: {error}"
            about = {"family": step.part, "contestant": step.title, "version": "", "threads": count}
            measured_rows.append(Row(**about, status="failed", reason=why))
        unfinished = parts[number + 1 :]
        run = {"git_commit": commit, "load": {"before": before, "after": _load()}}
        measured = {**kept.measured, **{part: run for part in timed.parts if part not in unfinished}}
        table = kept.joined(kept.table, frame(measured_rows))
        tables = {TABLE: table, RUNS: kept.joined(kept.runs, runs(measured_rows)), MARKDOWN: markdown(table)}
        if linear_table is None:
            with faults(out / LINEAR):
                (out / LINEAR).unlink(missing_ok=True)
        else:
            tables[LINEAR] = linear_table
        write_tables(out, tables, {**meta, "measured": {part: measured[part] for part in PARTS if part in measured}})
        progress.advance(task)
    return table


def _steps(timed: Timed, count: int) -> Iterator[_Step]:
    """What is timed, in order: small processes first, since large ones leave the machine busy."""
    if "startup" in timed.parts:
        yield _Step("startup", "startup", lambda: rows("startup", startup(), timed, count))
        yield _Step("startup", "startup, size", lambda: [size_row(count)])
    if "command" in timed.parts:
        yield _Step("command", "command", lambda: command_rows(timed, count))
    if "fit" in timed.parts:
        yield _Step("fit", "fit", lambda: fit(timed, count))
    for number, size in enumerate(timed.sizes):
        vectors = cache(lambda size=size: problem(timed, size, count))  # made once asked for, gone at the next size
        for name in [name for name in FAMILIES if name in timed.parts]:
            title = f"{name}, {size[0]:,} x {size[1]}"
            yield _Step(name, title, lambda make=vectors, name=name: compete(FAMILIES[name], make(), timed))
        if number == 0 and "sweep" in timed.parts:
            yield _Step("sweep", "sweep", lambda make=vectors: sweep(make(), timed))
    if "memory" in timed.parts:
        yield _Step("memory", "memory", lambda: memory(timed, count))
    if "linear" in timed.parts:
        yield _Step("linear", "linear", lambda: linear(timed, count))


def _meta(timed: Timed, count: int) -> dict[str, Any]:
    """Everything but the date that is needed to judge the numbers. measured: the parts of this run."""
    with contextlib.suppress(NotApplicableError):
        load_faiss(count)
    keys = ("user_api", "internal_api", "version", "architecture", "threading_layer")
    versions = {name: version_of(name) for name in ("vqbench", *_PACKAGES)}
    return {
        "timed": vars(timed),
        "threads": count,
        "kernels": chosen_kernels(),
        "versions": {"python": platform.python_version(), **versions},
        "machine": {"cpu": provenance.cpu(), "system": platform.system(), "processors": os.cpu_count()},
        "pools": [{key: pool.get(key) for key in keys} for pool in threadpool_info()],
        "measured": dict.fromkeys(timed.parts),
    }


def _load() -> list[float] | None:
    """The machine's load over 1, 5 and 15 minutes, where the system reports it."""
    return [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else None
