"""backends.csv and what lies beside it: real engines against their prediction, from the finished cells."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from vqbench.results.cell_files import load_cell
from vqbench.results.columns import BACKENDS
from vqbench.results.records import CellName, CellRecord

ENGINE_FILES = ("backends.csv", "backends_bytes.csv", "backends_timings.csv", "backends.parquet")
_BYTES = ["dataset", "backend", "seed", "item", "place", "codes", "bytes"]
_KEY = ["dataset", "backend", "seed"]


def engine_tables(out: Path, noted: Sequence[CellRecord]) -> dict[str, pd.DataFrame]:
    """The tables of the engines that a run named, by file name; none without any.

    backends.csv: a row for each dataset, backend, seed and k. backends_bytes.csv: what each engine holds, item by
    item. backends_timings.csv: seconds to build and to search, apart so that nothing else changes from run to run.
    backends.parquet: every value of every query.
    """
    if not noted:
        return {}
    cells: dict[CellName, CellRecord] = {cell.name: cell for cell in noted}
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in ENGINE_FILES}
    for cell in sorted(cells.values(), key=lambda cell: (cell.name.dataset, cell.backend, cell.name.seed)):
        _add(tables, out, cell)
    rows = pd.concat(tables["backends.csv"], ignore_index=True).reindex(columns=BACKENDS)
    return {
        "backends.csv": rows.astype({"k": "Int64", "n_queries": "Int64"}),
        "backends_bytes.csv": _joined(tables["backends_bytes.csv"], _BYTES),
        "backends_timings.csv": _joined(tables["backends_timings.csv"], [*_KEY, "build", "search"]),
        "backends.parquet": _joined(tables["backends.parquet"], [*_KEY, "query", "k"]),
    }


def _add(tables: dict[str, list[pd.DataFrame]], out: Path, noted: CellRecord) -> None:
    key = {"dataset": noted.name.dataset, "backend": noted.backend, "seed": noted.name.seed}
    about = {**key, "variant": noted.predicted, "similarity": noted.similarity, "engine": noted.engine}
    if noted.status in ("skipped", "failed"):
        tables["backends.csv"].append(pd.DataFrame([{**about, "status": noted.status, "reason": noted.reason}]))
        return
    cell = load_cell(out, noted.name)
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
