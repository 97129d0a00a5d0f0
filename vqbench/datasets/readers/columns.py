"""Vectors, ids, queries and texts in columns of Arrow, which Parquet, Feather and folders of ``datasets`` have in common.

The schema says what most columns hold. Lists of varying length, texts and bytes are looked at: their first rows tell
whether they can be vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from vqbench.datasets.choice import Choice, Kind, Part, choose, is_id_name, wide_parts
from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.datasets.readers.column_kinds import Column, columns_of
from vqbench.datasets.readers.column_texts import id_texts, shown_texts
from vqbench.datasets.readers.column_vectors import Rows, examined, rows_of
from vqbench.datasets.unpacking import Sheet

if TYPE_CHECKING:
    import pyarrow as pa

#: What of ``Wanted`` chooses something in a table.
TABLE_USES = ("key", "queries_key", "id_column", "query_id_column", "texts", "labels")
_BATCH = 1 << 13  # rows at a time, at most
_BYTES = 1 << 24  # bytes at a time
_LOOK = 256  # rows that are looked at


@dataclass(frozen=True, kw_only=True)
class ColumnFile:
    """A file or folder of columns.

    Args:
        path: for messages.
        schema: names and types of all columns.
        n: rows in all.
        batches: the batches of some columns, of at most so many rows each.
    """

    path: Path
    schema: pa.Schema
    n: int
    batches: Callable[[Sequence[Column], int], Iterator[pa.RecordBatch]]

    def content(self, wanted: Wanted, sheet: Sheet) -> Content:
        """Unpack the columns that are meant onto the sheet."""
        if self.n < 1:
            raise refusal(self.path, problem=f"{self.n} rows", rule="needs at least one", remedy="write it again")
        columns = self._columns(wanted)
        choice = choose(self.path, [column.part for column in columns.values()], wanted)
        gaps, query_gaps = dict[int, str](), dict[int, str]()
        rows_nd = sheet.table(self.n, self._vectors(columns[choice.vectors.name], gaps))
        queries_qd = None
        if choice.queries is not None:
            queries_qd = sheet.table(self.n, self._vectors(columns[choice.queries.name], query_gaps))
        ids = sheet.unique_ids(self.n, choice, lambda name: self._ids(columns[name], gaps))
        query_ids = None
        if choice.query_ids is not None:
            query_choice = replace(choice, ids=choice.query_ids)
            query_ids = sheet.unique_ids(self.n, query_choice, lambda name: self._ids(columns[name], query_gaps))
        shown = [None if x is None else self._shown(columns[x.name], sheet) for x in (choice.texts, choice.labels)]
        return Content(
            rows_nd=rows_nd,
            ids=ids,
            queries_qd=queries_qd,
            query_ids=query_ids,
            texts=shown[0],
            labels=shown[1],
            gaps=gaps,
            query_gaps=query_gaps,
            taken=_sentence(self.path, choice, columns, rows_nd.dtype, rows_nd.shape),
        )
