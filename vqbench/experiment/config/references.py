"""References in a config, ``${key}``: only to other keys, and bounded, since files of others hold them too."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from vqbench.errors import VqbenchError
from vqbench.experiment.config.targets import values
from vqbench.text import shortened

#: Characters that all references together may stand for.
MOST_REFERRED = 1 << 20
NOTHING: Any = object()
_REFERENCE = re.compile(r"\$\{([A-Za-z_][\w-]*(?:\.[\w-]+)*)\}", re.A)


def check_references(tree: Mapping[str, Any], written_out: Collection[str]) -> None:
    """Raise VqbenchError unless each reference names a key whose value holds no further reference.

    Resolvers such as ``oc.env`` are rejected, since what they yield would end up in results. Chains of references
    are rejected, since each link can double the size.

    Args:
        tree: the composed config.
        written_out: keys whose values must be no reference at all.
    """
    total = 0
    for place, value in values(tree):
        if not isinstance(value, str) or "${" not in value:
            continue
        if "${" in _REFERENCE.sub("", value):
            raise VqbenchError(
                f"{place} = {shortened(value)}: may refer to another key only, as in ${{seed}}; "
                "let your shell insert environment variables"
            )
        if place.partition("[")[0] in written_out:
            raise VqbenchError(f"{place} = {shortened(value)}: must be written out, without ${{...}}")
        for key in _REFERENCE.findall(value):
            target = at(tree, key)
            if target is NOTHING:
                raise VqbenchError(f"{place} = ${{{key}}}: there is no key {key}; name it from the top: ${{dataset.n}}")
            if "${" in (text := str(target)):
                raise VqbenchError(f"{place} = ${{{key}}}: its target is a reference itself; name the last key")
            total += len(text)
            if total > MOST_REFERRED:
                raise VqbenchError(
                    f"{place} = {shortened(value)}: its references expand to too much text; write out less"
                )


def at(tree: Any, key: str) -> Any:
    """Return what stands at a dotted key; ``NOTHING`` where there is no such key."""
    for part in key.split("."):
        if isinstance(tree, list) and part.isdigit() and int(part) < len(tree):
            tree = tree[int(part)]
        elif isinstance(tree, Mapping) and part in tree:
            tree = tree[part]
        else:
            return NOTHING
    return tree
