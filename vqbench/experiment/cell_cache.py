"""Get a cell: from the store, or by evaluating it, while no other run does the same."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.progress import Progress, TaskID

from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.evaluation.bench import Bench
from vqbench.experiment.config.plugins import place_of
from vqbench.results.cell_files import cell_state, save_cell
from vqbench.results.records import MEANWHILE, Cell, CellName, CellRecord
from vqbench.storage.atomic import faults, make_folder
from vqbench.storage.locks import claimed
from vqbench.text import shown

T = TypeVar("T")


@dataclass(frozen=True)
class Task:
    """One cell to be had. noted: its note, from status and reason. evaluate: from the bench and what is called on the
    way, for a progress bar.
    """

    name: CellName
    label: str
    noted: Callable[..., CellRecord]
    evaluate: Callable[[Bench, Callable[[], None]], Cell]


@dataclass(frozen=True)
class Shown:
    """A task's place on the screen."""

    progress: Progress
    bar: TaskID
    words: str

    def advance(self) -> None:
        self.progress.advance(self.bar)

    def describe(self, words: str) -> None:
        self.progress.update(self.bar, description=words)

    def say(self, line: str) -> None:
        self.progress.console.print(f"vqbench: {line}", soft_wrap=True, markup=False, highlight=False)


def obtain(
    out: Path, task: Task, bench: Callable[[], Bench], shown: Shown, *, force: bool, wait: bool
) -> CellRecord | None:
    """The cell from the store, or evaluated and saved while its claim is held; None where another run holds that.

    wait: until the other run is done, and then take its cell. force: evaluate what is finished, too. A fault becomes a
    note: whatever goes wrong must not lose the other cells.
    """
    if not force and cell_state(out, task.name) == "whole":
        return task.noted("reused", MEANWHILE if wait else "")
    path, claim = out / "cells" / task.name.path, out / "cells" / task.name.claim
    if wait:
        shown.describe(f"{shown.words}, by another run")
    try:
        with ExitStack() as held:
            with faults(claim):
                make_folder(claim.parent)
                ours = held.enter_context(claimed(claim, wait=wait))
            if not ours:
                return None
            state = cell_state(out, task.name)  # another run may have finished it by now
            if state == "whole" and not force:
                return task.noted("reused", MEANWHILE)
            if state == "damaged":
                shown.say(f"{path}: is damaged, and evaluated again")
            opened = bench()
            shown.describe(shown.words)
            save_cell(out, task.name, task.evaluate(opened, shown.advance))
    except NotApplicableError as reason:
        return task.noted("skipped", str(reason))
    except Exception as error:
        return task.noted("failed", reason_of(error))
    return task.noted("ok")


def reason_of(error: Exception) -> str:
    """What went wrong, in a line that says what to do where vqbench knows; of a plugin's own fault, the place."""
    if isinstance(error, VqbenchError):
        return shown(str(error))
    if isinstance(error, MemoryError):
        return f"MemoryError: {error}".rstrip(": ") + ": it needs more memory; a smaller block_mb takes less"
    return shown(f"{place_of(error)}{type(error).__name__}: {' '.join(str(error).split())}")


def once(make: Callable[[], T], failed: list[Exception]) -> Callable[[], T]:
    """What ``make`` returned or raised, each time: what failed for one cell is not tried again for the next.

    failed: holds the error, if there was one.
    """
    made: list[T] = []

    def get() -> T:
        if failed:
            raise failed[0]
        if not made:
            try:
                made.append(make())
            except Exception as error:
                failed.append(error.with_traceback(None))  # or it would keep all that its frames hold
                raise
        return made[0]

    return get
