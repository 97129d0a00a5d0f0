"""Damaged files: small good ones of every format, and what flips, cuts, insertions and splices make of them."""

from __future__ import annotations

import base64
import io
import json
import random
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path

import h5py
import ml_dtypes
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from writers import (
    WRITERS,
    lists,
    save,
    write_faiss,
    write_hdf5,
    write_ipc,
    write_parquet,
    write_safetensors,
    write_sqlite,
    write_words,
)

ROWS = (np.arange(1, 36, dtype=np.uint8) * 3 % 101 + 1).reshape(7, 5)
_IDS = [f"é{row}" for row in range(len(ROWS))]
_FLOATS = ROWS.astype(np.float32) / 7


def _json(path: Path, x_nd: np.ndarray) -> None:
    path.write_text(json.dumps(dict(zip(_IDS, x_nd.tolist(), strict=True)), ensure_ascii=False), "utf-8")


def _openai(path: Path, x_nd: np.ndarray) -> None:
    """Answers in base64, out of order."""
    rows = [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in x_nd]
    data = [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)]
    path.write_text(json.dumps({"object": "list", "data": data[::-1]}), "utf-8")


def _collection(path: Path, x_nd: np.ndarray) -> None:
    path.write_text(json.dumps({"ids": _IDS, "embeddings": x_nd.tolist(), "documents": None}), "utf-8")


def _requests(path: Path, x_nd: np.ndarray) -> None:
    lines = [{"custom_id": i, "response": {"body": {"data": [{"index": 0, "embedding": row}]}}}
             for i, row in zip(_IDS, x_nd.tolist(), strict=True)]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, lines)), "utf-8")


def _named(path: Path, x_nd: np.ndarray) -> None:
    lines = ["id,a,b,c,d,e", *(f'"{i}",{",".join(map(repr, row))}' for i, row in zip(_IDS, x_nd.tolist(), strict=True))]
    path.write_text("\n".join(lines), "utf-8")


def _queries(path: Path, x_nd: np.ndarray) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("train", data=x_nd, chunks=(3, 2), compression="gzip", shuffle=True, fletcher32=True)
        file.create_dataset("test", data=x_nd[:2], chunks=(2, 5), compression="lzf")
        file["more/deep"] = x_nd


def _given(path: Path, x_nd: np.ndarray) -> None:
    """As ann-benchmarks has it: queries, and their nearest rows."""
    unit_nd = x_nd / np.linalg.norm(x_nd, axis=1, keepdims=True)
    cosines_qn = unit_nd[:2] @ unit_nd.T
    nearest_qk = np.argsort(-cosines_qn, axis=1)[:, :3].astype(np.int32)
    with h5py.File(path, "w") as file:
        file.attrs["distance"] = "angular"
        file["train"], file["test"], file["neighbors"] = x_nd, x_nd[:2], nearest_qk
        file["distances"] = 1 - np.take_along_axis(cosines_qn, nearest_qk, axis=1)


def _table(path: Path, x_nd: np.ndarray, *, form: str) -> None:
    """Vectors that are not stored as lists."""
    columns: dict[str, object] = {"id": _IDS, "n": range(len(x_nd))}
    if form == "wide":
        columns |= {f"d{at}": x_nd[:, at] for at in range(x_nd.shape[1])}
    elif form == "text":
        columns["e"] = [json.dumps(row.tolist()) for row in x_nd]
    else:
        columns["e"] = pa.array([row.tobytes() for row in x_nd])
    table = pa.table(columns)
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(str(path), table.schema) as file:
            file.write_table(table, 3)


def _beside(path: Path, x_nd: np.ndarray) -> None:
    """Ids of any length beside vectors in a group, and numbers that are none."""
    with h5py.File(path, "w") as file:
        file["group/embeddings"], file["group/ids"], file["group/labels"] = x_nd, _IDS, np.arange(len(x_nd))


