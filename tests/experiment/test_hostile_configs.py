"""Configs that somebody else wrote: one line of complaint each, nothing run, nothing imported, nothing written.

Each case is run through the command line. A canary, a module that leaves a file behind as soon as it is imported,
tells whether anything ran; the last tests show that it runs under Hydra's own command line.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path

import hydra
import pytest
import yaml

from vqbench.cli.main import main
from vqbench.experiment.config.folders import conf_folder, family_folders

CANARY = "canary_of_hostile_configs"
SECRET = "hunter2-in-the-environment"
#: A small default, so that composing takes little.
SMALL = ["dataset=synthetic", "dataset.n=100", "dataset.d=16", "quantizer=[float32]", "metric=[overlap]"]
QUICK = ["k=[5]", "oversample=[0]", "n_queries=10", "figures=false", "report=false", "doctor=false", "cache=off"]
SING = """\
import pathlib
pathlib.Path(__file__).with_name("sang").touch()
def Sing(*given, **named):
    pathlib.Path(__file__).with_name("sang").touch()
"""
GLOBAL = "# @package _global_\n"

#: What an experiment file holds -> what the complaint says. ``CANARY`` and ``HERE`` are put in.
HYDRA = {
    "hydra: {callbacks: {x: {_target_: CANARY.Sing}}}": "hydra.callbacks: a config file must not set",
    "hydra: {launcher: {_target_: CANARY.Sing}}": "hydra.launcher: a config file must not set",
    "hydra: {launcher: {setup: ['touch HERE/sang']}}": "hydra.launcher: a config file must not set",
    "hydra: {sweeper: {_target_: CANARY.Sing}}": "hydra.sweeper: a config file must not set",
    "hydra: {sweeper: {params: {plugins: '[HERE]'}}}": "hydra.sweeper",
    "hydra: {job_logging: {root: {handlers: [h]}, handlers: {h: {(): CANARY.Sing}}}}": "hydra.job_logging",
    "hydra: {hydra_logging: {root: {}, handlers: {h: {class: CANARY.Sing}}}}": "hydra.hydra_logging",
    "hydra: {job_logging: {root: {}, x: 'ext://CANARY.Sing'}}": "hydra.job_logging",
    "hydra: {searchpath: ['pkg://CANARY']}": "hydra.searchpath",
    "hydra: {overrides: {hydra: ['hydra.searchpath=[pkg://CANARY]']}}": "hydra.overrides",
    "hydra: {mode: MULTIRUN}": "hydra.mode",
    "hydra: {job: {env_set: {PATH: HERE}}}": "hydra.job",
    "hydra: {job: {env_copy: [VQBENCH_SECRET]}}": "hydra.job",
    "hydra: {run: {dir: HERE/elsewhere}}": "hydra.run",
    "hydra: {sweep: {dir: HERE/elsewhere}}": "hydra.sweep",
    "hydra: {output_subdir: .hydra}": "hydra.output_subdir",
    "hydra: 1": "hydra: a config file must not set",
    "defaults: [override /hydra/launcher: submitit_local]": "hydra/launcher",  # without its extra there is none
    "defaults: [override /hydra/launcher: joblib]": "hydra/launcher",
    "defaults: [/hydra/job_logging/default@hydra.job_logging]": "hydra.job_logging",
    "defaults: [/hydra/job_logging/default@hydra.callbacks.x]": "hydra.callbacks",
    "defaults: [/hydra/launcher/basic@hydra.callbacks.x]": "hydra.callbacks",
    "defaults: [/hydra/launcher/basic@hydra.sweeper]": "",
    "defaults: [/hydra/help/default@hydra.job.env_set]": "hydra.job.env_set",
}
PRIVATE = {
    "plugins: [HERE]": "plugins",
    "out: HERE/elsewhere": "out = ",
    "out: ''": "out = ",
    "cache: HERE/elsewhere": "cache = ",
    "parallel: {_target_: vqbench.search.parallel.dask.Dask, address: 'tcp://192.0.2.1:8786'}": "parallel.address",
    "datasets: {x: {address: 'tcp://192.0.2.1:1'}}\nparallel: '${datasets.x}'": "parallel = ${datasets.x}",
    "plugins: '${example}'\nexample: HERE": "plugins = ",
}
TARGETS = {
    "quantizer: {x: {quantizer: {_target_: CANARY.Sing}}}": "quantizer.x.quantizer._target_ = CANARY.Sing",
    "quantizer: {x: {quantizer: {_target_: os.system, command: touch HERE/sang}}}": "_target_ = os.system",
    "quantizer: {float32: {transforms: {a: {_target_: CANARY.Sing}}}}": "transforms.a._target_",
    "quantizer: {float32: {query: {_target_: CANARY.Sing}}}": "quantizer.float32.query._target_",
    "quantizer: {float32: {quantizer: {_target_: [os.system]}}}": "_target_[0] = os.system",
    "dataset: {_target_: CANARY.Sing}": "dataset._target_ = CANARY.Sing: not a class of vqbench.datasets",
    "dataset: {_target_: vqbench.results.folder.write_text}": "not a class of vqbench.datasets",
    "metric: {overlap: {_target_: vqbench.metrics.overlap.Overlap.__init__}}": "not a class of vqbench.metrics",
    "metric: {x: {_target_: '${oc.env:HOME}'}}": "metric.x._target_ = ${oc.env:HOME}",
    "parallel: {_target_: subprocess.run}": "not a class of vqbench.search.parallel",
    "backend: {x: {engine: {_target_: CANARY.Sing}, variant: float32}}": "backend.x.engine._target_",
    "k: [1, [{a: [{_target_: CANARY.Sing}]}]]": "k[1][0].a[0]._target_ = CANARY.Sing",
    "figures: [{_target_: CANARY.Sing}]": "figures[0]._target_",
    "timed: {sizes: {_target_: CANARY.Sing}}": "timed: unknown key",
    "extra: {_target_: CANARY.Sing}": "extra: unknown key",
}
VALUES = {
    "example: '${oc.env:VQBENCH_SECRET}'": "example = ${oc.env:VQBENCH_SECRET}: may refer to another key",
    "example: 'x ${oc.decode:${oc.env:VQBENCH_SECRET}}'": "example = ",
    "example: '${oc.create:{a: 1}}'": "example = ",
    "example: '${hydra:runtime.cwd}'": "example = ",
    "example: '${hydra.runtime.cwd}'": "there is no key hydra.runtime.cwd",
    "example: '${now:%Y}'": "example = ",
    "example: '${${seed}}'": "example = ",
    "example: '${.seed}'": "example = ",
    "example: '\\${oc.env:VQBENCH_SECRET}'": "example = ",
    "example: 'x ${quantizer.float32}'": "",
    "example: '${nothing}'": "there is no key nothing",
    "defaults: [/metric: '${oc.env:VQBENCH_SECRET}']": "does not choose a config",
    "example: '${baseline}'\nbaseline: '${seed}'": "its target is a reference itself",
    "example: " + "${baseline}" * 20_000 + "\nbaseline: " + "x" * 9_000: "references expand to too much text",
    "quantizer: {x: {quantizer: '${quantizer}'}}": "its target is a reference itself",
    "k: 'many'": "k = 'many'",
    "seed: [1, -1]": "seed",
    "queries: {self: 1}": "queries",
    "datasets: [1, 2]": "",
    "quantizer: 3": "quantizer",
    "defaults: 3": "",
    "defaults: [[1]]": "",
    "defaults: [{a: b, c: d}]": "",
    "defaults: [/../../quantizer]": "",
    "defaults: [evil@x]": "",
    "defaults: [/quantizer@: float32]": "",
}
ALIASES = "".join(f"a{n}: &a{n} [{', '.join(9 * [f'*a{n - 1}'])}]\n" for n in range(1, 12))
YAMLS = {
    "a0: &a0 [lol]\n" + ALIASES: "with its aliases replaced",
    "a0: &a0 {x: 1}\n" + ALIASES.replace("[", "{<<: [").replace("]", "]}"): "",
    "k: " + 500 * "[" + 500 * "]": "nested deeper than",
    "k: " + 500 * "{a: " + 500 * "}": "nested deeper than",
    "k: &k [1, *k]": "*k has no complete anchor before it",
    "k: *nothing": "*nothing has no complete anchor",
    "example: !!python/object/apply:os.system ['touch HERE/sang']": "tag:yaml.org,2002:python/object/apply:os.system",
    "example: !!python/name:CANARY.Sing ''": "python/name",
    "example: !!python/object/apply:pathlib.Path [/]": "python/object/apply:pathlib.Path",
    "example: !mine x": "tag !mine",
    "k: [1]\nk: [2]": "duplicate key k",
    "k: " + 5_000 * "9": "is not a config",
    "example: " + 300_000 * "x": "has more than",
    "k: [1": "is not YAML",
    "- 1\n- 2": "must hold keys",
    "k: '\ud800'": "is not UTF-8",
    'example: "\\0"': "no such id",
}
NAMES = {
    'quantizer: {"=cmd|calc": "${quantizer.float32}"}': "as formulas do",
    'quantizer: {"+1": {quantizer: 1}}': "as formulas do",
    'quantizer: {"\\e[2Jcleared": {quantizer: 1}}': "cannot be seen",
    'quantizer: {"a\\0b": {quantizer: 1}}': "cannot be seen",
    'quantizer: {"a\\nb": {quantizer: 1}}': "cannot be seen",
    'quantizer: {"a\\u202eb": {quantizer: 1}}': "cannot be seen",
    'quantizer: {"": {quantizer: 1}}': "must be text",
    "quantizer: {1: {quantizer: 1}}": "must be text",
    "quantizer: {" + "x" * 1_010 + ": {quantizer: 1}}": "has 1,010 characters",
    'datasets: {"@SUM(A1)": {_target_: vqbench.datasets.synthetic.Synthetic}}': "as formulas do",
}
CASES = {**HYDRA, **PRIVATE, **TARGETS, **VALUES, **YAMLS, **NAMES}


def some(cases: Iterable[str], every: int) -> list:
    """The cases, of which only every so manieth is quick enough together to run each time."""
    return [
        pytest.param(case, marks=pytest.mark.slow if at % every else (), id=case[:60]) for at, case in enumerate(cases)
    ]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, beside a colleague's folder of configs that has the canary."""
    theirs = tmp_path / "theirs"
    (theirs / "experiment").mkdir(parents=True)
    (theirs / f"{CANARY}.py").write_text(SING)
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    monkeypatch.syspath_prepend(str(theirs))
    monkeypatch.setenv("VQBENCH_SECRET", SECRET)
    monkeypatch.delitem(sys.modules, CANARY, raising=False)
    return theirs


