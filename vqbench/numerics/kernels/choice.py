"""Whether compiled kernels (numba) or numpy do the work. Results are the same either way."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

from vqbench.errors import VqbenchError
from vqbench.extras import runnable
from vqbench.numerics.thread_pool import using_threads

Kernels = Literal["auto", "numba", "numpy"]

#: Set to one of ``Kernels`` where no option is at hand, as in a notebook.
VARIABLE = "VQBENCH_KERNELS"

_WORTH = 0.5  # seconds that loading numba takes: it is loaded once numpy has worked, or is to work, for longer
_ANNOUNCED_AFTER = 1.0  # seconds


@dataclass
class _Process:
    """Of the process, not of a context, since pools of threads do not inherit those."""

    kernels: Kernels | None = None  #: what ``working`` was given
    spent: float = 0.0  #: seconds that numpy took longer so far, about
    compiling: float = 0.0  #: seconds


_process = _Process()
_loading = threading.Lock()


@contextmanager
def working(*, threads: int | None = None, kernels: Kernels | None = None) -> Iterator[None]:
    """Use so many threads and these kernels within, for the whole process; None leaves either as it is."""
    before = _process.kernels
    with ExitStack() as stack:
        if threads is not None:
            stack.enter_context(using_threads(threads))
        _process.kernels = before if kernels is None else _checked(kernels)
        stack.callback(setattr, _process, "kernels", before)
        yield


def _checked(kernels: Any) -> Kernels:
    if kernels not in get_args(Kernels):
        raise VqbenchError(f"kernels = {kernels!r}: must be one of {', '.join(get_args(Kernels))}")
    return kernels


def chosen_kernels() -> Kernels:
    """Return what ``working`` or the environment says. Raises VqbenchError for an unknown name."""
    return _process.kernels or _checked(os.environ.get(VARIABLE, "auto"))


def compiled(name: str, seconds: float = float("inf")) -> Any | None:
    """Return the module ``vqbench.numerics.kernels.NAME``, or None where numpy is to do the work.

    Args:
        seconds: about how much longer numpy would take for what lies ahead.

    Raises:
        VqbenchError: numba was asked for by name and cannot be loaded.
    """
    kernels = chosen_kernels()
    if kernels == "auto" and "numba" not in sys.modules:
        _process.spent += seconds
        if _process.spent < _WORTH:
            return None
    if kernels == "numpy":
        return None
    with _loading:  # or each thread that asks at the same time would compile
        module = _loaded(name)
    if not isinstance(module, ImportError):
        return module
    if kernels == "numba":
        raise VqbenchError(runnable(f"kernels = numba: numba cannot be loaded ({module}): pip install 'vqbench[fast]'"))
    return None


def compiling() -> float:
    """Return the seconds that this process has spent on compiling kernels: no part of what a variant takes."""
    return _process.compiling


@cache
def _loaded(name: str) -> Any:
    """The module, compiled; or what went wrong: numba is not installed, or is for another numpy or processor."""
    began = time.perf_counter()
    words = f"vqbench: compiling the kernels ({name}): once, then they are kept"
    timer = threading.Timer(_ANNOUNCED_AFTER, lambda: print(words, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        module = importlib.import_module(f"vqbench.numerics.kernels.{name}")
        module.warm()
    except ImportError as error:
        return error
    finally:
        timer.cancel()
        _process.compiling += time.perf_counter() - began
    return module
