"""Get a cell: from the results folder, or by evaluating it, while no other run does the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from rich.progress import Progress, TaskID

from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.evaluation.bench import Bench
from vqbench.experiment.config.plugins import place_of
from vqbench.results.cell_files import load_cell, save_cell
from vqbench.results.records import MEANWHILE, Cell, CellRecord
from vqbench.storage.atomic import faults, make_folder
from vqbench.storage.locks import claimed
from vqbench.text import shown

T = TypeVar("T")


@dataclass(frozen=True)
class Task:
    """One cell to be had."""

    record: CellRecord  #: without a status yet
    evaluate: Callable[[Bench, Callable[[], None]], Cell]  #: gets the bench, and what is called on the way


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
    out: Path, task: Task, bench: Callable[[], Bench], line: ProgressLine, *, force: bool, wait: bool
) -> CellRecord | None:
    """Take the cell from the results folder, or evaluate and save it while its claim is held.

    A fault becomes a record: whatever goes wrong must not lose the other cells.

    Args:
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
            opened = bench()
            line.describe()
            cell = task.evaluate(opened, line.advance)
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


class Once(Generic[T]):
    """What ``make`` returned or raised, each time: what failed for one cell is not tried again for the next."""

    def __init__(self, make: Callable[[], T]):
        self._make, self._made = make, list[T]()
        self.error: Exception | None = None

    def __call__(self) -> T:
        if self.error is not None:
            raise self.error
        if not self._made:
            try:
                self._made.append(self._make())
            except Exception as error:
                self.error = error.with_traceback(None)  # or it would keep all that its frames hold
                raise
        return self._made[0]
