"""The default folder of a run: where two sets of vectors share a name, each has a folder of its own.

What tells them apart is the digest of the corpus' rows. It stands in meta.json, and from the start of a run beside the
dataset's cells, so that an interrupted run finds its folder too.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vqbench.storage.atomic import write_atomically, write_text
from vqbench.storage.safe_open import open_regular
from vqbench.text import slug

_MARK = "corpus.json"


def own_folder(first: Path, corpora: Mapping[str, str]) -> Path:
    """Return the folder for results of these vectors: ``first``, or ``first-2`` ... where others' lie in it.

    Args:
        first: the folder that the name of the run leads to.
        corpora: the digest of the corpus of each dataset.
    """
    numbered = (first.with_name(f"{first.name}-{number}") for number in itertools.count(2))
    return next(folder for folder in itertools.chain([first], numbered) if _may_hold(folder, corpora, first))


def _may_hold(folder: Path, corpora: Mapping[str, str], first: Path) -> bool:
    """Whether a folder holds no results of other vectors. ``docs-2`` may also be the first folder of ``docs-2``."""
    held = _held(folder)
    of_this_name = folder == first or not held or not held.keys().isdisjoint(corpora)
    return of_this_name and all(held.get(name, digest) == digest for name, digest in corpora.items())


def mark(folder: Path, corpora: Mapping[str, str]) -> None:
    """Write down whose results a folder will hold, beside the cells of each dataset."""
    for name, digest in corpora.items():
        path = folder / "cells" / slug(name) / _MARK
        if not path.exists():
            content = json.dumps({name: digest}) + "\n"
            write_atomically(path, lambda temporary, content=content: write_text(temporary, content))


def _held(folder: Path) -> dict[str, str]:
    """The digests of the corpora whose results a folder holds, as far as it says."""
    held = dict[str, str]()
    for path in sorted(folder.glob(f"cells/*/{_MARK}")):
        held |= _digests(path, lambda content: content)
    about = _digests(
        folder / "meta.json", lambda meta: {n: x.get("sha256_corpus") for n, x in meta["datasets"].items()}
    )
    return held | about


def _digests(path: Path, read: Callable[[Any], Mapping[Any, Any]]) -> dict[str, str]:
    """What ``read`` finds in a file of JSON; nothing where the file is missing, an older run's or a stranger's."""
    try:
        with open_regular(path) as file:
            return {str(name): digest for name, digest in read(json.loads(file.read())).items() if digest}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
