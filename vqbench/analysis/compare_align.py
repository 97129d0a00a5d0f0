"""What two results folders have in common, and what only the first one has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from vqbench.errors import VqbenchError
from vqbench.results.folder import Results
from vqbench.text import shortened


def shared_datasets(before: Results, after: Results) -> list[str]:
    """The datasets of both folders. Raises VqbenchError where one of them is not the same data."""
    ours, theirs = before.meta["datasets"], after.meta["datasets"]
    shared = [name for name in ours if name in theirs]
    for name in shared:
        for key, what in (("sha256", "data, ids, queries or their groups"), ("normalized", "normalize")):
            if ours[name][key] != theirs[name][key]:
                told = _told_apart(before, after, name) if key == "sha256" else ""
                raise VqbenchError(
                    f"{name}: {before.folder} and {after.folder} differ in {told or what}: "
                    "only the same queries on the same corpus can be compared; run both on the same input"
                )
    if not shared:
        raise VqbenchError(
            f"{before.folder} has {', '.join(ours)}, {after.folder} has {', '.join(theirs)}: no dataset in common"
        )
    return shared


def _told_apart(before: Results, after: Results, dataset: str) -> str:
    """What meta.json knows to differ between two datasets of this name; empty where their content alone does."""
    words = {
        "n": "rows",
        "d": "dimensions",
        "queries": "number of queries",
        "queries_are": "queries",
        "groups": "groups",
        "judged": "judgements",
    }
    pairs = [(words[key], *(x.meta["datasets"][dataset].get(key) for x in (before, after))) for key in words]
    settings = ("queries", "n_queries", "query_seed")
    configs = [x.meta["config"] for x in (before, after)]
    if all(isinstance(config, dict) for config in configs):  # a list where several runs wrote the folder
        pairs += [(key, *(config.get(key) for config in configs)) for key in settings]
    return ", ".join(f"{what} ({_value(one)} and {_value(other)})" for what, one, other in pairs if one != other)


def _value(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "yes", False: "no"}[value]
    return f"{value:,}" if isinstance(value, int) else shortened(value)


def aligned(before: Results, after: Results) -> tuple[Results, list[str]]:
    """``after`` with the names that ``before`` has for variants that differ in what the command line set alone.

    ``scalar8(bits=1)`` takes the name ``scalar8`` or ``scalar8(bits=8)`` if there is one such variant on either side.
    Returns what was renamed, in words.
    """
    names, others = (sorted(set(x.metrics["variant"])) for x in (before, after))
    new: dict[str, str] = {}
    for name in set(names) - set(others):
        base = name.partition("(")[0]
        alike = [[x for x in side if x.partition("(")[0] == base] for side in (names, others)]
        if len(alike[0]) == len(alike[1]) == 1:
            new[alike[1][0]] = name
    if not new:
        return after, []
    frames = {key: _renamed(getattr(after, key), new) for key in ("metrics", "ledger", "per_query", "comparisons")}
    return replace(after, **frames), [f"{old} is compared with {name}" for old, name in sorted(new.items())]


def _renamed(frame: pd.DataFrame, new: dict[str, str]) -> pd.DataFrame:
    if "variant" not in frame:
        return frame
    return frame.assign(variant=frame["variant"].astype(str).replace(new))


def failed(before: Results, after: Results, shared: Sequence[str]) -> list[str]:
    """Variants with a result before that were tried again and gave none."""
    ok = before.metrics[before.metrics["status"] == "ok"]
    gone = after.metrics[after.metrics["status"].isin(["failed", "skipped"]) & after.metrics["dataset"].isin(shared)]
    had = set(zip(ok["dataset"], ok["variant"], strict=True))
    return [
        f"{x['dataset']}, {x['variant']}: {x['status']}: {x['reason']}"
        for x in gone.drop_duplicates(["dataset", "variant"]).to_dict("records")
        if (x["dataset"], x["variant"]) in had
    ]


def missing(before: Results, after: Results, metric: str) -> list[str]:
    """What ``before`` measured and ``after`` did not try: datasets, variants, k, oversample factors."""
    found = []
    tried = {name: set(after.metrics[name].dropna()) for name in ("dataset", "variant")}
    own, other = (x.pooled[x.pooled["metric"] == metric] for x in (before, after))
    for name in ("dataset", "variant"):
        gone = sorted(set(own[name]) - tried[name])
        found += [f"only in {before.folder}: {name} {', '.join(gone)}"] if gone else []
    for name, words in (("k", "k ="), ("oversample", "oversample =")):
        gone = sorted(set(own[name].dropna().astype(int)) - set(other[name].dropna().astype(int)))
        found += [f"only in {before.folder}: {words} {', '.join(map(str, gone))}"] if gone else []
    return found
