"""What Hydra composed, as plain containers; what Hydra complains of, in our words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from vqbench.config import conf_folder, nearest
from vqbench.errors import VqbenchError
from vqbench.extras import runnable
from vqbench.guard import guarded

_GROUPS = ("quantizer", "metric", "dataset", "experiment", "parallel", "backend")

#: Options that Hydra takes.
_FLAGS = ("help", "hydra-help", "version", "cfg", "resolve", "package", "run", "multirun", "shell-completion",
          "config-path", "config-name", "config-dir", "experimental-rerun", "info")  # fmt: skip

#: Keys whose values name files.
_PATHS = ("path", "ids", "queries", "query_ids", "qrels", "groups", "out", "cache")

#: Launchers of Hydra that are plugins, and the extras that install them.
_LAUNCHERS = {"joblib": "joblib", "submitit": "slurm"}


def composed(overrides: Sequence[str]) -> tuple[DictConfig, list[str]]:
    """The config of a run that these overrides would start, and the overrides as a plan takes them."""
    given = [opened(override) for override in overrides]
    given += searched(given)
    try:
        with guarded(), initialize_config_dir(str(conf_folder().resolve()), version_base="1.3"):
            return compose("config", given), given
    except (HydraException, OmegaConfBaseException) as error:
        raise VqbenchError(explained(error, conf_folder())) from None


def check_habits(given: Sequence[str]) -> None:
    """Raise VqbenchError for ``--key value``, which other tools take: Hydra would print its usage, and no remedy."""
    for at, word in enumerate(given):
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name in _FLAGS:
            continue
        if not equals and at + 1 < len(given) and not given[at + 1].startswith("-") and "=" not in given[at + 1]:
            value = given[at + 1]
        key = name.replace("-", "_")
        known = key if key.partition(".")[0] in _keys(conf_folder()) else nearest(key, _keys(conf_folder()))
        hint = f"as in {key}={value or '...'}" if known == key else f"as in dataset=movies; {known}"
        raise VqbenchError(f"{word}: no such option; settings are written key=value, {hint}")


def opened(override: str) -> str:
    """Let a setting inside a group name any field of its class, listed in the YAML or not.

    Hydra refuses keys that the YAML leaves out; ``++`` accepts them, and our own check names the
    fields that there are.
    """
    key, equals, value = override.partition("=")
    if (
        equals
        and key.lstrip("+").rpartition(".")[2] in _PATHS
        and not re.fullmatch(r"[\w./:-]*|'.*'|\".*\"|\[.*|\$\{.*", value, re.A)
    ):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        override = f"{key}='{escaped}'"  # a file may be called what Hydra's grammar does not know
    groups = ("quantizer.", "metric.", "dataset.", "datasets.", "parallel.", "backend.")
    return f"++{override}" if override.startswith(groups) and "=" in override else override


def searched(overrides: Sequence[str]) -> list[str]:
    """Let Hydra find configs in the folders of ``plugins=`` too: FOLDER/quantizer/NAME.yaml."""
    given = next((x.partition("=")[2] for x in overrides if x.lstrip("+").startswith("plugins=")), "")
    folders = [folder.strip(" '\"") for folder in given.strip("[]").split(",")]
    for folder in filter(None, folders):
        if not Path(folder).is_dir():
            raise VqbenchError(f"plugins: {folder}: no such folder; name folders with Python files of quantizers")
        keys = {override.lstrip("+").partition("=")[0] for override in overrides}
        for taken in sorted(key for key in keys - set(_GROUPS) if key and (Path(folder) / key).is_dir()):
            raise VqbenchError(
                f"plugins: {folder} holds a folder named {taken}, which Hydra would take for configs: "
                f"move it, or keep plugins in a folder of their own"
            )
    found = ",".join(f"file://{Path(folder).resolve()}" for folder in folders if folder)
    return [f"hydra.searchpath=[{found}]"] if found else []


def plain(config: DictConfig) -> dict[str, Any]:
    """The config with everything resolved. A missing mandatory value (???) is an error."""
    try:
        found = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        key = getattr(error, "full_key", None) or str(error)
        raise VqbenchError(f"{key}: needs a value, as in {key}=...") from None
    except OmegaConfBaseException as error:  # a reference to a list in the midst of text, say
        raise VqbenchError(" ".join(str(error).split())) from None
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def names(conf: Path, group: str) -> list[str]:
    """The names of a config group."""
    return sorted(path.stem for path in (conf / group).glob("*.yaml"))


def explained(error: Exception, conf: Path) -> str:
    """One line for a config that could not be composed: what, and the nearest valid name."""
    text = " ".join(str(error).split())
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        if group == "hydra/launcher" and name.partition("_")[0] in _LAUNCHERS:
            extra = _LAUNCHERS[name.partition("_")[0]]
            return runnable(f"{group}={name}: its plugin is not installed: pip install 'vqbench[{extra}]'")
        hint = nearest(name, names(conf, group))
        if group == "dataset" and "." in name:
            hint = f"for vectors in a file: dataset=file dataset.path={name}"
        return f"{group or 'config'}={name}: no such {group or 'config'}; {hint}"
    unknown = re.search(r"Could not override '([^']+)'", text) or re.search(r"Key '([^']+)' is not in", text)
    if unknown:
        key = unknown.group(1)
        return f"{key}: unknown key; {nearest(key.split('.')[0], _keys(conf))}"
    return text or f"{type(error).__name__}: the config cannot be read: look for a ${{ without its end, or of two lines"


def _keys(conf: Path) -> list[str]:
    top = OmegaConf.load(conf / "config.yaml")
    assert isinstance(top, DictConfig)
    groups = [path.name for path in conf.iterdir() if path.is_dir()]
    return [str(key) for key in top if key not in ("defaults", "hydra")] + groups
