"""What Hydra may compose, and from where. Checked each time it composes, before it does anything with the result.

Configs may come from somebody else (``--config-dir``, ``hydra.searchpath``, ``plugins=``). Such a file says what is
measured, never what runs, where results go or whom this process talks to: Hydra would start whatever class
``hydra.callbacks``, ``hydra.launcher`` or ``hydra.job_logging`` name before our own code sees the config.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import hydra._internal.hydra as engine
import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, IConfigRepository
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.utils import get_args_parser
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vqbench.errors import VqbenchError
from vqbench.experiment.config.foreign import OF_HYDRA, PRIVATE, SINGLE, check_config_dir, check_private, check_written
from vqbench.experiment.config.references import at, check_references
from vqbench.experiment.config.targets import conf_folder, targets
from vqbench.experiment.config.yaml_bounds import reason, yaml_text
from vqbench.text import shortened

#: Settings of Hydra's own that a command line may have.
_OPEN = ("hydra/launcher", "hydra/sweeper", "hydra.launcher", "hydra.sweeper", "hydra.searchpath", "hydra.verbose")
_OURS = ("hydra.mode", "hydra.sweep.dir")  # cli and Hydra itself append these
_SUBMITIT = "hydra_plugins.hydra_submitit_launcher.submitit_launcher."
#: By their names on the command line, the classes that Hydra may make.
STARTED = {
    "launcher": {
        "basic": "hydra._internal.core_plugins.basic_launcher.BasicLauncher",
        "joblib": "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher",
        "submitit_slurm": f"{_SUBMITIT}SlurmLauncher",
        "submitit_local": f"{_SUBMITIT}LocalLauncher",
    },
    "sweeper": {"basic": "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"},
}
_SILENT = {"version": 1, "root": None, "disable_existing_loggers": False}
#: How conf/config.yaml leaves what else Hydra would obey.
_FIXED = {
    "callbacks": {},
    "job_logging": _SILENT,
    "hydra_logging": _SILENT,
    "run": {"dir": "."},
    "output_subdir": None,
    "job.env_set": {},
    "job.env_copy": [],
    "job.chdir": None,
}
_MOST_LOADS = 3_000  # of one composition; experiment=presets has some hundred
_FOREIGN = "not our own"  # provider of a config
_LOADER = "ConfigLoaderImpl"  # of hydra._internal.hydra: Hydra has no other place for a loader of one's own


@contextmanager
def guarded(check: Callable[[DictConfig], None] | None = None) -> Iterator[None]:
    """Within it, Hydra composes nothing that was not checked, in the processes of its launchers neither.

    check: is shown the config of each job of a multirun; Hydra composes all of them before it starts the first.
    """
    before = getattr(engine, _LOADER)
    setattr(engine, _LOADER, partial(GuardedLoader, check=check))
    try:
        yield
    except RecursionError:
        raise VqbenchError("config: nested too deeply: a config that includes itself?") from None
    finally:
        setattr(engine, _LOADER, before)


def check_flags(given: Sequence[str]) -> None:
    """Raise VqbenchError for options of Hydra that replace our own config, unpickle a file, or are none."""
    found, unknown = _parser().parse_known_args(list(given))
    if unknown:
        raise VqbenchError(f"{unknown[0]}: no such option; settings are written key=value; see vqbench --help")
    if len(told := [flag for flag in ("run", "multirun", "cfg", "info") if getattr(found, flag)]) > 1:
        raise VqbenchError(f"--{', --'.join(told)}: say one of them at a time")
    if (found.resolve or found.package) and not found.cfg:
        raise VqbenchError("--resolve, --package: say what --cfg shows, as in vqbench --cfg job --resolve")
    for flag in ("experimental_rerun", "shell_completion", "hydra_help"):
        if getattr(found, flag):
            raise VqbenchError(f"--{flag.replace('_', '-')}: is not for vqbench: see vqbench --help for what is")
    for flag in ("config_path", "config_name"):
        if getattr(found, flag):
            raise VqbenchError(
                f"--{flag.replace('_', '-')}: vqbench keeps to its own conf/config.yaml; name a folder of further "
                "configs with --config-dir and what to take from it, as in experiment=NAME"
            )
    if found.config_dir is not None:
        check_config_dir(Path(found.config_dir))
    if any(override.lstrip("+").startswith("hydra.mode") for override in found.overrides):
        raise VqbenchError("hydra.mode: say -m for a multirun, and nothing for a single run")


def config_dir(given: Sequence[str]) -> str | None:
    """The folder of further configs that the arguments name."""
    return _parser().parse_known_args(list(given))[0].config_dir


def options_first(given: Sequence[str]) -> list[str]:
    """The arguments with Hydra's options before the settings, which its parser takes in one piece only."""
    settings: list[str] = _parser().parse_known_intermixed_args(list(given))[0].overrides
    options = list(given)
    for setting in settings:
        options.remove(setting)
    return [*options, *settings]


