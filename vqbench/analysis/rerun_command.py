"""How to run one variant again: the command and the YAML, from what meta.json holds of a run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import yaml

from vqbench.results.columns import REFERENCE
from vqbench.results.measured_settings import Setting
from vqbench.text import slug

_BUNDLED = re.compile(r"bundled:([^/]+)/")
#: What conf/config.yaml has; another value belongs into the command.
_USUAL = {
    "queries": None,
    "n_queries": 1000,
    "query_seed": 0,
    "distance": None,
    "normalize": True,
    "calibration": 100_000,
    "seed": 0,
}


def yaml_of(meta: Mapping[str, Any], variant: str) -> str | None:
    """Write the variant's YAML, as a file under conf/quantizer has it; None where meta.json lacks its config."""
    config, _, node = _origin(meta, variant)
    return None if not node else yaml.safe_dump({config: node}, sort_keys=False, allow_unicode=True).rstrip()


def command_of(meta: Mapping[str, Any], setting: Setting, k: int, shipped: Collection[str] | None = None) -> str:
    """Write the command that measures this setting again on the same data, into a folder of its own.

    Args:
        meta: the content of meta.json.
        setting: what to measure.
        k: at this k.
        shipped: the variants that vqbench knows by name (None: all). Another one is looked for in the run's
            ``plugins``, or needs its YAML in ``mine/quantizer/``.
    """
    config, overrides, node = _origin(meta, setting.variant)
    words, run = ["vqbench", *_data(meta, setting.dataset)], _config(meta)
    provided = node == {}  # codes that come with the dataset are measured beside any variant
    if provided:
        config = REFERENCE
    elif shipped is not None and config not in shipped:
        words.append(f"plugins={_written(run.get('plugins') or ['mine'])}")
        overrides = overrides if run.get("plugins") else []  # else its YAML holds them
    words.append(f"quantizer=[{config}]")
    for override in overrides:
        inside = override.partition("=")[0] in (node or {}).get("quantizer", {})
        words.append(f"quantizer.{config}.{'quantizer.' if inside else ''}{override}")
    words += [f"k=[{k}]", f"oversample=[{setting.oversample}]"]
    measured = setting.variant if provided else config
    words.append(f"out=results/{slug(f'{setting.dataset}-{measured}')}")  # the sweep's tables stay as they are
    return shlex.join(words)


def _origin(meta: Mapping[str, Any], variant: str) -> tuple[str, list[str], Mapping[str, Any] | None]:
    """The config that a variant comes from, what the command line changed, and the node; None without a config."""
    origin = meta.get("variants", {}).get(variant, {})
    return origin.get("config", variant), origin.get("overrides", []), origin.get("node")


def _config(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    """The run's config; of a multirun, whose jobs agree on their data, the first one's."""
    config = meta.get("config") or {}
    return config[0] if isinstance(config, list) else config


def _data(meta: Mapping[str, Any], dataset: str) -> Iterator[str]:
    """The settings that name the data and its queries."""
    node = meta["datasets"][dataset].get("node")
    if node is None:
        return
    bundled = _BUNDLED.match(str(node.get("path", "")))
    kind = str(node["_target_"]).rpartition(".")[2].lower()
    yield f"dataset={bundled[1] if bundled else kind}"
    for key, value in node.items():
        of_conf = (
            key == "_target_"
            or (key, value) in (("name", kind), ("identity", "auto"))
            or (bundled and key not in ("rows", "rows_seed"))
        )
        if value is not None and not of_conf:
            yield f"dataset.{key}={_written(value)}"
    config = _config(meta)
    for key, usual in _USUAL.items():
        if config.get(key, usual) != usual:
            yield f"{key}={_written(config[key])}"


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
