"""What the screen makes of backends.csv."""

from __future__ import annotations

from pathlib import Path

import pytest
from folders import row, write_engines, write_folder

from vqbench.cli.screens.engines import print_engines
from vqbench.extras import runnable
from vqbench.results.folder import read_results


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_engines(write_folder(tmp_path, [row("float32", 0, 1.0, 0.003)], {"float32": (128.0, 0.0)}))


def test_the_screen_shows_what_ran_and_what_is_missing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_engines(read_results(folder))
    shown = capsys.readouterr().out
    assert "b_pq_again" in shown
    assert "\N{MINUS SIGN}0.010" in shown
    assert "\N{MINUS SIGN}0.020 to 0.000" in shown
    wanted = runnable("skipped: d, c_none: Cengine is not installed: pip install 'vqbench[backends]'")
    assert wanted in " ".join(shown.split())
