"""What every shipped config promises: it builds, its codec keeps the contract, its ledger adds up."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf
from places import ROOT

from vqbench.api import code_topk
from vqbench.errors import NotApplicableError
from vqbench.experiment.config.folders import conf_folder, config_files, config_names, first_comment
from vqbench.experiment.config.targets import BASES, allowed_targets, build
from vqbench.experiment.config.variants import about_of, build_variant
from vqbench.numerics.arrays import Floats, unit_rows
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.variant import TransformedCodec, Variant

VARIANTS = config_names("quantizer")
METRICS = config_names("metric")
TRAINED_LONG = {"faiss_prq1", "faiss_opq1", "binary_itq", "scalar4_itq"}
EVERY = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in TRAINED_LONG else ()) for name in VARIANTS]
)


def node_of(group: str, name: str) -> dict[str, Any]:
    node = OmegaConf.to_container(OmegaConf.load(config_files(group)[name]))
    assert isinstance(node, dict)
    return {str(key): value for key, value in node.items()}


def variant_of(name: str) -> Variant:
    return build_variant(node_of("quantizer", name)[name], name)


@cache
def vectors(n: int, d: int, seed: int = 0) -> Floats:
    x_nd = unit_rows(np.random.default_rng(n * d + seed).normal(0.2, 1, (n, d)))
    x_nd.flags.writeable = False  # what changes its input fails
    return x_nd


def width_of(name: str) -> int:
    """A number of dimensions that suits the variant: 64, or more for those that keep more."""
    steps = node_of("quantizer", name)[name].get("transforms") or {}
    return 384 if any((step.get("m") or 0) > 64 for step in steps.values()) else 64


@cache
def fitted(name: str, seed: int = 3) -> Codec:
    """Fitted where the variant must be able to run; only a package that is not installed excuses it."""
    sample_nd = vectors(400, width_of(name), seed)
    try:
        return variant_of(name).fit(sample_nd, seed)
    except NotApplicableError as reason:
        if "pip install" in str(reason):
            pytest.skip(str(reason))
        raise


@pytest.mark.parametrize("group", ["metric", "dataset", "experiment"])
def test_each_yaml_begins_with_what_it_is_for(group: str) -> None:
    for path in config_files(group).values():
        assert len(first_comment(path)) > 20, path


@pytest.mark.parametrize("group", ["quantizer", "metric"])
def test_a_yaml_defines_just_the_name_of_its_file(group: str) -> None:
    for name in config_names(group):
        assert list(node_of(group, name)) == [name]


def test_every_class_has_a_yaml() -> None:
    """A quantizer, transform or metric that no config names would escape all the tests here."""
    used = {build(node_of("metric", name)[name], "metrics", name).__class__.__name__ for name in METRICS}
    for name in VARIANTS:
        variant = variant_of(name)
        used |= {part.__class__.__name__ for part in (variant.quantizer, *variant.transforms)}
    groups = ("quantizers", "transforms", "metrics")
    defined = {target.rpartition(".")[2] for group in groups for target in allowed_targets(group)}
    assert used == defined
    assert set(BASES) == {*groups, "datasets", "parallel", "backends"}


def test_metric_configs_build_metrics_of_their_name() -> None:
    for name in METRICS:
        assert build(node_of("metric", name)[name], "metrics", name).name == name


@EVERY
def test_a_variant_says_what_it_is_with_family_bits_and_source(name: str) -> None:
    about = about_of(node_of("quantizer", name)[name]["about"], name)
    assert 8 < len(about.what) < 80
    assert len(about.source) > 5
    about.bits_at(384)
    folder = "presets" if about.family.startswith("preset ") else about.family.replace("-", "_")
    assert config_files("quantizer")[name].parent == conf_folder() / folder / "quantizer"


@pytest.mark.slow
@EVERY
@pytest.mark.parametrize("d", [384, 768])
def test_the_bits_that_a_variant_states_are_those_of_the_ledger(name: str, d: int) -> None:
    """Two widths tell what is paid for each dimension from what is paid for each vector, padding apart.

    Weaviate's 1 bit pads the dimensions themselves, to 256 at least: it is tried where that adds none.
    """
    d = 512 if name == "weaviate_rq1" and d == 384 else d
    fitted(name)  # skips what needs a package that is not there
    codec = variant_of(name).fit(vectors(780, d)[: 780 if "faiss" in name else 260], 0)
    items = [item for item in codec.ledger().items if item.scope == "vector" and item.name != "padding"]
    said = about_of(node_of("quantizer", name)[name]["about"], name).bits_at(d)
    assert sum(item.bytes for item in items) == pytest.approx(said * d / 8, abs=1e-6)


@EVERY
def test_codes_are_bytes_of_the_ledgers_size(name: str) -> None:
    codec = fitted(name)
    x_nd = vectors(37, codec.d)
    codes_nb = codec.encode(x_nd)
    assert codes_nb.dtype == np.uint8
    assert codes_nb.shape == (37, codec.ledger().total("vector"))
    decoded_nd = codec.decode(codes_nb)
    assert decoded_nd.dtype == np.float32
    assert decoded_nd.shape == x_nd.shape
    assert np.isfinite(decoded_nd).all()
    clipped = codec.clipped(x_nd)
    assert clipped.dtype == bool
    assert clipped.shape == (37, codec.core.d)


@EVERY
@pytest.mark.parametrize("d", [1, 8, 13])
def test_other_widths_work_or_are_refused_with_a_reason(name: str, d: int) -> None:
    x_nd, reason = vectors(400, d), ""
    try:
        codec = variant_of(name).fit(x_nd, 3)
    except NotApplicableError as error:
        codec, reason = None, str(error)
    if codec is None:
        assert len(reason) > 20
        return
    codes_nb = codec.encode(x_nd[:20])
    assert codes_nb.shape == (20, codec.ledger().total("vector"))
    assert codec.decode(codes_nb).shape == (20, d)
    assert np.isfinite(codec.decode(codes_nb)).all()


def learned_bytes(first: Any, second: Any) -> int:
    """Bytes of all that differs between two fits, through the parts of a chain."""
    if isinstance(first, tuple):
        return sum(learned_bytes(a, b) for a, b in zip(first, second, strict=True))
    if is_dataclass(first):
        parts = {field.name for field in fields(first)}
        if isinstance(first, TransformedCodec) and isinstance(second, TransformedCodec):
            shared = first.query is not None and len(first.ledger().items) == len(
                TransformedCodec(d=first.d, steps=first.steps, last=first.last, query=None).ledger().items
            )
            parts -= {"query"} if shared else set()
        return sum(learned_bytes(getattr(first, part), getattr(second, part)) for part in parts)
    return 0 if first is None or np.array_equal(first, second) else np.asarray(first).nbytes


@pytest.mark.slow
@EVERY
def test_what_is_stored_once_is_counted(name: str) -> None:
    """Whatever in a codec depends on the sample or the seed was learned, and must be in the ledger to the byte."""
    first = fitted(name)
    second = variant_of(name).fit(vectors(500, first.d, 4) * np.float32(1.5), 4)
    assert first.ledger().total("once") == learned_bytes(first, second)


@EVERY
def test_rows_are_coded_independently(name: str) -> None:
    codec = fitted(name)
    x_nd = vectors(40, codec.d)
    codes_nb = codec.encode(x_nd)
    decoded_nd = codec.decode(codes_nb)
    order = np.random.default_rng(0).permutation(40)
    assert np.array_equal(codec.encode(x_nd[order]), codes_nb[order])
    for row in range(40):
        assert np.array_equal(codec.encode(x_nd[row : row + 1])[0], codes_nb[row])
        assert np.array_equal(codec.decode(codes_nb[row : row + 1])[0], decoded_nd[row])


@EVERY
def test_the_scored_sides_depend_on_their_own_row_only(name: str) -> None:
    codec = fitted(name)
    x_nd = vectors(25, codec.d)
    codes_nb, met_qd = codec.encode(x_nd), codec.core_queries(x_nd)
    rows_nw, queries_qw = codec.core.estimate_rows(codes_nb), codec.core.estimate_queries(met_qd)
    assert rows_nw.dtype == queries_qw.dtype == np.float64
    assert rows_nw.shape[1] == queries_qw.shape[1]
    for row in range(25):
        assert np.array_equal(codec.core_queries(x_nd[row : row + 1])[0], met_qd[row])
        assert np.array_equal(codec.core.estimate_rows(codes_nb[row : row + 1])[0], rows_nw[row])
        assert np.array_equal(codec.core.estimate_queries(met_qd[row : row + 1])[0], queries_qw[row])


@EVERY
def test_codes_are_not_changed_in_place_and_the_same_seed_gives_the_same_codes(name: str) -> None:
    codec = fitted(name)
    x_nd = vectors(40, codec.d)
    codes_nb = codec.encode(x_nd)
    kept_nb = codes_nb.copy()
    codec.decode(codes_nb)
    codec.core.estimate_rows(codes_nb)
    assert np.array_equal(codes_nb, kept_nb)
    again = variant_of(name).fit(vectors(400, codec.d, 3), 3)
    assert np.array_equal(again.encode(x_nd), codes_nb)


@EVERY
def test_extreme_rows_are_coded_without_a_warning(name: str) -> None:
    codec = fitted(name)
    extreme_nd = np.array([[0], [1e30], [-1e30], [1e-40]], dtype=np.float32).repeat(codec.d, axis=1)
    codes_nb = codec.encode(extreme_nd)
    assert np.isfinite(codec.decode(codes_nb)).all()
    assert np.isfinite(codec.core.estimate_rows(codes_nb)).all()
    assert np.isfinite(codec.core_queries(extreme_nd)).all()


@EVERY
def test_equal_codes_tie(name: str) -> None:
    """Every row twice: both copies must have the same score under the variant's similarity."""
    codec = fitted(name)
    codes_nb = np.repeat(codec.encode(vectors(20, codec.d)), 2, axis=0)
    hits = code_topk(codec, vectors(5, codec.d), codes_nb, 40, similarity=variant_of(name).similarity)
    for ids_k, scores_k in zip(hits.ids_qk, hits.scores_qk, strict=True):
        score = dict(zip(ids_k.tolist(), scores_k.tolist(), strict=True))
        assert all(score[row] == score[row + 1] for row in range(0, 40, 2))


@EVERY
def test_specs_are_frozen_and_say_what_they_are(name: str) -> None:
    quantizer = variant_of(name).quantizer
    assert isinstance(quantizer, Quantizer)
    assert type(quantizer).__doc__
    with pytest.raises(AttributeError):
        quantizer.__setattr__("invented", 1)


def test_the_links_between_folders() -> None:
    assert (conf_folder() / "experiment").resolve() == (ROOT / "experiments").resolve()
