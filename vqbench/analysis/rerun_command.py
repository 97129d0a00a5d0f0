"""How to run one variant again: the command and the YAML, from the config in meta.json."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from vqbench.results.measured_settings import Setting
from vqbench.text import slug

_BUNDLED = re.compile(r"bundled:([^/]+)/")
#: What conf/config.yaml has; another value belongs into the command.
_USUAL = {"queries": None, "n_queries": 1000, "query_seed": 0, "normalize": True, "calibration": 100_000, "seed": 0}


def node_of(meta: Mapping[str, Any], variant: str) -> tuple[str, Mapping[str, Any] | None]:
    """The key and config of a variant; None where meta.json lacks it, as for runs without configs.

    A variant changed on the command line carries the change in its name, as ``binary_mean(threshold=median)``; of
    a multirun's jobs the one is meant whose config has these values.
    """
    key, _, changes = variant.partition("(")
    wanted = [change.partition("=") for change in changes.rstrip(")").split(",") if "=" in change]
    for job in _jobs(meta):
        nodes = job.get("quantizer") or {}
        if variant in nodes:
            return variant, nodes[variant]
        if key in nodes and all(_has(nodes[key], path, value) for path, _, value in wanted):
            return key, nodes[key]
    return key, None


def yaml_of(meta: Mapping[str, Any], variant: str) -> str | None:
    """The variant's YAML, as a file of conf/quantizer has it."""
    key, node = node_of(meta, variant)
    return None if node is None else yaml.safe_dump({key: node}, sort_keys=False, allow_unicode=True).rstrip()


def command_of(meta: Mapping[str, Any], setting: Setting, k: int, shipped: Sequence[str] | None = None) -> str:
    """The command that measures this setting again on the same data, into a folder of its own.

    shipped: the variants that vqbench knows by name (None: all); another is found in the run's
    ``plugins``, or needs its YAML in ``mine/quantizer/``.
    """
    key, node = node_of(meta, setting.variant)
    _, _, changes = setting.variant.partition("(")
    words = ["vqbench", *_data(meta, setting.dataset)]
    if shipped is not None and key not in shipped:
        plugins = next((job["plugins"] for job in _jobs(meta) if job.get("plugins")), None)
        words.append(f"plugins={_written(plugins or ['mine'])}")
        changes = changes if plugins else ""  # else its YAML holds them
    words.append(f"quantizer=[{key}]")
    for change in filter(None, changes.rstrip(")").split(",")):
        inside = node is not None and change.partition("=")[0] in node.get("quantizer", {})
        words.append(f"quantizer.{key}.{'quantizer.' if inside else ''}{change}")
    words += [f"k=[{k}]", f"oversample=[{setting.oversample}]"]
    words.append(f"out=results/{slug(f'{setting.dataset}-{key}')}")  # the sweep's tables stay as they are
    return " ".join(shlex.quote(word) for word in words)


def _jobs(meta: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The config, or those of all jobs of a multirun."""
    config = meta.get("config") or {}
    return config if isinstance(config, list) else [config]


def _has(node: Mapping[str, Any], path: str, value: str) -> bool:
    """Does the config hold this value at a dotted path, of the variant or of its quantizer?"""
    for start in (node, node.get("quantizer", {})):
        at: Any = start
        for part in path.split("."):
            at = at.get(part) if isinstance(at, Mapping) else None
        if (at is None and value == "null") or (at is not None and str(at).casefold() == value.casefold()):
            return True
    return False


def _data(meta: Mapping[str, Any], dataset: str) -> Iterator[str]:
    """The overrides that name the data and its queries."""
    jobs = _jobs(meta)
    found = [
        (job, node)
        for job in jobs
        for name, node in (job.get("datasets") or {dataset: job.get("dataset")}).items()
        if name == dataset and node
    ]
    if not found:
        return
    base, _, changes = dataset.partition("(")
    changed = [change.partition("=") for change in changes.rstrip(")").split(",") if "=" in change]
    job, node = next(
        (
            (job, node)
            for job, node in found
            if {dataset, base} & _titles(node) and all(_has(node, path, value) for path, _, value in changed)
        ),
        found[0],
    )
    bundled = _BUNDLED.match(str(node.get("path", "")))
    kind = str(node["_target_"]).rpartition(".")[2].lower()
    yield f"dataset={bundled[1] if bundled else kind}"
    for key, value in node.items() if not bundled else ():
        if key != "_target_" and value is not None and (key, value) != ("name", kind):
            yield f"dataset.{key}={_written(value)}"
    for key, usual in _USUAL.items():
        if key in job and job[key] != usual:
            yield f"{key}={_written(job[key])}"


def _titles(node: Mapping[str, Any]) -> set[str]:
    """What a dataset may be called: its own name, or that of its file or folder."""
    path = Path(str(node.get("path", "")))
    return {str(node.get("name")), path.stem, path.parent.name}


def _written(value: object) -> str:
    """A value as Hydra reads it; text with signs of Hydra's grammar in quotes."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    text = str(value)
    if isinstance(value, str) and re.search(r"[^\w./:@%+-]", text):
        return "'" + text.replace("'", "\\'") + "'"
    return text
