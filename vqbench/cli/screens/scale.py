"""``vqbench scale``: measured sizes, the expected overlap at another, and whether to trust it, as a table."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import partial

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vqbench.analysis.recommend_text import rescored
from vqbench.analysis.scaling.curves import Nested, nested
from vqbench.analysis.scaling.forecast import REACH, Course, Forecast, courses
from vqbench.cli.screens.fit_width import fitted, titled
from vqbench.errors import VqbenchError
from vqbench.results.columns import headline_k
from vqbench.results.folder import Results
from vqbench.results.measured_settings import StoredToday
from vqbench.text import share

_FEW = 3  # measured sizes for which a row has room
#: Patterns of what is said of a forecast, and what it means.
_WORDS = {
    r"yes|x\d|bends|wide": "expected: by the law of n / k; the 95 % interval covers the queries' luck and the law's "
    "error.",
    r"x\d": f"x10: that many times the largest corpus measured; held-out sizes confirmed it to about x{REACH:g}.",
    "it bends": "it bends: more than curves usually do.",
    "too wide": "too wide: the interval is too wide to be useful.",
    "a bound": "a bound: hardly a query loses anything, so only a lower bound is given.",
    "points": "points: too few for a curve: run one more size into the same folder (dataset.rows=N out=DIR), or more "
    "queries.",
    "yes": "yes: if the added rows are more of the same; new topics, other lengths or many duplicates make it another "
    "corpus.",
}


def show(results: Results, n: int, k: int | None, screen: Console) -> None:
    """Print a table for each group of nested subsamples. Raises VqbenchError where there is none, or no such k."""
    groups = nested(results)
    if not groups:
        raise VqbenchError(
            f"{results.folder}: holds no two sizes of one corpus. Measure several: vqbench -m dataset=NAME "
            "dataset.rows=1000,3000,10000 out=DIR"
        )
    ks = sorted(int(x) for x in results.pooled.query("metric == 'overlap'")["k"].dropna().unique())
    if not ks:
        raise VqbenchError(f"{results.folder}: holds no overlap: run again with the metric overlap")
    k = headline_k(ks) if k is None else k
    if k not in ks:
        raise VqbenchError(f"--k {k}: not measured in {results.folder}; it has k = {', '.join(map(str, ks))}")
    said = set[str]()
    for group in groups:
        rows = [(course, course.forecast(n)) for course in courses(results, k, group)]
        said |= {forecast.trust for _, forecast in rows}
        today = StoredToday.of(results.meta["datasets"][next(iter(group.sizes))])
        few = partial(_table, group, rows, n, k, today)
        table, _ = fitted(lambda left_out, few=few: few(1 if left_out else _FEW), ["sizes"], screen)
        screen.print(table)
    screen.print(_legend(results, said))


def _table(
    group: Nested, rows: Sequence[tuple[Course, Forecast]], n: int, k: int, today: StoredToday, few: int
) -> Table:
    """few: so many of the measured sizes are shown, the largest among them."""
    title = f"{group.name}: overlap@{k} at {n:,} rows, from {len(group.sizes)} nested sizes, {group.queries:,} queries"
    table = titled(escape(title))
    table.add_column("variant", overflow="fold", min_width=16)
    sizes = sorted(set(group.sizes.values()))
    shown = [sizes[at] for at in sorted({0, len(sizes) // 2, len(sizes) - 1})][-few:]
    for heading in ("rescored", *(f"{size:,}" for size in shown), "expected", "95 % CI"):
        table.add_column(heading, justify="right", no_wrap=True, style="bold" if heading == "expected" else "")
    table.add_column("trust it?")
    order = sorted(rows, key=lambda x: (x[0].oversample, -float(x[0].points.at(k).iloc[-1]["value"]), x[0].variant))
    for course, forecast in order:
        own = course.points.at(k).set_index("n")["value"]
        bounds = f"above {share(forecast.low)}" if forecast.kind == "bound" else "-"
        if forecast.kind == "fitted":
            bounds = f"{share(forecast.low)}-{share(forecast.high)}"
        measured = [share(own.get(size, np.nan)) for size in shown]
        table.add_row(
            escape(course.variant),
            rescored(course.oversample, today.store),
            *measured,
            share(forecast.value),
            bounds,
            forecast.trust,
        )
    return table


def _legend(results: Results, said: Collection[str]) -> str:
    """What the words of the last column mean, for those that occur."""
    text = " ".join(means for word, means in _WORDS.items() if any(re.search(word, trust) for trust in said))
    if len(results.per_query):
        return text
    return f"{text} The folder holds no values per query: the intervals come from those of the means, and are rougher."