def _parser() -> ArgumentParser:
    """Hydra's, which would print its usage and exit."""
    parser = get_args_parser()

    def error(message: str) -> NoReturn:
        raise VqbenchError(f"{message.removeprefix('argument ')}; see vqbench --help")

    parser.error = error
    return parser


class GuardedLoader(ConfigLoaderImpl):
    """Hydra's composition, with what is read checked before it is merged, and the result before it is used."""

    def __init__(self, config_search_path: ConfigSearchPath, check: Callable[[DictConfig], None] | None = None) -> None:
        super().__init__(config_search_path)
        self._check = check

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        config = super().load_sweep_config(master_config, sweep_overrides)
        if self._check is not None:
            self._check(config)
        return config

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        try:
            config = super().load_configuration(config_name, overrides, run_mode, from_shell, validate_sweep_overrides)
        except (VqbenchError, HydraException, OmegaConfBaseException, RecursionError):
            raise
        except Exception as error:  # what Hydra makes of, say, a defaults list that is a number
            raise VqbenchError(f"config: cannot be composed ({type(error).__name__}: {error})") from None
        _check_hydra(config, overrides)
        tree: Any = OmegaConf.to_container(config, resolve=False)
        check_references({key: value for key, value in tree.items() if key != "hydra"}, (*PRIVATE, "parallel"))
        return config

    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str]
    ) -> tuple[list[Override], CachingConfigRepository]:
        for override in OverridesParser.create().parse_overrides(overrides):
            _check_override(override)  # before the search path is followed: pkg:// imports
        parsed, repository = super()._parse_overrides_and_create_caching_repo(config_name, overrides)
        sources = repository.get_sources()
        sources[:] = [  # by scheme, since Hydra loads the modules of its sources anew: their classes are not the same
            BoundedSource(source.provider, source.path) if source.scheme() == "file" else source for source in sources
        ]
        return parsed, _Counting(repository)

    def _load_single_config(self, default: ResultDefault, repo: IConfigRepository) -> ConfigResult:
        loaded = super()._load_single_config(default, repo)  # under the key (package) where it will be merged
        if loaded.provider == _FOREIGN:
            check_private(OmegaConf.to_container(loaded.config, resolve=False), loaded.path)
        path, package = str(default.config_path), str(default.package)
        if package.partition(".")[0] == "hydra" and not path.startswith("hydra/"):
            raise VqbenchError(OF_HYDRA.format(f"defaults of {default.parent}", f"{path} under {package}"))
        return loaded


class _Counting(CachingConfigRepository):
    """Gives up on lists of defaults that include each other without end, and on names that leave their folder."""

    def __init__(self, delegate: CachingConfigRepository) -> None:
        self.delegate, self.cache, self.loads = delegate, delegate.cache, 0

    def load_config(self, config_path: str) -> ConfigResult | None:
        self.loads += 1
        if self.loads > _MOST_LOADS:
            raise VqbenchError(f"{config_path}: its defaults include more than {_MOST_LOADS:,} configs: name fewer")
        parts = config_path.replace("\\", "/").split("/")
        if ".." in parts or "" in parts[:-1] or "\0" in config_path:
            raise VqbenchError(
                f"{shortened(config_path)}: is a path, not the name of a config: name its folder with --config-dir"
            )
        return super().load_config(config_path)


