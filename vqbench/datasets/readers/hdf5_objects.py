"""What an HDF5 file holds, and the datasets in it that may be read: those whose data lie in the file itself."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vqbench.datasets.readers.array_parts import Array, named_type
from vqbench.datasets.readers.base import refusal
from vqbench.datasets.readers.hdf5_chunks import check_chunks
from vqbench.datasets.unpacking import Sheet

#: What is said of a link.
LINK = "a link, which is not followed"
_OWN = {"rule": "vectors must lie in the file itself", "remedy": "copy them into it"}
_CHOOSE = "choose one with dataset.key=NAME"
_MOST = 10_000  # datasets that are looked at
_DEEPEST = 32  # groups in each other
_POINTER = 16  # bytes that stand for a text of any length; the text lies elsewhere in the file


def arrays_in(path: Path, group: Any, above: tuple[str, ...] = (), seen: set[Any] | None = None) -> Iterator[Array]:
    """All datasets of a group and of those in it, each once, by their full names.

    Raises VqbenchError where there are far too many.
    """
    import h5py

    seen = set() if seen is None else seen
    for name in group:
        full = "/".join([*above, name])
        if _link(group, name) != "hard":
            yield Array(full, (), np.dtype("V"), what=LINK)
            continue
        try:
            item = group[name]
            number = h5py.h5o.get_info(item.id).addr
        except Exception:  # a type or header that h5py does not know, or damage
            yield Array(full, (), np.dtype("V"), what="cannot be read")
            continue
        if number in seen:
            continue
        seen.add(number)
        if len(seen) > _MOST or len(above) > _DEEPEST:
            rule = f"up to {_MOST:,} in {_DEEPEST} groups within each other are looked at"
            raise refusal(path, place=full, problem="too many datasets and groups", rule=rule, remedy=_CHOOSE)
        if isinstance(item, h5py.Group):
            yield from arrays_in(path, item, (*above, name), seen)
        elif isinstance(item, h5py.Dataset):
            what = "nothing" if item.shape is None else "lists of varying length" if _is_ragged(item) else ""
            yield Array(full, item.shape or (), type_of(item), what=what)


def type_of(dataset: Any) -> np.dtype[Any]:
    """The dtype of its values. HDF5 has no bfloat16, and h5py stores it as two raw bytes."""
    import h5py

    if h5py.check_string_dtype(dataset.dtype) is not None:
        return np.dtype("S") if dataset.dtype.kind == "S" else np.dtype("U")
    return named_type(dataset.dtype)


def _is_ragged(dataset: Any) -> bool:
    import h5py

    return h5py.check_vlen_dtype(dataset.dtype) not in (None, str, bytes)


def _link(group: Any, name: str) -> str:
    """``none``, ``hard``, or ``elsewhere``. h5py's own look-up would follow a link, into other files too."""
    import h5py

    links, key = group.id.links, os.fsencode(name)
    if not links.exists(key):
        return "none"
    return "hard" if links.get_info(key).type == h5py.h5l.TYPE_HARD else "elsewhere"


def dataset_at(path: Path, file: Any, name: str, sheet: Sheet) -> Any:
    """The dataset, if it lies in this file and the file holds as much as it claims.

    Raises VqbenchError.
    """
    import h5py

    dataset, place = file, f"dataset {name}"
    for part in [part for part in name.split("/") if part]:
        link = _link(dataset, part) if isinstance(dataset, h5py.Group) else "none"
        if link == "none":
            rule = f"the file holds {', '.join(file) or 'nothing'}"
            raise refusal(path, place=place, problem="not there", rule=rule, remedy=_CHOOSE)
        if link == "elsewhere":
            raise refusal(path, place=place, problem=f"{part!r} is a link", **_OWN)
        dataset = dataset[part]
    if not isinstance(dataset, h5py.Dataset):
        raise refusal(path, place=place, problem="a group", rule="needs a dataset", remedy=_CHOOSE)
    if dataset.is_virtual or dataset.external:
        raise refusal(path, place=place, problem="refers to other files", **_OWN)
    item = _POINTER if dataset.dtype.kind == "O" else dataset.dtype.itemsize
    stored, claimed = dataset.id.get_storage_size(), math.prod(dataset.shape or ()) * item
    if dataset.chunks:
        sheet.check(claimed)
        check_chunks(path, place, dataset, item)
    elif min(stored, path.stat().st_size) < claimed:
        raise refusal(
            path,
            place=place,
            problem=f"{dataset.dtype} {dataset.shape}, {claimed} bytes",
            rule=f"the file holds {stored} bytes of it",
            remedy="it was not written completely: write it again",
        )
    return dataset
