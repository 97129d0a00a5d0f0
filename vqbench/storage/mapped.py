"""Arrays on disk that travel by path: another process maps the same bytes instead of receiving a copy."""

from __future__ import annotations

import hashlib
import mmap
import os
import platform
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.typing import NDArray

from vqbench.errors import VqbenchError


@dataclass(frozen=True)
class Mapped:
    """Where the bytes of a memory-mapped array lie: all that a worker needs to map them itself.

    numpy pickles a memory map as its content. offset: of the lowest byte, in the file; first: of the array's
    first element, from there. size: bytes of the file; probe: a hash of the first and the last row. Both tell a
    worker whose file of that name is another one.
    """

    path: str
    offset: int
    length: int
    first: int
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    size: int
    probe: str

    @classmethod
    def of(cls, array: NDArray[Any]) -> Mapped | None:
        """Where ``array`` lies, or None where it is not (or not unchanged) on disk."""
        whole = _whole(array)
        if whole is None or array.size == 0:
            return None
        low, high = byte_bounds(array)
        path = str(whole.filename)
        try:
            size = os.path.getsize(path)
        except OSError:  # removed since it was mapped: its content is all that is left
            return None
        return cls(
            path,
            low - byte_bounds(whole)[0] + whole.offset,
            high - low,
            array.ctypes.data - low,
            array.dtype.str,
            array.shape,
            array.strides,
            size,
            _probe(array),
        )

    def open(self) -> NDArray[Any]:
        """The array, read only. Raises VqbenchError where this process sees no such file, or another one."""
        here = f"a worker on {platform.node()}"
        remedy = "put the file on a disk that all workers share, under the same path"
        try:
            size = os.path.getsize(self.path)
            if size == self.size:
                bytes_ = np.memmap(self.path, np.uint8, "r", self.offset, (self.length,))
                array = np.ndarray(self.shape, self.dtype, bytes_, self.first, self.strides)
                if _probe(array) == self.probe:
                    return array
        except OSError as error:
            raise VqbenchError(f"{self.path}: {here} cannot read it ({error.strerror}): {remedy}") from None
        raise VqbenchError(f"{self.path}: {here} sees another file under this path ({size} bytes): {remedy}")


def _whole(array: NDArray[Any]) -> np.memmap | None:
    """The memory map of a file that ``array`` is a view of; None for a copy-on-write map, which may differ from it."""
    base: Any = array
    while isinstance(base, np.ndarray) and not isinstance(base.base, mmap.mmap):
        base = base.base
    if not isinstance(base, np.memmap) or base.filename is None or base.mode == "c":
        return None
    return base


def _probe(array: NDArray[Any]) -> str:
    return hashlib.blake2b(array[0].tobytes() + array[-1].tobytes(), digest_size=8).hexdigest()
