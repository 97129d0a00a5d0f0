"""The text of a YAML file that somebody else may have written, bounded before anything is made of it."""

from __future__ import annotations

from pathlib import Path

import yaml

from vqbench.errors import VqbenchError

#: A config has a few kB; the largest that is shipped has 4.
MOST_BYTES = 1 << 18
#: Characters and nodes of what the text stands for, once every alias (``*name``) is replaced.
MOST_EXPANDED = 1 << 20
DEEPEST = 40
_TAGS = "tag:yaml.org,2002:"
_PLAIN_TAGS = {_TAGS + name for name in ("map", "seq", "str", "int", "float", "bool", "null", "merge")}


def yaml_text(path: Path) -> str:
    """The text of a file whose YAML is small, flat and plain enough to be loaded.

    Raises VqbenchError where it is not a file, not UTF-8, not YAML, longer than ``MOST_BYTES``, nested deeper than
    ``DEEPEST``, larger than ``MOST_EXPANDED`` with its aliases replaced, or names a type of its own (``!!python/...``).
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
        _bound(text, path)
    except UnicodeDecodeError as error:
        raise VqbenchError(f"{path}: byte {error.start}: is not UTF-8: save the file as UTF-8") from None
    except yaml.YAMLError as error:
        raise VqbenchError(f"{path}: {_where(error)}is not YAML: {reason(error)}: mend it there") from None
    return text


def reason(error: Exception) -> str:
    """What a YAML parser complains of, in one line and without the text around it."""
    return " ".join(str(getattr(error, "problem", None) or error).split())


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return "" if mark is None else f"line {mark.line + 1}: "


def _bound(text: str, path: Path) -> None:
    """Walk the events of the parser, which neither recurses nor replaces aliases, and add up what they stand for."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []  # anchor of a list or mapping, and what lies before it
    size = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        place = f"{path}: line {event.start_mark.line + 1}"
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in _PLAIN_TAGS:
            raise VqbenchError(f"{place}: tag {tag}: a config holds plain values only")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:  # not there yet, or still open: it would hold itself
                raise VqbenchError(f"{place}: *{event.anchor} stands for nothing that is finished before it")
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
            raise VqbenchError(
                f"{place}: stands for more than {MOST_EXPANDED:,} characters once its aliases are replaced: "
                "write out what is needed"
            )
