"""Carry out a timed comparison: peers.csv, peers_runs.csv, linear.csv, meta.json, peers.md."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from rich.progress import Progress
from threadpoolctl import threadpool_info

from vqbench import provenance
from vqbench.durable import check_writable, write_atomically, write_text
from vqbench.errors import NotApplicableError
from vqbench.kernels.choice import chosen, threads
from vqbench.peers.contest import load_faiss, version_of
from vqbench.peers.installed import size_row
from vqbench.peers.kept import Kept
from vqbench.peers.linear import TABLE as LINEAR
from vqbench.peers.linear import linear
from vqbench.peers.memory import memory
from vqbench.peers.processes import command_rows, rows, startup
from vqbench.peers.searches import FAMILIES, compete, problem
from vqbench.peers.settings import PARTS, Timed
from vqbench.peers.sweep import sweep
from vqbench.peers.table import MARKDOWN, RUNS, TABLE, Row, frame, markdown, runs
from vqbench.peers.training import fit
from vqbench.store import write_csv, write_json

_PACKAGES = ("numpy", "numba", "llvmlite", "threadpoolctl", "faiss-cpu", "usearch")
_Part = tuple[str, Callable[[], Iterator[Row]]]


def measure(timed: Timed, out: Path, progress: Progress) -> pd.DataFrame:
    """Time everything and write the folder; what is finished is written after every part. Returns peers.csv.

    Parts that this run leaves out stay as they were, if they were measured on the same machine, with the same versions
    and settings.
    """
    check_writable(out)
    count = timed.threads or threads()
    before, meta = _load(), _meta(timed, count)
    kept, found, table = Kept.of(out, meta), list[Row](), frame([])
    total = sum(1 for _ in _parts(timed, count)) + ("linear" in timed.parts)
    task = progress.add_task("peers", total=total)
    for title, part in _parts(timed, count):
        progress.update(task, description=title)
        try:
            found += part()
        except Exception as error:  # one part's fault must not lose what the others took an hour to find
            family = title.partition(",")[0]
            why = f"{type(error).__name__}: {error}"
            found.append(Row(family=family, contestant=title, version="", threads=count, status="failed", reason=why))
        table = kept.joined(kept.table, frame(found))
        write_csv(out, TABLE, table)
        write_csv(out, RUNS, kept.joined(kept.runs, runs(found)))
        progress.advance(task)
    if "linear" in timed.parts:
        progress.update(task, description="linear")
        write_csv(out, LINEAR, linear(timed, count))
        progress.advance(task)
    elif "linear" not in kept.measured:
        (out / LINEAR).unlink(missing_ok=True)
    write_atomically(out / MARKDOWN, lambda path: write_text(path, markdown(table)))
    about = {"git_commit": provenance.commit(), "load": {"before": before, "after": _load()}}
    measured = {**kept.measured, **dict.fromkeys(timed.parts, about)}
    write_json(out, "meta.json", {**meta, "measured": {part: measured[part] for part in PARTS if part in measured}})
    return table


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
        "kind": "peers",
        "timed": vars(timed),
        "threads": count,
        "kernels": chosen(),
        "versions": {"vqbench": version_of("vqbench"), "python": platform.python_version(),
                     **{name: version_of(name) for name in _PACKAGES}},
        "machine": {"cpu": provenance.cpu(), "system": platform.system(), "processors": os.cpu_count()},
        "pools": blas,
        "measured": dict.fromkeys(timed.parts),
    }  # fmt: skip


def _load() -> list[float] | None:
    return [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else None
