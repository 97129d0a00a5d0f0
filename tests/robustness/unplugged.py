"""What a pulled plug leaves: a disk that holds of each file what was last synced, of each folder the names synced last.

Whatever came later may have reached the disk or not, name by name: the worst that a file system is allowed to do.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kill_bench import Bench, finished_cells, tables
from kill_steps import Steps, killed_before


@dataclass(eq=False)
class _File:
    """One file, whatever it is called. synced: its content on the disk."""

    synced: bytes = b""


@dataclass
class Disk:
    """Watches the steps on files below ``folder``."""

    folder: Path
    files: dict[int, _File] = field(default_factory=dict)  # by inode
    names: dict[Path, dict[str, _File | None]] = field(default_factory=dict)  # of each folder; None: a folder

    def begin(self) -> None:
        """Everything that is there lies on the disk."""
        for path in [self.folder.parent, self.folder, *self.folder.rglob("*")]:
            if path.is_file():
                self.files[path.stat().st_ino] = _File(path.read_bytes())
        for path in [self.folder, *self.folder.rglob("*/")]:
            if path.is_dir():
                self.names[path] = self._now(path)

    def step(self, name: str, given: tuple[Any, ...], go: Callable[[], Any]) -> Any:
        """Do a step, and note what it brings to the disk."""
        new = name == "open" and not os.path.exists(given[0])
        done = go()
        if new:
            self.files[os.fstat(done).st_ino] = _File()
        if name == "fsync":
            path = Path(os.readlink(f"/proc/self/fd/{given[0]}"))
            if path.is_dir():
                self.names[path] = self._now(path)
            else:
                self.files[os.fstat(given[0]).st_ino].synced = path.read_bytes()
        return done

    def _now(self, folder: Path) -> dict[str, _File | None]:
        return {path.name: None if path.is_dir() else self.files[path.stat().st_ino] for path in folder.iterdir()}

    def pull(self, chance: random.Random) -> None:
        """Leave in the folder what the disk holds."""
        left = self._left(self.folder, chance)
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        for path, file in left.items():
            path.mkdir() if file is None else path.write_bytes(file.synced)

    def _left(self, folder: Path, chance: random.Random) -> dict[Path, _File | None]:
        """Folders come before what they hold."""
        left: dict[Path, _File | None] = {}
        states = [self.names.get(folder, {}), self._now(folder) if folder.is_dir() else {}]
        for name in sorted({*states[0], *states[1]}):
            state = chance.choice(states)
            if name in state:
                left[folder / name] = state[name]
                left |= self._left(folder / name, chance) if state[name] is None else {}
        return left


@dataclass
class Unplugged(Steps):
    """Pulls the plug before the step with this number. chance: of what reached the disk that did not have to."""

    chance: random.Random = field(default_factory=random.Random)

    def install(self) -> None:
        self.disk = Disk(self.folder)
        self.disk.begin()
        super().install()

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*given: Any, **more: Any) -> Any:
            if not self._ours(name, given):
                return real(*given, **more)
            self.kinds.append(name)
            if len(self.kinds) == self.at:
                self.disk.pull(self.chance)
                os.kill(os.getpid(), signal.SIGKILL)
            return self.disk.step(name, given, lambda: real(*given, **more))

        return step


def unplugged_at(bench: Bench, at: int, chance: random.Random) -> list[str]:
    """Pull the plug before one step; what is wrong then.

    What a run went on from must be on the disk: the cells before the one at hand, and at its last step all it wrote.
    """
    bench.fresh()
    ran = bench.run(Unplugged(bench.out, at, killed_before, chance=chance))
    wrong = [] if ran.status == -signal.SIGKILL else [f"the run ended with {ran.status}: {ran.printed[-400:]}"]
    if len(finished_cells(bench.out)) < len(ran.evaluated) - 1:
        wrong.append(f"of {ran.evaluated} only {sorted(finished_cells(bench.out))} are on the disk")
    if at == len(bench.steps) and tables(bench.out) != bench.reference:
        wrong.append("the run was done, and its tables are not on the disk")
    wrong += ["tables of two runs are taken for whole"] * bench.mixed(bench.older, bench.reference)
    return [f"unplugged, step {at}: {each}" for each in wrong + bench.faults_left()]
