"""The user's own Python files, from the folders in ``plugins=``: parsed, imported, and named where they fail."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from vqbench.errors import VqbenchError

_PREFIX = "vqbench_plugin_"


def parse_python(path: Path) -> ast.Module:
    """Parse a Python file without running it. Raises VqbenchError where it is not Python."""
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError, OSError) as error:
        line = f", line {lineno}" if (lineno := getattr(error, "lineno", None)) else ""
        problem = " ".join(str(getattr(error, "msg", error)).split())
        raise VqbenchError(f"plugin {path}{line}: is not Python: {problem}") from None


def import_plugin(path: Path) -> ModuleType:
    """Import a file, which runs it at the first call. Raises VqbenchError where it fails."""
    name = f"{_PREFIX}{hashlib.sha256(str(path).encode()).hexdigest()[:12]}_{path.stem}"  # two may share a name
    if name not in sys.modules:
        spec: Any = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(sys.modules[name])
        except Exception as error:
            del sys.modules[name]
            line = f", line {place[1]}" if (place := _place(error)) else ""
            raise VqbenchError(f"plugin {path}{line}: {type(error).__name__}: {error}") from error
    return sys.modules[name]


def place_of(error: BaseException) -> str:
    """Return where in a plugin an error arose, as ``nibble.py, line 7: ``; empty where no plugin took part.

    The file's name alone: the line goes into tables, which others may read.
    """
    place = _place(error)
    return f"{Path(place[0]).name}, line {place[1]}: " if place else ""


def _place(error: BaseException) -> tuple[str, int] | None:
    """File and line of the deepest call that is a plugin's."""
    frames = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__", "")).startswith(_PREFIX)
    ]
    return frames[-1] if frames else None


def hint_for_plugin(target: str, bases: Sequence[str], folders: Sequence[Path]) -> str:
    """Say why a class that seems to be a plugin's is not taken, and what to do; empty where it does not seem so.

    Args:
        target: as in ``nibble.Nibble``.
        bases: the base classes of its group.
        folders: those of ``plugins=``.
    """
    module, _, name = target.rpartition(".")
    if not module.isidentifier() or not name[:1].isupper():
        return ""
    paths = [path for folder in folders if (path := folder / f"{module}.py").is_file()]
    if not paths:
        missing = f"no {module}.py lies in {', '.join(map(str, folders))}" if folders else f"if {module}.py is yours"
        return f"{missing}: name its folder with plugins=[FOLDER]"
    for path in paths:
        if any(isinstance(node, ast.ClassDef) and node.name == name for node in parse_python(path).body):
            return f"{path} has the class, but not the base class that it needs: write class {name}({bases[0]})"
    return ""
