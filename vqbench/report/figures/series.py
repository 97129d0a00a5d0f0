"""Which datasets of a folder differ in one number alone, and so belong on one axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_LEAST = 3  # two values are no course


@dataclass(frozen=True)
class Series:
    """Datasets that differ in one setting alone."""

    key: str  # the setting
    apart: str  # what else differs from the other series, or nothing
    values: Mapping[str, float]  # the setting's value, by dataset


def find_series(config: Mapping[str, Any] | Sequence[Any], datasets: Sequence[str]) -> list[Series]:
    """Find the series along the setting that orders the most datasets."""
    nodes = config.get("datasets") if isinstance(config, Mapping) else None
    nodes = {name: node for name, node in (nodes or {}).items() if name in datasets}
    keys = sorted({key for node in nodes.values() for key, value in node.items() if _is_number(value)})
    return max(
        (_along(key, nodes) for key in keys),
        key=lambda several: sum(len(series.values) for series in several),
        default=[],
    )


def _along(key: str, nodes: Mapping[str, Mapping[str, Any]]) -> list[Series]:
    """Datasets that are equal in all but ``key`` (and name), in order of its value."""
    groups: list[tuple[dict[str, Any], dict[str, float]]] = []
    for name, node in nodes.items():
        if not _is_number(node.get(key)):
            continue
        rest = {other: value for other, value in node.items() if other not in (key, "name")}
        members = next((members for known, members in groups if known == rest), None)
        if members is None:
            groups.append((rest, members := {}))
        members[name] = float(node[key])
    kept = [(rest, members) for rest, members in groups if len(set(members.values())) == len(members) >= _LEAST]
    differing = sorted(
        {other for rest, _ in kept for other in rest if any(rest[other] != r.get(other) for r, _ in kept)}
    )
    return [
        Series(
            key,
            ", ".join(f"{other} = {str(rest[other]).lower()}" for other in differing if other in rest),
            dict(sorted(members.items(), key=lambda item: item[1])),
        )
        for rest, members in kept
    ]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
