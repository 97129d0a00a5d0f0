"""Compose configs with Hydra, and have its launchers start jobs. Only this file and ``settings`` know Hydra.

Whatever Hydra reads is checked before: the settings, the folders and the files that they lead to.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from vqbench.errors import VqbenchError
from vqbench.experiment.config.folders import conf_folder, config_files, family_folders
from vqbench.experiment.config.foreign import PRIVATE, check_files, check_private
from vqbench.experiment.config.references import check_references
from vqbench.experiment.config.settings import (
    check_setting,
    chosen,
    expand,
    known_keys,
    parse_settings,
    quoted,
    user_folders,
)
from vqbench.experiment.config.vectors import written_out
from vqbench.extras import runnable
from vqbench.text import did_you_mean, expanded

#: Hydra's launchers that a command line may choose, and the extras that install them.
LAUNCHERS = {"basic": "", "joblib": "joblib", "submitit_slurm": "slurm", "submitit_local": "slurm"}


@dataclass(frozen=True)
class Job:
    """One composed run."""

    config: DictConfig  # without Hydra's own node
    settings: list[str]  # of the command line
    experiment: str | None  # the name that was chosen

    def plain(self) -> dict[str, Any]:
        """Return the config with every reference resolved. Raises VqbenchError where a value is missing (???)."""
        try:
            config: Any = OmegaConf.to_container(self.config, resolve=True, throw_on_missing=True)
        except MissingMandatoryValue as error:
            key = getattr(error, "full_key", None) or str(error)
            raise VqbenchError(f"{key}: needs a value, as in {key}=...") from None
        except OmegaConfBaseException as error:  # a reference to a list in the midst of text, say
            raise VqbenchError(" ".join(str(error).split())) from None
        return {str(key): value for key, value in config.items()}

    def text(self) -> str:
        """Return the config as YAML."""
        return OmegaConf.to_yaml(self.config)


@dataclass(frozen=True)
class Sweep:
    """The jobs of a command line."""

    jobs: list[Job]
    launcher: str  # of Hydra; basic: none is needed
    words: list[str]  # what Hydra's own command line would take


def compose_jobs(words: Sequence[str], *, many: bool = False, config_dir: str | None = None) -> Sweep:
    """Compose the config of each job that these settings describe.

    Args:
        words: settings, as in ``k=[1,10]`` and ``dataset=mine.npy``.
        many: let values that are separated by commas make a job each, as ``-m`` does.
        config_dir: a folder of further configs.

    Raises:
        VqbenchError: a setting, or a config file that it leads to, is not allowed or has a mistake.
    """
    named = config_files("dataset", [] if config_dir is None else [expanded(config_dir)])
    settings = parse_settings(written_out(words, named, many=many))
    folders = user_folders(settings, config_dir)
    settings = [setting for setting in settings if setting.key_or_group != "hydra.searchpath"]
    jobs = expand(settings, many)
    for job in jobs:
        parsed = parse_settings(job)
        for setting in parsed:
            check_setting(setting)
        check_files(chosen(parsed), folders)
    path = ",".join(quoted(f"file://{folder}") for folder in (*family_folders(), *folders))
    launch = [x.input_line for x in settings if x.is_hydra_override()]
    launcher = next((str(x.value()) for x in settings if x.key_or_group == "hydra/launcher"), "basic")
    if launcher not in LAUNCHERS:
        raise VqbenchError(f"hydra/launcher={launcher}: no such launcher; {did_you_mean(launcher, LAUNCHERS)}")
    own = [f"hydra.searchpath=[{path}]", *launch]
    try:
        with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
            expected = _hydra_node(hydra.compose("config", own, return_hydra_config=True)) if folders else None
            composed = [_compose([x for x in job if x not in launch], own, expected) for job in jobs]
    except MissingConfigException:  # every other name was checked
        extra = LAUNCHERS[launcher]
        advice = runnable(f"hydra/launcher={launcher}: its plugin is not installed: pip install 'vqbench[{extra}]'")
        raise VqbenchError(advice) from None
    except (HydraException, OmegaConfBaseException) as error:
        raise VqbenchError(_explained(error)) from None
    return Sweep(composed, launcher, [*(str(x.input_line) for x in settings), own[0]])


def _compose(job: list[str], own: list[str], expected: dict[str, Any] | None) -> Job:
    """Compose one job, and check the outcome before anything is made of it."""
    config = hydra.compose("config", [*job, *own], return_hydra_config=True)
    if expected is not None and _hydra_node(config) != expected:
        raise VqbenchError("hydra: a config file must not set anything of Hydra; do so on the command line")
    experiment = config.hydra.runtime.choices.get("experiment")
    with open_dict(config):
        del config["hydra"]
    tree: Any = OmegaConf.to_container(config, resolve=False)
    check_private(tree, (setting.key_or_group for setting in parse_settings(job)))
    check_references(tree, (*PRIVATE, "parallel"))
    return Job(config, job, experiment)


def _hydra_node(config: DictConfig) -> dict[str, Any]:
    """What Hydra would obey: all of its node but the notes on this composition."""
    node: Any = OmegaConf.to_container(config.hydra, resolve=False)
    node["job"].pop("override_dirname")
    return {key: value for key, value in node.items() if key not in ("overrides", "runtime")}


def _explained(error: Exception) -> str:
    """Hydra's own sentence, and what to do."""
    text = " ".join(str(error).split()).partition(" See https://")[0].partition(" full_key:")[0]
    key = getattr(error, "full_key", None)
    hint = f"{did_you_mean(key, known_keys())} " if key else ""
    return f"{text.rstrip('.') or type(error).__name__}; {hint}vqbench --cfg job prints a config that is valid"


def launch(sweep: Sweep, folder: Path, task: Callable[[Job, int, Path], None]) -> None:
    """Have Hydra's launcher start each job of a sweep, in other processes or on other machines.

    Args:
        sweep: its jobs are composed once more, by Hydra.
        folder: where the launcher may write.
        task: gets the job, its number and ``folder``; a function of a module, since it is pickled.
    """

    def start(config: DictConfig) -> None:
        node = HydraConfig.get()
        task(Job(config, list(node.overrides.task), node.runtime.choices.get("experiment")), node.job.num, folder)

    before, sys.argv = sys.argv, ["vqbench", "--multirun", *sweep.words, f"hydra.sweep.dir={quoted(str(folder))}"]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # let errors reach us instead of being printed
    try:
        hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="config")(start)()
    except (HydraException, OmegaConfBaseException) as error:
        raise VqbenchError(_explained(error)) from None
    finally:
        sys.argv = before
