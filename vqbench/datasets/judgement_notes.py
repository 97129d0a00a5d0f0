"""What is said of judgements: those that no search can find here, and those that fit no query or document."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vqbench.text import shortened

_SHOWN = 3  # ids in a message


@dataclass(frozen=True)
class Lost:
    """Relevant documents that no search can find here, as pairs of query and document, by reason."""

    #: Rows that on_bad_rows=drop left out.
    dropped: Sequence[tuple[str, str]]
    #: Rows that are not searched: rows=N or queries=holdout left them out.
    unsearched: Sequence[tuple[str, str]]
    #: The query's own row.
    own: Sequence[tuple[str, str]]
    #: The queries that have another one.
    measured: set[str]

    @classmethod
    def of(
        cls,
        pairs: Iterable[tuple[str, str]],
        measured: set[str],
        row_of: Mapping[str, int],
        dropped: set[str],
        own: set[tuple[str, str]],
    ) -> Lost:
        """Sort the relevant pairs that are not found by their reason."""
        gone = [pair for pair in pairs if pair[1] not in row_of]
        return cls(
            [pair for pair in gone if pair[1] in dropped],
            [pair for pair in gone if pair[1] not in dropped],
            sorted(own),
            measured,
        )

    def notes(self) -> list[str]:
        """Return a sentence for each reason."""
        notes = list[str]()
        if self.dropped:
            rows = {document for _, document in self.dropped}
            notes.append(
                f"{_count(rows, 'relevant document')} ({_some(rows)}) {'was' if len(rows) == 1 else 'were'} dropped "
                f"with on_bad_rows=drop: {self._queries(self.dropped)}"
            )
        if self.unsearched:
            rows = {document for _, document in self.unsearched}
            notes.append(
                f"{_count(rows, 'relevant document')} not among the rows that are searched: "
                f"{self._queries(self.unsearched)}"
            )
        if self.own:
            notes.append(
                f"{_count(self.own, 'judgement')} of a query's own row, which is left out of its result: "
                f"{self._queries(self.own)}"
            )
        return notes

    def _queries(self, pairs: Sequence[tuple[str, str]]) -> str:
        """Which queries lose one, and how many of them have no other."""
        queries = {query for query, _ in pairs}
        alone = queries - self.measured
        said = (
            f"{_count(queries, 'query', 'queries')} ({_some(queries)}) {'loses' if len(queries) == 1 else 'lose'} one"
        )
        return f"{said}; {len(alone):,} of them {'has' if len(alone) == 1 else 'have'} no other" if alone else said


def coverage(
    judgements: Sequence[tuple[str, str, float]],
    query_of: Mapping[str, int],
    gain_of: Mapping[tuple[str, str], float],
    measured: set[str],
    *,
    unknown: int,
) -> list[str]:
    """Return what is said of queries without a relevant document and of judgements without effect."""
    judged = {query for query, _, _ in judgements if query in query_of}
    fruitless = len(judged - {query for query, _ in gain_of})
    notes = list[str]()
    if len(measured) < len(query_of):
        notes.append(
            f"{len(measured):,} of {len(query_of):,} queries have a relevant document; the others are left out of "
            "judged metrics"
        )
        if fruitless:
            notes[0] += f", {fruitless:,} of them judged without one (trec_eval counts 0 for these)"
    if unknown:
        notes.append(f"judged queries that are not among the dataset's: {unknown:,}")
    if negative := sum(gain < 0 for _, _, gain in judgements):
        notes.append(f"gains below 0, which count as 0: {negative:,}")
    if repeated := len(judgements) - len({(query, document) for query, document, _ in judgements}):
        notes.append(f"judgements that repeat another one, with the same gain: {repeated:,}")
    return notes


def _count(things: Collection[Any], one: str, many: str = "") -> str:
    return f"{len(things):,} {one if len(things) == 1 else many or one + 's'}"


def no_match(
    judged: set[str],
    known: set[str],
    documents: Sequence[str],
    missing: Sequence[str],
    all_query_ids: Sequence[str],
    all_ids: Sequence[str],
    files: Mapping[str, str],
) -> str:
    """Return which ids of the judgements are not the dataset's (queries, documents or both) and how to mend that."""
    problems, kinds = list[str](), list[str]()
    if not known:
        problems.append(
            f"none of the {len(judged):,} judged queries ({_some(judged)}) is a query of this dataset "
            f"({_some(all_query_ids)})"
        )
        kinds.append("ids" if all_query_ids is all_ids else "query_ids")
    if missing:
        problems.append(
            f"{len(missing):,} of {len(documents):,} relevant documents ({_some(missing)}) are not in the corpus "
            f"({_some(all_ids)})"
        )
        kinds.append("ids")
    part = bool(known) and len(missing) < len(documents)  # the ids are right: the corpus is a part of another
    both = all_query_ids is not all_ids
    of = {"ids": " (rows)" if both else "", "query_ids": " (queries)"}
    unnamed = [f"dataset.{kind}=FILE{of[kind]}" for kind in dict.fromkeys(kinds) if kind not in files]
    other = [files[kind] for kind in dict.fromkeys(kinds) if kind in files]
    ways = [f"name them with {' and '.join(unnamed)}, one id a line"] if unnamed else []
    ways += [f"write the ids as in {' and '.join(other)}"] if other and not part else []
    if part:
        ways.append("give the whole corpus (dataset.rows=N draws a part of it, with its judgements)")
        ways.append("remove those lines")
    without = "" if known else ", or leave the judgements out with dataset.qrels=null"
    return f"{'; '.join(problems)}: {', or '.join(ways) if part else ', and '.join(ways)}{without}"


def _some(ids: Sequence[str] | set[str]) -> str:
    first = sorted(ids)[:_SHOWN] if isinstance(ids, set) else list(ids[:_SHOWN])
    return ", ".join(shortened(repr(i)) for i in first) + (", ..." if len(ids) > _SHOWN else "")
