"""Files that hold what does not fit into memory for as long as it is in use.

They lie in the system's temporary folder (the environment variable TMPDIR names another), and are removed when
nothing refers to them any more, or when the process ends. What a killed process left, the next one removes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import weakref
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vqbench.errors import VqbenchError
from vqbench.storage.locks import TEMPORARY, remove, sweep_once, take
from vqbench.storage.raw_rows import RawRows, stamp_of

_SPARE = 1 << 28  # bytes of the disk that are left free


class Temporary:
    """A file that is removed when nothing refers to it any more; ``file`` is open for writing.

    Only its owner may read it. It is locked for as long as its process lives.
    """

    def __init__(self, suffix: str):
        sweep_once(Path(tempfile.gettempdir()))
        self.path, handle, lock = _made(suffix)
        self.file = os.fdopen(handle, "wb")
        weakref.finalize(self, _remove, self.path, self.file, lock, os.getpid())

    def write(self, content: bytes | memoryview) -> None:
        """Add to the end. Raises VqbenchError where the disk has no room."""
        try:
            self.file.write(content)
        except OSError as error:
            raise VqbenchError(
                f"{self.path}: cannot be written ({error}): name another folder in the environment variable TMPDIR"
            ) from None


class Scratch:
    """Rows of ``dtype`` and width ``d``, written block by block and then read like any file.

    Use it as a context manager around writing; raises VqbenchError where the disk has no room.
    """

    def __init__(self, d: int, dtype: np.dtype[Any], expected: int):
        """expected: bytes that will be written, which must fit."""
        check_room(expected)
        self._kept, self._d, self._dtype, self._n = Temporary(".rows"), d, dtype, 0

    def __enter__(self) -> Scratch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kept.file.close()

    def write(self, block_nd: NDArray[Any]) -> None:
        """Add rows ``(m, d)``."""
        self._kept.write(np.ascontiguousarray(block_nd, dtype=self._dtype).view(np.uint8).data)
        self._n += len(block_nd)

    def rows(self) -> RawRows:
        """What was written; the file lives as long as these rows do."""
        self._kept.file.close()
        return RawRows(
            path=self._kept.path,
            offset=0,
            shape=(self._n, self._d),
            dtype=self._dtype,
            stamp=stamp_of(self._kept.path.stat()),
            owner=self._kept,
        )


def check_room(expected: int) -> None:
    """Raise VqbenchError unless the temporary folder can hold so many bytes more."""
    if not has_room(expected):
        free = shutil.disk_usage(tempfile.gettempdir()).free
        raise VqbenchError(
            f"{tempfile.gettempdir()}: a scratch file needs {expected / 1e9:.1f} GB, {max(0, free - _SPARE) / 1e9:.1f} "
            "GB are free: name a folder with more room in the environment variable TMPDIR"
        )


def has_room(expected: int) -> bool:
    """Whether the temporary folder can hold so many bytes more."""
    return expected + _SPARE <= shutil.disk_usage(tempfile.gettempdir()).free


def _made(suffix: str) -> tuple[Path, int, int]:
    """A new file, the handle that it is written by and the one that holds its lock."""
    while True:
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, suffix=suffix)
        with contextlib.suppress(FileNotFoundError):
            lock = take(Path(name))
            if lock is not None:
                return Path(name), handle, lock
        os.close(handle)  # it was taken for a dead process's, before it was locked


def _remove(path: Path, file: BinaryIO, lock: int, process: int) -> None:
    """Only the process that made a file removes it, not the copies of that process."""
    if os.getpid() == process:
        file.close()
        remove(path, lock)
