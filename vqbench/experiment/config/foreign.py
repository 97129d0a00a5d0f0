"""What a config file that somebody else may have written holds: checked before Hydra makes anything of it.

Such a file says what is measured, never what runs, where results go or whom this process talks to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vqbench.errors import VqbenchError
from vqbench.experiment.config.references import NOTHING, at
from vqbench.text import shortened

#: What only the command line may set, and why.
PRIVATE = {
    "out": "where results are written",
    "cache": "where float results are kept",
    "plugins": "whose code runs",
    "parallel.address": "which machine gets the vectors and sends what this one runs",
}
#: Groups of which a run has one; of a list Hydra would merge the parts, the last on top.
SINGLE = ("dataset", "experiment", "parallel")
#: Keys that hold what the configs of their group hold, under a name or not.
_CHOSEN = ("quantizer", "metric", "backend", "dataset", "parallel")
OF_HYDRA = "{}: {}: a config file must not set anything of Hydra: do so on the command line"


def check_config_dir(folder: Path) -> None:
    """Raise VqbenchError where the folder of further configs is none."""
    if not folder.is_dir():
        raise VqbenchError(
            f"--config-dir {folder}: no such folder: name one with configs, as in DIR/quantizer/NAME.yaml"
        )


def check_written(tree: Mapping[str, Any], path: Path, *, experiment: bool, package: str | None) -> None:
    """Raise VqbenchError for what Hydra would misread, or complain of in words of its own.

    experiment: whether the file is one; package: the key under which its header puts it.
    """
    _check_defaults(tree.get("defaults", []), path)
    if experiment and package != "_global_":
        raise VqbenchError(
            f"{path}: an experiment must begin with the line '# @package _global_', before any other: without it "
            "its keys set nothing of a run"
        )
    for key in _CHOSEN if package == "_global_" else ():
        if tree.get(key) is not None and not isinstance(tree[key], Mapping):
            raise VqbenchError(
                f"{path}: {key} = {shortened(tree[key])}: must hold keys with values; what is chosen by its name "
                f"stands in defaults, as in '- override /{key}: NAME'"
            )


def _check_defaults(defaults: Any, path: Path) -> None:
    """A list of names, and of groups with names, none of them made up of other keys."""
    remedy = "as in '- override /quantizer: [binary_mean]'"
    if not isinstance(defaults, list):
        raise VqbenchError(f"{path}: defaults = {shortened(defaults)}: must be a list, {remedy}")
    for at_, entry in enumerate(defaults):
        place = f"{path}: defaults[{at_}] = {shortened(entry)}"
        if "${" in str(entry):
            raise VqbenchError(f"{place}: ${{...}} has no place there: write out the names")
        name, value = (entry, "") if isinstance(entry, str) else _only(entry)
        if not isinstance(name, str) or not all(isinstance(x, str | None) for x in _listed(value)):
            raise VqbenchError(f"{place}: must be a name, or one group with its name, {remedy}")
        if re.fullmatch(rf"(override )?/?({'|'.join(SINGLE)})", name) and isinstance(value, list):
            raise VqbenchError(f"{place}: takes one name, not a list")


def _only(entry: Any) -> tuple[Any, Any]:
    """The key and value of a mapping with one key."""
    return next(iter(entry.items())) if isinstance(entry, Mapping) and len(entry) == 1 else (None, None)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def check_private(tree: Any, path: str) -> None:
    """Raise VqbenchError where a file sets what is for the command line alone."""
    if not isinstance(tree, Mapping):
        return
    if "hydra" in tree:
        inside = tree["hydra"]
        key = f"hydra.{next(iter(inside))}" if isinstance(inside, Mapping) and inside else "hydra"
        raise VqbenchError(OF_HYDRA.format(path, key))
    for key, why in PRIVATE.items():
        value = at(tree, key)
        if value not in (None, NOTHING, []):
            raise VqbenchError(
                f"{path}: {key} = {shortened(value)}: says {why}, which is for the command line alone: "
                f"leave it out, and say {key}=... there"
            )
