"""What the jobs of a multirun leave for it: a note each, or what stopped them. They may run on another machine."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from vqbench.results.records import CellName, CellRecord, RunRecord
from vqbench.storage.atomic import faults, make_folder, write_atomically, write_text
from vqbench.storage.locks import TEMPORARY, available, claimed

_HOME = Path("results", ".sweeps")


@contextlib.contextmanager
def notes_folder() -> Iterator[Path]:
    """Make a folder for the notes of one multirun, gone afterwards; folders of multiruns that died go first."""
    folder = _HOME / f"{time.strftime('%Y-%m-%dT%H-%M-%S')}-{os.getpid()}"
    with contextlib.ExitStack() as held:
        held.callback(_remove_if_empty)
        with faults(folder):
            make_folder(_HOME)
            _clear_dead()
            held.enter_context(claimed(_claim(folder)))  # before it is there, so that it is nobody's for no moment
            held.callback(shutil.rmtree, folder, ignore_errors=True)
            make_folder(folder)
        yield folder


def _remove_if_empty() -> None:
    with contextlib.suppress(OSError):  # another multirun may be at work beside this one
        _HOME.rmdir()
        _HOME.parent.rmdir()


def _claim(folder: Path) -> Path:
    return folder.with_name(f"{TEMPORARY}{folder.name}.claim")


def _clear_dead() -> None:
    for folder in _HOME.glob("*/") if available(_HOME) else ():
        with claimed(_claim(folder)) as dead:
            if dead:
                shutil.rmtree(folder, ignore_errors=True)


def save_note(folder: Path, job: int, run: RunRecord) -> None:
    """Leave what a job did where the multirun finds it; the cells themselves lie in the results folder."""
    cells = [{**vars(record), "name": vars(record.name), "cell": None} for record in run.cells]
    _leave(folder / f"job-{job:06}.json", json.dumps({**vars(run), "cells": cells}, default=str))


def save_mistake(folder: Path, job: int, text: str) -> None:
    """Leave what stopped a job."""
    _leave(folder / f"job-{job:06}.txt", text)


def _leave(path: Path, text: str) -> None:
    write_atomically(path, lambda temporary: write_text(temporary, text))


def load_mistakes(folder: Path) -> list[str]:
    """Return what stopped jobs of a multirun, in the order of the jobs."""
    return [path.read_text("utf-8") for path in sorted(folder.glob("job-*.txt"))]


def load_notes(folder: Path) -> list[RunRecord]:
    """Return what the jobs of a multirun did, in the order of the jobs."""
    runs = []
    for path in sorted(folder.glob("job-*.json")):
        content = json.loads(path.read_text("utf-8"))
        cells = [CellRecord(**{**cell, "name": CellName(**cell["name"])}) for cell in content["cells"]]
        runs.append(RunRecord(Path(content["out"]), tuple(cells), content["meta"]))
    return runs
