"""How an extra is installed where vqbench runs."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

_ADVICE = re.compile(r"pip install 'vqbench\[(\w+)\]'")


def runnable(text: str) -> str:
    """``text`` with its ``pip install 'vqbench[EXTRA]'`` as a command that works here, whichever pip comes first.

    pip belongs to the Python that runs this; and a checkout that was never installed is named by its folder. Tables
    keep the plain words, since they are read elsewhere.
    """
    return _ADVICE.sub(lambda found: _command(found.group(1)), text)


def _command(extra: str) -> str:
    what = f"'vqbench[{extra}]'"
    try:
        metadata.version("vqbench")
    except metadata.PackageNotFoundError:
        what = f"-e {shlex.quote(f'{_short(Path(__file__).parents[1])}[{extra}]')}"
    first = shutil.which("python")
    if find_spec("pip") is None or (first is not None and Path(first) == Path(sys.executable)):
        return f"pip install {what}"
    return f"{shlex.quote(_short(Path(sys.executable)))} -m pip install {what}"


def _short(path: Path) -> str:
    """As seen from the current folder, if it lies in it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)
