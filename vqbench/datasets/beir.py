"""A folder as BEIR has it, with vectors beside: documents, queries and judgements with their ids and texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.choice import NO_IDS, pasted
from vqbench.datasets.compressed import CODECS, inner_name, plain_file
from vqbench.datasets.formats import readable_ending
from vqbench.datasets.part_names import side, words_of
from vqbench.datasets.readers.base import Content
from vqbench.datasets.row_columns import field, json_lines
from vqbench.datasets.series import listed, one_series
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Ints
from vqbench.numerics.draws import id_keys, named
from vqbench.storage.ids import PackedIds, Packing, PickedIds, first_repeated
from vqbench.text import shortened

_CORPUS, _QUERIES = "corpus.jsonl", "queries.jsonl"
_QRELS = "qrels"
_TEST = "test"  # the judgements that are meant where there are several
_SHOWN = 3  # ids in a message
_BATCH = 1 << 13  # lines at a time


@dataclass(frozen=True, kw_only=True)
class Folder:
    """What lies where."""

    #: One JSON object for each document, and for each query.
    corpus: Path
    queries: Path
    #: The files with their vectors, in natural order.
    corpus_vectors: Sequence[Path]
    query_vectors: Sequence[Path]
    #: The judgements; None: the folder has none.
    qrels: Path | None


@dataclass(frozen=True, kw_only=True)
class Texts:
    """The documents or queries of a folder, in the order of their file."""

    path: Path
    ids: PackedIds
    texts: PackedIds


def is_folder(path: Path) -> bool:
    """Say whether a folder holds documents and queries as BEIR has them."""
    return path.is_dir() and all(_file(path, name) is not None for name in (_CORPUS, _QUERIES))


def find(folder: Path, qrels: Path | None) -> Folder:
    """Find the files of a folder.

    Args:
        folder: one that ``is_folder``.
        qrels: the judgements that the user names; None: ``qrels/test.tsv``, or the only ones.

    Raises:
        VqbenchError: vectors are missing or there are several files that could hold them; so for the judgements.
    """
    corpus, queries = _file(folder, _CORPUS), _file(folder, _QUERIES)
    assert corpus is not None
    assert queries is not None
    return Folder(
        corpus=corpus,
        queries=queries,
        corpus_vectors=_vectors(folder, "corpus"),
        query_vectors=_vectors(folder, "queries"),
        qrels=qrels or _judgements(folder),
    )


def read_texts(path: Path) -> Texts:
    """Read the ids and the texts, titles first, of documents or queries.

    Raises:
        VqbenchError: a line has no id, or that of another; there is none.
    """
    ids, texts = Packing(), Packing()
    with plain_file(path) as (plain, _):
        rows = enumerate(json_lines(plain), start=1)
        while some := list(islice(rows, _BATCH)):
            ids.add(field(path, row, "_id", number) for number, row in some)
            texts.add(_text(path, row, number) for number, row in some)
    read = Texts(path=path, ids=ids.packed(), texts=texts.packed())
    if not len(read.ids):
        raise VqbenchError(f"{path}: holds no rows; write one object a line")
    if (repeated := first_repeated(read.ids)) is not None:
        raise VqbenchError(
            f"{path}: _id {shortened(read.ids[repeated[1]])!r} stands in rows {repeated[0] + 1} and {repeated[1] + 1}; "
            "ids must all differ"
        )
    return read


def with_texts(content: Content, vectors: Path, texts: Texts, setting: str) -> Content:
    """Give vectors the ids and texts of their documents or queries.

    Rows with ids of their own are matched by them, others by their position.

    Args:
        content: the vectors.
        vectors: their file, for messages.
        texts: the documents or queries.
        setting: what numbers the rows instead, ``id_column`` or ``query_id_column``.

    Raises:
        VqbenchError: numbers or ids do not agree.
    """
    n, documents = len(content.rows_nd), texts.path.name
    if content.ids is None:
        if n != len(texts.ids):
            raise VqbenchError(
                f"{vectors}: {n:,} rows for {len(texts.ids):,} lines of {documents}; save a vector for each line, in "
                "their order, or the rows with their ids (.parquet, .npz)"
            )
        said = f"ids and texts from {documents}, row by row"
        return replace(content, ids=texts.ids, texts=texts.texts, taken=f"{content.taken}; {said}")
    rows, known_n = _rows(content.ids, texts.ids)
    if not known_n.all():
        unknown = np.flatnonzero(~known_n)
        raise VqbenchError(
            f"{vectors}: {len(unknown):,} of {n:,} ids ({_some(named(content.ids, unknown[: _SHOWN + 1]))}) are not in "
            f"{documents} ({_some(texts.ids)}); write the same ids, or set dataset.{setting}={NO_IDS} if the "
            f"rows have the order of {documents}"
        )
    without = len(texts.ids) - n
    said = f"texts from {documents}, by id" + (f" ({without:,} of its lines have no vector)" if without else "")
    return replace(content, texts=PickedIds(texts.texts, rows), taken=f"{content.taken}; {said}")


def _file(folder: Path, name: str) -> Path | None:
    """A file of the folder, compressed or not."""
    return next((path for ending in ("", *CODECS) if (path := folder / f"{name}{ending}").is_file()), None)


def _text(path: Path, row: dict[str, Any], number: int) -> str:
    """The title and the text of a document."""
    parts = [field(path, row, name, number, optional=True).strip() for name in ("title", "text")]
    return " ".join(part for part in parts if part)


def _vectors(folder: Path, which: str) -> Sequence[Path]:
    """The files whose names, or whose folder's name, say that they hold the vectors of the corpus or of the queries."""
    places = [folder, *(path for path in listed(folder) if path.is_dir() and path.name != _QRELS)]
    files = [path for place in places for path in listed(place) if _may_hold_vectors(path)]
    own = [path for path in files if (_side(path) or (_side(path.parent) if path.parent != folder else "")) == which]
    texts = _file(folder, f"{which}.jsonl")
    if not own and texts is not None:
        with plain_file(texts) as (plain, _):
            first = next(json_lines(plain), {})
        if any(map(_is_vector, first.values())):
            return [texts]
    if not own:
        raise VqbenchError(
            f"{folder}: has no file with the vectors of {which}.jsonl; save them in the order of its lines, as in "
            f"numpy.save('{folder / which}.npy', x)"
        )
    if len({(path.parent, re.sub("[0-9]+", "#", path.name)) for path in own}) > 1:
        raise VqbenchError(
            f"{folder}: more than one file could hold the vectors of {which}.jsonl: "
            f"{', '.join(str(path.relative_to(folder)) for path in sorted(own))}; move all but one elsewhere"
        )
    return one_series(own, str(folder))


