"""Carry out a plan: evaluate the cells that are missing, and note what the tables are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import Progress

from vqbench.datasets.base import Data, Source
from vqbench.datasets.prepare import prepare
from vqbench.errors import VqbenchError
from vqbench.evaluation.bench import Bench, open_bench
from vqbench.evaluation.cell import evaluate_variant
from vqbench.evaluation.doctor.checkup import examine
from vqbench.evaluation.engine_run import Pairing, evaluate_engine
from vqbench.evaluation.settings import Settings
from vqbench.evaluation.stated_neighbours import agreement
from vqbench.experiment import provenance
from vqbench.experiment.cell_cache import Shown, Task, obtain, once, reason_of
from vqbench.experiment.cell_keys import cell_name, engine_name, plugin_hashes
from vqbench.experiment.plan import Plan
from vqbench.numerics.kernels.choice import working
from vqbench.quantizers.variant import Variant
from vqbench.results.folder import check_not_later
from vqbench.results.records import Cell, CellName, CellRecord, RunRecord
from vqbench.search.shards import Spread
from vqbench.storage.atomic import check_writable, faults
from vqbench.storage.ids import positions
from vqbench.storage.locks import available
from vqbench.text import check_no_links, did_you_mean

_NAMED = 100_000  # ids that a mistyped one is compared with
_STEPS = 5  # of the bar, for each cell: those of evaluate_variant


def run(plan: Plan, progress: Progress) -> RunRecord:
    """Evaluate every cell of the plan that is not in the store. Bad input is found before anything is written."""
    with working(threads=plan.options.threads, kernels=plan.options.kernels):
        return _run(plan, progress)


def _run(plan: Plan, progress: Progress) -> RunRecord:
    datasets = prepared(plan)
    for data in datasets.values():
        _check(plan, data)
    sources = plugin_hashes(plan.options.plugin_folders, plan.out)
    _open_folder(plan.out, progress)
    noted = dict[str, list[CellRecord]]()
    stated = dict[str, dict[str, Any] | None]()
    with plan.parallel.open() as spread:
        for name, data in datasets.items():
            noted[name], stated[name] = _dataset(plan, name, data, sources, progress, spread)
    meta = provenance.describe(plan, datasets)
    for name, found in stated.items():
        meta["datasets"][name] |= {} if found is None else {"neighbors": found}
    if plan.options.doctor:
        for name, data in datasets.items():
            if any(cell.status != "failed" for cell in noted[name]):  # else it may well fail of the same
                meta["datasets"][name]["doctor"] = _findings(name, data, progress)
    return RunRecord(plan.out, tuple(cell for cells in noted.values() for cell in cells), meta)


def _open_folder(out: Path, progress: Progress) -> None:
    """Make the folder, or refuse it."""
    check_not_later(out)
    check_writable(out)
    check_no_links(out)
    with faults(out):
        if not available(out):
            progress.console.print(
                f"vqbench: {out}: files cannot be locked here; let one run at a time write into it", soft_wrap=True
            )


def prepared(plan: Plan) -> dict[str, Data]:
    """The datasets, checked; those that differ in the draw of their rows alone are read once."""
    options, sources = plan.options, dict[str, Source]()
    found = {}
    for name, spec in plan.datasets.items():
        whole = replace(spec, rows=None, rows_seed=0)
        if repr(whole) not in sources:
            sources[repr(whole)] = whole.load()
        found[name] = prepare(
            sources[repr(whole)],
            name,
            queries=options.queries,
            n_queries=options.n_queries,
            normalize=options.normalize,
            query_seed=options.query_seed,
            on_bad_rows=options.on_bad_rows,
            rows=spec.rows,
            rows_seed=spec.rows_seed,
        )
    return found


def _findings(name: str, data: Data, progress: Progress) -> list[dict[str, Any]]:
    """What makes the dataset easy or hard to quantize, as it stands in meta.json."""
    task = progress.add_task(f"{name}: doctor", total=1)
    try:
        found = examine(data, lambda words: progress.update(task, description=f"{name}: doctor, {words}"))
    except (MemoryError, OSError) as error:
        raise VqbenchError(
            f"doctor of {name}: {reason_of(error)}; all cells are finished: leave it out with doctor=false"
        ) from error
    progress.update(task, description=f"{name}: doctor", completed=1)
    return [finding.plain() for finding in found]


def _check(plan: Plan, data: Data) -> None:
    plan.settings.check_depth(data.name, data.findable)
    example = plan.options.example
    if example is not None and len(plan.datasets) == 1 and not positions(data.ids, [example]):
        hint = did_you_mean(example, data.ids[:_NAMED], otherwise="name one of its ids")
        raise VqbenchError(f"example = {example}: {data.name} has no such id; {hint}")


def _dataset(
    plan: Plan, name: str, data: Data, sources: Sequence[str], progress: Progress, spread: Spread | None
) -> tuple[list[CellRecord], dict[str, Any] | None]:
    """All cells of one dataset, then its engines; truth is only found if a cell is missing. And what the nearest rows
    that its file states are worth; None where it states none.

    Cells that another run has at hand come last: by then most are finished. Where truth cannot be found, the cells that
    need it fail.
    """
    tasks = [*_variants(plan, data, sources), *_engines(plan, data, sources)]
    bar = progress.add_task(f"{name}: truth", total=_STEPS * len(tasks))
    failed: list[Exception] = []
    bench = once(lambda: _bench(plan, data, spread), failed)
    noted: dict[CellName, CellRecord] = {}
    for wait in (False, True):
        for task in tasks:
            if task.name not in noted:
                shown = Shown(progress, bar, f"{name}: {task.label}")
                progress.update(bar, completed=_STEPS * len(noted))
                found = obtain(plan.out, task, bench, shown, force=plan.options.force, wait=wait)
                noted |= {} if found is None else {task.name: found}
    progress.update(bar, description=name, completed=_STEPS * len(tasks))
    return [noted[task.name] for task in tasks], None if failed else agreement(data, bench)


def _variants(plan: Plan, data: Data, sources: Sequence[str]) -> Iterator[Task]:
    for variant, spec in plan.variants.items():
        for seed in plan.seeds:
            named = cell_name(plan, data, variant, seed, sources)
            evaluate = partial(_evaluate, spec, seed, plan.settings)
            yield Task(named, variant, partial(CellRecord, named, spec.similarity), evaluate)


def _evaluate(spec: Variant, seed: int, settings: Settings, bench: Bench, advance: Callable[[], None]) -> Cell:
    return evaluate_variant(bench, spec, seed, settings, advance)


def _engines(plan: Plan, data: Data, sources: Sequence[str]) -> Iterator[Task]:
    for backend, pairing in plan.backends.items():
        about = {"backend": backend, "predicted": pairing.predicted, "engine": pairing.engine.engine}
        for seed in plan.seeds:
            named = engine_name(plan, data, backend, seed, sources)
            evaluate = partial(_evaluate_engine, pairing, seed, plan.settings)
            yield Task(named, backend, partial(CellRecord, named, pairing.variant.similarity, **about), evaluate)


def _evaluate_engine(
    pairing: Pairing, seed: int, settings: Settings, bench: Bench, advance: Callable[[], None]
) -> Cell:
    return evaluate_engine(bench, pairing, seed, settings, advance)


def _bench(plan: Plan, data: Data, spread: Spread | None) -> Bench:
    """With several datasets the example row belongs to the one that has it."""
    named = plan.options.example
    example = named if named is not None and positions(data.ids, [named]) else None
    return open_bench(data, plan.settings, example=example, cache=plan.options.cache_folder, spread=spread)
