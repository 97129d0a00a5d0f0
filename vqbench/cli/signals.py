"""How a command ends early: Ctrl-C, a signal, no memory, a disk that fails. One line, and what to do."""

from __future__ import annotations

import contextlib
import shlex
import signal
import threading
from collections.abc import Iterator, Sequence
from types import FrameType

#: What a system, a queue or a closed terminal sends. ``nohup`` makes a process ignore the last one; then it stays so.
_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Signalled(KeyboardInterrupt):
    """A signal that ends the process as Ctrl-C does, so that what is open is closed and removed."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


@contextlib.contextmanager
def catch_signals() -> Iterator[None]:
    """Turn signals that would end the process at once into an exception, within a ``with``."""
    in_main_thread = threading.current_thread() is threading.main_thread()  # Python has signals in that thread alone
    caught = [number for number in _SIGNALS if in_main_thread and signal.getsignal(number) == signal.SIG_DFL]
    for number in caught:
        signal.signal(number, _raise)
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, signal.SIG_DFL)


def _raise(number: int, _: FrameType | None) -> None:
    raise Signalled(number)


def exit_status(error: BaseException) -> int:
    """Return 128 and the signal's number for an interrupt, as a shell does; else 1."""
    if isinstance(error, KeyboardInterrupt):
        return getattr(error, "status", 128 + signal.SIGINT)
    return 1


def explain_end(error: BaseException, words: Sequence[str], *, sweep: bool) -> str:
    """Say what happened and how to go on.

    Args:
        error: what ended the command.
        words: the command's arguments.
        sweep: whether it was a run, whose finished cells are kept.
    """
    again = f"give the same command again: {shlex.join(['vqbench', *words])}"
    if sweep:
        again = f"finished cells are kept; to go on, {again}"
    if isinstance(error, KeyboardInterrupt):
        return f"interrupted{f' ({error})' if isinstance(error, Signalled) else ''}; {again}"
    if isinstance(error, MemoryError):
        detail = f" ({error})" if str(error) else ""
        return f"out of memory{detail}: a smaller block_mb, dataset.rows or calibration takes less; {again}"
    return f"{error}; {again}"