#: Good files beside those of the reader tests: with ids, queries, checksums, members without compression.
_MORE: dict[str, Callable[[Path, np.ndarray], None]] = {
    "x.json": _json,
    "openai.json": _openai,
    "collection.json": _collection,
    "requests.jsonl": _requests,
    "ids.db": lambda path, x_nd: write_sqlite(path, x_nd, ids=_IDS),
    "ids.faiss": lambda path, x_nd: write_faiss(path, x_nd, ids=[7 * row + 3 for row in range(len(x_nd))]),
    "named.csv": _named,
    "semicolons.csv": lambda path, x_nd: pd.DataFrame(x_nd).to_csv(path, sep=";", decimal=",", encoding="utf-8-sig"),
    "lists.csv": lambda path, x_nd: pd.DataFrame({"id": _IDS, "x": x_nd.tolist()}).to_csv(path, index=False),
    "wide.tsv": lambda path, x_nd: pd.DataFrame(x_nd, _IDS).to_csv(path, sep="\t", encoding="utf-16"),
    "x.vec": lambda path, x_nd: write_words(path, x_nd, _IDS),
    "words.txt": lambda path, x_nd: write_words(path, x_nd, _IDS, header=False),
    "x.bin": lambda path, x_nd: write_words(path, x_nd, _IDS),
    "queries.hdf5": _queries,
    "given.hdf5": _given,
    "plain.hdf5": lambda path, x_nd: write_hdf5(path, x_nd, track_times=False),
    "ids.parquet": lambda path, x_nd: write_parquet(path, x_nd, ids=_IDS, write_page_checksum=True),
    "zstd.parquet": lambda path, x_nd: write_parquet(path, x_nd, fixed=False, ids=_IDS, compression="zstd"),
    **{
        f"{form}.{kind}": partial(_table, form=form)
        for form in ("wide", "text", "blob")
        for kind in ("parquet", "feather")
    },
    "ids.feather": lambda path, x_nd: write_ipc(path, x_nd, ids=_IDS, batch=3),
    "zstd.feather": lambda path, x_nd: write_ipc(path, x_nd, ids=_IDS, compression="zstd"),
    "ids.arrows": lambda path, x_nd: write_ipc(path, x_nd, ids=_IDS, batch=3),
    "stored.npz": lambda path, x_nd: np.savez(path, x=x_nd),
    "several.npz": lambda path, x_nd: np.savez(path, docs=x_nd, queries=x_nd[:2] + 1, ids=np.array(_IDS)),
    "bfloat16.npz": lambda path, x_nd: np.savez_compressed(path, x=x_nd.astype(ml_dtypes.bfloat16), id=np.arange(7.0)),
    "bfloat16.npy": lambda path, x_nd: np.save(path, x_nd[:, None].astype(ml_dtypes.bfloat16)),
    "beside.hdf5": _beside,
    "several.safetensors": lambda path, x_nd: write_safetensors(
        path, {"xb": x_nd.astype(ml_dtypes.bfloat16), "xq": x_nd[:2] + 1, "ids": np.arange(7)}, {"format": "np"}
    ),
    "columns.npz": lambda path, x_nd: np.savez_compressed(path, x=np.asfortranarray(x_nd)),
}


#: Text files that come beside vectors: a line each.
_TEXTS = {
    "x.ids": "\n".join(_IDS) + "\n",
    "windows.ids": "\ufeff" + "\r\n".join(_IDS),
    "x.qrels": "".join(f"{row} 0 {(row * 3 + 1) % 7} {row % 3}\n" for row in range(7)),
}


def _folders() -> dict[str, bytes]:
    """The files of folders as Hugging Face ``datasets`` saves them, as ``FOLDER/FILE``: small batches, two files."""
    tables = {
        "lists": pa.table({"embedding": lists(_FLOATS), "id": _IDS, "more": range(len(ROWS))}),
        "fixed": pa.table({"id": range(len(ROWS)), "x": lists(ROWS, "fixed")}),
        "large": pa.table({"x": lists(_FLOATS.astype(np.float64), "large")}),
    }
    found = {}
    with tempfile.TemporaryDirectory() as above:
        for name, table in tables.items():
            folder = save(Path(above, name), table[:4], table[4:], batch=2)
            found |= {f"{name}/{path.name}": path.read_bytes() for path in sorted(folder.iterdir())}
    return found


