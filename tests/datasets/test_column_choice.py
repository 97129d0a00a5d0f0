"""Which column of a table is taken: the intended one, or none, with those named that could be meant."""

from __future__ import annotations

import datetime
import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tables import IDS, ROWS, N, read_table, refuse_table, tensor, texts
from writers import lists

from vqbench.datasets.formats import read
from vqbench.datasets.readers.base import Wanted
from vqbench.errors import VqbenchError


def test_what_is_no_vector_is_not_taken(table_path: Path) -> None:
    tokens = np.random.default_rng(2).integers(0, 30000, (N, 64))
    ragged = pa.array([[1.5] * (row % 50) for row in range(N)])
    times = pa.array([[1, 2] * (row % 50) for row in range(N)], pa.list_(pa.uint8()))
    images = pa.array([bytes(range(200, 200 + row % 50)) for row in range(N)])
    image = tensor(np.ones((N, 12), np.float32), [2, 2, 3])
    hashes = pa.array([np.random.default_rng(row).bytes(32) for row in range(N)])
    codes = pa.array([f"{row:08}".encode() for row in range(N)])
    boxes = {"score_0": ROWS[:, 0], "score_1": ROWS[:, 1]}
    beside = {
        "input_ids": lists(tokens),
        "mask": lists(tokens, "fixed"),
        "ragged": ragged,
        "times": times,
        "images": images,
        "image": image,
        "hash": hashes,
        "code": codes,
        **boxes,
    }
    for array in (lists(ROWS), tensor(ROWS)):
        content = read_table(table_path, {**beside, "embedding": array})
        np.testing.assert_array_equal(content.rows_nd[:], ROWS)
        assert (
            "not used: input_ids (lists of int64), mask (lists of int64), ragged (lists of float32 of varying"
            in content.taken.replace("double", "float32").replace("float64", "float32")
        )
    refuse_table(
        table_path,
        r"columns with vectors: none; it has images \(bytes\), hash \(bytes\), code \(bytes\)",
        {name: beside[name] for name in ("images", "hash", "code")},
    )
    refuse_table(
        table_path,
        r"column input_ids \(lists of int64\): whole numbers may be token ids; .*dataset.key=input_ids",
        {"input_ids": lists(tokens)},
    )
    assert (
        read_table(table_path, {"input_ids": lists(tokens)}, key="input_ids").rows_nd[:].tobytes() == tokens.tobytes()
    )
    refuse_table(
        table_path,
        r"column t \(numbers written as text\): whole numbers may be token ids",
        {"t": [json.dumps(row.tolist()) for row in tokens]},
    )
    refuse_table(
        table_path,
        "dataset.key=hash: this column is bytes: it could be: x",
        {"hash": hashes, "x": lists(ROWS)},
        key="hash",
    )
    for two in ({"a": lists(ROWS), "b": lists(ROWS)}, {"a": texts(ROWS, "json"), "b": [row.tobytes() for row in ROWS]}):
        refuse_table(
            table_path,
            "columns a .*, b .*: more than one column could hold the vectors; .*dataset.key=a$",
            two,
        )
    twice = pa.Table.from_arrays([lists(ROWS), lists(ROWS)], names=["e", "e"])
    refuse_table(table_path, r"none; it has e \(2 columns of this name\)", twice)


def test_damage_beside_the_vectors_is_no_reason_to_refuse_them(tmp_path: Path) -> None:
    table_path = tmp_path / "x.parquet"
    ragged = pa.array([[1.0] * (row % 5) for row in range(N)])
    read_table(table_path, {"x": lists(ROWS), "other": ragged})
    chunk = pq.read_metadata(table_path).row_group(0).column(1)
    content = bytearray(table_path.read_bytes())
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    table_path.write_bytes(content)
    np.testing.assert_array_equal(read(table_path, Wanted(key="x")).rows_nd[:], ROWS)
    with pytest.raises(VqbenchError, match="cannot be read as .parquet|more than one"):
        read(table_path, Wanted(key="other"))


SOME = ROWS[:40]
WHOLE = np.arange(40)
#: Columns that are vectors without being named: the smaller rank is taken, and two of one rank are refused.
VECTORS = {
    "embedding": (1, lambda: lists(SOME)),
    "tensor": (1, lambda: tensor(SOME)),
    "large": (1, lambda: lists(SOME, "large")),
    "doubles": (1, lambda: lists(SOME.astype(np.float64), "fixed")),
    "int8": (2, lambda: lists((SOME * 9).astype(np.int8))),
    "as_text": (3, lambda: pa.array(texts(SOME, "pgvector"))),
    "as_bytes": (3, lambda: pa.array([row.tobytes() for row in SOME])),
}
OTHERS = {
    "id": lambda: pa.array(IDS[:40]),
    "doc_id": lambda: pa.array(WHOLE),
    "text": lambda: pa.array(["a, [b]"] * 40),
    "label": lambda: pa.array(WHOLE % 3),
    "score": lambda: pa.array(SOME[:, 0]),
    "ok": lambda: pa.array(WHOLE > 3),
    "input_ids": lambda: lists(np.tile(WHOLE[:, None], 9)),
    "tags": lambda: pa.array([["a"]] * 40),
    "ragged": lambda: pa.array([[1.5] * (row % 20) for row in WHOLE]),
    "none": lambda: pa.nulls(40),
    "image": lambda: tensor(np.ones((40, 12), np.float32), [2, 2, 3]),
    "jpeg": lambda: pa.array([b"\xff\xd8" * 9] * 40),
    "meta": lambda: pa.array([{"n": 1, "text": "x"}] * 40),
    "at": lambda: pa.array([datetime.datetime(2024, 2, 29)] * 40),
}


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    vectors=st.lists(st.sampled_from(sorted(VECTORS)), max_size=3, unique=True),
    others=st.lists(st.sampled_from(sorted(OTHERS)), max_size=6, unique=True),
    order=st.randoms(use_true_random=False),
)
def test_any_mix_of_columns(tmp_path: Path, vectors: list[str], others: list[str], order: random.Random) -> None:
    """The intended one is taken, with every other column said, or those that could be meant are named."""
    arrays = {name: VECTORS[name][1]() for name in vectors} | {name: OTHERS[name]() for name in others}
    names = order.sample(sorted(arrays), len(arrays))
    best = min((VECTORS[name][0] for name in vectors), default=0)
    # Bytes are compared with texts and blobs, which are looked at only where there are no lists of floats.
    best = 3 if best == 2 and any(VECTORS[name][0] == 3 for name in vectors) else best
    intended = [name for name in vectors if VECTORS[name][0] == best]
    table_path = tmp_path / "x.arrows"
    if len(intended) != 1 or not names:
        with pytest.raises(VqbenchError) as error:
            read_table(table_path, {name: arrays[name] for name in names})
        assert all(name in str(error.value) for name in intended)
        return
    content = read_table(table_path, {name: arrays[name] for name in names})
    expected = (SOME * 9).astype(np.int8) if intended == ["int8"] else SOME
    np.testing.assert_array_equal(content.rows_nd[:].astype(expected.dtype), expected)
    ids = {"id": IDS[:40], "doc_id": [str(x) for x in WHOLE]}
    assert content.ids == next((ids[name] for name in ids if name in names), None)
    said = content.taken.replace("meta.n", "meta").replace("meta.text", "meta")
    assert said.startswith(f"x.arrows: column '{intended[0]}' (")
    assert " more" in said or all(name in said for name in names)
