"""The text attribute of an HDF5 file, and heaps that lead nowhere."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from vqbench.datasets.readers import heaps


def _file(path: Path, **attributes: object) -> bytes:
    with h5py.File(path, "w") as file:
        file.attrs.update(attributes)
    return path.read_bytes()


def _asked(path: Path) -> str:
    with h5py.File(path, "r") as file:
        return heaps.text_attribute(path, file, "distance")


def test_a_sound_heap_is_read_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(heaps, "subprocess")
    path = tmp_path / "x.hdf5"
    content = _file(path, distance="angular", more=["é" * at for at in range(300)])
    assert content.count(b"GCOL") > 1
    assert _asked(path) == "angular"
    _file(path, distance=b"angular")
    assert _asked(path) == "angular"


def test_numbers_that_look_like_a_heap_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "x.hdf5"
    with h5py.File(path, "w") as file:
        file.attrs["distance"] = "angular"
        file["x"] = list(b"GCOL" * 40)
        file["y"] = b"GCOL" * 40
    assert not heaps._sound_heaps(path)
    assert _asked(path) == "angular"


@pytest.mark.parametrize("size", [0, 24, 2**63])
def test_a_heap_whose_sizes_lie_is_left_to_another_process(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where that one finds no end either, that is said."""
    path = tmp_path / "x.hdf5"
    content = bytearray(_file(path, distance="angular"))
    at = content.index(b"GCOL") + 16 + 8
    content[at : at + 8] = size.to_bytes(8, "little")
    path.write_bytes(content)
    assert not heaps._sound_heaps(path)
    monkeypatch.setattr(heaps, "_ASK", "while True: pass")
    monkeypatch.setattr(heaps, "_PATIENCE", 0.5)
    with pytest.raises(OSError, match="no end to attribute distance"):
        heaps.text_attribute(path, None, "distance")
