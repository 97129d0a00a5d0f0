"""A column of a table that holds a text for each row: which one is meant, and its values."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from vqbench.datasets.choice import NAMES, pasted
from vqbench.datasets.part_names import is_id_name
from vqbench.datasets.readers.column_kinds import UUID, columns_of, is_bytes
from vqbench.datasets.readers.column_texts import are_texts, id_texts, shown_texts
from vqbench.datasets.unpacking import Sheet
from vqbench.errors import VqbenchError
from vqbench.storage.ids import PackedIds, Packing
from vqbench.storage.limited import Unreadable, call
from vqbench.storage.limited_child import Job
from vqbench.storage.scratch import Temporary
from vqbench.text import did_you_mean, shortened

if TYPE_CHECKING:
    import pyarrow as pa

#: Endings of files with columns.
COLUMNS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
_MARKS = ",;\t|"  # between the fields of a line
_LINE = 1 << 24  # characters of a line at most
_BATCH = 1 << 13  # rows of Parquet at a time
_LISTED = 8  # columns in a message
_LOOK = 100  # lines of JSON whose names are columns
_IMPORTS = ("pyarrow.parquet", "pyarrow.types")


@dataclass(frozen=True, kw_only=True)
class Role:
    """What the texts of rows are.

    Example:
        >>> IDS.way(Path("meta.csv"), "path"), TEXTS.way(Path("meta.csv"), "body")
        ('dataset.id_column=path', 'dataset.texts=meta.csv:body')
    """

    #: In a message.
    plural: str
    #: The setting that names the file, or a column of the file with the vectors.
    setting: str
    #: The setting that names a column; empty: the column stands behind the file's name.
    column_setting: str = ""
    #: Names that such columns usually have, where these are not names of ids.
    usual: tuple[str, ...] = ()
    #: Whether a row may have none.
    optional: bool = False

    def way(self, path: Path, column: str) -> str:
        """Return the setting that names a column of a file."""
        if self.column_setting:
            return pasted(self.column_setting, column)
        return pasted(self.setting, f"{path}:{column}")

    def usual_names(self, names: Sequence[str]) -> list[str]:
        """Return the columns that can be meant without being named; of texts and labels, which are only shown, one."""
        if self.column_setting:
            usual = [name for name in names if is_id_name(name)]
            return [name for name in usual if name.strip().lower() in ("id", "_id")] or usual
        lower = {name.strip().lower(): name for name in names}
        return [lower[name] for name in self.usual if name in lower][:1]


IDS = Role(plural="ids", setting="ids", column_setting="id_column")
QUERY_IDS = Role(plural="query ids", setting="query_ids", column_setting="query_id_column")
GROUPS = Role(plural="groups", setting="groups", usual=("group", "groups"))
TEXTS = Role(
    plural="texts",
    setting="texts",
    usual=(
        "text",
        "texts",
        "content",
        "document",
        "documents",
        "caption",
        "sentence",
        "body",
        "passage",
        "question",
        "title",
        "name",
    ),
    optional=True,
)
LABELS = Role(
    plural="labels",
    setting="labels",
    usual=("label", "labels", "class", "category", "intent", "topic"),
    optional=True,
)


def column_texts(path: Path, role: Role, column: str | None, count: int | None) -> tuple[str, PackedIds]:
    """Read a column; return its name, empty where it has none, and its values.

    Args:
        path: a file with one of the endings ``COLUMNS``.
        role: what the texts are.
        column: its name, if the user says it.
        count: how many rows there are; a CSV file of so many lines with one field each has no header.

    Raises:
        VqbenchError: no column can be meant, or several; a value is missing; the file is damaged.
    """
    ending = path.suffix.lower()
    if ending == ".parquet":
        return _of_parquet(path, role, column)
    if ending in (".csv", ".tsv"):
        with _long_fields():
            return _of_fields(path, role, column, count)
    return _of_json_lines(path, role, column)


def _chosen(path: Path, role: Role, names: Sequence[str], column: str | None) -> str:
    """The column that is named or must be meant."""
    listed = ", ".join(shortened(name) for name in names[:_LISTED]) or "none"
    listed += f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    if column is not None:
        if column in names:
            return column
        hint = did_you_mean(column, names, "")
        raise VqbenchError(f"{role.way(path, column)}: {path.name} has no such column; its columns: {listed}; {hint}")
    usual = list(names) if len(names) == 1 else role.usual_names(names)
    if len(usual) == 1:
        return usual[0]
    why = f"{len(usual)} could hold the {role.plural}" if usual else f"none is called as {role.plural} are"
    example = f", as in {role.way(path, (usual or list(names))[0])}" if names else ""
    raise VqbenchError(f"{path}: columns {listed}: {why}; choose with {role.way(path, 'NAME')}{example}")


def _of_fields(path: Path, role: Role, column: str | None, count: int | None) -> tuple[str, PackedIds]:
    """Text with a mark between the fields of a line."""
    rows = _rows(path)
    first = next(rows, [])
    alone = len(first) == 1 and count is not None and column is None
    headless = alone and sum(1 for _ in _rows(path)) == count and not is_heading(role, first[0], (x[0] for x in rows))
    rows = islice(_rows(path), int(not headless), None)
    name = "" if headless else _chosen(path, role, first, column)
    place, packing = 0 if headless else first.index(name), Packing()
    packing.add(_filled(path, role, (fields[place] for fields in rows), start=1 + int(not headless)))
    return name, packing.packed()


def is_heading(role: Role, first: str, others: Iterable[str]) -> bool:
    """Whether the first of several texts is the name of a column, as no other is: ``id`` above ``d1``, ``d2``, ..."""
    return bool(role.usual_names([first])) and not any(role.usual_names([each]) for each in others)


def _filled(path: Path, role: Role, texts: Iterable[str], start: int) -> Iterator[str]:
    """Ids and groups without blanks around them. Raises VqbenchError where there is none."""
    for row, text in enumerate(texts, start):
        if not role.optional and not text.strip():
            raise VqbenchError(
                f"{path}: row {row}: is empty where {role.plural} are; each row needs one, correct that row"
            )
        yield text if role.optional else text.strip(" ")


@contextmanager
def _long_fields() -> Iterator[None]:
    """Let a field be as long as a line."""
    before = csv.field_size_limit(_LINE)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    """The lines of a file. Raises VqbenchError for one that is too long to be held."""
    for number, line in enumerate(iter(lambda: file.readline(_LINE), ""), start=1):
        if len(line) == _LINE:
            raise _too_long(path, number)
        yield line


def _too_long(path: Path, number: int) -> VqbenchError:
    return VqbenchError(f"{path}: line {number}: has {_LINE:,} characters or more; write a row a line, or as .parquet")


def _rows(path: Path) -> Iterator[list[str]]:
    """The fields of each row, as many as in the first one."""
    width, reader = 0, None
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = next(_lines(path, file), "")
            mark = max(_MARKS, key=lambda each: len(next(csv.reader([first], delimiter=each), [])))
            file.seek(0)
            reader = csv.reader(_lines(path, file), delimiter=mark, strict=True)
            for number, fields in enumerate(reader, start=1):
                width = width or len(fields)
                if fields and len(fields) != width:
                    raise VqbenchError(
                        f"{path}: row {number}: {len(fields)} fields, the first row has {width}; correct that row"
                    )
                if fields:
                    yield fields
    except csv.Error as error:
        place = f"line {reader.line_num if reader else 1}"
        raise VqbenchError(
            f"{path}: {place}: no row of fields ({error}); correct its quotes, or those before"
        ) from None
    except UnicodeDecodeError as error:
        raise VqbenchError(f"{path}: cannot be read as text with columns ({error}); write it again as UTF-8") from None


def _of_json_lines(path: Path, role: Role, column: str | None) -> tuple[str, PackedIds]:
    """An object a line."""
    rows = json_lines(path)
    first = list(islice(rows, _LOOK))
    names = dict.fromkeys(key for row in first for key, value in row.items() if _is_plain(value))
    name = _chosen(path, role, list(names), column)
    packing = Packing()
    packing.add(
        field(path, row, name, number, optional=role.optional) for number, row in enumerate(chain(first, rows), start=1)
    )
    return name, packing.packed()


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the object of each line that is not empty. Raises VqbenchError for another line."""
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(_LINE), b""), start=1):
            if len(line) == _LINE:
                raise _too_long(path, number)
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8-sig"))
            except (ValueError, RecursionError) as error:
                raise VqbenchError(f"{path}: line {number}: no JSON ({shortened(error)}); correct that line") from None
            if not isinstance(row, dict):
                raise VqbenchError(f"{path}: line {number}: no JSON object; each line needs one, in braces")
            yield row


