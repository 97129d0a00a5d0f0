"""Shards on real workers: the bytes of ``threads``, whatever dies on the way; and one clear line for what is wrong."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import vqbench
from vqbench.cli.main import main
from vqbench.errors import VqbenchError
from vqbench.experiment.config.folders import config_files
from vqbench.experiment.config.targets import build
from vqbench.numerics.arrays import processors
from vqbench.quantizers.binary import Binary
from vqbench.search.parallel import base, dask
from vqbench.search.parallel.base import Parallel, Pool
from vqbench.search.parallel.dask import Dask
from vqbench.search.parallel.loky import Loky
from vqbench.search.parallel.ray import Ray
from vqbench.search.scorers import Cosine
from vqbench.search.shards import Sharded
from vqbench.search.topk import Hits, Search
from vqbench.storage.mapped import Mapped
from vqbench.storage.vectors import Vectors

EXTRAS = {"loky": ("joblib", "joblib"), "dask": ("distributed", "dask"), "ray": ("ray", "ray")}
MANY: dict[str, Callable[..., Parallel]] = {"loky": Loky, "dask": Dask, "ray": Ray}
SMALL = ["n_queries=60", "k=[1,10]", "oversample=[0,2]", "figures=false", "report=false", "cache=off", "doctor=false",
         "quantizer=[float32,offset_int8,offset_int8_raw,binary_mean,rabitq1]"]  # fmt: skip


def _needs(name: str) -> None:
    for module in ("joblib", EXTRAS[name][0]):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # Ray's workers take neither the path nor the folder of this process.
    monkeypatch.setenv("PYTHONPATH", str(Path(vqbench.__file__).parents[1]))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Rows ``(900, 24)`` with copies, so that codes and floats tie."""
    rng = np.random.default_rng(6)
    x_nd = (rng.standard_normal((30, 24))[rng.integers(0, 30, 900)] + rng.standard_normal((900, 24))).astype(np.float32)
    x_nd[::9] = x_nd[1::9]
    np.save(tmp_path / "mine.npy", x_nd)
    return tmp_path / "mine.npy"


def _run(path: Path, out: str, *more: str) -> bytes:
    assert main(["dataset=file", f"dataset.path={path}", *SMALL, f"out={out}", *more]) == 0
    assert set(pd.read_csv(Path(out) / "metrics.csv")["status"]) == {"ok"}
    return b"".join((Path(out) / name).read_bytes() for name in ("metrics.csv", "comparisons.csv", "ledger.csv"))


@pytest.mark.slow
@pytest.mark.parametrize("name", MANY)
def test_the_tables_are_those_of_threads_byte_for_byte(name: str, corpus: Path) -> None:
    """Floats and codes from disk, own rows left out, ties at the boundary; shards of unequal size."""
    _needs(name)
    overrides = f"parallel={name}", "parallel.workers=2", "parallel.shards=7"
    assert _run(corpus, "there", *overrides) == _run(corpus, "here")


@pytest.mark.slow
def test_a_cluster_by_the_address_of_its_scheduler(corpus: Path) -> None:
    """Its workers go on living; a second run meets them again."""
    _needs("dask")
    from distributed import Client, LocalCluster  # pyright: ignore[reportMissingImports]

    here = _run(corpus, "here")
    with LocalCluster(n_workers=2, threads_per_worker=2, processes=True, dashboard_address="") as made:
        cluster: Any = made
        for out in ("first", "second"):
            assert _run(corpus, out, "parallel=dask", f"parallel.address={cluster.scheduler_address}") == here
        with Client(cluster) as client:
            assert len(client.run(os.getpid)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["loky", "dask"])
def test_vectors_in_memory_give_the_same_table(name: str, tied_rows: np.ndarray) -> None:
    _needs(name)
    variants = {"binary": vqbench.Variant(quantizer=Binary(threshold="mean"), similarity="hamming")}
    here = vqbench.evaluate(tied_rows, variants=variants, k=[3])
    there = vqbench.evaluate(tied_rows, variants=variants, k=[3], parallel=MANY[name](workers=2, shards=5))
    pd.testing.assert_frame_equal(there, here, check_exact=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["loky", "dask"])
