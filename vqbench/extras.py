"""The command that installs an extra (an optional library) where vqbench runs."""

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
    """Return ``text`` with its ``pip install 'vqbench[EXTRA]'`` as a command that works here.

    It names the Python that runs this, unless that is the ``python`` of the shell. A checkout that was never installed
    is named by its folder. Tables keep the plain words, since they are read on other machines too.
    """
    return _ADVICE.sub(lambda match: _command(match.group(1)), text)


def _command(extra: str) -> str:
    package = f"'vqbench[{extra}]'"
    try:
        metadata.version("vqbench")
    except metadata.PackageNotFoundError:
        package = f"-e {shlex.quote(f'{_short(Path(__file__).parents[1])}[{extra}]')}"
    first = shutil.which("python")
    if find_spec("pip") is None or (first is not None and Path(first) == Path(sys.executable)):
        return f"pip install {package}"
    return f"{shlex.quote(_short(Path(sys.executable)))} -m pip install {package}"


def _short(path: Path) -> str:
    """The path as seen from the current folder, if it lies in it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)
