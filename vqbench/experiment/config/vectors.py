"""Vectors that a command line names by their file: the settings that stand for them."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from vqbench.errors import VqbenchError
from vqbench.experiment.config.settings import quoted
from vqbench.text import expanded, shortened

#: Names of files that hold queries rather than a corpus.
_QUERIES = re.compile(r"quer|question|test", re.I)


def path_settings(*paths: str) -> list[str]:
    """Return the settings for vectors in a file, a folder or a glob; several paths are the parts of one corpus.

    Raises:
        VqbenchError: several paths have names that differ in more than digits.

    >>> path_settings("mine.npy")
    ['dataset=file', "dataset.path='mine.npy'"]
    """
    if len(paths) == 1:
        return ["dataset=file", f"dataset.path={quoted(paths[0])}"]
    shapes = {(Path(path).parent, re.sub(r"\d+", "#", Path(path).name)) for path in paths}
    if len(shapes) > 1 or len(set(paths)) < len(paths):
        raise VqbenchError(_not_one_corpus(paths))
    return ["dataset=file", f"dataset.path=[{','.join(map(quoted, paths))}]"]


def _not_one_corpus(paths: Sequence[str]) -> str:
    """What to write where several files are not the parts of one corpus."""
    count = "two" if len(paths) == 2 else f"{len(paths):,}"
    named = shortened(", ".join(paths), 200)
    if len(set(paths)) < len(paths):
        return f"{named}: a file is named twice; name each once"
    queries = next((path for path in paths if _QUERIES.search(Path(path).name)), paths[1] if len(paths) == 2 else None)
    setting = shlex.quote(f"dataset.queries={queries or 'FILE'}")
    return (
        f"{count} files ({named}): one is the corpus; for queries write {setting}. The parts "
        "of one corpus lie in one folder, and their names differ in digits alone"
    )


def written_out(words: Sequence[str], configs: Collection[str], *, many: bool = False) -> list[str]:
    """Replace ``dataset=mine.npy`` by the settings for that file; all other words stay as they are.

    Args:
        words: settings, as in ``k=10``.
        configs: the names that ``dataset=`` can have; a file of such a name is written ``./wordnet``.
        many: let ``dataset=a.npy,b.npy`` make a job for each file.

    Raises:
        VqbenchError: several files without ``many``, or files and names of configs together.
    """
    settings = list[str]()
    for word in words:
        key, _, value = word.partition("=")
        value = value[1:-1] if re.fullmatch(r"'.*'|\".*\"", value, re.S) else value
        values = [value] if key != "dataset" or expanded(value).exists() else value.split(",")
        paths = [each for each in values if is_path(each) and each not in configs] if key == "dataset" else []
        if not paths or value.startswith("["):
            settings.append(word)
        elif len(values) == 1:
            settings += path_settings(value)
        elif len(paths) < len(values):
            (name, *_) = (each for each in values if each not in paths)
            raise VqbenchError(
                f"{shortened(word)}: files and names of configs ({name}) cannot share a setting; give each its own run"
            )
        elif not many:
            raise VqbenchError(
                f"{shortened(word)}: several values need -m, which runs each of them; parts of one corpus are written "
                f"'dataset.path=[{','.join(values)}]' with dataset=file"
            )
        else:
            settings += ["dataset=file", f"dataset.path={','.join(map(quoted, values))}"]
    return settings


def is_path(word: str) -> bool:
    """Say whether a word is written as a file, folder or glob is, and not as the name of a config.

    >>> is_path("mine.npy"), is_path("parts/"), is_path("~/vectors"), is_path("wordnet")
    (True, True, True, False)
    """
    return any(sign in word for sign in {".", "/", os.sep, "*", "?"} | ({os.altsep} if os.altsep else set())) or (
        word.startswith("~")
    )
