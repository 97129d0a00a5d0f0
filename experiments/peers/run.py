"""Carry out a timed comparison: peers.csv, peers_runs.csv, linear.csv, meta.json, peers.md."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.progress import Progress
from threadpoolctl import threadpool_info

from experiments.peers.contest import load_faiss, version_of
from experiments.peers.installed import size_row
from experiments.peers.kept import Kept
from experiments.peers.linear import TABLE as LINEAR
from experiments.peers.linear import linear
from experiments.peers.memory import memory
from experiments.peers.processes import command_rows, rows, startup
from experiments.peers.searches import FAMILIES, compete, problem
from experiments.peers.settings import PARTS, Timed
from experiments.peers.sweep import sweep
from experiments.peers.table import MARKDOWN, RUNS, TABLE, Row, frame, markdown, runs
from experiments.peers.training import fit
from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.experiment import provenance
from vqbench.numerics.kernels.choice import chosen_kernels
from vqbench.numerics.thread_pool import threads
from vqbench.results.folder import check_not_later, write_tables
from vqbench.storage.atomic import check_writable, faults
from vqbench.storage.locks import PASSING, claimed, remove_dead
from vqbench.text import check_no_links

KIND = "peers"
_CLAIM = f"{PASSING}peers.claim"
_PACKAGES = ("numpy", "numba", "llvmlite", "threadpoolctl", "faiss-cpu", "usearch")
_Part = tuple[str, Callable[[], Iterator[Row]]]


def measure(timed: Timed, out: Path, progress: Progress) -> pd.DataFrame:
    """Time everything and write the folder; what is finished is written after every part. Returns peers.csv.

    Parts that this run leaves out stay as they were, if they were measured on the same machine, with the same versions
    and settings.
    """
    check_not_later(out, KIND)
    check_writable(out)
    check_no_links(out)
    with contextlib.ExitStack() as held:
        with faults(out):
            alone = held.enter_context(claimed(out / _CLAIM))
        if not alone:
            raise VqbenchError(f"{out}: another comparison is at work there, and the two would time each other: wait")
        for folder in (out, out / "figures"):
            remove_dead(folder)
        return _measured(timed, out, progress)


def _measured(timed: Timed, out: Path, progress: Progress) -> pd.DataFrame:
    count = timed.threads or threads()
    before, commit, meta = _load(), provenance.commit(), _meta(timed, count)
    kept, found, table = Kept.of(out, meta), list[Row](), frame([])
    more = {LINEAR: (out / LINEAR).read_text("utf-8")} if "linear" in kept.measured else {}
    left = [title for title, _ in _parts(timed, count)] + ["linear"] * ("linear" in timed.parts)
    task = progress.add_task("peers", total=len(left))

    def write() -> pd.DataFrame:
        """All that is finished, and which parts these are. Rows of a part that is not are measured again some day."""
        table = kept.joined(kept.table, frame(found))
        about = {"git_commit": commit, "load": {"before": before, "after": _load()}}
        if LINEAR not in more:
            with faults(out / LINEAR):
                (out / LINEAR).unlink(missing_ok=True)
        tables = {TABLE: table, RUNS: kept.joined(kept.runs, runs(found)), MARKDOWN: markdown(table), **more}
        write_tables(out, tables, {**meta, "measured": _finished(timed, kept, left, about)})
        progress.advance(task)
        return table

    for title, part in _parts(timed, count):
        progress.update(task, description=title)
        try:
            found += part()
        except Exception as error:  # one part's fault must not lose what the others took an hour to find
            why = f"{type(error).__name__}: {error}"
            about = {"family": _part_of(title), "contestant": title, "version": "", "threads": count}
            found.append(Row(**about, status="failed", reason=why))
        left.remove(title)
        table = write()
    if "linear" in timed.parts:
        progress.update(task, description="linear")
        more[LINEAR] = linear(timed, count)
        left.remove("linear")
        table = write()
    return table


def _finished(timed: Timed, kept: Kept, left: Sequence[str], about: Mapping[str, Any]) -> dict[str, Any]:
    """Each finished part with what meta.json says of its run. left: the titles of what is not measured yet."""
    unfinished = {_part_of(title) for title in left}
    measured = {**kept.measured, **{part: about for part in timed.parts if part not in unfinished}}
    return {part: measured[part] for part in PARTS if part in measured}


def _part_of(title: str) -> str:
    return title.partition(",")[0]


def _parts(timed: Timed, count: int) -> Iterator[_Part]:
    """Titles and what makes the rows, in the order in which they are timed: small processes first."""
    if "startup" in timed.parts:
        yield "startup", lambda: rows("startup", startup(), timed, count)
        yield "startup, size", lambda: iter([size_row(count)])
    if "command" in timed.parts:
        yield "command", lambda: command_rows(timed, count)
    if "fit" in timed.parts:
        yield "fit", lambda: fit(timed, count)
    for at, size in enumerate(timed.sizes):
        given = _once(lambda size=size: problem(timed, size, count))
        for name in [name for name in FAMILIES if name in timed.parts]:
            title = f"{name}, {size[0]:,} x {size[1]}"
            yield title, lambda given=given, name=name: compete(FAMILIES[name], given(), timed)
        if at == 0 and "sweep" in timed.parts:
            yield "sweep", lambda given=given: sweep(given(), timed)
    if "memory" in timed.parts:
        yield "memory", lambda: memory(timed, count)


def _once(make: Callable[[], Any]) -> Callable[[], Any]:
    """Vectors are made when they are first asked for, and go when the next size is reached."""
    made: list[Any] = []

    def get() -> Any:
        if not made:
            made.append(make())
        return made[0]

    return get


def _meta(timed: Timed, count: int) -> dict[str, Any]:
    """Everything but the date that one needs to judge the numbers. measured: the parts, each with its run's commit and
    the machine's load over 1, 5 and 15 minutes before and after.
    """
    with contextlib.suppress(NotApplicableError):
        load_faiss(count)
    blas = [{key: pool.get(key) for key in ("user_api", "internal_api", "version", "architecture", "threading_layer")}
            for pool in threadpool_info()]  # fmt: skip
    return {
        "kind": KIND,
        "timed": vars(timed),
        "threads": count,
        "kernels": chosen_kernels(),
        "versions": {"vqbench": version_of("vqbench"), "python": platform.python_version(),
                     **{name: version_of(name) for name in _PACKAGES}},
        "machine": {"cpu": provenance.cpu(), "system": platform.system(), "processors": os.cpu_count()},
        "pools": blas,
        "measured": dict.fromkeys(timed.parts),
    }  # fmt: skip


def _load() -> list[float] | None:
    return [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else None
