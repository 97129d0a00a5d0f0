"""Feather and other Arrow files, and Parquet files with a key: read whole, or refused in a sentence."""

from __future__ import annotations

import base64
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as encryption
import pytest
from tables import IDS, ROWS, N
from writers import lists

from vqbench.datasets.formats import read
from vqbench.datasets.readers.base import Wanted
from vqbench.errors import VqbenchError
from vqbench.storage import limited

TABLE = pa.table({"id": IDS, "embedding": lists(ROWS)})


def _refused(path: Path, words: str) -> str:
    with pytest.raises(VqbenchError, match=words) as error:
        read(path, Wanted())
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
@pytest.mark.parametrize("rows", [1, 70, N])
def test_what_pyarrow_writes(tmp_path: Path, compression: str, rows: int) -> None:
    feather.write_feather(TABLE, tmp_path / "x.feather", compression=compression, chunksize=rows)
    options = pa.ipc.IpcWriteOptions(compression=None if compression == "uncompressed" else compression)
    for name, new in (("x.arrow", pa.ipc.new_file), ("x.ipc", pa.ipc.new_stream), ("x.arrows", pa.ipc.new_stream)):
        with new(str(tmp_path / name), TABLE.schema, options=options) as file:
            file.write_table(TABLE, rows)
    for name in ("x.feather", "x.arrow", "x.ipc", "x.arrows"):
        content = read(tmp_path / name, Wanted())
        np.testing.assert_array_equal(content.rows_nd[:], ROWS)
        assert content.ids == IDS
        assert content.taken == f"{name}: column 'embedding' (float32, 300 x 6), ids from 'id'"


def test_what_pandas_writes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": IDS, "e": list(ROWS)})
    frame.to_feather(tmp_path / "x.feather")
    frame.to_parquet(tmp_path / "x.parquet")
    for name in ("x.feather", "x.parquet"):
        np.testing.assert_array_equal(read(tmp_path / name, Wanted()).rows_nd[:], ROWS)
        assert read(tmp_path / name, Wanted()).ids == IDS


def test_the_first_version_of_feather(tmp_path: Path) -> None:
    """The line that converts it works."""
    path = tmp_path / "old.feather"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        feather.write_feather(pa.table({"id": ["a", "b"], "x0": [1.0, 2.0], "x1": [3.0, 4.0]}), str(path), version=1)
    said = _refused(path, "old.feather: Feather version 1: needs version 2; convert it: python -c ")
    code = said.partition('python -c "')[2].removesuffix('"')
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(code, {})
    np.testing.assert_array_equal(read(tmp_path / "old.parquet", Wanted()).rows_nd[:], [[1, 3], [2, 4]])


@pytest.mark.parametrize("name", ["x.feather", "x.arrows"])
def test_files_that_are_not_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    new = pa.ipc.new_file if name == "x.feather" else pa.ipc.new_stream
    with new(str(path), TABLE.schema) as file:
        file.write_table(TABLE, 100)
    good = path.read_bytes()
    kind = "file" if name == "x.feather" else "stream"
    for content in (good[:-1], good[: len(good) // 2], good[:9], good + b"\0"):
        path.write_bytes(content)
        _refused(path, rf"{name}: no Arrow {kind} \(.*\): needs a whole one; write it again with pyarrow")
    path.write_bytes(b"something else")
    _refused(path, "no Arrow stream")
    with new(str(path), TABLE.schema) as file:
        file.write_table(TABLE[:0])
    _refused(path, "0 rows: needs at least one")


class _Kms(encryption.KmsClient):
    """Keys that are wrapped as what they are."""

    def __init__(self, config: object):
        super().__init__()

    def wrap_key(self, key: bytes, name: str) -> bytes:
        return base64.b64encode(key)


@pytest.mark.parametrize("plaintext_footer", [False, True])
def test_encrypted_parquet_is_refused_by_name(tmp_path: Path, plaintext_footer: bool) -> None:
    config = encryption.EncryptionConfiguration(
        footer_key="f", column_keys={"c": ["embedding"]}, plaintext_footer=plaintext_footer
    )
    factory = encryption.CryptoFactory(_Kms)
    keys = factory.file_encryption_properties(encryption.KmsConnectionConfig(), config)
    with pq.ParquetWriter(tmp_path / "x.parquet", TABLE.schema, encryption_properties=keys) as file:
        file.write_table(TABLE)
    _refused(tmp_path / "x.parquet", "x.parquet: is encrypted: needs a Parquet file without a key; read it")


def test_very_many_columns(tmp_path: Path) -> None:
    x_nd = np.random.default_rng(3).standard_normal((3, 5000)).astype(np.float32)
    table = pa.table({f"x{at}": x_nd[:, at] for at in range(5000)})
    pq.write_table(table, tmp_path / "x.parquet")
    np.testing.assert_array_equal(read(tmp_path / "x.parquet", Wanted()).rows_nd[:], x_nd)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures memory as Linux does")
def test_a_large_row_group_is_read_in_little_memory(tmp_path: Path) -> None:
    x_nd = np.random.default_rng(4).standard_normal((200_000, 256)).astype(np.float32)
    pq.write_table(pa.table({"x": lists(x_nd)}), tmp_path / "x.parquet", row_group_size=len(x_nd))
    pq.write_table(pa.table({"x": lists(x_nd[:9])}), tmp_path / "small.parquet")
    read(tmp_path / "small.parquet", Wanted())  # the libraries are loaded
    process = Path("/proc", str(limited.worker().pid))
    process.joinpath("clear_refs").write_text("5")
    np.testing.assert_array_equal(read(tmp_path / "x.parquet", Wanted()).rows_nd[-9:], x_nd[-9:])
    peak = next(line for line in process.joinpath("status").read_text().splitlines() if line.startswith("VmHWM"))
    assert 1024 * int(peak.split()[1]) < x_nd.nbytes + 60e6  # the libraries alone take about 100 MB
