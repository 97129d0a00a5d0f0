"""Carry out a plan: evaluate the cells that are missing, and note what the tables are made of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import Progress

from vqbench import provenance
from vqbench.config import nearest
from vqbench.datasets.base import Data, Source
from vqbench.doctor.examine import examine
from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.evaluation.agreement import agreement
from vqbench.evaluation.bench import Bench, open_bench
from vqbench.evaluation.cell import evaluate_variant
from vqbench.evaluation.engines import evaluate_engine
from vqbench.evaluation.truth import ARITHMETIC
from vqbench.ids import positions
from vqbench.kernels.choice import working
from vqbench.plan import Plan
from vqbench.prepare import prepare
from vqbench.search.shards import Spread
from vqbench.store import CellName, check_writable, has_cell, save_cell

_NAMED = 100_000  # ids that a mistyped one is compared with
_STEPS = 5  # of evaluate_variant
_ENGINE_STEPS = 2  # of evaluate_engine


@dataclass(frozen=True)
class Noted:
    """One cell of a run and what became of it: ``ok``, ``reused``, ``skipped`` or ``failed``.

    backend, predicted, engine: of an engine's cell its name, the variant that predicts it and the product's name.
    """

    name: CellName
    similarity: str
    status: str
    reason: str = ""
    backend: str = ""
    predicted: str = ""
    engine: str = ""


@dataclass(frozen=True)
class Note:
    """What a run contributes to a results folder; the jobs of a multirun leave one each."""

    out: Path
    cells: tuple[Noted, ...]
    meta: Mapping[str, Any]


def run(plan: Plan, progress: Progress) -> Note:
    """Evaluate every cell of the plan that is not in the store. Bad input is found before anything is written."""
    with working(threads=plan.options.threads, kernels=plan.options.kernels):
        return _run(plan, progress)


def _run(plan: Plan, progress: Progress) -> Note:
    datasets = prepared(plan)
    for data in datasets.values():
        _check(plan, data)
    check_writable(plan.out)
    noted: list[Noted] = []
    with plan.parallel.open() as spread:
        for name, data in datasets.items():
            noted += _dataset(plan, name, data, progress, spread)
        stated = {name: agreement(data, partial(_bench, plan, data, spread)) for name, data in datasets.items()}
    meta = provenance.describe(plan, datasets)
    for name, found in stated.items():
        meta["datasets"][name] |= {} if found is None else {"neighbors": found}
    if plan.options.doctor:
        for name, data in datasets.items():
            meta["datasets"][name]["doctor"] = _findings(name, data, progress)
    return Note(plan.out, tuple(noted), meta)


def prepared(plan: Plan) -> dict[str, Data]:
    """The datasets, checked; those that differ in the draw of their rows alone are read once."""
    options, sources = plan.options, dict[str, Source]()
    found = {}
    for name, spec in plan.datasets.items():
        whole = replace(spec, rows=None, rows_seed=0)
        if repr(whole) not in sources:
            sources[repr(whole)] = whole.load()
        found[name] = prepare(
            sources[repr(whole)], name, queries=options.queries, n_queries=options.n_queries,
            normalize=options.normalize, query_seed=options.query_seed, on_bad_rows=options.on_bad_rows,
            rows=spec.rows, rows_seed=spec.rows_seed,
        )  # fmt: skip
    return found


def _findings(name: str, data: Data, progress: Progress) -> list[dict[str, Any]]:
    """What makes the dataset easy or hard to quantize, as it stands in meta.json."""
    task = progress.add_task(f"{name}: doctor", total=1)
    found = examine(data, lambda words: progress.update(task, description=f"{name}: doctor, {words}"))
    progress.update(task, description=f"{name}: doctor", completed=1)
    return [finding.plain() for finding in found]


def _check(plan: Plan, data: Data) -> None:
    plan.settings.check_depth(data.name, data.findable)
    example = plan.options.example
    if example is not None and len(plan.datasets) == 1 and not positions(data.ids, [example]):
        raise VqbenchError(f"example = {example}: {data.name} has no such id; {nearest(example, data.ids[:_NAMED])}")


def _dataset(plan: Plan, name: str, data: Data, progress: Progress, spread: Spread | None) -> list[Noted]:
    """All cells of one dataset, then its engines; truth is only found if a cell is missing."""
    cells = [(variant, seed) for variant in plan.variants for seed in plan.seeds]
    engines = [(backend, seed) for backend in plan.backends for seed in plan.seeds]
    total = _STEPS * (len(cells) + 1) + _ENGINE_STEPS * len(engines)
    task = progress.add_task(f"{name}: truth", total=total)
    noted, bench = [], None
    for variant, seed in cells:
        named, similarity = _name(plan, data, variant, seed), plan.variants[variant].similarity
        if has_cell(plan.out, named) and not plan.options.force:
            noted.append(Noted(named, similarity, "reused"))
        else:
            bench = bench or _bench(plan, data, spread)
            progress.update(task, description=f"{name}: {variant}", completed=_STEPS * (len(noted) + 1))
            noted.append(_evaluate(plan, bench, named, lambda: progress.advance(task)))
    for backend, seed in engines:
        named = _engine_name(plan, data, backend, seed)
        if has_cell(plan.out, named) and not plan.options.force:
            noted.append(_noted_engine(plan, named, backend, "reused"))
        else:
            bench = bench or _bench(plan, data, spread)
            progress.update(task, description=f"{name}: {backend}")
            noted.append(_evaluate_engine(plan, bench, named, backend, lambda: progress.advance(task)))
    progress.update(task, description=name, completed=total)
    return noted


def _bench(plan: Plan, data: Data, spread: Spread | None) -> Bench:
    """With several datasets the example row belongs to the one that has it."""
    named = plan.options.example
    example = named if named is not None and positions(data.ids, [named]) else None
    return open_bench(data, plan.settings, example=example, cache=plan.options.cache_folder, spread=spread)


def _name(plan: Plan, data: Data, variant: str, seed: int) -> CellName:
    settings = plan.settings
    depends_on = (
        ARITHMETIC, data.fingerprint, data.corpus.normalize, plan.options.example, plan.variants[variant], seed,
        tuple(settings.k), tuple(settings.oversample), tuple(settings.metrics), settings.calibration,
        settings.getsizeof, *_sources(plan),
    )  # fmt: skip
    return CellName(data.name, variant, seed, repr(depends_on))


def _sources(plan: Plan) -> list[str]:
    """What the user's own quantizers are, by content: an edited file makes new cells."""
    files = [path for folder in plan.options.plugin_folders for path in sorted(folder.glob("*.py"))]
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


