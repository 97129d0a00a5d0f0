"""From a composed config to a plan: every node checked, nothing read or written yet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs
import yaml

from vqbench.datasets.base import Dataset, OnBadRows, QueryMode
from vqbench.errors import VqbenchError
from vqbench.evaluation.engine_run import Pairing
from vqbench.evaluation.settings import Settings
from vqbench.experiment.config.targets import build, check_targets, checked, conf_folder, whole_numbers
from vqbench.experiment.config.yaml_bounds import yaml_text
from vqbench.numerics.kernels.choice import Kernels
from vqbench.numerics.thread_pool import check_count
from vqbench.quantizers.variant import Variant
from vqbench.search.parallel.base import Parallel
from vqbench.text import checked_name, did_you_mean, expanded, shortened, slug


@dataclass(frozen=True, kw_only=True)
class Options:
    """The plain keys of conf/config.yaml."""

    queries: QueryMode | None = None
    n_queries: int | None = 1000
    query_seed: int = 0
    normalize: bool = True
    on_bad_rows: OnBadRows = "refuse"
    calibration: int = 100_000
    example: str | None = None
    out: str | None = None
    cache: str = "auto"
    block_mb: float = 64
    threads: int | None = None
    kernels: Kernels = "auto"
    force: bool = False
    getsizeof: bool = False
    baseline: str | None = None
    margin: float = 0.01
    report: bool = True
    doctor: bool = True
    plugins: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.n_queries is not None and self.n_queries < 2:
            raise VqbenchError(f"n_queries = {self.n_queries}: needs at least 2, or null for all")
        check_count("threads", self.threads)
        if not 0 < self.margin < math.inf:
            raise VqbenchError(
                f"margin = {self.margin}: must be above 0; differences below it count as none that matters"
            )

    @property
    def plugin_folders(self) -> tuple[Path, ...]:
        """Where classes beside the package's own may come from."""
        return tuple(expanded(folder).resolve() for folder in self.plugins)

    @property
    def cache_folder(self) -> Path | None:
        """Where truth is kept: the user's cache folder, a folder of choice, or nowhere (``off``)."""
        if self.cache == "off":
            return None
        folder = Path(platformdirs.user_cache_dir("vqbench")) if self.cache == "auto" else expanded(self.cache)
        if folder.is_file():
            raise VqbenchError(f"cache = {folder}: is a file: name a folder, or say cache=off")
        return folder


@dataclass(frozen=True)
class Plan:
    """A checked run: what is evaluated, how, and where the results go. backends: engines to run beside it, by name."""

    title: str
    out: Path
    datasets: Mapping[str, Dataset]
    variants: Mapping[str, Variant]
    settings: Settings
    seeds: Sequence[int]
    options: Options
    config: Mapping[str, Any]
    parallel: Parallel
    backends: Mapping[str, Pairing] = field(default_factory=dict)


_HERE = "vqbench.search.parallel.threads.Threads"
_TABLES = (
    "dataset",
    "datasets",
    "quantizer",
    "metric",
    "backend",
    "experiment",
    "k",
    "oversample",
    "seed",
    "figures",
    "parallel",
)


def make_plan(config: Mapping[str, Any], overrides: Sequence[str] = (), experiment: str | None = None) -> Plan:
    """Check the whole config (plain containers) and build what it describes.

    overrides: the command line's, from which a changed variant or dataset takes its name, as in
    ``binary_mean(threshold=median)``.
    """
    plain = {key: value for key, value in config.items() if key not in _TABLES}
    for key in plain:
        if key not in Options.__dataclass_fields__:
            raise VqbenchError(f"{key}: unknown key; {did_you_mean(key, [*Options.__dataclass_fields__, *_TABLES])}")
    _check_queries(plain.get("queries"))
    options = Options(**checked(plain, Options, ""))
    check_targets(config, options.plugin_folders)
    metrics = _group(config, "metric")
    overrides = [override.lstrip("+") for override in overrides]
    _check_own_file(overrides)
    plugins = options.plugin_folders
    datasets = _datasets(config, overrides, plugins)
    variants = _variants(_group(config, "quantizer"), overrides, plugins)
    if options.baseline is not None and options.baseline not in variants:
        raise VqbenchError(
            f"baseline = {options.baseline}: not a variant of this run; {did_you_mean(options.baseline, variants)}"
        )
    settings = Settings(
        sorted(whole_numbers(config["k"], "k")),
        sorted(whole_numbers(config["oversample"], "oversample")),
        [build(node, "metrics", f"metric.{name}", plugins) for name, node in metrics.items()],
        calibration=options.calibration,
        block_mb=options.block_mb,
        getsizeof=options.getsizeof,
    )
    seeds = whole_numbers(config["seed"], "seed")
    if min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise VqbenchError(f"seed = {seeds}: seeds must be distinct and not negative")
    title = checked_name(experiment or next(iter(datasets)), "experiment")
    out = expanded(options.out) if options.out is not None else Path("results") / slug(title)
    parallel = build(config.get("parallel") or {"_target_": _HERE}, "parallel", "parallel", plugins)
    backends = _backends(_group(config, "backend") if config.get("backend") else {}, overrides, plugins)
    return Plan(title, out, datasets, variants, settings, seeds, options, config, parallel, backends)


def _check_own_file(overrides: Sequence[str]) -> None:
    """A path of one's own would replace a bundled set's vectors and leave its queries and judgements."""
    given = {override.partition("=")[0] for override in overrides}
    if "dataset.path" in given and "dataset" not in given:
        raise VqbenchError(
            "dataset.path: your own vectors need dataset=file as well, as in dataset=file dataset.path=X"
        )


