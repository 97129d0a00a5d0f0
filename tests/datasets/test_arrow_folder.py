"""Folders as ``Dataset.save_to_disk`` writes them: read as the rows that are there, or refused in a sentence."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from writers import lists, save

from vqbench.datasets import unpacking
from vqbench.datasets.file import File
from vqbench.datasets.formats import read
from vqbench.datasets.prepare import prepare
from vqbench.datasets.readers.base import Wanted
from vqbench.errors import VqbenchError

ROWS = np.random.default_rng(0).integers(1, 100, (37, 5)).astype(np.float32)
IDS = [f"é{row}" for row in range(37)]


def _table(x_nd: np.ndarray = ROWS, kind: str = "list", **more) -> pa.Table:
    return pa.table({"embedding": lists(x_nd, kind), **more})


def _refused(folder: Path, message: str, **wanted) -> None:
    with pytest.raises(VqbenchError, match=message):
        read(folder, Wanted(**wanted))


@pytest.mark.parametrize("kept", [0, unpacking.KEPT])
@pytest.mark.parametrize("kind", ["list", "large", "fixed"])
def test_rows_and_ids_of_several_files(tmp_path: Path, kind: str, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "KEPT", kept)
    texts = ["x" * row for row in range(37)]
    whole = _table(kind=kind, id=IDS, text=texts)
    folder = save(tmp_path / "x", whole[:20], whole[20:20], whole[20:])
    found = read(folder, Wanted())
    np.testing.assert_array_equal(found.rows_nd[:], ROWS)
    assert found.rows_nd.dtype == np.float32
    assert found.ids == IDS
    assert read(folder, Wanted(id_column="text")).ids == texts
    assert read(save(tmp_path / "y", whole.drop_columns("id")), Wanted()).ids is None


@settings(max_examples=15)
@given(
    kind=st.sampled_from(["f2", "f4", "f8", "i1", "u1", "i4", "u8"]),
    d=st.integers(1, 4),
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=4).filter(any),
    batch=st.integers(1, 5),
)
def test_any_type_and_any_cut_into_files_and_batches(
    tmp_path_factory: pytest.TempPathFactory, kind: str, d: int, sizes: list[int], batch: int
) -> None:
    x_nd = np.arange(1, sum(sizes) * d + 1).reshape(-1, d).astype(kind)
    edges = np.cumsum([0, *sizes])
    whole = _table(x_nd, id=np.arange(len(x_nd)))
    tables = [whole[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    found = read(save(tmp_path_factory.mktemp("x"), *tables, batch=batch), Wanted(key="embedding"))
    assert found.rows_nd[:].tobytes() == x_nd.tobytes()
    assert list(found.ids) == [str(row) for row in range(len(x_nd))]


def test_which_column(tmp_path: Path) -> None:
    folder = save(tmp_path / "x", _table(other=lists(ROWS + 1), name=IDS))
    _refused(folder, "columns embedding .*, other .*: more than one column could hold .*dataset.key=embedding$")
    _refused(folder, "dataset.key=none: no such column", key="none")
    _refused(
        folder, r"dataset.key=name: this column is text: it could be: embedding \(lists of float32\), other", key="name"
    )
    _refused(folder, "dataset.id_column=no: no such column: it could be: name", key="other", id_column="no")
    np.testing.assert_array_equal(read(folder, Wanted(key="other")).rows_nd[:], ROWS + 1)
    twice = pa.Table.from_arrays([lists(ROWS), lists(ROWS)], names=["e", "e"])
    _refused(save(tmp_path / "y", twice), "dataset.key=e: this column is 2 columns of this name", key="e")


def test_rows_that_are_no_vectors(tmp_path: Path) -> None:
    x = pa.array([[1.0, 2.0], [3.0, 4.0], [5.0], None, [], [6.0, None]])
    content = read(save(tmp_path / "a", pa.table({"e": x}), batch=2), Wanted())
    reasons = ["1 number where most rows have 2", "null", "an empty list", "null among its numbers"]
    assert content.gaps == dict(zip(range(2, 6), reasons, strict=True))
    np.testing.assert_array_equal(content.rows_nd[:], [[1, 2], [3, 4], *[[np.nan, np.nan]] * 4])
    _refused(save(tmp_path / "d", pa.table({"e": [[1.0], [2.0]], "id": ["a", None]})), "row 1, column id: null")
    _refused(save(tmp_path / "e", _table()[:0]), "0 rows: needs at least one")
    _refused(save(tmp_path / "f", _table(), _table(ROWS.astype(np.float64))), "00001-of-00002.arrow: columns unlike")


NAMES = [
    "../x.arrow",
    "/etc/passwd",
    "sub/x.arrow",
    "..",
    ".",
    "",
    "C:x",
    "a\\b",
    "a\0b",
    "a\ud800",
    "a\x1b[2J",
    None,
    7,
    ["x"],
]


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_no_file_outside_the_folder_is_opened(tmp_path: Path, name: object) -> None:
    save(tmp_path, _table())
    folder = save(tmp_path / "x", _table())
    (tmp_path / "data-00000-of-00001.arrow").rename(tmp_path / "x.arrow")
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}), "utf-8")
    _refused(folder, "state.json: filename: .*: must name a file of the folder")


@pytest.mark.parametrize("linked", ["state.json", "data-00000-of-00001.arrow"])
@pytest.mark.parametrize("hard", [False, True])
def test_links_are_not_followed(tmp_path: Path, linked: str, hard: bool) -> None:
    """A second name of the same file is no way out of the folder; a symbolic link may be."""
    folder = save(tmp_path / "x", _table())
    (folder / linked).rename(tmp_path / linked)
    (os.link if hard else os.symlink)(tmp_path / linked, folder / linked)
    if hard:
        assert read(folder, Wanted()).rows_nd.shape == ROWS.shape
    else:
        _refused(folder, f"{linked}: is a link: must lie in the folder; copy the folder with cp -rL")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("{", "no JSON object"),
        ("[" * 100_000, "no JSON object"),
        ("[]", "no JSON object"),
        (" " * (1 << 20) + "{}", "no JSON object: needs one, of up to 1048576 bytes"),
        ("{}", "_data_files: None: needs a list of files"),
        ('{"_data_files": []}', r"_data_files: \[\]: needs a list"),
        ('{"_data_files": ["x"]}', "needs a list of files"),
        ('{"_data_files": [{"filename": "no.arrow"}]}', "no.arrow: not there, or no file"),
        ('{"_data_files": [{"filename": "sub"}]}', "sub: not there, or no file"),
        ('{"_data_files": [{"filename": "a"}], "_indices_data_files": [{"filename": "i"}]}', r"flatten_indices\(\)"),
    ],
    ids=lambda text: text[:30],
)
def test_bad_lists_of_files(tmp_path: Path, state: str, message: str) -> None:
    folder = save(tmp_path / "x", _table())
    (folder / "sub").mkdir()
    (folder / "state.json").write_text(state, "utf-8")
    _refused(folder, message)


def _end_of_stream() -> bytes:
    return struct.pack("<II", 0xFFFFFFFF, 0)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda x: x[:-8], "it ends at byte ([0-9]+) of \\1, and must end there with FF"),  # cut between batches
        (lambda x: x[:-9], ""),
        (lambda x: b"", ""),
        (lambda x: _end_of_stream(), "schema message"),
        (lambda x: x + b"\0", "it ends at byte [0-9]+ of [0-9]+"),
        (lambda x: x[:8] + x[8:-8] * 2 + x[-8:], ""),
        (lambda x: b"ARROW1\0\0" + x, "metadata bytes"),
        (lambda x: x[:4] + struct.pack("<I", 1 << 31) + x[8:], "negative metadata length"),
    ],
)
def test_streams_that_are_not_whole(tmp_path: Path, damage, message: str) -> None:
    folder = save(tmp_path / "x", _table())
    path = folder / "data-00000-of-00001.arrow"
    path.write_bytes(damage(path.read_bytes()))
    _refused(folder, rf"data-00000-of-00001.arrow: no Arrow stream \(.*{message}.*\): needs a whole one; save it again")


def _at(content: bytes, number: int, nth: int = -1) -> int:
    """Where a 64-bit number stands in a stream: the last time, or the nth."""
    places = [at for at in range(len(content) - 7) if content[at : at + 8] == struct.pack("<q", number)]
    return places[nth]


def test_what_the_writer_does_not_do_is_read_as_well(tmp_path: Path) -> None:
    """Compressed bodies and dictionaries."""
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    packed = save(tmp_path / "x", _table(np.ones((99, 9), "f4")), options=options)
    np.testing.assert_array_equal(read(packed, Wanted()).rows_nd[:], np.ones((99, 9)))
    coded = _table(name=pa.array(IDS).dictionary_encode())
    assert read(save(tmp_path / "y", coded), Wanted(id_column="name")).ids == IDS


@pytest.mark.parametrize("claimed", [2**62, -1, 2000])
def test_a_number_of_rows_that_is_not_true(tmp_path: Path, claimed: int) -> None:
    folder = save(tmp_path / "x", _table(np.ones((1234, 1), np.uint8)), batch=1234)
    path = folder / "data-00000-of-00001.arrow"
    good = path.read_bytes()
    rows = _at(good, 1234, 0)
    path.write_bytes(good[:rows] + struct.pack("<q", claimed) + good[rows + 8 :])
    _refused(folder, "no Arrow stream")


def test_a_batch_that_says_it_is_empty_is_looked_at(tmp_path: Path) -> None:
    """One whose number of rows is damaged to 0 must not vanish."""
    folder = save(tmp_path / "x", _table(ROWS[:5]), batch=3)
    path = folder / "data-00000-of-00001.arrow"
    good = path.read_bytes()
    batch = good.rindex(struct.pack("<q", 3))
    rows = good.index(struct.pack("<q", 2), batch)
    path.write_bytes(good[:rows] + bytes(8) + good[rows + 8 :])
    _refused(folder, "no Arrow stream")
    empty = _table(ROWS)[:0].to_batches() or [pa.RecordBatch.from_pylist([], schema=_table().schema)]
    with pa.ipc.new_stream(str(path), _table().schema) as stream:
        for batch in (*_table(ROWS[:2]).to_batches(), *empty, *_table(ROWS[2:4]).to_batches()):
            stream.write_batch(batch)
    np.testing.assert_array_equal(read(folder, Wanted()).rows_nd[:], ROWS[:4])


@pytest.mark.slow
def test_every_cut_is_refused(tmp_path: Path) -> None:
    folder = save(tmp_path / "x", _table(ROWS[:2]), batch=1)
    path = folder / "data-00000-of-00001.arrow"
    good = path.read_bytes()
    for size in range(len(good)):
        path.write_bytes(good[:size])
        _refused(folder, "no Arrow stream")


def test_a_dataset_from_such_folders(tmp_path: Path) -> None:
    """Corpus and queries alike; ids come from text files only, and a folder of another kind is none of vectors."""
    save(tmp_path / "mine", _table(id=IDS))
    save(tmp_path / "asked", _table(ROWS[:6] + 1))
    spec = File(path=str(tmp_path / "mine"), queries=str(tmp_path / "asked"))
    data = prepare(spec.load(), spec.title, queries=None, n_queries=None, normalize=False)
    assert (data.name, data.corpus.n, data.queries_qd.shape, data.ids) == ("mine", 37, (6, 5), IDS)
    np.testing.assert_array_equal(data.corpus.block(0, 37), ROWS)
    (tmp_path / "plain").mkdir()
    for path, more, message in (
        ("plain", {}, "plain: is a folder without a file of vectors"),
        ("none", {}, "none: no such file"),
        ("mine", {"ids": str(tmp_path / "mine")}, "mine: is a folder"),
    ):
        with pytest.raises(VqbenchError, match=message):
            File(path=str(tmp_path / path), **more).load()