def _side(path: Path) -> str:
    return side(path.name.partition(".")[0])


def _may_hold_vectors(path: Path) -> bool:
    bare = inner_name(path)
    plain = (
        bare in (_CORPUS, _QUERIES) or path.suffix.lower() == ".txt" or {"id", "ids"} & set(words_of(Path(bare).stem))
    )
    return not plain and not path.name.startswith(".") and path.is_file() and readable_ending(path) != ""


def _is_vector(value: object) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(isinstance(x, int | float) for x in value)


def _judgements(folder: Path) -> Path | None:
    """The judgements of the test, or the only ones."""
    place = folder / _QRELS
    files = sorted(place.glob("*.tsv")) + sorted(place.glob("*.txt")) if place.is_dir() else []
    test = [path for path in files if path.stem == _TEST]
    if len(files) > 1 and len(test) != 1:
        ways = " or ".join(pasted("qrels", path) for path in files[:_SHOWN])
        raise VqbenchError(f"{place}: several judgements, and none of them is {_TEST}.tsv; choose with {ways}")
    return next(iter(test or files), None)


def _rows(ids: Sequence[str], among: Sequence[str]) -> tuple[Ints, NDArray[np.bool_]]:
    """For each id its place among others, and whether it is there; by keys of 64 bits, since dictionaries are large."""
    keys_n, keys_m = id_keys(ids), id_keys(among)
    order_m = np.argsort(keys_m)
    place_n = np.minimum(np.searchsorted(keys_m[order_m], keys_n), len(keys_m) - 1)
    rows_n = order_m[place_n]
    return rows_n, keys_m[rows_n] == keys_n


def _some(ids: Sequence[str]) -> str:
    return ", ".join(shortened(repr(i)) for i in ids[:_SHOWN]) + (", ..." if len(ids) > _SHOWN else "")