def _check_queries(chosen: Any) -> None:
    """``queries`` says which rows are queries: a file of them is the dataset's."""
    if isinstance(chosen, str) and ("." in chosen or "/" in chosen):
        path = shortened(chosen)
        raise VqbenchError(
            f"queries = {path!r}: must be 'self', 'holdout', or null; for queries in a file: dataset.queries={path}"
        )


def _group(config: Mapping[str, Any], group: str) -> Mapping[str, Any]:
    nodes = config.get(group)
    if not isinstance(nodes, Mapping) or not nodes:
        raise VqbenchError(f"{group}: name at least one, as in '{group}=[NAME]'; see vqbench list")
    return {checked_name(name, group): node for name, node in nodes.items()}


def _datasets(config: Mapping[str, Any], overrides: Sequence[str], plugins: tuple[Path, ...]) -> dict[str, Dataset]:
    """The one dataset, or the named ones of an experiment."""
    if config.get("datasets"):
        nodes = _group(config, "datasets")
        return {name: build(node, "datasets", f"datasets.{name}", plugins) for name, node in nodes.items()}
    spec: Dataset = build(config.get("dataset"), "datasets", "dataset", plugins)
    skipped = ("path", "name", "ids", "queries", "query_ids", "qrels", "groups", "key", "id_column")
    told = [x for x in overrides if x.removeprefix("dataset.").partition("=")[0] not in skipped]
    return {_renamed(_title(spec), told, "dataset."): spec}


def _title(spec: Dataset) -> str:
    """The dataset's name; where it comes from a file's, a complaint says so."""
    path = None if getattr(spec, "name", None) is not None else getattr(spec, "path", None)
    if path is None:
        return checked_name(spec.title, "dataset.name")
    try:
        return checked_name(spec.title, f"dataset.path = {shortened(path)}")
    except VqbenchError as error:
        raise VqbenchError(f"{error}, or call the dataset otherwise with dataset.name=NAME") from None


def _variants(nodes: Mapping[str, Any], overrides: Sequence[str], plugins: tuple[Path, ...]) -> dict[str, Variant]:
    """The variants by name. A setting for a variant that was not chosen is refused."""
    chosen = [name for name, node in nodes.items() if isinstance(node, Mapping) and _has_target(node)]
    for name in nodes:
        if name not in chosen:
            raise VqbenchError(
                f"quantizer.{name}: not among this run's variants; {did_you_mean(name, chosen)}; "
                "choose variants with 'quantizer=[NAME,...]'"
            )
    return {
        _renamed(name, overrides, f"quantizer.{name}."): build_variant(node, f"quantizer.{name}", plugins)
        for name, node in nodes.items()
    }


def _backends(nodes: Mapping[str, Any], overrides: Sequence[str], plugins: tuple[Path, ...]) -> dict[str, Pairing]:
    """The engines by name, each with the variant that predicts it: named, or written out."""
    found = {}
    for name, node in nodes.items():
        place = f"backend.{name}"
        if not isinstance(node, Mapping) or not {"engine", "variant"} == set(node):
            raise VqbenchError(f"{place}: needs the keys engine and variant; choose with 'backend=[NAME,...]'")
        engine = build(node["engine"], "backends", f"{place}.engine", plugins)
        own, predicted = _renamed(name, overrides, f"{place}."), node["variant"]
        if isinstance(predicted, str):
            found[own] = Pairing(engine=engine, predicted=predicted, variant=named_variant(predicted, place, plugins))
        else:
            variant = build_variant(predicted, f"{place}.variant", plugins)
            found[own] = Pairing(engine=engine, predicted=own, variant=variant)
    return found


def named_variant(name: str, place: str, plugins: tuple[Path, ...]) -> Variant:
    """A variant of conf/quantizer, or of a plugin."""
    paths = {path.stem: path for folder in (conf_folder(), *plugins) for path in (folder / "quantizer").glob("*.yaml")}
    if name not in paths:
        raise VqbenchError(f"{place}.variant = {name}: no such variant; {did_you_mean(name, paths)}")
    content = yaml.safe_load(yaml_text(paths[name]))
    if not isinstance(content, Mapping) or name not in content:
        raise VqbenchError(f"{paths[name]}: holds no key {name}: a variant's YAML begins with its name")
    return build_variant(content[name], f"{place}.variant", plugins)


def _has_target(node: Mapping[str, Any]) -> bool:
    return isinstance(node.get("quantizer"), Mapping) and "_target_" in node["quantizer"]


def build_variant(node: object, place: str, plugins: tuple[Path, ...] = ()) -> Variant:
    """Check and make one variant."""
    if not isinstance(node, Mapping) or "quantizer" not in node:
        raise VqbenchError(f"{place}: needs a quantizer with a _target_")
    given = dict(node)
    parts: dict[str, Any] = {"quantizer": build(given.pop("quantizer"), "quantizers", f"{place}.quantizer", plugins)}
    if given.get("query") is not None:
        parts["query"] = build(given.pop("query"), "quantizers", f"{place}.query", plugins)
    steps = given.pop("transforms", None) or {}
    if not isinstance(steps, Mapping):
        raise VqbenchError(f"{place}.transforms: give each transform a name, as in 'transforms: {{center: ...}}'")
    parts["transforms"] = tuple(
        build(step, "transforms", f"{place}.transforms.{name}", plugins) for name, step in steps.items()
    )
    return Variant(**parts, **checked(given, Variant, f"{place}."))


def _renamed(name: str, overrides: Sequence[str], prefix: str) -> str:
    """The name with what the command line changed: ``binary_mean(threshold=median)``."""
    changed = [x.removeprefix(prefix) for x in overrides if x.startswith(prefix)]
    short = sorted(x.removeprefix("quantizer.").removeprefix("engine.") for x in changed)
    return checked_name(f"{name}({','.join(short)})", name) if short else name
