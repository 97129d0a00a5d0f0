"""What a reader of files is: one module in this folder, which is found by being there.

A reader declares ``ENDINGS`` (of file names, in small letters), and ``NEEDS`` (what such a file must be, and what to do
where it is not), and one of two functions:

``read(path, wanted) -> Content`` looks at plain bytes, in this process.
``unpack(path, wanted, sheet) -> Content`` lets a library parse the file. It runs in a child process with limits of
memory and time, and puts what it unpacks on the ``sheet``. ``IMPORTS`` names modules that are loaded before the limits
hold, where they are installed.

Both raise VqbenchError with file, place, what stands there, the rule and the remedy (``refusal``). Whatever else they
raise becomes such a sentence, with ``NEEDS``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vqbench.datasets.stated_neighbours import StatedNeighbours
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Table
from vqbench.text import shortened

#: Stands among ``ENDINGS`` for folders that are read as a whole.
FOLDER = "/"
_LONGEST = 300  # characters of a part of a message
_MOST = 1 << 28  # bytes of text: its numbers may take several times as much in memory


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to take from a file that holds more than one thing."""

    #: The array, dataset or column with the vectors.
    key: str | None = None
    #: The column with the ids.
    id_column: str | None = None
    #: Whether queries are wanted rather than a corpus.
    queries: bool = False


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a file holds."""

    #: Vectors ``(n, d)``.
    rows_nd: Table
    #: An id for each row.
    ids: Sequence[str] | None = None
    #: Queries that the file brings along.
    queries_qd: Table | None = None
    #: What it says of their nearest rows.
    stated_neighbours: StatedNeighbours | None = None


def refusal(path: Path, *, place: str = "", problem: str, rule: str, remedy: str = "") -> VqbenchError:
    """The one shape of all refusals: file, place in it, what stands there, what should, what to do.

    Names and texts in a file are its writer's: they are shown on one line, cut, and without control characters.
    """
    parts = [shortened(x, _LONGEST) for x in (place, problem, rule) if x]
    return VqbenchError(": ".join([str(path), *parts]) + (f"; {shortened(remedy, _LONGEST)}" if remedy else ""))


def check_whole(path: Path) -> None:
    """Raise VqbenchError where a file of text, which is read whole, is too large for that."""
    size = path.stat().st_size
    if size > _MOST:
        raise refusal(
            path,
            problem=f"{size / 1e6:.0f} MB of text",
            rule=f"{path.suffix.lower()} is read whole, up to {_MOST / 1e6:.0f} MB",
            remedy="save the vectors as .npy, .fbin or .parquet, which are read in blocks",
        )
