"""The codes of a provider as a variant: overlaps from an independent loop, bytes, and what a run says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vqbench.cli.main import main

RNG = np.random.default_rng(23)
N, D, K = 120, 24, 5
ROWS = (RNG.normal(size=(12, D))[RNG.integers(0, 12, N)] + RNG.normal(size=(N, D))).astype(np.float32)
UNIT = ROWS / np.linalg.norm(ROWS.astype(np.float64), axis=1, keepdims=True)
PACKED = np.packbits(ROWS > 0, axis=1)
INT8 = np.clip(np.round(UNIT * 180), -128, 127).astype(np.int8)
UINT8 = np.clip(np.round((UNIT + 0.4) * 300), 0, 255).astype(np.uint8)
RUN = ["k=[5]", "oversample=[0,2]", "metric=[overlap]", "figures=false", "report=false", "doctor=false", "cache=off"]


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("float.npy", ROWS)
    np.save("ubinary.npy", PACKED)
    np.save("binary.npy", (PACKED.astype(int) - 128).astype(np.int8))
    np.save("int8.npy", INT8)
    np.save("uint8.npy", UINT8)


def _run(*settings: str, quantizer: str = "float32,binary_zero") -> pd.DataFrame:
    told = ["dataset=file", "dataset.path=float.npy", *settings, f"quantizer=[{quantizer}]", "queries=self", *RUN]
    assert main([*told, "out=x"]) == 0
    table = pd.read_csv("x/metrics.csv")
    return table[(table["metric"] == "overlap") & (table["oversample"] == 0)].set_index("variant")


def _overlap(code_scores_nn: np.ndarray, rows: list[int] | None = None) -> float:
    """Mean expected overlap@5 with the cosines of the floats: row by row, ties averaged over."""
    values = []
    rows = list(range(N)) if rows is None else rows
    for row in rows:
        others = [other for other in rows if other != row]
        true = np.round(UNIT[others] @ UNIT[row], 12)
        code = np.round(code_scores_nn[row, others], 12)
        relevant = true >= np.sort(true)[-K]
        edge = np.sort(code)[-K]
        above, tied = code > edge, code == edge
        sure, open_places = (relevant & above).sum(), K - above.sum()
        values.append((sure + (relevant & tied).sum() * open_places / tied.sum()) / K)
    return float(np.mean(values))


def _hamming(codes_nb: np.ndarray) -> np.ndarray:
    return -np.array([[bin(int.from_bytes((a ^ b).tobytes())).count("1") for b in codes_nb] for a in codes_nb]).astype(
        float
    )


def _cosine(decoded_nd: np.ndarray) -> np.ndarray:
    return UNIT @ (decoded_nd / np.linalg.norm(decoded_nd.astype(np.float64), axis=1, keepdims=True)).T


@pytest.mark.parametrize("path", ["ubinary.npy", "binary.npy"])
def test_packed_codes_of_the_signs_are_binary_zero(path: str) -> None:
    own = _run("dataset.codes=packed", f"dataset.codes_path={path}")
    same = ["value", "ci_low", "ci_high", "low", "high", "bytes_per_vector"]
    assert own.loc["provided_packed", same].tolist() == own.loc["binary_zero", same].tolist()
    assert own.loc["provided_packed", "value"] == pytest.approx(_overlap(_hamming(PACKED)), abs=1e-9)
    assert own.loc["provided_packed", "bytes_per_vector"] == 3
    meta = json.loads(Path("x/meta.json").read_text())
    (about,) = meta["datasets"].values()
    assert "stored" not in about, "float32 is the base line"
    assert any(note.startswith("provided_packed: the provider's codes, 3 bytes each") for note in about["notes"])


def test_packed_codes_that_no_threshold_gives() -> None:
    """A query that is a corpus row asks with its own code, not with the bits of its floats."""
    codes_nb = PACKED ^ np.uint8(0b0101_1010)
    codes_nb[::3] = RNG.integers(0, 256, codes_nb[::3].shape)
    np.save("ubinary.npy", codes_nb)
    own = _run("dataset.codes=packed", "dataset.codes_path=ubinary.npy")
    assert own.loc["provided_packed", "value"] == pytest.approx(_overlap(_hamming(codes_nb)), abs=1e-9)


def test_int8_codes_are_compared_as_they_stand() -> None:
    own = _run("dataset.codes=int8", "dataset.codes_path=int8.npy")
    assert own.loc["provided_int8", "value"] == pytest.approx(_overlap(_cosine(INT8)), abs=1e-9)
    assert own.loc["provided_int8", "bytes_per_vector"] == D


def test_uint8_codes_are_decoded_by_the_line_of_least_squares() -> None:
    own = _run("dataset.codes=uint8", "dataset.codes_path=uint8.npy")
    scale, offset = np.polyfit(UINT8.ravel().astype(float), UNIT.ravel(), 1)
    assert own.loc["provided_uint8", "value"] == pytest.approx(_overlap(_cosine(UINT8 * scale + offset)), abs=1e-9)
    assert own.loc["provided_uint8", "value"] > 1.05 * _overlap(_cosine(UINT8.astype(float)))
    ledger = pd.read_csv("x/ledger.csv").query("variant == 'provided_uint8'").set_index("item")["bytes"].to_dict()
    assert {name: ledger[name] for name in ("code", "offset", "scale", "bytes_once")} == {
        "code": D,
        "offset": 4,
        "scale": 4,
        "bytes_once": 8,
    }


def test_dropped_and_drawn_rows_take_their_codes_with_them() -> None:
    spoilt_nd = ROWS.copy()
    spoilt_nd[[3, 50]] = 0
    np.save("float.npy", spoilt_nd)
    codes_nb = RNG.integers(0, 256, PACKED.shape, dtype=np.uint8)
    codes_nb[:, 0] = PACKED[:, 0]
    np.save("ubinary.npy", codes_nb)
    own = _run("dataset.codes=packed", "dataset.codes_path=ubinary.npy", "on_bad_rows=drop")
    kept = [row for row in range(N) if row not in (3, 50)]
    assert own.loc["provided_packed", "value"] == pytest.approx(_overlap(_hamming(codes_nb), kept), abs=1e-9)


def test_declared_codes_are_ranked_by_hamming_distance() -> None:
    """Alone, packed bits are the vectors: binary_zero finds all of their ties, at the bytes that are stored today."""
    told = ["dataset=file", "dataset.path=ubinary.npy", "dataset.codes=packed", "queries=self", *RUN]
    assert main([*told, "quantizer=[float32,binary_zero]", "out=x"]) == 0
    table = pd.read_csv("x/metrics.csv").query("metric == 'overlap' and oversample == 0").set_index("variant")
    assert table.loc["binary_zero", "value"] == 1
    ledger = pd.read_csv("x/ledger.csv").set_index(["variant", "item"])["bytes"]
    assert ledger["binary_zero", "ratio_stored"] == 1
    assert ledger["binary_zero", "packed bits store for rescoring"] == 3
    assert ledger["float32", "ratio_stored"] == pytest.approx(3 / (4 * D), rel=1e-9)


def test_other_codes_make_another_cell(capsys: pytest.CaptureFixture[str]) -> None:
    """The floats are the same, and so are their cells; the provider's are measured again."""
    settings = ("dataset.codes=packed", "dataset.codes_path=ubinary.npy")
    first = _run(*settings)
    np.save("ubinary.npy", RNG.integers(0, 256, PACKED.shape, dtype=np.uint8))
    capsys.readouterr()
    second = _run(*settings)
    assert "(2 cells were finished before)" in " ".join(capsys.readouterr().out.split())
    assert second.loc["provided_packed", "value"] < 0.5 * first.loc["provided_packed", "value"]


def test_the_command_that_measures_provided_codes_again(capsys: pytest.CaptureFixture[str]) -> None:
    _run("dataset.codes=int8", "dataset.codes_path=int8.npy", quantizer="float32")
    capsys.readouterr()
    assert main(["recommend", "x", "--keep", "0.8", "--json"]) == 0
    (rec,) = json.loads(capsys.readouterr().out)
    assert rec["chosen"]["variant"] == "provided_int8"
    assert rec["yaml"] is None
    for part in (
        "dataset.codes=int8",
        "dataset.codes_path=int8.npy",
        "'quantizer=[float32]'",
        "out=results/float-provi",
    ):
        assert part in rec["command"]
    assert "plugins" not in rec["command"]


@pytest.mark.slow
def test_workers_give_the_same() -> None:
    pytest.importorskip("joblib")
    settings = ("dataset.codes=packed", "dataset.codes_path=binary.npy")
    alone = _run(*settings)
    shared = _run(*settings, "parallel=loky", "parallel.workers=2", "force=true")
    pd.testing.assert_frame_equal(shared, alone)
