"""The formats by ending."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from vqbench.errors import VqbenchError
from vqbench.readers import arrow_folder, csv_text, hdf5, json_object, npy, parquet, vecs
from vqbench.readers import bin as big_ann
from vqbench.readers.base import Content, Wanted

READERS: Mapping[str, Callable[[Path, Wanted], Content]] = {
    ".npy": npy.read,
    ".npz": npy.read_archive,
    ".json": json_object.read,
    ".fvecs": vecs.read,
    ".bvecs": vecs.read,
    ".fbin": big_ann.read,
    ".u8bin": big_ann.read,
    ".i8bin": big_ann.read,
    ".parquet": parquet.read,
    ".hdf5": hdf5.read,
    ".h5": hdf5.read,
    ".csv": csv_text.read,
}


def read(path: Path, wanted: Wanted) -> Content:
    """What the file holds, by its ending. Raises VqbenchError with file, place, value, rule and remedy.

    A folder is taken for one of Hugging Face ``datasets``.
    """
    if path.is_dir():
        return arrow_folder.read(path, wanted)
    if path.suffix.lower() not in READERS:
        raise VqbenchError(f"{path}: the ending {path.suffix!r} is not one of {', '.join(READERS)}")
    return READERS[path.suffix.lower()](path, wanted)
