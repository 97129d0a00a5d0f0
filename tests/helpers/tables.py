"""Tables of Arrow, written as Parquet, as a file and as a stream, and read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from writers import lists

from vqbench.datasets.formats import read
from vqbench.datasets.readers.base import Content, Wanted
from vqbench.errors import VqbenchError

N, D = 300, 6
ROWS = np.random.default_rng(0).standard_normal((N, D)).astype(np.float32)
IDS = [f"é{row}" for row in range(N)]


def read_table(path: Path, columns: dict | pa.Table, **wanted) -> Content:
    """What is read of columns that are written as the ending says, 70 rows at a time."""
    table = pa.table(columns) if isinstance(columns, dict) else columns
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=70)
    elif path.suffix == ".feather":
        with pa.ipc.new_file(str(path), table.schema) as file:
            file.write_table(table, 70)
    else:
        with pa.ipc.new_stream(str(path), table.schema) as stream:
            stream.write_table(table, 70)
    return read(path, Wanted(**wanted))


def refuse_table(path: Path, words: str, columns: dict | pa.Table, **wanted) -> None:
    """The columns must be refused with such words, in one line."""
    with pytest.raises(VqbenchError, match=words) as error:
        read_table(path, columns, **wanted)
    assert "\n" not in str(error.value)


def tensor(x_nd: np.ndarray, shape: list[int] | None = None) -> pa.Array:
    """Rows as a column of tensors of one shape."""
    kind = pa.fixed_shape_tensor(pa.from_numpy_dtype(x_nd.dtype), shape or [x_nd.shape[1]])
    return pa.ExtensionArray.from_storage(kind, lists(x_nd, "fixed"))


def texts(x_nd: np.ndarray, form: str) -> list[str]:
    """Rows as text, as different programs write them."""
    forms = {
        "json": lambda row: json.dumps(row.tolist()),
        "pgvector": lambda row: f"[{','.join(map(str, row))}]",
        "postgres": lambda row: "{" + ",".join(map(str, row)) + "}",
        "numpy": str,
        "python": lambda row: str(list(row)),
    }
    with np.printoptions(floatmode="unique", linewidth=40):
        return [forms[form](row) for row in x_nd]
