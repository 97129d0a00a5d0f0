"""What the checks look at: facts about all rows, from one pass, and a sample drawn by key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from vqbench.datasets.base import Data
from vqbench.datasets.numbers import Numbers
from vqbench.evaluation.doctor.base import Gain
from vqbench.evaluation.doctor.trials import code_scores, cosines, overlaps, relevant
from vqbench.numerics.arrays import Bools, Floats, Ints, block_rows, blocks, row_norms
from vqbench.numerics.draws import content_keys, drawn
from vqbench.quantizers.variant import Variant
from vqbench.search.scorers import Cosine
from vqbench.search.topk import Search
from vqbench.storage.vectors import Vectors

_BLOCK = 8192  # rows at a time
_ROWS = 4096  # of the sample
_NUMBERS = 1 << 22  # in the sample at most: 32 MiB in float64
_QUERIES = 256  # that try the sample
_PAIRED = 2048  # rows of the sample that are compared with one another
_SEARCHED = 100_000  # corpus rows among which nearest rows are searched, at most
_ASKING = 128  # queries whose nearest corpus rows are searched
DEPTH = 512  # nearest rows of each: with 1 bit per dimension, rows from that far down reach the top 10
OFFSET_STEPS = 127  # of offset_int8 per unit

#: With fewer rows in the sample nothing can be said of neighbours.
LEAST = 50

#: Called with a few words before each step.
Advance = Callable[[str], None]
#: The variant of a name under conf/quantizer.
VariantOf = Callable[[str], Variant]


@dataclass(frozen=True)
class Whole:
    """Counts and extremes of all rows, which no order of rows changes."""

    n: int
    d: int
    shortest: float  #: the least norm of a row as it came
    longest: float
    low_d: Floats  #: the least number of each dimension, as quantizers get it
    high_d: Floats
    beyond: int  #: how many numbers lie outside [-1, 1]
    distinct: int  #: how many different rows there are


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One dataset under examination: facts about all rows, and a draw of rows and queries."""

    whole: Whole
    normalized: bool
    rows_md: Floats  #: the drawn rows, float32, as quantizers get them, in the order of the draw
    median_norm: float  #: of these rows as they came
    queries_qd: Floats
    own_q: Ints  #: the query's own row in the sample, or -1
    queries_apart: bool  #: whether queries are not corpus rows
    nearest_ak: Floats  #: cosines of some queries with their nearest corpus rows, best first
    searched: int  #: corpus rows among which these were searched
    numbers: Numbers | None  #: what the numbers are
    variant_of: VariantOf
    advance: Advance
    _overlaps: dict[str, Floats] = field(default_factory=dict)

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
        """Which dimensions vary at all: by comparison, since a mean may be rounded."""
        return self.rows_md.min(axis=0) < self.rows_md.max(axis=0)

    @cached_property
    def squared_length(self) -> float:
        """The mean squared length of a row of the sample."""
        return float((self.rows64_md**2).sum(axis=1).mean())

    @cached_property
    def pairs_pp(self) -> Floats:
        """Cosines of the first rows of the sample with one another ``(p, p)``; -inf with themselves."""
        some_pd = self.rows_md[:_PAIRED]
        cosines_pp = cosines(some_pd, some_pd)
        np.fill_diagonal(cosines_pp, -np.inf)
        return cosines_pp

    @cached_property
    def true_qm(self) -> Floats:
        """Cosines of the queries with the sample ``(q, m)``; -inf with a query's own row."""
        cosines_qm = cosines(self.queries_qd, self.rows_md)
        own = np.flatnonzero(self.own_q >= 0)
        cosines_qm[own, self.own_q[own]] = -np.inf
        return cosines_qm

    @cached_property
    def relevant_qm(self) -> Bools:
        """Which rows of the sample are in a query's true top 10 ``(q, m)``."""
        return relevant(self.true_qm)

    def overlap_of(self, code_qm: Floats) -> Floats:
        """Overlap@10 of each query ``(q,)`` where codes score the sample like this ``(q, m)``."""
        return overlaps(self.true_qm, code_qm, self.relevant_qm)

    def overlap(self, name: str) -> Floats:
        """Overlap@10 of each query ``(q,)`` under a variant, on the sample."""
        if name not in self._overlaps:
            self.advance(f"trying {name}")
            self._overlaps[name] = self.overlap_of(code_scores(self.variant_of(name), self.rows_md, self.queries_qd))
        return self._overlaps[name]

    def gain(self, before: str, after: str) -> Gain:
        """Compare two variants on the sample."""
        return Gain.between(self.overlap(before), self.overlap(after))


def draw_sample(data: Data, variant_of: VariantOf, advance: Advance = lambda _: None) -> Sample:
    """Read all rows once and draw the sample."""
    advance("reading all rows")
    whole = _whole(data.corpus)
    drawn_n = drawn(data.keys_n, max(_SEARCHED, LEAST, _ROWS), 0, "doctor")
    sample_m, searched_s = drawn_n[: max(LEAST, min(_ROWS, _NUMBERS // data.corpus.d))], np.sort(drawn_n[:_SEARCHED])
    rows_md, own_q = data.corpus.take(sample_m), np.arange(min(_QUERIES, len(sample_m)))
    queries_qd = rows_md[own_q]
    queries_apart = data.exclude_q is None or bool((data.exclude_q < 0).any())
    if queries_apart:
        queries_qd = data.queries_qd[:_QUERIES]
        own_q = _places(sample_m, data.exclude_q, len(queries_qd))
    advance("finding nearest rows")
    return Sample(
        whole=whole,
        normalized=data.corpus.normalize,
        rows_md=rows_md,
        median_norm=float(np.median(row_norms(data.corpus.take_raw(sample_m)))),
        queries_qd=queries_qd,
        own_q=own_q,
        queries_apart=queries_apart,
        nearest_ak=_nearest(data, searched_s),
        searched=len(searched_s),
        numbers=data.numbers,
        variant_of=variant_of,
        advance=advance,
    )


def _whole(corpus: Vectors) -> Whole:
    """The facts, from one pass."""
    low_d, high_d, beyond = np.full(corpus.d, np.inf), np.full(corpus.d, -np.inf), 0
    shortest, longest, keys_n = np.inf, -np.inf, np.empty(corpus.n, dtype=np.uint64)
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


def _places(rows_m: Ints, exclude_q: Ints | None, q: int) -> Ints:
    """Where the first q queries' own corpus rows stand among ``rows_m``; -1 where they do not."""
    if exclude_q is None:
        return np.full(q, -1)
    place = {row: at for at, row in enumerate(rows_m.tolist())}
    return np.array([place.get(row, -1) for row in exclude_q[:q].tolist()])


def _nearest(data: Data, searched_s: Ints) -> Floats:
    """Exact cosines ``(a, k)`` of some queries with their nearest rows among ``searched_s``."""
    asking_ad, depth = data.queries_qd[:_ASKING], min(DEPTH, len(searched_s) - 1)
    if depth < 1:
        return np.zeros((len(asking_ad), 0))
    rows = data.corpus if len(searched_s) == data.corpus.n else data.corpus.only(searched_s)
    own_a = _places(searched_s, data.exclude_q, len(asking_ad))
    return Search(asking_ad, rows, Cosine(), own_a).top(depth).scores_qk