def test_a_quantizer_of_the_users_own_travels_with_its_code(name: str, corpus: Path) -> None:
    _needs(name)
    Path("own/quantizer").mkdir(parents=True)
    Path("own/nibble.py").write_text(
        "from dataclasses import dataclass\n"
        "import numpy as np\n"
        "from vqbench.quantizers.parts.ledger import Item, Ledger\n"
        "from vqbench.quantizers.base import Codec, Quantizer\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class Nibble(Quantizer):\n"
        "    def fit(self, sample_nd, rng):\n"
        "        return Coded(d=sample_nd.shape[1])\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class Coded(Codec):\n"
        "    def encode(self, x_nd):\n"
        "        return np.clip(x_nd * 8 + 8, 0, 15).astype(np.uint8)\n"
        "    def decode(self, codes_nb):\n"
        "        return codes_nb.astype(np.float32) - 8\n"
        "    def ledger(self):\n"
        "        return Ledger((Item('code', 'vector', self.d),))\n"
    )
    Path("own/quantizer/nibble.yaml").write_text("nibble: {quantizer: {_target_: nibble.Nibble}, similarity: decoded}")
    overrides = "plugins=[own]", "quantizer=[float32,nibble]"
    there = _run(corpus, "there", *overrides, f"parallel={name}", "parallel.workers=2")
    assert there == _run(corpus, "here", *overrides)


