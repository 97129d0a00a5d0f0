"""What all variants of a dataset share: the data, its truth, its ranking of ties."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vqbench.arrays import Ints, drawn
from vqbench.datasets.base import Data
from vqbench.errors import VqbenchError
from vqbench.evaluation.settings import Settings
from vqbench.evaluation.truth import Truth, find_truth
from vqbench.search.measure import Cosine
from vqbench.search.shards import Sharded, Spread
from vqbench.search.topk import Search


@dataclass(frozen=True)
class Bench:
    """A dataset with its truth. search: exact cosine search of the float corpus, ties ordered by a draw.

    example: the corpus row that figures show. by_id_n: the place of each corpus row in the order of ids.
    """

    data: Data
    truth: Truth
    search: Search
    example: int
    by_id_n: Ints


def open_bench(
    data: Data,
    settings: Settings,
    *,
    example: str | None = None,
    cache: Path | None = None,
    spread: Spread | None = None,
) -> Bench:
    """Find the truth for the largest k. Raises VqbenchError where k exceeds what a query can find.

    spread: who searches the shards of the corpus and of its codes; None: this process, undivided.
    """
    settings.check_depth(data.name, data.findable)
    if example is not None and example not in data.ids:
        raise VqbenchError(f"example = {example!r}: {data.name} has no such id")
    row = int(drawn(data.keys_n, 1, 0, "example")[0]) if example is None else list(data.ids).index(example)
    search = Search(data.corpus, Cosine(), data.exclude_q, data.priority(0).astype(np.int64), settings.block_mb)
    if spread is not None:
        search = Sharded(**vars(search), spread=spread)
    truth = find_truth(data, max(settings.k), search=search, cache=cache)
    by_id_n = np.argsort(np.argsort(np.array(data.ids, dtype=object), kind="stable"))
    return Bench(data, truth, search, row, by_id_n)
