"""Get a cell: from the results folder, or by evaluating it, while no other run does the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from rich.progress import Progress, TaskID

from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.evaluation.bench import Bench
from vqbench.experiment.config.plugins import place_of
from vqbench.results.cell_files import load_cell, save_cell
from vqbench.results.records import MEANWHILE, Cell, CellRecord
from vqbench.storage.atomic import faults, make_folder
from vqbench.storage.locks import claimed
from vqbench.text import shown


@dataclass(frozen=True)
class Task:
    """One cell to be had."""

    record: CellRecord  #: without a status yet
    evaluate: Callable[..., Cell]  #: gets the bench, and ``advance``, which is called on the way


@dataclass(frozen=True)
class ProgressLine:
    """A task's place on the screen."""

    progress: Progress
    bar: TaskID
    words: str

    def advance(self) -> None:
        self.progress.advance(self.bar)

    def describe(self, more: str = "") -> None:
        self.progress.update(self.bar, description=self.words + more)


def obtain(
    out: Path, task: Task, opened: Callable[[], Bench | Exception], line: ProgressLine, *, force: bool, wait: bool
) -> CellRecord | None:
    """Take the cell from the results folder, or evaluate and save it while its claim is held.

    A fault becomes a record: whatever goes wrong must not lose the other cells.

    Args:
        opened: the bench, or why there is none; only called where a cell is missing.
        force: evaluate what is finished, too.
        wait: wait until another run that holds the claim is done, and take its cell; else return None.
    """
    record, path, claim = task.record, out / task.record.name.path, out / task.record.name.claim
    if not force and (cell := _finished(out, record)):
        return replace(record, status="reused", reason=MEANWHILE if wait else "", cell=cell)
    if wait:
        line.describe(", by another run")
    try:
        with ExitStack() as held:
            with faults(claim):
                make_folder(claim.parent)
                ours = held.enter_context(claimed(claim, wait=wait))
            if not ours:
                return None
            if not force and (cell := _finished(out, record)):  # another run may have finished it by now
                return replace(record, status="reused", reason=MEANWHILE, cell=cell)
            if not force and os.path.lexists(path):
                line.progress.console.print(
                    f"vqbench: {path}: is damaged, and evaluated again", soft_wrap=True, markup=False, highlight=False
                )
            bench = opened()
            if isinstance(bench, Exception):
                raise bench
            line.describe()
            cell = task.evaluate(bench, advance=line.advance)
            save_cell(out, record.name, cell)
    except NotApplicableError as reason:
        return replace(record, status="skipped", reason=str(reason))
    except Exception as error:
        return replace(record, status="failed", reason=reason_of(error))
    return replace(record, status="ok", cell=cell)


def _finished(out: Path, record: CellRecord) -> Cell | None:
    """The cell where it is finished and whole."""
    try:
        return load_cell(out, record.name)
    except VqbenchError:
        return None


def reason_of(error: Exception) -> str:
    """Say what went wrong, and what to do where vqbench knows; of a plugin's own fault, the place."""
    if isinstance(error, VqbenchError):
        return shown(str(error))
    if isinstance(error, MemoryError):
        return f"MemoryError: {error}".rstrip(": ") + ": it needs more memory; a smaller block_mb takes less"
    return shown(f"{place_of(error)}{type(error).__name__}: {' '.join(str(error).split())}")
