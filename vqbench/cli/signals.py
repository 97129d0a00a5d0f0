"""How a command ends before its time: Ctrl-C, a signal, no memory, a disk that fails. One line, and what to do."""

from __future__ import annotations

import contextlib
import shlex
import signal
import threading
from collections.abc import Iterator, Sequence
from types import FrameType

#: What a system, a queue or a closed terminal sends; ``nohup`` has the last one ignored, and then it stays so.
_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
INTERRUPTED = 130


class Ended(KeyboardInterrupt):
    """A signal that ends the process as Ctrl-C does: what is at hand is dropped, what is open is cleared away."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


@contextlib.contextmanager
def heard() -> Iterator[None]:
    """Turn signals that would end the process on the spot into an exception, for a while."""
    if threading.current_thread() is not threading.main_thread():  # Python hears signals in that thread alone
        yield
        return
    ours = [number for number in _SIGNALS if signal.getsignal(number) == signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _end(number: int, _: FrameType | None) -> None:
    raise Ended(number)


def status_of(error: KeyboardInterrupt) -> int:
    """128 and the signal's number, as a shell has it."""
    return error.status if isinstance(error, Ended) else INTERRUPTED


def farewell(error: BaseException, given: Sequence[str], *, sweep: bool) -> str:
    """What happened, and how to go on."""
    again = "finished cells are kept; to go on, " if sweep else ""
    again += f"give the same command again: {shlex.join(['vqbench', *given])}"
    if isinstance(error, KeyboardInterrupt):
        return f"interrupted{f' ({error})' if isinstance(error, Ended) else ''}; {again}"
    if isinstance(error, MemoryError):
        words = f"out of memory ({error})" if str(error) else "out of memory"
        return f"{words}: a smaller block_mb, dataset.rows or calibration takes less; {again}"
    return f"{error}; {again}"
