"""Configs: where they lie, and the check of every node before any work.

A node names its class by ``_target_``, which must be exactly one of the classes that the package
defines for that group: they are found by reading the sources, so nothing is imported before the name is
known to be ours, and a new file is enough to add one. Folders that the user names in ``plugins=`` count too.
"""

from __future__ import annotations

import ast
import importlib
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from vqbench.errors import VqbenchError
from vqbench.experiment.config.plugins import imported, parsed, place_of, why_not
from vqbench.text import did_you_mean, shortened

_PACKAGE = Path(__file__).parents[2]
#: Where the classes of a group lie in the package; a group that is missing here lies in a package of its name.
_HOMES = {"backends": "evaluation.backends", "parallel": "search.parallel", "transforms": "quantizers.transforms"}
#: Group of configs -> base classes whose subclasses may be named there.
BASES = {
    "quantizers": {"Quantizer"},
    "transforms": {"Transform"},
    "metrics": {"QueryMetric", "RowMetric"},
    "datasets": {"Dataset"},
    "parallel": {"Parallel"},
    "backends": {"Backend"},
}
_LONGEST_TARGET = 400  # characters
#: Types as a user knows them.
_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text, in quotes if it looks like something else",
}
#: Keys of conf/config.yaml that hold their objects.
_GROUPS = {
    "quantizer": "quantizers",
    "metric": "metrics",
    "dataset": "datasets",
    "datasets": "datasets",
    "parallel": "parallel",
    "backend": "backends",
}


def conf_folder() -> Path:
    """The packaged configs, or the checkout's."""
    packaged = _PACKAGE / "conf"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "conf"


@cache
def allowed_targets(group: str, plugins: tuple[Path, ...] = ()) -> dict[str, Path]:
    """Exact names of the classes that a ``_target_`` in this group may have, and the files that define them.

    The package's own, and those of the Python files in folders that the user named in ``plugins=``.
    """
    home = _HOMES.get(group, group)
    folder = _PACKAGE.joinpath(*home.split("."))
    files = [(f"vqbench.{home}.{path.stem}", path) for path in sorted(folder.glob("*.py"))]
    files += [(path.stem, path) for folder in plugins for path in sorted(folder.glob("*.py"))]
    found = {}
    for module, path in files:
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef):
                bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
                if bases & BASES[group]:
                    found[f"{module}.{node.name}"] = path
    return found


def _class(target: str, path: Path) -> type:
    """Import the class that an allowed target names."""
    module, _, name = target.rpartition(".")
    return getattr(importlib.import_module(module) if path.is_relative_to(_PACKAGE) else imported(path), name)


def values(tree: object, place: str = "") -> Iterator[tuple[str, object]]:
    """Every value of nested mappings and lists, and where it stands, as in ``metric.rbo.p`` or ``k[0]``."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from values(value, f"{place}.{key}" if place else str(key))
    elif isinstance(tree, list):
        for at, value in enumerate(tree):
            yield from values(value, f"{place}[{at}]")
    else:
        yield place, tree


def targets(tree: object, place: str = "") -> Iterator[tuple[str, object]]:
    """Every ``_target_`` of nested mappings and lists, and where it stands."""
    return ((at, value) for at, value in values(tree, place) if "_target_" in re.split(r"[.\[]", at))


def check_targets(config: Mapping[str, Any], plugins: tuple[Path, ...] = ()) -> None:
    """Raise VqbenchError for a ``_target_`` that no group allows, wherever in the config it stands."""
    for place, target in targets(config):
        if not any(target in allowed_targets(group, plugins) for group in BASES):
            group = "transforms" if ".transforms." in place else _GROUPS.get(place.partition(".")[0])
            home = f"vqbench.{_HOMES.get(group, group)}" if group else "vqbench"
            hint = f"; {_hint(target, group, plugins)}" if group else ": leave it out"
            raise VqbenchError(f"{place} = {shortened(target)}: not a class of {home}{hint}")


def _hint(target: object, group: str, plugins: tuple[Path, ...]) -> str:
    """What to do about a name that the group does not allow."""
    reason = why_not(str(target), sorted(BASES[group]), plugins) if len(str(target)) <= _LONGEST_TARGET else ""
    return reason or did_you_mean(shortened(target), allowed_targets(group, plugins))


def build(node: object, group: str, place: str, plugins: tuple[Path, ...] = ()) -> Any:
    """Check a node and make the object it describes. ``place`` is its path in the config."""
    allowed = allowed_targets(group, plugins)
    if not isinstance(node, Mapping) or not isinstance(node.get("_target_"), str):
        raise VqbenchError(f"{place}: needs a _target_, one of {', '.join(allowed)}")
    target = node["_target_"]
    if target not in allowed:
        hint = _hint(target, group, plugins)
        raise VqbenchError(f"{place}._target_ = {target}: not a class of vqbench.{_HOMES.get(group, group)}; {hint}")
    cls = _class(target, allowed[target])
    given = {str(key): value for key, value in node.items() if key != "_target_"}
    fields_given = checked(given, cls, f"{place}.")
    try:
        return cls(**fields_given)
    except TypeError as error:  # a field without a value, or a class that lacks what its kind must have
        raise VqbenchError(f"{place}: {error}") from None
    except Exception as error:  # a plugin's own check: it may raise anything
        if isinstance(error, VqbenchError) or not (at := place_of(error)):
            raise
        raise VqbenchError(f"{place}: {at}{type(error).__name__}: {error}") from error


def checked(given: Mapping[str, Any], cls: type, place: str) -> dict[str, Any]:
    """Keys and types of ``given`` against the fields of a dataclass; ``place`` stands before a key."""
    assert is_dataclass(cls)
    hints = get_type_hints(cls)
    names = [field.name for field in fields(cls)]
    for key in given:
        if key not in names:
            raise VqbenchError(f"{place}{key}: {cls.__name__} has no such key; {did_you_mean(key, names)}")
    return {key: _value(value, hints[key], f"{place}{key}") for key, value in given.items()}


def _value(value: Any, hint: Any, place: str) -> Any:
    """``value`` if it is of the type, with whole numbers taken for floats; else an error."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        if any(value == choice and type(value) is type(choice) for choice in arguments):
            return value
        raise VqbenchError(f"{place} = {shortened(repr(value))}: must be one of {', '.join(map(repr, arguments))}")
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        options = [option for option in arguments if option is not type(None)]
        if len(options) == 1:
            try:
                return _value(value, options[0], place)
            except VqbenchError as error:
                raise VqbenchError(f"{error}, or null") from None
    if origin is list and isinstance(value, list):
        return [_value(each, arguments[0], f"{place}[{at}]") for at, each in enumerate(value)]
    if hint is float and type(value) is int:
        return float(value)
    if isinstance(hint, type) and type(value) is hint:
        return value
    if origin is list:
        raise VqbenchError(f"{place} = {shortened(repr(value))}: must be a list, as in '{place}=[{shortened(value)}]'")
    wanted = _WORDS.get(hint, f"of type {getattr(hint, '__name__', hint)}")
    raise VqbenchError(f"{place} = {shortened(repr(value))}: must be {wanted}")


def whole_numbers(value: Any, place: str) -> list[int]:
    """A whole number or a list of them, as a list."""
    values = value if isinstance(value, list) else [value]
    if not values or any(type(x) is not int for x in values):
        raise VqbenchError(f"{place} = {shortened(repr(value))}: must be a whole number or a list of them")
    return values
