"""What every reader hands over, and how it refuses a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vqbench.datasets.stated_neighbours import Given
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Table
from vqbench.text import shortened

_LONGEST = 300  # characters of a part of a message
_MOST = 1 << 28  # bytes of text: its numbers may take several times as much in memory


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to take from a file that holds more than one thing.

    key: the array, dataset or column with the vectors. id_column: the column with the ids. queries: whether
    queries are wanted rather than a corpus.
    """

    key: str | None = None
    id_column: str | None = None
    queries: bool = False


@dataclass(frozen=True, kw_only=True)
class Content:
    """Vectors ``(n, d)``, their ids where the file has any, the queries that it brings along and their nearest rows."""

    rows_nd: Table
    ids: Sequence[str] | None = None
    queries_qd: Table | None = None
    given: Given | None = None


def refusal(path: Path, *, place: str = "", found: str, rule: str, remedy: str = "") -> VqbenchError:
    """The one shape of all refusals: file, place in it, what stands there, what should, what to do.

    Names and texts in a file are its writer's: they are shown on one line, cut, and without control characters.
    """
    told = [shortened(x, _LONGEST) for x in (place, found, rule) if x]
    return VqbenchError(": ".join([str(path), *told]) + (f"; {shortened(remedy, _LONGEST)}" if remedy else ""))


def check_whole(path: Path) -> None:
    """Raise VqbenchError where a file of text, which is read whole, is too large for that."""
    size = path.stat().st_size
    if size > _MOST:
        ending = path.suffix.lower()
        raise refusal(
            path,
            found=f"{size / 1e6:.0f} MB of text",
            rule=f"{ending} is read whole, up to {_MOST / 1e6:.0f} MB",
            remedy="save the vectors as .npy, .fbin or .parquet, which are read in blocks",
        )
