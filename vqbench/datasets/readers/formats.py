"""The formats by ending, and the one place where what a damaged file makes a library raise becomes a sentence."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from zipfile import BadZipFile

from vqbench.datasets.readers import arrow_folder, big_ann, csv_text, hdf5, json_object, npy, npz, parquet, texmex
from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.errors import VqbenchError

READERS: Mapping[str, Callable[[Path, Wanted], Content]] = {
    ".npy": npy.read,
    ".npz": npz.read,
    ".json": json_object.read,
    ".fvecs": texmex.read,
    ".bvecs": texmex.read,
    ".fbin": big_ann.read,
    ".u8bin": big_ann.read,
    ".i8bin": big_ann.read,
    ".parquet": parquet.read,
    ".hdf5": hdf5.read,
    ".h5": hdf5.read,
    ".csv": csv_text.read,
}

#: What a file that no library can read should have been, where the ending alone does not say it.
_RULES = {
    ".npy": ("needs one plain array of numbers", "save it with numpy.save"),
    ".npz": ("needs plain arrays of numbers", "save them with numpy.savez"),
    ".csv": ("needs UTF-8 text with commas between numbers", "write it again"),
    ".json": ("needs one object of id to list of numbers, in UTF-8", "write it again"),
}


def read(path: Path, wanted: Wanted) -> Content:
    """What the file holds, by its ending. Raises VqbenchError with file, place, value, rule and remedy.

    A folder is taken for one of Hugging Face ``datasets``.
    """
    ending = path.suffix.lower()
    if not path.is_dir() and ending not in READERS:
        raise VqbenchError(
            f"{path}: the ending {path.suffix!r} is not one of {', '.join(READERS)}; save the vectors as one of these"
        )
    reader = arrow_folder.read if path.is_dir() else READERS[ending]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # libraries warn of headers that are refused, or read rightly
            return reader(path, wanted)
    except VqbenchError:
        raise
    except PermissionError as error:
        raise refusal(
            path,
            found=f"cannot be opened ({error.strerror})",
            rule="needs a file that you may read",
            remedy="ask its owner, or copy it",
        ) from None
    except MemoryError:
        raise refusal(
            path,
            found="needs more memory than there is",
            rule=f"{ending} is read in part or whole",
            remedy="save the vectors as .npy or .fbin, which are read in blocks",
        ) from None
    except Exception as error:  # a damaged file can make a library raise nearly anything
        rule, remedy = _RULES.get(ending, (f"needs a whole {ending} file", "write it again"))
        if isinstance(error, EOFError | BadZipFile) or ending not in _RULES or str(error).startswith("EOF"):
            remedy += ", or copy or download it again if it was cut off"
        told = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise refusal(path, found=f"cannot be read as {ending} ({told[:200]})", rule=rule, remedy=remedy) from None
