"""The examples in docstrings run, and each class that a user may name has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import vqbench
from vqbench.quantizers.base import Quantizer
from vqbench.quantizers.transforms.base import Transform
from vqbench.quantizers.variant import Variant
from vqbench.search.parallel.base import Parallel

MODULES = ["vqbench", *(info.name for info in pkgutil.walk_packages(vqbench.__path__, "vqbench."))]
KERNELS = ("bits", "centroids", "grid", "hamming", "planes", "rows", "select")
#: Modules that are left out, and why.
LEFT_OUT = {
    "vqbench.__main__": "it is the command",
    **{f"vqbench.numerics.kernels.{name}": "it needs numba (extra fast) to be imported" for name in KERNELS},
}
#: Package -> the base classes whose subclasses a user may name in a config or in Python.
NAMED_BY_USERS: dict[str, tuple[type, ...]] = {
    "vqbench.quantizers": (Quantizer, Transform, Variant),
    "vqbench.search.parallel": (Parallel,),
}
#: Classes without an example, and why: what they need is not installed everywhere.
WITHOUT_EXAMPLE: dict[str, str] = {}


def _module(name: str) -> ModuleType:
    return importlib.import_module(name)


def _public_classes() -> list[type]:
    """The classes that users may name, each in the module that defines it."""
    classes = []
    for package, bases in NAMED_BY_USERS.items():
        for name in [name for name in MODULES if name.startswith(package)]:
            for cls in vars(_module(name)).values():
                named = inspect.isclass(cls) and issubclass(cls, bases) and not inspect.isabstract(cls)
                if named and cls.__module__ == name and not cls.__name__.startswith("_"):
                    classes.append(cls)
    return classes


@pytest.mark.parametrize("name", [name for name in MODULES if name not in LEFT_OUT])
def test_the_examples_give_what_they_say(name: str) -> None:
    assert doctest.testmod(_module(name)).failed == 0


@pytest.mark.parametrize("cls", _public_classes(), ids=lambda cls: cls.__name__)
def test_a_class_that_users_name_has_an_example(cls: type) -> None:
    examples = doctest.DocTestFinder(recurse=False).find(cls, globs={})
    assert bool(sum(len(test.examples) for test in examples)) != (cls.__name__ in WITHOUT_EXAMPLE)


def test_the_classes_were_found_and_what_is_left_out_exists() -> None:
    assert {"Binary", "Scalar", "Hadamard", "Variant", "Dask"} <= {cls.__name__ for cls in _public_classes()}
    assert set(LEFT_OUT) <= set(MODULES)
    assert set(WITHOUT_EXAMPLE) <= {cls.__name__ for cls in _public_classes()}
