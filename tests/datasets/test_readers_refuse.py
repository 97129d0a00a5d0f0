"""What is wrong with a file is said in one sentence with the file, the place, the value and the rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from writers import write_parquet, write_vecs

from vqbench.datasets.formats import read
from vqbench.datasets.readers.base import Wanted
from vqbench.errors import VqbenchError

BYTES = np.random.default_rng(0).integers(1, 100, (37, 5)).astype(np.uint8)


def _int(*values: int) -> bytes:
    return b"".join(x.to_bytes(4, "little", signed=x < 0) for x in values)


def _refused(path: Path, words: str, content: bytes | None = None, **wanted) -> None:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VqbenchError, match=words) as error:
        read(path, Wanted(**wanted)).rows_nd[:]
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\1\0", "row 0: 2 bytes: each row begins with its dimension"),
        (_int(0, 0), "row 0: 0 dimensions"),
        (_int(-5, 1), "row 0: -5 dimensions"),
        (_int(2**31 - 1, 1), "row 0: 2147483647 dimensions"),
        (_int(1, 7, 1), "12 bytes: rows of 1 dimensions have 8 bytes, 4 are left over"),
        (_int(1, 7, 2, 7), r"row 1 \(byte 8\): 2 dimensions, the first row has 1: all rows must have the same number"),
        (_int(1, 7, 1, 7, -1, 7), r"row 2 \(byte 16\): -1 dimensions"),
    ],
)
def test_fvecs(tmp_path: Path, content: bytes, words: str) -> None:
    _refused(tmp_path / "x.fvecs", words, content)


def test_a_row_of_another_width_is_found_by_slices_and_gathers(tmp_path: Path) -> None:
    path = tmp_path / "x.bvecs"
    write_vecs(path, BYTES)
    content = bytearray(path.read_bytes())
    content[9 * 20] = 4
    path.write_bytes(content)
    rows_nd = read(path, Wanted()).rows_nd
    np.testing.assert_array_equal(rows_nd[:20], BYTES[:20])
    for picked in (slice(None), slice(20, 21), slice(18, 30), np.array([3, 20]), np.array([30, 20, 20])):
        with pytest.raises(VqbenchError, match=r"row 20 \(byte 180\): 4 dimensions, the first row has 5"):
            rows_nd[picked]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (_int(1), "header: 4 bytes: needs two uint32"),
        (_int(0, 3), "header: 0 rows, 3 dimensions"),
        (_int(3, 0), "header: 3 rows, 0 dimensions"),
        (_int(2, 1, 7), "header: 2 rows, 1 dimensions: .* a file of 16 bytes; this one has 12"),
        (_int(1, 1, 7, 7), "a file of 12 bytes; this one has 16"),
        (b"\xff" * 12, "header: 4294967295 rows, 4294967295 dimensions: .*; this one has 12"),
    ],
)
def test_fbin(tmp_path: Path, content: bytes, words: str) -> None:
    _refused(tmp_path / "x.fbin", words, content)


def test_npy_with_more_or_less_than_its_header_says(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", BYTES)
    content = (tmp_path / "x.npy").read_bytes()
    for other in (content + b"\0", content[:-1], content.replace(b"(37, 5)", b"(37, 9)")):
        _refused(tmp_path / "x.npy", "cannot be read as .npy .* make a file of [0-9]+ bytes, this one has", other)
    _refused(tmp_path / "x.npy", "cannot be read", content.replace(b"(37, 5), }  ", b"(37, -5), } "))
    huge = content.replace(b"(37, 5), }" + b" " * 20, b"(99999999999999, 9999999), }  ")
    assert len(huge) == len(content)
    _refused(tmp_path / "x.npy", "make a file of 999999", huge)


def _lists(values: list, kind: pa.DataType | None = None) -> dict[str, pa.Array]:
    return {"vector": pa.array(values, kind or pa.list_(pa.float32()))}


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (_lists([]), "0 rows: needs at least one"),
        (
            _lists([["1"]], pa.list_(pa.string())),
            r"columns with vectors: none; it has vector \(lists of string\): needs rows",
        ),
        ({"vector": pa.array([1.0])}, r"columns with vectors: none; it has vector \(float64\)"),
        (_lists([[1.0], [2.0]]) | {"id": pa.array(["a", None])}, "row 1, column id: null: each row needs an id"),
    ],
)
def test_parquet(tmp_path: Path, columns: dict[str, pa.Array], words: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    _refused(tmp_path / "x.parquet", words)


def test_broken_parquet(tmp_path: Path) -> None:
    write_parquet(tmp_path / "x.parquet", BYTES)
    content = (tmp_path / "x.parquet").read_bytes()
    for other in (content[:-9], content[:20], b"nonsense", content[:4] + bytes(40) + content[44:]):
        _refused(tmp_path / "x.parquet", "cannot be read as .parquet .*: needs a whole Parquet file", other)


def _soft(file: h5py.File) -> None:
    file["train"] = h5py.SoftLink("/real")
    file["real"] = BYTES


def _external_link(file: h5py.File) -> None:
    file["train"] = h5py.ExternalLink("other.h5", "/train")


def _external(file: h5py.File) -> None:
    file.create_dataset("train", (2, 3), "f4", external=[("raw.bin", 0, h5py.h5f.UNLIMITED)])


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((2, 5), "u1")
    layout[:] = h5py.VirtualSource("other.h5", "train", (2, 5))
    file.create_virtual_dataset("train", layout)


def _unwritten(file: h5py.File) -> None:
    file.create_dataset("train", (2**10, 2**10), "f4", chunks=(16, 16))


def _huge(file: h5py.File) -> None:
    file.create_dataset("train", (2**40, 2**10), "f4", chunks=(16, 16))


def _never_written(file: h5py.File) -> None:
    file.create_dataset("train", (2**40, 2**10), "f4")


def _several(file: h5py.File) -> None:
    file["a"], file["b"] = BYTES, BYTES


def _put(**content) -> Callable[[h5py.File], object]:
    return lambda file: [file.create_dataset(name, data=x) for name, x in content.items()]


@pytest.mark.parametrize(
    ("fill", "words"),
    [
        (_soft, "dataset train: 'train' is a link: vectors must lie in the file itself"),
        (_external_link, "dataset train: 'train' is a link"),
        (_external, "dataset train: refers to other files"),
        (_virtual, "dataset train: refers to other files"),
        (_unwritten, r"dataset train, chunk \(0, 0\): was not written or unpacks to 0 bytes"),
        (_huge, "bytes that unpack to 4503599627370496: a file may unpack to 64 MiB"),
        (_never_written, "the file holds 0 bytes of it"),
        (_several, "datasets a .*, b .*: more than one dataset could hold the vectors; choose with dataset.key=NAME"),
        (_put(train=BYTES[0]), r"datasets with vectors: none; it has train \(uint8, 5\): needs rows of numbers"),
        (_put(train=BYTES[:0]), r"it has train \(uint8, 0 x 5\)"),
        (_put(train=BYTES.astype("S3")), r"it has train \(text, 37 x 5\)"),
        (lambda file: file.create_group("train"), "datasets with vectors: none; it has nothing"),
    ],
)
def test_hdf5(tmp_path: Path, fill: Callable[[h5py.File], object], words: str) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["train"] = BYTES
    with h5py.File(tmp_path / "x.h5", "w") as file:
        fill(file)
    _refused(tmp_path / "x.h5", words)


def test_hdf5_keys(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["group/deep"] = h5py.SoftLink("/train")
        file.create_dataset("train", data=BYTES, chunks=(37, 5))
    _refused(path, "dataset no/thing: not there: the file holds group, train", key="no/thing")
    _refused(path, "dataset train/x: not there", key="train/x")
    _refused(path, "'deep' is a link", key="group/deep")
    for content in (path.read_bytes()[:-500], b"nonsense"):
        _refused(path, "cannot be read as .h5 .*: needs a whole HDF5 file", content)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2\n3,x\n", "row 2, field 2: 'x': every field must be a number"),
        ("1,2\n3,4,5\n", "row 2: 3 fields, the first row has 2: all rows must have the same number"),
        ("id,a,b\n1,2,3,4\n", "row 2: 4 fields, the first row has 3"),
        ("1,2\n3,True\n", "row 2, field 2: 'True'"),
        ("1,2\n\n3,4\n", "row 2: 0 fields"),
        ('1,2\n"3,4\n', "row 2 or after it: its quotes cannot be read"),
        (b"1,2\n\xff,4\n", "line 2: byte 0xff is not UTF-8"),
    ],
)
def test_csv(tmp_path: Path, text: str | bytes, words: str) -> None:
    _refused(tmp_path / "x.csv", words, text.encode() if isinstance(text, str) else text)
