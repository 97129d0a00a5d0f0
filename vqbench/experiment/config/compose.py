"""What Hydra composed, as plain containers; what Hydra complains of, in our words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from vqbench.errors import VqbenchError
from vqbench.experiment.config.guard import STARTED, guarded
from vqbench.experiment.config.targets import conf_folder
from vqbench.extras import runnable
from vqbench.text import did_you_mean, expanded

_GROUPS = ("quantizer", "metric", "dataset", "experiment", "parallel", "backend")

#: Options that Hydra takes.
_FLAGS = (
    "help",
    "hydra-help",
    "version",
    "cfg",
    "resolve",
    "package",
    "run",
    "multirun",
    "shell-completion",
    "config-path",
    "config-name",
    "config-dir",
    "experimental-rerun",
    "info",
)

#: What its options of one letter begin with.
_LETTERS = "chimprs"

#: Keys whose values name files.
_PATHS = ("path", "ids", "queries", "query_ids", "qrels", "groups", "out", "cache")

#: Keys of a dataset that one forgets to say so of.
_OF_DATASET = ("path", "ids", "query_ids", "qrels", "groups", "id_column", "rows")

#: Launchers of Hydra that are plugins, and the extras that install them.
_LAUNCHERS = {"joblib": "joblib", "submitit": "slurm"}

_PAIRS = ("[]", "{}", "()")

#: What Hydra says of several values, of + and of @, and what we say; ``_ONE`` for keys that take one value.
_SAID = {
    r"Ambiguous value for argument '([^=']+)=(.*?)' 1\.": r"\1=\2: several values need -m, which runs each of them, or "
    r"the brackets of a list, as in '\1=[\2]'",
    r"Sweep parameters '([^=']+)=(.*?)' requires": r"\1=\2: several values need -m, which runs each of them; a list is "
    "written out in brackets",
    r"An item is already at '([^']+)'": r"+\1: there is a \1 already: leave out the +",
    r"Override (\S+) looks like a config group override, but config group '([^']+)'": r"\1: \2 is no group of configs: "
    "see vqbench list for those that are",
    r"In '([^']+)': Overriding hydra.searchpath": r"\1: hydra.searchpath: a config file must not set anything of "
    "Hydra: do so on the command line",
    r"(?:Multiple values for )?([^ .]+)(?:\. To| appears more than once)": r"defaults: \1 is chosen already: another "
    r"is chosen with 'override /\1: NAME'",
    r"Duplicate _self_ defined in (\S+)": r"\1: defaults: _self_ stands there twice: once is enough",
}
_ONE = r"\1=\2: takes one; add -m to run each of them, and out=DIR to have them in one folder"


def composed(overrides: Sequence[str]) -> tuple[DictConfig, list[str]]:
    """The config of a run that these overrides would start, and the overrides as a plan takes them."""
    given = [opened(override) for override in overrides]
    given += searched(given)
    try:
        with guarded(), initialize_config_dir(str(conf_folder().resolve()), version_base="1.3"):
            return compose("config", given), given
    except (HydraException, OmegaConfBaseException) as error:
        raise VqbenchError(explained(error, conf_folder(), own="", plugins=plugin_folders(given))) from None


def check_habits(given: Sequence[str]) -> None:
    """Raise VqbenchError for ``--key value``, which other tools take, and for a value without a key.

    Hydra would print its usage, and no remedy.
    """
    for at, word in enumerate(given):
        if word.startswith("="):
            raise VqbenchError(f"{word}: a setting needs a key before its =, as in k=10")
        name, equals, value = word.lstrip("-").partition("=")
        if not word.startswith("-") or name in _FLAGS or (not word.startswith("--") and name[:1] in _LETTERS):
            continue
        if not equals and at + 1 < len(given) and not given[at + 1].startswith("-") and "=" not in given[at + 1]:
            value = given[at + 1]
        key = name.replace("-", "_")
        known = key if key.partition(".")[0] in _keys(conf_folder()) else did_you_mean(key, _keys(conf_folder()))
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
    folders = plugin_folders(overrides)
    for folder in folders:
        if not expanded(folder).is_dir():
            raise VqbenchError(f"plugins: {folder}: no such folder; name folders with Python files of quantizers")
        keys = {override.lstrip("+").partition("=")[0] for override in overrides}
        for taken in sorted(key for key in keys - set(_GROUPS) if key and (expanded(folder) / key).is_dir()):
            raise VqbenchError(
                f"plugins: {folder} holds a folder named {taken}, which Hydra would take for configs: "
                f"move it, or keep plugins in a folder of their own"
            )
    found = ",".join(f"file://{expanded(folder).resolve()}" for folder in folders)
    return [f"hydra.searchpath=[{found}]"] if found else []


def plugin_folders(overrides: Sequence[str]) -> list[str]:
    """The folders that ``plugins=`` names, as they were written."""
    given = next((x.partition("=")[2] for x in overrides if x.lstrip("+").startswith("plugins=")), "")
    return [folder for each in given.strip("[]").split(",") if (folder := each.strip(" '\""))]


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


def explained(error: Exception, conf: Path, own: str | None = None, plugins: Sequence[str] = ()) -> str:
    """One line for a config that could not be composed: what stands there, the rule, the nearest valid name.

    own: the folder of further configs that ``--config-dir`` named; empty where that is not taken. plugins: the folders
    of ``plugins=``.
    """
    text = " ".join(str(error).split())
    if isinstance(error, OverrideParseException):
        return _unreadable(error.override)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        return _missing(group, name, conf, own, plugins)
    unknown = re.search(r"Could not override '([^']+)'", text) or re.search(r"Key '([^']+)' is not in", text)
    if unknown:
        key = unknown.group(1)
        above, _, last = key.partition("@")[0].rpartition("/")
        if above and last in _GROUPS:
            return (
                f"{key}: nothing is chosen there that could be overridden: write 'override /{last}: NAME', with the /"
            )
        if "@" in key:
            return f"{key}: nothing is chosen there that could be overridden: leave out the @ and what follows it"
        if key in _OF_DATASET:
            return f"{key}: unknown key; it belongs to the dataset: dataset.{key}=..."
        return f"{key}: unknown key; {did_you_mean(re.split('[.@]', key)[0], _keys(conf))}"
    for words, said in _SAID.items():
        if found := re.search(words, text):
            one = found.group(1).partition("=")[0] in ("dataset", "parallel", "experiment")
            return found.expand(_ONE if one and "several" in said else said)
    if found := re.fullmatch(r"In '([^']+)': \w+ raised while composing config: (.*?) full_key: ?(\S*?) \S+=.*", text):
        kinds = "keys with values stand where a run has a list, or a list where it has keys"
        what = kinds if "ListConfig" in found[2] else f"{found[3]}: {found[2]}"
        return f"{found[1]}: {what}: vqbench --cfg job prints what each key holds in a run"
    return text.partition(" See https://")[0] or (
        f"{type(error).__name__}: the config cannot be read: look for a ${{ without its end, or of two lines"
    )


def _missing(group: str, name: str, conf: Path, own: str | None, plugins: Sequence[str]) -> str:
    """A config that is not there, such as quantizer=NAME."""
    if group == "hydra/launcher" and name.partition("_")[0] in _LAUNCHERS:
        extra = _LAUNCHERS[name.partition("_")[0]]
        return runnable(f"{group}={name}: its plugin is not installed: pip install 'vqbench[{extra}]'")
    if group in ("hydra/launcher", "hydra/sweeper"):
        valid = STARTED[group.removeprefix("hydra/")]
        return f"{group}={name}: no such {group}; {did_you_mean(name, valid)}"
    if group == "dataset" and "." in name or group.startswith("dataset/"):
        path = f"{group}/{name}".removeprefix("dataset/")
        return f"dataset={path}: no such dataset; for vectors in a file: dataset=file dataset.path={path}"
    above, _, last = group.rpartition("/")
    if above and last in _GROUPS:
        return (
            f"{group}/{name}: no such config; the defaults of a file in {above}/ say 'override /{last}: {name}', "
            "with the / that stands for the top"
        )
    if not name:
        return f"{group}=: needs a name; {did_you_mean('', names(conf, group))}"
    valid = [found for folder in (conf, *([own] if own else []), *plugins) for found in names(Path(folder), group)]
    hint = did_you_mean(name, valid)
    if group in _GROUPS and (more := _elsewhere(group, name, own, plugins)):
        hint += f"{' ' if hint.endswith('?') else '; '}{more}"
    return f"{group or 'config'}={name}: no such {group or 'config'}; {hint}"


def _elsewhere(group: str, name: str, own: str | None, plugins: Sequence[str]) -> str:
    """Where a config of one's own would be found."""
    for folder in plugins:
        if (misplaced := Path(folder) / f"{name}.yaml").is_file():
            return f"{misplaced} belongs into {Path(folder) / group}/: move it there"
    if plugins:
        return f"of plugins, configs are looked for in {', '.join(f'{Path(folder) / group}/' for folder in plugins)}"
    if own:
        return ""
    told = [f"--config-dir DIR finds DIR/{group}/{name}.yaml, one of your own"] if own is None else []
    return "; ".join([*told, f"plugins=[FOLDER] finds FOLDER/{group}/{name}.yaml and the Python file that it names"])


