"""Vectors from a file: .npy, .npz, or JSON {id: [floats]}; the bundled embeddings too."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.base import Dataset, Judgement, Source
from vqbench.errors import VqbenchError

BUNDLED = "bundled:"
#: File names that say nothing: the folder's name is taken.
_PLAIN = ("embeddings", "vectors", "corpus", "data")
_FOLDER = Path(__file__).parents[1] / "data"


@dataclass(frozen=True, kw_only=True)
class File(Dataset):
    """A corpus file and, optionally, its ids, its own queries and their relevance judgements.

    path, queries: ``.npy`` (memory-mapped), ``.npz`` (``key`` names the array where there are
    several) or ``.json``, an object of id to list of numbers. ids, query_ids: text files, one id a
    line. groups: a text file too, the group of each query a line (of each row where rows are the queries): intervals
    then count groups, not queries. qrels: TREC format, ``query 0 document gain`` a line. A path that starts with
    ``bundled:`` lies in the package.
    """

    path: str
    name: str | None = None
    ids: str | None = None
    key: str | None = None
    queries: str | None = None
    query_ids: str | None = None
    qrels: str | None = None
    groups: str | None = None

    @property
    def title(self) -> str:
        path = Path(self.path)
        return self.name or (path.absolute().parent.name if path.stem in _PLAIN else path.stem)

    def load(self) -> Source:
        corpus_nd, ids = _vectors(_resolved(self.path), self.key)
        queries_qd, query_ids = (None, None) if self.queries is None else _vectors(_resolved(self.queries), self.key)
        return Source(
            origin=self.path,
            corpus_nd=corpus_nd,
            ids=ids if self.ids is None else _lines(_resolved(self.ids)),
            queries_qd=queries_qd,
            query_ids=query_ids if self.query_ids is None else _lines(_resolved(self.query_ids)),
            judgements=None if self.qrels is None else _judgements(_resolved(self.qrels)),
            groups=None if self.groups is None else _lines(_resolved(self.groups)),
        )


def _resolved(path: str) -> Path:
    found = _FOLDER / path.removeprefix(BUNDLED) if path.startswith(BUNDLED) else Path(path).expanduser()
    if found.is_dir():
        raise VqbenchError(f"{path}: is a folder: name the file in it")
    if not found.is_file():
        raise VqbenchError(f"{path}: no such file: check the path (it is taken from the current folder)")
    if found.stat().st_size == 0:
        raise VqbenchError(f"{path}: the file is empty")
    return found


def _vectors(path: Path, key: str | None) -> tuple[NDArray[np.generic], Sequence[str] | None]:
    readers = {".npy": _npy, ".npz": _npz, ".json": _json}
    if path.suffix.lower() not in readers:
        raise VqbenchError(f"{path}: the ending {path.suffix!r} is not one of {', '.join(readers)}")
    return readers[path.suffix.lower()](path, key)


def _npy(path: Path, key: str | None) -> tuple[NDArray[np.generic], None]:
    try:
        return np.lib.format.open_memmap(path, mode="r"), None  # refuses pickled objects
    except Exception as error:  # a damaged header can raise nearly anything
        raise VqbenchError(
            f"{path}: cannot be read as .npy ({error}): save a plain number array with numpy.save"
        ) from None


def _npz(path: Path, key: str | None) -> tuple[NDArray[np.generic], None]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = archive.files
            if key is None and len(names) != 1:
                raise VqbenchError(f"{path}: holds {', '.join(names)}: choose one with dataset.key=NAME")
            if key is not None and key not in names:
                raise VqbenchError(f"{path}: has no array {key!r}, only {', '.join(names)}")
            return archive[key or names[0]], None
    except VqbenchError:
        raise
    except Exception as error:  # a damaged archive, too
        raise VqbenchError(f"{path}: cannot be read as .npz ({error})") from None


def _json(path: Path, key: str | None) -> tuple[NDArray[np.generic], Sequence[str]]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise VqbenchError(f"{path}: id {twice!r} stands twice: ids must be unique")
        return found

    def no_constant(literal: str) -> float:
        raise VqbenchError(f"{path}: holds the literal {literal}: every component must be a finite number")

    try:
        content = json.loads(path.read_text("utf-8"), object_pairs_hook=unique, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise VqbenchError(f"{path}: is not valid JSON ({error})") from None
    if not isinstance(content, dict) or not content:
        raise VqbenchError(f"{path}: needs a non-empty object of id to list of numbers")
    width = None
    for name, row in content.items():
        if not isinstance(row, list) or any(type(value) not in (int, float) for value in row):
            raise VqbenchError(f"{path}: id {name!r}: the value must be a list of numbers")
        width = len(row) if width is None else width
        if len(row) != width:
            raise VqbenchError(f"{path}: id {name!r} has {len(row)} numbers, the first id has {width}")
    try:
        return np.array(list(content.values()), dtype=np.float64), list(content)
    except OverflowError:
        raise VqbenchError(f"{path}: holds an integer that no float can represent") from None


def _lines(path: Path) -> list[str]:
    try:
        # Not splitlines: an id may hold one of the rarer line separators of Unicode.
        return path.read_text("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise VqbenchError(f"{path}: is not UTF-8 text ({error}): give one id a line") from None


def _judgements(path: Path) -> list[Judgement]:
    found = []
    for number, line in enumerate(_lines(path), start=1):
        fields = line.split()
        try:
            query, _, document, gain = fields
            if not math.isfinite(float(gain)):
                raise ValueError
            found.append((query, document, float(gain)))
        except ValueError:
            raise VqbenchError(
                f"{path}: line {number}: {line!r} is not 'query 0 document gain' with a finite gain"
            ) from None
    return found
