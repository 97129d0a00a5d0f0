"""Cells that somebody else made up, with a hash that fits; links, pipes and devices in a results folder."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cells import CELL, NAME, SMALL

from vqbench.cli.main import main
from vqbench.errors import VqbenchError
from vqbench.experiment.cell_keys import plugin_hashes
from vqbench.results.cell_files import load_cell, save_cell
from vqbench.storage.ids import PackedIds
from vqbench.storage.locks import claimed
from vqbench.storage.parquet import unpacked_table

_KEY = b"vqbench_cell"


def _body(change: Callable[[dict], Any]) -> bytes:
    """The body of a good cell, with another description."""
    content = io.BytesIO()
    pq.write_table(pa.table({name: CELL.per_query[name].to_numpy() for name in CELL.per_query}), content)
    table = pq.read_table(pa.BufferReader(content.getvalue()))
    small = {
        part: {"columns": list(frame), "rows": frame.astype(object).where(frame.notna(), None).to_numpy().tolist()}
        for part, frame in (("metrics", CELL.metrics), ("ledger", CELL.ledger), ("samples", CELL.samples))
    }
    small = change({**small, "seconds": {"fit": 0.1}})
    content = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({_KEY: json.dumps(small)}), content)
    return content.getvalue()


def _value(small: dict) -> dict:
    small["metrics"]["rows"][0][3] = "=cmd|calc"
    return small


def _without(part: str, column: int) -> Callable[[dict], dict]:
    def change(small: dict) -> dict:
        for row in [small[part]["columns"], *small[part]["rows"]]:
            del row[column]
        return small

    return change


BODIES = {
    "junk": b"junk", "empty": b"", "no table": b"PAR1" * 9,
    "list": _body(lambda small: [1]), "nothing": _body(lambda small: {}),
    "text": _body(lambda small: "x"), "number as text": _body(_value),
    "seconds": _body(lambda small: small | {"seconds": "1"}), "no column": _body(_without("ledger", 2)),
    "no k": _body(_without("metrics", 1)),
    "ragged": _body(lambda small: small | {"samples": {"columns": ["id"], "rows": [[1, 2]]}}),
}  # fmt: skip


@pytest.mark.parametrize("what", BODIES)
def test_a_made_up_cell_is_refused_in_one_line(tmp_path: Path, what: str) -> None:
    path, body = tmp_path / NAME.path, BODIES[what]
    path.parent.mkdir(parents=True)
    path.write_bytes(f"vqbench cell {NAME.key} {hashlib.sha256(body).hexdigest()}\n".encode() + body)
    with pytest.raises(VqbenchError, match=r"\.cell: this finished cell is missing or damaged \(.+\): give") as found:
        load_cell(tmp_path, NAME)
    assert "\n" not in str(found.value)


def test_the_good_one_is_read(tmp_path: Path) -> None:
    path, body = tmp_path / NAME.path, _body(lambda small: small)
    path.parent.mkdir(parents=True)
    path.write_bytes(f"vqbench cell {NAME.key} {hashlib.sha256(body).hexdigest()}\n".encode() + body)
    assert load_cell(tmp_path, NAME).metrics["value"].tolist() == [0.1 + 0.2]


def test_a_text_that_stands_once_in_a_file_is_not_repeated_without_end() -> None:
    table = pa.table({"query": pa.DictionaryArray.from_arrays(pa.array([0] * 3000), pa.array(["x" * 1_000_000]))})
    content = io.BytesIO()
    pq.write_table(table, content, compression="zstd", store_schema=False)
    assert len(content.getvalue()) < 20_000
    with pytest.raises(ValueError, match="far more memory to unpack than a file of its size should"):
        unpacked_table(content)


def test_what_is_not_repeated_too_often_comes_back_as_it_was() -> None:
    table = pa.table({"a": ["é", None, "é"], "b": pa.array(["x", "y", "x"]).dictionary_encode(), "c": [1.5, None, 2]})
    content = io.BytesIO()
    pq.write_table(table, content)
    assert unpacked_table(content).equals(table)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("what", ["pipe", "device", "link"])
def test_what_is_no_file_is_no_cell(tmp_path: Path, what: str) -> None:
    """A pipe would be waited for, a device read without end, a link followed."""
    save_cell(tmp_path, NAME, CELL)
    path = tmp_path / NAME.path
    kept = path.rename(tmp_path / "kept")
    if what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if what == "device" else kept)
    with pytest.raises(VqbenchError, match="missing or damaged"):
        load_cell(tmp_path, NAME)
    save_cell(tmp_path, NAME, CELL)
    assert load_cell(tmp_path, NAME).seconds == CELL.seconds
    assert not path.is_symlink()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_in_place_of_a_table_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    os.mkfifo(tmp_path / "x" / "meta.json")
    os.mkfifo(tmp_path / "x" / "metrics.csv")
    assert main([*SMALL, "out=x"]) == 0
    assert (tmp_path / "x" / "metrics.csv").is_file()


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="needs O_NOFOLLOW")
def test_a_claim_is_not_made_behind_a_link(tmp_path: Path) -> None:
    claim = tmp_path / "x.claim"
    claim.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"), claimed(claim):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_renamed_file_beside_a_plugin_is_another_plugin(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    (tmp_path / "codebook-8.bin").write_text("x")
    before = plugin_hashes([tmp_path], tmp_path / "out")
    (tmp_path / "codebook-8.bin").rename(tmp_path / "codebook-1.bin")
    assert plugin_hashes([tmp_path], tmp_path / "out") != before


def test_ids_of_a_file_that_was_written_again_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "ids.txt"
    path.write_text("aa\nbb\ncc\n")
    ids = PackedIds.lines(path)
    assert list(ids) == ["aa", "bb", "cc"]
    path.write_text("xxyyyy\nzz\n")
    with pytest.raises(VqbenchError, match=r"ids\.txt: has changed since it was opened"):
        list(ids)
