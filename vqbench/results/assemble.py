"""The tables of a results folder: a pure function of its cells and the notes about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vqbench.errors import VqbenchError
from vqbench.results.cell_files import load_cell
from vqbench.results.columns import LEDGER, labelled, without_result
from vqbench.results.engine_tables import ENGINE_FILES, engine_tables
from vqbench.results.folder import write_tables
from vqbench.results.per_query import over_seeds
from vqbench.results.records import CellRecord, RunRecord
from vqbench.results.significance import COMPARISONS, chosen_baseline, comparisons
from vqbench.storage.atomic import faults
from vqbench.storage.locks import TEMPORARY

#: Held by whoever writes the tables of a results folder, or draws what is made from them.
TABLES_CLAIM = f"{TEMPORARY}tables.claim"


def assemble(notes: Sequence[RunRecord]) -> Path:
    """Write metrics.csv, ledger.csv and the rest for the cells of ``notes``, which share one folder."""
    out, meta = notes[0].out, _merged([note.meta for note in notes])
    noted = {cell.name: cell for note in notes for cell in note.cells if not cell.backend}
    tables: dict[str, list[pd.DataFrame]] = {
        name: [] for name in ("metrics", "ledger", "timings", "per_query", "samples")
    }
    for name in sorted(noted, key=lambda name: (name.dataset, name.variant, name.seed)):
        _add(tables, out, noted[name])
    ledger, per_query = _joined(tables["ledger"]), _joined(tables["per_query"])
    variants = list(dict.fromkeys(name.variant for name in noted))
    whole = {
        "metrics.csv": _with_seeds_together(_joined(tables["metrics"]), per_query, meta),
        "comparisons.csv": _compared(per_query, meta, variants),
        "ledger.csv": ledger.drop_duplicates() if len(ledger) else pd.DataFrame(columns=LEDGER),
        "timings.csv": _joined(tables["timings"] or [pd.DataFrame(columns=["dataset", "variant", "seed"])]),
    }
    for name, frame in (("per_query", per_query), ("samples", _joined(tables["samples"]))):
        text = [column for column in ("dataset", "variant", "query", "metric", "kind", "group") if column in frame]
        whole[f"{name}.parquet"] = frame.astype(dict.fromkeys(text, "category"))
    whole |= engine_tables(out, [cell for note in notes for cell in note.cells if cell.backend])
    write_tables(out, whole, meta)
    for name in ENGINE_FILES:
        if name not in whole:
            with faults(out / name):
                (out / name).unlink(missing_ok=True)
    return out


def _with_seeds_together(metrics: pd.DataFrame, per_query: pd.DataFrame, meta: Mapping[str, Any]) -> pd.DataFrame:
    """After a variant's rows by seed, those over all seeds."""
    parts = []
    for (dataset, variant), rows in metrics.groupby(["dataset", "variant"], sort=False):
        parts.append(rows)
        ok = rows[rows["status"] == "ok"]
        if ok["seed"].nunique() > 1:
            own = per_query[(per_query["dataset"] == dataset) & (per_query["variant"] == variant)]
            parts.append(over_seeds(own, ok, meta["metrics"]))
    return pd.concat(parts, ignore_index=True) if parts else metrics


def _compared(per_query: pd.DataFrame, meta: Mapping[str, Any], variants: Sequence[str]) -> pd.DataFrame:
    """comparisons.csv: the variants in the order of the run, of which the first with a result may be the baseline."""
    wanted, margin = meta["compared"]["baseline"], meta["compared"]["margin"]
    parts = []
    for dataset, own in per_query.groupby("dataset", sort=True) if len(per_query) else ():
        present = set(own["variant"])
        baseline = chosen_baseline(wanted, [name for name in variants if name in present])
        if baseline is not None:
            parts.append(comparisons(own, meta["metrics"], baseline, margin).assign(dataset=dataset))
    return _joined(parts).reindex(columns=COMPARISONS)


def _add(tables: dict[str, list[pd.DataFrame]], out: Path, noted: CellRecord) -> None:
    name = noted.name
    if noted.status in ("skipped", "failed"):
        row = without_result(name.dataset, name.variant, noted.similarity, name.seed, noted.status, noted.reason)
        tables["metrics"].append(row)
        return
    cell = load_cell(out, name)
    at = {"dataset": name.dataset, "variant": name.variant}
    labels = (name.dataset, name.variant, noted.similarity, name.seed)
    tables["metrics"].append(labelled(cell.metrics, *labels))
    tables["ledger"].append(cell.ledger.assign(**at)[LEDGER])
    tables["timings"].append(pd.DataFrame([{**at, "seed": name.seed, **cell.seconds}]))
    tables["per_query"].append(cell.per_query.assign(**at, seed=name.seed))
    tables["samples"].append(cell.samples.assign(**at, seed=name.seed))


def _joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _merged(metas: Sequence[Any]) -> dict[str, Any]:
    """One description of several jobs: their datasets and seeds together, their configs in a list."""
    merged = dict(metas[0])
    if len(metas) > 1:
        _check_same_data(metas)
        merged["datasets"] = {name: about for meta in metas for name, about in meta["datasets"].items()}
        merged["seeds"] = sorted({seed for meta in metas for seed in meta["seeds"]})
        merged["config"] = [meta["config"] for meta in metas]
    return merged


def _check_same_data(metas: Sequence[Any]) -> None:
    """Raise VqbenchError where jobs use one name for different vectors: nobody could tell their rows apart."""
    seen: dict[str, str] = {}
    for meta in metas:
        for name, about in meta["datasets"].items():
            if seen.setdefault(name, about["sha256"]) != about["sha256"]:
                raise VqbenchError(
                    f"dataset {name}: two jobs of this multirun use the name for different vectors (SHA-256 "
                    f"{seen[name][:12]} and {about['sha256'][:12]}), and write into one folder: give each a name with "
                    "dataset.name=NAME; the finished cells are kept"
                )
