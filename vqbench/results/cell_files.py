"""A cell's file: everything measured of one (dataset, variant, seed).

It is named after what the cell depends on (data, variant, seed, settings, schema and arithmetic), so a finished cell is
found again and a stale one never is. Its first line holds a hash of all that follows, so that damage is noticed.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vqbench.errors import VqbenchError
from vqbench.results.records import Cell, CellName
from vqbench.results.validation import wrong_in
from vqbench.storage.atomic import write_atomically
from vqbench.storage.parquet import unpacked_table
from vqbench.storage.safe_open import open_regular
from vqbench.text import shortened

_SMALL = b"vqbench_cell"  # where the file's metadata hold the small tables
_SMALL_TABLES = ("metrics", "ledger", "samples")
_LONGEST_HEAD = 200  # bytes
_MOST = 1 << 32  # bytes of a cell
#: Columns of its tables, by the fields of ``Cell``.
_OF_VARIANTS = {
    "metrics": ["metric", "k", "oversample", "value", "ci_low", "ci_high", "low", "high", "n_queries"],
    "ledger": ["item", "scope", "bytes"],
    "per_query": ["query", "metric", "k", "oversample", "value", "low", "high"],
    "samples": ["kind", "id", "index", "other", "value", "code"],
}
_OF_ENGINES = {"metrics": ["k"], "ledger": ["item", "place", "codes", "bytes"], "per_query": ["query", "k"]}


def save_cell(folder: Path, name: CellName, cell: Cell) -> None:
    """Write a cell: its per-query table, with the small tables as JSON in the same file.

    Raises:
        VqbenchError: it cannot be written.
    """
    small = {part: _plain(getattr(cell, part)) for part in _SMALL_TABLES} | {"seconds": cell.seconds}
    table = pa.Table.from_pandas(cell.per_query, preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _SMALL: json.dumps(small)})
    content = io.BytesIO()
    pq.write_table(table, content)
    body = content.getvalue()
    write_atomically(folder / name.path, lambda path: path.write_bytes(_head(name, body) + body))


def _head(name: CellName, body: bytes) -> bytes:
    """A cell's first line: which cell it is, and the hash of the rest."""
    return f"vqbench cell {name.key} {hashlib.sha256(body).hexdigest()}\n".encode()


def load_cell(folder: Path, name: CellName) -> Cell:
    """Read a finished cell.

    Raises:
        VqbenchError: it is missing, damaged, or cannot be read; or somebody else wrote it, as no run does.
    """
    path = folder / name.path
    try:
        with open_regular(path) as file:
            head = file.readline(_LONGEST_HEAD)
            body = file.read() if os.fstat(file.fileno()).st_size <= _MOST else b""
        wrong = "" if head == _head(name, body) else "its first line is not that of this cell and content"
        if not wrong:
            cell = _parsed(body)
            wrong = _wrong(cell)
            if not wrong:
                return cell
    except Exception as error:  # a link, a bad sector; whatever a made-up cell makes a library raise
        wrong = f"{type(error).__name__}: {error}"
    reason = shortened(" ".join(wrong.split()), 200)
    raise VqbenchError(f"{path}: this finished cell is missing or damaged ({reason}): give the same command again")


def _parsed(body: bytes) -> Cell:
    table = unpacked_table(io.BytesIO(body))
    small: dict[str, Any] = json.loads(table.schema.metadata[_SMALL])
    metrics, ledger, samples = (pd.DataFrame(small[x]["rows"], columns=small[x]["columns"]) for x in _SMALL_TABLES)
    seconds = {str(name): float(x) for name, x in small["seconds"].items()}
    return Cell(metrics.astype({"k": "Int64"}), ledger, table.to_pandas(), samples, seconds)


def _wrong(cell: Cell) -> str:
    """What no run writes; empty where there is nothing. An engine's cell has no metrics by name."""
    needed = _OF_VARIANTS if "metric" in cell.metrics else _OF_ENGINES
    return next((wrong for part, names in needed.items() if (wrong := wrong_in(getattr(cell, part), names))), "")


def _plain(frame: pd.DataFrame) -> dict[str, Any]:
    """A frame as plain lists; floats come back bit for bit, text stays text."""
    values = frame.astype(object).where(frame.notna(), None).to_numpy(dtype=object).tolist()
    return {"columns": list(frame.columns), "rows": values}
