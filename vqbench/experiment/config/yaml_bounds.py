"""YAML files that somebody else may have written: bounded before anything is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vqbench.errors import VqbenchError

#: A config has a few kB; the largest that is shipped has 7.
MOST_BYTES = 1 << 18
#: Characters and nodes of what the text stands for, once every alias (``*name``) is replaced.
MOST_EXPANDED = 1 << 20
DEEPEST = 40
_TAGS = "tag:yaml.org,2002:"
_PLAIN_TAGS = {None, *(_TAGS + name for name in ("map", "seq", "str", "int", "float", "bool", "null", "merge"))}


def load_yaml(path: Path) -> dict[str, Any]:
    """Load a config as Hydra would, references (``${key}``) left as they are.

    Raises:
        VqbenchError: it exceeds a bound of :func:`yaml_text`, has a key twice, or holds no keys.
    """
    try:
        config: Any = OmegaConf.to_container(OmegaConf.create(yaml_text(path)), resolve=False)
    except (yaml.YAMLError, ValueError, OverflowError, OmegaConfBaseException) as error:  # ... a number of 5,000 digits
        raise VqbenchError(f"{path}: is not a config: {_problem(error)}") from None
    if not isinstance(config, dict):
        raise VqbenchError(f"{path}: must hold keys with values, not a list")
    return config


def yaml_text(path: Path) -> str:
    """Return the text of a file whose YAML is small, flat and plain enough to be loaded.

    Raises:
        VqbenchError: it is not a file, not UTF-8, not YAML, longer than ``MOST_BYTES``, nested deeper than
            ``DEEPEST``, larger than ``MOST_EXPANDED`` with its aliases replaced, or names a type (``!!python/...``).
    """
    try:
        if not path.is_file():
            raise VqbenchError(f"{path}: is not a file: a config is a YAML file")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise VqbenchError(f"{path}: cannot be read ({error.strerror}): check its permissions") from None
    if len(content) > MOST_BYTES:
        raise VqbenchError(f"{path}: has more than {MOST_BYTES:,} bytes: a config has a few thousand")
    try:
        text = content.decode("utf-8")
        _check_bounds(text, path)
    except UnicodeDecodeError as error:
        raise VqbenchError(f"{path}: byte {error.start}: is not UTF-8: save the file as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise VqbenchError(f"{path}: {line}is not YAML: {_problem(error)}") from None
    return text


def _problem(error: Exception) -> str:
    """What a parser complains of, in one line and without the text around it."""
    return " ".join(str(getattr(error, "problem", None) or error).split())


def _check_bounds(text: str, path: Path) -> None:
    """Add up what the parser's events stand for; they neither recurse nor replace aliases."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []  # anchor of a list or mapping, and what lies before it
    size = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        place = f"{path}: line {event.start_mark.line + 1}"
        if getattr(event, "tag", None) not in _PLAIN_TAGS:
            raise VqbenchError(f"{place}: tag {event.tag}: a config holds plain values only")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:  # not there yet, or still open: it would hold itself
                raise VqbenchError(f"{place}: *{event.anchor} has no complete anchor before it")
            size += sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            size += 1 + len(event.value)
            if event.anchor:
                sizes[event.anchor] = 1 + len(event.value)
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, size))
            size += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = size - before
        if len(open_nodes) > DEEPEST:
            raise VqbenchError(f"{place}: nested deeper than {DEEPEST} levels: a config has a few")
        if size > MOST_EXPANDED:
            raise VqbenchError(f"{place}: has more than {MOST_EXPANDED:,} characters with its aliases replaced")
