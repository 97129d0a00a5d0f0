"""Kill a tiny sweep again and again, and look at what it left: ``python tests/kills.py --kills 1000``.

Each sweep is a child forked from one process that has everything imported, so that a kill costs half a second. A child
counts its steps on files: making, filling, syncing, renaming, removing. It can be killed before or after any of them,
with half of a file's content on the disk, or at a random moment; or a step fails, as on a full disk. Afterwards the
store may hold whole cells only, and the same command must finish, without evaluating a finished cell, and write the
same metrics.csv, byte for byte.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VARIANTS = ("float32", "binary_mean", "offset_int8")
COMMAND = (
    "dataset=synthetic", "dataset.n=60", "dataset.d=8", "dataset.queries=5", "k=[5]", "oversample=[0]",
    "metric=[overlap]", f"quantizer=[{','.join(VARIANTS)}]", "figures=false", "report=false", "doctor=false",
    "cache=off", "kernels=numpy", "threads=1",
)  # fmt: skip
#: What the folder holds before: tables of another command.
OLDER = ("k=[3]", "quantizer=[float32,binary_zero]")
#: Names that ``os`` gives to what changes files.
_STEPS = ("open", "fsync", "replace", "unlink", "mkdir")
Act = Callable[[str, tuple[Any, ...], Callable[[], Any]], Any]
Prepare = Callable[[], object]


@dataclass
class Steps:
    """Counts the steps on files below ``folder``, and lets ``act`` do the one with this number."""

    folder: Path
    at: int
    act: Act
    count: int = 0

    def install(self) -> None:
        for name in _STEPS:
            setattr(os, name, self._watched(name, getattr(os, name)))

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*given: Any, **more: Any) -> Any:
            if not self._ours(name, given):
                return real(*given, **more)
            self.count += 1
            if self.count != self.at:
                return real(*given, **more)
            return self.act(name, given, lambda: real(*given, **more))

        return step

    def _ours(self, name: str, given: tuple[Any, ...]) -> bool:
        if name == "open" and not given[1] & os.O_CREAT:
            return False
        path = os.readlink(f"/proc/self/fd/{given[0]}") if name == "fsync" else os.path.abspath(given[0])
        return path.startswith(str(self.folder))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_before(name: str, given: tuple[Any, ...], go: Callable[[], Any]) -> Any:
    _die()


def killed_after(name: str, given: tuple[Any, ...], go: Callable[[], Any]) -> Any:
    go()
    _die()


def torn(name: str, given: tuple[Any, ...], go: Callable[[], Any]) -> Any:
    """Killed while a file was being filled: half of it is on the disk."""
    if name == "fsync" and os.fstat(given[0]).st_size:
        os.ftruncate(given[0], os.fstat(given[0]).st_size // 2)
    _die()


def failing(number: int, kind: Path) -> Act:
    """The step fails with this errno; what kind of step it was is written into a file."""

    def act(name: str, given: tuple[Any, ...], go: Callable[[], Any]) -> Any:
        kind.write_text(name)
        raise OSError(number, os.strerror(number), str(given[0]))

    return act


@dataclass(frozen=True)
class Ran:
    """How a sweep ended: its status (negative: the signal), what it printed, which cells it evaluated."""

    status: int
    printed: str
    evaluated: tuple[str, ...]
    steps: int = 0


@dataclass
class Bench:
    """A folder to run in, and what an uninterrupted run writes."""

    home: Path
    plan: Any = None
    seconds: float = 0.0
    reference: dict[str, bytes] = field(default_factory=dict)
    older: dict[str, bytes] = field(default_factory=dict)

    @property
    def out(self) -> Path:
        return self.home / "out"

    def planned(self, *more: str) -> Any:
        """The command as a plan: made once, since Hydra takes longer than the sweep."""
        from vqbench.composing import composed, plain
        from vqbench.plan import make_plan

        config, given = composed([*COMMAND, *more, f"out={self.out}"])
        return make_plan(plain(config), given)

    def prepare(self) -> int:
        """Run once without faults; returns the number of steps."""
        import_all()
        self.plan = self.planned()
        self.run(None, *OLDER)
        self.older = tables(self.out)
        shutil.rmtree(self.out / "cells")
        self.out.rename(self.home / "older")
        self.fresh()
        started = time.perf_counter()
        ran = self.run(Steps(self.out, 0, killed_before))
        self.seconds = time.perf_counter() - started
        if ran.status or sorted(ran.evaluated) != sorted(VARIANTS):
            raise SystemExit(f"the sweep itself does not run: {ran}")
        self.reference = tables(self.out)
        return ran.steps

    def fresh(self, older: bool = True) -> None:
        """Remove what a run wrote; older: put the tables of another run there."""
        shutil.rmtree(self.out, ignore_errors=True)
        if older:
            shutil.copytree(self.home / "older", self.out)

    def start(self, steps: Steps | None = None, *more: str, prepare: Prepare = lambda: None) -> tuple[int, Path]:
        """Fork a child that runs the command; its process id and the file that it prints into."""
        handle, name = tempfile.mkstemp(dir=self.home, prefix="printed-")
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            status = 99
            try:
                status = self._child(handle, name, steps, more, prepare)
            finally:
                os._exit(status)
        os.close(handle)
        return pid, Path(name)

    def _child(self, handle: int, name: str, steps: Steps | None, more: Sequence[str], prepare: Prepare) -> int:
        import vqbench.cli
        import vqbench.provenance
        import vqbench.run
        import vqbench.terminal

        os.dup2(handle, 1)
        os.dup2(handle, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        # Two that take long and write nothing:
        vqbench.terminal.summary = lambda *_, **__: None
        vqbench.provenance.commit = lambda: None
        signal.alarm(300)  # a sweep that hangs is a fault, too
        os.chdir(self.home)
        evaluate = vqbench.run.evaluate_variant

        def noted(bench: Any, spec: Any, *rest: Any) -> Any:
            with open(f"{name}.evaluated", "a") as file:
                file.write(f"{_variant(spec)}\n")
            return evaluate(bench, spec, *rest)

        vqbench.run.evaluate_variant = noted
        plan = self.plan if not more else self.planned(*more)
        vqbench.cli._sweep = lambda _: _carried_out(plan)
        prepare()
        if steps is not None:
            steps.install()
        status = vqbench.cli.main([*COMMAND, *more])
        sys.stdout.flush()
        sys.stderr.flush()
        Path(f"{name}.steps").write_text(str(steps.count if steps else 0))
        return status

    def wait(self, pid: int, printed: Path) -> Ran:
        _, status = os.waitpid(pid, 0)
        evaluated, steps = Path(f"{printed}.evaluated"), Path(f"{printed}.steps")
        ran = Ran(
            os.waitstatus_to_exitcode(status), printed.read_text(),
            tuple(evaluated.read_text().split()) if evaluated.exists() else (),
            int(steps.read_text() or 0) if steps.exists() else 0,  # killed while it was written: empty
        )  # fmt: skip
        for path in (printed, evaluated, steps):
            path.unlink(missing_ok=True)
        return ran

    def run(self, steps: Steps | None = None, *more: str, prepare: Prepare = lambda: None) -> Ran:
        return self.wait(*self.start(steps, *more, prepare=prepare))

    def killed_at_random(self, moment: random.Random) -> Ran:
        """Kill a run some time between its start and well after its usual end."""
        pid, printed = self.start()
        end = time.monotonic() + moment.uniform(0, 1.1 * self.seconds)
        while time.monotonic() < end and not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            time.sleep(0.001)
        os.kill(pid, signal.SIGKILL)
        return self.wait(pid, printed)

    def mixed(self, *known: dict[str, bytes]) -> bool:
        """Whether a reader takes the folder for whole, although its tables are not those that belong together."""
        from vqbench.errors import VqbenchError
        from vqbench.store import read_results

        try:
            read_results(self.out)
        except VqbenchError:
            return False
        return tables(self.out) not in known

    def faults_left(self) -> list[str]:
        """What is wrong once the same command was given again."""
        finished, wrong = finished_cells(self.out), damaged_cells(self.out)
        again = self.run()
        if again.status:
            wrong.append(f"the same command ended with {again.status}: {again.printed[-400:]}")
        redone = finished & set(again.evaluated)
        if redone:
            wrong.append(f"evaluated although finished: {sorted(redone)}")
        if set(again.evaluated) | finished != set(VARIANTS) or len(set(again.evaluated)) < len(again.evaluated):
            wrong.append(f"evaluated {again.evaluated}, finished were {sorted(finished)}")
        wrong += [f"left behind: {path}" for path in passing(self.out)]
        wrong += ["tables of two runs are taken for whole"] * self.mixed(self.reference)
        wrong += [f"{name} differs" for name, found in tables(self.out).items() if found != self.reference[name]]
        return wrong


def _carried_out(plan: Any) -> int:
    """What the command line does with a plan."""
    from vqbench.finish import finish
    from vqbench.run import run
    from vqbench.terminal import progress_bar

    with progress_bar() as progress:
        note = run(plan, progress)
    return finish([note])


def import_all() -> None:
    """What a run imports, so that a forked child need not."""
    import importlib

    for name in ("pandas.core.arrays.arrow.extension_types", "pandas.core.methods.to_dict", "pandas.io.formats.csvs",
                 "pandas.core.reshape.reshape", "pyarrow.dataset", "pyarrow.pandas_compat", "pyarrow.parquet",
                 "scipy.special", "vqbench.cli", "vqbench.finish"):  # fmt: skip
        importlib.import_module(name)


def _variant(spec: Any) -> str:
    names = {"Cast": "float32", "Binary": "binary_mean", "OffsetInt8": "offset_int8"}
    return names[type(spec.quantizer).__name__]


def tables(out: Path) -> dict[str, bytes]:
    """What must not differ from one run to the next."""
    return {name: (out / name).read_bytes() for name in ("metrics.csv", "ledger.csv", "comparisons.csv")}


def cell_files(out: Path) -> list[Path]:
    return [path for path in out.glob("cells/*/*") if not path.name.startswith(".vqbench-")]


def _whole(path: Path) -> bool:
    """By the rule of the format, written down once more: the first line ends in the hash of the rest."""
    import hashlib

    head, _, body = path.read_bytes().partition(b"\n")
    return head.split()[-1:] == [hashlib.sha256(body).hexdigest().encode()]


def finished_cells(out: Path) -> set[str]:
    return {path.name.rsplit("-s0-", 1)[0] for path in cell_files(out) if _whole(path)}


def damaged_cells(out: Path) -> list[str]:
    return [f"not whole: {path}" for path in cell_files(out) if not _whole(path)]


def passing(out: Path) -> Iterator[Path]:
    return out.rglob(".vqbench-*")


def at_step(bench: Bench, act: Act, at: int) -> list[str]:
    """Kill at one step, in a folder that holds the tables of another run; what is wrong then."""
    bench.fresh()
    ran = bench.run(Steps(bench.out, at, act))
    wrong = [] if ran.status == -signal.SIGKILL else [f"the killed run ended with {ran.status}: {ran.printed[-400:]}"]
    wrong += ["tables of two runs are taken for whole"] * bench.mixed(bench.older, bench.reference)
    return [f"{act.__name__}, step {at}: {each}" for each in wrong + bench.faults_left()]


def at_random(bench: Bench, moment: random.Random) -> tuple[int, list[str]]:
    """Kill one to three runs, each at a random moment, before one may finish: how many died, and what is wrong."""
    bench.fresh()
    ends = [bench.killed_at_random(moment).status for _ in range(moment.randint(1, 3))]
    mixed = ["tables of two runs are taken for whole"] * bench.mixed(bench.older, bench.reference)
    return ends.count(-signal.SIGKILL), mixed + bench.faults_left()


def failed_step(bench: Bench, number: int, at: int) -> list[str]:
    """One step fails with this errno: the run says where and why, and leaves nothing half-written behind.

    What cannot be removed is no fault, and goes with the next run.
    """
    bench.fresh()
    kind = bench.home / "kind"
    act = failing(number, kind)
    ran = bench.run(Steps(bench.out, at, act))
    removing = kind.read_text() == "unlink"
    told = ran.printed + (bench.out / "metrics.csv").read_text()
    wrong = damaged_cells(bench.out)
    if ran.status != 1:  # else failed cells have rows of their own
        wrong += ["tables of two runs are taken for whole"] * bench.mixed(bench.older, bench.reference)
    if "Traceback" in ran.printed or ran.status not in ((0, 2) if removing else (1, 2)):
        wrong.append(f"status {ran.status}: {ran.printed[-400:]}")
    if ran.status and not (os.strerror(number) in told and str(bench.out) in told and "same command" in told):
        wrong.append(f"does not say what to do: {told[-400:]}")
    if ran.status == 2 and kind.read_text() == "open" and tables(bench.out) != bench.older:
        wrong.append("older tables were lost")
    if not removing:
        wrong += [f"left behind: {path}" for path in passing(bench.out)]
    return [f"{os.strerror(number)}, step {at} ({kind.read_text()}): {each}" for each in wrong + bench.faults_left()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="at random moments; then at every step")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    killed, wrong = 0, list[str]()
    with tempfile.TemporaryDirectory() as home:
        bench = Bench(Path(home))
        steps = bench.prepare()
        print(f"{steps} steps, {bench.seconds:.2f} s a run", flush=True)
        moment = random.Random(given.seed)
        while killed < given.kills:
            died, found = at_random(bench, moment)
            killed, wrong = killed + died, wrong + found
            if found or killed % 50 < died:
                print(f"killed at {killed} random moments: {len(wrong)} faults", flush=True)
        for act in (killed_before, killed_after, torn):
            for at in range(1, steps + 1):
                wrong += at_step(bench, act, at)
            print(f"{act.__name__}, {steps} steps: {len(wrong)} faults in all", flush=True)
    print("\n".join(wrong) or "no faults")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
