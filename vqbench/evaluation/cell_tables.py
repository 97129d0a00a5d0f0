"""The tables of one variant: its metrics with their intervals, every query's values, its bytes."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd

from vqbench.datasets.base import Data
from vqbench.errors import NotApplicableError
from vqbench.evaluation.bench import Bench
from vqbench.evaluation.settings import Settings
from vqbench.metrics.base import Metric, PerQuery, QueryMetric, View
from vqbench.numerics.arrays import Floats
from vqbench.numerics.stats import intervals as stats
from vqbench.numerics.stats.groups import Groups
from vqbench.quantizers.base import Codec
from vqbench.quantizers.parts.ledger import Item
from vqbench.results.columns import FLOAT, KEPT, STORE


class MetricTables:
    """Collects the values of a variant, metric by metric; all intervals are computed together at the end."""

    def __init__(self, data: Data):
        self._data = data
        self._groups = None if data.groups_q is None else Groups.of(data.groups_q)
        self._rows: list[dict[str, Any]] = []
        self._means: list[tuple[dict[str, Any], stats.Sample]] = []
        self._ratios: list[tuple[dict[str, Any], stats.RatioSample]] = []
        self._labels: list[tuple[str, int, int]] = []
        self._known: list[np.ndarray] = []
        self._values: list[np.ndarray] = []

    def add(self, metric: QueryMetric, view: View, scores: PerQuery, float_q: Floats | None) -> None:
        """Add the values of one metric at one k and oversample factor.

        Args:
            float_q: what float search has under the same metric, to which the ratio is reported; None: no ratio.
        """
        known_q = np.isfinite(scores.values_q)
        groups = None if self._groups is None else self._groups.only(known_q)
        values_d, low_d, high_d = self._keep(metric.name, view, known_q, scores)
        row = self._row(metric.name, stats.mean(values_d), len(values_d), view)
        row |= {"low": stats.mean(low_d), "high": stats.mean(high_d)}
        self._means.append((row, stats.Sample(values_d, metric.lowest, metric.highest, groups)))
        if float_q is not None:
            base_d, *_ = self._keep(metric.name + FLOAT, view, known_q, PerQuery(float_q))
            ratio = stats.RatioSample(values_d, base_d, metric.highest - metric.lowest, groups)
            self._ratios.append((self._row(metric.name + KEPT, np.nan, len(values_d), view), ratio))

    def add_mean(self, metric: Metric, value: float) -> None:
        """Add a mean over all rows of the corpus, which has no interval."""
        self._row(metric.name, value, self._data.corpus.n)

    def _row(self, name: str, value: float, n: int, view: View | None = None) -> dict[str, Any]:
        row = {"metric": name, "k": view and view.k, "oversample": view.oversample if view else 0, "value": value}
        self._rows.append(row | dict.fromkeys(("ci_low", "ci_high", "low", "high"), np.nan) | {"n_queries": n})
        return self._rows[-1]

    def _keep(self, name: str, view: View, known_q: np.ndarray, scores: PerQuery) -> np.ndarray:
        """Keep the values of the queries that have one, with their tie bounds: ``(3, known)``."""
        none_q = np.full(len(known_q), np.nan)
        values_3q = np.array([none_q if x_q is None else x_q for x_q in vars(scores).values()])
        self._labels.append((name, view.k, view.oversample))
        self._known.append(np.flatnonzero(known_q))
        self._values.append(values_3q[:, known_q])
        return self._values[-1]

    def metrics(self) -> pd.DataFrame:
        """Return the rows of metrics.csv, without the labels of the cell."""
        asked = [*self._means, *self._ratios]
        for (row, _), found in zip(asked, stats.intervals([sample for _, sample in asked]), strict=True):
            row["value"], row["ci_low"], row["ci_high"] = found
        return pd.DataFrame(self._rows)

    def per_query(self) -> pd.DataFrame:
        """Return every query's values as one table: a frame for each metric would take longer than measuring."""
        labels = pd.DataFrame(self._labels, columns=["metric", "k", "oversample"])
        query_f = np.concatenate([np.zeros(0, np.int64), *self._known])
        frame = labels.take(np.repeat(np.arange(len(labels)), [*map(len, self._known)])).reset_index(drop=True)
        frame.insert(0, "query", pd.Categorical.from_codes(query_f, categories=self._data.query_ids))
        values_3f = np.concatenate([np.zeros((3, 0)), *self._values], axis=1)
        frame = frame.assign(**dict(zip(("value", "low", "high"), values_3f, strict=True)))
        groups_q = self._data.groups_q
        return frame if groups_q is None else frame.assign(group=pd.Categorical(groups_q).take(query_f))


def ledger_table(codec: Codec, bench: Bench, settings: Settings) -> pd.DataFrame:
    """Return the items, and the totals that compare n codes with n vectors as they are stored, and as floats."""
    ledger, n, d, stored = codec.ledger(), bench.data.corpus.n, bench.data.corpus.d, bench.data.stored
    items = list(ledger.items)
    if max(settings.oversample) > 0:
        items.append(Item(f"{stored.kind}{STORE}", "vector", stored.bytes_per_vector))
    each = ledger.bytes_per_vector(n)
    rows = [(item.name, item.scope, item.bytes) for item in items]
    rows += [("bytes_per_vector", "total", each), ("bytes_once", "total", ledger.total("once"))]
    rows += [("ratio_stored", "total", stored.bytes_per_vector / each)]
    rows += [(f"ratio_float{8 * size}", "total", size * d / each) for size in (4, 8)]
    if settings.getsizeof:
        rows += _notebook_sizes(codec, bench.data.corpus.take(np.array([bench.example])))
    return pd.DataFrame(rows, columns=["item", "scope", "bytes"])


def _notebook_sizes(codec: Codec, x_1d: Floats) -> list[tuple[str, str, float]]:
    """Sizes as the teaching notebook took them, by ``sys.getsizeof`` of one vector, to stand beside the true ones.

    The notebook holds floats in a list, which counts a header and pointers but not the floats, and codes in an array,
    one number to a byte even where it is a bit, with a header of 112 bytes.
    """
    codes_1b = codec.encode(x_1d)
    try:
        sizes = {
            "one array, a byte for each number": sys.getsizeof(codec.integers(codes_1b)[0].copy()),
            "one array of the packed code": sys.getsizeof(codes_1b[0].copy()),
        }
    except NotApplicableError:
        numbers: list[float] = x_1d[0].tolist()
        sizes = {
            "one list of floats, without the floats": sys.getsizeof(numbers),
            "one list of floats, with the floats": sys.getsizeof(numbers) + sum(map(sys.getsizeof, numbers)),
        }
    return [(f"sys.getsizeof: {name}", "getsizeof", size) for name, size in sizes.items()]
