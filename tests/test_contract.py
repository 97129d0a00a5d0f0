"""What every shipped config promises: it builds, its codec keeps the contract, its ledger adds up."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from vqbench.arrays import Floats, unit_rows
from vqbench.commands import first_comment
from vqbench.composing import names
from vqbench.config import BASES, allowed_targets, build, conf_folder
from vqbench.plan import build_variant
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.search.api import code_topk
from vqbench.variant import Variant

VARIANTS = names(conf_folder(), "quantizer")
METRICS = names(conf_folder(), "metric")


def node_of(group: str, name: str) -> dict[str, Any]:
    node = OmegaConf.to_container(OmegaConf.load(conf_folder() / group / f"{name}.yaml"))
    assert isinstance(node, dict)
    return {str(key): value for key, value in node.items()}


def variant_of(name: str) -> Variant:
    return build_variant(node_of("quantizer", name)[name], name)


def vectors(n: int, d: int) -> Floats:
    return unit_rows(np.random.default_rng(n * d).normal(0.2, 1, (n, d)))


def fitted(name: str, sample_nd: Floats, seed: int = 3) -> Codec:
    return variant_of(name).fit(sample_nd, seed)


@pytest.mark.parametrize("group", ["quantizer", "metric", "dataset", "experiment"])
def test_each_yaml_begins_with_what_it_is_for(group: str) -> None:
    for name in names(conf_folder(), group):
        assert len(first_comment(conf_folder() / group / f"{name}.yaml")) > 20, name


@pytest.mark.parametrize("group", ["quantizer", "metric"])
def test_a_yaml_defines_just_the_name_of_its_file(group: str) -> None:
    for name in names(conf_folder(), group):
        assert list(node_of(group, name)) == [name]


def test_every_class_has_a_yaml() -> None:
    """A quantizer or metric that no config names would escape all the tests here."""
    used = {variant_of(name).quantizer.__class__.__name__ for name in VARIANTS}
    used |= {build(node_of("metric", name)[name], "metrics", name).__class__.__name__ for name in METRICS}
    defined = {target.rpartition(".")[2] for group in ("quantizers", "metrics") for target in allowed_targets(group)}
    assert used == defined
    assert set(BASES) == {"quantizers", "transforms", "metrics", "datasets"}


def test_metric_configs_build_metrics_of_their_name() -> None:
    for name in METRICS:
        assert build(node_of("metric", name)[name], "metrics", name).name == name


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("d", [1, 8, 13, 64])
def test_codes_are_bytes_of_the_ledgers_size(name: str, d: int) -> None:
    x_nd = vectors(37, d)
    codec = fitted(name, x_nd)
    codes_nb = codec.encode(x_nd)
    assert codes_nb.dtype == np.uint8
    assert codes_nb.shape == (37, codec.ledger().total("vector"))
    decoded_nd = codec.decode(codes_nb)
    assert decoded_nd.dtype == np.float32
    assert decoded_nd.shape == x_nd.shape
    assert np.isfinite(decoded_nd).all()
    assert codec.clipped(x_nd).shape == x_nd.shape


@pytest.mark.parametrize("name", VARIANTS)
def test_what_is_stored_once_is_counted(name: str) -> None:
    """Whatever in a codec depends on the sample or the seed was learned, and must be in the ledger to the byte."""
    first, second = fitted(name, vectors(50, 24), 3), fitted(name, vectors(60, 24) * np.float32(1.5), 4)
    learned = [
        np.asarray(getattr(first, field.name)).nbytes
        for field in fields(first)
        if not np.array_equal(getattr(first, field.name), getattr(second, field.name))
    ]
    assert first.ledger().total("once") == sum(learned)


@pytest.mark.parametrize("name", VARIANTS)
def test_rows_are_coded_independently(name: str) -> None:
    x_nd = vectors(40, 24)
    codec = fitted(name, x_nd)
    codes_nb = codec.encode(x_nd)
    order = np.random.default_rng(0).permutation(40)
    assert np.array_equal(codec.encode(x_nd[order]), codes_nb[order])
    for row in range(40):
        assert np.array_equal(codec.encode(x_nd[row : row + 1])[0], codes_nb[row])
        assert np.array_equal(codec.decode(codes_nb[row : row + 1])[0], codec.decode(codes_nb)[row])


@pytest.mark.parametrize("name", VARIANTS)
def test_nothing_is_changed_in_place_and_the_same_seed_gives_the_same_codes(name: str) -> None:
    x_nd = vectors(40, 24)
    before_nd = x_nd.copy()
    codes_nb = fitted(name, x_nd).encode(x_nd)
    kept_nb = codes_nb.copy()
    fitted(name, x_nd).decode(codes_nb)
    assert np.array_equal(x_nd, before_nd)
    assert np.array_equal(codes_nb, kept_nb)
    assert np.array_equal(fitted(name, x_nd).encode(x_nd), codes_nb)


@pytest.mark.parametrize("name", VARIANTS)
def test_extreme_rows_are_coded_without_a_warning(name: str) -> None:
    sample_nd = vectors(30, 16)
    codec = fitted(name, sample_nd)
    extreme_nd = np.array([[0] * 16, [1e30] * 16, [-1e30] * 16, [1e-40] * 16], dtype=np.float32)
    assert np.isfinite(codec.decode(codec.encode(extreme_nd))).all()


@pytest.mark.parametrize("name", VARIANTS)
def test_equal_codes_tie(name: str) -> None:
    """Every row twice: both copies must have the same score under every similarity."""
    x_nd = np.repeat(vectors(20, 24), 2, axis=0)
    variant = variant_of(name)
    codec = variant.fit(x_nd, 0)
    hits = code_topk(codec, vectors(5, 24), codec.encode(x_nd), 40, similarity=variant.similarity)
    for ids_k, scores_k in zip(hits.ids_qk, hits.scores_qk, strict=True):
        score = dict(zip(ids_k.tolist(), scores_k.tolist(), strict=True))
        assert all(score[row] == score[row + 1] for row in range(0, 40, 2))


@pytest.mark.parametrize("name", VARIANTS)
def test_specs_are_frozen_and_say_what_they_are(name: str) -> None:
    quantizer = variant_of(name).quantizer
    assert isinstance(quantizer, Quantizer)
    assert type(quantizer).__doc__
    with pytest.raises(AttributeError):
        quantizer.__setattr__("invented", 1)


def test_the_links_between_folders() -> None:
    assert (conf_folder() / "experiment").resolve() == (Path(__file__).parents[1] / "experiments").resolve()
