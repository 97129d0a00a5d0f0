"""The tables of a results folder: a pure function of its cells and the records about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vqbench.errors import VqbenchError
from vqbench.results.cell_files import load_cell
from vqbench.results.columns import BACKENDS, COMPARISONS, LEDGER
from vqbench.results.folder import write_tables
from vqbench.results.per_query import over_seeds
from vqbench.results.records import CellRecord, RunRecord, metrics_table
from vqbench.results.significance import chosen_baseline, comparisons
from vqbench.storage.atomic import faults
from vqbench.storage.locks import TEMPORARY

#: Held by whoever writes the tables of a results folder, or draws what is made from them.
TABLES_CLAIM = f"{TEMPORARY}tables.claim"
_ENGINE = ["dataset", "backend", "seed"]
#: The tables that are joined from those of the cells, with the columns in front.
_VARIANT_TABLES: dict[str, list[str]] = {
    "metrics.csv": [],
    "ledger.csv": LEDGER,
    "timings.csv": ["dataset", "variant", "seed"],
    "per_query.parquet": [],
    "samples.parquet": [],
}
#: What each engine found; its bytes, item by item; seconds, apart so that nothing else changes; every query's values.
_ENGINE_TABLES = {
    "backends.csv": BACKENDS,
    "backends_bytes.csv": [*_ENGINE, "item", "place", "codes", "bytes"],
    "backends_timings.csv": [*_ENGINE, "build", "search"],
    "backends.parquet": [*_ENGINE, "query", "k"],
}
_TEXTS = ("dataset", "variant", "query", "metric", "kind", "group")


def assemble(runs: Sequence[RunRecord]) -> Path:
    """Write metrics.csv, ledger.csv and the rest for the cells of ``runs``, which share one folder; return it."""
    out, meta = runs[0].out, _merged([run.meta for run in runs])
    records = {record.name: record for run in runs for record in run.cells}
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in (*_VARIANT_TABLES, *_ENGINE_TABLES)}
    for name in sorted(records, key=lambda name: (name.dataset, name.variant, name.seed)):
        for table, rows in _tables_of(records[name], out).items():
            parts[table].append(rows)
    tables = {name: _joined(parts[name], columns) for name, columns in _VARIANT_TABLES.items()}
    tables["ledger.csv"] = tables["ledger.csv"].drop_duplicates()
    per_query = tables["per_query.parquet"]
    tables["metrics.csv"] = _with_seeds_together(tables["metrics.csv"], per_query, meta)
    variants = list(dict.fromkeys(name.variant for name, record in records.items() if not record.backend))
    tables["comparisons.csv"] = _compared(per_query, meta, variants)
    for name in ("per_query.parquet", "samples.parquet"):
        texts = [column for column in _TEXTS if column in tables[name]]
        tables[name] = tables[name].astype(dict.fromkeys(texts, "category"))
    if parts["backends.csv"]:
        tables |= {name: _joined(parts[name], columns) for name, columns in _ENGINE_TABLES.items()}
        tables["backends.csv"] = tables["backends.csv"].astype({"k": "Int64", "n_queries": "Int64"})
    write_tables(out, tables, meta)
    for name in {*_ENGINE_TABLES} - {*tables}:  # of an earlier run
        with faults(out / name):
            (out / name).unlink(missing_ok=True)
    return out


def _tables_of(record: CellRecord, out: Path) -> dict[str, pd.DataFrame]:
    """A cell's rows of each table, with the labels that tell them from other cells' rows."""
    name = record.name
    seeded: dict[str, Any] = {"dataset": name.dataset, "variant": name.variant, "seed": name.seed}
    if record.backend:
        seeded = {"dataset": name.dataset, "backend": record.backend, "seed": name.seed}
    about = {**seeded, "variant": record.predicted or name.variant, "similarity": record.similarity}
    if record.status in ("skipped", "failed"):
        row = pd.DataFrame([{**about, "engine": record.engine, "status": record.status, "reason": record.reason}])
        if record.backend:
            return {"backends.csv": row}
        return {"metrics.csv": metrics_table(row.assign(oversample=0, n_queries=0))}
    cell = record.cell or load_cell(out, name)
    seconds = pd.DataFrame([{**seeded, **cell.seconds}])
    if record.backend:
        return {
            "backends.csv": cell.metrics.assign(**about, engine=record.engine, status="ok", reason=""),
            "backends_bytes.csv": cell.ledger.assign(**seeded),
            "backends_timings.csv": seconds,
            "backends.parquet": cell.per_query.assign(**seeded),
        }
    return {
        "metrics.csv": cell.labelled(**about),
        "ledger.csv": cell.ledger.assign(dataset=name.dataset, variant=name.variant),
        "timings.csv": seconds,
        "per_query.parquet": cell.per_query.assign(**seeded),
        "samples.parquet": cell.samples.assign(**seeded),
    }


def _joined(frames: Sequence[pd.DataFrame], columns: Sequence[str] = ()) -> pd.DataFrame:
    """One table with these columns in front."""
    if not frames:
        return pd.DataFrame(columns=list(columns))
    whole = pd.concat(frames, ignore_index=True)
    return whole.reindex(columns=[*columns, *(name for name in whole if name not in columns)])


def _with_seeds_together(metrics: pd.DataFrame, per_query: pd.DataFrame, meta: Mapping[str, Any]) -> pd.DataFrame:
    """After a variant's rows by seed, those over all seeds."""
    parts = []
    for (dataset, variant), rows in metrics.groupby(["dataset", "variant"], sort=False):
        parts.append(rows)
        ok = rows[rows["status"] == "ok"]
        if ok["seed"].nunique() > 1:
            own = per_query[(per_query["dataset"] == dataset) & (per_query["variant"] == variant)]
            parts.append(over_seeds(own, ok, meta["metrics"]))
    return pd.concat(parts, ignore_index=True)


def _compared(per_query: pd.DataFrame, meta: Mapping[str, Any], variants: Sequence[str]) -> pd.DataFrame:
    """comparisons.csv: the variants in the order of the run, of which the first with a result may be the baseline."""
    parts = []
    for dataset, own in per_query.groupby("dataset", sort=True) if len(per_query) else ():
        present = set(own["variant"])
        baseline = chosen_baseline(meta["compared"]["baseline"], [name for name in variants if name in present])
        if baseline is not None:
            rows = comparisons(own, meta["metrics"], baseline, meta["compared"]["margin"])
            parts.append(rows.assign(dataset=dataset))
    return _joined(parts, COMPARISONS)


def _merged(metas: Sequence[Any]) -> dict[str, Any]:
    """One description of several jobs: their datasets and seeds together, their configs in a list.

    Raises VqbenchError where jobs use one name for different vectors: nobody could tell their rows apart.
    """
    merged = dict(metas[0])
    if len(metas) > 1:
        for key in ("datasets", "variants", "backends"):
            merged[key] = {name: about for meta in metas for name, about in meta.get(key, {}).items()}
        merged["seeds"] = sorted({seed for meta in metas for seed in meta["seeds"]})
        merged["config"] = [meta["config"] for meta in metas]
    for meta in metas:
        for name, about in meta["datasets"].items():
            hashes = [each["sha256"][:12] for each in (about, merged["datasets"][name])]
            if hashes[0] != hashes[1]:
                raise VqbenchError(
                    f"dataset {name}: two jobs of this multirun use the name for different vectors (SHA-256 "
                    f"{hashes[0]} and {hashes[1]}) and write into one folder: give each a name with dataset.name=NAME; "
                    "finished cells are kept"
                )
    return merged
