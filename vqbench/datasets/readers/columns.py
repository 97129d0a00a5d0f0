"""Tables of Arrow: which columns are read, and how. Parquet, Feather and folders of ``datasets`` have it in common.

The schema says what most columns hold. Lists of varying length, texts and bytes are looked at: their first rows tell
whether they can be vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vqbench.datasets.choice import FILE, Choice, Kind, choose, wide_parts
from vqbench.datasets.part_names import is_id_name
from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.datasets.readers.column_kinds import UUID, Column, Form, columns_of, counted_index, is_bytes
from vqbench.datasets.readers.column_texts import are_texts, id_texts, shown_texts
from vqbench.datasets.readers.column_vectors import TABLE, Gaps, blocks_of, examined, width_of
from vqbench.datasets.unpacking import Sheet
from vqbench.errors import VqbenchError
from vqbench.storage.ids import PackedIds
from vqbench.storage.raw_rows import RawRows

if TYPE_CHECKING:
    import pyarrow as pa

#: What of ``Wanted`` chooses something in a table.
TABLE_USES = ("key", "queries_key", "id_column", "query_id_column", "texts", "labels")
#: What reading a table imports.
TABLE_IMPORTS = ("pyarrow", "pyarrow.compute", "pyarrow.types")
_BATCH = 1 << 13  # rows at a time, at most
_BYTES = 1 << 24  # bytes at a time
_NUMBER = 8  # bytes of a number at most
_ARROW_FILE = b"ARROW1"  # how one begins that is no stream
_LOOK = 256  # rows that are looked at


@dataclass(frozen=True, kw_only=True)
class Columns:
    """A file or folder of columns."""

    #: For messages.
    path: Path
    #: Names and types of all columns.
    schema: pa.Schema
    #: How many rows there are.
    n: int
    #: The batches of some columns, of at most so many rows each.
    batches: Callable[[Sequence[Column], int], Iterator[pa.RecordBatch]]

    def content(self, wanted: Wanted, sheet: Sheet) -> Content:
        """Unpack the columns that are meant."""
        if self.n < 1:
            raise refusal(self.path, problem=f"{self.n} rows", rule="needs at least one", remedy="write it again")
        columns = self._columns(wanted)
        choice = choose(self.path, [column.part for column in columns.values()], wanted)
        gaps, query_gaps = Gaps(), Gaps()
        rows_nd = self._rows(columns[choice.vectors.name], sheet, gaps)
        queries_qd = None if choice.queries is None else self._rows(columns[choice.queries.name], sheet, query_gaps)
        shown = [x and sheet.texts(self.n, self._shown(columns[x.name])) for x in (choice.texts, choice.labels)]
        return Content(
            rows_nd=rows_nd,
            queries_qd=queries_qd,
            ids=self._ids(columns, choice, sheet, gaps, setting=wanted.setting("id_column")),
            query_ids=self._ids(columns, choice, sheet, query_gaps, setting="query_id_column", of_queries=True),
            texts=shown[0],
            labels=shown[1],
            gaps=gaps,
            query_gaps=query_gaps,
            taken=self._sentence(choice, columns, rows_nd),
        )

    def _columns(self, wanted: Wanted) -> dict[str, Column]:
        """All columns by name, those that need it looked at, and numbered ones together as one more each."""
        columns = {column.part.name: column for column in columns_of(self.schema)}
        named = {wanted.key, wanted.queries_key}
        lists = (Form.LISTS, Form.NESTED)
        for column in [x for x in columns.values() if not x.width and (x.form in lists or x.part.name in named)]:
            columns[column.part.name] = self._examined(column, wanted)
        wide = wide_parts([column.part for column in columns.values()])
        if not any(x.kind == Kind.FLOATS and not x.is_small for x in [*(c.part for c in columns.values()), *wide]):
            for column in [x for x in columns.values() if x.form in (Form.TEXT, Form.BLOB)]:
                if not (is_id_name(column.part.name) or column.part.is_index or column.part.name in named):
                    columns[column.part.name] = self._examined(column, wanted)
        for part in wide:
            members = tuple(columns[name] for name in part.members)
            columns[part.name] = Column(part=part, path=(), kind=None, form=Form.WIDE, members=members)
        if (index := counted_index(self.schema, self.n, wanted.rows_before)) is not None:
            columns[index.part.name] = index
        return columns

    def _examined(self, column: Column, wanted: Wanted) -> Column:
        """A column as its first rows show it; damage in one that nobody named is no reason to refuse the others."""
        import pyarrow as pa

        try:
            first = next((batch for batch in self.batches([column], _LOOK) if batch.num_rows), None)
            if first is None or column.form == Form.NONE:
                return column
            seen = examined(column, column.of(first))
            return replace(seen, part=replace(seen.part, remedy=seen.part.remedy.replace(TABLE, _opened(self.path))))
        except (pa.ArrowException, OSError, ValueError, VqbenchError):
            if column.part.name in (wanted.key, wanted.queries_key):
                raise
            return column

    def _rows(self, column: Column, sheet: Sheet, gaps: Gaps) -> RawRows:
        read = column.members or [column]
        width = width_of(column, self.batches(read, _LOOK))
        if width is None:
            raise refusal(
                self.path,
                place=f"column {column.part.name}",
                problem="all rows are null or empty",
                rule="needs rows of numbers",
                remedy="write it again",
            )
        size = max(1, min(_BATCH, _BYTES // (_NUMBER * width)))
        return sheet.table(self.n, blocks_of(column, self.batches(read, size), width, gaps))

    def _ids(
        self, columns: dict[str, Column], choice: Choice, sheet: Sheet, gaps: Container[int], **of: Any
    ) -> PackedIds | None:
        def texts_of(name: str) -> Iterator[list[str]]:
            column = columns[name]
            return id_texts(self.path, column, self._arrays(column), gaps, as_hex=self._as_hex(column))

        return sheet.unique_ids(self.n, choice, texts_of, **of)

    def _shown(self, column: Column) -> Iterator[list[str]]:
        return shown_texts(column, self._arrays(column), as_hex=self._as_hex(column))

    def _as_hex(self, column: Column) -> bool:
        """Whether a column of bytes holds something else than text."""
        return is_bytes(column.kind) and column.part.what != UUID and not are_texts(self._arrays(column))

    def _arrays(self, column: Column) -> Iterator[pa.Array]:
        if (counted := column.counted) is not None:
            import pyarrow as pa

            return (pa.array(counted[start : start + _BATCH]) for start in range(0, len(counted), _BATCH))
        return (column.of(batch) for batch in self.batches([column], _BATCH))

    def _sentence(self, choice: Choice, columns: dict[str, Column], rows_nd: RawRows) -> str:
        """What was taken, with its shape; how it was stored, where that is not a list of numbers."""
        n, d = rows_nd.shape
        how = {Form.TEXT: " written as text", Form.BLOB: " as bytes", Form.WIDE: " in columns"}
        what = f"{rows_nd.dtype}{how.get(columns[choice.vectors.name].form, '')}, {n:,} x {d:,}"
        return replace(choice, vectors=replace(choice.vectors, what=what)).sentence(self.path, "column")


def _opened(path: Path) -> str:
    """The Python that reads all of a table; ``FILE`` stands for its path."""
    if path.suffix.lower() == ".parquet":
        return f"q.read_table({FILE})"
    if path.is_dir():
        files = f"sorted(__import__('pathlib').Path({FILE}).glob('*.arrow'))"
        return f"pa.concat_tables(pa.ipc.open_stream(str(x)).read_all() for x in {files})"
    with open(path, "rb") as file:
        kind = "file" if file.read(len(_ARROW_FILE)) == _ARROW_FILE else "stream"
    return f"pa.ipc.open_{kind}({FILE}).read_all()"
