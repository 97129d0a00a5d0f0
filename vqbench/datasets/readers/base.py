"""What a reader of files is: one module in this folder, which is found by being there.

A reader declares ``ENDINGS`` (of file names, in small letters), ``NEEDS`` (what such a file must be, and what to do
where it is not), ``USES`` (the fields of ``Wanted`` that choose something in it), and one of two functions:

``read(path, wanted) -> Content`` looks at plain bytes, in this process.
``unpack(path, wanted, sheet) -> Content`` lets a library parse the file. It runs in a child process with limits of
memory and time, and puts what it unpacks on the ``sheet``. ``IMPORTS`` names modules that are loaded before the limits
hold, where they are installed.

Both raise VqbenchError with file, place, what stands there, the rule and the remedy (``refusal``). Whatever else they
raise becomes such a sentence, with ``NEEDS``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vqbench.datasets.stated_neighbours import StatedNeighbours
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Table
from vqbench.text import shortened, shown

#: Stands among ``ENDINGS`` for folders that are read as a whole.
FOLDER = "/"
_OF_QUERIES = {"key": "queries_key", "id_column": "query_id_column"}
_CROPPED = re.compile(r"\.crop_nb_[0-9]+$")  # what big-ann-benchmarks adds to the name of a file's first rows
_LONGEST = 300  # characters of a part of a message
_LONGEST_REMEDY = 990  # characters of a remedy: the end of any message that is kept whole, see fit_message
_MOST = 1 << 28  # bytes of text: its numbers may take several times as much in memory


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to take from a file that holds more than one thing."""

    #: The array, dataset or column with the vectors.
    key: str | None = None
    #: The one with the queries, in the same file.
    queries_key: str | None = None
    #: The column or array with the ids; ``none``: no ids, the rows are numbered.
    id_column: str | None = None
    #: The one with the ids of the queries, in the same file.
    query_id_column: str | None = None
    #: The column or array with a text for each row, to be shown.
    texts: str | None = None
    #: The column or array with a label for each row, to be shown.
    labels: str | None = None
    #: How many rows lie in the parts before this file, whose rows are numbered; None: they have ids.
    rows_before: int | None = 0
    #: Whether queries are wanted rather than a corpus; ``key`` and ``id_column`` are then those of the queries.
    queries: bool = False

    def setting(self, name: str) -> str:
        """Return the user's name of a field: that of a file of queries has one of its own."""
        return _OF_QUERIES.get(name, name) if self.queries else name


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a file holds."""

    #: Vectors ``(n, d)``.
    rows_nd: Table
    #: An id for each row.
    ids: Sequence[str] | None = None
    #: Queries that the file brings along.
    queries_qd: Table | None = None
    #: An id for each query.
    query_ids: Sequence[str] | None = None
    #: A text for each row, which may repeat.
    texts: Sequence[str] | None = None
    #: A label for each row, which may repeat.
    labels: Sequence[str] | None = None
    #: What it says of the queries' nearest rows.
    stated_neighbours: StatedNeighbours | None = None
    #: The distance that the file says its vectors are compared by, in small letters; empty where it says none.
    distance: str = ""
    #: Rows that hold no vector, such as null or an empty list, and what stands there; their numbers are NaN or 0.
    gaps: Mapping[int, str] = field(default_factory=dict)
    #: The same for queries.
    query_gaps: Mapping[int, str] = field(default_factory=dict)
    #: What was taken from the file, and what was not, in one line.
    taken: str = ""


def ending_of(path: Path) -> str:
    """Return the ending that says the format, in small letters: ``.fbin`` of ``base.1B.fbin.crop_nb_1000`` too."""
    return Path(_CROPPED.sub("", path.name)).suffix.lower()


def refusal(path: Path, *, place: str = "", problem: str, rule: str, remedy: str = "") -> VqbenchError:
    """The one shape of all refusals: file, place in it, what stands there, what should, what to do.

    Names and texts in a file are its writer's: they are shown on one line, cut, and without control characters. A
    remedy may be a command to paste: one that is too long is left out, since a part of it would be another command.
    """
    parts = [shortened(x, _LONGEST) for x in (place, problem, rule) if x]
    return VqbenchError(": ".join([str(path), *parts]) + (f"; {_whole(remedy)}" if remedy else ""))


def _whole(remedy: str) -> str:
    remedy = shown(remedy)
    return remedy if len(remedy) <= _LONGEST_REMEDY else "what to do is too long to be shown: give shorter names"


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
