"""The tables of the report, as plain rows for the template, from the results of one dataset.

What a folder lacks is an empty list.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from vqbench.results.columns import REFERENCE
from vqbench.results.folder import Results
from vqbench.results.measured_settings import pooled_rows
from vqbench.text import share

#: float search compared with itself: its intervals say nothing.
#: Columns of the table of settings, where measured: metric, heading, entry of the glossary.
COLUMNS = (
    ("overlap", "overlap", "overlap"),
    ("top1", "top1", "top1"),
    ("ndcg_kept", "NDCG kept", "ndcg"),
    ("rbo", "RBO", "rbo"),
    ("worst", ">half lost", "worst"),
)
_KEY = ["variant", "similarity", "oversample", "k"]
_VARIANTS = 6  # whose queries are listed

Rows = list[dict[str, Any]]


def settings_table(results: Results) -> dict[str, Any]:
    """List every setting at every k, smallest first, best first.

    Returns:
        ``columns``, the measured ones of ``COLUMNS``; ``rows``, a setting at one k with its ``bytes`` and with
        ``cells``, its rows of metrics.csv by column (None where it has none); ``ks`` and ``factors``, all there are.
    """
    rows = pooled_rows(results)
    rows = rows[rows["k"].notna()].astype({"k": int, "oversample": int})
    totals = results.ledger[results.ledger["item"] == "bytes_per_vector"]
    sizes = totals.set_index("variant")["bytes"].to_dict()
    columns = [column for column in COLUMNS if (rows["metric"] == column[0]).any()]
    settings = []
    for key, group in rows.groupby(_KEY):
        by_metric = {row["metric"]: row for row in group.to_dict("records")}
        setting = dict(zip(_KEY, key, strict=True))  # pyright: ignore[reportArgumentType]
        cells = [by_metric.get(metric) for metric, *_ in columns]
        settings.append({**setting, "bytes": sizes[setting["variant"]], "cells": cells})

    def order(row: dict[str, Any]) -> tuple:
        value = row["cells"][0]["value"] if row["cells"] and row["cells"][0] else 0.0
        value = 0.0 if math.isnan(value) else value
        return row["k"], round(row["bytes"]), -value, row["variant"], row["oversample"]

    settings.sort(key=order)
    ks, factors = (sorted({row[name] for row in settings}) for name in ("k", "oversample"))
    return {"columns": columns, "rows": settings, "ks": ks, "factors": factors}


def bounds(row: dict[str, Any]) -> str:
    """Write the 95 % interval of a row of metrics.csv; nothing for the reference and where it is not known."""
    if row["variant"] == REFERENCE or math.isnan(row["ci_low"]):
        return ""
    return f"{share(row['ci_low'])}-{share(row['ci_high'])}"


def exact(value: float) -> str:
    """Write a number as metrics.csv has it, to sort by; nothing where it is not known."""
    return "" if math.isnan(value) else f"{value:.10g}"


def comparisons(results: Results, k: int) -> Rows:
    """List the paired comparisons of overlap with the baseline at ``k``; empty where the folder lacks them."""
    table = results.comparisons
    if table.empty:
        return []
    rows = table[(table["metric"] == "overlap") & (table["k"] == k)]
    numbers = ["difference", "ci_low", "ci_high", "p_holm", "detectable", "margin"]  # a baseline has none of some
    rows = rows.assign(**{name: pd.to_numeric(rows[name], errors="coerce") for name in numbers})
    rows = rows.sort_values(["oversample", "difference", "variant"], ascending=[True, False, True], na_position="last")
    return rows.to_dict("records")  # pyright: ignore[reportReturnType]


def lost(table: pd.DataFrame, name: str) -> Rows:
    """List the variants or engines that were skipped or failed: ``name``, status, reason."""
    if table.empty:
        return []
    rows = table.loc[table["status"] != "ok", [name, "status", "reason"]].drop_duplicates()
    return rows.set_axis(["name", "status", "reason"], axis=1).to_dict("records")  # pyright: ignore[reportReturnType]


def worst_queries(results: Results, variants: Sequence[str], about: Mapping[str, Any]) -> dict[str, Rows]:
    """List the queries that lose most with each of these variants, of the first seed; empty where samples are missing.

    Args:
        results: of one dataset.
        variants: their names.
        about: what meta.json says of the dataset; it may have ``captions`` of rows and queries.

    Returns:
        By variant: ``query``, its ``caption``, how many of its neighbours are ``kept``, and the lists of ``floats`` and
        ``codes``.
    """
    samples = results.samples
    if samples.empty or not {"kind", "other"} <= set(samples.columns):
        return {}
    rows = samples[samples["kind"].isin(["worst", "worst_float"])]
    if "seed" in rows:
        rows = rows[rows["seed"] == rows["seed"].min()]
    rows = rows.astype({"kind": str, "variant": str}).sort_values("index")
    captions = about.get("captions") or {}
    rows = rows.assign(caption=[(captions.get("rows") or {}).get(str(name), "") for name in rows["other"]])
    by_variant: dict[str, Rows] = {}
    for variant in [name for name in variants if (rows["variant"] == name).any()][:_VARIANTS]:
        cases = [
            _case(str(query), own, captions)
            for query, own in rows[rows["variant"] == variant].groupby("id", observed=True)
        ]
        by_variant[variant] = sorted(cases, key=lambda case: case["kept"])
    return by_variant


def _case(query: str, rows: pd.DataFrame, captions: Mapping[str, Any]) -> dict[str, Any]:
    floats, codes = (rows[rows["kind"] == kind] for kind in ("worst_float", "worst"))
    floats = floats.assign(shared=floats["other"].isin(codes["other"]))
    codes = codes.assign(shared=codes["other"].isin(floats["other"]))
    lists = {"floats": floats.to_dict("records"), "codes": codes.to_dict("records")}
    caption = (captions.get("queries") or {}).get(query, "")
    return {"query": query, "caption": caption, "kept": int(floats["shared"].sum()), **lists}


def timings(results: Results) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Return headings, and seconds by variant, all with as many decimals; the mean over seeds."""
    table = results.timings
    if table.empty:
        return [], []
    rows = table.drop(columns=["dataset", "seed"], errors="ignore")
    means = rows.groupby("variant", sort=True).mean(numeric_only=True)
    digits = 2 if np.nan_to_num(means.to_numpy()).max(initial=0) >= 10 else 4  # tell 0.4 ms from none
    texts = means.map(lambda value: "-" if math.isnan(value) else f"{value:.{digits}f}")
    return [str(column) for column in means], [(str(name), row.tolist()) for name, row in texts.iterrows()]
