"""What the checks look at: facts about all rows, from one pass, and a sample drawn by key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from vqbench.datasets.base import Data
from vqbench.evaluation.doctor.base import Gain
from vqbench.evaluation.doctor.trials import PROBES, best, code_scores, cosines, overlaps
from vqbench.numerics.arrays import Bools, Floats, Ints, block_rows, blocks, row_norms
from vqbench.numerics.draws import content_keys, drawn
from vqbench.search.scorers import Cosine
from vqbench.search.topk import Search
from vqbench.storage.vectors import Vectors

_BLOCK = 8192  # rows at a time
_ROWS = 4096  # of the sample
_NUMBERS = 1 << 22  # in the sample at most: 32 MiB in float64
_QUERIES = 256  # that try the sample
_PAIRED = 2048  # rows of the sample that are compared with one another
_SEARCHED = 100_000  # corpus rows whose nearest are looked for at most
_ASKING = 128  # queries whose nearest corpus rows are looked for
DEPTH = 512  # nearest rows of each: one bit lets rows from so far down into the top 10

#: Fewer rows in the sample than that, and nothing can be said of neighbours.
LEAST = 50

Advance = Callable[[str], None]


@dataclass(frozen=True)
class Whole:
    """Counts and extremes of all rows: integers and comparisons, so that no order of rows can show.

    shortest, longest: norms as the rows came. low, high: the least and the largest number that a quantizer gets.
    low_d, high_d: the same for each dimension. beyond: how many numbers lie outside [-1, 1]. distinct: how many
    different rows there are.
    """

    n: int
    d: int
    shortest: float
    longest: float
    low_d: Floats
    high_d: Floats
    beyond: int
    distinct: int

    @property
    def low(self) -> float:
        return float(self.low_d.min())

    @property
    def high(self) -> float:
        return float(self.high_d.max())


@dataclass(frozen=True)
class Subject:
    """One dataset under examination.

    rows_md: the sample ``(m, d)`` float32, as quantizers get it, in the order of the draw; norms_m: how long
    these rows were as they came. queries_qd: ``(q, d)``; own_q: the query's own row in the sample, or -1.
    nearest_ak: cosines of some queries with their nearest rows of the corpus (at most ``_SEARCHED`` drawn
    rows), best first; of ``searched`` rows. apart: whether queries are no corpus rows.
    """

    whole: Whole
    normalized: bool
    rows_md: Floats
    norms_m: Floats
    queries_qd: Floats
    own_q: Ints
    apart: bool
    asking_ad: Floats
    nearest_ak: Floats
    searched: int
    advance: Advance = lambda _: None
    _overlaps: dict[str, Floats] = field(default_factory=dict)

    @property
    def m(self) -> int:
        return len(self.rows_md)

    @cached_property
    def rows64_md(self) -> Floats:
        return self.rows_md.astype(np.float64)

    @cached_property
    def mean_d(self) -> Floats:
        return self.rows64_md.mean(axis=0)

    @cached_property
    def variance_d(self) -> Floats:
        return ((self.rows64_md - self.mean_d) ** 2).mean(axis=0)

    @cached_property
    def varying_d(self) -> Bools:
        """Which dimensions vary at all, ``(d,)`` bool: by comparison, since a mean may be rounded."""
        return self.rows_md.min(axis=0) < self.rows_md.max(axis=0)

    @cached_property
    def squared_length(self) -> float:
        """The mean squared length of a row of the sample."""
        return float((self.rows64_md**2).sum(axis=1).mean())

    @cached_property
    def offset_d(self) -> Floats:
        """|mean| / standard deviation of each dimension that varies."""
        varying_d = self.varying_d
        return np.abs(self.mean_d[varying_d]) / np.sqrt(self.variance_d[varying_d])

    @cached_property
    def pairs_pp(self) -> Floats:
        """Cosines of the first rows of the sample with one another ``(p, p)``; -inf with themselves."""
        some_pd = self.rows_md[:_PAIRED]
        found_pp = cosines(some_pd, some_pd)
        np.fill_diagonal(found_pp, -np.inf)
        return found_pp

    @cached_property
    def true_qm(self) -> Floats:
        """Cosines of the queries with the sample ``(q, m)``; -inf with a query's own row."""
        found_qm = cosines(self.queries_qd, self.rows_md)
        own = np.flatnonzero(self.own_q >= 0)
        found_qm[own, self.own_q[own]] = -np.inf
        return found_qm

    @cached_property
    def best_qm(self) -> Bools:
        """Which rows of the sample are among a query's true 10 ``(q, m)``."""
        return best(self.true_qm)

    def overlap(self, name: str) -> Floats:
        """Overlap@10 of each query ``(q,)`` under the variant of that name, on the sample."""
        if name not in self._overlaps:
            self.advance(f"trying {name}")
            scores_qm = code_scores(PROBES[name], self.rows_md, self.queries_qd)
            self._overlaps[name] = overlaps(self.true_qm, scores_qm, relevant_qm=self.best_qm)
        return self._overlaps[name]

    def gain(self, before: str, after: str) -> Gain:
        """What one variant keeps on the sample, and another instead."""
        return Gain.between(self.overlap(before), self.overlap(after))


