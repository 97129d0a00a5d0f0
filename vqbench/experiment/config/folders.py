"""Where configs lie: GROUP/NAME.yaml in conf, in the family folders of conf, and in folders that the user names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vqbench.errors import VqbenchError

#: The groups of configs, and what each holds.
GROUPS = {
    "quantizer": "Variants",
    "metric": "Metrics",
    "dataset": "Datasets",
    "experiment": "Experiments",
    "parallel": "Parallel search",
    "backend": "Real engines",
}
PACKAGE = Path(__file__).parents[2]


def conf_folder() -> Path:
    """Return the packaged configs, or those of the checkout."""
    packaged = PACKAGE / "conf"
    return (packaged if packaged.is_dir() else PACKAGE.parent / "conf").resolve()


def family_folders() -> list[Path]:
    """Return the folders of conf that group variants, as in conf/binary/quantizer/NAME.yaml."""
    return sorted(path.parent for path in conf_folder().glob("*/quantizer"))


def config_files(group: str, folders: Sequence[Path] = ()) -> dict[str, Path]:
    """Map the names of a group to their files: those of vqbench, then those in ``folders``."""
    files: dict[str, Path] = {}
    for folder in (conf_folder(), *family_folders(), *folders):
        for path in sorted((folder / group).glob("*.yaml")):
            files.setdefault(path.stem, path)
    return files


def config_names(group: str) -> list[str]:
    """Return the names of a group of vqbench's own configs, sorted."""
    return sorted(config_files(group))


def first_comment(path: Path) -> str:
    """Return the first comment line of a config that is no directive of Hydra (``# @package``); empty if none."""
    lines = (line.lstrip("#").strip() for line in path.read_text("utf-8").splitlines() if line.startswith("#"))
    return next((line for line in lines if not line.startswith("@")), "")


def check_folder(folder: Path, setting: str) -> None:
    """Raise VqbenchError where a folder that the user names is none, or has configs under names that are taken.

    Args:
        folder: holds GROUP/NAME.yaml.
        setting: what named the folder, for the message: ``--config-dir`` or ``plugins``.
    """
    if not folder.is_dir():
        raise VqbenchError(f"{setting}: {folder}: no such folder; name one with configs, as in DIR/quantizer/NAME.yaml")
    if (folder / "hydra").exists() or (folder / "hydra.yaml").exists():
        raise VqbenchError(f"{folder / 'hydra'}: a config file must not set anything of Hydra; remove or rename it")
    for group in GROUPS:
        for path in sorted((folder / group).glob("*.yaml")):
            if path.stem in config_names(group):
                raise VqbenchError(f"{path}: vqbench has a {group} of that name; rename the file")
