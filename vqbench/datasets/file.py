"""Vectors from a file of any format in ``vqbench.datasets.readers``; the bundled embeddings too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vqbench.datasets.base import CodesKind, Dataset, Identity, Source
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
    #: The array, dataset or column with the vectors, where there are several.
    key: str | None = None
    #: The column or array with the ids; None: one that is called id or the like; ``none``: the rows are numbered.
    id_column: str | None = None
    #: A file or folder with the queries; None: what the file brings along (``test`` of HDF5), else corpus rows.
    queries: str | None = None
    #: The array or column with the queries: of the file of queries, or of the file itself.
    queries_key: str | None = None
    #: A text file with one query id per line.
    query_ids: str | None = None
    #: The column or array with the ids of the queries.
    query_id_column: str | None = None
    #: A file of judgements, ``query 0 document gain`` (TREC) or ``query document gain`` (BEIR) per line.
    qrels: str | None = None
    #: A text file with the group of each query per line; intervals then count groups, not queries.
    groups: str | None = None
    #: A column or file with a text for each row, to be shown; texts may repeat.
    texts: str | None = None
    #: A column or file with a label for each row, to be shown; labels may repeat.
    labels: str | None = None
    #: When a query is a corpus row: ``auto``, equal ids and equal vectors; ``ids``, equal ids; ``never``.
    identity: Identity = "auto"
    #: What the bytes of ``path`` are, or of ``codes_path``: codes of a provider, as packed bits or whole numbers.
    codes: CodesKind | None = None
    #: A file with a provider's codes of the rows of ``path``, which then are floats.
    codes_path: str | None = None

    @property
    def title(self) -> str:
        path = Path(self.path)
        return self.name or (path.absolute().parent.name if path.stem in _PLAIN else path.stem)

    def load(self) -> Source:
        path = _resolved(self.path, folders=True)
        apart = self.queries is not None and _resolved(self.queries, folders=True) != path
        corpus = read(path, self._wanted(both=not apart))
        queries = corpus
        queries_qd, query_ids, query_gaps = corpus.queries_qd, corpus.query_ids, corpus.query_gaps
        if apart and self.queries is not None:
            wanted = Wanted(key=self.queries_key, id_column=self.query_id_column, queries=True)
            queries = read(_resolved(self.queries, folders=True), wanted)
            queries_qd, query_ids, query_gaps = queries.rows_nd, queries.ids, queries.gaps
        elif queries_qd is None and self.queries is not None:
            raise VqbenchError(
                f"{self.path}: dataset.queries names the file of the corpus itself: queries=self takes corpus rows as "
                "queries, and dataset.queries_key=NAME another part of the file"
            )
        if self.query_ids is not None:
            count = None if queries_qd is None else len(queries_qd)
            query_ids = _lines(self.query_ids, count, f"queries of {self.queries or self.path}")
        judgements = corpus.judgements if self.qrels is None else qrels.read(_resolved(self.qrels))
        return Source(
            origin=self.path,
            corpus_nd=corpus.rows_nd,
            ids=corpus.ids if self.ids is None else _lines(self.ids, len(corpus.rows_nd), f"rows of {self.path}"),
            queries_qd=queries_qd,
            query_ids=query_ids,
            judgements=judgements,
            groups=None if self.groups is None else PackedIds.lines(_resolved(self.groups)),
            texts=corpus.texts,
            labels=corpus.labels,
            gaps=corpus.gaps,
            query_gaps=query_gaps,
            distance=corpus.distance,
            identity=self.identity,
            stated_neighbours=corpus.stated_neighbours if not apart else None,
            files={part: path for part in _PARTS if (path := getattr(self, part)) is not None},
            taken=(corpus.taken, *((f"queries: {queries.taken}",) if apart else ())),
        )

    def _wanted(self, *, both: bool) -> Wanted:
        """What is taken from the file of the corpus; ``both``: the queries too, if it has any."""
        return Wanted(
            key=self.key,
            id_column=self.id_column,
            queries_key=self.queries_key if both else None,
            query_id_column=self.query_id_column if both else None,
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
