"""Word vectors as GloVe, word2vec and fastText write them, as text and in binary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from writers import write_words

from vqbench.datasets.formats import read
from vqbench.datasets.readers.base import Content, Wanted
from vqbench.errors import VqbenchError

X = np.random.default_rng(0).normal(size=(60, 7)).astype(np.float32)
WORDS = [
    *(f"w{row}" for row in range(50)),
    ",",
    '"',
    "New York",
    "été",
    "a,b;c|d",
    "2000",
    "...",
    "-",
    "x 1 2",
    "\u2028",
]


def _same(content: Content, words: list[str] | None) -> None:
    np.testing.assert_array_equal(content.rows_nd[:].astype(np.float32), X[: len(content.rows_nd)])
    assert (None if content.ids is None else list(content.ids)) == words


@pytest.mark.parametrize(("name", "header"), [("x.txt", False), ("x.txt", True), ("x.vec", True), ("x.bin", True)])
def test_words_with_blanks_quotes_and_commas(tmp_path: Path, name: str, header: bool) -> None:
    words = [word for word in WORDS if name != "x.bin" or " " not in word]  # a blank ends a word there
    write_words(tmp_path / name, X[: len(words)], words, header=header)
    content = read(tmp_path / name, Wanted())
    _same(content, words)
    kind = "float32" if name == "x.bin" else "float64"
    assert content.taken == (f"{name}: column 'numbers' (word vectors, {kind}, {len(words)} x 7), ids from 'word'")
    _same(read(tmp_path / name, Wanted(id_column="none")), None)
    assert read(tmp_path / name, Wanted(texts="word")).texts == words
    with pytest.raises(VqbenchError, match="dataset.key=other: no such column"):
        read(tmp_path / name, Wanted(key="other"))


@pytest.mark.parametrize("form", ["{} {} ", "{}\t{}", "{}  {}\r", " {} {}"])
def test_blanks_at_the_ends_and_tabs(tmp_path: Path, form: str) -> None:
    """fastText ends each line with a blank."""
    words = [f"w{row}" for row in range(60)]
    lines = [form.format(word, " ".join(map(repr, row))) for word, row in zip(words, X.tolist(), strict=True)]
    (tmp_path / "x.vec").write_text("60 7\n" + "\n".join(lines) + "\n", "utf-8", newline="")
    _same(read(tmp_path / "x.vec", Wanted()), words)
    (tmp_path / "x.txt").write_text("\n".join(lines) + "\n", "utf-8", newline="")
    _same(read(tmp_path / "x.txt", Wanted()), words)


def test_numbers_as_words(tmp_path: Path) -> None:
    """Below a header, as node2vec numbers its nodes; without one, as ids of a table."""
    nodes = [str(7 * row + 3) for row in range(60)]
    for header in (True, False):
        write_words(tmp_path / "x.txt", X, nodes, header=header)
        _same(read(tmp_path / "x.txt", Wanted()), nodes)


def test_counts_behind_words(tmp_path: Path) -> None:
    """No dimension: a column of whole numbers, which a key leaves out."""
    words = [f"w{row}" for row in range(60)]
    write_words(tmp_path / "x.txt", X, [f"{word} {row % 9}" for row, word in enumerate(words)], header=False)
    with pytest.raises(
        VqbenchError, match="column 'c2': whole numbers beside decimals: .*; dataset.key=c3-c9 leaves it"
    ):
        read(tmp_path / "x.txt", Wanted())
    _same(read(tmp_path / "x.txt", Wanted(key="c3-c9")), words)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.vec", b"3 2\na 1.5 2.5\nb 1 2.5\n", "row 1: 3 words declared, 2 are there"),
        ("x.vec", b"2 2\na 1.5 2.5\n1 2.5\n", "row 3: 2 numbers and no word"),
        ("x.vec", b"2 3\na 1.5 2.5 3\nb 1.5 2.5\n", "row 3: 3 numbers and no word|row 3, field 1: 'b'"),
        ("x.vec", b"2 2\na 1.5 2.5\nb 1.5 2.x\n", "row 3, field 2: '2.x'"),
        ("x.vec", b"2 2\na 1.5 2.5\na 1.5 2.5\n", "'a' occurs in rows 0 and 1: ids must be unique; .*id_column=none"),
        ("x.vec", b"2 2\na 1.5 2.5\n\xff 1.5 2.5\n", "line 3: byte 0xff is not UTF-8"),
        ("x.txt", b"id1\nid2\nid3\n", "row 1: 'id1': needs rows of two numbers or more"),
        ("x.bin", b"\xba\x16\x4f\x2f" + b"x" * 50, ".bin does not say how many numbers a row has"),
        ("x.bin", b"1000000 300\na ", "1,000,000 words of 300 dimensions declared in a file of 14 bytes"),
        ("x.bin", b"1 1\na\xff 1234", "word 0: the word b'a.xff' is not UTF-8: .*load_word2vec_format"),
        ("x.bin", b"1 1\na 1234b 1234", "word 1: more bytes than the words"),
        ("x.bin", b"2 1\na 1234bbbbbbb", "word 1: no blank behind its word"),
        ("x.bin", b"2 1\na 1234bbbb 12", "word 1: ends after 2 of 4 bytes"),
    ],
)
def test_what_is_refused(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VqbenchError, match=words) as error:
        read(tmp_path / name, Wanted())
    assert "\n" not in str(error.value)


@settings(max_examples=40)
@given(
    words=st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1), min_size=2, unique=True
    ),
    ending=st.sampled_from([".vec", ".bin"]),
)
def test_any_words(tmp_path: Path, words: list[str], ending: str) -> None:
    words = words[: len(X)]
    write_words(tmp_path / f"x{ending}", X[: len(words)], words)
    _same(read(tmp_path / f"x{ending}", Wanted()), words)
