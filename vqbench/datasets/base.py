"""What a dataset hands over, and what is searched."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from vqbench.datasets.judgements import Judgement, Qrels
from vqbench.datasets.numbers import CodesKind, Numbers, Stored
from vqbench.datasets.provider_codes import ProvidedCodes
from vqbench.datasets.row_checks import Dropped
from vqbench.datasets.stated_neighbours import StatedNeighbours
from vqbench.numerics.arrays import Floats, Ints, Keys, Table, block_rows, blocks
from vqbench.numerics.draws import draw_keys, drawn
from vqbench.storage.vectors import Vectors
from vqbench.text import one_line

_BLOCK = 8192  # rows at a time

#: Begins the paths of files in the package.
BUNDLED = "bundled:"

QueryMode = Literal["self", "holdout"]
OnBadRows = Literal["refuse", "drop"]
#: When a query counts as a corpus row: by id and vector, by id alone, or never.
Identity = Literal["auto", "ids", "never"]


@dataclass(frozen=True)
class Source:
    """What was read, before any check."""

    #: Names the place in messages.
    origin: str
    #: Rows ``(n, d)`` of any real dtype, an array or rows that lie in a file.
    corpus_nd: Table
    #: An id for each row.
    ids: Sequence[str] | None = None
    #: Queries ``(q, d)``.
    queries_qd: Table | None = None
    #: An id for each query.
    query_ids: Sequence[str] | None = None
    #: Query id, document id and gain of each judgement.
    judgements: Sequence[Judgement] | None = None
    #: The group of each query, or of each corpus row where its rows are the queries.
    groups: Sequence[str] | None = None
    #: A text and a label for each row, to be shown.
    texts: Sequence[str] | None = None
    labels: Sequence[str] | None = None
    #: A text for each query, to be shown.
    query_texts: Sequence[str] | None = None
    #: Rows that hold no vector, and what stands there; the same for queries.
    gaps: Mapping[int, str] = field(default_factory=dict)
    query_gaps: Mapping[int, str] = field(default_factory=dict)
    #: The distance that the file says its vectors are compared by, empty where it says none.
    distance: str = ""
    #: When a query counts as a corpus row.
    identity: Identity = "auto"
    #: The queries' nearest rows as the file states them.
    stated_neighbours: StatedNeighbours | None = None
    #: What the corpus was declared to be, where it is codes.
    codes: CodesKind | None = None
    #: A provider's codes of the rows of the corpus.
    provided: ProvidedCodes | None = None
    #: What was taken for vectors, ids and queries, in a line for each file.
    taken: Sequence[str] = ()
    #: Files of the parts that have one of their own: ids, queries, query_ids, qrels, groups.
    files: Mapping[str, str] = field(default_factory=dict)

    def place(self, part: str) -> str:
        """What to call a part in a message: its own file, or "queries of mine.hdf5"."""
        return self.files.get(part, f"{part} of {self.origin}")

    def corpus_alone(self) -> Source:
        """Return the rows without queries, and without what concerns queries."""
        files = {part: path for part, path in self.files.items() if part == "ids"}
        nothing = dict.fromkeys(("queries_qd", "query_ids", "judgements", "groups", "stated_neighbours"))
        return replace(self, **nothing, query_gaps={}, identity="auto", files=files)


@dataclass(frozen=True, kw_only=True)
class Dataset(ABC):
    """A frozen description of vectors; ``load`` reads them."""

    #: How many corpus rows are searched; None for all. They are drawn by key and ``rows_seed``, so that the smaller of
    #: two subsamples lies within the larger. The queries are the same whatever this number is.
    rows: int | None = None
    rows_seed: int = 0

    @property
    @abstractmethod
    def title(self) -> str:
        """What tables and figures call it."""

    @property
    def provides(self) -> CodesKind | None:
        """Codes of what kind come beside the vectors: they are a variant of their own."""
        return None

    @abstractmethod
    def load(self) -> Source:
        """Read or generate the vectors. Raises VqbenchError with file, rule and remedy."""


@dataclass(frozen=True)
class Data:
    """A corpus and its queries, checked, ready to be searched."""

    name: str
    corpus: Vectors
    ids: Sequence[str]
    #: A 64-bit key for each corpus row: draws by key do not depend on the order of rows.
    keys_n: Keys
    queries_qd: Floats
    query_ids: Sequence[str]
    #: The corpus row that is the query itself, or -1.
    exclude_q: Ints | None
    qrels: Qrels | None
    #: SHA-256 of every value and id, and of the draw where ``rows`` leaves some out.
    fingerprint: str
    #: The same without the draw: equal for all subsamples of a corpus.
    whole: str
    #: SHA-256 of the values of all corpus rows, whatever their ids, the queries and the draws.
    corpus_digest: str = ""
    #: The group of each query, where queries are drawn by group.
    groups_q: Sequence[str] | None = None
    #: What the file says of the queries' nearest rows.
    stated_neighbours: StatedNeighbours | None = None
    #: Rows of the ``corpus`` and the ``queries`` that were left out.
    dropped: Mapping[str, Dropped] = field(default_factory=dict)
    #: A text and a label for each corpus row, to be shown.
    texts: Sequence[str] | None = None
    labels: Sequence[str] | None = None
    #: A text for each query, to be shown.
    query_texts: Sequence[str] | None = None
    #: What was taken for vectors, ids and queries, in a line for each file.
    taken: Sequence[str] = ()
    #: What else is worth saying of the data, a sentence each.
    notes: Sequence[str] = ()
    #: What the numbers of the corpus are; None where nobody looked.
    numbers: Numbers | None = None
    #: A provider's codes of the corpus.
    provided: ProvidedCodes | None = None

    @property
    def stored(self) -> Stored:
        """What a vector takes as it is stored today."""
        return self.numbers.stored if self.numbers else Stored("float32", 4 * self.corpus.d)

    @property
    def findable(self) -> int:
        """How many rows a query can find."""
        return self.corpus.n - (self.exclude_q is not None)

    def caption(self, row: int) -> str:
        """Return a row's label, in brackets, and the beginning of its text; empty where it has neither."""
        label = "" if self.labels is None else one_line(self.labels[row])
        text = "" if self.texts is None else one_line(self.texts[row])
        return " ".join(part for part in (f"[{label}]" if label else "", text) if part)

    def query_caption(self, query: int) -> str:
        """Return the beginning of a query's text; empty where it has none."""
        return "" if self.query_texts is None else one_line(self.query_texts[query])

    def priority(self, seed: int) -> Ints:
        """A unique number per corpus row that orders equal scores at random, by key and seed."""
        order_n = drawn(self.keys_n, self.corpus.n, seed, "ties")
        priority_n = np.empty(self.corpus.n, dtype=np.int64)
        priority_n[order_n] = np.arange(self.corpus.n)
        return priority_n

    def sample(self, count: int, seed: int, draw: str = "uniform") -> Floats:
        """At most ``count`` corpus rows to learn from.

        uniform: drawn by key and seed, in an order of the keys' own. For the harm they do: prefix, the first
        rows in the file's order; sorted, those with the smallest first component (ties in the keys' order).
        """
        return self.corpus.take(self.sample_rows(count, seed, draw))

    def sample_rows(self, count: int, seed: int, draw: str = "uniform") -> Ints:
        """The rows of ``sample``."""
        if draw == "prefix":
            return np.arange(min(count, self.corpus.n))
        if draw == "sorted":
            return self._smallest_first(count, seed)
        return drawn(self.keys_n, count, seed, "calibration")

    def _smallest_first(self, count: int, seed: int) -> Ints:
        """The rows with the smallest first component, equal ones in the order of the draw."""
        first_n = np.empty(self.corpus.n, dtype=np.float32)
        for start, stop in blocks(self.corpus.n, block_rows(self.corpus.d, _BLOCK)):
            first_n[start:stop] = self.corpus.block(start, stop)[:, 0]
        some = np.arange(self.corpus.n)
        if count < self.corpus.n:
            some = np.flatnonzero(first_n <= np.partition(first_n, count)[count])
        key_s = draw_keys(self.keys_n[some], seed, "calibration")
        return some[np.lexsort((some, key_s, first_n[some]))][:count]
