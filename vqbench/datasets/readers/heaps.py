"""Texts of any length in HDF5, such as an attribute, lie in a "global heap", which the HDF5 library follows wherever
it leads: a damaged one can hold it for ever. So heaps are looked at first, and doubtful ones left to another process.

Layout: HDF5 File Format Specification Version 3.0, section III.E, Global Heap.
"""

from __future__ import annotations

import mmap
import subprocess
import sys
from pathlib import Path

_MARK = b"GCOL"
_LEAST, _HEAD, _UNIT = 4096, 16, 8  # bytes of a heap, of its head and of an object's, and of what sizes are rounded to
_PATIENCE = 5.0  # seconds
_ASK = """
import sys, h5py
with h5py.File(sys.argv[1], "r") as file:
    found = file.attrs[sys.argv[2]]
found = found.encode(errors="replace") if isinstance(found, str) else found
sys.stdout.buffer.write(found if isinstance(found, bytes) else b"")
"""


def text_attribute(path: Path, file: object, name: str) -> str:
    """An attribute of the file's root; empty where it is no text.

    Raises OSError where it cannot be read, or not within five seconds.
    """
    if _sound_heaps(path):
        found = file.attrs[name]  # type: ignore[attr-defined]
        found = found.decode(errors="replace") if isinstance(found, bytes) else found
        return found if isinstance(found, str) else ""
    try:
        asked = subprocess.run([sys.executable, "-c", _ASK, path, name], capture_output=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        raise OSError(f"no end to attribute {name}") from None
    if asked.returncode:
        raise OSError(f"attribute {name} cannot be read")
    return asked.stdout.decode(errors="replace")


def _sound_heaps(path: Path) -> bool:
    """Whether all that begins as a heap is one; numbers may look like its beginning, too."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = content.find(_MARK)
        while at >= 0:
            if not _sound(content, at):
                return False
            at = content.find(_MARK, at + len(_MARK))
    return True


def _sound(content: mmap.mmap, at: int) -> bool:
    """Objects one after the other, each with its size, up to the end or to the free space, which has number 0."""
    size = int.from_bytes(content[at + 8 : at + 16], "little")
    end = at + size
    if content[at + 4 : at + 5] != b"\1" or size < _LEAST or end > len(content):
        return False
    at += _HEAD
    while at + _HEAD <= end:
        number, long = (
            int.from_bytes(content[at : at + 2], "little"),
            int.from_bytes(content[at + 8 : at + 16], "little"),
        )
        if number == 0:
            return long == end - at
        at += _HEAD + -(-long // _UNIT) * _UNIT
    return at <= end
