"""The settings of a command line (``KEY=VALUE``): read by Hydra's parser, checked, and sweeps written out."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException

from vqbench.errors import VqbenchError
from vqbench.experiment.config.folders import GROUPS, check_folder, conf_folder, config_names
from vqbench.experiment.config.foreign import SINGLE
from vqbench.experiment.config.yaml_bounds import load_yaml
from vqbench.text import did_you_mean, expanded, shortened

#: Keys whose values name files, which may be called what Hydra's grammar does not know.
_PATHS = ("path", "ids", "queries", "query_ids", "qrels", "groups", "out", "cache")
#: Keys of a dataset whose values name columns or arrays, which may be called anything.
_COLUMNS = ("key", "queries_key", "id_column", "query_id_column", "texts", "labels")
#: Keys of a dataset that are easily taken for keys of the run.
_OF_DATASET = ("path", "ids", "query_ids", "qrels", "groups", "id_column", "rows")


def parse_settings(words: Sequence[str]) -> list[Override]:
    """Parse settings. Raises VqbenchError for one that is not ``KEY=VALUE`` in Hydra's grammar."""
    parsed = []
    for word in words:
        key, equals, _ = word.partition("=")
        if not key or not (equals or word.startswith("~")):
            raise VqbenchError(f"{word}: settings are written key=value, as in k=10; a command comes first")
        try:
            parsed.append(OverridesParser.create().parse_override(_opened(word)))
        except HydraException:
            raise VqbenchError(
                f"{word}: cannot be read as key=value; lists are written '{key}=[a,b]', and text with other characters "
                f"""than letters, digits and . _ - / : needs quotes of its own: '{key}="a (b)"'"""
            ) from None
    return parsed


def quoted(text: str) -> str:
    """Quote text for Hydra's grammar."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _opened(word: str) -> str:
    """A setting inside a group with ``++``, so that it may name a field that the YAML leaves out; paths in quotes."""
    key, equals, value = word.partition("=")
    name = key.lstrip("+").rpartition(".")[2]
    plain = r"[\w./:-]*"
    if name in _COLUMNS and key.lstrip("+").startswith("dataset"):
        plain = r"(?![\d.]+$)[\w./:,*-]+"  # a column may be called 2
    elif name not in _PATHS:
        plain = ".*"
    if equals and not re.fullmatch(rf"{plain}|'.*'|\".*\"|\[.*|\$\{{.*", value, re.A | re.S):
        word = f"{key}={quoted(value)}"
    return f"++{word}" if re.match(rf"({'|'.join(GROUPS)}|datasets)\.", word) else word


def user_folders(settings: Sequence[Override], config_dir: str | None) -> list[Path]:
    """Return the folders of configs that the command line names, each checked.

    These are ``--config-dir``, and what ``plugins`` and ``hydra.searchpath`` list.
    """
    named = [("--config-dir", config_dir)] if config_dir is not None else []
    for setting in settings:
        if setting.key_or_group in ("plugins", "hydra.searchpath"):
            named += [(setting.key_or_group, path) for path in _listed(setting)]
    folders = []
    for key, path in named:
        path = str(path).removeprefix("file://")
        if "://" in path:
            raise VqbenchError(f"{key} = {path}: takes folders only, as in {key}=[/home/me/conf]")
        check_folder(expanded(path), key)
        folders.append(expanded(path).resolve())
    keys = {setting.key_or_group for setting in settings} - set(GROUPS)
    for folder in folders:
        for key in sorted(key for key in keys if (folder / key).is_dir()):
            raise VqbenchError(f"{folder / key}: Hydra would take this folder for configs of {key}; move or rename it")
    return folders


def expand(settings: Sequence[Override], many: bool) -> list[list[str]]:
    """Write out the jobs of a multirun, in the order of Hydra's basic sweeper; without ``many``, the one job."""
    values: dict[str, list[str]] = {}
    for setting in settings:
        key, line = setting.get_key_element(), str(setting.input_line)
        if not setting.is_sweep_override():
            values[key] = [line]
            continue
        single = setting.key_or_group in SINGLE
        if not many:
            other = "out=DIR keeps them in one folder" if single else "a list is written in brackets, as in 'k=[1,10]'"
            raise VqbenchError(f"{line}: several values need -m, which runs each of them; {other}")
        if setting.is_interval_sweep():
            raise VqbenchError(f"{line}: an interval cannot be swept; name its values, as in {key}=1,2,3")
        glob = setting.value()
        swept = glob.filter(config_names(key)) if isinstance(glob, Glob) else setting.sweep_string_iterator()
        values[key] = [f"{key}={value}" for value in swept]
    return [list(job) for job in itertools.product(*values.values())]


def check_setting(setting: Override) -> None:
    """Raise VqbenchError for a key that no config has, and for one of Hydra's that vqbench does not take."""
    key, line = setting.key_or_group, shortened(setting.input_line)
    top = re.split(r"[./]", key)[0]
    if top == "hydra":
        if not (key == "hydra/launcher" or key.startswith("hydra.launcher.")) or "_target_" in str(setting.input_line):
            raise VqbenchError(
                f"{key}: is not accepted; of Hydra's own settings vqbench takes hydra/launcher, hydra.launcher.* "
                "and hydra.searchpath"
            )
    elif setting.package is not None:
        raise VqbenchError(f"{line}: leave out the @ and what follows it")
    elif key in _OF_DATASET:
        raise VqbenchError(f"{key}: unknown key; it belongs to the dataset: dataset.{key}=...")
    elif top not in known_keys():
        raise VqbenchError(f"{key}: unknown key; {did_you_mean(top, known_keys())}")
    elif key in SINGLE and isinstance(setting.value(), list):
        raise VqbenchError(f"{line}: {key} takes one value; write {key}=A,B and add -m to run each of them")


def chosen(settings: Sequence[Override]) -> Iterator[tuple[str, str]]:
    """Yield the groups and names that settings choose."""
    for setting in settings:
        if setting.key_or_group in GROUPS and not setting.is_delete():
            yield from ((setting.key_or_group, "" if name is None else str(name)) for name in _listed(setting))


@cache
def known_keys() -> list[str]:
    """Return the keys that conf/config.yaml has, and the groups."""
    return [key for key in load_yaml(conf_folder() / "config.yaml") if key not in ("defaults", "hydra")] + [*GROUPS]


def _listed(setting: Override) -> list[object]:
    value: object = setting.value()
    return value if isinstance(value, list) else [value]
