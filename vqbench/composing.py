"""What Hydra composed, as plain containers; what Hydra complains of, in our words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hydra.errors import MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

from vqbench.config import nearest
from vqbench.errors import VqbenchError


def plain(config: DictConfig) -> dict[str, Any]:
    """The config with everything resolved. A missing mandatory value (???) is an error."""
    try:
        found = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        key = getattr(error, "full_key", None) or str(error)
        raise VqbenchError(f"{key}: needs a value, as in {key}=...") from None
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
        return f"{group or 'config'}={name}: no such {group or 'config'}; {nearest(name, names(conf, group))}"
    unknown = re.search(r"Could not override '([^']+)'", text) or re.search(r"Key '([^']+)' is not in", text)
    if unknown:
        key = unknown.group(1)
        return f"{key}: unknown key; {nearest(key.split('.')[0], _keys(conf))}"
    return text


def _keys(conf: Path) -> list[str]:
    top = OmegaConf.load(conf / "config.yaml")
    assert isinstance(top, DictConfig)
    groups = [path.name for path in conf.iterdir() if path.is_dir()]
    return [str(key) for key in top if key not in ("defaults", "hydra")] + groups
