"""Vectors from a file of any format in ``vqbench.datasets.readers``; the bundled embeddings too."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from vqbench.datasets.base import Dataset, Source
from vqbench.datasets.formats import read
from vqbench.datasets.readers import qrels
from vqbench.datasets.readers.arrow_folder import is_folder
from vqbench.datasets.readers.base import Wanted
from vqbench.errors import VqbenchError
from vqbench.storage.ids import PackedIds
from vqbench.text import expanded

BUNDLED = "bundled:"
#: File names that say nothing: the folder's name is taken.
_PLAIN = ("embeddings", "vectors", "corpus", "data")
_PARTS = ("ids", "queries", "query_ids", "qrels", "groups")  # that may have files of their own
_FOLDER = Path(__file__).parents[1] / "data"


@dataclass(frozen=True, kw_only=True)
class File(Dataset):
    """Vectors from a file of any format, with their ids, queries and judgements where these are given.

    A path that starts with ``bundled:`` lies in the package.

    Example:
        >>> File(path="clip/embeddings.npy", ids="clip/titles.txt").title
        'clip'
    """

    #: A file with an ending of a reader in ``vqbench.datasets.readers``, or a folder of Hugging Face ``datasets``.
    path: str
    #: What tables and figures call it; None: the file's name.
    name: str | None = None
    #: A text file with one id per line, in the order of the rows.
    ids: str | None = None
    #: The array (.npz), dataset (HDF5) or column (Parquet, folders) with the vectors, where there are several.
    key: str | None = None
    #: The column with the ids (Parquet, CSV, folders); None: the one called id.
    id_column: str | None = None
    #: A file or folder with the queries; None: what the file brings along (``test`` of HDF5), else corpus rows.
    queries: str | None = None
    #: A text file with one query id per line.
    query_ids: str | None = None
    #: A file of judgements in TREC's format, ``query 0 document gain`` per line.
    qrels: str | None = None
    #: A text file with the group of each query per line; intervals then count groups, not queries.
    groups: str | None = None

    @property
    def title(self) -> str:
        path = Path(self.path)
        return self.name or (path.absolute().parent.name if path.stem in _PLAIN else path.stem)

    def load(self) -> Source:
        wanted = Wanted(key=self.key, id_column=self.id_column)
        corpus = read(_resolved(self.path, folders=True), wanted)
        queries_qd, query_ids = corpus.queries_qd, None
        if self.queries is not None:
            own = read(_resolved(self.queries, folders=True), replace(wanted, queries=True))
            queries_qd, query_ids = own.rows_nd, own.ids
        if self.query_ids is not None:
            count = None if queries_qd is None else len(queries_qd)
            query_ids = _lines(self.query_ids, count, f"queries of {self.queries or self.path}")
        return Source(
            origin=self.path,
            corpus_nd=corpus.rows_nd,
            ids=corpus.ids if self.ids is None else _lines(self.ids, len(corpus.rows_nd), f"rows of {self.path}"),
            queries_qd=queries_qd,
            query_ids=query_ids,
            judgements=None if self.qrels is None else qrels.read(_resolved(self.qrels)),
            groups=None if self.groups is None else PackedIds.lines(_resolved(self.groups)),
            stated_neighbours=corpus.stated_neighbours if self.queries is None else None,
            files={part: path for part in _PARTS if (path := getattr(self, part)) is not None},
        )


def _lines(path: str, count: int | None, of: str) -> PackedIds:
    """The lines of a file of ids, as many as there are rows, if there are any."""
    ids = PackedIds.lines(_resolved(path))
    if count is not None and len(ids) != count:
        raise VqbenchError(f"{path}: {len(ids):,} ids for {count:,} {of}: give one id a line, in the order of the rows")
    return ids


def _resolved(path: str, *, folders: bool = False) -> Path:
    """A file that is there; with ``folders`` also a folder that Hugging Face ``datasets`` saved."""
    place = _FOLDER / path.removeprefix(BUNDLED) if path.startswith(BUNDLED) else expanded(path)
    if place.is_dir() and not (folders and is_folder(place)):
        more = "; only one that Hugging Face datasets saved (save_to_disk) is read as a whole" if folders else ""
        raise VqbenchError(f"{path}: is a folder: name the file in it{more}")
    if not place.is_dir() and not place.is_file():
        raise VqbenchError(f"{path}: no such file: check the path (it is relative to the current folder)")
    if place.stat().st_size == 0:
        raise VqbenchError(f"{path}: the file is empty; write it again, or name another one")
    return place
