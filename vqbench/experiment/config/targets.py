"""The check of a config's nodes, and the objects that they describe.

A node names its class by ``_target_``, which must be exactly one of the classes that the package
defines for that group. They are found by reading the sources, so nothing is imported before the name is
known to be ours, and a new file is enough to add one. Folders that the user names in ``plugins=`` count too.
"""

from __future__ import annotations

import ast
import importlib
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from vqbench.errors import VqbenchError
from vqbench.experiment.config.folders import PACKAGE
from vqbench.experiment.config.plugins import hint_for_plugin, import_plugin, parse_python, place_of
from vqbench.text import did_you_mean, shortened

#: Where the classes of a group lie in the package; a group that is missing here lies in a package of its name.
_HOMES = {"backends": "evaluation.backends", "parallel": "search.parallel", "transforms": "quantizers.transforms"}
#: Group of classes -> base classes whose subclasses may be named there.
BASES = {
    "quantizers": {"Quantizer"},
    "transforms": {"Transform"},
    "metrics": {"QueryMetric", "RowMetric"},
    "datasets": {"Dataset"},
    "parallel": {"Parallel"},
    "backends": {"Backend"},
}
#: Keys of conf/config.yaml -> group of the classes that they hold.
CLASSES = {
    "quantizer": "quantizers",
    "metric": "metrics",
    "dataset": "datasets",
    "datasets": "datasets",
    "parallel": "parallel",
    "backend": "backends",
}
#: Types as a user knows them.
_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text, in quotes if it looks like something else",
}


@cache
def allowed_targets(group: str, plugins: tuple[Path, ...] = ()) -> dict[str, Path]:
    """Map the class names that a ``_target_`` of this group may have to the files that define them.

    Args:
        group: a key of ``BASES``.
        plugins: folders whose Python files count beside the package's own.
    """
    home = _home(group)
    files = {path: f"{home}.{path.stem}" for path in sorted(PACKAGE.parent.joinpath(*home.split(".")).glob("*.py"))}
    files |= {path: path.stem for folder in plugins for path in sorted(folder.glob("*.py"))}
    return {
        f"{module}.{node.name}": path
        for path, module in files.items()
        for node in parse_python(path).body
        if isinstance(node, ast.ClassDef) and BASES[group] & set(map(ast.unparse, node.bases))
    }


def _home(group: str) -> str:
    return f"vqbench.{_HOMES.get(group, group)}"


