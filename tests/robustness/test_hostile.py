"""Each hostile sample is refused in one line that says what to do, by the commands that people type."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hostile import SAMPLES

from vqbench.cli.main import main
from vqbench.datasets.formats import readers_by_ending
from vqbench.datasets.readers.base import FOLDER


def _refused(command: list[str], path: Path, words: str, capfd: pytest.CaptureFixture[str]) -> str:
    assert main(command) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"vqbench: {path}")
    assert err.endswith("\n")
    assert err[:-1].isprintable()
    assert words in err
    return err


@pytest.mark.parametrize("name", SAMPLES)
def test_each_is_refused_in_one_line(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write, words = SAMPLES[name]
    write(tmp_path / name)
    line = _refused(["nearest", "0", str(tmp_path / name)], tmp_path / name, words, capfd)
    assert len(line) < 700
    assert "; " in line, "what to do comes last"


@pytest.mark.slow
def test_a_run_says_the_same(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """And writes nothing: the last sample of some formats."""
    folder, out = tmp_path / "samples", tmp_path / "out"
    done = subprocess.run([sys.executable, Path(__file__).with_name("hostile.py"), folder], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder.iterdir()} == set(SAMPLES)
    last = {Path(name).suffix: name for name in SAMPLES}
    for name in (last[ending] for ending in (".npy", ".json", ".fvecs", ".parquet", ".hdf5")):
        path, words = folder / name, SAMPLES[name][1]
        _refused(["dataset=file", f"dataset.path={path}", f"out={out}", "cache=off"], path, words, capfd)
    assert not out.exists()


def test_every_format_has_samples() -> None:
    kinds = {Path(name).suffix for name in SAMPLES}
    # Read by the same lines as .hdf5, .u8bin, .feather, .sqlite, .faiss, .jsonl; folders: test_arrow_folder.py.
    twins = {".h5", ".i8bin", ".arrow", ".ipc", ".db", ".sqlite3", ".index", ".ndjson", FOLDER}
    assert set(readers_by_ending()) - kinds <= twins
