"""Vectors from a file of any format in ``vqbench.datasets.readers``; the bundled embeddings too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vqbench.datasets import beir
from vqbench.datasets.base import BUNDLED, Dataset, Identity, Source
from vqbench.datasets.choice import NO_IDS
from vqbench.datasets.compressed import inner_name
from vqbench.datasets.formats import can_use
from vqbench.datasets.numbers import CodesKind
from vqbench.datasets.provider_codes import declared_queries, declared_rows, provided_codes
from vqbench.datasets.readers import arrow_folder, qrels
from vqbench.datasets.readers.base import Content, Wanted
from vqbench.datasets.row_columns import GROUPS, IDS, LABELS, QUERY_IDS, TEXTS, Role
from vqbench.datasets.row_texts import RowTexts, read_texts
from vqbench.datasets.series import files_of_folder, files_of_list, files_of_pattern, is_pattern, order_of
from vqbench.datasets.shards import read_files
from vqbench.errors import VqbenchError
from vqbench.storage.ids import Packing
from vqbench.text import expanded

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

    #: A file with an ending of a reader in ``vqbench.datasets.readers``; a folder, a glob or a list of such files, the
    #: parts of one corpus; or a folder of Hugging Face ``datasets`` or of BEIR.
    path: str | list[str]
    #: What tables and figures call it; None: the file's name.
    name: str | None = None
    #: A file with the ids in the order of the rows: one a line, an array, a list, or a column (``id_column``).
    ids: str | None = None
    #: The array, dataset or column with the vectors, where there are several.
    key: str | None = None
    #: The column or array with the ids, in the file of ids if there is one; None: one that is called id or the like;
    #: ``none``: the rows are numbered.
    id_column: str | None = None
    #: A file, folder or glob with the queries; None: what the file brings along (``test`` of HDF5), else corpus rows.
    queries: str | None = None
    #: The array or column with the queries: of the file of queries, or of the file itself.
    queries_key: str | None = None
    #: A file with the ids of the queries, as for ``ids``.
    query_ids: str | None = None
    #: The column or array with the ids of the queries.
    query_id_column: str | None = None
    #: A file of judgements, ``query 0 document gain`` (TREC) or ``query document gain`` (BEIR) per line.
    qrels: str | None = None
    #: A file with the group of each query, as for ``texts``; intervals then count groups, not queries.
    groups: str | None = None
    #: A text for each row, to be shown, which may repeat: a file, a column of it (``meta.csv:title``), or a column of
    #: the file with the vectors.
    texts: str | None = None
    #: A label for each row, to be shown, in the same way.
    labels: str | None = None
    #: When a query is a corpus row: ``auto``, equal ids and equal vectors; ``ids``, equal ids; ``never``.
    identity: Identity = "auto"
    #: What the bytes of ``path`` are, or of ``codes_path``: codes of a provider, as packed bits or whole numbers.
    codes: CodesKind | None = None
    #: A file with a provider's codes of the rows of ``path``, which then are floats; or ``FILE:COLUMN``.
    codes_path: str | None = None

    @property
    def title(self) -> str:
        if self.name:
            return self.name
        path = expanded(self.path if isinstance(self.path, str) else next(iter(self.path), "")).absolute()
        if not isinstance(self.path, str) or is_pattern(self.path):
            path = path.parent  # the folder of the parts
        stem = path.name if path.is_dir() else Path(inner_name(path)).stem
        return path.parent.name if stem in _PLAIN else stem

    @property
    def provides(self) -> CodesKind | None:
        return None if self.codes_path is None else self.codes

    def load(self) -> Source:
        if isinstance(self.path, str) and beir.is_folder(expanded(self.path)):
            return self._beir(expanded(self.path))
        files = _files(self.path)
        place = self.path if isinstance(self.path, str) else f"{files[0]} to {files[-1].name}"
        query_files = files if self.queries is None else _files(self.queries)
        apart = query_files != files
        corpus = queries = read_files(files, self._wanted(files[0], both=not apart))
        queries_qd, query_ids, query_gaps = corpus.queries_qd, corpus.query_ids, corpus.query_gaps
        if apart:
            queries = read_files(query_files, self._wanted_queries(query_files[0]))
            queries_qd, query_ids, query_gaps = queries.rows_nd, queries.ids, queries.gaps
        elif queries_qd is None and self.queries is not None:
            raise VqbenchError(
                f"{place}: dataset.queries names the file of the corpus itself ({corpus.taken}); queries=self takes "
                "corpus rows as queries, dataset.queries_key=NAME takes another part of the file"
            )
        n, q = len(corpus.rows_nd), None if queries_qd is None else len(queries_qd)
        ids = _texts(self.ids, self.id_column, IDS, n, f"rows of {place}")
        own_query_ids = _texts(
            self.query_ids, self.query_id_column, QUERY_IDS, q, f"queries of {self.queries or place}"
        )
        source = Source(
            origin=place,
            corpus_nd=corpus.rows_nd,
            ids=ids.texts if ids else corpus.ids,
            queries_qd=queries_qd,
            query_ids=own_query_ids.texts if own_query_ids else query_ids,
            texts=corpus.texts,
            labels=corpus.labels,
            gaps=corpus.gaps,
            query_gaps=query_gaps,
            distance=corpus.distance,
            stated_neighbours=corpus.stated_neighbours if not apart else None,
            taken=_lines(corpus.taken, f"queries: {queries.taken}" if apart else "", ids, own_query_ids),
        )
        return self._with_files(self._with_codes(source, corpus), self.qrels)

    def _beir(self, path: Path) -> Source:
        """A folder as BEIR has it: its ids, queries, texts and judgements need no settings."""
        for setting in ("ids", "queries", "query_ids"):
            if (value := getattr(self, setting)) is not None:
                raise VqbenchError(
                    f"dataset.{setting}={value}: {path} has its own, in corpus.jsonl and queries.jsonl; leave it "
                    "out, or name the file of vectors instead of the folder"
                )
        folder = beir.find(path, None if self.qrels is None else _resolved(self.qrels))
        documents, asked = beir.read_texts(folder.corpus), beir.read_texts(folder.queries)
        corpus = read_files(folder.corpus_vectors, self._wanted(folder.corpus_vectors[0], both=False))
        queries = read_files(folder.query_vectors, self._wanted_queries(folder.query_vectors[0]))
        corpus = beir.with_texts(corpus, folder.corpus_vectors[0], documents, "id_column")
        queries = beir.with_texts(queries, folder.query_vectors[0], asked, "query_id_column")
        source = Source(
            origin=str(path),
            corpus_nd=corpus.rows_nd,
            ids=corpus.ids,
            queries_qd=queries.rows_nd,
            query_ids=queries.ids,
            texts=corpus.texts,
            labels=corpus.labels,
            query_texts=queries.texts,
            gaps=corpus.gaps,
            query_gaps=queries.gaps,
            distance=corpus.distance,
            taken=(corpus.taken, f"queries: {queries.taken}"),
        )
        judged = None if folder.qrels is None else str(folder.qrels)
        return self._with_files(self._with_codes(source, corpus), judged)

    def _with_files(self, source: Source, judgements: str | None) -> Source:
        """The source with what has files of its own beside vectors and ids."""
        n, place = len(source.corpus_nd), f"rows of {source.origin}"
        texts, labels = (
            None if (file := _file_of(value)) is None else _texts(*file, role, n, place)
            for value, role in ((self.texts, TEXTS), (self.labels, LABELS))
        )
        groups = None if self.groups is None else _texts(*(_file_of(self.groups) or (self.groups, None)), GROUPS)
        judged = source.judgements if judgements is None else qrels.read(_resolved(judgements))
        said = "" if judgements is None or judged is None else f"{Path(judgements).name}: {len(judged):,} judgements"
        named = {part: path for part in _PARTS if (path := getattr(self, part)) is not None}
        return replace(
            source,
            texts=texts.texts if texts else source.texts,
            labels=labels.texts if labels else source.labels,
            groups=groups.texts if groups else None,
            judgements=judged,
            identity=self.identity,
            files=named | ({} if judgements is None else {"qrels": judgements}),
            taken=_lines(*source.taken, said, groups, texts, labels),
        )

    def _with_codes(self, source: Source, corpus: Content) -> Source:
        """The source with codes of a provider: its own rows as vectors, where they are codes, or those of a file."""
        if self.codes_path is not None:
            if self.codes is None:
                raise VqbenchError(
                    f"dataset.codes_path={self.codes_path}: needs dataset.codes as well, which says what its codes "
                    "are: packed (bits), int8 or uint8"
                )
            path, column = _file_of(self.codes_path) or (self.codes_path, None)
            content = read_files(_files(path), Wanted(key=column))
            provided = provided_codes(content, self.codes, corpus, place=self.codes_path, corpus=source.origin)
            return replace(source, provided=provided, taken=_lines(*source.taken, f"codes: {content.taken}"))
        if self.codes is None:
            return source
        corpus_nd, queries_qd = source.corpus_nd, source.queries_qd
        if queries_qd is not None:
            place = self.queries or f"queries of {source.origin}"
            queries_qd = declared_queries(queries_qd, self.codes, corpus_nd.shape[1], place)
        corpus_nd = declared_rows(corpus_nd, self.codes, source.origin)
        return replace(source, corpus_nd=corpus_nd, queries_qd=queries_qd, codes=self.codes)

    def _wanted(self, path: Path, *, both: bool) -> Wanted:
        """What is taken from the file of the corpus; ``both``: the queries too, if it has any."""
        return Wanted(
            key=self.key,
            id_column=_own_column(path, self.ids, self.id_column),
            queries_key=self.queries_key if both else None,
            query_id_column=self.query_id_column if both and self.query_ids is None else None,
            texts=self._column(path, "texts"),
            labels=self._column(path, "labels"),
        )

    def _wanted_queries(self, path: Path) -> Wanted:
        column = _own_column(path, self.query_ids, self.query_id_column)
        return Wanted(key=self.queries_key, id_column=column, queries=True)

    def _column(self, path: Path, setting: str) -> str | None:
        """The column of the file itself that a setting names, where it names no other file."""
        value = getattr(self, setting)
        if value is None or _file_of(value) is not None:
            return None
        if not can_use(path, setting):
            raise VqbenchError(
                f"dataset.{setting}={value}: no such file, and {path.name} has no columns to take it from"
            )
        return value


def _own_column(path: Path, ids: str | None, column: str | None) -> str | None:
    """The column with the ids in a file of vectors: none where a file of ids is named, which ``column`` is then for."""
    if ids is None:
        return column
    return NO_IDS if can_use(path, "id_column") else None


def _file_of(value: str | None) -> tuple[str, str | None] | None:
    """The file that a setting names, and the column of it, as in ``meta.csv:title``; None where it names no file."""
    if value is None or value.startswith(BUNDLED) or expanded(value).is_file():
        return None if value is None else (value, None)
    path, _, column = value.rpartition(":")
    return (path, column) if path and expanded(path).is_file() else None


def _texts(path: str | None, column: str | None, role: Role, count: int | None = None, of: str = "") -> RowTexts | None:
    """The texts of a file, as many as there are rows, if both are known."""
    if path is None:
        return None
    files = _files(path)
    if files[0].is_dir():
        raise VqbenchError(f"{path}: is a folder of vectors: name a file with a value for each row")
    read = read_texts(files[0], role, column, count) if len(files) == 1 else _joined(files, role, column)
    if count is not None and len(read.texts) != count:
        raise VqbenchError(
            f"{path}: {len(read.texts):,} {role.plural} for {count:,} {of}: give one for each row, in their order"
        )
    return read


def _joined(files: Sequence[Path], role: Role, column: str | None) -> RowTexts:
    """The texts of several files, one after the other, as the parts of a corpus are read."""
    packing, read = Packing(), None
    for file in files:
        read = read_texts(file, role, column)
        packing.add(read.texts)
    texts = packing.packed()
    of = "" if read is None or " from " not in read.taken else f" from {read.taken.rpartition(' from ')[2]}"
    names = f"{files[0].name} to {files[-1].name}"
    taken = f"{len(files)} files, {names}, {order_of(files)}: {len(texts):,} {role.plural}{of}"
    return RowTexts(texts=texts, taken=taken)


def _lines(*taken: str | RowTexts | None) -> tuple[str, ...]:
    """What was taken, a line for each file that there is."""
    lines = [each.taken if isinstance(each, RowTexts) else each for each in taken]
    return tuple(line for line in lines if line)


def _files(path: str | list[str]) -> list[Path]:
    """The files that a setting means, in their order; a folder that is read as a whole counts as one."""
    if not isinstance(path, str):
        return files_of_list([_resolved(each) for each in path])
    if is_pattern(path):
        return files_of_pattern(path)
    place = _resolved(path, folders=True)
    return files_of_folder(place) if place.is_dir() and not arrow_folder.is_folder(place) else [place]


def _resolved(path: str, *, folders: bool = False) -> Path:
    """A file that is there, or with ``folders`` also a folder."""
    place = _FOLDER / path.removeprefix(BUNDLED) if path.startswith(BUNDLED) else expanded(path)
    if place.is_dir() and not folders:
        raise VqbenchError(f"{path}: is a folder: name the file in it")
    if not place.is_dir() and not place.is_file():
        raise VqbenchError(f"{path}: no such file: check the path (it is relative to the current folder)")
    if place.stat().st_size == 0:
        raise VqbenchError(f"{path}: the file is empty; write it again, or name another one")
    return place
