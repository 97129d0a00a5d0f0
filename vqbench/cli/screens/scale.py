"""``vqbench scale``: measured sizes, the expected overlap at another, and whether to trust it, as a table."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import partial

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vqbench.analysis.scaling.curves import Nested, nested
from vqbench.analysis.scaling.forecast import REACH, Course, Forecast, courses
from vqbench.cli.screens.fit_width import fitted
from vqbench.errors import VqbenchError
from vqbench.results.folder import Results

_FEW = 3  # measured sizes for which a row has room


def show(results: Results, n: int, k: int | None, screen: Console) -> None:
    """Print a table for each group of nested subsamples. Raises VqbenchError where there is none, or no such k."""
    groups = nested(results)
    if not groups:
        raise VqbenchError(
            f"{results.folder}: holds no two sizes of one corpus: run it again with '-m dataset.rows=1000,3000,10000 "
            "out=DIR', or an experiment whose datasets differ in rows, as experiments/scale.yaml"
        )
    if n < 1:
        raise VqbenchError(f"--n {n}: a corpus has at least 1 row")
    ks = sorted(int(x) for x in results.pooled.query("metric == 'overlap'")["k"].dropna().unique())
    if not ks:
        raise VqbenchError(f"{results.folder}: holds no overlap: run again with the metric overlap")
    chosen = (10 if 10 in ks else ks[-1]) if k is None else k
    if chosen not in ks:
        raise VqbenchError(f"--k {chosen}: not measured in {results.folder}; it has k = {', '.join(map(str, ks))}")
    told = set[str]()
    for group in groups:
        found = courses(results, chosen, group)
        told |= {course.forecast(n).trust for course in found}
        few = partial(_table, group, found, n, chosen)
        table, _ = fitted(lambda left_out, few=few: few(1 if left_out else _FEW), ["sizes"], screen)
        screen.print(table)
    screen.print(_caption(results, told))


def _table(group: Nested, found: Sequence[Course], n: int, k: int, few: int) -> Table:
    """few: so many of the measured sizes are shown, the largest among them."""
    title = f"{group.name}: overlap@{k} at {n:,} rows, from {len(group.sizes)} nested sizes, {group.queries:,} queries"
    table = Table(
        title=escape(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.add_column("variant", overflow="fold", min_width=16)
    table.add_column("rescored", justify="right", no_wrap=True)
    sizes = sorted(set(group.sizes.values()))
    shown = [sizes[at] for at in sorted({0, len(sizes) // 2, len(sizes) - 1})][-few:]
    for size in shown:
        table.add_column(f"{size:,}", justify="right", no_wrap=True)
    for heading in ("expected", "95 %"):
        table.add_column(heading, justify="right", no_wrap=True, style="bold" if heading == "expected" else "")
    table.add_column("trust it?")
    for course in sorted(found, key=lambda x: (x.oversample, -float(x.points.at(k).iloc[-1]["value"]), x.variant)):
        own = course.points.at(k).set_index("n")["value"]
        factor = f"x{course.oversample}" if course.oversample else "-"
        forecast = course.forecast(n)
        measured = [_share(own.get(size, np.nan)) for size in shown]
        table.add_row(escape(course.variant), factor, *measured, *_expected(forecast), forecast.trust)
    return table


def _expected(forecast: Forecast) -> tuple[str, str]:
    if forecast.kind == "fitted":
        return _share(forecast.value), f"{_share(forecast.low)}-{_share(forecast.high)}"
    return "-", f"above {_share(forecast.low)}" if forecast.kind == "bound" else "-"


#: What is said of a forecast, as a pattern, and what it means.
_WORDS = {
    r"yes|x\d|bends|wide": "expected: by the law of n / k; the 95 % interval joins that of the queries and that of the "
    "law.",
    r"x\d": f"x10: so many times the largest corpus measured; held-out sizes confirmed it to about x{REACH:g}.",
    "it bends": "it bends: more than curves usually do.",
    "too wide": "too wide: the interval, to be of use.",
    "a bound": "a bound: hardly a query loses anything, so only a least value is given.",
    "points": "points: too few for a curve: run one more size into the same folder (dataset.rows=N out=DIR), or more "
    "queries.",
    "yes": "yes: if what is added is more of the same; new topics, other lengths or many duplicates make it another "
    "corpus.",
}


def _caption(results: Results, told: Collection[str]) -> str:
    """What the words of the last column mean, for those that occur."""
    text = " ".join(means for word, means in _WORDS.items() if any(re.search(word, trust) for trust in told))
    if len(results.per_query):
        return text
    return f"{text} The folder holds no values per query: the intervals come from those of the means, and are rougher."


def _share(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"
