"""Python files of the user's own, from the folders in ``plugins=``: read, imported, and named where they fail."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from vqbench.errors import VqbenchError

_PREFIX = "vqbench_plugin_"


def parsed(path: Path) -> ast.Module:
    """A Python file as a tree, without running it. Raises VqbenchError."""
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError, OSError) as error:
        line, words = "", str(error)
        if isinstance(error, SyntaxError):
            line, words = f", line {error.lineno}" if error.lineno else "", error.msg
        raise VqbenchError(f"plugin {path}{line}: is not Python: {' '.join(words.split())}") from None


def imported(path: Path) -> ModuleType:
    """A plugin's file as a module, run at the first call. Raises VqbenchError where it fails."""
    name = f"{_PREFIX}{hashlib.sha256(str(path).encode()).hexdigest()[:12]}_{path.stem}"  # two may share a name
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        loaded = importlib.util.module_from_spec(spec)
        sys.modules[name] = loaded
        try:
            spec.loader.exec_module(loaded)
        except Exception as error:
            del sys.modules[name]
            line = f", line {at[1]}" if (at := _place(error)) else ""
            raise VqbenchError(f"plugin {path}{line}: {type(error).__name__}: {error}") from error
    return sys.modules[name]


def place_of(error: BaseException) -> str:
    """Where in a plugin an error arose, as ``nibble.py, line 7: ``; empty where none had a part in it.

    The file's name alone: the line goes into tables, which others may read.
    """
    at = _place(error)
    return f"{Path(at[0]).name}, line {at[1]}: " if at else ""


def _place(error: BaseException) -> tuple[str, int] | None:
    """File and line of the deepest call that is a plugin's."""
    found = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        if str(frame.f_globals.get("__name__", "")).startswith(_PREFIX):
            found = frame.f_code.co_filename, line
    return found


def why_not(target: str, kinds: Sequence[str], folders: Sequence[Path]) -> str:
    """Why a class that seems to be a plugin's is not taken, and what to do; empty where it does not seem so.

    target: as in ``nibble.Nibble``. kinds: the base classes of its group. folders: those of ``plugins=``.
    """
    module, _, name = target.rpartition(".")
    if not module.isidentifier() or not name[:1].isupper():
        return ""
    paths = [path for folder in folders if (path := folder / f"{module}.py").is_file()]
    if not paths:
        searched = f"no {module}.py lies in {', '.join(map(str, folders))}" if folders else f"if {module}.py is yours"
        return f"{searched}: name its folder with plugins=[FOLDER]"
    for path in paths:
        if any(isinstance(node, ast.ClassDef) and node.name == name for node in parsed(path).body):
            wanted = " or ".join(kinds)
            return f"{path} has the class, but it is no {wanted}: write class {name}({kinds[0]}), the base by its name"
    return ""
