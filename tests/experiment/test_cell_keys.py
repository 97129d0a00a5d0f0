"""What a finished cell is found again by: data, config, plugins, versions; and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqbench.cli.main import main
from vqbench.errors import VqbenchError
from vqbench.experiment.cell_keys import plugin_hashes
from vqbench.quantizers.binary import Binary
from vqbench.quantizers.faiss_codec import FaissCodec
from vqbench.quantizers.transforms.center import Center
from vqbench.quantizers.variant import Variant

COUNTED = ("made_up.py", "codebook.npy", "inner/part.py", "inner/table.json")
NOT_COUNTED = (
    "quantizer/made_up.yaml",
    "notes/read.me",
    ".hidden",
    ".venv/lib.py",
    "__pycache__/made_up.pyc",
    "out/other.py.txt",
)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugin")
    for name in (*COUNTED, *NOT_COUNTED):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    return folder


@settings(max_examples=50)
@given(st.sampled_from([*COUNTED, *NOT_COUNTED]), st.binary(max_size=9))
def test_a_plugin_is_its_code_and_what_lies_beside_it(plugin: Path, name: str, content: bytes) -> None:
    path, elsewhere = plugin / name, plugin / "results"
    before, whole = path.read_bytes(), plugin_hashes([plugin], elsewhere)
    assert len(whole) == len(COUNTED)
    path.write_bytes(content)
    try:
        assert (plugin_hashes([plugin], elsewhere) == whole) == (name in NOT_COUNTED or content == before)
    finally:
        path.write_bytes(before)


def test_two_codebooks_that_change_places_are_another_plugin(tmp_path: Path) -> None:
    for name, text in (("a.py", ""), ("a.npy", "1"), ("b.npy", "2")):
        (tmp_path / name).write_text(text)
    before = plugin_hashes([tmp_path], tmp_path / "out")
    (tmp_path / "a.npy").write_text("2")
    (tmp_path / "b.npy").write_text("1")
    assert plugin_hashes([tmp_path], tmp_path / "out") != before


def test_tables_of_the_run_itself_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    before = plugin_hashes([tmp_path], tmp_path)
    (tmp_path / "metrics.csv").write_text("x")
    assert plugin_hashes([tmp_path], tmp_path) == before
    (tmp_path / "a.py").write_text("1")
    assert plugin_hashes([tmp_path], tmp_path) != before


def test_a_file_of_a_plugin_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.py").write_text("")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(VqbenchError, match=r"a\.py: cannot be read \(Permission denied\).*check its permissions"):
        plugin_hashes([tmp_path], tmp_path / "out")


def test_codes_of_our_own_name_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or finished cells would not be found again; a variant names what computes any of its parts, once."""

    class Rotation(Center):
        computed_by = "libfoo 3.1"  # type: ignore[assignment]

    class Signs(Binary):
        computed_by = "libfoo 3.1"  # type: ignore[assignment]

    class Query(Binary):
        computed_by = "libbar 2"  # type: ignore[assignment]

    assert Variant(quantizer=Binary(), transforms=[Center()]).libraries == ()
    assert Variant(quantizer=Binary(), transforms=[Center(), Rotation()]).libraries == ("libfoo 3.1",)
    found = Variant(quantizer=Signs(), transforms=[Rotation()], query=Query(), similarity="asymmetric")
    assert found.libraries == ("libbar 2", "libfoo 3.1")


@pytest.mark.slow
def test_another_faiss_makes_new_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And of its own codecs only."""
    faiss: Any = pytest.importorskip("faiss", reason="faiss is not installed")
    given = [
        "dataset=synthetic",
        "dataset.n=60",
        "dataset.d=8",
        "dataset.queries=3",
        "k=[1]",
        "oversample=[0]",
        "metric=[overlap]",
        "quantizer=[float32,faiss_sq8]",
        "figures=false",
        "report=false",
        "doctor=false",
        "cache=off",
        f"out={tmp_path}",
    ]
    for version, cells in (("1.0", 2), ("1.0", 2), ("1.1", 3)):
        monkeypatch.setattr(faiss, "__version__", version)
        assert FaissCodec(factory="SQ8").computed_by == f"faiss {version}"
        assert main(given) == 0
        assert len(list(tmp_path.glob("cells/*/*.cell"))) == cells
        assert f'"faiss": "{version}"' in (tmp_path / "meta.json").read_text()
