"""Carry out a plan: evaluate the cells that are missing, and record what the tables are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from rich.progress import Progress

from vqbench.datasets.base import Data, QueryMode, Source
from vqbench.datasets.prepare import prepare
from vqbench.errors import VqbenchError
from vqbench.evaluation.bench import Bench, open_bench
from vqbench.evaluation.cell import evaluate_variant
from vqbench.evaluation.doctor.checkup import checkup
from vqbench.evaluation.engine_run import evaluate_engine
from vqbench.evaluation.stated_neighbours import agreement
from vqbench.experiment import provenance
from vqbench.experiment.captions import captions
from vqbench.experiment.cell_cache import ProgressLine, Task, obtain, reason_of
from vqbench.experiment.cell_keys import cell_name, engine_name, plugin_hashes
from vqbench.experiment.config.variants import named_variant
from vqbench.experiment.own_folder import mark, own_folder
from vqbench.experiment.plan import Plan
from vqbench.numerics.kernels.choice import working
from vqbench.results.folder import check_not_later
from vqbench.results.records import CellName, CellRecord, RunRecord
from vqbench.search.shards import Spread
from vqbench.storage.atomic import check_writable, faults
from vqbench.storage.ids import positions
from vqbench.storage.locks import available
from vqbench.text import check_no_links, did_you_mean

_NAMED = 100_000  # ids that a mistyped one is compared with
_STEPS = 5  # of the bar, for each cell: those of evaluate_variant


def run(plan: Plan, progress: Progress) -> RunRecord:
    """Evaluate every cell of the plan that is not finished. Bad input is found before anything is written.

    Raises:
        VqbenchError: a dataset is not what the plan needs, or the folder cannot be written.
    """
    records: list[CellRecord] = []
    stated: dict[str, dict[str, Any]] = {}
    with working(threads=plan.options.threads, kernels=plan.options.kernels):
        datasets = prepared(plan)
        for data in datasets.values():
            _check(plan, data)
        if plan.options.out is None:
            plan, datasets = _with_own_folder(plan, datasets)
        sources = plugin_hashes(plan.options.plugin_folders, plan.out)
        _open_folder(plan.out, progress)
        if plan.options.out is None:
            mark(plan.out, {name: data.corpus_digest for name, data in datasets.items()})
        with plan.parallel.open() as spread:
            for name, data in datasets.items():
                opened = cache(partial(_bench, plan, data, spread))
                records += _cells(plan, data, [*_tasks(plan, data, sources)], opened, progress)
                neighbours = agreement(data, opened)
                stated[name] = {} if neighbours is None else {"neighbors": neighbours}
        meta = provenance.describe(plan, datasets)
        for name, data in datasets.items():
            own = [record for record in records if record.name.dataset == name]
            meta["datasets"][name] |= stated[name] | captions(data, own, plan.out)
            # What failed for all cells may well fail for the doctor.
            if plan.options.doctor and any(r.name.dataset == name and r.status != "failed" for r in records):
                meta["datasets"][name]["doctor"] = _findings(name, data, progress)
    return RunRecord(plan.out, tuple(records), meta)


def _with_own_folder(plan: Plan, datasets: dict[str, Data]) -> tuple[Plan, dict[str, Data]]:
    """The plan with a folder that holds no results of other vectors, and the datasets with a note where it is new."""
    out = own_folder(plan.out, {name: data.corpus_digest for name, data in datasets.items()})
    if out == plan.out:
        return plan, datasets
    note = (
        f"{plan.out} holds results of other vectors of this name, so these are in {out}; dataset.name=NAME gives the "
        "vectors a name of their own"
    )
    noted = {name: replace(data, notes=(*data.notes, note)) for name, data in datasets.items()}
    return replace(plan, out=out), noted


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
    """Read and check the datasets; those that differ in the draw of their rows alone are read once."""
    options, sources = plan.options, dict[str, Source]()
    datasets = {}
    for name, spec in plan.datasets.items():
        whole = replace(spec, rows=None, rows_seed=0)
        if repr(whole) not in sources:
            sources[repr(whole)] = whole.load()
        source, notes = _as_asked(sources[repr(whole)], options.queries)
        data = prepare(
            source,
            name,
            queries=options.queries,
            n_queries=options.n_queries,
            normalize=options.normalize,
            query_seed=options.query_seed,
            on_bad_rows=options.on_bad_rows,
            rows=spec.rows,
            rows_seed=spec.rows_seed,
            distance=options.distance,
        )
        datasets[name] = replace(data, notes=(*data.notes, *notes))
    return datasets


def _as_asked(source: Source, mode: QueryMode | None) -> tuple[Source, list[str]]:
    """The source as far as it is used where rows of the corpus are the queries, and notes on what is left out.

    Its judgements stay where they are of these rows.
    """
    if mode is None or source.queries_qd is None:
        return source, []
    count = f"{len(source.queries_qd):,}"
    taken = [line for line in source.taken if not line.startswith("queries: ")]
    judged = {query for query, _, _ in source.judgements or ()}
    if not judged or (source.ids is not None and positions(source.ids, judged)):
        return replace(source, taken=taken), [f"its own {count} queries are not used (queries={mode})"]
    note = f"its own {count} queries are not used (queries={mode}), so their judgements are not used either"
    return replace(source, taken=taken, judgements=None), [note]


def _findings(name: str, data: Data, progress: Progress) -> list[dict[str, Any]]:
    """What makes the dataset easy or hard to quantize, as it stands in meta.json."""
    task = progress.add_task(f"{name}: doctor", total=1)
    try:
        findings = checkup(
            data,
            partial(named_variant, place="doctor"),
            lambda words: progress.update(task, description=f"{name}: doctor, {words}"),
        )
    except (MemoryError, OSError) as error:
        raise VqbenchError(
            f"doctor of {name}: {reason_of(error)}; all cells are finished: leave it out with doctor=false"
        ) from error
    progress.update(task, description=f"{name}: doctor", completed=1)
    return [finding.plain() for finding in findings]


def _check(plan: Plan, data: Data) -> None:
    plan.settings.check_depth(data.name, data.findable)
    example = plan.options.example
    if example is not None and len(plan.datasets) == 1 and not positions(data.ids, [example]):
        hint = did_you_mean(example, data.ids[:_NAMED], otherwise="name one of its ids")
        raise VqbenchError(f"example = {example}: {data.name} has no such id; {hint}")


def _cells(
    plan: Plan, data: Data, tasks: Sequence[Task], opened: Callable[[], Bench | Exception], progress: Progress
) -> list[CellRecord]:
    """All cells of one dataset, its engines last. Truth is only found if a cell is missing.

    Cells that another run has at hand come last: by then most are finished. Where truth cannot be found, the cells
    that need it fail.
    """
    bar = progress.add_task(f"{data.name}: truth", total=_STEPS * len(tasks))
    records: dict[CellName, CellRecord] = {}
    for wait in (False, True):
        for task in tasks:
            name = task.record.name
            if name not in records:
                line = ProgressLine(progress, bar, f"{data.name}: {task.record.backend or name.variant}")
                progress.update(bar, completed=_STEPS * len(records))
                record = obtain(plan.out, task, opened, line, force=plan.options.force, wait=wait)
                records |= {} if record is None else {name: record}
    progress.update(bar, description=data.name, completed=_STEPS * len(tasks))
    return [records[task.record.name] for task in tasks]


def _tasks(plan: Plan, data: Data, sources: Sequence[str]) -> Iterator[Task]:
    """The variants, then the engines, each under every seed."""
    for variant, spec in plan.variants.items():
        for seed in plan.seeds:
            record = CellRecord(cell_name(plan, data, variant, seed, sources), spec.similarity)
            yield Task(record, partial(evaluate_variant, variant=spec, seed=seed, settings=plan.settings))
    for backend, pairing in plan.backends.items():
        for seed in plan.seeds:
            record = CellRecord(
                engine_name(plan, data, backend, seed, sources),
                pairing.variant.similarity,
                backend=backend,
                predicted=pairing.predicted,
                engine=pairing.engine.engine,
            )
            yield Task(record, partial(evaluate_engine, pairing=pairing, seed=seed, settings=plan.settings))


def _bench(plan: Plan, data: Data, spread: Spread | None) -> Bench | Exception:
    """The dataset with its truth, or why there is none: what failed for one cell is not tried again for the next.

    With several datasets the example row belongs to the one that has it.
    """
    named = plan.options.example
    example = named if named is not None and positions(data.ids, [named]) else None
    try:
        return open_bench(data, plan.settings, example=example, cache=plan.options.cache_folder, spread=spread)
    except Exception as error:
        return error.with_traceback(None)  # or it would keep all that its frames hold
