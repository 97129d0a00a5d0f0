"""The words of a command line: settings, and vectors named by their file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from vqbench.cli.main import COMMANDS
from vqbench.errors import VqbenchError
from vqbench.experiment.config.folders import GROUPS, config_names
from vqbench.experiment.config.settings import known_keys
from vqbench.experiment.config.vectors import is_path, path_settings
from vqbench.text import did_you_mean, expanded, natural, shortened

_COMPARED = 1000  # files of a folder with which a mistyped name is compared


def settings_of(words: Sequence[str], command: str = "") -> list[str]:
    """Return settings for all words of a command: those that name vectors become ``dataset=file dataset.path=...``.

    Args:
        words: without the command itself and its options.
        command: its name; empty for a run, which has none.

    Raises:
        VqbenchError: a word is neither a setting nor a file, several files are not the parts of one corpus, or a
            setting names vectors too.
    """
    settings = [word for word in words if is_setting(word)]
    vectors = [word for word in words if not is_setting(word)]
    if not vectors:
        return settings
    for word in vectors:
        _check(word, command)
    for setting in settings:
        if setting.lstrip("+").partition("=")[0] in ("dataset", "dataset.path"):
            raise VqbenchError(
                f"{shortened(vectors[0])} and {shortened(setting)}: both name the vectors; leave one of them out"
            )
    if len(vectors) == 1 and "," in vectors[0] and not expanded(vectors[0]).exists():
        return [f"dataset={vectors[0]}", *settings]  # several of a multirun
    parts = path_settings(*vectors)
    if len(vectors) > 1:  # a glob that the shell expanded comes in the order of characters, part-10 before part-2
        parts = path_settings(*sorted(vectors, key=natural))
    return [*parts, *settings]


def is_setting(word: str) -> bool:
    """Say whether a word is ``key=value``, or ``~key``, with which Hydra removes a key."""
    if word.startswith("~") and "=" not in word:
        return "/" not in word and not expanded(word).exists()
    key = word.lstrip("+~").partition("=")[0]
    known = re.split(r"[./@]", key)[0] in (*known_keys(), "hydra")
    return "=" in word and (known or not expanded(word).exists())


def holds_results(word: str) -> bool:
    """Say whether a word names a folder that a run wrote, or that holds such folders."""
    folder = expanded(word)
    inside = ("meta.json", "metrics.csv", "cells")
    return folder.is_dir() and (any((folder / name).exists() for name in inside) or any(folder.glob("*/meta.json")))


def _check(word: str, command: str) -> None:
    """Raise VqbenchError for a word that names no vectors."""
    place = expanded(word)
    if word in COMMANDS:
        raise VqbenchError(f"{word}: a command comes first, as in vqbench {word}; a file of that name is ./{word}")
    if holds_results(word):
        raise VqbenchError(
            f"{shortened(word)}: holds results, not vectors; read them with vqbench recommend {shortened(word)}, "
            "or report, compare, scale"
        )
    if place.exists() or "," in word or re.search(r"[*?\[]", word):
        return
    if is_path(word) or (command and not any(word in config_names(group) for group in GROUPS)):
        raise VqbenchError(f"{shortened(word)}: no such file or folder{_near(place)}")
    for group in GROUPS:
        if word in config_names(group):
            raise VqbenchError(f"{word}: no such command or file; for the {group} write {group}={word}")
    hint = did_you_mean(word, COMMANDS)
    joint = " " if hint.endswith("?") else "; "
    raise VqbenchError(f"{shortened(word)}: no such command or file; {hint}{joint}settings look like key=value")


def _near(place: Path) -> str:
    """The files of the same folder whose names are close to one that is not there."""
    if not place.parent.is_dir():
        return f": there is no folder {shortened(place.parent)} either; check the path"
    names = [path.name for path, _ in zip(place.parent.iterdir(), range(_COMPARED), strict=False)]
    close = difflib.get_close_matches(place.name, names, n=1, cutoff=0.7)
    return f"; did you mean {shortened(place.parent / close[0])}?" if close else ": check the path"
