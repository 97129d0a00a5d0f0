"""Chunks of HDF5 unpack to exactly what they stand for, or the file is refused before HDF5 unpacks them."""

from __future__ import annotations

import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqbench.datasets.formats import read
from vqbench.datasets.readers import hdf5_chunks
from vqbench.datasets.readers.base import Wanted
from vqbench.errors import VqbenchError

X = np.arange(32, dtype=np.float32).reshape(8, 4) % 5
PLAIN = X.tobytes()  # one chunk of 128 bytes
GZIP, SUM, LZF = zlib.compress(PLAIN), b"\1\2\3\4", h5py.h5z.FILTER_LZF
NUMBERS = {"gzip": h5py.h5z.FILTER_DEFLATE, "shuffle": h5py.h5z.FILTER_SHUFFLE, "lzf": LZF,
           "fletcher32": h5py.h5z.FILTER_FLETCHER32}  # fmt: skip
LONG = b"\0x" + b"\xe0\xff\0" * 1000  # lzf: one byte, then 1,000 times 264 more


def _write(path: Path, filters: str, stored: bytes | None, mask: int = 0, values: tuple[int, ...] = ()) -> Path:
    """One chunk, stored as given (None: as HDF5 packs it), behind the filters in this order."""
    with h5py.File(path, "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk(X.shape)
        for name in filters.split():
            plist.set_filter(NUMBERS[name], 0, values or ((4,) if name in ("gzip", "shuffle") else ()))
        space = h5py.h5s.create_simple(X.shape)
        dataset = h5py.Dataset(h5py.h5d.create(file.id, b"train", h5py.h5t.IEEE_F32LE, space, plist))
        if stored is None:
            dataset[:] = X
        else:
            dataset.id.write_direct_chunk((0, 0), stored, mask)
    return path


def _packed(path: Path, filters: str) -> bytes:
    """The chunk as HDF5 packs it."""
    with h5py.File(_write(path, filters, None)) as file:
        mask, stored = file["train"].id.read_direct_chunk((0, 0))
        assert mask == 0
    return stored


_EXACTLY = ".*: a chunk must unpack to exactly 128 bytes"


@pytest.mark.parametrize(
    ("filters", "stored", "mask", "words"),
    [
        ("gzip", zlib.compress(bytes(10**6)), 0, f"unpacks to [0-9]+ bytes{_EXACTLY}"),
        ("gzip", zlib.compress(PLAIN + b"x"), 0, "unpacks to 129 bytes"),
        ("gzip", zlib.compress(PLAIN[:-1]), 0, "unpacks to 127 bytes"),
        ("gzip", GZIP + b"x", 0, "is damaged .gzip data that is cut short, or has more bytes after it"),
        ("gzip", GZIP[:-1], 0, "is damaged .gzip data that is cut short"),
        ("gzip", b"\x78\x9c" + b"\xff" * 60, 0, "is damaged .Error -3"),
        ("gzip", GZIP, 1, "unpacks to [0-9]+ bytes"),
        ("gzip", PLAIN, 0, "is damaged"),
        ("gzip fletcher32", GZIP, 0, "is damaged"),
        ("gzip fletcher32", GZIP + SUM + b"x", 0, "is damaged"),
        ("gzip fletcher32", PLAIN, 1, "unpacks to 124 bytes"),
        ("fletcher32 gzip", GZIP, 0, "unpacks to 124 bytes"),
        ("fletcher32 gzip", zlib.compress(PLAIN + SUM + b"x"), 0, "unpacks to 129 bytes"),
        ("lzf", LONG[: 2 + 3 * 350], 0, "unpacks to 265 bytes"),
        ("lzf", b"\0x", 0, "unpacks to 1 bytes"),
        ("lzf", b"\0x\xe0\x7f", 0, "is damaged .lzf data that is cut short"),
        ("lzf", b"\0x\x20", 0, "is damaged"),
        ("shuffle", PLAIN[:-1], 0, "unpacks to 127 bytes"),
        ("fletcher32", PLAIN, 0, "unpacks to 124 bytes"),
        ("gzip gzip", zlib.compress(GZIP), 0, "filters gzip, gzip: .* each once"),
        ("gzip gzip", GZIP, 2, "filters gzip, gzip: .* each once"),
        ("gzip lzf", GZIP, 2, "filters gzip, lzf: only gzip or lzf, shuffle and fletcher32 are read"),
        ("gzip shuffle", GZIP, 2, "filters gzip, shuffle: .* only fletcher32 after gzip"),
        ("fletcher32 fletcher32", PLAIN + SUM + SUM, 0, "filters fletcher32, fletcher32"),
    ],
)
def test_what_does_not_fit_is_refused(filters: str, stored: bytes, mask: int, words: str, tmp_path: Path) -> None:
    path = _write(tmp_path / "x.h5", filters, stored, mask)
    with pytest.raises(VqbenchError, match=words) as caught:
        read(path, Wanted())
    line = str(caught.value)
    assert line.startswith(f"{path}: dataset train")
    assert "; " in line
    assert "chunk (0, 0): " in line or "filters" in line


@pytest.mark.parametrize("bytes_", [0, len(PLAIN) - 1, 2**31])
def test_lzf_that_is_told_a_wrong_number_of_bytes(bytes_: int, tmp_path: Path) -> None:
    """It takes that much memory; with less, it unpacks the chunk again and again, which the limits end."""
    path = _write(tmp_path / "x.h5", "lzf", None)
    with h5py.File(path) as file:
        number, _, values, _ = file["train"].id.get_create_plist().get_filter(0)
    assert (number, values[2]) == (LZF, len(PLAIN))
    before, after = (np.array([*values[:2], x], "<u4").tobytes() for x in (len(PLAIN), bytes_))
    content = path.read_bytes()
    assert content.count(before) == 1
    path.write_bytes(content.replace(before, after))
    if bytes_ < 2**31:
        assert read(path, Wanted()).rows_nd[:].tobytes() == PLAIN
    else:
        with pytest.raises(VqbenchError, match="cannot be read as .h5"):
            read(path, Wanted())


@pytest.mark.parametrize("filters", ["gzip", "shuffle gzip", "gzip fletcher32", "fletcher32 gzip", "lzf", "shuffle lzf",
                                     "lzf fletcher32", "fletcher32 shuffle lzf", "shuffle fletcher32"])  # fmt: skip
def test_each_filter_may_be_left_out_of_a_chunk(filters: str, tmp_path: Path) -> None:
    """As HDF5 does where packing gains nothing: it is told by a mask."""
    read_nd = read(_write(tmp_path / "x.h5", filters, None), Wanted()).rows_nd
    assert read_nd[:].tobytes() == PLAIN
    everything = (1 << len(filters.split())) - 1
    read_nd = read(_write(tmp_path / "y.h5", filters, PLAIN, everything), Wanted()).rows_nd
    assert read_nd[:].tobytes() == PLAIN


@pytest.mark.parametrize("filters", ["gzip", "fletcher32 shuffle gzip", "lzf", "lzf fletcher32", "shuffle lzf"])
def test_no_chunk_can_be_cut_or_go_on(filters: str, tmp_path: Path) -> None:
    stored = _packed(tmp_path / "x.h5", filters)
    for changed in (*(stored[:end] for end in range(1, len(stored))), stored + b"\0", stored + b"\0\0", stored * 2):
        with pytest.raises(VqbenchError, match=r"chunk \(0, 0\): |cannot be read as .h5"):
            read(_write(tmp_path / "y.h5", filters, changed), Wanted())


PACKED = st.fixed_dictionaries(
    {"compression": st.sampled_from([None, "gzip", "lzf"]), "shuffle": st.booleans(), "fletcher32": st.booleans()}
)


@settings(max_examples=60)
@given(
    kind=st.sampled_from(["<f4", ">f8", "u1", "<i2"]),
    n=st.integers(1, 70),
    d=st.integers(1, 9),
    chunk=st.tuples(st.integers(1, 70), st.integers(1, 9)),
    few=st.booleans(),
    latest=st.booleans(),
    more=PACKED,
)
def test_good_files_are_read_as_h5py_reads_them(
    tmp_path: Path, kind: str, n: int, d: int, chunk: tuple[int, int], few: bool, latest: bool, more: dict
) -> None:
    """Chunks that reach over the edges; numbers that pack well, and some that do not; old and new indexes."""
    x_nd = np.random.default_rng(n * d).integers(0, 2 if few else 2**30, (n, d)).astype(np.uint32).astype(kind)
    path, chunk = tmp_path / "x.h5", (min(chunk[0], n), min(chunk[1], d))
    with h5py.File(path, "w", libver="latest" if latest else "earliest") as file:
        file.create_dataset("train", data=x_nd, chunks=chunk, **more)
    found_nd = read(path, Wanted(key="train")).rows_nd[:]
    assert found_nd.astype(kind).tobytes() == x_nd.tobytes()


def _unpacked(packed: bytes, most: int) -> tuple[int, int]:
    """An LZF unpacker that does unpack, a byte at a time."""
    out, read_, bytes_ = bytearray(), 0, iter(packed)
    while read_ < len(packed) and len(out) <= most:
        taken = []

        def take(taken: list = taken) -> int:
            taken.append(next(bytes_))
            return taken[-1]

        try:
            head = take()
            if head < 32:
                out += bytes([take() for _ in range(head + 1)])
            else:
                length = head // 32
                length += take() if length == 7 else 0
                start = len(out) - (head % 32) * 256 - take() - 1
                if start < 0:
                    break
                for at in range(start, start + length + 2):
                    out.append(out[at])
        except StopIteration:
            break
        read_ += len(taken)
    return read_, len(out)


PIECES = st.one_of(
    st.binary(min_size=1, max_size=32).map(lambda x: bytes([len(x) - 1]) + x),
    st.tuples(st.integers(1, 6), st.integers(0, 30)).map(lambda x: bytes([x[0] << 5, x[1]])),
    st.tuples(st.integers(0, 255), st.integers(0, 30)).map(lambda x: bytes([7 << 5, *x])),
    st.binary(max_size=3),
)


@settings(max_examples=200)
@given(pieces=st.lists(PIECES, max_size=12))
def test_lzf_is_counted_as_it_unpacks(pieces: list[bytes]) -> None:
    """Where it can be unpacked; elsewhere the library says so."""
    packed = b"".join(pieces)
    read_, size = _unpacked(packed, 10_000)
    if read_ == len(packed):
        assert hdf5_chunks._lzf_size(packed, 10_000) == size


def test_many_small_chunks_are_read_within_the_limits(tmp_path: Path) -> None:
    """HDF5 takes memory for each chunk of a read, and a pass through all for each that is asked for alone."""
    x_nd = np.random.default_rng(0).standard_normal((13_000, 384)).astype(np.float16)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", data=x_nd, chunks=(16, 8), compression="gzip", compression_opts=1)
    np.testing.assert_array_equal(read(tmp_path / "x.h5", Wanted()).rows_nd[:], x_nd)
