"""The child that unpacks: its crash, hang or greed is a sentence, and the next file is read all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vqbench.errors import VqbenchError
from vqbench.storage import limited
from vqbench.storage.limited import Unreadable, Worker, call
from vqbench.storage.scratch import Temporary

CALLS = """
import os, signal
from vqbench.errors import VqbenchError

def pid(job): return os.getpid()
def end(job, number): os.kill(os.getpid(), number)
def spin(job):
    while True: pass
def hang(job):
    import time; time.sleep(60)
def take(job, count): return len(bytearray(count))
def fail(job, text): raise ValueError(text)
def refuse(job): raise VqbenchError("x: no")
def talk(job): os.write(1, b"word"); print("word", flush=True); return input_is_empty()
def input_is_empty(): import sys; return os.read(0, 1) == b""
def add(job, text): job.scratch.write(text.encode())
def sizes(job): job.declare(100 * 2**20); return len(bytearray(250 * 2**20))
def here(job): return os.getcwd()
"""


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Call one of ``CALLS`` in a child of this test's own, which is started where it is asked."""
    (tmp_path / "calls.py").write_text(CALLS)
    monkeypatch.syspath_prepend(str(tmp_path))
    worker = Worker()
    monkeypatch.setattr(limited, "worker", lambda: worker)
    scratch = Temporary(".rows")
    yield lambda name, **arguments: call(f"calls:{name}", scratch, 0, **arguments)
    worker.close()


def test_one_child_serves_many_calls_and_another_those_after_its_end(ask) -> None:
    first = ask("pid")
    assert first not in (os.getpid(), None)
    assert ask("pid") == first
    with pytest.raises(Unreadable, match="the process that unpacks it ended with SIGKILL"):
        ask("end", number=int(signal.SIGKILL))
    second = ask("pid")
    assert second != first
    with pytest.raises(Unreadable, match="SIGSEGV"):
        ask("end", number=int(signal.SIGSEGV))
    assert ask("pid") != second


def test_errors_come_back_as_sentences(ask) -> None:
    first = ask("pid")
    with pytest.raises(VqbenchError, match="^x: no$"):
        ask("refuse")
    with pytest.raises(Unreadable, match="^one$"):
        ask("fail", text="one\ntwo")
    with pytest.raises(Unreadable, match="^ValueError$"):
        ask("fail", text="")
    assert ask("talk") is True  # words of a library are no answer, and it reads no request
    assert ask("pid") == first


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no limit of processor time")
def test_what_has_no_end_is_ended(ask, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unreadable, match="far longer to unpack than a file of its size should"):
        ask("spin")
    ask("pid")
    monkeypatch.setattr(limited, "_PATIENCE", 0.3)
    with pytest.raises(Unreadable, match="no end after 0 s"):
        ask("hang")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no limit of memory")
def test_memory_has_a_limit_that_grows_with_what_is_declared(ask) -> None:
    assert ask("take", count=100 * 2**20) == 100 * 2**20
    with pytest.raises(Unreadable, match="far more memory to unpack than a file of its size should"):
        ask("take", count=200 * 2**20)
    assert ask("sizes") == 250 * 2**20
    assert ask("take", count=100 * 2**20) == 100 * 2**20


def test_paths_are_those_of_the_caller(ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert Path(ask("here")).samefile(tmp_path / name)


def test_the_scratch_file_is_added_to(tmp_path: Path, ask, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = Temporary(".rows")
    scratch.write(b"one ")
    call("calls:add", scratch, 0, text="two")
    assert scratch.path.read_bytes() == b"one two"


def test_a_script_without_a_main_guard(tmp_path: Path) -> None:
    """The child is no fork of the script, and does not run it again."""
    (tmp_path / "script.py").write_text(
        "import numpy as np\nfrom vqbench.datasets.file import File\nprint('once')\n"
        "np.savez('x.npz', x=np.ones((3, 2)))\nprint(File(path='x.npz').load().corpus_nd.shape)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "once\n(3, 2)\n", "")
