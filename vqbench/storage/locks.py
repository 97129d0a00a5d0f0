"""Locks on files, which end with the process that holds them, however it ends.

They are those of flock(2): of an open file, so that two threads of one process keep each other out too. Windows and
some network file systems have none; there nobody is kept out, and ``available`` says so.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
from collections.abc import Iterator
from pathlib import Path

from vqbench.storage.safe_open import NO_LINK

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

#: Begins the name of every file that is there only for a while: claims, files that are being written, scratch files.
TEMPORARY = ".vqbench-"
_NONE_HERE = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}


def take(path: Path, flags: int = 0, *, wait: bool = False) -> int | None:
    """Open ``path`` with these flags and lock it: a handle, or None where another holds the lock.

    Whoever removes a locked file does so while holding it. So a lock on a file that no longer bears its name is worth
    nothing, and is taken anew. Raises OSError where the file cannot be opened, or is a link.
    """
    while True:
        handle = os.open(path, os.O_RDWR | NO_LINK | flags, 0o666)
        try:
            if not _lock(handle, wait):
                os.close(handle)
                return None
            if _named(handle, path):
                return handle
        except BaseException:  # an interrupt of the wait, too
            os.close(handle)
            raise
        os.close(handle)


def _lock(handle: int, wait: bool) -> bool:
    """False where another holds it. True where there are no locks: nobody can hold one."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NONE_HERE:
            raise
    return True


def _named(handle: int, path: Path) -> bool:
    """Whether ``path`` still is the open file."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def available(folder: Path) -> bool:
    """Whether files in ``folder``, which must be writable, can be locked: a second handle must be kept out."""
    probe = folder / f"{TEMPORARY}{os.urandom(8).hex()}"
    with claimed(probe):
        second = take(probe)
        if second is not None:
            os.close(second)
    return second is None


@contextlib.contextmanager
def claimed(path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Hold the lock named ``path`` for a while; False where another holds it. The file is gone afterwards.

    Raises OSError where it cannot be made.
    """
    sweep_once(path.parent)
    handle = take(path, os.O_CREAT, wait=wait)
    if handle is None:
        yield False
        return
    try:
        yield True
    finally:
        remove(path, handle)


def remove(path: Path, handle: int | None) -> None:
    """Remove a file that is held, and let go of it. What cannot be removed now is, by a later run."""
    if handle is not None and os.name == "nt":  # Windows removes no open file
        handle = os.close(handle)
    with contextlib.suppress(OSError):
        os.unlink(path)
    if handle is not None:
        os.close(handle)


def sweep(folder: Path) -> None:
    """Remove the temporary files in a folder whose processes have ended.

    Nothing is removed where locks keep nobody out: any file may be a living
    process's. A link was made by somebody else.
    """
    for path in folder.glob(f"{TEMPORARY}*"):
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            handle = take(path) if path.is_file() and not path.is_symlink() else None
            if handle is None:
                continue
            held.callback(os.close, handle)
            second = take(path)
            if second is not None:
                held.callback(os.close, second)
                return
            os.unlink(path)


#: The same, once in a process: called wherever a temporary file is made.
sweep_once = functools.cache(sweep)
