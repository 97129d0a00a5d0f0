"""Whole commands in processes of their own, and what the core takes on disk. No time is judged."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.peers.__main__ import main
from experiments.peers.contest import Goal
from experiments.peers.installed import core_sizes
from experiments.peers.processes import Command, measured, rows
from experiments.peers.settings import Timed

SMALL = ["sizes=[[800,32,20]]", "repeats=1", "whole=[600,32,20]", "threads=1"]


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the system does not tell a child's peak memory")
def test_peak_memory_is_the_commands_own() -> None:
    """Not that of the process which starts it, nor without what it allocates."""
    held = np.ones(40_000_000)  # 320 MB
    small, large = (measured(Command("x", ["-c", code]), 1) for code in ("pass", "x = b'1' * 200_000_000"))
    assert held.nbytes == 320_000_000
    assert small["status"] == 0
    assert 1e6 < float(str(small["peak"])) < 1e8
    assert 2e8 < float(str(large["peak"])) < 3e8


def test_a_command_that_fails_says_why() -> None:
    commands = [Command("x", ["-c", "import sys; sys.exit('no paper')"], Goal("at most", 1, "s"))]
    (row,) = rows("startup", commands, Timed(repeats=1), 1)
    assert (row.status, row.reason) == ("failed", "exit status 1: no paper")


def test_the_core_is_counted_as_it_lies_on_disk() -> None:
    sizes = core_sizes()
    assert {"vqbench", "numpy", "scipy", "python-dateutil"} <= set(sizes)  # the last one: pandas needs it
    assert "pytest" not in sizes
    rich = Path(importlib.import_module("rich").__file__ or "").parent
    files = [path for top in (rich, *rich.parent.glob("rich-*.dist-info")) for path in top.rglob("*") if path.is_file()]
    own = f".cpython-{sys.version_info.major}{sys.version_info.minor}.pyc"
    kept = [path.stat() for path in files if path.suffix != ".pyc" or path.name.endswith(own)]
    assert sizes["rich"] == sum(getattr(x, "st_blocks", -(-x.st_size // 512)) * 512 for x in kept)


@pytest.mark.slow
def test_the_sweep_whole_commands_and_start_up(tmp_path: Path) -> None:
    assert main([*SMALL, "parts=[sweep,command,startup]", f"out={tmp_path}"]) == 0
    table = pd.read_csv(tmp_path / "peers.csv", keep_default_na=False)
    assert not set(table["status"]) & {"failed", "skipped"}
    names = set(table["contestant"])
    assert {"import vqbench", "vqbench --help", "whole command, tables: peak memory"} <= names
    assert {"its kernels alone", "vqbench.evaluate, default variants"} <= names


@pytest.mark.slow
def test_peak_memory_of_the_default_sweep(tmp_path: Path) -> None:
    """Of as many rows as were asked for, which come as float16: whole commands in processes of their own."""
    rows = ["parts=[memory]", "memory_rows=[300,500]", "memory_queries=20"]
    assert main([*SMALL, *rows, f"out={tmp_path}"]) == 0
    table = pd.read_csv(tmp_path / "peers.csv", keep_default_na=False)
    assert table["n"].tolist() == [300, 500]
    assert table["status"].tolist() == ["reached"] * 2
    assert table["megabytes"].between(50, 1000).all()
