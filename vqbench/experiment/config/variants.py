"""Build variants from their nodes, and by their names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vqbench.errors import VqbenchError
from vqbench.experiment.config.about import About
from vqbench.experiment.config.folders import config_files
from vqbench.experiment.config.targets import build, checked
from vqbench.experiment.config.yaml_bounds import load_yaml
from vqbench.quantizers.variant import Variant
from vqbench.text import did_you_mean, shortened


def named_variant(name: str, place: str, plugins: tuple[Path, ...] = ()) -> Variant:
    """Build a variant of conf, or of a plugin, by its name.

    Args:
        name: as in ``int8_minmax``.
        place: what named it, for messages.
        plugins: folders that hold quantizer/NAME.yaml and Python files.
    """
    paths = config_files("quantizer", plugins)
    if name not in paths:
        raise VqbenchError(f"{place} = {shortened(name)}: no such variant; {did_you_mean(name, paths)}")
    content = load_yaml(paths[name])
    if name not in content:
        raise VqbenchError(f"{paths[name]}: has no key {name}; a variant's YAML begins with its name")
    return build_variant(content[name], place, plugins)


def build_variant(node: object, place: str, plugins: tuple[Path, ...] = ()) -> Variant:
    """Check and make one variant from its node.

    Args:
        node: what stands under a variant's name in its YAML.
        place: its path in the config, for messages.
        plugins: folders whose classes may be named, too.
    """
    if not isinstance(node, Mapping) or "quantizer" not in node:
        raise VqbenchError(f"{place}: needs a quantizer with a _target_")
    fields = dict(node)
    about_of(fields.pop("about", None), place)
    parts: dict[str, Any] = {"quantizer": build(fields.pop("quantizer"), "quantizers", f"{place}.quantizer", plugins)}
    if fields.get("query") is not None:
        parts["query"] = build(fields.pop("query"), "quantizers", f"{place}.query", plugins)
    steps = fields.pop("transforms", None) or {}
    if not isinstance(steps, Mapping):
        raise VqbenchError(f"{place}.transforms: give each transform a name, as in 'transforms: {{center: ...}}'")
    parts["transforms"] = tuple(
        build(step, "transforms", f"{place}.transforms.{name}", plugins) for name, step in steps.items()
    )
    return Variant(**parts, **checked(fields, Variant, f"{place}."))


def about_of(node: object, place: str) -> About:
    """Check what a variant says about itself; ``None`` stands for nothing."""
    if not isinstance(node, Mapping | None):
        raise VqbenchError(f"{place}.about: must hold keys, as in 'about: {{what: ..., family: ..., bits: 8}}'")
    return About(**checked(node or {}, About, f"{place}.about."))
