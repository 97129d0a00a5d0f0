"""Codes of a provider: read as what they were declared to be, aligned with their rows, or refused by name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from vqbench.datasets.base import Data
from vqbench.datasets.file import File
from vqbench.datasets.prepare import prepare
from vqbench.errors import VqbenchError

RNG = np.random.default_rng(11)
ROWS = RNG.normal(size=(90, 40)).astype(np.float32)
PACKED = np.packbits(ROWS > 0, axis=1)
INT8 = np.clip(np.round(ROWS * 40), -128, 127).astype(np.int8)


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("float.npy", ROWS)
    np.save("ubinary.npy", PACKED)
    np.save("binary.npy", (PACKED.astype(int) - 128).astype(np.int8))
    np.save("int8.npy", INT8)
    np.save("wide.npy", PACKED.astype(np.int64))
    np.save("signed.npy", PACKED.astype(np.float32) - 128)
    np.save("bits.npy", (ROWS > 0).astype(np.uint8))


def _data(spec: File, **more) -> Data:
    return prepare(spec.load(), "x", **{"queries": "self", "n_queries": 9, "normalize": True, **more})


@pytest.mark.parametrize("path", ["ubinary.npy", "binary.npy", "wide.npy", "signed.npy"])
def test_packed_bits_become_rows_of_signs(path: str) -> None:
    """Their cosine is 1 - 2 differing bits / d; they are stored as the bytes that they came in."""
    data = _data(File(path=path, codes="packed"))
    assert data.stored.plain() == {"as": "packed bits", "bytes_per_vector": 5}
    rows_nd = data.corpus.block(0, 90)
    np.testing.assert_allclose(rows_nd, np.where(ROWS > 0, 1, -1) / np.sqrt(40), rtol=1e-6)
    assert list(data.notes) == [
        "Packed bits, as declared: ratios and advice count from the 5 bytes/vector that are stored today."
    ]


def test_queries_of_codes_are_codes_or_floats() -> None:
    np.save("q.npy", PACKED[:7])
    np.save("q8.npy", INT8[:7])
    np.save("qf.npy", ROWS[:7])
    signs_qd = np.where(ROWS[:7] > 0, 1, -1)
    for corpus, kind, path, wanted_qd in (
        ("ubinary.npy", "packed", "q.npy", signs_qd),
        ("ubinary.npy", "packed", "qf.npy", ROWS[:7]),
        ("int8.npy", "int8", "q8.npy", INT8[:7]),
        ("int8.npy", "int8", "qf.npy", ROWS[:7]),
    ):
        spec = File(path=corpus, codes=kind, queries=path)  # pyright: ignore[reportArgumentType]
        data = _data(spec, queries=None, normalize=False)
        order = [int(i.removeprefix("q")) for i in data.query_ids]
        np.testing.assert_array_equal(data.queries_qd, wanted_qd[order])


@pytest.mark.parametrize(("path", "kind"), [("int8.npy", "int8"), ("ubinary.npy", "uint8")])
def test_whole_numbers_stay_what_they_are(path: str, kind: str) -> None:
    """Declared bytes are not suspected of being bits."""
    data = _data(File(path=path, codes=kind), normalize=False)  # pyright: ignore[reportArgumentType]
    np.testing.assert_array_equal(data.corpus.block(0, 90), np.load(path))
    assert data.stored.plain() == {"as": kind, "bytes_per_vector": np.load(path).shape[1]}
    assert not any("packed" in sentence for sentence in data.notes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"path": "float.npy", "codes": "packed"},
            r"float.npy: dataset.codes=packed needs bytes that hold 8 bits each, but has float32 from -\d.* to \d.*; "
            r"numpy.packbits\(x > 0, axis=1\) packs the bits of floats",
        ),
        ({"path": "float.npy", "codes": "int8"}, "float.npy: dataset.codes=int8 needs whole numbers of that range, "),
        ({"path": "ubinary.npy", "codes": "int8"}, "but has dtype uint8"),
        ({"path": "wide.npy", "codes": "int8"}, r"but has whole numbers from \d+ to 2\d\d$"),
        ({"path": "bits.npy", "codes": "packed"}, "but has numbers that are all 0 or 1, bits that are not packed"),
        ({"path": "float.npy", "codes_path": "ubinary.npy"}, "codes_path=ubinary.npy: needs dataset.codes as well"),
        (
            {"path": "float.npy", "codes_path": "int8.npy", "codes": "packed"},
            r"int8.npy: codes of 40 bytes, but packed codes of 40 dimensions \(float.npy\) have 5: check dataset.codes",
        ),
        (
            {"path": "float.npy", "codes_path": "short.npy", "codes": "packed"},
            "short.npy: 89 rows of codes, but float.npy has 90 vectors",
        ),
        (
            {"path": "a.json", "codes_path": "b.json", "codes": "int8"},
            "b.json: row 1 has the id 'z', in a.json it has 'y'",
        ),
    ],
)
def test_codes_that_do_not_fit_are_refused(settings: dict[str, str], message: str) -> None:
    np.save("short.npy", PACKED[:89])
    Path("a.json").write_text(json.dumps({"x": [0.5, 1.5], "y": [2.5, 1]}))
    Path("b.json").write_text(json.dumps({"x": [1, 2], "z": [3, 1]}))
    with pytest.raises(VqbenchError) as error:
        _data(File(**settings))  # pyright: ignore[reportArgumentType]
    assert re.search(message, str(error.value)), error.value


@pytest.mark.parametrize("mode", ["self", "holdout"])
@pytest.mark.parametrize("rows", [None, 50])
@pytest.mark.parametrize("bad", [[], [0, 17, 88]])
def test_codes_stay_with_their_rows(mode: str, rows: int | None, bad: list[int]) -> None:
    """Whatever is dropped, held out or drawn: the code of a row is the one that stands at its number in the file."""
    spoilt_nd = ROWS.copy()
    spoilt_nd[bad] = np.nan
    np.save("float.npy", spoilt_nd)
    other_nb = RNG.integers(0, 256, PACKED.shape, dtype=np.uint8)  # codes that no float tells
    np.save("other.npy", other_nb)
    spec = File(path="float.npy", codes="packed", codes_path="other.npy")
    data = _data(spec, queries=mode, rows=rows, on_bad_rows="drop", n_queries=20)
    assert data.provided is not None
    row_n, row_q = ([int(i) for i in ids] for ids in (data.ids, data.query_ids))
    np.testing.assert_array_equal(data.provided.corpus_nb[0 : data.corpus.n], other_nb[row_n])
    np.testing.assert_array_equal(data.provided.queries_qb, other_nb[row_q])
    np.testing.assert_array_equal(data.corpus.take_raw(np.arange(data.corpus.n)), ROWS[row_n])
    part = data.provided.corpus_nb.span(3, 9)
    np.testing.assert_array_equal(part[np.array([5, 0])], other_nb[[row_n[8], row_n[3]]])


def test_queries_of_their_own_have_the_bits_of_their_floats() -> None:
    """But those that are rows of the corpus have the codes of these."""
    query_nd = np.concatenate([ROWS[[4, 9]], RNG.normal(size=(3, 40))]).astype(np.float32)
    np.save("q.npy", query_nd)
    Path("ids.txt").write_text("\n".join(f"r{row}" for row in range(90)))
    Path("qids.txt").write_text("r4\nr9\na\nb\nc")
    other_nb = RNG.integers(0, 256, PACKED.shape, dtype=np.uint8)
    np.save("other.npy", other_nb)
    spec = File(
        path="float.npy", ids="ids.txt", queries="q.npy", query_ids="qids.txt", codes="packed", codes_path="other.npy"
    )
    data = _data(spec, queries=None)
    wanted = dict(zip(["r4", "r9", "a", "b", "c"], np.packbits(query_nd > 0, axis=1), strict=True))
    wanted |= {"r4": other_nb[4], "r9": other_nb[9]}
    assert data.provided is not None
    assert data.provided.queries_qb is not None
    np.testing.assert_array_equal(data.provided.queries_qb, [wanted[i] for i in data.query_ids])


def test_floats_and_codes_lie_in_one_file(tmp_path: Path) -> None:
    x_nd = np.random.default_rng(4).normal(size=(60, 32)).astype(np.float32)
    bits_nb = np.packbits(x_nd > 0, axis=1)
    np.savez("api.npz", float=x_nd, ubinary=bits_nb)
    data = _data(File(path="api.npz", codes="packed", codes_path="api.npz:ubinary"), queries="self")
    np.testing.assert_array_equal(data.corpus.raw(0, 60), x_nd)
    assert data.provided is not None
    assert any("array 'ubinary'" in line for line in data.taken)
