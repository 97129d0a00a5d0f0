"""Tables of text: how they are written is recognised, and only columns that are dimensions are taken for such."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from vqbench.datasets import text_blocks
from vqbench.datasets.formats import read
from vqbench.datasets.readers.base import Content, Wanted
from vqbench.datasets.row_checks import checked_rows
from vqbench.datasets.text_dialect import Dialect
from vqbench.datasets.text_table import TextTable
from vqbench.errors import VqbenchError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 6))
IDS = [f"é{row}" for row in range(50)]
CLASSES = RNG.integers(0, 5, 50)
D = pd.DataFrame(X, columns=[f"d{column}" for column in range(6)])
LETTERS = pd.DataFrame(X, columns=list("abcdef"))


def _read(path: Path, text: str | bytes | pd.DataFrame, encoding: str = "utf-8", **wanted: str) -> Content:
    plain = text if isinstance(text, str | bytes) else text.to_csv(index=False)
    path.write_bytes(plain if isinstance(plain, bytes) else plain.encode(encoding))
    return read(path, Wanted(**wanted))


def _same(content: Content, x_nd: NDArray, ids: list[str] | None = None) -> None:
    np.testing.assert_array_equal(content.rows_nd[:], x_nd)
    assert (None if content.ids is None else list(content.ids)) == ids


def _lines(delimiter: str, decimal: str = ".", end: str = "\n") -> str:
    return end.join(delimiter.join(repr(x).replace(".", decimal) for x in row) for row in X.tolist()) + end


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " ", "  ", ", "])
@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.txt"])
def test_what_stands_between_fields(tmp_path: Path, delimiter: str, name: str) -> None:
    content = _read(tmp_path / name, _lines(delimiter))
    _same(content, X)
    assert content.taken.startswith(f"{name}: columns 'c1-c6' (float64, 50 x 6")
    assert ("semicolons between fields" in content.taken) == (delimiter == ";")


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_decimal_commas(tmp_path: Path, delimiter: str) -> None:
    content = _read(tmp_path / "x.csv", _lines(delimiter, ","))
    _same(content, X)
    assert "decimal commas" in content.taken
    quoted = D.assign(id=IDS).to_csv(index=False, decimal=",", quoting=csv.QUOTE_NONNUMERIC)
    _same(_read(tmp_path / "x.csv", quoted), X, IDS)


@pytest.mark.parametrize("form", [repr, "{:.6f}".format, "{:.3f}".format])
@pytest.mark.parametrize("ids", [False, True])
@pytest.mark.parametrize("header", ["", "a,b,c,d,e,f\n"])
def test_decimal_commas_between_commas(tmp_path: Path, form, ids: bool, header: str) -> None:
    """Never read as twice as many numbers."""
    for count in (1, 50):
        rows = [[form(x).replace(".", ",") for x in row] for row in (X / 9)[:count].tolist()]
        text = header + "".join(",".join([*([str(i)] if ids else []), *row]) + "\n" for i, row in enumerate(rows))
        with pytest.raises(VqbenchError, match="commas stand both between numbers and before their decimals"):
            _read(tmp_path / "x.csv", text)
    with pytest.raises(VqbenchError, match="row 1: '-0,204100': commas stand both"):
        _read(tmp_path / "x.csv", "-0,204100,0,728300\n")


@pytest.mark.parametrize(
    "x_nd",
    [
        RNG.integers(0, 256, (50, 8)),
        RNG.integers(-128, 128, (50, 8)),
        RNG.integers(0, 2, (50, 8)),
        np.tile([0, 117], (50, 4)) * RNG.integers(0, 2, (50, 8)) + RNG.integers(0, 2, (50, 8)),
        np.round(X),
    ],
    ids=["uint8", "int8", "bits", "sparse", "rounded"],
)
def test_whole_numbers_are_no_decimals(tmp_path: Path, x_nd: NDArray) -> None:
    """Nor is their sign, of which %.0f leaves one before 0."""
    text = io.StringIO()
    np.savetxt(text, x_nd, fmt="%.0f", delimiter=",")
    _same(_read(tmp_path / "x.csv", text.getvalue()), x_nd)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, end: str) -> None:
    text = D.assign(id=IDS).to_csv(index=False, lineterminator=end)
    _same(_read(tmp_path / "x.csv", text, encoding), X, IDS)
    _same(_read(tmp_path / "x.csv", text + 3 * end, encoding), X, IDS)
    _same(_read(tmp_path / "x.csv", text.removesuffix(end), encoding), X, IDS)


def test_encodings_that_are_refused(tmp_path: Path) -> None:
    text = D.assign(id=IDS).to_csv(index=False)
    for encoding, words in (
        (
            "latin-1",
            r"line 2: byte 0xe9 is not UTF-8: .* if it is Latin-1, convert it: iconv -f LATIN1 -t UTF-8 .*x.csv > ",
        ),
        ("utf-16-le", "line 1: a NUL character: .* UTF-16 without a mark: iconv"),
        ("utf-32", "UTF-32: needs UTF-8 or UTF-16; convert it: iconv"),
    ):
        with pytest.raises(VqbenchError, match=words):
            _read(tmp_path / "x.csv", text, encoding)
    with pytest.raises(VqbenchError, match="not UTF-16, as its first bytes say"):
        _read(tmp_path / "x.csv", text.encode("utf-16")[:-1])


@pytest.mark.parametrize(
    ("name", "used"),
    [("id", True), ("doc_id", True), ("docId", True), ("Unnamed: 0", True), ("", True), ("label", False),
     ("class", False), ("target", False), ("count", False), ("n_tokens", False), ("year", False)],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 3, 6])
@pytest.mark.parametrize("table", [D, LETTERS], ids=["numbered", "named"])
def test_columns_that_are_called_like_ids_or_counts(
    tmp_path: Path, name: str, used: bool, place: int, table: pd.DataFrame
) -> None:
    """Wherever they stand, and whatever the others are called: no dimensions, and ids if they are called so.

    pandas' index stands in the first column.
    """
    used &= name not in ("", "Unnamed: 0") or not place
    table = table.copy()
    table.insert(place, name, np.arange(50) + 7)
    content = _read(tmp_path / "x.csv", table)
    _same(content, X, [str(row + 7) for row in range(50)] if used else None)
    shown = name or f"Unnamed: {place}"
    assert (f"ids from '{shown}'" if used else f"not used: {shown} (whole numbers)") in content.taken
    table[name] = np.linspace(0, 1, 50)
    _same(_read(tmp_path / "x.csv", table), X, [repr(float(x)) for x in table[name]] if used else None)


@pytest.mark.parametrize("place", [0, 3, 6])
@pytest.mark.parametrize("columns", ["letters", "numbers", "none", "savetxt"])
def test_whole_numbers_beside_decimals(tmp_path: Path, place: int, columns: str) -> None:
    """That differ in the first column, they are ids; else they are refused with settings that work."""
    x_nd = np.insert(X, place, CLASSES, axis=1)
    names = (
        list("abcdefg") if columns == "letters" else [str(i) if columns == "numbers" else f"c{i + 1}" for i in range(7)]
    )
    table = pd.DataFrame(x_nd, columns=names).astype({names[place]: int})

    def written() -> str:
        text = io.StringIO()
        if columns == "savetxt":
            np.savetxt(text, table, delimiter=",", fmt="%.18e")
        else:
            table.to_csv(text, index=False, header=columns != "none")
        return text.getvalue()

    with pytest.raises(VqbenchError, match=f"column '{names[place]}': whole numbers .*may be ids, labels") as error:
        _read(tmp_path / "x.csv", written())
    keys = re.findall(r"dataset\.key=(\S+)", str(error.value))
    _same(_read(tmp_path / "x.csv", written(), key=keys[0]), X)
    _same(_read(tmp_path / "x.csv", written(), key=keys[1]), x_nd)
    _same(_read(tmp_path / "x.csv", written(), labels=names[place]), X)
    table[names[place]] = RNG.permutation(50)
    form = "{:.18e}" if columns == "savetxt" else "{}"  # as they are written
    ids = [form.format(i) for i in table[names[place]]]
    if place == 0:
        _same(_read(tmp_path / "x.csv", written()), X, ids)
    _same(_read(tmp_path / "x.csv", written(), id_column=names[place]), X, ids)


def test_a_column_of_another_size(tmp_path: Path) -> None:
    with pytest.raises(VqbenchError, match="column 'at': numbers .* times as large as the others: .*key=a-f leaves it"):
        _read(tmp_path / "x.csv", LETTERS.assign(at=1.7e9 + X[:, 0]))
    large = LETTERS.assign(g=60 * X[:, 0])  # such as the largest dimension of CLIP
    _same(_read(tmp_path / "x.csv", large), large.to_numpy())
    _same(_read(tmp_path / "x.csv", D.assign(score=1e6 * X[:, 0])), X)


def test_numbers_of_rows_beside_bytes(tmp_path: Path) -> None:
    x_nd = RNG.integers(0, 256, (50, 8))
    for numbers in (np.arange(50), np.arange(50) * 3 + 10**6, RNG.permutation(50) + 10**6):
        text = pd.DataFrame(np.c_[numbers, x_nd]).to_csv(index=False, header=False)
        _same(_read(tmp_path / "x.csv", text), x_nd, [str(i) for i in numbers])
    with pytest.raises(VqbenchError, match="column 'c9': whole numbers that rise from row to row"):
        _read(tmp_path / "x.csv", pd.DataFrame(np.c_[x_nd, np.arange(50)]).to_csv(index=False, header=False))


def test_a_dimension_of_zeros_is_one(tmp_path: Path) -> None:
    x_nd = np.insert(X, 2, -0.0, axis=1)
    _same(_read(tmp_path / "x.csv", pd.DataFrame(x_nd).to_csv(index=False, header=False)), x_nd)


def test_what_only_later_rows_tell(tmp_path: Path) -> None:
    """A first column of whole numbers in the first rows that has decimals later is a dimension."""
    x_nd = 99 * RNG.normal(size=(400, 3))
    x_nd[:399, 0] = np.arange(399)
    x_nd[399, 0] = 0.5
    _same(_read(tmp_path / "x.csv", pd.DataFrame(x_nd).to_csv(index=False, header=False)), x_nd)
    x_nd[:, 0] = 0.25
    x_nd[399] = np.nan
    content = _read(tmp_path / "x.csv", pd.DataFrame(x_nd).to_csv(index=False, header=False))
    assert dict(content.gaps) == {399: "field 3 holds no number"}


def test_texts_beside_numbers(tmp_path: Path) -> None:
    texts = [f'some, "text"\n{row % 3}' for row in range(50)]
    table = D.assign(text=texts, key=IDS, label=CLASSES)
    content = _read(tmp_path / "x.csv", table, texts="text", labels="label")
    _same(content, X, IDS)
    assert content.texts == texts
    assert content.labels == [str(x) for x in CLASSES]
    assert content.taken == (
        "x.csv: columns 'd0-d5' (float64, 50 x 6), ids from 'key', texts from 'text', labels from 'label'"
    )
    _same(_read(tmp_path / "x.csv", table[["text", *D]]), X)  # repeats, so it is no id
    _same(_read(tmp_path / "x.csv", D.assign(title=IDS)[["title", *D]]), X, IDS)
    _same(_read(tmp_path / "x.csv", D.assign(title=IDS, more=IDS)[["title", "more", *D]]), X)
    with pytest.raises(VqbenchError, match="dataset.id_column=none numbers the rows"):
        _read(tmp_path / "x.csv", D.assign(id=CLASSES))
    with pytest.raises(VqbenchError, match="dataset.id_column=title names values that all differ"):
        _read(tmp_path / "x.csv", D.assign(id=CLASSES, title=IDS))
    _same(_read(tmp_path / "x.csv", D.assign(id=CLASSES), id_column="none"), X)


def test_keys_name_columns(tmp_path: Path) -> None:
    pairs = pd.concat([D.add_prefix("doc_"), (-D).add_prefix("query_")], axis=1)
    content = _read(tmp_path / "x.csv", pairs)
    _same(content, X)
    assert content.queries_qd is not None
    np.testing.assert_array_equal(content.queries_qd[:], -X)
    _same(_read(tmp_path / "x.csv", pairs, key="query_*"), -X)
    _same(_read(tmp_path / "x.csv", pairs, key="doc_d1+query_d2-query_d4"), np.c_[X[:, 1], -X[:, 2:5]])
    both = pd.concat([D.add_prefix("u_"), D.add_prefix("v_")], axis=1)
    with pytest.raises(VqbenchError, match="columns u_d0-u_d5 .*, v_d0-v_d5 .*choose with dataset.key=NAME"):
        _read(tmp_path / "x.csv", both)
    with pytest.raises(VqbenchError, match="dataset.key=w_.: no such column"):
        _read(tmp_path / "x.csv", both, key="w_*")
    shuffled = pd.DataFrame(RNG.normal(size=(50, 12)), columns=[f"d{i}" for i in range(12)])
    for key in ({}, {"key": "d*"}):  # in the order of their numbers
        _same(_read(tmp_path / "x.csv", shuffled[sorted(shuffled)], **key), shuffled.to_numpy())


@pytest.mark.parametrize(
    "form",
    [
        lambda row: str(row.tolist()),
        lambda row: "{" + ",".join(map(repr, row.tolist())) + "}",
        lambda row: str(list(row)),  # np.float64(...)
        lambda row: np.array2string(row, floatmode="unique"),
        lambda row: repr(row),
    ],
    ids=["json", "postgres", "numpy2", "printed", "array"],
)
@pytest.mark.parametrize("header", [True, False])
def test_lists_in_a_column(tmp_path: Path, form, header: bool) -> None:
    with np.printoptions(floatmode="unique"):
        table = pd.DataFrame({"id": range(50), "x": [form(row) for row in X], "n": CLASSES})
    _same(_read(tmp_path / "x.csv", table.to_csv(index=False, header=header)), X, [str(i) for i in range(50)])
    _same(_read(tmp_path / "x.tsv", table.to_csv(index=False, header=header, sep="\t")), X, [str(i) for i in range(50)])


def test_lists_that_are_missing_or_short(tmp_path: Path) -> None:
    lists = [str(row.tolist()) for row in X]
    lists[3], lists[7], lists[9], lists[11] = "", "[]", "[1.5, 2.5]", "null"
    content = _read(tmp_path / "x.csv", pd.DataFrame({"id": IDS, "x": lists}))
    assert dict(content.gaps) == {
        3: "no list",
        7: "an empty list",
        9: "2 numbers where most rows have 6",
        11: "no list",
    }
    kept = [row for row in range(50) if row not in content.gaps]
    np.testing.assert_array_equal(content.rows_nd[:][kept], X[kept])
    assert np.isnan(content.rows_nd[:][list(content.gaps)]).all()
    for text, words in (
        ("[1.5, x, 1, 1, 1, 1]", "row 5, column 'x': 'x' in a list: every row needs a list of numbers"),
        ("[1.5, [2]]", "row 5, column 'x': "),
        ("words", "row 5, column 'x': 'words': every row needs a list of numbers"),
        ("[0.5 0.25 ... 1.5]", r"row 5, column 'x': .*: numpy printed only some of the numbers; write the lists again"),
    ):
        lists[5] = text
        with pytest.raises(VqbenchError, match=words):
            _read(tmp_path / "x.csv", pd.DataFrame({"id": IDS, "x": lists}))
    tokens = pd.DataFrame({"id": IDS, "input_ids": [str(row) for row in RNG.integers(0, 99, (50, 6)).tolist()]})
    with pytest.raises(VqbenchError, match="input_ids .lists of whole numbers.: whole numbers may be token ids"):
        _read(tmp_path / "x.csv", tokens)
    _same(_read(tmp_path / "x.csv", tokens.assign(x=[str(row.tolist()) for row in X], score=X[:, 0])), X, IDS)


@pytest.mark.parametrize(
    "text",
    ["+1.5", "1e-400", "-1e-400", "5e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "9007199254740993",
     "1.7976931348623158e308", "1e400", "inf", "-Infinity", "nan", ".5", "5.", "1E5", "1e+05", " 1.5 ",
     "0.1" + "0" * 400,
     "0.1000000000000000055511151231257827021181583404541015625"],
)  # fmt: skip
def test_numbers_are_those_of_python(tmp_path: Path, text: str) -> None:
    _same(_read(tmp_path / "x.csv", f"{text},2.5\n0.5,0.25\n"), np.array([[float(text), 2.5], [0.5, 0.25]]))


@pytest.mark.parametrize("text", ["0x10", "1_0", "1d5", "--1", "1 2", "True", "1,234.5", "\uff11", "1.5x"])
def test_what_is_no_number(tmp_path: Path, text: str) -> None:
    with pytest.raises(VqbenchError, match=r"row 3, field 2: .*: every field must be a number") as error:
        _read(tmp_path / "x.csv", f'0.5,0.25\n0.5,0.25\n1.5,"{text}"\n')
    assert text in str(error.value)


FLOATS = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6), elements=st.floats(-9, -0.5)
)
TEXTS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=6, max_size=6)


@settings(max_examples=60)
@given(
    x_nd=FLOATS,
    names=TEXTS,
    delimiter=st.sampled_from(",;\t|"),
    header=st.booleans(),
)
def test_round_trip_by_csv(tmp_path: Path, x_nd: NDArray, names: list[str], delimiter: str, header: bool) -> None:
    """Ids of any characters, that csv quotes where it must."""
    assume(not (np.floor(x_nd) == x_nd).all(axis=0).any())
    ids = [f"x{row} {name}" for row, name in enumerate(names)][: len(x_nd)]
    with (tmp_path / "x.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        if header:
            writer.writerow(["id", *(f"e{column}" for column in range(x_nd.shape[1]))])
        writer.writerows([i, *row] for i, row in zip(ids, x_nd.tolist(), strict=True))
    _same(read(tmp_path / "x.csv", Wanted()), x_nd, ids)


def test_blocks_end_at_line_ends_outside_of_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.csv"
    path.write_text('a,"b\n""c"\nd,e\r\n"\n\n",f', "utf-8", newline="")
    blocks = list[bytes]()
    for size in range(1, 30):
        monkeypatch.setattr(text_blocks, "_BLOCK", size)
        blocks = list(text_blocks.blocks_of(path, quoted=True))
        assert b"".join(blocks) == b'a,"b\n""c"\nd,e\r\n"\n\n",f\n'
        assert all(block.count(b'"') % 2 == 0 for block in blocks)
    assert len(blocks) == 2
    monkeypatch.setattr(text_blocks, "LINE", 20)
    path.write_text("1,2\n" + "3" * 30, "utf-8")
    with pytest.raises(VqbenchError, match="line 2: 20 characters and more: a line is one row"):
        list(text_blocks.blocks_of(path, quoted=True))


@settings(max_examples=60)
@given(
    texts=st.lists(st.text(st.sampled_from('a,;"\n\r é')), min_size=1, max_size=12),
    size=st.integers(1, 40),
    delimiter=st.sampled_from(",;\t|"),
)
def test_tables_in_small_blocks(tmp_path: Path, texts: list[str], size: int, delimiter: str) -> None:
    """Whatever stands in quotes, and wherever a block ends in it."""
    x_nd = np.arange(2.0 * len(texts)).reshape(-1, 2) / 4
    with (tmp_path / "x.csv").open("w", encoding="utf-8", newline="") as file:
        rows = [[f"x{text}", *row] for text, row in zip(texts, x_nd.tolist(), strict=True)]
        csv.writer(file, delimiter=delimiter).writerows(rows)
    table = TextTable(path=tmp_path / "x.csv", dialect=Dialect(delimiter=delimiter), width=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_blocks, "_BLOCK", size)
        np.testing.assert_array_equal(np.concatenate([block.rows_nd for block in table.numbers([1, 2])]), x_nd)
        assert [text for batch in table.texts(0) for text in batch] == [f"x{text}" for text in texts]


def test_many_blocks(tmp_path: Path) -> None:
    """More than one block of 2 MiB: threads, errors with their row numbers, ids."""
    x_nd = RNG.normal(size=(20_000, 20))
    table = pd.DataFrame(x_nd).assign(id=[f"row {i}" for i in range(20_000)], more='a "text"')
    content = _read(tmp_path / "x.csv", table)
    _same(content, x_nd, list(table["id"]))
    lines = table.to_csv(index=False).splitlines()
    for line, words in (
        (lines[5].replace("0.", "x.", 1), "row 15001, field "),
        (lines[5] + ",1", "row 15001: 23 fields"),
    ):
        with pytest.raises(VqbenchError, match=words):
            _read(tmp_path / "x.csv", "\n".join([*lines[:15000], line, *lines[15001:]]))


def test_lines_of_comments(tmp_path: Path) -> None:
    """As numpy.savetxt writes a header; a row whose id begins alike is none."""
    for header, name in (("a b c d e f", "a-f"), ("made by me", "c1-c6")):
        np.savetxt(tmp_path / "x.txt", X, header=header)
        content = read(tmp_path / "x.txt", Wanted())
        _same(content, X)
        assert f"columns '{name}'" in content.taken
    _same(
        _read(
            tmp_path / "x.csv", "".join(f"#{i},{line}\n" for i, line in zip(IDS, _lines(",").splitlines(), strict=True))
        ),
        X,
        [f"#{i}" for i in IDS],
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 1:0.5 2:0.3\n0 1:0.2 2:0.1\n", r"columns with vectors: none; it has c1 .whole numbers., c2 .text."),
        ("1+2j,0.5\n2+1j,0.25\n", r"columns with vectors: none; it has c1 .text., c2 .numbers."),
        (
            "a\t0.5,0.25,0.75\nb\t0.75,1.25,0.5\n",
            r"column 'c1': 'a.*0.5' ends in a number: all fields need the same delimiter",
        ),
        ("name,count\na,0.5\nb,0.75\n", "columns with vectors: none"),
        ('{"id": 1, "e": [0.1, 0.2]}\n{"id": 2, "e": [0.1, 0.2]}\n', "x.csv: "),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 123\n", "x.csv: "),
    ],
)
def test_what_is_no_table_of_vectors(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(VqbenchError, match=words):
        _read(tmp_path / "x.csv", text)


def test_the_line_that_tells_spreadsheets_the_mark(tmp_path: Path) -> None:
    _same(_read(tmp_path / "x.csv", "sep=;\n" + _lines(";", ",")), X)


def test_a_gap_is_a_bad_row(tmp_path: Path) -> None:
    content = _read(tmp_path / "x.csv", "id,a,b\n1,2.5,3\n4,,5\n6,1.5,2.5\n")
    assert dict(content.gaps) == {1: "field 2 holds no number"}
    assert list(checked_rows(content.rows_nd, content.ids, "x", True, drop=True).dropped) == [1]