def values(tree: object, place: str = "") -> Iterator[tuple[str, object]]:
    """Yield every value of nested mappings and lists, and where it stands, as in ``metric.rbo.p`` or ``k[0]``."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from values(value, f"{place}.{key}" if place else str(key))
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from values(value, f"{place}[{number}]")
    else:
        yield place, tree


def targets(tree: object) -> Iterator[tuple[str, object]]:
    """Yield every ``_target_`` of nested mappings and lists, and where it stands."""
    return ((place, value) for place, value in values(tree) if "_target_" in re.split(r"[.\[]", place))


def check_targets(config: Mapping[str, Any], plugins: tuple[Path, ...] = ()) -> None:
    """Raise VqbenchError for a ``_target_`` that no group allows, wherever in the config it stands."""
    for place, target in targets(config):
        if not any(target in allowed_targets(group, plugins) for group in BASES):
            group = "transforms" if ".transforms." in place else CLASSES.get(place.partition(".")[0])
            raise _not_allowed(place, target, group, plugins)


def _not_allowed(place: str, target: object, group: str | None, plugins: tuple[Path, ...]) -> VqbenchError:
    """The error for a name that a group does not allow; ``group`` is None where there is no place for one."""
    if group is None:
        return VqbenchError(f"{place} = {shortened(target)}: not a class of vqbench: leave it out")
    hint = hint_for_plugin(shortened(target), sorted(BASES[group]), plugins)
    hint = hint or did_you_mean(shortened(target), allowed_targets(group, plugins))
    return VqbenchError(f"{place} = {shortened(target)}: not a class of {_home(group)}; {hint}")


def build(node: object, group: str, place: str, plugins: tuple[Path, ...] = ()) -> Any:
    """Check a node and make the object that it describes.

    Args:
        node: ``_target_`` and the fields of its class.
        group: a key of ``BASES``.
        place: the node's path in the config, for messages.
        plugins: folders whose classes may be named, too.

    Raises:
        VqbenchError: the class is not allowed, a field is unknown or of another type, or the class refuses a value.
    """
    allowed = allowed_targets(group, plugins)
    if not isinstance(node, Mapping) or not isinstance(node.get("_target_"), str):
        raise VqbenchError(f"{place}: needs a _target_, one of {', '.join(allowed)}")
    target = node["_target_"]
    if target not in allowed:
        raise _not_allowed(f"{place}._target_", target, group, plugins)
    module, _, name = target.rpartition(".")
    path = allowed[target]
    cls = getattr(importlib.import_module(module) if path.is_relative_to(PACKAGE) else import_plugin(path), name)
    arguments = checked({str(key): value for key, value in node.items() if key != "_target_"}, cls, f"{place}.")
    try:
        return cls(**arguments)
    except TypeError as error:  # a field without a value, or a class that lacks what its kind must have
        raise VqbenchError(f"{place}: {error}") from None
    except Exception as error:  # a plugin's own check: it may raise anything
        if isinstance(error, VqbenchError) or not (line := place_of(error)):
            raise
        raise VqbenchError(f"{place}: {line}{type(error).__name__}: {error}") from error


def checked(node: Mapping[str, Any], cls: type, place: str) -> dict[str, Any]:
    """Check keys and types against the fields of a dataclass; returns the values, whole numbers as floats if need be.

    Args:
        node: field -> value.
        cls: the dataclass.
        place: stands before a key in messages.
    """
    hints, names = get_type_hints(cls), [field.name for field in fields(cls)]
    for key in node:
        if key not in names:
            raise VqbenchError(f"{place}{key}: {cls.__name__} has no such key; {did_you_mean(key, names)}")
    return {key: _value(value, hints[key], f"{place}{key}") for key, value in node.items()}


def _value(value: Any, hint: Any, place: str) -> Any:
    """``value`` if it is of the type, with whole numbers taken for floats; else an error."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if type(value) in arguments:
            return value
        return _one_of(value, arguments, place)
    if origin is list and isinstance(value, list):
        return [_value(each, arguments[0], f"{place}[{number}]") for number, each in enumerate(value)]
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is hint or (origin is Literal and (type(value), value) in [(type(x), x) for x in arguments]):
        return value
    if origin is list:
        wanted = f"a list, as in '{place}=[{shortened(value)}]'"
    elif origin is Literal:
        wanted = f"one of {', '.join(map(repr, arguments))}"
    else:
        wanted = _WORDS.get(hint, f"of type {getattr(hint, '__name__', hint)}")
    raise VqbenchError(f"{place} = {shortened(repr(value))}: must be {wanted}")


def _one_of(value: Any, types_: tuple[Any, ...], place: str) -> Any:
    """``value`` if it is of one of the types; else the error of the type that is nearest to it."""
    options = [option for option in types_ if option is not type(None)]
    options.sort(
        key=lambda option: (get_origin(option) is list) != isinstance(value, list)
    )  # stable: the nearest first
    errors = list[VqbenchError]()
    for option in options:
        try:
            return _value(value, option, place)
        except VqbenchError as error:
            errors.append(error)
    also = ", or a list of these" if not isinstance(value, list) and any(get_origin(x) is list for x in options) else ""
    raise VqbenchError(f"{errors[0]}{also}{', or null' if len(options) < len(types_) else ''}")


def whole_numbers(value: Any, place: str) -> list[int]:
    """Return a whole number or a list of them as a list. Raises VqbenchError where it is something else."""
    numbers = value if isinstance(value, list) else [value]
    if not numbers or any(type(x) is not int for x in numbers):
        raise VqbenchError(f"{place} = {shortened(repr(value))}: must be a whole number or a list of them")
    return numbers
