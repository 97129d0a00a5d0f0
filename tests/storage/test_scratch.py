"""Scratch files: their owner's alone, gone with what refers to them, and after a killed process with the next one."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from vqbench.storage import locks
from vqbench.storage.scratch import Scratch, Temporary

_KILLED = """
import os, signal, sys, tempfile
tempfile.tempdir = sys.argv[1]
from vqbench.storage.scratch import Temporary
kept = Temporary(".rows")
kept.write(b"half")
kept.file.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    locks.sweep_once.cache_clear()
    return tmp_path


def test_rows_come_back_and_go_with_their_last_use(folder: Path) -> None:
    with Scratch(2, np.dtype("f4"), 16) as kept:
        kept.write(np.array([[1, 2], [3, 4]], "f4"))
    rows = kept.rows()
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]
    del kept
    gc.collect()
    assert rows[:].tolist() == [[1, 2], [3, 4]]
    del rows
    gc.collect()
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
def test_what_a_killed_process_left_is_removed_and_what_a_living_one_uses_is_not(folder: Path) -> None:
    living = Temporary(".ids")
    subprocess.run([sys.executable, "-c", _KILLED, folder], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert sorted(path.suffix for path in folder.iterdir()) == [".ids", ".rows"]
    locks.sweep_once.cache_clear()
    another = Temporary(".more")
    assert {*folder.iterdir()} == {living.path, another.path}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
def test_where_there_are_no_locks_nothing_is_taken_for_a_dead_process_s(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    living = Temporary(".ids")
    locks.sweep_once.cache_clear()
    another = Temporary(".more")
    assert {*folder.iterdir()} == {living.path, another.path}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
def test_a_link_is_no_scratch_file(folder: Path) -> None:
    (folder / "mine").write_text("mine")
    (folder / f"{locks.TEMPORARY}x.rows").symlink_to(folder / "mine")
    Temporary(".rows")
    assert (folder / "mine").read_text() == "mine"
    assert (folder / f"{locks.TEMPORARY}x.rows").is_symlink()
