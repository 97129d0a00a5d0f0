"""Settings of a command line that have no effect beside the others: each is an error, since nothing would say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from vqbench.datasets.base import QueryMode
from vqbench.errors import VqbenchError
from vqbench.text import shortened

#: What a dataset says of its own queries.
_OF_QUERIES = ("queries", "queries_key", "query_ids", "query_id_column")


def names_dataset(overrides: Sequence[str]) -> bool:
    """Say whether the command line names a dataset, as in ``dataset=movies``."""
    return any(override.partition("=")[0] == "dataset" for override in overrides)


def check_effects(config: Mapping[str, Any], overrides: Sequence[str], experiment: str | None) -> None:
    """Raise VqbenchError for the first setting of the command line without effect; the message says what to do.

    Args:
        config: plain containers, every reference resolved.
        overrides: the command line's settings, without ``+``.
        experiment: the name of the experiment, if one was chosen.
    """
    settings = {override.partition("=")[0]: shortened(override) for override in overrides}
    _check_own_file(overrides)
    explicit, several, node = names_dataset(overrides), _mapping(config, "datasets"), _mapping(config, "dataset")
    for key, setting in settings.items():
        if several and not explicit and key.startswith("dataset."):
            name = next(iter(several))
            raise VqbenchError(
                f"{setting}: has no effect, since experiment={experiment} has datasets of its own "
                f"({', '.join(several)}): set datasets.{name}.{key.removeprefix('dataset.')}, or name your own "
                "vectors, as in dataset=mine.npy"
            )
        if several and explicit and key.startswith("datasets."):
            raise VqbenchError(
                f"{setting}: has no effect, since the dataset named here takes the place of the experiment's datasets; "
                "leave one of the two out"
            )
    mode = config.get("queries")
    for part in _OF_QUERIES:
        if mode in get_args(QueryMode) and f"dataset.{part}" in settings and node.get(part) is not None:
            raise VqbenchError(
                f"{settings[f'dataset.{part}']}: has no effect with queries={mode}, which takes rows of the corpus as "
                "queries; leave one of the two out"
            )
    if "dataset.rows_seed" in settings and node.get("rows") is None:
        raise VqbenchError(
            f"{settings['dataset.rows_seed']}: has no effect without dataset.rows=N, which draws that many rows"
        )
    if "query_seed" in settings and config.get("n_queries") is None:
        raise VqbenchError(f"{settings['query_seed']}: has no effect, since n_queries=null takes every query")


def check_replaceable(config: Mapping[str, Any], experiment: str | None) -> None:
    """Raise VqbenchError where the sizes of an experiment's datasets are what it measures: one corpus has one size."""
    datasets, dataset = _mapping(config, "datasets"), _mapping(config, "dataset")
    if any(isinstance(node, Mapping) and node.get("rows") is not None for node in datasets.values()):
        own = dataset.get("path")
        raise VqbenchError(
            f"experiment={experiment}: compares several sizes of its datasets ({', '.join(datasets)}), and one dataset "
            f"cannot take their place: for sizes of your own vectors, vqbench scale "
            f"{own if isinstance(own, str) else 'mine.npy'} --n 10_000_000"
        )


def _mapping(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """What stands at a key, if it is what belongs there; else the check of its type comes later."""
    value = config.get(key)
    return value if isinstance(value, Mapping) else {}


def _check_own_file(overrides: Sequence[str]) -> None:
    """A path of one's own would replace a bundled set's vectors and leave its queries and judgements."""
    keys = {override.partition("=")[0]: override.partition("=")[2] for override in overrides}
    if "dataset.path" in keys and "dataset" not in keys:
        path = shortened(keys["dataset.path"])
        raise VqbenchError(f"dataset.path={path}: your own vectors need dataset=file as well, or only dataset={path}")