def field(path: Path, row: dict[str, Any], name: str, number: int, *, optional: bool = False) -> str:
    """Return a text or number of an object. Raises VqbenchError where it has none of that name, unless it may lack."""
    value = row.get(name)
    if optional and value is None:
        return ""
    if not _is_plain(value):
        problem = f"{name!r} is {shortened(json.dumps(value))}" if name in row else f"has no {name!r}"
        raise VqbenchError(f"{path}: line {number}: {problem}: needs a text or a number; correct that line")
    return encodable(path, f"line {number}: {name!r}", str(value))


def encodable(path: Path, place: str, text: str) -> str:
    """Return a text that UTF-8 can hold. Raises VqbenchError for another, which JSON can hold as ``\\ud800``."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise VqbenchError(
            f"{path}: {place}: {shortened(ascii(text))} holds half a character "
            f"(\\u{ord(text[error.start]):04x}), which UTF-8 cannot; correct it"
        ) from None
    return text


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _of_parquet(path: Path, role: Role, column: str | None) -> tuple[str, PackedIds]:
    """A column of Parquet, unpacked in the limited child."""
    scratch, size, place = Temporary(".ids"), path.stat().st_size, {"path": str(path)}
    try:
        names = call(f"{__name__}:names_of", scratch, size, _IMPORTS, **place)
        name = _chosen(path, role, names, column)
        start, n = call(f"{__name__}:values_of", scratch, size, _IMPORTS, **place, column=name, optional=role.optional)
    except Unreadable as error:
        raise VqbenchError(
            f"{path}: cannot be read as .parquet ({error}); needs a whole file, write it again"
        ) from None
    return name, PackedIds(scratch.path, np.fromfile(scratch.path, np.int64, n, offset=start), owner=scratch)


def names_of(job: Job, path: str) -> list[str]:
    """In the child: the columns with one value in each row."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        return [column.part.name for column in columns_of(file.schema_arrow) if column.part.kind in NAMES]


def values_of(job: Job, path: str, column: str, optional: bool) -> tuple[int, int]:
    """In the child: put the values of a column on the sheet; return where the file says where each begins."""
    import pyarrow.parquet as pq

    sheet = Sheet(Path(path), job)
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        wanted = next(each for each in columns_of(file.schema_arrow) if each.part.name == column)

        def arrays() -> Iterator[pa.Array]:
            batches = file.iter_batches(batch_size=_BATCH, columns=[".".join(wanted.path)], use_threads=False)
            return (wanted.of(batch) for batch in batches)

        as_hex = is_bytes(wanted.kind) and wanted.part.what != UUID and not are_texts(arrays())
        texts_of = shown_texts(wanted, arrays(), as_hex=as_hex)
        if not optional:
            texts_of = id_texts(Path(path), wanted, arrays(), (), as_hex=as_hex)
        return sheet.starts(sheet.texts(file.metadata.num_rows, texts_of))
