"""Nothing lost: whatever kills a sweep or fails under it, the same command finishes it with the same tables."""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import kill_bench
import kills
import pytest
from kill_bench import COMMAND, DRAWN, VARIANTS, Bench, tables
from kill_steps import killed_after, killed_before, torn
from places import ROOT
from unplugged import unplugged_at

pytestmark = pytest.mark.skipif(not hasattr(os, "fork") or not Path("/proc/self/fd").is_dir(), reason="needs Linux")

#: Steps on files of the sweep, as the fixture counts them.
STEPS = 62


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A sweep with everything imported. Its children are forked, so nothing is run in this process before."""
    made = Bench(tmp_path_factory.mktemp("kills"))
    made.prepare()
    assert len(made.steps) == STEPS
    return made


@pytest.mark.slow
@pytest.mark.parametrize("half", [0, 1])
def test_a_kill_at_any_step_loses_nothing(bench: Bench, half: int) -> None:
    """Before a step is after the one before it."""
    wrong = [each for at in range(1 + half, STEPS + 1, 2) for each in kills.at_step(bench, killed_before, at)]
    assert wrong + kills.at_step(bench, killed_after, STEPS) == []


@pytest.mark.slow
def test_a_file_that_was_half_written_is_never_taken_for_whole(bench: Bench) -> None:
    """Each cell and each table."""
    filled = [at for at, kind in enumerate(bench.steps, start=1) if kind == "fill"]
    assert len(filled) == len(VARIANTS) + 7
    assert [each for at in filled for each in kills.at_step(bench, torn, at)] == []


@pytest.mark.slow
def test_a_pulled_plug_loses_nothing_that_a_run_went_on_from(bench: Bench) -> None:
    """The disk holds what was synced, and of the rest whatever chance has it."""
    chance = random.Random(3)
    assert [each for at in (*range(2, STEPS, 6), STEPS) for each in unplugged_at(bench, at, chance)] == []


@pytest.mark.slow
def test_a_figure_is_whole_or_not_there(tmp_path: Path) -> None:
    """And a report: half-filled, or killed between the two files of a figure. ``kills.py --drawn`` tries all steps."""
    drawn = Bench(tmp_path, DRAWN)
    drawn.prepare()
    *_, svg, report = [at for at, kind in enumerate(drawn.steps, start=1) if kind == "fill"]
    wrong = [each for at in (svg, report) for each in kills.at_step(drawn, torn, at)]
    first = next(at for at in range(svg, report) if drawn.steps[at - 1] == "replace")
    assert wrong + kills.at_step(drawn, killed_after, first) == []
    assert kills.failed_step(drawn, errno.ENOSPC, svg) == []


@pytest.mark.slow
def test_a_kill_at_a_random_moment_loses_nothing(bench: Bench) -> None:
    moment, died = random.Random(7), 0
    while died < 25:
        more, wrong = kills.at_random(bench, moment)
        assert wrong == []
        died += max(1, more)


@pytest.mark.slow
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_any_step_may_fail(bench: Bench, number: int) -> None:
    """Every step with one error or the other."""
    steps = range(1 + (number == errno.EIO), STEPS + 1, 2)
    assert [each for at in steps for each in kills.failed_step(bench, number, at)] == []


@pytest.mark.slow
def test_eight_runs_at_once_evaluate_each_cell_once(bench: Bench) -> None:
    bench.fresh(older=False)
    ran = [bench.wait(*each) for each in [bench.start() for _ in range(8)]]
    assert [each.status for each in ran] == [0] * 8
    assert sorted(name for each in ran for name in each.evaluated) == sorted(VARIANTS)
    assert tables(bench.out) == bench.reference
    assert not list(kill_bench.passing(bench.out))


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_run_in_order(bench: Bench, number: int, status: int) -> None:
    """The cell at hand is dropped, finished ones are kept, nothing is left behind."""
    bench.fresh()

    def at_the_second_cell() -> None:
        import vqbench.experiment.run

        evaluate = vqbench.experiment.run.evaluate_variant

        def evaluated(*positional: object, **named: object) -> object:
            if len(kill_bench.cell_files(bench.out)) == 1:
                os.kill(os.getpid(), number)
            return evaluate(*positional, **named)

        vqbench.experiment.run.evaluate_variant = evaluated

    ran = bench.run(prepare=at_the_second_cell)
    assert ran.status == status
    assert "interrupted" in ran.printed
    assert "finished cells are kept" in ran.printed
    assert "vqbench dataset=synthetic" in ran.printed
    assert "Traceback" not in ran.printed
    assert len(kill_bench.finished_cells(bench.out)) == 1
    assert not list(kill_bench.passing(bench.out))
    assert tables(bench.out) == bench.older
    assert bench.faults_left() == []


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "older", "status"), [(12000, True, 1), (12000, False, 1), (2000, False, 2)])
def test_a_file_larger_than_the_limit_is_named(bench: Bench, limit: int, older: bool, status: int) -> None:
    """No cell fits: older tables stay; else reasons are written, or the tables do not fit either and there are none."""
    bench.fresh(older=older)
    ran = bench.run(prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert ran.status == status, ran.printed
    new = not older and status == 1
    told = (bench.out / "metrics.csv").read_text() if new else " ".join(ran.printed.split())
    assert "cannot be written (File too large): raise the limit on the size of files (ulimit -f)" in told
    if older:
        assert tables(bench.out) == bench.older
    assert (bench.out / "meta.json").exists() == (older or new)
    assert not list(kill_bench.passing(bench.out))
    assert bench.faults_left() == []


@pytest.mark.slow
def test_a_memory_limit_fails_cells_and_loses_none(bench: Bench) -> None:
    """A variant that asks for more than there is fails; the others have their rows."""
    bench.fresh()

    def limited() -> None:
        import numpy as np

        from vqbench.quantizers.binary import BinaryCodec

        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 30), resource.RLIM_INFINITY))
        BinaryCodec.encode = lambda self, x_nd: np.ones(1 << 33, np.uint8)

    ran = bench.run(prepare=limited)
    table = (bench.out / "metrics.csv").read_text()
    assert (ran.status, sorted(ran.evaluated)) == (1, sorted(VARIANTS))
    assert "MemoryError: Unable to allocate" in table
    assert "block_mb" in table
    assert kill_bench.finished_cells(bench.out) == {"float32", "offset_int8"}
    assert bench.faults_left() == []


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut", "flipped", "garbage", "empty", "another"])
def test_a_damaged_cell_is_evaluated_again(bench: Bench, damage: str) -> None:
    bench.fresh(older=False)
    assert bench.run().status == 0
    path, other = sorted(kill_bench.cell_files(bench.out))[:2]
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes({
        "cut": content[:-1], "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "garbage": os.urandom(500), "empty": b"", "another": other.read_bytes(),
    }[damage])  # fmt: skip
    ran = bench.run()
    assert ran.status == 0
    assert ran.evaluated == (path.name.rsplit("-s0-", 1)[0],)
    assert f"vqbench: {path}: is damaged, and evaluated again" in ran.printed
    assert tables(bench.out) == bench.reference


@pytest.mark.slow
def test_a_touched_cell_is_not_evaluated_again(bench: Bench) -> None:
    bench.fresh(older=False)
    bench.run()
    for path in kill_bench.cell_files(bench.out):
        os.utime(path, (1, 1))
    assert bench.run().evaluated == ()
    assert sorted(bench.run(None, "force=true").evaluated) == sorted(VARIANTS)
    assert tables(bench.out) == bench.reference


@pytest.mark.slow
def test_a_signal_reaches_a_command_through_hydra(tmp_path: Path) -> None:
    """The whole command line, interrupted while it is at work."""
    command = [*COMMAND, "dataset.n=20000", "dataset.queries=1000", f"out={tmp_path / 'x'}"]
    running = subprocess.Popen(
        [sys.executable, "-m", "vqbench", *command], stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    while not list(tmp_path.glob("x/cells/*/.vqbench-*.claim")) and running.poll() is None:
        time.sleep(0.01)
    running.terminate()
    _, printed = running.communicate(timeout=60)
    assert running.returncode == 143, printed
    assert len(printed.splitlines()) == 1
    assert "interrupted (SIGTERM)" in printed
    assert not list(tmp_path.rglob(".vqbench-*"))


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_multirun_that_is_killed_goes_on(launcher: str, tmp_path: Path) -> None:
    """With all its processes, in the midst of a job: finished cells are not evaluated again, its notes go."""
    if launcher == "joblib":
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="hydra-joblib-launcher is not installed")
    command = [
        sys.executable, "-m", "vqbench", "-m", *COMMAND, "dataset.n=10000,10001", "dataset.queries=300", "dataset.d=32",
        f"hydra/launcher={launcher}", "out=x",
    ]  # fmt: skip
    about = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(ROOT)}}
    running = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, **about)
    while not kill_bench.cell_files(tmp_path / "x") and running.poll() is None:
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGKILL)
    assert running.wait(60) == -signal.SIGKILL
    finished = {path: path.stat().st_mtime_ns for path in kill_bench.cell_files(tmp_path / "x")}
    assert 0 < len(finished) < 2 * len(VARIANTS)
    assert list(tmp_path.glob("results/.sweeps/*"))
    again = subprocess.run(command, capture_output=True, text=True, timeout=200, **about)
    assert again.returncode == 0, again.stderr
    found = {path: path.stat().st_mtime_ns for path in kill_bench.cell_files(tmp_path / "x")}
    assert len(found) == 2 * len(VARIANTS)
    assert finished.items() <= found.items()
    count = f"{len(finished)} cells were" if len(finished) > 1 else "1 cell was"
    assert f"({count} finished before)" in " ".join(again.stdout.split())
    assert not (tmp_path / "results").exists()
    assert not list(kill_bench.passing(tmp_path))
