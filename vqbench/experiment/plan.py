"""Turn a composed config into a plan: every node checked, nothing read or written yet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import platformdirs

from vqbench.datasets.base import Dataset, OnBadRows, QueryMode
from vqbench.datasets.distances import Distance, check_measured
from vqbench.datasets.file import File
from vqbench.errors import VqbenchError
from vqbench.evaluation.engine_run import Pairing
from vqbench.evaluation.fitting import provided_variants
from vqbench.evaluation.settings import Settings
from vqbench.experiment.config.folders import GROUPS
from vqbench.experiment.config.targets import build, check_targets, checked, whole_numbers
from vqbench.experiment.config.variants import build_variant, named_variant
from vqbench.experiment.effects import check_effects, check_replaceable, names_dataset
from vqbench.numerics.kernels.choice import Kernels
from vqbench.numerics.thread_pool import check_count
from vqbench.quantizers.variant import Variant
from vqbench.search.parallel.base import Parallel
from vqbench.text import checked_name, did_you_mean, expanded, shortened, slug


@dataclass(frozen=True, kw_only=True)
class Options:
    """The plain keys of conf/config.yaml, which says what each means."""

    queries: QueryMode | None = None
    n_queries: int | None = 1000
    query_seed: int = 0
    normalize: bool = True
    distance: Distance | None = None
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
        check_measured(self.distance)
        check_count("threads", self.threads)
        if not 0 < self.margin < math.inf:
            raise VqbenchError(f"margin = {self.margin}: must be above 0; smaller differences count as equivalent")

    @property
    def plugin_folders(self) -> tuple[Path, ...]:
        """The folders whose classes may be named beside the package's own."""
        return tuple(expanded(folder).resolve() for folder in self.plugins)

    @property
    def cache_folder(self) -> Path | None:
        """Where float results are kept: the user's cache folder (``auto``), another folder, or nowhere (``off``).

        Raises VqbenchError where it is a file.
        """
        if self.cache == "off":
            return None
        folder = Path(platformdirs.user_cache_dir("vqbench")) if self.cache == "auto" else expanded(self.cache)
        if folder.is_file():
            raise VqbenchError(f"cache = {folder}: is a file: name a folder, or set cache=off")
        return folder


@dataclass(frozen=True)
class Origin:
    """Where a variant or an engine of a plan comes from; the content of meta.json."""

    config: str  # the name of its YAML
    overrides: list[str]  # what the command line changed, as in "threshold=median"
    node: Mapping[str, Any]  # the config that it was built from

    @property
    def name(self) -> str:
        """The displayed name, as in ``binary_mean(threshold=median)``."""
        shown = f"{self.config}({','.join(self.overrides)})" if self.overrides else self.config
        return checked_name(shown, self.config)


@dataclass(frozen=True)
class Plan:
    """A checked run: what is evaluated, how, and where the results go."""

    title: str  # of the experiment, or else of the dataset
    out: Path
    datasets: Mapping[str, Dataset]
    variants: Mapping[str, Variant]
    settings: Settings
    seeds: Sequence[int]
    options: Options
    config: Mapping[str, Any]  # as it was composed
    parallel: Parallel
    backends: Mapping[str, Pairing] = field(default_factory=dict)  # engines to run beside the variants
    origins: Mapping[str, Mapping[str, Origin]] = field(default_factory=dict)  # of "variants" and "backends"


#: Keys of conf/config.yaml that are no ``Options``.
_TABLES = (*GROUPS, "datasets", "k", "oversample", "seed", "figures")
#: Keys of a dataset that its name need not repeat.
_UNNAMED = {field.name for field in fields(File)} - {"rows", "rows_seed"}


def make_plan(config: Mapping[str, Any], overrides: Sequence[str] = (), experiment: str | None = None) -> Plan:
    """Check a whole config and build what it describes.

    Args:
        config: plain containers, every reference resolved.
        overrides: the command line's settings, from which a changed variant or dataset takes its name, as in
            ``binary_mean(threshold=median)``.
        experiment: the name of the experiment, if one was chosen.

    Raises:
        VqbenchError: a key or a value is not allowed; the message names it and what is.
    """
    overrides = [override.lstrip("+") for override in overrides]
    check_effects(config, overrides, experiment)
    own = experiment is not None and names_dataset(overrides)
    if own:
        config = _with_own_dataset(config, overrides, experiment)
    plain = {key: value for key, value in config.items() if key not in _TABLES}
    for key in plain:
        if key not in Options.__dataclass_fields__:
            raise VqbenchError(f"{key}: unknown key; {did_you_mean(key, [*Options.__dataclass_fields__, *_TABLES])}")
    _check_queries(plain.get("queries"))
    options = Options(**checked(plain, Options, ""))
    plugins = options.plugin_folders
    check_targets(config, plugins)
    metrics = _nodes(config, "metric")
    datasets = datasets_of(config, overrides, plugins)
    variants = _variants(_nodes(config, "quantizer"), overrides)
    backends = [_origin(name, node, overrides, "backend") for name, node in _nodes(config, "backend", needed=False)]
    provided = provided_variants(spec.provides for spec in datasets.values())
    variants += [Origin(name, [], {}) for name in provided]
    origins = {"variants": {x.name: x for x in variants}, "backends": {x.name: x for x in backends}}
    if options.baseline not in (None, *origins["variants"]):
        hint = did_you_mean(options.baseline, origins["variants"])
        raise VqbenchError(f"baseline = {options.baseline}: not a variant of this run; {hint}")
    settings = Settings(
        sorted(whole_numbers(config["k"], "k")),
        sorted(whole_numbers(config["oversample"], "oversample")),
        [build(node, "metrics", f"metric.{name}", plugins) for name, node in metrics],
        calibration=options.calibration,
        block_mb=options.block_mb,
        getsizeof=options.getsizeof,
    )
    seeds = whole_numbers(config["seed"], "seed")
    if min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise VqbenchError(f"seed = {seeds}: seeds must be distinct and not negative")
    dataset = next(iter(datasets))
    title = checked_name(f"{experiment}-{dataset}" if own else experiment or dataset, "experiment")
    threads = {"_target_": "vqbench.search.parallel.threads.Threads"}
    return Plan(
        title,
        out=expanded(options.out) if options.out is not None else Path("results") / slug(title),
        datasets=datasets,
        variants={
            x.name: provided.get(x.name) or build_variant(x.node, f"quantizer.{x.config}", plugins) for x in variants
        },
        settings=settings,
        seeds=seeds,
        options=options,
        config=config,
        parallel=build(config.get("parallel") or threads, "parallel", "parallel", plugins),
        backends={x.name: _pairing(x, plugins) for x in backends},
        origins=origins,
    )


