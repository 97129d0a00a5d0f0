"""What all variants of a dataset share: the data, its truth, its ranking of ties."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vqbench.datasets.base import Data
from vqbench.errors import VqbenchError
from vqbench.evaluation.settings import Settings
from vqbench.evaluation.truth import Truth, find_truth
from vqbench.numerics.draws import drawn
from vqbench.search.scorers import Cosine
from vqbench.search.shards import Sharded, Spread
from vqbench.search.topk import Search
from vqbench.storage.ids import positions


@dataclass(frozen=True)
class Bench:
    """A dataset with its truth."""

    data: Data
    truth: Truth
    search: Search  #: exact cosine search of the float corpus, ties ordered by a draw
    example: int  #: the corpus row that figures show


def open_bench(
    data: Data,
    settings: Settings,
    *,
    example: str | None = None,
    cache: Path | None = None,
    spread: Spread | None = None,
) -> Bench:
    """Find the truth for the largest k.

    Args:
        example: the id of the row that figures show; None: one is drawn.
        cache: the folder where truth is kept; None: nowhere.
        spread: who searches the shards of the corpus and of its codes; None: this process, undivided.

    Raises:
        VqbenchError: k exceeds what a query can find, or there is no such example.
    """
    settings.check_depth(data.name, data.findable)
    if example is None:
        row = int(drawn(data.keys_n, 1, 0, "example")[0])
    elif (row := positions(data.ids, [example]).get(example, -1)) < 0:
        raise VqbenchError(f"example = {example!r}: {data.name} has no such id")
    search = Search(data.queries_qd, data.corpus, Cosine(), data.exclude_q, data.priority(0), settings.block_mb)
    if spread is not None:
        search = Sharded(**vars(search), spread=spread)
    truth = find_truth(data, max(settings.k), search=search, cache=cache)
    return Bench(data, truth, search, row)
