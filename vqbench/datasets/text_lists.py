"""Lists of numbers that were written as text: ``[0.1, 0.2]`` of pandas, JSON and pgvector, ``{0.1,0.2}`` of Postgres.

Also what numpy prints, ``[0.1 0.2]``, as long as it printed all of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.readers.base import refusal
from vqbench.errors import VqbenchError

_LIST = re.compile(r"\s*(?:np\.|numpy\.)?(?:array\()?[\[{]\s*(?:[-+.\d]|nan|inf|np\.float|\]|\})", re.IGNORECASE)
_WRAPPED = re.compile(r"(?:np|numpy)\.float\d+\(([^()]*)\)")  # how NumPy 2 shows a number in a list
_ARRAY = re.compile(r"\s*(?:np\.|numpy\.)?array\((.*?)(?:,\s*dtype=[^()]*)?\)\s*", re.DOTALL)
_BRACKETS = {"[": "]", "{": "}", "(": ")"}
_MISSING = ("", "null", "none", "nan", "\\n")  # no list; pandas, JSON, Python, Postgres


def is_list(text: str) -> bool:
    """Whether a text begins and ends as a list of numbers does."""
    return bool(_LIST.match(text)) and text.rstrip()[-1:] in ("]", "}", ")")


def is_whole_list(text: str) -> bool:
    """Whether a list has whole numbers only, as token ids are."""
    return not re.search(r"[.eEnN]", text)


def numbers_in(text: str) -> NDArray[np.float64] | None:
    """Return the numbers of one list, or None where it is none; NaN and shortened lists (``...``) are none.

    Example:
        >>> numbers_in("[0.5, 2e-3]").tolist(), numbers_in("{0.5,2}").tolist(), numbers_in("[a, b]")
        ([0.5, 0.002], [0.5, 2.0], None)
    """
    text = text.strip()
    if len(text) < 2 or _BRACKETS.get(text[0]) != text[-1] or "_" in text or not text.isascii():
        return None
    inner = _inner(text)
    try:
        numbers = np.array([float(x) for x in inner.split(",")] if inner else [])
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None


def width_of(texts: Iterable[str]) -> int:
    """Return how many numbers most of the lists have."""
    counts = Counter(_inner(text).count(",") + 1 for text in texts if is_list(text) and _inner(text))
    return counts.most_common(1)[0][0] if counts else 0


def parsed(
    path: Path, name: str, batches: Iterable[Sequence[str]], d: int, gaps: dict[int, str]
) -> Iterator[NDArray[np.float64]]:
    """Return the lists as rows of ``d`` numbers; a list that is missing, empty or of another length is a gap.

    Args:
        path: of the file, for messages.
        name: of the column, for messages.
        batches: the texts.
        d: numbers in a row.
        gaps: is filled with the number of each row that holds no vector, and what stands there.

    Raises:
        VqbenchError: a text is no list of numbers; numpy left out its middle.
    """
    start, no_numbers = 0, ",".join(["nan"] * d)
    for texts in batches:
        lines = []
        for row, text in enumerate(texts, start):
            inner = _checked(path, name, row, text)
            count = inner.count(",") + 1 if inner else 0
            if count != d:
                gaps[row] = f"{count} number{'s' * (count > 1)} where most rows have {d}" if count else _empty(text)
            lines.append(inner if count == d else no_numbers)
        yield _numbers(path, name, start, lines, d)
        start += len(texts)


def _inner(text: str) -> str:
    """What stands between the brackets, with commas between the numbers."""
    if "(" in text:
        array = _ARRAY.fullmatch(text)
        text = _WRAPPED.sub(r"\1", array[1] if array else text)
    inner = text.strip()[1:-1].strip()
    return inner.replace("\n", " ") if "," in inner else ",".join(inner.split())


def _checked(path: Path, name: str, row: int, text: str) -> str:
    """The numbers between the brackets; nothing where there is no list."""
    if text.strip().lower() in _MISSING:
        return ""
    inner = _inner(text)
    if "..." in inner:
        raise refusal(
            path,
            place=f"row {row}, column {name!r}",
            problem=f"{' '.join(text[:24].split())!r} and then '...'",
            rule="numpy printed only some of the numbers",
            remedy="write the lists again from the vectors, as in df['x'] = [v.tolist() for v in vectors]",
        )
    if not is_list(text) or any(bracket in inner for bracket in "[]{}()"):
        raise _refused(path, name, row, repr(text[:40]))
    return inner


def _numbers(path: Path, name: str, start: int, lines: list[str], d: int) -> NDArray[np.float64]:
    import pyarrow as pa
    from pyarrow import csv

    content, names = "\n".join(lines).encode(), [str(column) for column in range(d)]
    if not lines:
        return np.empty((0, d))
    try:
        table = csv.read_csv(
            pa.BufferReader(content),
            csv.ReadOptions(column_names=names, use_threads=False, block_size=len(content) + 1),
            csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
            csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64()), null_values=[]),
        )
        return table.combine_chunks().to_batches()[0].to_tensor().to_numpy()
    except pa.ArrowInvalid:
        for row, line in enumerate(lines, start):
            for field in line.split(","):
                if not _is_number(field):
                    raise _refused(path, name, row, f"{field.strip()[:40]!r} in a list") from None
        return np.array([[float(field) for field in line.split(",")] for line in lines])


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return field.isascii() and "_" not in field


def _empty(text: str) -> str:
    return "an empty list" if text.strip()[:1] in "[{" and text.strip() else "no list"


def _refused(path: Path, name: str, row: int, problem: str) -> VqbenchError:
    return refusal(
        path,
        place=f"row {row}, column {name!r}",
        problem=problem,
        rule="every row needs a list of numbers",
        remedy="correct that row (row 0 is the first vector)",
    )