def _with_own_dataset(config: Mapping[str, Any], overrides: Sequence[str], experiment: str | None) -> dict[str, Any]:
    """The config with the command line's dataset in the place of the experiment's, whose example it need not have."""
    check_replaceable(config, experiment)
    named = any(override.startswith("example=") for override in overrides)
    return {**config, "datasets": {}, "example": config.get("example") if named else None}


def _check_queries(queries: Any) -> None:
    """``queries`` says which rows are queries: a file of them is the dataset's."""
    if isinstance(queries, str) and ("." in queries or "/" in queries):
        path = shortened(queries)
        raise VqbenchError(
            f"queries = {path!r}: must be 'self', 'holdout', or null; for queries in a file: dataset.queries={path}"
        )


def _nodes(config: Mapping[str, Any], group: str, *, needed: bool = True) -> list[tuple[str, Any]]:
    """The names and nodes of a key that holds several."""
    nodes = config.get(group)
    if not needed and not nodes:
        return []
    if not isinstance(nodes, Mapping) or not nodes:
        raise VqbenchError(f"{group}: name at least one, as in '{group}=[NAME]'; see vqbench list")
    return [(checked_name(name, group), node) for name, node in nodes.items()]


def _origin(name: str, node: Mapping[str, Any], overrides: Sequence[str], group: str) -> Origin:
    prefix = f"{group}.{name}."
    changed = (x.removeprefix(prefix) for x in overrides if x.startswith(prefix))
    return Origin(name, sorted(x.removeprefix("quantizer.").removeprefix("engine.") for x in changed), node)


def datasets_of(config: Mapping[str, Any], overrides: Sequence[str], plugins: tuple[Path, ...]) -> dict[str, Dataset]:
    """Build the one dataset, or those of an experiment, by the names that tables give them."""
    if config.get("datasets"):
        nodes = _nodes(config, "datasets")
        return {name: build(node, "datasets", f"datasets.{name}", plugins) for name, node in nodes}
    spec: Dataset = build(config.get("dataset"), "datasets", "dataset", plugins)
    changed = [x.removeprefix("dataset.") for x in overrides if x.startswith("dataset.")]
    changed = sorted(x for x in changed if x.partition("=")[0] not in _UNNAMED)
    return {Origin(_title(spec), changed, {}).name: spec}


def _title(spec: Dataset) -> str:
    """The dataset's name; where it comes from a file's, a complaint says so."""
    path = None if getattr(spec, "name", None) is not None else getattr(spec, "path", None)
    if path is None:
        return checked_name(spec.title, "dataset.name")
    try:
        return checked_name(spec.title, f"dataset.path = {shortened(path)}")
    except VqbenchError as error:
        raise VqbenchError(f"{error}, or name the dataset with dataset.name=NAME") from None


def _variants(nodes: Sequence[tuple[str, Any]], overrides: Sequence[str]) -> list[Origin]:
    """The variants of a run. A setting for a variant that was not chosen is rejected."""
    chosen = [name for name, node in nodes if isinstance(node, Mapping) and _has_target(node)]
    for name, _ in nodes:
        if name not in chosen:
            raise VqbenchError(
                f"quantizer.{name}: not among this run's variants; {did_you_mean(name, chosen)}; "
                "choose variants with 'quantizer=[NAME,...]'"
            )
    return [_origin(name, node, overrides, "quantizer") for name, node in nodes]


def _has_target(node: Mapping[str, Any]) -> bool:
    return isinstance(node.get("quantizer"), Mapping) and "_target_" in node["quantizer"]


def _pairing(origin: Origin, plugins: tuple[Path, ...]) -> Pairing:
    """An engine with the variant that predicts it: named, or written out."""
    node, place = origin.node, f"backend.{origin.config}"
    if not isinstance(node, Mapping) or set(node) != {"engine", "variant"}:
        raise VqbenchError(f"{place}: needs the keys engine and variant; choose with 'backend=[NAME,...]'")
    engine, predicted = build(node["engine"], "backends", f"{place}.engine", plugins), node["variant"]
    if isinstance(predicted, str):
        return Pairing(
            engine=engine, predicted=predicted, variant=named_variant(predicted, f"{place}.variant", plugins)
        )
    variant = build_variant(predicted, f"{place}.variant", plugins)
    return Pairing(engine=engine, predicted=origin.name, variant=variant)
