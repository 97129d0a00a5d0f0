"""The formats by ending, and the one place where what a damaged file makes a library raise becomes a sentence."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Collection
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from vqbench.datasets import readers
from vqbench.datasets.compressed import CODECS, inner_name, owned, plain_file
from vqbench.datasets.readers.base import FOLDER, Content, Wanted, ending_of, refusal
from vqbench.datasets.refused import check_known
from vqbench.datasets.unpacking import unpacked
from vqbench.errors import VqbenchError
from vqbench.storage.scratch import Temporary

#: How files of a format begin, to know those whose name has another ending or none.
_BEGINS = {
    b"\x93NUMPY": ".npy",
    b"PAR1": ".parquet",
    b"\x89HDF\r\n\x1a\n": ".hdf5",
    b"ARROW1": ".arrow",
    b"SQLite format 3\0": ".sqlite",
    b"PK\x03\x04": ".npz",
}
_FIRST = 512  # bytes


def readers_by_ending() -> dict[str, ModuleType]:
    """The reader of each ending: all modules in ``vqbench.datasets.readers`` that declare any."""
    modules = [import_module(f"{readers.__name__}.{each.name}") for each in iter_modules(readers.__path__)]
    return {ending: module for module in modules for ending in getattr(module, "ENDINGS", ())}


def read(path: Path, wanted: Wanted, scratch: Temporary | None = None) -> Content:
    """Read a file by its ending, or a folder that Hugging Face ``datasets`` saved.

    Args:
        path: a file; one that is compressed (``.gz``, ``.zst``) is unpacked first.
        wanted: what is taken from it.
        scratch: where a file is unpacked to that cannot be read in place; None: a scratch file of its own.

    Raises:
        VqbenchError: with file, place, value, rule and remedy.
    """
    if path.suffix.lower() in CODECS and not path.is_dir():
        check_known(path)
        return _uncompressed(path, wanted)
    ending, by_content = (FOLDER, False) if path.is_dir() else _ending(path)
    reader, kind = readers_by_ending()[ending], "Arrow" if ending == FOLDER else ending
    _check_used(path, wanted, reader, kind)
    try:
        if not path.is_dir():
            path.open("rb").close()
        if not hasattr(reader, "read"):
            return _said(path, unpacked(path, wanted, reader, scratch), ending if by_content else "")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # libraries warn of headers that are refused, or read rightly
            return _said(path, reader.read(path, wanted), ending if by_content else "")
    except VqbenchError:
        raise
    except PermissionError as error:
        problem, needs = f"cannot be opened ({error.strerror})", ("needs a file that you may read", "ask its owner")
    except MemoryError:
        problem = "needs more memory than there is"
        needs = (f"{kind} is read in part or whole", "save the vectors as .npy or .fbin, which are read in blocks")
    except Exception as error:  # a damaged file can make a library raise nearly anything
        said = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        problem, needs = f"cannot be read as {kind} ({said[:200]})", reader.NEEDS
    raise refusal(path, problem=problem, rule=needs[0], remedy=f"{needs[1]}, or get it again if it was cut off")


def _uncompressed(path: Path, wanted: Wanted) -> Content:
    """Read a compressed file: messages and lines name it, not the scratch file that it is unpacked to."""
    with plain_file(path) as (plain, scratch):
        content = read(plain, wanted)
    return content if scratch is None else owned(content, path, scratch)


def can_use(path: Path, setting: str) -> bool:
    """Say whether a field of ``Wanted`` chooses something in files of this format."""
    ending = FOLDER if path.is_dir() else ending_of(Path(inner_name(path)))
    return setting in getattr(readers_by_ending().get(ending), "USES", ())


def readable_ending(path: Path, known: Collection[str] | None = None) -> str:
    """Return the ending that a file is read by, with that of its compression; empty where it is not read.

    known: the endings of all readers, for those who ask for many files.
    """
    known, name = readers_by_ending() if known is None else known, inner_name(path)
    ending = ending_of(Path(name))
    return ending + path.name[len(name) :].lower() if ending in known else ""


def _ending(path: Path) -> tuple[str, bool]:
    """The ending that a file is read by, and whether its first bytes say so rather than its name.

    Raises VqbenchError for a format that is not read, without reading more.
    """
    ending, known = ending_of(path), readers_by_ending()
    if ending in known:
        return ending, False
    check_known(path)
    first = b""
    with contextlib.suppress(OSError), path.open("rb") as file:
        first = file.read(_FIRST)
    for begins, own in _BEGINS.items():
        if first.startswith(begins) and own in known and (own != ".npz" or b".npy" in first):
            return own, True
    files = ", ".join(sorted({*known} - {FOLDER}))
    what = f"the ending {path.suffix!r} is not one of {files}" if ending else f"has no ending such as {files}"
    raise VqbenchError(f"{path}: {what}; save the vectors as one of these, as in numpy.save('x.npy', x)")


def _check_used(path: Path, wanted: Wanted, reader: ModuleType, kind: str) -> None:
    """Raise VqbenchError for a setting that chooses nothing in a file of this format."""
    for setting, value in vars(wanted).items():
        if setting not in ("queries", "rows_before") and value is not None and setting not in reader.USES:
            able = sorted({e for e, each in readers_by_ending().items() if setting in each.USES} - {FOLDER})
            raise refusal(
                path,
                place=f"dataset.{wanted.setting(setting)}={value}",
                problem=f"has no effect on {kind} files",
                rule=f"only {', '.join(able)} have several parts to choose from",
                remedy="leave it out",
            )


def _said(path: Path, content: Content, by_content: str) -> Content:
    """The content with a line that says what was taken; ``by_content``: its ending, where its name has another or none.

    A reader that had nothing to choose leaves the line to this function.
    """
    begins = f"{path.name}: " + (f"read as {by_content}, by its first bytes: " if by_content else "")
    if content.taken:
        return replace(content, taken=begins + content.taken.removeprefix(f"{path.name}: "))
    n, d = content.rows_nd.shape
    words = f"{begins}{content.rows_nd.dtype}, {n:,} x {d:,}"
    words += f", queries {len(content.queries_qd):,} x {d:,}" if content.queries_qd is not None else ""
    return replace(content, taken=words + (", with ids" if content.ids is not None else ""))
