"""A variant: transforms in order, a quantizer, the queries' own quantizer; and the estimate as a score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from vqbench.api import code_topk
from vqbench.errors import VqbenchError
from vqbench.experiment.config.variants import build_variant
from vqbench.numerics.arrays import Codes, Floats
from vqbench.quantizers.base import Codec
from vqbench.quantizers.binary import Binary
from vqbench.quantizers.cast import Cast, CastCodec
from vqbench.quantizers.offset_int8 import OffsetInt8
from vqbench.quantizers.parts.ledger import Item
from vqbench.quantizers.transforms.base import FittedTransform, Transform
from vqbench.quantizers.variant import TransformedCodec, Variant


@dataclass(frozen=True, kw_only=True)
class Scaled(Transform):
    factor: float

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> FittedTransform:
        return ScaledFit(d=sample_nd.shape[1], width=sample_nd.shape[1], factor=self.factor, drawn=rng.random())


@dataclass(frozen=True, kw_only=True)
class ScaledFit(FittedTransform):
    factor: float
    drawn: float

    def apply(self, x_nd: Floats) -> Floats:
        return x_nd * np.float32(self.factor)

    def restore(self, y_nw: Floats) -> Floats:
        return y_nw / np.float32(self.factor)

    def items(self) -> tuple[Item, ...]:
        return (Item("factor", "once", 4),)


@dataclass(frozen=True, kw_only=True)
class Shifted(Transform):
    """Moves by the sample's largest number, so that it shows which sample it was fitted to."""

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> FittedTransform:
        d = sample_nd.shape[1]
        return ShiftedFit(d=d, width=d, by=float(sample_nd.max()))


@dataclass(frozen=True, kw_only=True)
class ShiftedFit(FittedTransform):
    by: float

    def apply(self, x_nd: Floats) -> Floats:
        return x_nd - np.float32(self.by)

    def restore(self, y_nw: Floats) -> Floats:
        return y_nw + np.float32(self.by)


def sample(n: int = 30, d: int = 8) -> Floats:
    return np.random.default_rng(n).integers(-4, 5, (n, d)).astype(np.float32)


def test_transforms_work_in_order_on_what_the_one_before_made() -> None:
    x_nd = sample()
    variant = Variant(transforms=(Scaled(factor=2.0), Shifted()), quantizer=Cast(dtype="float32"))
    codec = variant.fit(x_nd, 0)
    np.testing.assert_array_equal(codec.project(x_nd), 2 * x_nd - 2 * x_nd.max())
    np.testing.assert_array_equal(codec.encode(x_nd).view("<f4"), codec.project(x_nd))
    np.testing.assert_array_equal(codec.decode(codec.encode(x_nd)), x_nd)
    other = Variant(transforms=(Shifted(), Scaled(factor=2.0)), quantizer=Cast(dtype="float32")).fit(x_nd, 0)
    np.testing.assert_array_equal(other.project(x_nd), 2 * (x_nd - x_nd.max()))


def test_a_transform_is_counted_once_behind_the_code() -> None:
    codec = Variant(transforms=(Scaled(factor=2.0),), quantizer=Binary(threshold="mean")).fit(sample(), 0)
    assert codec.ledger().items == (Item("code", "vector", 1), Item("threshold", "once", 8), Item("factor", "once", 4))
    assert codec.is_binary
    assert codec.core.code_bits == 8


def test_parts_draw_from_streams_of_their_own() -> None:
    """A transform more changes no draw of the others."""
    one = Variant(transforms=(Scaled(factor=1.0),), quantizer=Cast()).fit(sample(), 5)
    two = Variant(transforms=(Scaled(factor=1.0), Scaled(factor=1.0)), quantizer=Cast()).fit(sample(), 5)
    other = Variant(transforms=(Scaled(factor=1.0),), quantizer=Cast()).fit(sample(), 6)
    assert isinstance(one, TransformedCodec)
    assert isinstance(two, TransformedCodec)
    assert isinstance(other, TransformedCodec)
    assert one.steps[0] == two.steps[0]
    assert two.steps[0] != two.steps[1]
    assert other.steps[0] != one.steps[0]


