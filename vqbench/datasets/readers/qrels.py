"""Relevance judgements as TREC writes them: ``query iteration document gain`` a line, the iteration unused."""

from __future__ import annotations

import re
from pathlib import Path

from vqbench.datasets.judgements import Judgement
from vqbench.datasets.readers.base import refusal
from vqbench.storage.ids import PackedIds

_SPACE = re.compile(r"[ \t\f\v]+")  # an id may hold any other character, a no-break space too
_GAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)
_RULE = "must be 'query 0 document gain'"


def read(path: Path) -> list[Judgement]:
    """Every line of the file. Raises VqbenchError for a line that is no judgement, or that judges a pair again.

    A gain is a whole or decimal number; one below 0 is no mistake: it marks a document that is worse than useless.
    """
    judged: dict[tuple[str, str], tuple[float, int]] = {}
    for number, line in enumerate(PackedIds.lines(path), start=1):
        text = line.removeprefix("\ufeff") if number == 1 else line
        fields = [field for field in _SPACE.split(text) if field]
        if len(fields) != 4 or not _GAIN.fullmatch(fields[3]) or len(fields[3]) > 300:
            remedy = "write a 0 as the second column" if len(fields) == 3 else "correct or remove the line"
            if len(fields) > 4:
                remedy = f"it has {len(fields)} columns, not 4: ids must not contain blanks, here and in the id files"
            raise refusal(path, place=f"line {number}", problem=repr(text[:80]), rule=_RULE, remedy=remedy)
        pair, gain = (fields[0], fields[2]), float(fields[3])
        if pair in judged:
            before, line_before = judged[pair]
            raise refusal(
                path,
                place=f"line {number}",
                problem=f"query {pair[0]!r}, document {pair[1]!r}: gain {gain:g}, and {before:g} in line {line_before}",
                rule="a pair has one judgement",
                remedy="remove one of them",
            )
        judged[pair] = gain, number
    return [(query, document, gain) for (query, document), (gain, _) in judged.items()]