def run(theirs: Path, text: str, *more: str, files: Mapping[str, str] | None = None) -> int:
    """``vqbench --config-dir theirs experiment=evil``, after writing that file."""
    for name, content in {"experiment/evil.yaml": text, **(files or {})}.items():
        path = theirs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = content.replace("CANARY", CANARY).replace("HERE", str(theirs))
        path.write_bytes(content.encode("utf-8", "surrogatepass"))
    # A dataset of the command line would replace the experiment's datasets and its example.
    of_data = text.removeprefix(GLOBAL).startswith(("example:", "datasets:"))
    words = [word for word in SMALL if not (of_data and word.startswith("dataset"))]
    return main(["--config-dir", str(theirs), *words, "experiment=evil", *more])


def assert_refused(status: int, theirs: Path, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    printed = capsys.readouterr()
    assert status == 2, printed.err
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert len(lines) == 1, printed.err
    assert lines[0].startswith("vqbench: ")
    assert len(lines[0]) < 2_000
    assert said.replace("CANARY", CANARY) in lines[0]
    assert SECRET not in lines[0]
    assert not (theirs / "sang").exists(), "it ran"
    assert CANARY not in sys.modules, "it was imported"
    assert not (theirs / "elsewhere").exists()
    assert not list(Path().iterdir()), "something was written"


@pytest.mark.parametrize("text", some(CASES, 12))
def test_an_experiment_that_means_harm(text: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = run(here, GLOBAL + text)
    assert_refused(status, here, CASES[text], capsys)


#: Files beside the experiment, what it holds, and what is said.
SEVERAL = {
    "package": (
        {"some/x.yaml": "# @package hydra.callbacks\ny: {_target_: CANARY.Sing}"},
        "defaults: [/some/x]",
        "does not choose a config",
    ),
    "given package": (
        {"quantizer/x.yaml": "_target_: CANARY.Sing"},
        "defaults: [/quantizer@hydra.callbacks.y: x]",
        "does not choose a config",
    ),
    "file called hydra": (
        {"hydra.yaml": "# @package hydra\ncallbacks: {y: {_target_: CANARY.Sing}}"},
        "defaults: [/hydra]",
        "theirs/hydra: a config file must not set anything of Hydra",
    ),
    "group of hydra": (
        {"hydra/callbacks/x.yaml": "y: {_target_: CANARY.Sing}"},
        "defaults: [override /hydra/callbacks: x]",
        "theirs/hydra: a config file must not set anything of Hydra",
    ),
    "launcher of hydra": (
        {"hydra/launcher/x.yaml": "_target_: CANARY.Sing"},
        "defaults: [override /hydra/launcher: x]",
        "theirs/hydra: a config file must not set anything of Hydra",
    ),
    "in place of Hydra's launcher": (
        {"hydra/launcher/basic.yaml": "_target_: CANARY.Sing"},
        "seed: 1",
        "theirs/hydra: a config file must not set anything of Hydra",
    ),
    "in place of Hydra's config": (
        {"hydra/config.yaml": "callbacks: {x: {_target_: CANARY.Sing}}"},
        "seed: 1",
        "theirs/hydra: a config file must not set anything of Hydra",
    ),
    "plugins elsewhere": (
        {"some/x.yaml": "# @package _global_\nplugins: [HERE]"},
        "defaults: [/some/x]",
        "does not choose a config",
    ),
    "address in a group": (
        {"parallel/x.yaml": "address: 'ray://192.0.2.1'"},
        "defaults: [override /parallel: x]",
        "parallel.address = ray://192.0.2.1",
    ),
    "doubling": (
        {f"d/{n}.yaml": f"defaults: [{n + 1}@a, {n + 1}@b]" for n in range(30)} | {"d/30.yaml": "x: 1"},
        "defaults: [/d/0]",
        "",
    ),
    "taken name": ({"quantizer/float32.yaml": "float32: {}"}, "seed: 1", "vqbench has a quantizer of that name"),
    "package of its own": (
        {"quantizer/x.yaml": "# @package hydra.callbacks\ny: {_target_: CANARY.Sing}"},
        "defaults: [override /quantizer: [x]]",
        "quantizer/x.yaml: a quantizer has no '# @' line",
    ),
    "two packages": (
        {"experiment/base.yaml": "# @package _global_\n# @package hydra\ncallbacks: {}"},
        "defaults: [base]",
        "experiment/base.yaml: an experiment must begin with",
    ),
    "itself": ({}, "defaults: [evil]", "evil is included twice"),
    "name as package": ({"quantizer/y.yaml": "a: 1"}, "defaults: [/quantizer@_name_: y]", "does not choose a config"),
    "defaults in a group": (
        {"quantizer/x.yaml": "defaults: [/hydra/launcher/basic]"},
        "defaults: [override /quantizer: [x]]",
        "has no '# @' line and no defaults",
    ),
    "from outside": (
        {"../outside/x.yaml": "hydra: {callbacks: {y: {_target_: CANARY.Sing}}}"},
        "defaults: [/experiment/../../outside/x]",
        "does not choose a config",
    ),
    "far outside": (
        {"x.yaml": "hydra: {callbacks: {y: {_target_: CANARY.Sing}}}"},
        "defaults: [/../../../../../../../../../../../../HERE/x]",
        "does not choose a config",
    ),
}


@pytest.mark.parametrize("name", some(SEVERAL, 6))
def test_several_files_that_mean_harm_together(name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files, text, said = SEVERAL[name]
    status = run(here, GLOBAL + text, files=files)
    assert_refused(status, here, said, capsys)


#: On the command line, where what a message says somebody should paste is hostile.
ARGUMENTS = {
    "hydra.searchpath=[pkg://CANARY]": "takes folders only",
    "hydra.searchpath=[structured://CANARY]": "takes folders only",
    "+hydra.callbacks.x._target_=CANARY.Sing": "hydra.callbacks.x._target_: is not accepted",
    "hydra.launcher._target_=CANARY.Sing": "hydra.launcher._target_: is not accepted",
    "+hydra.launcher.x.y._target_=CANARY.Sing": "hydra.launcher.x.y._target_",
    "hydra.sweeper._target_=CANARY.Sing": "hydra.sweeper._target_: is not accepted",
    "hydra/launcher=CANARY": "no such launcher",
    "hydra/job_logging=default": "hydra/job_logging: is not accepted",
    "+hydra/callbacks=x": "hydra/callbacks: is not accepted",
    "hydra.run.dir=elsewhere": "hydra.run.dir: is not accepted",
    "hydra.output_subdir=.hydra": "hydra.output_subdir: is not accepted",
    "hydra.job.env_copy=[VQBENCH_SECRET]": "hydra.job.env_copy: is not accepted",
    "hydra.mode=MULTIRUN": "hydra.mode: is not accepted",
    "~hydra.job_logging": "hydra.job_logging: is not accepted",
    "--config-name=other": "--config-name",
    "--config-pa=HERE": "--config-pa",
    "-cp=structured://CANARY": "invalid choice",
    "--experimental-rerun=HERE/pickled": "--experimental-rerun",
    "experiment=../theirs/experiment/evil": "no such experiment",
    "example=${oc.env:VQBENCH_SECRET}": "may refer to another key",
    "plugins=[${oc.env:VQBENCH_SECRET}]": "plugins",
}


class _Sings:
    def __reduce__(self) -> tuple:
        return os.system, (f"touch {os.getcwd()}/../theirs/sang",)


@pytest.mark.parametrize("argument", some(ARGUMENTS, 11))
def test_an_argument_that_means_harm(argument: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "pickled").write_bytes(pickle.dumps(_Sings()))
    said = argument.replace("CANARY", CANARY).replace("HERE", str(here))
    status = main([said, *SMALL] if said.startswith("-") else [*SMALL, said])
    assert_refused(status, here, ARGUMENTS[argument], capsys)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib"])
@pytest.mark.parametrize("chosen", ["evil", "evil,evil2"])
def test_a_multirun_looks_at_every_job(
    chosen: str, launcher: str, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Which files the jobs of a sweep read is only known when each is composed, in whatever process."""
    if launcher == "joblib":
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="hydra-joblib-launcher is not installed")
    evil = f"hydra: {{job_logging: {{version: 1, root: {{handlers: [h]}}, handlers: {{h: {{(): {CANARY}.Sing}}}}}}}}"
    for name in ("evil", "evil2"):
        (here / "experiment" / f"{name}.yaml").write_text(GLOBAL + evil)
    told = ["-m", "--config-dir", str(here), *SMALL, f"experiment={chosen}", "seed=1,2", f"hydra/launcher={launcher}"]
    assert main(told) == 2
    assert "hydra.job_logging: a config file must not set" in capfd.readouterr().err
    assert not (here / "sang").exists()
    assert CANARY not in sys.modules


SINGS = (
    "hydra: {callbacks: {x: {_target_: CANARY.Sing}}}",
    "hydra: {job_logging: {version: 1, root: {handlers: [h]}, handlers: {h: {(): CANARY.Sing}}}}",
    "hydra: {job_logging: {version: 1, root: {handlers: []}, handlers: {h: {class: CANARY.Sing}}}}",
)


@pytest.mark.filterwarnings("ignore:Callback NoneType")  # the canary is a function, not a callback
@pytest.mark.parametrize("text", some(SINGS, 3))
def test_the_canary_sings_where_nothing_guards_it(text: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the tests above could not fail: this is Hydra's own command line, with our configs and theirs."""
    (here / "experiment" / "evil.yaml").write_text(GLOBAL + text.replace("CANARY", CANARY))
    path = ",".join(f"file://{folder}" for folder in family_folders())
    words = ["--config-dir", str(here), f"hydra.searchpath=[{path}]", "experiment=evil"]
    monkeypatch.setattr(sys, "argv", ["plain", *words])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(Exception) if "job_logging" in text else nullcontext():  # noqa: PT011
        hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="config")(lambda config: None)()
    assert (here / "sang").exists()


def test_the_canary_sings_in_a_pickle(here: Path) -> None:
    pickle.loads(pickle.dumps(_Sings()))
    assert (here / "sang").exists()


def test_a_config_that_means_well_runs_and_leaves_no_secret(here: Path) -> None:
    """References to other keys are fine, aliases too; nothing of the environment is written."""
    text = GLOBAL + (
        "base: &base [1, 5]\n".replace("base: ", "k: ")
        + "oversample: [0]\nseed: 3\nquery_seed: ${seed}\n"
        + "quantizer: {twin: {quantizer: '${quantizer.float32.quantizer}', similarity: decoded}}\n"
    )
    assert run(here, text, *QUICK[2:]) == 0
    (results,) = Path("results").glob("evil-synthetic-*")  # an explicit dataset is named beside the experiment
    written = [path for path in results.rglob("*") if path.is_file()]
    assert {"metrics.csv", "meta.json"} <= {path.name for path in written}
    assert '"query_seed": 3' in (results / "meta.json").read_text()
    assert not any(SECRET.encode() in path.read_bytes() for path in written)


@pytest.mark.slow
def test_names_of_variants_are_no_paths(here: Path) -> None:
    """They may be anything that can be seen; files stay in their folder, and apart."""
    names = ["../../up", "/root", "a/b", "a-b", "A-B", "CON", "nul.txt", "x.", "[red]x[/y]", "<b>&", "量化", "x" * 400]
    cast = {"_target_": "vqbench.quantizers.cast.Cast", "dtype": "float16"}
    text = yaml.safe_dump({"quantizer": {name: {"quantizer": cast} for name in names}}, allow_unicode=True)
    assert run(here, GLOBAL + text, *QUICK) == 0
    assert {path.name for path in Path().iterdir()} == {"results"}
    assert {path.name for path in here.parent.iterdir()} == {"mine", "theirs"}
    cells = list(Path("results").glob("evil-*/cells/**/*.cell"))
    assert len({str(path).casefold() for path in cells}) == len(names) + 1
    assert max(len(path.name) for path in cells) <= 255


def test_a_file_whose_name_is_a_formula(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("../=1.npy").write_bytes(b"")
    assert main(["dataset=file", "dataset.path=../=1.npy", "quantizer=[float32]", "metric=[overlap]"]) == 2
    assert "dataset.path = ../=1.npy: the name '=1' begins with =, as formulas do" in capsys.readouterr().err
