"""What two results folders have in common, and what only the first one has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from vqbench.errors import VqbenchError
from vqbench.results.folder import Results
from vqbench.text import shortened

#: Keys of a dataset in meta.json that may explain why it differs from another of its name.
_ABOUT = {
    "n": "rows",
    "d": "dimensions",
    "queries": "number of queries",
    "queries_are": "queries",
    "groups": "groups",
    "judged": "judgements",
}
_SETTINGS = ("queries", "n_queries", "query_seed")


def shared_datasets(before: Results, after: Results) -> list[str]:
    """The datasets of both folders. Raises VqbenchError where there is none, or one of them is not the same data."""
    ours, theirs = before.meta["datasets"], after.meta["datasets"]
    shared = [name for name in ours if name in theirs]
    for name in shared:
        for key, what in (("sha256", "data, ids, queries or their groups"), ("normalized", "normalize")):
            if ours[name][key] != theirs[name][key]:
                known = _differences(before, after, name) if key == "sha256" else ""
                raise VqbenchError(
                    f"{name}: {before.folder} and {after.folder} differ in {known or what}: "
                    "only the same queries on the same corpus can be compared; run both on the same input"
                )
    if not shared:
        raise VqbenchError(
            f"{before.folder} has {', '.join(ours)}, {after.folder} has {', '.join(theirs)}: no dataset in common"
        )
    return shared


def _differences(before: Results, after: Results, dataset: str) -> str:
    """What meta.json knows to differ between two datasets of this name; empty where their content alone does."""
    about = [x.meta["datasets"][dataset] for x in (before, after)]
    pairs = [(words, *(x.get(key) for x in about)) for key, words in _ABOUT.items()]
    configs = [x.meta["config"] for x in (before, after)]
    if all(isinstance(config, dict) for config in configs):  # a list where several runs wrote the folder
        pairs += [(key, *(config.get(key) for config in configs)) for key in _SETTINGS]
    return ", ".join(f"{what} ({_value(one)} and {_value(other)})" for what, one, other in pairs if one != other)


def _value(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "yes", False: "no"}[value]
    return f"{value:,}" if isinstance(value, int) else shortened(value)


def aligned(before: Results, after: Results) -> tuple[Results, list[str]]:
    """Give variants of ``after`` the names that ``before`` has for them, where only the command line's changes differ.

    ``scalar8(bits=1)`` takes the name ``scalar8`` or ``scalar8(bits=8)`` if either side has one variant of that config.

    Returns:
        ``after``, and what was renamed, in words.
    """
    ours, theirs = (_by_config(x) for x in (before, after))
    new = {
        theirs[config][0]: names[0]
        for config, names in ours.items()
        if len(names) == len(theirs.get(config, [])) == 1 and names != theirs[config]
    }
    frames = {}
    for key in ("metrics", "ledger", "per_query", "comparisons") if new else ():
        frame: pd.DataFrame = getattr(after, key)
        if "variant" in frame:
            frames[key] = frame.assign(variant=frame["variant"].astype(str).replace(new))
    return replace(after, **frames), [f"{old} is compared with {name}" for old, name in sorted(new.items())]


def _by_config(results: Results) -> dict[str, list[str]]:
    """The variants of each config: several where the command line changed one of them."""
    by_config: dict[str, list[str]] = {}
    for name in sorted(set(results.metrics["variant"])):
        about = results.meta.get("variants", {}).get(name, {})
        by_config.setdefault(about.get("config", name), []).append(name)
    return by_config


def failed(before: Results, after: Results, shared: Sequence[str]) -> list[str]:
    """Variants with a result before that were tried again and gave none."""
    ok = before.metrics[before.metrics["status"] == "ok"]
    no_result = after.metrics[
        after.metrics["status"].isin(["failed", "skipped"]) & after.metrics["dataset"].isin(shared)
    ]
    had_result = set(zip(ok["dataset"], ok["variant"], strict=True))
    return [
        f"{x['dataset']}, {x['variant']}: {x['status']}: {x['reason']}"
        for x in no_result.drop_duplicates(["dataset", "variant"]).to_dict("records")
        if (x["dataset"], x["variant"]) in had_result
    ]


def missing(before: Results, after: Results, metric: str) -> list[str]:
    """What ``before`` measured and ``after`` did not try: datasets, variants, k, oversample factors."""
    own, other = (x.pooled[x.pooled["metric"] == metric] for x in (before, after))
    absent = []
    for name, words, tried in (
        ("dataset", "dataset", after.metrics),
        ("variant", "variant", after.metrics),
        ("k", "k =", other),
        ("oversample", "oversample =", other),
    ):
        only = sorted(set(own[name].dropna()) - set(tried[name].dropna()))
        absent += [f"only in {before.folder}: {words} {', '.join(map(str, only))}"] if only else []
    return absent
