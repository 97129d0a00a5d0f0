"""The floors of the package: what each module may import, and that no imports go in a circle."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import vqbench

PACKAGE = Path(vqbench.__file__).parent
GROUND = {
    f"vqbench.{name}"
    for name in (
        "arrays",
        "checks",
        "draws",
        "durable",
        "errors",
        "exact_sum",
        "extras",
        "faiss_index",
        "gaussian",
        "given",
        "grid",
        "ids",
        "judgements",
        "kernels.bits",
        "kernels.centroids",
        "kernels.choice",
        "kernels.grid",
        "kernels.hamming",
        "kernels.kth",
        "kernels.lzf",
        "kernels.planes",
        "kernels.rows",
        "kernels.select",
        "ledger",
        "locks",
        "lzf",
        "mapped",
        "names",
        "orthonormal",
        "packing",
        "plugins",
        "products",
        "ranges",
        "rawrows",
        "regular",
        "scratch",
        "yaml_text",
    )
}
GROUPS = ("transforms", "quantizers", "metrics", "datasets", "parallel", "backends")
BASES = {f"vqbench.{group}.base" for group in GROUPS}


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_module(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def _imports(name: str) -> set[str]:
    """Our own modules that a module imports anywhere, also inside functions and for type checking."""
    package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            home = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                home = ".".join([*above, *([node.module] if node.module else [])])
            # "from vqbench import stats" imports a module, "from vqbench.numerics.stats import mean" a name.
            found |= {f"{home}.{a.name}" if f"{home}.{a.name}" in MODULES else home for a in node.names}
    return {module for module in found if module.split(".")[0] == "vqbench"}


IMPORTS = {name: _imports(name) for name in MODULES}


def _in(folder: str) -> list[str]:
    return [name for name in MODULES if name.startswith(f"vqbench.{folder}.")]


def test_the_package_was_read() -> None:
    """An empty list of modules or imports would let everything pass."""
    assert len(MODULES) > 25
    assert IMPORTS["vqbench.quantizers.binary"] >= {"vqbench.quantizers.base", "vqbench.numerics.arrays"}
    assert IMPORTS["vqbench.evaluation.cell"] >= {"vqbench.numerics.stats.intervals", "vqbench.search.similarity"}
    for folder in ("quantizers", "metrics", "datasets", "search", "evaluation"):
        assert len(_in(folder)) > 2


@pytest.mark.parametrize("name", sorted(GROUND))
def test_the_ground_floor_imports_only_itself(name: str) -> None:
    assert IMPORTS[name] <= GROUND


@pytest.mark.parametrize("group", GROUPS)
def test_siblings_never_import_each_other(group: str) -> None:
    """A module of a group imports its base and the ground floor; metrics look at codecs too."""
    allowed = GROUND | {f"vqbench.{group}.base"}
    if group == "metrics":
        allowed |= {"vqbench.quantizers.base"}
    if group == "datasets":
        allowed |= set(_in("readers"))
    for name in _in(group):
        assert IMPORTS[name] <= allowed, f"{name} imports {IMPORTS[name] - allowed}"


def test_readers_know_files_only() -> None:
    """A format's module knows none of the other formats, but .npz the .npy files that it holds."""
    shared = GROUND | {f"vqbench.datasets.readers.{name}" for name in ("base", "columns", "unpack")}
    assert len(_in("readers")) > 5
    for name in set(_in("readers")) - {"vqbench.datasets.readers.formats"}:
        held = {"vqbench.datasets.readers.npz": {"vqbench.datasets.readers.npy"}, "vqbench.datasets.readers.parquet": {"vqbench.datasets.readers.footer"},
                "vqbench.datasets.readers.hdf5": {"vqbench.datasets.readers.hdf5_chunks", "vqbench.datasets.readers.heaps"}}  # fmt: skip
        assert IMPORTS[name] <= shared | held.get(name, set()), f"{name} imports {IMPORTS[name] - shared}"


def test_search_imports_the_floors_below() -> None:
    allowed = GROUND | BASES | set(_in("search"))
    for name in _in("search"):
        assert IMPORTS[name] <= allowed, f"{name} imports {IMPORTS[name] - allowed}"


def test_search_knows_no_way_of_spreading() -> None:
    """Shards go to whatever has ``shards`` and ``map``: a pool of workers, or a loop in a test."""
    assert not any(module.startswith("vqbench.search.parallel") for name in _in("search") for module in IMPORTS[name])