def _evaluate(plan: Plan, bench: Bench, name: CellName, advance: Callable[[], None]) -> Noted:
    spec = plan.variants[name.variant]
    try:
        cell = evaluate_variant(bench, spec, name.seed, plan.settings, advance)
    except NotApplicableError as reason:
        return Noted(name, spec.similarity, "skipped", str(reason))
    except Exception as error:  # one variant's fault must not lose the others
        return Noted(name, spec.similarity, "failed", f"{type(error).__name__}: {error}")
    save_cell(plan.out, name, cell)
    return Noted(name, spec.similarity, "ok")


def _engine_name(plan: Plan, data: Data, backend: str, seed: int) -> CellName:
    pairing = plan.backends[backend]
    depends_on = (
        ARITHMETIC, data.fingerprint, data.corpus.normalize, pairing, pairing.engine.version, seed,
        tuple(plan.settings.k), plan.settings.calibration, *_sources(plan),
    )  # fmt: skip
    return CellName(data.name, f"backend-{backend}", seed, repr(depends_on))


def _noted_engine(plan: Plan, name: CellName, backend: str, status: str, reason: str = "") -> Noted:
    pairing = plan.backends[backend]
    about = {"backend": backend, "predicted": pairing.predicted, "engine": pairing.engine.engine}
    return Noted(name, pairing.variant.similarity, status, reason, **about)


def _evaluate_engine(plan: Plan, bench: Bench, name: CellName, backend: str, advance: Callable[[], None]) -> Noted:
    try:
        cell = evaluate_engine(bench, plan.backends[backend], name.seed, plan.settings, advance)
    except NotApplicableError as reason:
        return _noted_engine(plan, name, backend, "skipped", str(reason))
    except Exception as error:  # one engine's fault must not lose the others
        return _noted_engine(plan, name, backend, "failed", f"{type(error).__name__}: {error}")
    save_cell(plan.out, name, cell)
    return _noted_engine(plan, name, backend, "ok")
