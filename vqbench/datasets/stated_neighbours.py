"""Nearest rows that a file states for its queries, before anyone has compared them with ours.

They only inform: whatever is wrong with them is said, and no run stops because of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vqbench.numerics.arrays import Floats, Ints, Table, is_real


@dataclass(frozen=True, kw_only=True)
class StatedNeighbours:
    """What a file says of its queries' nearest rows."""

    #: Row numbers of the corpus ``(q, k)``, nearest first, as they stand in the file; None where they cannot be read.
    neighbours_qk: Table | None
    #: Their distances ``(q, k)``, where the file has any that can be read.
    distances_qk: Table | None
    #: The file's word for what it measured, empty where it has none.
    distance: str
    #: Which rows of the file's queries these are.
    at_q: Ints | None = None
    #: The queries' norms as they stand in the file.
    lengths_q: Floats | None = None
    #: Why the rows cannot be compared with those of a search, empty where they can.
    obstacle: str = ""
    #: Why the distances cannot be compared, empty where they can.
    distances_obstacle: str = ""

    def of(self, at_q: Ints, lengths_q: Floats) -> StatedNeighbours:
        """The same for some of the queries, in memory."""
        rows_qk = None if self.neighbours_qk is None else self.neighbours_qk[at_q]
        distances_qk = None if self.distances_qk is None else self.distances_qk[at_q]
        return replace(self, neighbours_qk=rows_qk, distances_qk=distances_qk, at_q=at_q, lengths_q=lengths_q)

    def checked(self, q: int) -> StatedNeighbours:
        """The same, with a reason where the tables cannot be those of ``q`` queries."""
        rows_qk, far_qk = self.neighbours_qk, self.distances_qk
        obstacle, distances_obstacle = self.obstacle, self.distances_obstacle
        if rows_qk is not None and (rows_qk.dtype.kind not in "iu" or len(rows_qk) != q):
            obstacle = f"they are {rows_qk.dtype} {rows_qk.shape}, not row numbers for each of {q:,} queries"
        if rows_qk is not None and far_qk is not None and far_qk.shape != rows_qk.shape:
            distances_obstacle = f"their shape is {far_qk.shape}, that of neighbors {rows_qk.shape}"
        elif far_qk is not None and not is_real(far_qk.dtype):
            distances_obstacle = f"they are {far_qk.dtype}"
        rows_qk = None if obstacle else rows_qk
        far_qk = None if obstacle or distances_obstacle else far_qk
        return replace(
            self,
            neighbours_qk=rows_qk,
            distances_qk=far_qk,
            obstacle=obstacle,
            distances_obstacle=distances_obstacle,
        )