def test_only_parallel_knows_workers() -> None:
    """And only inside functions: they are extras."""
    extras = {"joblib", "dask", "distributed", "ray", "cloudpickle"}
    for module, path in MODULES.items():
        tree = ast.parse(path.read_text("utf-8"))
        for node in tree.body if module.startswith("vqbench.search.parallel.") else ast.walk(tree):
            if isinstance(node, ast.Import):
                assert not extras & {alias.name.split(".")[0] for alias in node.names}, module
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] not in extras, module


@pytest.mark.parametrize("name", _in("stats"))
def test_stats_knows_arrays_only(name: str) -> None:
    """Numbers in, numbers out."""
    assert IMPORTS[name] <= {"vqbench.numerics.arrays", *_in("stats")}


@pytest.mark.parametrize("name", [*_in("stats"), "vqbench.quantizers.variant", *_in("evaluation")])
def test_evaluation_knows_base_classes_only(name: str) -> None:
    """No concrete quantizer, transform, dataset or engine; of metrics, the API names its defaults, engines overlap."""
    concrete = {module for group in GROUPS for module in _in(group)} - BASES
    if name in ("vqbench.api", "vqbench.evaluation.engine_run"):
        concrete -= set(_in("metrics"))
    assert not IMPORTS[name] & concrete


def test_engines_are_met_in_one_place() -> None:
    """Only the pass that runs them knows their base class; the tables and the screen read what it left."""
    users = {name for name in MODULES if any(x.startswith("vqbench.evaluation.backends") for x in IMPORTS[name])}
    assert users <= {"vqbench.evaluation.engine_run", *_in("backends")}
    assert IMPORTS["vqbench.cli.screens.engines"] <= {
        "vqbench.extras",
        "vqbench.cli.screens.fit_width",
        "vqbench.results.folder",
        "vqbench.cli.screens.summary",
    }


def test_rivals_are_met_in_one_place() -> None:
    """The timed comparison stands on top: only the command line starts it, only the plan knows its settings."""
    own = set(_in("peers"))
    users = {name: imports & own for name, imports in IMPORTS.items() if imports & own and name not in own}
    assert users == {
        "vqbench.experiment.plan": {"experiments.peers.settings"},
        "vqbench.cli.main": {"experiments.peers.settings", "experiments.peers.run", "experiments.peers.screen"},
    }
    assert IMPORTS["experiments.peers.settings"] <= {"vqbench.errors"}
    for name in own:  # they are an extra, and asked for by name when a contestant is built
        imported = [x for x in ast.walk(ast.parse(MODULES[name].read_text("utf-8"))) if isinstance(x, ast.Import)]
        assert not {alias.name.split(".")[0] for x in imported for alias in x.names} & {"faiss", "usearch"}, name


