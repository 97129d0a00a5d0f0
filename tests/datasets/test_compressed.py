"""Files that were compressed as a whole: read as what they hold, within limits, under their own name."""

from __future__ import annotations

import gc
import gzip
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import writers

from vqbench.datasets import formats
from vqbench.datasets.file import File
from vqbench.datasets.formats import read
from vqbench.datasets.readers.base import Wanted
from vqbench.datasets.row_columns import IDS
from vqbench.datasets.row_texts import read_texts
from vqbench.errors import VqbenchError

X = np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32)


def _zst(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


COMPRESS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".zst": _zst}


@pytest.mark.parametrize("ending", COMPRESS)
@pytest.mark.parametrize("name", writers.WRITERS)
def test_the_same_as_without(tmp_path: Path, name: str, ending: str) -> None:
    """Rows, dtype and what is said of them, which names the file that the user knows."""
    writers.WRITERS[name](tmp_path / name, X)
    packed = tmp_path / f"{name}{ending}"
    packed.write_bytes(COMPRESS[ending]((tmp_path / name).read_bytes()))
    plain, content = read(tmp_path / name, Wanted()), read(packed, Wanted())
    np.testing.assert_array_equal(content.rows_nd[:], plain.rows_nd[:])
    assert content.rows_nd.dtype == plain.rows_nd.dtype
    assert content.taken == plain.taken.replace(name, packed.name)


def test_several_streams_in_one_file(tmp_path: Path) -> None:
    """As ``cat`` and parallel compressors make them."""
    np.save(tmp_path / "x.npy", X)
    content = (tmp_path / "x.npy").read_bytes()
    for ending, compress in COMPRESS.items():
        (tmp_path / f"x.npy{ending}").write_bytes(compress(content[:100]) + compress(content[100:]))
        np.testing.assert_array_equal(read(tmp_path / f"x.npy{ending}", Wanted()).rows_nd[:], X)


def test_the_scratch_file_lives_as_long_as_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    np.save(tmp_path / "x.npy", X)
    (tmp_path / "x.npy.gz").write_bytes(gzip.compress((tmp_path / "x.npy").read_bytes()))
    source = File(path=str(tmp_path / "x.npy.gz")).load()
    gc.collect()
    assert len([*(tmp_path / "scratch").iterdir()]) == 1
    np.testing.assert_array_equal(source.corpus_nd[:], X)
    del source
    gc.collect()
    assert not [*(tmp_path / "scratch").iterdir()]


def _cut(packed: bytes) -> bytes:
    return packed[:-7]


def _changed(packed: bytes) -> bytes:
    return packed[: len(packed) // 2] + b"\0\0\0\0" + packed[len(packed) // 2 + 4 :]


@pytest.mark.parametrize(
    ("ending", "damage"),
    [(".gz", _cut), (".zst", _cut), (".gz", _changed), (".gz", lambda _: b"no such"), (".zst", lambda _: b"no such")],
)
def test_damage_names_the_compressed_file(tmp_path: Path, ending: str, damage: Callable[[bytes], bytes]) -> None:
    np.save(tmp_path / "x.npy", X)
    (tmp_path / f"x.npy{ending}").write_bytes(damage(COMPRESS[ending]((tmp_path / "x.npy").read_bytes())))
    with pytest.raises(VqbenchError) as error:
        read(tmp_path / f"x.npy{ending}", Wanted())
    assert str(error.value).startswith(f"{tmp_path}/x.npy{ending}: cannot be read as {ending} (")


@pytest.mark.parametrize("ending", COMPRESS)
def test_bombs(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"x.fbin{ending}").write_bytes(COMPRESS[ending](bytes(80 * 2**20)))
    with pytest.raises(VqbenchError, match=f"x.fbin{ending}: .* a file may unpack to 64 MiB, or to 100 times its size"):
        read(tmp_path / f"x.fbin{ending}", Wanted())


def test_inner_formats_that_are_not_read(tmp_path: Path) -> None:
    """The name of the scratch file stands nowhere."""
    for name, message in (("x.foo.gz", "the ending '.foo' is not one of"), ("x.tar.gz", "is an archive of files")):
        (tmp_path / name).write_bytes(gzip.compress(b"some text"))
        with pytest.raises(VqbenchError, match=f"{name}: .*{message}"):
            read(tmp_path / name, Wanted())
    (tmp_path / "x.npy.gz").write_bytes(gzip.compress(b"some text"))
    with pytest.raises(VqbenchError, match=r"dataset.key=a: has no effect on .npy files"):
        read(tmp_path / "x.npy.gz", Wanted(key="a"))


def test_parts_may_be_compressed(tmp_path: Path) -> None:
    for number in range(3):
        np.save(tmp_path / "one.npy", X[10 * number : 10 * number + 10])
        (tmp_path / f"p{number}.npy.gz").write_bytes(gzip.compress((tmp_path / "one.npy").read_bytes()))
    os.remove(tmp_path / "one.npy")
    source = File(path=str(tmp_path)).load()
    np.testing.assert_array_equal(source.corpus_nd[:], X)
    assert source.taken == (
        "3 files, p0.npy.gz to p2.npy.gz, in natural order: 30 x 4 in all; the first: float32, 10 x 4",
    )


def test_which_endings_are_read() -> None:
    names = ("a.npy", "a.npy.gz", "a.NPY.GZ", "a.npz.zst", "a.gz", "a.md", "a.md.gz", "a")
    endings = [".npy", ".npy.gz", ".npy.gz", ".npz.zst", "", "", "", ""]
    assert [formats.readable_ending(Path(name)) for name in names] == endings


@pytest.mark.parametrize("name", ["x.npy.gz.gz", "x.npy.gz.zst", "x.npy.GZ.gz"])
def test_compressed_twice(tmp_path: Path, name: str) -> None:
    """Each time would multiply the limit."""
    (tmp_path / name).write_bytes(COMPRESS[Path(name).suffix](gzip.compress(b"x")))
    for reads in (lambda path: read(path, Wanted()), lambda path: read_texts(path, IDS)):
        with pytest.raises(VqbenchError) as error:
            reads(tmp_path / name)
        assert str(error.value) == f"{tmp_path / name}: is compressed twice; unpack it once"
