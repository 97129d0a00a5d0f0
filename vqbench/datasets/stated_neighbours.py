"""Nearest rows that a file states for its queries, before anyone has compared them with ours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Floats, Ints, Numbers, Table, block_rows, blocks

_REMEDY = "write it again, or leave neighbors and distances out"


@dataclass(frozen=True, kw_only=True)
class StatedNeighbours:
    """What a file says of its queries' nearest rows."""

    #: Row numbers of the corpus ``(q, k)``, nearest first.
    neighbours_qk: Table
    #: Their distances ``(q, k)``, where the file has any.
    distances_qk: Table | None
    #: The file's word for what it measured, empty where it has none.
    distance: str
    #: Which rows of the file's queries these are.
    at_q: Ints | None = None
    #: The queries' norms as they stand in the file.
    lengths_q: Floats | None = None
    #: Why the rows cannot be compared with those of a search, empty where they can.
    obstacle: str = ""

    def of(self, at_q: Ints, lengths_q: Floats) -> StatedNeighbours:
        """The same for some of the queries, in memory."""
        distances_qk = None if self.distances_qk is None else self.distances_qk[at_q]
        return replace(
            self, neighbours_qk=self.neighbours_qk[at_q], distances_qk=distances_qk, at_q=at_q, lengths_q=lengths_q
        )


def check_stated(stated: StatedNeighbours, path: Path, *, n: int, q: int) -> StatedNeighbours:
    """``stated`` itself, if it can be true of ``n`` rows and ``q`` queries; VqbenchError says what cannot."""
    shape, dtype = stated.neighbours_qk.shape, stated.neighbours_qk.dtype
    if dtype.kind not in "iu" or shape[0] != q:
        raise VqbenchError(
            f"{path}: neighbors: {dtype} {shape}: needs row numbers, a row for each of {q} queries; {_REMEDY}"
        )
    if stated.distances_qk is not None and stated.distances_qk.shape != shape:
        raise VqbenchError(
            f"{path}: distances: shape {stated.distances_qk.shape}: must be that of neighbors, {shape}; {_REMEDY}"
        )
    for start, stop in blocks(q, block_rows(shape[1], q)):
        rows_bk: Numbers = np.asarray(stated.neighbours_qk[start:stop])
        bad = np.argwhere((rows_bk < 0) | (rows_bk >= n))
        if len(bad):
            query, rank = bad[0].tolist()
            raise VqbenchError(
                f"{path}: neighbors, query {start + query}, place {rank}: {rows_bk[query, rank]}: must be a row of "
                f"train, 0 to {n - 1}; {_REMEDY}"
            )
    return stated
