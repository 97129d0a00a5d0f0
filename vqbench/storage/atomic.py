"""Files that are written whole or not at all, and are on the disk once they bear their name."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from vqbench.errors import VqbenchError
from vqbench.storage.locks import TEMPORARY, remove, sweep, sweep_once, take

Write = Callable[[Path], object]
_ROOM = "make room on that disk, then give the same command again"
_ELSEWHERE = "choose another place, with out=DIR or --out FILE"
#: What to do about an error of the operating system.
_REMEDIES = {
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), then give the same command again",
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), _ROOM),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.EISDIR), _ELSEWHERE),
}


def write_atomically(path: Path, write: Write) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then put it in place at once.

    Raises VqbenchError where it cannot be written; ``path`` then is what it was.
    """
    write_together({path: write})


def write_together(files: Mapping[Path, Write]) -> None:
    """Write all files beside their places, in the order given, and only then put them there, one after the other.

    A disk that is full leaves all of them as they were. A process that is killed may leave some new and some old.
    Raises VqbenchError, which names the file and what to do.
    """
    with contextlib.ExitStack() as stack:
        ready: dict[Path, Path] = {}
        for path, write in files.items():
            with faults(path):
                make_folder(path.parent)
                ready[path] = stack.enter_context(_filled(path, write))
        for path, temporary in ready.items():
            with faults(path):
                os.replace(temporary, path)
        for folder in dict.fromkeys(path.parent for path in files):
            with faults(folder):
                _sync_folder(folder)


@contextlib.contextmanager
def _filled(path: Path, write: Write) -> Iterator[Path]:
    """A temporary file for ``path``, written and on the disk; removed unless it was renamed.

    It is held by a lock for as long as its process lives, so that what a dead one left can be told.
    """
    handle: int | None
    temporary, handle = _temporary(path)
    try:
        write(temporary)
        os.fsync(handle)
        if os.name == "nt":  # Windows renames no open file
            handle = os.close(handle)
        yield temporary
    finally:
        remove(temporary, handle)  # renamed, it no longer bears this name


def _temporary(path: Path) -> tuple[Path, int]:
    """A new file beside ``path``, with its ending, which tells some writers the format; and its handle."""
    sweep_once(path.parent)
    while True:
        temporary = path.with_name(f"{TEMPORARY}{os.urandom(8).hex()}{path.suffix}")
        with contextlib.suppress(FileExistsError):
            handle = take(temporary, os.O_CREAT | os.O_EXCL)
            if handle is not None:  # else it was taken for a dead process's, before it was locked
                return temporary, handle


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, on the disk too. Raises OSError."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """The names in a folder reach the disk, where the system can be asked for that."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems sync no folders
            raise
    finally:
        os.close(handle)


@contextlib.contextmanager
def faults(path: Path) -> Iterator[None]:
    """Turn the operating system's errors into one that names ``path`` and what to do."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "check that disk, then give the same command again")
        raise VqbenchError(f"{path}: cannot be written ({error.strerror or error}): {remedy}") from error


def check_writable(folder: Path) -> None:
    """Make the folder, and remove what dead processes left in it and below it.

    Raises VqbenchError where no files can be made in it.
    """
    with faults(folder):
        make_folder(folder)
        for path in folder.rglob(f"{TEMPORARY}*"):
            sweep(path.parent)
        with tempfile.TemporaryFile(dir=folder):
            pass


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with plain line ends on every platform."""
    path.write_text(text, "utf-8", newline="\n")
