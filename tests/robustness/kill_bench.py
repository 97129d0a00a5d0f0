"""A tiny sweep that can be killed: a folder to run it in, and what it must have left when it was given again."""

from __future__ import annotations

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

from kill_steps import Steps, killed_before

VARIANTS = ("float32", "binary_mean", "offset_int8")
COMMAND = (
    "dataset=synthetic", "dataset.n=60", "dataset.d=8", "dataset.queries=5", "k=[5]", "oversample=[0]",
    "metric=[overlap]", f"quantizer=[{','.join(VARIANTS)}]", "figures=false", "report=false", "doctor=false",
    "cache=off", "kernels=numpy", "threads=1",
)  # fmt: skip
#: What the folder holds before: tables of another command.
OLDER = ("k=[3]", "quantizer=[float32,binary_zero]")
#: Settings of a sweep that draws as well; of the figures a cheap one and one with vectors.
DRAWN = ("figures=[bit_balance,vector_bars]", "report=true")
Prepare = Callable[[], object]


@dataclass(frozen=True)
class Ran:
    """How a sweep ended: its status (negative: the signal), what it printed, which cells it evaluated, its steps."""

    status: int
    printed: str
    evaluated: tuple[str, ...]
    steps: tuple[str, ...] = ()


@dataclass
class Bench:
    """A folder to run in, and what an uninterrupted run writes. more: settings of every run."""

    home: Path
    more: tuple[str, ...] = ()
    plan: Any = None
    steps: tuple[str, ...] = ()
    seconds: float = 0.0
    reference: dict[str, bytes] = field(default_factory=dict)
    older: dict[str, bytes] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    older_pictures: dict[str, bytes] = field(default_factory=dict)

    @property
    def out(self) -> Path:
        return self.home / "out"

    def planned(self, *more: str) -> Any:
        """The command as a plan: made once, since Hydra takes longer than the sweep."""
        from vqbench.experiment.config.compose import compose_jobs
        from vqbench.experiment.plan import make_plan

        job = compose_jobs([*COMMAND, *self.more, *more, f"out={self.out}"]).jobs[0]
        return make_plan(job.plain(), job.settings)

    def prepare(self) -> None:
        """Run once without faults, and keep what it wrote; ``steps`` then are its steps on files, by kind."""
        import_all()
        self.plan = self.planned()
        self.run(None, *OLDER)
        self.older, self.older_pictures = tables(self.out), pictures(self.out)
        shutil.rmtree(self.out / "cells")
        self.out.rename(self.home / "older")
        self.fresh()
        started = time.perf_counter()
        ran = self.run(Steps(self.out, 0, killed_before))
        self.seconds = time.perf_counter() - started
        if ran.status or sorted(ran.evaluated) != sorted(VARIANTS):
            raise SystemExit(f"the sweep itself does not run: {ran}")
        self.reference, self.pictures = tables(self.out), pictures(self.out)
        self.steps = ran.steps

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
        import vqbench.cli.commands.run
        import vqbench.cli.finish
        import vqbench.cli.main
        import vqbench.experiment.provenance
        import vqbench.experiment.run

        os.dup2(handle, 1)
        os.dup2(handle, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        # Two that take long and write nothing:
        vqbench.cli.finish.summary = lambda *_, **__: None
        vqbench.experiment.provenance.commit = lambda: None
        signal.alarm(300)  # a sweep that hangs is a fault, too
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has background jobs ignore it,
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and nohup this one
        os.chdir(self.home)
        evaluate = vqbench.experiment.run.evaluate_variant

        def logged(bench: Any, *, variant: Any, **rest: Any) -> Any:
            with open(f"{name}.evaluated", "a") as file:
                file.write(f"{_variant(variant)}\n")
            return evaluate(bench, variant=variant, **rest)

        vqbench.experiment.run.evaluate_variant = logged
        plan = self.plan if not more else self.planned(*more)
        vqbench.cli.commands.run.run_sweep = lambda _: _carried_out(plan)
        prepare()
        if steps is not None:
            steps.install()
        status = vqbench.cli.main.main([*COMMAND, *self.more, *more])
        sys.stdout.flush()
        sys.stderr.flush()
        Path(f"{name}.steps").write_text(" ".join(steps.kinds if steps else ()))
        return status

    def wait(self, pid: int, printed: Path) -> Ran:
        _, status = os.waitpid(pid, 0)
        evaluated, steps = Path(f"{printed}.evaluated"), Path(f"{printed}.steps")
        ran = Ran(
            os.waitstatus_to_exitcode(status), printed.read_text(),
            tuple(evaluated.read_text().split()) if evaluated.exists() else (),
            tuple(steps.read_text().split()) if steps.exists() else (),
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
        from vqbench.results.folder import read_results

        try:
            read_results(self.out)
        except VqbenchError:
            return False
        return tables(self.out) not in known

    def half_drawn(self) -> list[str]:
        """Figures and reports that are neither those of the earlier run nor those of this one."""
        whole = [self.older_pictures, self.pictures]
        found = pictures(self.out)
        return [f"half-drawn: {name}" for name in found if found[name] not in [known.get(name) for known in whole]]

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
        return wrong + ["figures differ"] * (pictures(self.out) != self.pictures)


def _carried_out(plan: Any) -> int:
    """What the command line does with a plan."""
    from vqbench.cli.console import progress_bar
    from vqbench.cli.finish import finish
    from vqbench.experiment.run import run

    with progress_bar() as progress:
        note = run(plan, progress)
    return finish([note])


def import_all() -> None:
    """What a run imports, so that a forked child need not."""
    import importlib

    for name in ("pandas.core.arrays.arrow.extension_types", "pandas.core.methods.to_dict", "pandas.io.formats.csvs",
                 "pandas.core.reshape.reshape", "pyarrow.dataset", "pyarrow.pandas_compat", "pyarrow.parquet",
                 "scipy.special", "vqbench.cli.main", "vqbench.report.figures.folder", "vqbench.cli.finish",
                 "vqbench.report.page"):  # fmt: skip
        importlib.import_module(name)


def _variant(spec: Any) -> str:
    names = {"Cast": "float32", "Binary": "binary_mean", "OffsetInt8": "offset_int8"}
    return names[type(spec.quantizer).__name__]


def tables(out: Path) -> dict[str, bytes]:
    """What must not differ from one run to the next."""
    return {name: (out / name).read_bytes() for name in ("metrics.csv", "ledger.csv", "comparisons.csv")}


def pictures(out: Path) -> dict[str, bytes]:
    """Figures; and of a report, which tells seconds, whether it has an end."""
    found = {path.name: path.read_bytes() for path in out.glob("figures/*") if not path.name.startswith(".vqbench-")}
    report = out / "report.html"
    return found | ({report.name: report.read_bytes()[-10:]} if report.exists() else {})


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
