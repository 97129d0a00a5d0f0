"""The formats by ending, and the one place where what a damaged file makes a library raise becomes a sentence."""

from __future__ import annotations

import warnings
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from vqbench.datasets import readers
from vqbench.datasets.readers.base import FOLDER, Content, Wanted, ending_of, refusal
from vqbench.datasets.unpacking import unpacked
from vqbench.errors import VqbenchError


def readers_by_ending() -> dict[str, ModuleType]:
    """The reader of each ending: all modules in ``vqbench.datasets.readers`` that declare any."""
    modules = [import_module(f"{readers.__name__}.{each.name}") for each in iter_modules(readers.__path__)]
    return {ending: module for module in modules for ending in getattr(module, "ENDINGS", ())}


def read(path: Path, wanted: Wanted) -> Content:
    """Read a file by its ending, or a folder that Hugging Face ``datasets`` saved.

    Raises VqbenchError with file, place, value, rule and remedy.
    """
    ending, known = FOLDER if path.is_dir() else ending_of(path), readers_by_ending()
    if ending not in known:
        files = ", ".join(sorted(set(known) - {FOLDER}))
        raise VqbenchError(
            f"{path}: the ending {path.suffix!r} is not one of {files}; save the vectors as one of these"
        )
    reader, kind = known[ending], "Arrow" if ending == FOLDER else ending
    _check_used(path, wanted, reader, kind)
    try:
        if not path.is_dir():
            path.open("rb").close()
        if not hasattr(reader, "read"):
            return _said(path, unpacked(path, wanted, reader))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # libraries warn of headers that are refused, or read rightly
            return _said(path, reader.read(path, wanted))
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


def _check_used(path: Path, wanted: Wanted, reader: ModuleType, kind: str) -> None:
    """Raise VqbenchError for a setting that chooses nothing in a file of this format."""
    for setting, value in vars(wanted).items():
        if setting != "queries" and value is not None and setting not in reader.USES:
            able = sorted({e for e, each in readers_by_ending().items() if setting in each.USES} - {FOLDER})
            raise refusal(
                path,
                place=f"dataset.{wanted.setting(setting)}={value}",
                problem=f"has no effect on {kind} files",
                rule=f"only {', '.join(able)} have several parts to choose from",
                remedy="leave it out",
            )


def _said(path: Path, content: Content) -> Content:
    """The content with a line that says what was taken, where the reader had nothing to choose."""
    if content.taken:
        return content
    n, d = content.rows_nd.shape
    words = f"{path.name}: {content.rows_nd.dtype}, {n:,} x {d:,}"
    words += f", queries {len(content.queries_qd):,} x {d:,}" if content.queries_qd is not None else ""
    return replace(content, taken=words + (", with ids" if content.ids is not None else ""))