class BoundedSource(FileConfigSource):
    """A folder of configs. What does not lie in our own folder, or behind a link from it, is read with care."""

    def load_config(self, config_path: str) -> ConfigResult:
        path = Path(self.path, self._normalize_file_name(config_path)).resolve()
        ours = conf_folder().resolve()
        if path.is_relative_to(ours) or path.is_relative_to((ours / "experiment").resolve()):
            return super().load_config(config_path)
        if config_path.startswith("hydra/"):  # it would take the place of one of Hydra's own
            raise VqbenchError(OF_HYDRA.format(path, config_path.rpartition("/")[0].replace("/", ".")))
        yaml_text(path)
        try:
            loaded = super().load_config(config_path)
        except (yaml.YAMLError, ValueError, OverflowError, OSError) as error:  # a key twice, a number of 5,000 digits
            raise VqbenchError(f"{path}: is not a config: {reason(error)}: mend or remove it") from None
        if not isinstance(loaded.config, DictConfig):
            raise VqbenchError(f"{path}: must hold keys with values, not a list")
        tree: Any = OmegaConf.to_container(loaded.config, resolve=False)
        check_written(tree, path, experiment=config_path.startswith("experiment/"), package=loaded.header["package"])
        loaded.provider, loaded.path = _FOREIGN, str(path)
        return loaded


def _check_override(override: Override) -> None:
    key = override.get_key_element().lstrip("+~")
    if key.partition(".")[0].partition("/")[0].partition("@")[0] == "hydra" and not _under(key, (*_OPEN, *_OURS)):
        raise VqbenchError(
            f"{key}: is not for vqbench; of Hydra's own settings it takes hydra/launcher, hydra.launcher.*, "
            "hydra/sweeper, hydra.sweeper.* and hydra.searchpath"
        )
    if key in SINGLE and isinstance(override.value(), list):
        raise VqbenchError(
            f"{override.input_line}: {key} takes one; write {key}=A,B, add -m to run each of them, and out=DIR to have "
            "them in one folder"
        )
    if key == "hydra.searchpath":
        value = override.value()
        for path in value if isinstance(value, list) else [value]:
            if not isinstance(path, str) or "://" in path.removeprefix("file://"):
                raise VqbenchError(f"{key} = {path}: takes folders only, as in hydra.searchpath=[file:///home/me/conf]")


def _under(key: str, allowed: Sequence[str]) -> bool:
    return any(key == one or key.startswith(f"{one}.") for one in allowed)


def _check_hydra(config: DictConfig, overrides: Sequence[str]) -> None:
    """What Hydra is about to make and obey: the launchers and sweepers that are named here, and nothing else."""
    hydra: Any = OmegaConf.to_container(config.hydra, resolve=False)
    for key, value in _FIXED.items():
        if at(hydra, key) != value:
            raise VqbenchError(f"hydra.{key} = {shortened(at(hydra, key))}: is not for vqbench: leave it out")
    if isinstance(at(hydra, "verbose"), Mapping):
        raise VqbenchError("hydra.verbose: is true, false or a list of loggers: leave it out")
    given = {override.lstrip("+").partition("=")[0] for override in overrides}
    for part, classes in STARTED.items():
        choice = at(hydra, "runtime.choices").get(f"hydra/{part}")
        if choice != "basic" and f"hydra/{part}" not in given:
            raise VqbenchError(f"hydra/{part} = {shortened(choice)}: a config file must not choose it: say it yourself")
        if choice not in classes:
            raise VqbenchError(f"hydra/{part} = {shortened(choice)}: vqbench takes {', '.join(classes)}")
        for place, target in targets(hydra.get(part), f"hydra.{part}"):
            if place != f"hydra.{part}._target_" or target != classes[choice]:
                raise VqbenchError(f"{place} = {shortened(target)}: hydra/{part}={choice} is {classes[choice]} alone")
