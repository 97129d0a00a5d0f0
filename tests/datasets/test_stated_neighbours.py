"""The nearest rows that a file states: compared with ours where both mean the same; they never stop a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqbench.cli.main import main
from vqbench.datasets.base import Data
from vqbench.datasets.choice import Kind, Part
from vqbench.datasets.file import File
from vqbench.datasets.prepare import prepare
from vqbench.datasets.readers import hdf5
from vqbench.datasets.readers.base import Content
from vqbench.evaluation.bench import Bench, open_bench
from vqbench.evaluation.settings import Settings
from vqbench.evaluation.stated_neighbours import agreement
from vqbench.metrics.overlap import Overlap

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(60, 5)).astype(np.float32)
QUERIES = RNG.normal(size=(8, 5)).astype(np.float32)


def _cosines(queries_qd: np.ndarray, rows_nd: np.ndarray) -> np.ndarray:
    unit_qd, unit_nd = (x.astype(np.float64) / np.linalg.norm(x, axis=1)[:, None] for x in (queries_qd, rows_nd))
    return unit_qd @ unit_nd.T


def _nearest(cosines_qn: np.ndarray, k: int) -> np.ndarray:
    return np.argsort(-cosines_qn, axis=1, kind="stable")[:, :k].astype(np.int32)


def _write(path: Path, rows_nd: np.ndarray, queries_qd: np.ndarray, **more: Any) -> Path:
    """As ann-benchmarks writes it; ``distance=None`` leaves the attribute out."""
    distance = more.pop("distance", "angular")
    with h5py.File(path, "w") as file:
        if distance is not None:
            file.attrs["distance"] = distance
        for name, array in {"train": rows_nd, "test": queries_qd, **more}.items():
            file[name] = array
    return path


def _data(path: Path, **options: Any) -> Data:
    spec = File(path=str(path), **{name: options.pop(name) for name in ("ids", "queries") if name in options})
    source = spec.load()
    return prepare(source, "x", **({"queries": None, "n_queries": None, "normalize": True} | options))


def _checked(path: Path, k: int, **options: Any) -> dict[str, Any]:
    data = _data(path, **options)
    found = agreement(data, lambda: open_bench(data, Settings([k], [0], [Overlap()])))
    assert found is not None
    return found


def _no_search() -> Bench:
    raise AssertionError("nothing was to be searched")


SMALL = st.lists(st.lists(st.integers(-2, 2), min_size=2, max_size=2).filter(any), min_size=4, max_size=9)


@settings(max_examples=30)
@given(rows=SMALL, queries=SMALL, k=st.integers(1, 4), depth=st.integers(1, 4), data=st.data())
def test_right_is_what_a_loop_over_all_entries_finds(
    tmp_path_factory: pytest.TempPathFactory, rows: list, queries: list, k: int, depth: int, data: st.DataObject
) -> None:
    """Vectors of few values tie in heaps; a file that breaks ties as it likes is right all the same."""
    x_nd, q_qd = np.array(rows, dtype=np.float32), np.array(queries, dtype=np.float32)
    cosines_qn = _cosines(q_qd, x_nd)
    noise_qn = np.array(data.draw(st.permutations(range(len(x_nd)))))[None, :] * 1e-9
    rows_qk = _nearest(np.round(cosines_qn, 9) + noise_qn, k)
    path = _write(tmp_path_factory.mktemp("x") / "x.hdf5", x_nd, q_qd, neighbors=rows_qk)
    found = _checked(path, depth)
    assert (found["right"], found["first_wrong"]) == (found["entries"], None) == (len(q_qd) * min(k, depth), None)

    at = st.tuples(st.integers(0, len(q_qd) - 1), st.integers(0, k - 1), st.integers(0, len(x_nd) - 1))
    for query, place, row in data.draw(st.lists(at, max_size=5)):
        rows_qk[query, place] = row
    _write(path, x_nd, q_qd, neighbors=rows_qk)
    found, both = _checked(path, depth), min(k, depth)
    wrong = []
    for query, entries in enumerate(rows_qk[:, :both].tolist()):
        least = sorted(cosines_qn[query])[-both]
        for place, row in enumerate(entries):
            if row in entries[:place] or cosines_qn[query, row] < least - 1e-5:
                wrong.append((query, place, row))
    assert found["right"] == found["entries"] - len(wrong)
    assert found["queries_with_wrong"] == len({query for query, _, _ in wrong})
    first = found["first_wrong"]
    assert (None if first is None else (first["query"], first["place"], first["row"])) == next(iter(wrong), None)


@pytest.mark.parametrize("distance", ["angular", "euclidean", "dot"])
def test_each_distance_that_ranks_as_cosine(tmp_path: Path, distance: str) -> None:
    """In float32, as the tools that write such files compute it; the queries come in the order of the draw."""
    x_nd, q_qd = ((x / np.linalg.norm(x, axis=1)[:, None]).astype(np.float32) for x in (ROWS, QUERIES))
    if distance == "angular":
        x_nd, q_qd = x_nd * RNG.uniform(0.1, 9, (len(x_nd), 1)).astype(np.float32), q_qd * np.float32(7)
    rows_qk = _nearest(_cosines(q_qd, x_nd), 10)
    near_qk = np.take_along_axis(_cosines(q_qd, x_nd), rows_qk, 1)
    far_qk = {"angular": 1 - near_qk, "euclidean": np.sqrt(2 - 2 * near_qk), "dot": -near_qk}[distance]
    path = tmp_path / "x.hdf5"
    _write(path, x_nd, q_qd, neighbors=rows_qk, distances=far_qk.astype(np.float32), distance=distance)
    found = _checked(path, 10, n_queries=5)
    assert (found["k"], found["queries"], found["right"]) == (10, 5, 50)
    assert found.get("distances_right") == (None if distance == "dot" else True)
    assert found["sentence"] == "neighbors in the file: all 50 are in our top 10, as far as float32 can tell"
    assert 0 < found["tolerance"] < 2e-5

    rows_qk[6, 9], far_qk[2, 3] = _nearest(-_cosines(q_qd, x_nd), 1)[6, 0], np.nan
    _write(path, x_nd, q_qd, neighbors=rows_qk, distances=far_qk.astype(np.float32), distance=distance)
    found = _checked(path, 12)
    assert (found["right"], found["queries_with_wrong"], found["first_wrong"]["query"]) == (79, 1, 6)
    assert "98.8 % of 80 are in our top 10, 1 of 8 queries disagree. The first is query 6: at" in found["sentence"]
    assert ("1 of the distances are NaN or infinite" in found["sentence"]) == (distance != "dot")
    assert found.get("distances_right") == (None if distance == "dot" else False)  # of the row that was replaced


def test_a_neighbour_just_below_the_boundary_is_told_from_one_within_rounding(tmp_path: Path) -> None:
    angles = np.array([0.1, 0.5, 0.5 + 1e-6, 0.5 + 1e-5])  # cosines lower by 5e-7 and 5e-6
    x_nd = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for row, right in ((1, 2), (2, 2), (3, 1)):
        path = _write(tmp_path / "x.hdf5", x_nd, np.array([[1.0, 0.0]] * 2), neighbors=[[0, row]] * 2)
        found = _checked(path, 2)
        assert (found["right"], 5e-7 < found["tolerance"] < 5e-6) == (2 * right, True)


def test_what_is_not_comparable_is_said_and_costs_no_search(tmp_path: Path) -> None:
    path, rows_qk = tmp_path / "x.hdf5", _nearest(_cosines(QUERIES, ROWS), 3)
    for distance, words in (
        ("euclidean", "euclidean distance of vectors that are not of unit length"),
        ("hamming", "hamming distance, ours by cosine"),
        (None, "no attribute 'distance'"),
        (7, "no attribute 'distance'"),
    ):
        _write(path, ROWS, QUERIES, neighbors=rows_qk, distance=distance)
        found = agreement(_data(path, distance="cosine"), _no_search)
        assert found is not None
        assert not found["checked"]
        assert words in found["sentence"]
    _write(path, ROWS, QUERIES, neighbors=rows_qk, distance=np.bytes_("Angular"))
    found = agreement(_data(path, rows=30), _no_search)
    assert "rows leaves some rows out" in found["sentence"]
    assert _checked(path, 3)["checked"]
    np.save(tmp_path / "q.npy", QUERIES)
    for options in ({"queries": "self"}, {"queries": "holdout", "n_queries": 2}):
        data = prepare(File(path=str(path)).load(), "x", **({"n_queries": None, "normalize": True} | options))
        assert agreement(data, _no_search) is None
    own = File(path=str(path), queries=str(tmp_path / "q.npy")).load()
    assert own.stated_neighbours is None


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"neighbors": [[0, 1]] * 7}, "they are int64 (7, 2), not row numbers for each of 8 queries"),
        ({"neighbors": [[0.0, 1.0]] * 8}, "they are float64 (8, 2), not row numbers"),
        ({"neighbors": [0] * 8}, "int64, 8: not a table of numbers"),
        ({"neighbors": h5py.ExternalLink("other.h5", "train")}, "a link, which is not followed: not a table"),
        ({"neighbors": np.array([(1, 2.0)] * 8, "i4,f4")}, "records of f0, f1, 8: not a table of numbers"),
    ],
)  # fmt: skip
def test_what_cannot_be_row_numbers_is_said(tmp_path: Path, more: dict, words: str) -> None:
    found = agreement(_data(_write(tmp_path / "x.hdf5", ROWS, QUERIES, **more)), _no_search)
    assert found is not None
    assert found["sentence"].startswith(f"neighbors in the file were not compared with ours: {words}")


@pytest.mark.parametrize(
    ("distances", "words"),
    [
        ([[0.5]] * 8, "The distances were not compared: their shape is (8, 1), that of neighbors (8, 3)"),
        (h5py.SoftLink("/test"), "The distances were not compared: a link, which is not followed: not a table"),
        (np.array([[b"a"] * 3] * 8), "The distances were not compared: text, 8 x 3: not a table of numbers"),
    ],
)  # fmt: skip
def test_distances_that_cannot_be_compared(tmp_path: Path, distances: Any, words: str) -> None:
    rows_qk = _nearest(_cosines(QUERIES, ROWS), 3)
    found = _checked(_write(tmp_path / "x.hdf5", ROWS, QUERIES, neighbors=rows_qk, distances=distances), 3)
    assert found["right"] == 24
    assert words in found["sentence"]


@pytest.mark.parametrize("kind", [np.int32, np.uint8, np.uint32, np.uint64])
def test_entries_that_fill_up_short_lists_are_counted(tmp_path: Path, kind: type) -> None:
    """Compared is what is stated; -1 is the largest number of an unsigned type."""
    rows_qk = _nearest(_cosines(QUERIES, ROWS), 10)
    far_qk = 1 - np.take_along_axis(_cosines(QUERIES, ROWS), rows_qk, 1)
    rows_qk[2, 6:], rows_qk[5, 1:], far_qk[2, 6:] = -1, -1, np.inf
    path = _write(tmp_path / "x.hdf5", ROWS, QUERIES, neighbors=rows_qk.astype(kind), distances=far_qk)
    found = _checked(path, 10)
    assert (found["entries"], found["right"], found["padding"], found["first_wrong"]) == (67, 67, 13, None)
    assert (found["distances_right"], found["distances_not_finite"]) == (True, 0)
    assert found["sentence"] == (
        "neighbors in the file: all 67 are in our top 10, as far as float32 can tell. "
        "Of 80 entries, 13 fill up short lists (-1)"
    )


def test_rows_that_are_counted_from_one(tmp_path: Path) -> None:
    rows_qk = _nearest(_cosines(QUERIES, ROWS), 10)
    found = _checked(_write(tmp_path / "x.hdf5", ROWS, QUERIES, neighbors=rows_qk + 1), 10)
    assert (found["right"], found["entries"], found["rows_begin_at"]) == (80, 80, 1)
    assert found["sentence"].endswith("The file counts the rows from 1")
    rows_qk[0, :2] = 59, 60  # a file that is wrong here and there counts from 0 all the same
    rows_qk[rows_qk == 0] = 1
    found = _checked(_write(tmp_path / "x.hdf5", ROWS, QUERIES, neighbors=rows_qk), 10)
    assert (found["rows_begin_at"], found["beyond"]) == (0, 1)


def test_entries_that_are_no_neighbours_are_counted_by_kind(tmp_path: Path) -> None:
    rows_qk = _nearest(_cosines(QUERIES, ROWS), 4)
    rows_qk[1, 2], rows_qk[3, 1], rows_qk[3, 3], rows_qk[6, 0] = 60, rows_qk[3, 0], -7, -1
    found = _checked(_write(tmp_path / "x.hdf5", ROWS, QUERIES, neighbors=rows_qk), 4)
    assert (found["entries"], found["right"], found["queries_with_wrong"]) == (31, 28, 2)
    assert (found["padding"], found["repeated"], found["beyond"], found["rows_begin_at"]) == (1, 1, 2, 0)
    assert "at place 2 it has row 60 which is no row of the corpus. Of 32 entries, 1 fill up" in found["sentence"]


def test_a_run_says_it_on_screen_in_the_report_and_in_meta(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when every cell was finished before."""
    monkeypatch.chdir(tmp_path)
    rows_qk = _nearest(_cosines(QUERIES, ROWS), 5)
    common = ["dataset=file", "dataset.path=x.hdf5", "quantizer=[float32]", "metric=[overlap]", "k=[5]",
              "oversample=[0]", "figures=false", "doctor=false", "out=out", "cache=off"]  # fmt: skip
    _write(Path("x.hdf5"), ROWS, QUERIES, neighbors=rows_qk)
    assert main(common) == 0
    assert "note: x: neighbors in the file: all 40 are in our top 5" in " ".join(capsys.readouterr().out.split())
    rows_qk[3, 2] = rows_qk[3, 1]
    _write(Path("x.hdf5"), ROWS, QUERIES, neighbors=rows_qk)
    assert main(common) == 0
    said = "neighbors in the file: 97.5 % of 40 are in our top 5, 1 of 8 queries disagree. The first is query 3: at"
    screen = " ".join(capsys.readouterr().out.split())
    assert f"WARNING: x: {said}" in screen
    assert "1 cell was finished before" in screen
    found = json.loads(Path("out/meta.json").read_text("utf-8"))["datasets"]["x"]["neighbors"]
    assert found["sentence"] == (
        f"{said} place 2 it has row {rows_qk[3, 1]} for a second time. Of 40 entries, 1 repeat a row"
    )
    assert (found["right"], found["first_wrong"]["query"]) == (39, 3)
    assert said in Path("out/report.html").read_text("utf-8")


def test_memory_that_is_missing_is_no_damage() -> None:
    """Neighbours that are merely large are not left out as if they could not be read."""

    def rows(name: str) -> Any:
        raise MemoryError(name)

    parts = {"neighbors": Part(name="neighbors", kind=Kind.WHOLES, what="lists of int64")}
    with pytest.raises(MemoryError):
        hdf5._stated(Path("x.hdf5"), Content(rows_nd=ROWS), parts, rows)  # pyright: ignore[reportPrivateUsage]
