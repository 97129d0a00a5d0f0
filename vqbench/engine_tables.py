"""backends.csv and what lies beside it: real engines against their prediction, from the finished cells."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from vqbench.errors import VqbenchError
from vqbench.evaluation.tables import BACKENDS
from vqbench.run import Noted
from vqbench.store import CellName, load_cell, write_csv, write_parquet

_FILES = ("backends.csv", "backends_bytes.csv", "backends_timings.csv", "backends.parquet")
_BYTES = ["dataset", "backend", "seed", "item", "place", "codes", "bytes"]
_KEY = ["dataset", "backend", "seed"]


def write_engines(out: Path, noted: Sequence[Noted]) -> None:
    """Write the tables of the engines that a run named; without any, those of an earlier run go.

    backends.csv: a row for each dataset, backend, seed and k. backends_bytes.csv: what each engine holds, item by
    item. backends_timings.csv: seconds to build and to search, apart so that nothing else changes from run to run.
    backends.parquet: every value of every query.
    """
    if not noted:
        for name in _FILES:
            (out / name).unlink(missing_ok=True)
        return
    cells: dict[CellName, Noted] = {cell.name: cell for cell in noted}
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in _FILES}
    for cell in sorted(cells.values(), key=lambda cell: (cell.name.dataset, cell.backend, cell.name.seed)):
        _add(tables, out, cell)
    rows = pd.concat(tables["backends.csv"], ignore_index=True).reindex(columns=BACKENDS)
    rows = rows.astype({"k": "Int64", "n_queries": "Int64"})
    write_csv(out, "backends.csv", rows)
    write_csv(out, "backends_bytes.csv", _joined(tables["backends_bytes.csv"], _BYTES))
    write_csv(out, "backends_timings.csv", _joined(tables["backends_timings.csv"], [*_KEY, "build", "search"]))
    write_parquet(out, "backends.parquet", _joined(tables["backends.parquet"], [*_KEY, "query", "k"]))


def _add(tables: dict[str, list[pd.DataFrame]], out: Path, noted: Noted) -> None:
    key = {"dataset": noted.name.dataset, "backend": noted.backend, "seed": noted.name.seed}
    about = {**key, "variant": noted.predicted, "similarity": noted.similarity, "engine": noted.engine}
    if noted.status in ("skipped", "failed"):
        tables["backends.csv"].append(pd.DataFrame([{**about, "status": noted.status, "reason": noted.reason}]))
        return
    cell = load_cell(out, noted.name)
    if cell is None:
        raise VqbenchError(f"{out / 'cells' / noted.name.path}: the finished cell has gone; run the command again")
    tables["backends.csv"].append(cell.metrics.assign(**about, status="ok", reason=""))
    tables["backends_bytes.csv"].append(cell.ledger.assign(**key))
    tables["backends_timings.csv"].append(pd.DataFrame([{**key, **cell.seconds}]))
    tables["backends.parquet"].append(cell.per_query.assign(**key))


def _joined(frames: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """One table with these columns in front."""
    if not frames:
        return pd.DataFrame(columns=list(columns))
    whole = pd.concat(frames, ignore_index=True)
    return whole[[*columns, *(name for name in whole if name not in columns)]]
