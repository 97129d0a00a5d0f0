"""A dataset is the same whichever format it was handed in: its ids, numbers, their kind, and the distance it states."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from handed_in import data_of, holds, rows_of
from owners import FORMATS, Ids

from vqbench.cli.main import main
from vqbench.datasets.base import Data, Source
from vqbench.datasets.distances import kind_of
from vqbench.datasets.file import File
from vqbench.datasets.formats import readers_by_ending
from vqbench.datasets.readers.base import FOLDER

RNG = np.random.default_rng(0)
MOVIES = Path(__file__).parents[2] / "vqbench" / "data" / "movies"
#: Ids that a reader may take for a number, a gap, a mark between fields or the begin of something else.
HARD = [
    *("007", "NA", "nan", "None", "null", "1e5", "True", "inf", "-1", "1.0", "-", "0x10", "2020-01-01", "=1+1"),
    *("a,b", "a;b", "a|b", 'say "x"', "'q'", "two  blanks", "[1, 2]", "{x}", "(x)", "#c", "\\n", "\\", "~", "id"),
    *("é", "e\u0301", "日本", "🎬", "\u00a0x\u00a0", "\u200b", "x\u2028y", "\ufeffz"),
]


def _movies() -> tuple[np.ndarray, Ids]:
    """The bundled embeddings as they are used: float32 of unit length."""
    x_nd = np.load(MOVIES / "embeddings.npy")[::10].astype(np.float32)
    ids = (MOVIES / "ids.txt").read_text("utf-8").splitlines()[::10]
    return x_nd / np.linalg.norm(x_nd, axis=1, keepdims=True), ids


def _halves() -> np.ndarray:
    """Float16 of every size, the smallest and the largest that there are."""
    x_nd = (RNG.standard_normal((len(HARD), 9)) * 10.0 ** RNG.integers(-4, 4, (len(HARD), 9))).astype(np.float16)
    x_nd[0, :4] = np.finfo(np.float16).smallest_subnormal, -65504, 65504, -0.0
    return x_nd


SETS = {
    "movies": _movies(),
    "float16": (_halves(), HARD),
    "uint8": (RNG.integers(0, 256, (40, 12)).astype(np.uint8), [str(700_000 - 7 * row) for row in range(40)]),
    "int8": (RNG.integers(-128, 128, (40, 12)).astype(np.int8), [f"doc-{row}" for row in range(40)]),
}
STATED = [(name, distance) for name, form in FORMATS.items() for distance in form.distances]


def test_every_ending_is_in_the_table() -> None:
    endings = {suffix for name in FORMATS for suffix in Path(name).suffixes} - {".gz", ".zst"}
    folders = {FOLDER for name in FORMATS if name.endswith(FOLDER)}
    assert endings | folders == set(readers_by_ending())


@pytest.fixture
def handed_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Data, Source]]:
    """The data that a run evaluates, and what was read for them."""
    read, load = list[Source](), File.load

    def loaded(file: File) -> Source:
        read.append(load(file))
        return read[-1]

    monkeypatch.setattr(File, "load", loaded)
    return lambda path, *settings: (data_of(path, *settings), read.pop())


@pytest.mark.parametrize("name", FORMATS)
def test_ids_numbers_and_their_kind(name: str, tmp_path: Path, handed_in: Callable[..., tuple[Data, Source]]) -> None:
    form = FORMATS[name]
    kept = {which: each for which, each in SETS.items() if form.holds(each[0])}
    assert kept
    for which, (x_nd, ids) in kept.items():
        path = tmp_path / which / name
        path.parent.mkdir()
        form.write(path, x_nd, ids)
        data, source = handed_in(path, *form.settings(path, x_nd))
        found_nd = np.asarray(source.corpus_nd[:]).astype(x_nd.dtype)
        assert found_nd.tobytes() == x_nd.tobytes(), which
        if not form.shortest:
            np.testing.assert_array_equal(rows_of(data), x_nd.astype(np.float32), which)
        assert list(data.ids) == form.ids_of(ids), which
        assert (source.corpus_nd.dtype, source.corpus_nd.shape) == (form.dtype(x_nd.dtype), x_nd.shape), which
        assert source.distance == "", which


@pytest.mark.parametrize(("name", "distance"), STATED)
def test_the_stated_distance(
    name: str, distance: str, tmp_path: Path, handed_in: Callable[..., tuple[Data, Source]]
) -> None:
    """It is followed, and changes neither ids nor numbers."""
    (x_nd, ids), form = SETS["movies"], FORMATS[name]
    form.distances[distance](tmp_path / name, x_nd, ids)
    data, source = handed_in(tmp_path / name)
    assert kind_of(source.distance) == distance
    assert any("which ranks rows of unit length as cosine does" in note for note in data.notes) == (
        distance != "cosine"
    )
    holds(data, x_nd, form.ids_of(ids))


def test_a_run_finds_the_same_neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Overlap@10 of codes of one bit, to the last digit that is written, and with it that of float32."""
    monkeypatch.chdir(tmp_path)
    x_nd, ids = SETS["movies"]
    found = list[list[dict[str, str]]]()
    for name in ("chunked.h5", "list.csv", "blob.sqlite"):
        FORMATS[name].write(Path(name), x_nd, ids)
        asked = ["quantizer=binary_zero", "metric=overlap", "k=10", "oversample=0", "n_queries=100"]
        few = ["figures=false", "report=false", "doctor=false", "cache=off", f"out=of-{name}"]
        assert main(["dataset=file", f"dataset.path={name}", "dataset.name=films", *asked, *few]) == 0
        with Path(f"of-{name}", "metrics.csv").open(encoding="utf-8", newline="") as file:
            found.append(list(csv.DictReader(file)))
    assert found[0] == found[1] == found[2]
    (overlap,) = {row["value"] for row in found[0] if row["variant"] == "binary_zero"}
    assert 0.2 < float(overlap) < 0.95
