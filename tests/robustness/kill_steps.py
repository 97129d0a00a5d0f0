"""Steps on files: making, filling, syncing, renaming, removing. They are counted, and one is a kill or a fault."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Names that ``os`` gives to what changes files.
_STEPS = ("open", "fsync", "replace", "unlink", "mkdir")
Act = Callable[[str, tuple[Any, ...], Callable[[], Any]], Any]


@dataclass
class Steps:
    """Counts the steps on files below ``folder``, and lets ``act`` do the one with this number. kinds: those done."""

    folder: Path
    at: int
    act: Act
    kinds: list[str] = field(default_factory=list)

    def install(self) -> None:
        for name in _STEPS:
            setattr(os, name, self._watched(name, getattr(os, name)))

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*given: Any, **more: Any) -> Any:
            if not self._ours(name, given):
                return real(*given, **more)
            filled = name == "fsync" and os.fstat(given[0]).st_size and not os.path.isdir(given[0])
            self.kinds.append("fill" if filled else name)
            if len(self.kinds) != self.at:
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
    try:
        go()
    finally:  # it may fail, as removing a file does that was renamed
        _die()


def torn(name: str, given: tuple[Any, ...], go: Callable[[], Any]) -> Any:
    """Killed while a file was being filled: half of it is on the disk."""
    if name == "fsync" and os.fstat(given[0]).st_size and not os.path.isdir(given[0]):
        os.ftruncate(given[0], os.fstat(given[0]).st_size // 2)
    _die()


def failing(number: int, kind: Path) -> Act:
    """The step fails with this errno; what kind of step it was is written into a file."""

    def act(name: str, given: tuple[Any, ...], go: Callable[[], Any]) -> Any:
        kind.write_text(name)
        raise OSError(number, os.strerror(number), str(given[0]))

    return act
