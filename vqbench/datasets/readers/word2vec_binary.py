"""Word vectors as word2vec and gensim write them in binary: a line ``n d``, then words, a blank and float32 numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.datasets.unpacking import Sheet
from vqbench.datasets.words import content_of
from vqbench.errors import VqbenchError

ENDINGS = (".bin",)
NEEDS = (
    "needs word2vec's binary format: a line 'n d', then each word, a blank and d float32 numbers",
    "write it again",
)
USES = ("key", "id_column", "texts", "labels")
_HEADER = 64  # bytes of the first line at most
_WORD = 1 << 12  # bytes of a word at most
_BLOCK = 1 << 20  # bytes of numbers at a time


def unpack(path: Path, wanted: Wanted, sheet: Sheet) -> Content:
    """Read words as ids, and their numbers."""
    rows_nd = sheet.table(_header(path)[0], (rows_nd for _, rows_nd in _blocks(path)))
    return content_of(path, rows_nd, lambda: (words for words, _ in _blocks(path)), wanted, sheet)


def _header(path: Path) -> tuple[int, int, int]:
    """Words, dimensions and the bytes of the line that declares them; checked against the size of the file."""
    with path.open("rb") as file:
        line = file.readline(_HEADER)
    match = re.fullmatch(rb"\s*(\d{1,12})\s+(\d{1,7})\s*\n", line)
    if match is None:
        raise refusal(
            path,
            problem=f"begins with {line[:24]!r}",
            rule="a .bin file must be word2vec's, whose first line is the number of words and of dimensions",
            remedy="save the vectors as .npy; of fastText's own .bin, take the .vec file",
        )
    n, d = int(match[1]), int(match[2])
    if not n or not d or len(line) + n * (4 * d + 1) > path.stat().st_size:
        raise refusal(
            path,
            problem=f"{n:,} words of {d:,} dimensions declared in a file of {path.stat().st_size:,} bytes",
            rule="each word takes 4 bytes for each dimension, and more",
            remedy="get the file again: it was cut off",
        )
    return n, d, len(line)


def _blocks(path: Path) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    """Words and their numbers, some at a time. Raises VqbenchError where the file ends early or goes on."""
    n, d, begin = _header(path)
    size = max(1, _BLOCK // (4 * d))
    with path.open("rb") as file:
        file.seek(begin)
        for start in range(0, n, size):
            words, rows = list[str](), bytearray()
            for row in range(start, min(n, start + size)):
                words.append(_word(path, file, row))
                numbers = file.read(4 * d)
                if len(numbers) < 4 * d:
                    raise _damaged(path, row, f"ends after {len(numbers)} of {4 * d} bytes")
                rows += numbers
            yield words, np.frombuffer(rows, "<f4").reshape(-1, d)
        if file.read(2).strip():
            raise _damaged(path, n, "more bytes than the words that are declared")


def _word(path: Path, file: BinaryIO, row: int) -> str:
    """The next word; a line end before it is no part of it, as the original program wrote one."""
    word = bytearray()
    while (byte := file.read(1)) != b" ":
        if not byte or len(word) > _WORD:
            raise _damaged(path, row, "no blank behind its word")
        word += byte
    try:
        return word.removeprefix(b"\n").decode()
    except UnicodeDecodeError:
        raise _damaged(path, row, f"the word {bytes(word[:24])!r} is not UTF-8") from None


def _damaged(path: Path, row: int, problem: str) -> VqbenchError:
    remedy = "get it again, or convert it with gensim: KeyedVectors.load_word2vec_format(FILE, binary=True, "
    return refusal(
        path,
        place=f"word {row}",
        problem=problem,
        rule="needs a word, a blank and its numbers",
        remedy=remedy + "unicode_errors='ignore').save_word2vec_format('new.vec')",
    )