def _unreadable(override: str) -> str:
    """What is wrong with a setting that Hydra's grammar does not know."""
    override = override.lstrip("+")
    key, equals, value = override.partition("=")
    if not equals:
        return f"{override}: settings are written key=value, as in k=10; a command comes first, as in vqbench list"
    if not re.fullmatch(r"~?[\w./@$:-]+", key):
        return f"{override}: {key!r} is no key: keys are made of letters, digits, _ and dots, as in dataset.path=X"
    where = f"in quotes for the shell, as in '{key}=[a,b]'"
    for begin, end in _PAIRS:
        if value.count(begin) != value.count(end):
            counts = f"{value.count(begin)} {begin} and {value.count(end)} {end}"
            return f"{override}: has {counts}: each needs its other half; lists are written [a,b], {where}"
    if value.count("'") % 2 or value.count('"') % 2:
        return f"{override}: a quote without its other half: close it, or leave it out"
    return (
        f"{override}: cannot be read as key=value: text with other signs than letters, digits and . _ - / : stands in "
        f"""quotes of its own, as in '{key}="a (b)"'"""
    )


def _keys(conf: Path) -> list[str]:
    top = OmegaConf.load(conf / "config.yaml")
    assert isinstance(top, DictConfig)
    groups = [path.name for path in conf.iterdir() if path.is_dir()]
    return [str(key) for key in top if key not in ("defaults", "hydra")] + groups
