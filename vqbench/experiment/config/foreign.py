"""Config files of somebody else: checked as plain YAML before Hydra reads them.

Such a file says what is measured, never what runs, where results go or which machine is contacted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vqbench.errors import VqbenchError
from vqbench.experiment.config.folders import GROUPS, conf_folder, config_files
from vqbench.experiment.config.references import NOTHING, at
from vqbench.experiment.config.yaml_bounds import load_yaml, yaml_text
from vqbench.text import did_you_mean, shortened

#: What only the command line may set: key -> its default, and what it says.
PRIVATE = {
    "out": (None, "where results are written"),
    "cache": ("auto", "where float results are kept"),
    "plugins": ([], "whose code runs"),
    "parallel.address": (None, "which machine gets the vectors and may run code here"),
}
#: Groups of which a run has one; of a list Hydra would merge the parts, the last on top.
SINGLE = ("dataset", "experiment", "parallel")
#: Keys whose values are named configs.
_CHOSEN = ("quantizer", "metric", "backend", "dataset", "parallel")
_MOST_CHOSEN = 3_000  # by one file; experiment=presets names 50
_PACKAGE = "# @package _global_"
_ENTRY = re.compile(rf"override /({'|'.join(GROUPS)})|/dataset@datasets\.[\w-]+", re.A)
_REMEDY = (
    "write '- override /GROUP: NAME', as in '- override /quantizer: [binary_mean]', or '- /dataset@datasets.KEY: NAME'"
)


def check_files(chosen: Iterable[tuple[str, str]], folders: Sequence[Path]) -> None:
    """Check each config that a run would read from ``folders``.

    Args:
        chosen: groups and names that the command line chooses.
        folders: where configs beside vqbench's own lie.

    Raises:
        VqbenchError: there is no such config, or it sets what a file must not set.
    """
    files = {group: config_files(group, folders) for group in GROUPS}
    queue, experiments = [(*choice, "") for choice in chosen], set[str]()
    for group, name, source in queue:  # it grows
        if name not in files[group]:
            raise VqbenchError(source + _no_such(group, name, list(files[group]), folders))
        if group == "experiment" and name in experiments:
            raise VqbenchError(f"{files[group][name]}: defaults: {name} is included twice; name it once")
        experiments |= {name} if group == "experiment" else set()
        if not files[group][name].is_relative_to(conf_folder()):
            queue += [(*choice, f"{files[group][name]}: ") for choice in _checked(files[group][name], group)]


def check_private(config: Mapping[str, Any], settings: Iterable[str]) -> None:
    """Raise VqbenchError where ``PRIVATE`` keys have values that the command line did not give.

    settings: the keys of the command line.
    """
    given = set(settings)
    for key, (default, what) in PRIVATE.items():
        value = at(config, key)
        if value not in (NOTHING, default) and key not in given:
            raise VqbenchError(
                f"{key} = {shortened(value)}: says {what}, so no config file may set it; set it on the command line"
            )


def _checked(path: Path, group: str) -> list[tuple[str, str]]:
    """Check one file; returns the groups and names in its defaults list."""
    tree = load_yaml(path)
    lines = [line.strip() for line in yaml_text(path).splitlines() if line.strip()]
    directives = [" ".join(line.split()) for line in lines if re.match(r"#\s*@", line)]
    if group == "experiment" and not (directives == lines[:1] == [_PACKAGE]):
        raise VqbenchError(f"{path}: an experiment must begin with the line '{_PACKAGE}', and have no other '# @' line")
    if group != "experiment" and (directives or "defaults" in tree):
        raise VqbenchError(f"{path}: a {group} has no '# @' line and no defaults; remove them")
    if "hydra" in tree:
        inside = tree["hydra"]
        key = f"hydra.{next(iter(inside))}" if isinstance(inside, Mapping) and inside else "hydra"
        raise VqbenchError(f"{path}: {key}: a config file must not set anything of Hydra; do so on the command line")
    for key in _CHOSEN if group == "experiment" else ():
        if not isinstance(tree.get(key, {}), Mapping | None):
            raise VqbenchError(
                f"{path}: {key} = {shortened(tree[key])}: must hold keys with values; choose by name "
                f"in defaults, as in '- override /{key}: NAME'"
            )
    return _defaults(tree.get("defaults", []), path)


def _defaults(entries: Any, path: Path) -> list[tuple[str, str]]:
    """The groups and names of a defaults list, which may hold nothing else."""
    if not isinstance(entries, list):
        raise VqbenchError(f"{path}: defaults = {shortened(entries)}: must be a list; {_REMEDY}")
    chosen: list[tuple[str, str]] = []
    for number, entry in enumerate(entries):
        place = f"{path}: defaults[{number}] = {shortened(entry)}"
        if re.fullmatch(r"[\w.-]+", str(entry)):
            chosen += [] if entry == "_self_" else [("experiment", str(entry))]
            continue
        key, value = next(iter(entry.items())) if isinstance(entry, Mapping) and len(entry) == 1 else ("", "")
        names = value if isinstance(value, list) else [] if value is None else [value]
        match = _ENTRY.fullmatch(str(key))
        if match is None or not all(isinstance(name, str) for name in names):
            raise VqbenchError(f"{place}: does not choose a config; {_REMEDY}")
        group = match[1] or "dataset"
        if group in SINGLE and isinstance(value, list):
            raise VqbenchError(f"{place}: takes one name, not a list")
        chosen += [(group, name) for name in names]
    if len(chosen) > _MOST_CHOSEN:
        raise VqbenchError(f"{path}: defaults: name {len(chosen):,} configs; at most {_MOST_CHOSEN:,}")
    return chosen


def _no_such(group: str, name: str, valid: Sequence[str], folders: Sequence[Path]) -> str:
    """What to do about a name that its group does not have."""
    if group == "dataset" and name and Path(name).exists():
        return f"dataset={shortened(name)}: no such dataset; for the vectors of that name: dataset=./{name}"
    what = f"{group}={shortened(name)}: no such {group}" if name else f"{group}=: needs a name"
    hint = did_you_mean(name, valid)
    if folders:
        where = f"also looked in {', '.join(f'{folder / group}/' for folder in folders)}"
    else:
        where = f"your own: --config-dir DIR finds DIR/{group}/NAME.yaml, plugins=[DIR] its Python file as well"
    return f"{what}; {hint}{' ' if hint.endswith('?') else '; '}{where}"
