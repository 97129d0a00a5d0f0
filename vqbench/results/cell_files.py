"""A cell's file: everything measured of one (dataset, variant, seed).

It is named after what the cell depends on (data, variant, seed, settings, schema and arithmetic), so a finished cell is
found again and a stale one never is. Its first line holds a hash of all that follows, so that a damaged one is told.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Literal

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

_SMALL = b"vqbench_cell"
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
State = Literal["whole", "missing", "damaged"]


def save_cell(folder: Path, name: CellName, cell: Cell) -> None:
    """Write a cell: its per-query table, with the small tables as JSON in the same file.

    Raises VqbenchError where it cannot be written.
    """
    small = {
        "metrics": _plain(cell.metrics),
        "ledger": _plain(cell.ledger),
        "samples": _plain(cell.samples),
        "seconds": cell.seconds,
    }
    table = pa.Table.from_pandas(cell.per_query, preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _SMALL: json.dumps(small)})
    content = io.BytesIO()
    pq.write_table(table, content)
    body = content.getvalue()
    head = _head(name, hashlib.sha256(body).hexdigest())
    write_atomically(folder / "cells" / name.path, lambda path: path.write_bytes(head + body))


def _head(name: CellName, of_body: str) -> bytes:
    """A cell's first line: which cell it is, and the hash of the rest."""
    return f"vqbench cell {name.key} {of_body}\n".encode()


def _body(folder: Path, name: CellName) -> bytes | None:
    """What a whole cell holds after its first line. Raises FileNotFoundError where there is no cell."""
    with open_regular(folder / "cells" / name.path) as file:
        head = file.readline(_LONGEST_HEAD)
        if not head.startswith(_head(name, "").rstrip()) or os.fstat(file.fileno()).st_size > _MOST:
            return None
        body = file.read()
    return body if head == _head(name, hashlib.sha256(body).hexdigest()) else None


def cell_state(folder: Path, name: CellName) -> State:
    """Whether the cell is finished and whole, to the last bit."""
    try:
        return "damaged" if _body(folder, name) is None else "whole"
    except FileNotFoundError:
        return "missing"
    except OSError:  # a bad sector, no right to read, a link or a pipe: what cannot be read is no cell
        return "damaged"


def load_cell(folder: Path, name: CellName) -> Cell:
    """The finished cell.

    Raises VqbenchError where it has gone or was damaged since it was last seen, and where somebody else wrote it, with
    a hash that fits, as no run does.
    """
    path = folder / "cells" / name.path
    try:
        body = _body(folder, name)
    except OSError:
        body = None
    if body is None:
        raise VqbenchError(f"{path}: the finished cell has gone or was damaged: give the same command again")
    try:
        cell = _parsed(body)
        wrong = _wrong(cell)
    except Exception as error:  # whatever a made-up one makes a library raise
        wrong = f"{type(error).__name__}: {error}"
    else:
        if not wrong:
            return cell
    told = shortened(" ".join(wrong.split()), 200)
    raise VqbenchError(f"{path}: is no cell that a run wrote ({told}): remove it, and give the same command again")


def _parsed(body: bytes) -> Cell:
    table = unpacked_table(io.BytesIO(body))
    small = json.loads(table.schema.metadata[_SMALL])
    return Cell(
        _frame(small["metrics"]).astype({"k": "Int64"}),
        _frame(small["ledger"]),
        table.to_pandas(),
        _frame(small["samples"]),
        {str(name): float(x) for name, x in small["seconds"].items()},
    )


def _wrong(cell: Cell) -> str:
    """What no run writes; empty where there is nothing. An engine's cell has no metrics by name."""
    needed = _OF_VARIANTS if "metric" in cell.metrics else _OF_ENGINES
    return next((found for part, names in needed.items() if (found := wrong_in(getattr(cell, part), names))), "")


def _plain(frame: pd.DataFrame) -> dict:
    """A frame as plain lists; floats come back bit for bit, text stays text."""
    values = frame.astype(object).where(frame.notna(), None).to_numpy(dtype=object).tolist()
    return {"columns": list(frame.columns), "rows": values}


def _frame(content: dict) -> pd.DataFrame:
    return pd.DataFrame(content["rows"], columns=content["columns"])