@dataclass(frozen=True)
class Deadly(Cosine):
    """Kills the process that scores with it: the first one only, or each."""

    flag: str = ""
    driver: int = 0

    def prepare(self, x_nd: np.ndarray) -> np.ndarray:
        if os.getpid() != self.driver and self._first():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().prepare(x_nd)

    def _first(self) -> bool:
        try:
            os.close(os.open(self.flag, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return self.flag == os.devnull
        return True


def _on(pool: Pool, path: Path, scorer: Cosine) -> tuple[Sharded, Hits]:
    """A search on the pool, and what the whole search gives."""
    pool.pickling().register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test
    rows = Vectors(np.lib.format.open_memmap(path, mode="r"), normalize=True)
    whole = Search(rows.block(0, 30), rows, Cosine(), np.arange(30))
    return Sharded(**{**vars(whole), "scorer": scorer}, spread=pool), whole.top(12)


@pytest.fixture(params=MANY)
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    _needs(request.param)
    with MANY[request.param](workers=2, shards=9).open() as opened:
        assert opened is not None
        yield opened


@pytest.mark.slow
def test_a_killed_worker_costs_a_retry_not_the_result(pool: Pool, corpus: Path) -> None:
    search, wanted = _on(pool, corpus, Deadly(flag="killed", driver=os.getpid()))
    hits = search.top(12)
    assert Path("killed").exists()
    for name in ("ids_qk", "scores_qk", "dropped_ties_q"):
        np.testing.assert_array_equal(getattr(hits, name), getattr(wanted, name))


@pytest.mark.slow
def test_workers_that_always_die_are_given_up(pool: Pool, corpus: Path) -> None:
    search, _ = _on(pool, corpus, Deadly(flag=os.devnull, driver=os.getpid()))
    with pytest.raises(VqbenchError, match=rf"parallel={pool.name}: workers died 3 times .*parallel.shards.*block_mb"):
        search.top(12)


@pytest.mark.slow
def test_a_worker_that_cannot_see_the_file_says_so(pool: Pool, corpus: Path) -> None:
    place = Mapped.of(np.lib.format.open_memmap(corpus, mode="r"))
    search, _ = _on(pool, corpus, Cosine())
    unseen = replace(search, rows=_Far(place))
    corpus.rename("elsewhere.npy")
    with pytest.raises(VqbenchError, match=r"mine.npy: a worker on \S+ cannot read it .*disk that all workers share"):
        unseen.top(12)


@dataclass(frozen=True)
class _Far:
    """Rows on a disk that this process sees and workers do not."""

    place: Mapped | None
    n: int = 900
    d: int = 24

    def span(self, start: int, stop: int) -> Vectors:
        return Vectors(self.place, normalize=True)


@pytest.mark.slow
def test_workers_take_their_share_of_the_processors(pool: Pool) -> None:
    pool.pickling().register_pickle_by_value(sys.modules[__name__])
    assert set(pool.map(_threads, None, [None] * 4)) == {max(1, processors() // 2)}


def _threads(_: None, __: None) -> int:
    from vqbench.numerics.arrays import processors

    return processors()


@pytest.mark.slow
def test_a_worker_with_other_versions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _needs("dask")
    monkeypatch.setattr(base, "versions", lambda: {"vqbench": vqbench.__version__, "numpy": "0.9"})
    with Dask(workers=1).open() as pool:
        pool.pickling().register_pickle_by_value(sys.modules[__name__])
        with pytest.raises(VqbenchError, match=rf"a worker on .* has numpy {np.__version__}, this run 0.9: install"):
            list(pool.map(_threads, None, [None]))


def test_no_scheduler_at_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    _needs("dask")
    monkeypatch.setattr(dask, "_WAIT", 1)
    with Dask(address="tcp://127.0.0.1:9").open() as pool, pytest.raises(VqbenchError) as error:
        pool.shards(10)
    assert "parallel.address = tcp://127.0.0.1:9: no Dask scheduler with a worker answers there" in str(error.value)


@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_extra_is_named(name: str, missing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    module, extra = EXTRAS[name]
    module = ("joblib", module)[missing]
    monkeypatch.setitem(sys.modules, module, None)
    # Where more than this one is missing, any of them may be named.
    with pytest.raises(VqbenchError, match=rf"parallel={name}: \w+ is not installed: .*'vqbench\[{extra}\]'"):
        MANY[name]().open()


@pytest.mark.parametrize("name", config_files("parallel"))
def test_each_config_lists_what_its_class_takes(name: str) -> None:
    node: dict[str, Any] = yaml.safe_load(config_files("parallel")[name].read_text())
    spec = build(node, "parallel", "parallel")
    assert vars(spec) == {key: None for key in node if key != "_target_"}


@pytest.mark.parametrize(
    ("overrides", "wanted"),
    [
        (["parallel=dusk"], "parallel=dusk: no such parallel; did you mean dask?"),
        (["parallel=loky", "parallel.workers=0"], "parallel.workers = 0: parallel=loky needs at least 1"),
        (["parallel=loky", "parallel.workers=100000"], "parallel.workers = 100000: more than 16 for each processor"),
        (["parallel=dask", "parallel.workers=100000"], "parallel.workers = 100000: more than 16 for each processor"),
        (["parallel=ray", "parallel.workers=100000"], "parallel.workers = 100000: more than 16 for each processor"),
        (["threads=100000"], "threads = 100000: more than 16 for each processor"),
        (["parallel=ray", "parallel.shards=-2"], "parallel.shards = -2: parallel=ray needs at least 1"),
        (["parallel.workers=2"], "parallel.workers: Threads has no such key"),
        (["parallel=dask", "parallel.adress=x"], "parallel.adress: Dask has no such key; did you mean address?"),
        (["parallel=dask", "parallel.address=tcp://a:1", "parallel.workers=2"], "brings its own workers"),
        (["-m", "hydra/launcher=submitit_slum"], "no such launcher; did you mean submitit_slurm"),
        (["-m", "hydra/launcher=submitit_slurm"], "pip install 'vqbench[slurm]'"),
    ],
)
def test_one_line_for_a_mistake(overrides: list[str], wanted: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(overrides) == 2
    message = capsys.readouterr().err
    assert wanted in message
    assert message.count("\n") == 1
    assert not Path("results").exists()


def test_pieces_cover_the_rows_and_none_is_empty() -> None:
    _needs("loky")
    for shards, workers, n in ((None, 3, 1000), (7, 2, 10), (100, 1, 3), (None, 2, 1)):
        with Loky(workers=workers, shards=shards).open() as pool:
            pieces = pool.shards(n)
        assert [row for start, stop in pieces for row in range(start, stop)] == list(range(n))
        assert all(start < stop for start, stop in pieces)
        assert len(pieces) <= (shards or 4 * workers)


@pytest.mark.slow
def test_hydras_joblib_launcher_gives_the_same_bytes(corpus: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Cells in other processes; a mistake in one of them reaches the exit status and is said."""
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="hydra-joblib-launcher is not installed")
    launcher = "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"
    assert _run(corpus, "there", "-m", "seed=1,2", *launcher) == _run(corpus, "here", "-m", "seed=1,2")
    overrides = ["-m", "dataset=file", f"dataset.path={corpus}", *SMALL, "k=[1],[9999]", *launcher, "out=bad"]
    capfd.readouterr()
    assert main(overrides) == 2
    assert capfd.readouterr().err.count("vqbench: k = 9999: a query of mine can find only 899 rows") == 1
    assert set(pd.read_csv("bad/metrics.csv")["k"].dropna()) == {1}
    assert not Path("results/.sweeps").exists()