@cache
def good_files() -> dict[str, dict[str, bytes]]:
    """The content of small good files, by ending and name; ``.arrow``: of folders, each file of them."""
    found: dict[str, dict[str, bytes]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, write in {**WRITERS, **_MORE}.items():
            path = Path(folder, name)
            write(path, ROWS if path.suffix in (".bvecs", ".u8bin", ".i8bin") else _FLOATS)
            found.setdefault(path.suffix, {})[name] = path.read_bytes()
    for name, text in _TEXTS.items():
        found.setdefault(Path(name).suffix, {})[name] = text.encode()
    found[".arrow"] = _folders()
    return found


def cuts(content: bytes) -> Iterator[bytes]:
    """Every beginning of a file but the whole."""
    return (content[:end] for end in range(1, len(content)))


_EXTREMES = [0, 1, 2, 127, 128, 255, 256, 32767, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1]
_WORDS = [
    b"1e999", b"-1e-999", b"NaN", b"Infinity", b"nan", b"-inf", b"-1", b"0", b"9" * 25, b"9" * 5000, b"true", b"null",
    b'"', b"[" * 50, b"{", b",", b"\n", b"\r", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"(1,)", b"|O", b"1_0",
    b"\\ud800", b"'''", b"#", b"1;2",
]  # fmt: skip


def _flip(rng: random.Random, content: bytearray, other: bytes) -> None:
    for _ in range(rng.choice([1, 1, 2, 8])):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _cut(rng: random.Random, content: bytearray, other: bytes) -> None:
    at = rng.randrange(len(content))
    del content[at : at + (len(content) if rng.random() < 0.5 else rng.choice([1, 2, 4, 8, 64]))]


def _insert(rng: random.Random, content: bytearray, other: bytes) -> None:
    at, start = rng.randrange(len(content) + 1), rng.randrange(len(content))
    some = [rng.randbytes(rng.choice([1, 4, 32])), content[start : start + rng.choice([1, 8, 64])], b"\0" * 9]
    content[at:at] = rng.choice(some)


def _extreme(rng: random.Random, content: bytearray, other: bytes) -> None:
    """An extreme number in a field: headers stand at the beginning, directories at the end."""
    width = rng.choice([1, 2, 4, 8])
    near = min(len(content), rng.choice([16, 128, 1024]))
    at = rng.choice([rng.randrange(near), len(content) - near + rng.randrange(near), rng.randrange(len(content))])
    number = rng.choice(_EXTREMES) & (2 ** (8 * width) - 1)
    content[at : at + width] = number.to_bytes(width, rng.choice(["little", "big"]))


def _splice(rng: random.Random, content: bytearray, other: bytes) -> None:
    at = rng.randrange(len(content))
    content[at:] = other[rng.choice([at, rng.randrange(len(other))]) :]


def _word(rng: random.Random, content: bytearray, other: bytes) -> None:
    """In place of a number in text, a header among it, or between two bytes."""
    numbers = list(re.finditer(rb"-?\d+(\.\d+)?", content))
    at = rng.choice(numbers).span() if numbers and rng.random() < 0.7 else (rng.randrange(len(content)),) * 2
    content[at[0] : at[1]] = rng.choice(_WORDS)


_WAYS = [_flip, _cut, _insert, _extreme, _extreme, _splice, _word]


def mutated(rng: random.Random, files: Sequence[bytes], others: Sequence[bytes] = ()) -> bytes:
    """One of some good files, damaged in one to three ways. others: what a splice may bring in, by default they."""
    content, other = bytearray(rng.choice(files)), rng.choice(others or files)
    if content[:2] == b"PK" and rng.random() < 0.5:
        return _member(rng, bytes(content))
    for _ in range(rng.choice([1, 1, 2, 3])):
        if content:
            rng.choice(_WAYS)(rng, content, other)
    return bytes(content) or b"\0"


def _member(rng: random.Random, archive: bytes) -> bytes:
    """An archive with right checksums, also of a member that was damaged: else none would be looked into."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        members = {member.filename: opened.read(member) for member in opened.infolist()}
        how = opened.infolist()[0].compress_type
    name = rng.choice(list(members))
    members[name] = mutated(rng, [members[name]])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", how) as written:
        for name, inner in members.items():
            written.writestr(name, inner)
    return packed.getvalue()
