"""What makes two datasets the same: SHA-256 of all that a result depends on."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence

from vqbench.datasets.base import Source
from vqbench.datasets.row_checks import Checked
from vqbench.datasets.taken_queries import Asked

_TEXTS = 1 << 14  # that are hashed at a time


def whole(
    source: Source, corpus: Checked, ids: Sequence[str], asked: Asked, groups_q: Sequence[str] | None, mode: str
) -> str:
    """Return the fingerprint of all rows, ids and judgements, and of the queries that were taken."""
    digest = corpus.digest + (asked.checked.digest if asked.checked is not corpus else "")
    with_ids = [str(x is not None) for x in (source.ids, source.query_ids)]  # with ids, draws go by id
    parts = itertools.chain(
        [digest, *with_ids],
        ids,
        asked.ids,
        map(repr, source.judgements or ()),
        [mode],
        ["groups", *groups_q] if groups_q is not None else [],
        ["not the same rows", *asked.namesakes] if asked.namesakes else [],
    )
    return fingerprint(parts)


def fingerprint(parts: Iterable[str]) -> str:
    """Return the SHA-256 of texts, no two lists alike."""
    digest, parts = hashlib.sha256(), iter(parts)
    while some := "".join(f"{len(part)}:{part}" for part in itertools.islice(parts, _TEXTS)):
        digest.update(some.encode())
    return digest.hexdigest()