def test_results_are_read_without_the_machinery() -> None:
    """Nothing below the command line knows Hydra; stats, variant and search do not know evaluation."""
    for name in [*_in("stats"), "vqbench.quantizers.variant", *_in("search"), *_in("metrics"), *_in("datasets")]:
        assert not any(module.startswith("vqbench.evaluation") for module in IMPORTS[name]), name
    for name in [*GROUND, *_in("stats"), "vqbench.quantizers.variant", *_in("search"), *_in("evaluation"), *_in("doctor"),
                 *(module for group in GROUPS for module in _in(group))]:  # fmt: skip
        text = MODULES[name].read_text("utf-8")
        roots = {
            (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert not {root.split(".")[0] for root in roots} & {"hydra", "omegaconf"}, name


def test_only_the_command_line_knows_what_guards_hydra() -> None:
    """And what it composes passes there."""
    users = {name for name, imports in IMPORTS.items() if "vqbench.experiment.config.guard" in imports}
    assert users == {"vqbench.cli.main", "vqbench.experiment.config.compose"}
    assert IMPORTS["vqbench.experiment.config.guard"] <= GROUND | {
        "vqbench.experiment.config.targets",
        "vqbench.experiment.config.foreign",
        "vqbench.experiment.config.references",
    }
    assert IMPORTS["vqbench.experiment.config.foreign"] <= GROUND | {"vqbench.experiment.config.references"}
    assert IMPORTS["vqbench.experiment.config.references"] <= GROUND | {"vqbench.experiment.config.targets"}


READERS = sorted(
    {
        "vqbench.analysis.compare",
        "vqbench.results.measured_settings",
        "vqbench.analysis.recommend",
        "vqbench.analysis.recommend_text",
        "vqbench.analysis.rerun_command",
        "vqbench.cli.screens.recommend",
        "vqbench.cli.screens.fit_width",
    }
    | {
        name
        for name in MODULES
        if name.startswith(("vqbench.report.figures.", "vqbench.report.", "vqbench.analysis.scaling."))
    }
)


@pytest.mark.parametrize("name", READERS)
def test_what_reads_results_needs_nothing_else(name: str) -> None:
    """A pure function of a results folder: no vectors, no codecs, no configs, no Hydra."""
    tables = {"vqbench.numerics.arrays", "vqbench.errors", "vqbench.text", "vqbench.results.folder", "vqbench.results.columns",
              *_in("stats"), "vqbench.storage.atomic", "vqbench.storage.locks", "vqbench.results.per_query", "vqbench.cli.screens.compare",
              "vqbench.results.significance", "vqbench.analysis.compare_align", "vqbench.results.validation"}  # fmt: skip
    figures = {module for module in READERS if module.startswith("vqbench.report.figures.")}
    others = set(READERS) - (set() if name in figures else figures)
    assert IMPORTS[name] <= tables | others, f"{name} imports {IMPORTS[name] - tables - others}"
    roots = {
        root.split(".")[0]
        for node in ast.walk(ast.parse(MODULES[name].read_text("utf-8")))
        for root in ([x.name for x in node.names] if isinstance(node, ast.Import)
                     else [node.module or ""] if isinstance(node, ast.ImportFrom) else [])
    }  # fmt: skip
    assert not roots & {"hydra", "omegaconf"}


def test_files_of_results_are_read_in_one_place() -> None:
    """By the store, cells by the same rules; those of a timed comparison by its figures and by the next comparison."""
    users = {name for name in MODULES if "vqbench.results.validation" in IMPORTS[name]}
    timed = {"experiments.peers.figures_peers", "vqbench.report.figures.folder", "experiments.peers.kept"}
    assert users == {"vqbench.results.folder", "vqbench.results.cell_files", *timed}
    for name, path in MODULES.items():
        if name != "vqbench.results.validation":
            assert not re.search(r"\bpd\.read_", path.read_text("utf-8")), name
    allowed = {"vqbench.errors", "vqbench.text", "vqbench.results.columns", "vqbench.storage.parquet"}
    assert IMPORTS["vqbench.results.validation"] <= allowed


def test_tables_are_read_without_what_writes_cells() -> None:
    """A cell's file is known to whoever gets cells and joins them; how a command ends, to the command line alone."""
    known = {f"vqbench.{name}" for name in ("durable", "errors", "evaluation.tables", "regular", "result_files")}
    assert IMPORTS["vqbench.results.folder"] <= known
    users = {
        module: {name for name in MODULES if f"vqbench.{module}" in IMPORTS[name]} for module in ("cells", "ending")
    }
    homes = {"keys", "obtain", "run", "assemble", "engine_tables", "multirun"}
    assert users == {"cells": {f"vqbench.{name}" for name in homes}, "ending": {"vqbench.cli.main"}}


def test_what_a_cell_depends_on_is_named_in_one_place() -> None:
    assert {name for name in MODULES if "vqbench.experiment.cell_keys" in IMPORTS[name]} == {"vqbench.experiment.run"}


def test_the_doctor_stands_beside_evaluation() -> None:
    """It looks at vectors through the floors below; only its trials name concrete quantizers."""
    concrete = {module for group in GROUPS for module in _in(group)} - BASES
    for name in _in("doctor"):
        known = {*GROUND, *_in("doctor"), *_in("search"), "vqbench.datasets.base", "vqbench.quantizers.variant"} | set(
            _in("stats")
        )
        if name == "vqbench.evaluation.doctor.trials":
            known |= {module for module in concrete if module.split(".")[1] in ("quantizers", "transforms")}
        assert IMPORTS[name] <= known, f"{name} imports {IMPORTS[name] - known}"


@pytest.mark.parametrize("name", ["vqbench.analysis.scaling.law", "vqbench.analysis.scaling.fit"])
def test_the_law_of_scale_knows_numbers_only(name: str) -> None:
    assert IMPORTS[name] <= {*_in("stats"), *GROUND, *_in("scaling")}


def test_no_circle() -> None:
    """The top package is left out: it names the public functions for type checkers only."""
    graph = {name: imports - {"vqbench"} for name, imports in IMPORTS.items() if name != "vqbench"}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"imports in a circle: {' -> '.join(error.args[1])}")
