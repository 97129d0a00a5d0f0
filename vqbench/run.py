"""Carry out a plan: evaluate what is missing, then write tables and figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.progress import Progress

from vqbench import provenance
from vqbench.datasets.base import Data, prepare
from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.evaluation.bench import Bench, open_bench
from vqbench.evaluation.cell import Cell, evaluate_variant
from vqbench.evaluation.tables import labelled, without_result
from vqbench.evaluation.truth import ARITHMETIC
from vqbench.plan import Plan
from vqbench.store import (
    CellName,
    check_writable,
    load_cell,
    save_cell,
    write_atomically,
    write_csv,
    write_json,
    write_parquet,
)
from vqbench.variant import Variant

_STEPS = 5


@dataclass(frozen=True)
class Row:
    """A cell of the plan with its outcome."""

    name: CellName
    spec: Variant
    cell: Cell | None
    status: str = "ok"
    reason: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a run did. failed counts cells, reused those that were finished before."""

    out: Path
    failed: int
    reused: int


def run(plan: Plan, progress: Progress, *, sweep: Path | None = None, job: int = 0) -> Outcome:
    """Evaluate every cell of the plan and write the results folder.

    sweep: the folder in which the jobs of a multirun note their cells; the tables then hold the cells
    of all of them.
    """
    prepared = {name: _prepare(plan, name) for name in plan.datasets}  # bad input: before anything is written
    for data in prepared.values():
        _check_depth(plan, data)
    check_writable(plan.out)
    rows: list[Row] = []
    for name, data in prepared.items():
        rows += _dataset(plan, name, data, progress)
    write_tables(plan, prepared, _with_sweep(plan, rows, sweep, job))
    failed, reused = (sum(row.status == status for row in rows) for status in ("failed", "reused"))
    return Outcome(plan.out, failed, reused)


def _prepare(plan: Plan, name: str) -> Data:
    options = plan.options
    return prepare(
        plan.datasets[name].load(), name, queries=options.queries, n_queries=options.n_queries,
        normalize=options.normalize, query_seed=options.query_seed,
    )  # fmt: skip


def _check_depth(plan: Plan, data: Data) -> None:
    if max(plan.settings.k) > data.findable:
        raise VqbenchError(
            f"k = {max(plan.settings.k)}: a query of {data.name} can find only {data.findable} rows; "
            "set k to at most that, as in 'k=[1,10]'"
        )


def _dataset(plan: Plan, name: str, data: Data, progress: Progress) -> list[Row]:
    """All cells of one dataset; truth is only found if a cell is missing."""
    cells = [(variant, seed) for variant in plan.variants for seed in plan.seeds]
    task = progress.add_task(f"{name}: truth", total=_STEPS * (len(cells) + 1))
    rows, bench = [], None
    for variant, seed in cells:
        named = _name(plan, data, variant, seed)
        cell = None if plan.options.force else load_cell(plan.out, named)
        if cell is not None:
            rows.append(Row(named, plan.variants[variant], cell, "reused"))
            progress.advance(task, _STEPS)
            continue
        if bench is None:
            bench = _bench(plan, data)
            progress.advance(task, _STEPS)
        progress.update(task, description=f"{name}: {variant}")
        done = progress.tasks[task].completed
        rows.append(_evaluate(plan, bench, named, lambda: progress.advance(task)))
        progress.update(task, completed=done + _STEPS)
    progress.update(task, description=name, completed=_STEPS * (len(cells) + 1))
    return rows


def _bench(plan: Plan, data: Data) -> Bench:
    example = plan.options.example if plan.options.example in set(data.ids) else None
    return open_bench(data, plan.settings, example=example, cache=plan.options.cache_folder)