def test_queries_are_coarsened_in_the_space_of_the_codes() -> None:
    x_nd = np.random.default_rng(1).normal(0, 0.2, (40, 8)).astype(np.float32)
    variant = Variant(
        transforms=(Scaled(factor=0.5),), quantizer=Cast(), query=OffsetInt8(half_step=False), similarity="asymmetric"
    )
    codec = variant.fit(x_nd, 0)
    expected = np.floor((np.float64(0.5) * x_nd + 1) * 127) / 127 - 1
    np.testing.assert_allclose(codec.core_queries(x_nd), expected, atol=1e-7)
    hits = code_topk(codec, x_nd[:3], codec.encode(x_nd), 40, similarity="asymmetric")
    for query in range(3):
        q_d, rows = expected[query].astype(np.float32).astype(float), (x_nd / 2).astype(float)
        scores = rows @ q_d / np.linalg.norm(rows, axis=1) / np.linalg.norm(q_d)
        np.testing.assert_allclose(hits.scores_qk[query], scores[hits.ids_qk[query]], atol=1e-11)
        np.testing.assert_array_equal(hits.ids_qk[query], np.argsort(-scores.round(12), kind="stable"))


def test_what_the_queries_codec_shares_with_the_documents_is_counted_once() -> None:
    same = Variant(quantizer=Binary(threshold="mean"), query=Binary(threshold="mean"), similarity="asymmetric")
    assert same.fit(sample(), 0).ledger().total("once") == 8
    two = Variant(quantizer=Binary(threshold="mean"), query=Binary(threshold="median"), similarity="asymmetric")
    assert two.fit(sample(), 0).ledger().total("once") == 16
    assert [item.name for item in two.fit(sample(), 0).ledger().items] == ["code", "threshold", "query threshold"]


def test_a_query_quantizer_needs_a_similarity_that_uses_it() -> None:
    with pytest.raises(VqbenchError, match="similarity hamming takes no query quantizer"):
        Variant(quantizer=Binary(), query=Binary(), similarity="hamming")
    with pytest.raises(VqbenchError, match="calibration = 0"):
        Variant(quantizer=Binary(), calibration=0)


@dataclass(frozen=True, kw_only=True)
class OneMore(CastCodec):
    """An estimate with a term of its own: <q, x> + 0.5 sum(x)."""

    def estimate_queries(self, queries_qd: Floats) -> Floats:
        return np.concatenate([queries_qd, np.full((len(queries_qd), 1), 0.5)], axis=1)

    def estimate_rows(self, codes_nb: Codes) -> Floats:
        x_nd = self.decode(codes_nb).astype(np.float64)
        return np.concatenate([x_nd, x_nd.sum(axis=1, keepdims=True)], axis=1)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_estimates_are_inner_products_with_their_ties(scale: float) -> None:
    """Whole numbers times a power of two: every sum is exact, so ties are known; against a naive loop."""
    factor = np.float32(2.0 ** np.round(np.log2(scale)))
    x_nd = np.random.default_rng(7).integers(-2, 3, (300, 6)).astype(np.float32) * factor
    queries_qd = np.random.default_rng(8).integers(-2, 3, (9, 6)).astype(np.float32)
    codec: Codec = OneMore(d=6, dtype="float32")
    hits = code_topk(codec, queries_qd, codec.encode(x_nd), 20, similarity="estimate")
    for query in range(9):
        scores = [round(float(q) + 0.5 * float(row.sum()), 12) for row in x_nd for q in [queries_qd[query] @ row]]
        order = sorted(range(300), key=lambda row: (-scores[row], row))
        assert hits.ids_qk[query].tolist() == order[:20]
        assert hits.scores_qk[query].tolist() == [scores[row] for row in order[:20]]
        assert hits.dropped_ties_q[query] == sum(score == scores[order[19]] for score in scores) - sum(
            scores[row] == scores[order[19]] for row in order[:20]
        )


def test_configs_name_transforms_and_the_query_quantizer() -> None:
    node = {
        "transforms": {},
        "quantizer": {"_target_": "vqbench.quantizers.binary.Binary"},
        "query": {"_target_": "vqbench.quantizers.offset_int8.OffsetInt8"},
        "similarity": "asymmetric",
        "calibration": 64,
        "draw": "prefix",
    }
    variant = build_variant(node, "quantizer.x")
    assert variant == Variant(
        quantizer=Binary(), query=OffsetInt8(), similarity="asymmetric", calibration=64, draw="prefix"
    )
    with pytest.raises(VqbenchError, match="quantizer.x.transforms: give each transform a name"):
        build_variant({**node, "transforms": ["center"]}, "quantizer.x")
    with pytest.raises(VqbenchError, match="not a class of vqbench.quantizers.transforms"):
        build_variant({**node, "transforms": {"a": {"_target_": "os.system"}}}, "quantizer.x")
    with pytest.raises(VqbenchError, match="quantizer.x.draw = 'first': must be one of"):
        build_variant({**node, "draw": "first"}, "quantizer.x")
