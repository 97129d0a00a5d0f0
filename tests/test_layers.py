"""Which package may import which: one table, from the lowest floor to the highest, without a circle."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import vqbench

PACKAGE = Path(vqbench.__file__).parent
BASE = {"errors", "extras", "text", "version"}
#: Package (or module beside the packages) -> what it may import, beside itself and ``BASE``. A line knows lines above.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "extras": set(),
    "text": set(),
    "version": set(),
    "numerics": set(),
    "storage": {"numerics"},
    "quantizers": {"numerics"},
    "search": {"numerics", "quantizers"},
    "metrics": {"numerics", "quantizers"},
    "datasets": {"numerics", "storage"},
    "results": {"numerics", "storage"},
    "evaluation": {"numerics", "storage", "quantizers", "search", "metrics", "datasets", "results"},
    "analysis": {"numerics", "results"},
    "report": {"storage", "results", "analysis"},
    "experiment": {"numerics", "storage", "quantizers", "search", "metrics", "datasets", "results", "evaluation"},
    "api": {"numerics", "storage", "quantizers", "search", "metrics", "datasets", "results", "evaluation"},
    "cli": {
        "storage", "quantizers", "search", "datasets", "results", "evaluation", "analysis", "report", "experiment",
    },
    "notebook": {"datasets", "results", "analysis", "report", "experiment", "cli"},
    "__main__": {"cli"},
    "__init__": {"quantizers", "api", "notebook"},
}  # fmt: skip
#: Packages whose modules know their own ``base`` and no sibling: each is added by one file.
DROP_INS = {
    "quantizers": set(),
    "quantizers.transforms": set(),
    "metrics": set(),
    "datasets.readers": {
        "array_parts",
        "arrow_ipc",
        "column_kinds",
        "column_texts",
        "column_vectors",
        "columns",
        "hdf5_chunks",
        "hdf5_objects",
        "npy",
    },
    "search.parallel": set(),
    "evaluation.backends": set(),
}
#: Only these packages import these libraries.
HOMES = {
    "hydra": {"experiment"},
    "omegaconf": {"experiment"},
    "rich": {"experiment", "report", "cli"},
    "matplotlib": {"report"},
    "seaborn": {"report"},
    "jinja2": {"report"},
    "joblib": {"search"},
    "distributed": {"search"},
    "ray": {"search"},
    "numba": {"numerics"},
}


def _module(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


MODULES = {_module(path): ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
NAMES = {name.removesuffix(".__init__") for name in MODULES}


def _imports(name: str) -> set[str]:
    """Whatever a module imports anywhere, also inside functions and for type checking, as full names."""
    imported = set()
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}: imports are absolute"
            # "from vqbench.numerics import stats" imports a module, "from vqbench.text import shown" a name.
            home = node.module or ""
            for alias in node.names:
                full = f"{home}.{alias.name}"
                imported.add(full if full.removeprefix("vqbench.") in NAMES else home)
    return imported


IMPORTS = {name: _imports(name) for name in MODULES}
OURS = {
    name: {found.removeprefix("vqbench.") for found in imports if found.startswith("vqbench.")}
    for name, imports in IMPORTS.items()
}


def _top(name: str) -> str:
    return name.partition(".")[0]


def test_every_package_is_in_the_table_and_the_sources_were_read() -> None:
    assert {_top(name) for name in MODULES} == set(MAY_IMPORT)
    assert len(MODULES) > 150
    assert "numerics.arrays" in OURS["quantizers.binary"]


def test_a_line_of_the_table_knows_lines_above_only() -> None:
    above: set[str] = set()
    for name, allowed in MAY_IMPORT.items():
        assert allowed <= above, name
        above.add(name)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_what_the_table_allows(package: str) -> None:
    allowed = {package, *BASE, *MAY_IMPORT[package]} if package not in BASE else {"errors"}
    for name in [name for name in MODULES if _top(name) == package]:
        wrong = {found for found in OURS[name] if _top(found) not in allowed}
        assert not wrong, f"{name} imports {wrong}"


@pytest.mark.parametrize("package", DROP_INS)
def test_siblings_never_import_each_other(package: str) -> None:
    shared = {f"{package}.{name}" for name in {"base", *DROP_INS[package]}}
    inside = [name for name in MODULES if name.rpartition(".")[0] == package and not name.endswith("__init__")]
    siblings = {name for name in inside if name not in shared} - {"quantizers.variant"}
    assert len(siblings) > 3
    for name in siblings:
        assert not OURS[name] & (siblings - {name}), name


@pytest.mark.parametrize("library", HOMES)
def test_a_library_has_its_home(library: str) -> None:
    users = {_top(name) for name, imports in IMPORTS.items() if any(_top(found) == library for found in imports)}
    assert users, "nobody imports it: leave it out of the table"
    assert users <= HOMES[library]


def test_no_circle() -> None:
    """The top package is left out: it names the public functions for type checkers only."""
    graph = {name.removesuffix(".__init__"): found - {"vqbench"} for name, found in OURS.items() if name != "__init__"}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"imports in a circle: {' -> '.join(error.args[1])}")


def test_each_package_says_what_it_is_and_imports() -> None:
    """Its docstring: a sentence, its floor, and the packages that it may import, as in the table."""
    for package in [name for name in MAY_IMPORT if f"{name}.__init__" in MODULES]:
        text = ast.get_docstring(MODULES[f"{package}.__init__"]) or ""
        floor = {"numerics": 2, "storage": 3, "quantizers": 3, "evaluation": 5, "analysis": 5, "report": 6,
                 "experiment": 6, "cli": 7}.get(package, 4)  # fmt: skip
        assert f"Floor {floor}." in text, package
        said = text.partition("May import")[2]
        assert {name for name in MAY_IMPORT if name not in BASE and f"``{name}``" in said} == MAY_IMPORT[package], (
            package
        )


def test_hydra_is_known_by_its_public_names_in_two_files() -> None:
    importers = {
        name: {
            module
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for module in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [x.name for x in node.names])
            if module.split(".")[0] == "hydra"
        }
        for name, tree in MODULES.items()
    }
    assert {name for name, modules in importers.items() if modules} == {
        "experiment.config.compose",
        "experiment.config.settings",
    }
    assert not [module for modules in importers.values() for module in modules if "._" in module]