def _name(plan: Plan, data: Data, variant: str, seed: int) -> CellName:
    options = plan.options
    depends_on = (
        ARITHMETIC, data.fingerprint, options.normalize, options.example, plan.variants[variant], seed,
        tuple(plan.settings.k), tuple(plan.settings.oversample), tuple(plan.settings.metrics),
        plan.settings.calibration,
    )  # fmt: skip
    return CellName(data.name, variant, seed, repr(depends_on))


def _evaluate(plan: Plan, bench: Bench, name: CellName, advance) -> Row:
    spec = plan.variants[name.variant]
    try:
        cell = evaluate_variant(bench, spec, name.seed, plan.settings, advance)
    except NotApplicableError as reason:
        return Row(name, spec, None, "skipped", str(reason))
    except Exception as error:  # one variant's fault must not lose the others
        return Row(name, spec, None, "failed", f"{type(error).__name__}: {error}")
    save_cell(plan.out, name, cell)
    return Row(name, spec, cell)


def _with_sweep(plan: Plan, rows: Sequence[Row], sweep: Path | None, job: int) -> list[Row]:
    """This job's rows, and those that the other jobs of the multirun wrote into the same folder."""
    if sweep is None:
        return list(rows)
    note = [
        [row.name.dataset, row.name.variant, row.name.seed, row.name.depends_on, row.status, row.reason,
         row.spec.similarity]
        for row in rows
    ]  # fmt: skip
    path = sweep / f"job-{job}.json"
    text = json.dumps({"out": str(plan.out.resolve()), "cells": note})
    write_atomically(path, lambda temporary: temporary.write_text(text, "utf-8") and None)
    merged = {row.name: row for row in rows}
    for other in sorted(sweep.glob("job-*.json")):
        content = json.loads(other.read_text("utf-8"))
        if content["out"] != str(plan.out.resolve()):
            continue
        for dataset, variant, seed, depends_on, status, reason, similarity in content["cells"]:
            name = CellName(dataset, variant, seed, depends_on)
            if name not in merged:
                spec = Variant(quantizer=next(iter(plan.variants.values())).quantizer, similarity=similarity)
                merged[name] = Row(name, spec, load_cell(plan.out, name), status, reason)
    return list(merged.values())


def write_tables(plan: Plan, prepared: dict[str, Data], rows: Sequence[Row]) -> None:
    """The tables of a results folder: a pure function of its cells."""
    rows = sorted(rows, key=lambda row: (row.name.dataset, row.name.variant, row.name.seed))
    metrics, ledger, per_query, samples, seconds = [], [], [], [], []
    for row in rows:
        at = {"dataset": row.name.dataset, "variant": row.name.variant}
        if row.cell is None:
            metrics.append(
                without_result(row.name.dataset, row.name.variant, row.spec, row.name.seed, row.status, row.reason)
            )
            continue
        metrics.append(
            labelled(row.cell.metrics, row.name.dataset, row.name.variant, row.spec, row.name.seed)
        )
        ledger.append(row.cell.ledger.assign(**at)[["dataset", "variant", "item", "scope", "bytes"]])
        per_query.append(row.cell.per_query.assign(**at, seed=row.name.seed))
        samples.append(row.cell.samples.assign(**at, seed=row.name.seed))
        seconds.append({**at, "seed": row.name.seed, **row.cell.seconds})
    write_csv(plan.out, "metrics.csv", pd.concat(metrics, ignore_index=True))
    empty = pd.DataFrame(columns=["dataset", "variant", "item", "scope", "bytes"])
    write_csv(plan.out, "ledger.csv", pd.concat(ledger or [empty], ignore_index=True).drop_duplicates())
    write_csv(plan.out, "timings.csv", pd.DataFrame(seconds))
    for name, frames in (("per_query", per_query), ("samples", samples)):
        frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
        text = [c for c in ("dataset", "variant", "query", "metric", "kind") if c in frame]
        write_parquet(plan.out, f"{name}.parquet", frame.astype(dict.fromkeys(text, "category")))
    write_json(plan.out, "meta.json", provenance.describe(plan, prepared))

