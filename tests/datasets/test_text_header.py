"""A first row of numbers in a table of text: names, a row, or refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from vqbench.datasets.formats import read
from vqbench.datasets.readers.base import Content, Wanted
from vqbench.datasets.text_columns import distinct_names
from vqbench.errors import VqbenchError

N, D = 60, 16
X = np.random.default_rng(0).normal(size=(N, D)).round(6)
WHOLE = np.random.default_rng(1).integers(-40, 41, (N, D))
WORDS = [f"w{row}" for row in range(N)]
GAPS = [5, 17, 200, *range(300, 313)]  # increasing numbers that do not count
AMBIGUOUS = "row 1: .*: may be a header or a row of numbers; delete it if it is a header, or put a row of names"


def _same(content: Content, x_nd: NDArray, ids: list[str] | None = None) -> None:
    order = np.argsort(x_nd[0]), np.argsort(content.rows_nd[:][0])  # numbered columns are read in their order
    np.testing.assert_array_equal(content.rows_nd[:][:, order[1]], x_nd[:, order[0]])
    assert (None if content.ids is None else list(content.ids)) == ids


NAMES = {
    "from 2": range(2, 2 + D),
    "from 0": range(D),
    "from 1": range(1, 1 + D),
    "down": range(D - 1, -1, -1),
    "zeros in front": [f"{column:03d}" for column in range(D)],
    "floats": [float(column) for column in range(D)],
}


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("index", ["none", "pandas", "word", "title", "label"])
@pytest.mark.parametrize("whole", [False, True])
def test_numbers_that_count_are_names(tmp_path: Path, names: str, index: str, whole: bool) -> None:
    x_nd = WHOLE if whole else X
    table, ids = pd.DataFrame(x_nd, columns=[str(each) for each in NAMES[names]]), None
    if index in ("word", "title"):
        table.insert(0, index, WORDS)
        ids = WORDS
    elif index == "label":
        table.insert(0, index, np.arange(N) % 3)
    elif index == "pandas":
        ids = [str(row) for row in range(N)]
    table.to_csv(tmp_path / "x.csv", index=index == "pandas")
    _same(read(tmp_path / "x.csv", Wanted()), x_nd, ids)


@pytest.mark.parametrize("index", ["pandas", "id", "label", "rows of words"])
def test_numbers_in_any_order_are_names_beside_a_name(tmp_path: Path, index: str) -> None:
    """Or beside no name, above an id in each row."""
    table = pd.DataFrame(X, columns=[str(each) for each in GAPS])
    ids = [str(row) for row in range(N)] if index == "pandas" else None
    if index in ("id", "rows of words"):
        table.insert(0, "id" if index == "id" else "", WORDS)
        ids = WORDS
    elif index == "label":
        table[index] = np.arange(N) % 3
    table.to_csv(tmp_path / "x.csv", index=index == "pandas")
    _same(read(tmp_path / "x.csv", Wanted()), X, ids)


@pytest.mark.parametrize("first", ["", "word,"])
def test_other_whole_numbers_above_decimals_are_refused(tmp_path: Path, first: str) -> None:
    """And both remedies work."""
    lines = [",".join(map(repr, row)) for row in X.tolist()]
    lines = [f"{word},{line}" for word, line in zip(WORDS, lines, strict=True)] if first else lines
    row = first + ",".join(map(str, GAPS))
    names = first + ",".join(f"d{column}" for column in range(D))
    path, ids = tmp_path / "x.csv", WORDS if first else None
    path.write_text("\n".join(["sep=,", row, *lines]))
    with pytest.raises(VqbenchError, match=AMBIGUOUS.replace("row 1", "row 2")):
        read(path, Wanted())
    path.write_text("\n".join(lines))
    _same(read(path, Wanted()), X, ids)
    path.write_text("\n".join([names, row, *lines]))
    assert len(read(path, Wanted()).rows_nd) == N + 1


def test_rows_that_all_count_are_refused(tmp_path: Path) -> None:
    """And one that counts from below 0."""
    pd.DataFrame(X, columns=range(-3, D - 3)).to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(VqbenchError, match=AMBIGUOUS):
        read(tmp_path / "x.csv", Wanted())
    np.savetxt(tmp_path / "x.csv", np.arange(96).reshape(6, 16), fmt="%d", delimiter=",")
    with pytest.raises(VqbenchError, match=AMBIGUOUS):
        read(tmp_path / "x.csv", Wanted())


@pytest.mark.parametrize("row", [WHOLE[0], np.zeros(D, int), np.tile([0, 1], D // 2)])
def test_rows_of_numbers_are_rows(tmp_path: Path, row: NDArray) -> None:
    """Above whole numbers, or where some are alike."""
    x_nd = np.vstack([row, WHOLE])
    np.savetxt(tmp_path / "x.csv", x_nd, fmt="%d", delimiter=",")
    _same(read(tmp_path / "x.csv", Wanted()), x_nd)


@pytest.mark.parametrize("first", ["word", "token"])
def test_counting_names_above_words(tmp_path: Path, first: str) -> None:
    """Of a .txt file with blanks: the first line is no word vector."""
    lines = [f"{word} {' '.join(map(repr, row))}" for word, row in zip(WORDS, X.tolist(), strict=True)]
    path = tmp_path / "x.txt"
    for names in (range(D), range(2, 2 + D)):
        path.write_text("\n".join([f"{first} {' '.join(map(str, names))}", *lines]))
        _same(read(path, Wanted()), X, WORDS)
    path.write_text("\n".join([f"{first} {' '.join(map(str, GAPS))}", *lines]))
    with pytest.raises(VqbenchError, match=AMBIGUOUS):
        read(path, Wanted())


@pytest.mark.parametrize("filler", ["", "n/a", "NA", "null", "N/A", "-"])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("n", [250, 3, 399])
def test_a_dimension_that_is_empty_at_first(tmp_path: Path, filler: str, header: bool, n: int) -> None:
    """Is one all the same, and rows without a number in it hold no vector."""
    x_nd = np.random.default_rng(2).normal(size=(400, 4))
    table = pd.DataFrame(x_nd, columns=[f"d{column}" for column in range(4)]).astype(object)
    table.iloc[:n, 2] = filler
    table.to_csv(tmp_path / "x.csv", index=False, header=header)
    content = read(tmp_path / "x.csv", Wanted())
    assert content.rows_nd.shape == (400, 4)
    assert dict(content.gaps) == dict.fromkeys(range(n), "field 3 holds no number")
    np.testing.assert_array_equal(content.rows_nd[n:], x_nd[n:])


def test_a_column_that_is_always_empty(tmp_path: Path) -> None:
    table = pd.DataFrame(X[:, :3], columns=list("abc")).assign(d="", e="n/a")  # e may be words
    table.to_csv(tmp_path / "x.csv", index=False)
    content = read(tmp_path / "x.csv", Wanted())
    _same(content, X[:, :3])
    assert "not used: d (empty), e (text)" in content.taken


@pytest.mark.parametrize(("low", "high"), [(0, 256), (-128, 128)])
@pytest.mark.parametrize(("n", "start"), [(300, 1000), (300, 0), (30, 1000), (5000, 10**4)])
def test_shuffled_ids_beside_bytes(tmp_path: Path, low: int, high: int, n: int, start: int) -> None:
    """Are ids in the first column, and refused with settings in another."""
    rng = np.random.default_rng(3)
    x_nd, ids = rng.integers(low, high, (n, D)), start + rng.permutation(n)
    path = tmp_path / "x.csv"
    np.savetxt(path, np.c_[ids, x_nd], fmt="%d", delimiter=",")
    _same(read(path, Wanted()), x_nd, [str(each) for each in ids])
    np.savetxt(path, np.c_[x_nd, ids], fmt="%d", delimiter=",")
    with pytest.raises(VqbenchError, match="column 'c17': .*may be ids, labels or counts") as error:
        read(path, Wanted())
    keys = re.findall(r"dataset\.key=(\S+?),? ", str(error.value))
    assert [read(path, Wanted(key=key)).rows_nd.shape[1] for key in keys] == [D, D + 1]


@pytest.mark.parametrize(("mark", "between"), [(",", ";"), (".", ";"), (".", ","), (",", "\t"), (".", "\t")])
def test_thousands_or_decimals(tmp_path: Path, mark: str, between: str) -> None:
    """Where whole numbers up to 999 have no mark, three digits behind it may be thousands."""
    x_nd = np.random.default_rng(4).integers(-9999, 10_000, (N, D))
    x_nd[3, 4] = 789
    text = "\n".join(between.join(f"{x:,}".replace(",", mark) for x in row) for row in x_nd.tolist())
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(VqbenchError, match=f"row 1: .*: '[{mark}]' could stand between thousands or before decimals"):
        read(tmp_path / "x.csv", Wanted())


@pytest.mark.parametrize("form", ["{:.3f}", "{:.4f}"])
@pytest.mark.parametrize("ids", [True, False])
def test_three_decimals_are_decimals(tmp_path: Path, form: str, ids: bool) -> None:
    x_nd = np.array([[float(form.format(x)) for x in row] for row in X])
    lines = (";".join(form.format(x).replace(".", ",") for x in row) for row in x_nd)
    (tmp_path / "x.csv").write_text("\n".join(f"{i};{line}" if ids else line for i, line in enumerate(lines)))
    _same(read(tmp_path / "x.csv", Wanted()), x_nd, [str(i) for i in range(N)] if ids else None)


def test_names_that_occur_twice_are_told_apart() -> None:
    assert distinct_names(["a.1", "a", "a", " ", "a"]) == ("a.1", "a", "a.2", "Unnamed: 3", "a.3")
    assert len(set(distinct_names(["x"] * 20_000))) == 20_000
