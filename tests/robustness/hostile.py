"""Files that would hurt or mislead, one for each rule: how to write each, and what is said of it.

    python tests/robustness/hostile.py FOLDER

writes them all; ``vqbench dataset=file dataset.path=FOLDER/NAME`` then refuses each in a line that says what to do.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

X = np.arange(1, 31, dtype=np.float32).reshape(6, 5)
_LISTS = [row.tolist() for row in X]


def _npy(header: str, body: bytes = X.tobytes(), version: bytes = b"\x01\x00") -> bytes:
    text = header.encode()
    return b"\x93NUMPY" + version + len(text).to_bytes(2 if version[0] == 1 else 4, "little") + text + body


def _zip(inner: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("x.npy", inner)
    return packed.getvalue()


def _header(shape: tuple, kind: str = "<f4") -> str:
    return repr({"descr": kind, "fortran_order": False, "shape": shape}) + "\n"


def _vecs(rows: list[tuple[int, bytes]]) -> bytes:
    return b"".join(d.to_bytes(4, "little", signed=True) + row for d, row in rows)


def _text(content: str, encoding: str = "utf-8") -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content.encode(encoding))


def _bytes(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _saved(x_nd: np.ndarray) -> Callable[[Path], object]:
    return lambda path: np.save(path, x_nd)


def _with(row: int, value: float) -> np.ndarray:
    x_nd = X.astype(np.float64)
    x_nd[row, 2] = value
    return x_nd


def _columns(**columns: pa.Array) -> Callable[[Path], object]:
    return lambda path: pq.write_table(pa.table(columns), path)


def _constant(path: Path) -> None:
    """Many rows that are all alike take a few kilobytes."""
    values = pa.repeat(pa.scalar(1.0, pa.float32()), 20_000_000)
    pq.write_table(pa.table({"vector": pa.FixedSizeListArray.from_arrays(values, 20)}), path)


def _ipc(path: Path, table: pa.Table, **options) -> None:
    new = pa.ipc.new_file if path.suffix == ".feather" else pa.ipc.new_stream
    with new(str(path), table.schema, options=pa.ipc.IpcWriteOptions(**options)) as file:
        file.write_table(table)


def _constant_arrow(path: Path) -> None:
    values = pa.array(np.zeros(20_000_000, np.float32))
    _ipc(path, pa.table({"vector": pa.FixedSizeListArray.from_arrays(values, 20)}), compression="zstd")


def _coded(path: Path) -> None:
    """Rows of four megabytes, all the same, which the file holds once."""
    vector = pa.FixedSizeListArray.from_arrays(pa.array(np.ones(10**6, np.float32)), 10**6)
    rows = pa.DictionaryArray.from_arrays(pa.array(np.zeros(10**5, np.int8)), vector)
    _ipc(path, pa.table({"vector": rows}), compression="zstd")


def _cut_stream(path: Path) -> None:
    _ipc(path, pa.table({"vector": [[1.0]] * 9}))
    path.write_bytes(path.read_bytes()[:-8])


def _views(path: Path) -> None:
    """Lists that lead out of their numbers."""
    views = pa.ListViewArray.from_arrays(
        pa.array([0, 900_000], pa.int32()), pa.array([2, 2], pa.int32()), pa.array([1.0] * 4)
    )
    _ipc(path, pa.table({"vector": views}))


def _long_ids(path: Path) -> None:
    """Ids of a megabyte, all the same, which the file holds once."""
    ids = pa.DictionaryArray.from_arrays(pa.array([0] * 900), pa.array(["x" * 10**6]))
    pq.write_table(pa.table({"vector": pa.array([[1.0]] * 900), "id": ids}), path, store_schema=False)


def _bad_page(path: Path) -> None:
    table = pa.table({"vector": pa.array(_LISTS, pa.list_(pa.float32()))})
    pq.write_table(table, path, write_page_checksum=True, compression="none", use_dictionary=False)
    content = path.read_bytes()
    path.write_bytes(content.replace(X[3].tobytes(), X[4].tobytes(), 1))


def _hdf5(fill: Callable[[h5py.File], object]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with h5py.File(path, "w") as file:
            fill(file)

    return write


def _tensor(entry: dict[str, object]) -> Callable[[Path], object]:
    head = json.dumps({"x": entry}).encode()
    return _bytes(len(head).to_bytes(8, "little") + head + X.tobytes())


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((6, 5), "f4")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "train", (6, 5))
    file.create_virtual_dataset("train", layout)


def _link(kind: str) -> Callable[[h5py.File], None]:
    def fill(file: h5py.File) -> None:
        file["real"] = X
        file["train"] = h5py.SoftLink("/real") if kind == "soft" else h5py.ExternalLink("/etc/other.h5", "train")

    return fill


def _put(**options) -> Callable[[Path], None]:
    data = options.pop("data", X)
    return _hdf5(lambda file: file.create_dataset("train", data=data, **options))


def _external(file: h5py.File) -> None:
    file.create_dataset("train", (6, 5), "f4", external=[("/etc/passwd", 0, 120)])


def _chunk(stored: bytes, **options) -> Callable[[Path], None]:
    """One chunk that is stored as given, whatever it should hold."""

    def fill(file: h5py.File) -> None:
        dataset = file.create_dataset("train", (2**14, 1), "f4", chunks=(2**14, 1), **options)
        dataset.id.write_direct_chunk((0, 0), stored)

    return _hdf5(fill)


def _unwritten(file: h5py.File) -> None:
    file.create_dataset("train", (60, 5), "f4", chunks=(6, 5))[:6] = X


_ZEROS = np.zeros((9_000_000, 2), np.float32)  # 72 MB, of which compression leaves a thousandth

#: name: how to write it, and words of the line that refuses it.
SAMPLES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty.npy": (_bytes(b""), "the file is empty"),
    "unknown.pkl": (
        _bytes(b"\x80\x04."),
        "holds Python objects, which run code when they are loaded; convert it: python -c ",
    ),
    "objects.npy": (lambda path: np.save(path, np.array([{}]), allow_pickle=True), "holds Python objects"),
    "pickle.npy": (_bytes(b"\x80\x04]\x94."), "cannot be read as .npy"),
    "claims.npy": (_bytes(_npy(_header((10**9, 10**6)))), "make a file of 4000000000"),
    "longer.npy": (_bytes(_npy(_header((6, 4)))), "this one has"),
    "negative.npy": (_bytes(_npy(_header((-6, -5)))), "shape (-6, -5)"),
    "fields.npy": (_bytes(_npy(_header((6, 5), "<M8[s]"))), "dtype datetime64[s]: vectors must be real numbers"),
    "flat.npy": (_saved(X[0]), "shape (5,): needs (n, d)"),
    "complex.npy": (_saved(X.astype(complex)), "dtype complex128: vectors must be real numbers"),
    "header.npz": (_bytes(_zip(_npy(" " * 99999, version=b"\x02\x00"))), "a header of more than 10000 bytes"),
    "objects.npz": (lambda path: np.savez(path, x=np.array([{}])), "holds Python objects"),
    "bomb.npz": (lambda path: np.savez_compressed(path, x=_ZEROS), "unpack to 72000000: a file may unpack to 64 MiB"),
    "short.npz": (_bytes(_zip(_npy(_header((7, 5))))), "it ends in row 6 of 7"),
    "longer.npz": (_bytes(_zip(_npy(_header((5, 5))))), "it has data after row 4"),
    "lzma.npz": (_bytes(_zip(_npy(_header((6, 5))), zipfile.ZIP_LZMA)), "compressed in another way than numpy does"),
    "several.npz": (lambda path: np.savez(path, a=X, b=X), "choose with dataset.key=NAME"),
    "nan.json": (_text('{"a": [1, NaN]}'), "the literal NaN"),
    "infinite.json": (_text('{"a": [1, -Infinity]}'), "the literal -Infinity"),
    "overflow.json": (_text('{"a": [1, 1e999]}'), "row 0: a number that no float can represent"),
    "twice.json": (_text('{"a": [1, 2], "a": [3, 4]}'), "'a' occurs twice in an object"),
    "deep.json": (_text("[" * 100_000), "hundreds deep"),
    "ragged.json": (_text('{"a": [1, 2], "b": [3]}'), "row 1 (id 'b'): 1 number, others have 2"),
    "surrogate.json": (_text(r'{"\ud800": [1, 2]}'), "half of a surrogate pair"),
    "escape.json": (_text('{"\\u001b[2J": "x"}'), r"fields with vectors: none; it has \x1b[2J (text)"),
    "cut.jsonl": (_text('{"id": 1, "x": [1.5, 2]}\n{"id": 2, "x": [1'), "line 2"),
    "junk.sqlite": (_bytes(b"SQLite format 3\0" + bytes(90)), "cannot be read as .sqlite"),
    "junk.faiss": (_bytes(b"IxFI" + bytes(90)), "0 vectors: needs at least one"),
    "latin.json": (_text('{"é": [1, 2]}', "latin-1"), "cannot be read as .json"),
    "ragged.csv": (_text("1,2\n3,4,5\n"), "row 2: 3 fields, the first row has 2"),
    "nul.csv": (_text("1,2\n3,\0004\n"), "line 2: a NUL character"),
    "utf16.csv": (_text("1,2\n3,4\n", "utf-16-le"), "line 1: a NUL character"),
    "cut.csv": (_bytes("1,2\n3,4\n".encode("utf-16")[:-1]), "not UTF-16, as its first bytes say"),
    "field.csv": (_text(f'"{"1" * 200_000}",2\n'), "row 0 is NaN, infinite or beyond float32"),
    "long.csv": (_text(f"1,2\n{'1' * 17_000_000}"), "line 2: 16777216 characters and more"),
    "decimals.csv": (_text("-0,204100,0,728300\n"), "row 1: '-0,204100': commas stand both between numbers and"),
    "ids.csv": (_text("1.5,7,2.5\n2.5,8,3.5\n"), "column 'c2': whole numbers beside decimals"),
    "ragged.tsv": (_text("1\t2\n3\t4\t5\n"), "row 2: 3 fields, the first row has 2"),
    "list.tsv": (_text("a\t[1.5, 2.5]\nb\t[1.5, x]\n"), "row 1, column 'c2': 'x' in a list"),
    "prose.txt": (_text("Some words.\nAnd more.\n"), "needs rows of two numbers or more"),
    "cut.vec": (_text("3 2\na 1.5 2.5\nb 1.5 2.5\n"), "row 1: 3 words declared, 2 are there"),
    "claims.bin": (_text("999999999999 9999999\na "), "declared in a file of 23 bytes"),
    "underscore.csv": (_text("1,2\n3,1_0\n"), "row 2, field 2: '1_0': every field must be a number"),
    "slip.csv": (
        _text("1.5x,2.5\n3.5,4.5\n5.5,6.5\n"),
        "row 1, field 1: '1.5x': every field must be a number",
    ),
    "header.csv": (_text("1.5,2,5.x,4\n1,2,3,4\n"), "row 1, field 3: '5.x': every field must be a number"),
    "wide.csv": (_text("1," * 200_000 + "1\n"), "row 1: 200,001 fields: a row has up to 131,072"),
    "row.fvecs": (_bytes(_vecs([(1, X[0, :1].tobytes())] * 3 + [(7, X[0, :1].tobytes())])), "row 3 (byte 24): 7 dim"),
    "negative.fvecs": (_bytes(_vecs([(-5, X[0].tobytes())])), "row 0: -5 dimensions"),
    "cut.bvecs": (_bytes(_vecs([(4, b"abcd"), (4, b"abc")])), "rows of 4 dimensions have 8 bytes, 7 are left over"),
    "claims.fbin": (_bytes(b"\xff" * 8 + X.tobytes()), "header: 4294967295 rows, 4294967295 dimensions"),
    "cut.u8bin": (_bytes(b"\x02\0\0\0\x02\0\0\0abc"), "a file of 12 bytes; this one has 11"),
    "constant.parquet": (_constant, "unpack to 80000000: a file may unpack to 64 MiB"),
    "ids.parquet": (_long_ids, "far more memory to unpack than a file of its size should"),
    "page.parquet": (_bad_page, "CRC checksum verification failed"),
    "ragged.parquet": (_columns(v=pa.array([[1.0], [1.0, 2.0]])), "row 1: 2 numbers where most rows have 1"),
    "null.parquet": (_columns(v=pa.array([[1.0], None])), "row 1: null"),
    "encrypted.parquet": (_bytes(b"PAR1" + bytes(40) + b"\x10\0\0\0PARE"), "is encrypted"),
    "constant.feather": (_constant_arrow, "unpack to 80000000: a file may unpack to 64 MiB"),
    "coded.feather": (_coded, "unpack to 400000000000: a file may unpack to 64 MiB"),
    "first.feather": (_bytes(b"FEA1" + bytes(40) + b"FEA1"), "Feather version 1: needs version 2"),
    "text.feather": (_bytes(b"ARROW1 is no file"), "no Arrow file"),
    "cut.arrows": (_cut_stream, "no Arrow stream (it ends at byte"),
    "views.feather": (_views, "no Arrow file"),
    "footer.parquet": (_bytes(b"PAR1" + b"\xff" * 40 + b"\x28\0\0\0PAR1"), "cannot be read as .parquet"),
    "external.hdf5": (_hdf5(_external), "refers to other files: vectors must lie in the file itself"),
    "virtual.hdf5": (_hdf5(_virtual), "refers to other files: vectors must lie in the file itself"),
    "beyond.safetensors": (
        _tensor({"dtype": "F32", "shape": [6, 5], "data_offsets": [0, 999]}),
        "bytes 0 to 999 of 120",
    ),
    "long.safetensors": (_bytes(b"\xff" * 7 + b"\0" + b"{}"), "a header of 72057594037927935 bytes"),
    "cut.f16bin": (_bytes(b"\6\0\0\0\5\0\0\0" + bytes(59)), "6 rows, 5 dimensions"),
    "soft.hdf5": (_hdf5(_link("soft")), "'train' is a link: vectors must lie in the file itself"),
    "elsewhere.hdf5": (_hdf5(_link("external")), "'train' is a link: vectors must lie in the file itself"),
    "filter.hdf5": (_put(chunks=(6, 5), scaleoffset=3), "filters number 6: only gzip or lzf, shuffle"),
    "bomb.hdf5": (_put(data=_ZEROS, chunks=(90_000, 2), compression=9), "a file may unpack to 64 MiB"),
    "stream.hdf5": (
        _chunk(zlib.compress(bytes(6 * 10**7)), compression="gzip"),
        "chunk (0, 0): was not written or unpa",
    ),
    "repeats.hdf5": (
        _chunk(b"\0x" + b"\xe0\xff\0" * 20_000, compression="lzf"),
        "chunk (0, 0): was not written or unpa",
    ),
    "short.hdf5": (_chunk(zlib.compress(bytes(99)), compression="gzip"), "written or unpacks to 99 bytes"),
    "unwritten.hdf5": (_hdf5(_unwritten), "chunk (6, 0): was not written or unpacks to 0 bytes"),
    "nan.npy": (_saved(_with(3, np.nan)), "row 3 is NaN, infinite or beyond float32"),
    "infinite.npy": (_saved(_with(4, -np.inf)), "row 4 is NaN, infinite or beyond float32"),
    "beyond.npy": (_saved(_with(5, 1e300)), "row 5 is NaN, infinite or beyond float32"),
    "zero.npy": (_saved(np.concatenate([X, 0 * X])), "rows 6, 7, 8, 9, 10 and 1 more are all zero"),
}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, (write, _) in SAMPLES.items():
        write(folder / name)
    print(f"{len(SAMPLES)} files in {folder}")