def look(data: Data, advance: Advance = lambda _: None) -> Subject:
    """Read all rows once and draw the sample."""
    advance("reading all rows")
    whole = _whole(data.corpus)
    drawn_n = drawn(data.keys_n, max(_SEARCHED, LEAST, _ROWS), 0, "doctor")
    sample_m = drawn_n[: max(LEAST, min(_ROWS, _NUMBERS // data.corpus.d))]
    rows_md = data.corpus.take(sample_m)
    apart = data.exclude_q is None or bool((data.exclude_q < 0).any())
    own_q = np.arange(min(_QUERIES, len(sample_m)))
    queries_qd = rows_md[own_q]
    if apart:
        queries_qd = data.queries_qd[:_QUERIES]
        own_q = _places(sample_m, data.exclude_q, len(queries_qd))
    advance("finding nearest rows")
    asking_ad = data.queries_qd[:_ASKING]
    nearest_ak, searched = _nearest(data, drawn_n, asking_ad)
    return Subject(
        whole,
        data.corpus.normalize,
        rows_md,
        row_norms(data.corpus.take_raw(sample_m)),
        queries_qd,
        own_q,
        apart,
        asking_ad,
        nearest_ak,
        searched,
        advance,
    )


def _whole(corpus: Vectors) -> Whole:
    """The facts, from one pass."""
    low_d, high_d, beyond = np.full(corpus.d, np.inf), np.full(corpus.d, -np.inf), 0
    shortest, longest = np.inf, -np.inf
    keys_n = np.empty(corpus.n, dtype=np.uint64)
    for start, stop in blocks(corpus.n, block_rows(corpus.d, _BLOCK)):
        norms_b = row_norms(corpus.raw(start, stop))
        shortest, longest = min(shortest, float(norms_b.min())), max(longest, float(norms_b.max()))
        x_nd = corpus.block(start, stop)
        low_d, high_d = np.minimum(low_d, x_nd.min(axis=0)), np.maximum(high_d, x_nd.max(axis=0))
        beyond += int(np.count_nonzero(np.abs(x_nd) > 1))
        keys_n[start:stop] = content_keys(x_nd)
    keys_n.sort()
    distinct = 1 + int(np.count_nonzero(keys_n[1:] != keys_n[:-1]))
    return Whole(corpus.n, corpus.d, shortest, longest, low_d, high_d, beyond, distinct)


def _places(sample_m: Ints, exclude_q: Ints | None, q: int) -> Ints:
    """Where the queries' own corpus rows stand in the sample, -1 where they do not."""
    if exclude_q is None:
        return np.full(q, -1)
    place = {row: at for at, row in enumerate(sample_m.tolist())}
    return np.array([place.get(row, -1) for row in exclude_q[:q].tolist()])


@dataclass(frozen=True)
class _Part:
    """Some rows of a corpus, read as they are needed."""

    corpus: Vectors
    rows: Ints

    @property
    def n(self) -> int:
        return len(self.rows)

    @property
    def d(self) -> int:
        return self.corpus.d

    def block(self, start: int, stop: int) -> Floats:
        return self.corpus.take(self.rows[start:stop])

    def take(self, rows: Ints) -> Floats:
        return self.corpus.take(self.rows[rows])


def _nearest(data: Data, drawn_n: Ints, asking_ad: Floats) -> tuple[Floats, int]:
    """Cosines ``(a, k)`` with the nearest corpus rows, exact, and how many rows were searched."""
    part_n = np.sort(drawn_n[:_SEARCHED])
    exclude_a = None
    if data.exclude_q is not None:
        place = np.searchsorted(part_n, data.exclude_q[: len(asking_ad)])
        found = part_n[np.minimum(place, len(part_n) - 1)] == data.exclude_q[: len(asking_ad)]
        exclude_a = np.where(found, place, -1)
    depth = min(DEPTH, len(part_n) - 1)
    if depth < 1:
        return np.zeros((len(asking_ad), 0)), len(part_n)
    hits = Search(asking_ad, _Part(data.corpus, part_n), Cosine(), exclude_a).top(depth)
    return hits.scores_qk, len(part_n)
