"""The command that a message gives for a missing extra is one that works."""

from __future__ import annotations

import shutil
import sys

import pytest

from vqbench import extras
from vqbench.extras import runnable

SAID = "x: h5py is not installed: pip install 'vqbench[hdf5]'"


@pytest.fixture(autouse=True)
def _a_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/home/me/mine here/bin/python")
    monkeypatch.setattr(extras, "find_spec", lambda name: object())
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/python")


def test_pip_is_that_of_the_python_that_runs_this() -> None:
    wanted = "'/home/me/mine here/bin/python' -m pip install 'vqbench[hdf5]'"
    assert runnable(SAID) == f"x: h5py is not installed: {wanted}"
    assert runnable("no extra is named") == "no extra is named"


def test_an_environment_that_is_active_needs_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: sys.executable)
    assert runnable(SAID) == SAID


def test_without_pip_the_words_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever made such an environment knows what installs into it."""
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    assert runnable(SAID) == SAID
