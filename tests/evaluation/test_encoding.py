"""Codes are the same wherever they are kept: in memory, in a scratch file, or made again from the rows."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

import vqbench
from vqbench.errors import VqbenchError
from vqbench.evaluation import encoding
from vqbench.evaluation.encoding import Kept, Recoded, encode_corpus
from vqbench.metrics.reconstruction import MSE, CosineError
from vqbench.quantizers.base import Codec, Quantizer, encode_checked
from vqbench.quantizers.binary import Binary
from vqbench.quantizers.cast import Cast
from vqbench.quantizers.offset_int8 import OffsetInt8
from vqbench.quantizers.parts.ledger import Ledger
from vqbench.quantizers.transforms.center import Center
from vqbench.search.similarity import CodeArray
from vqbench.storage.raw_rows import RawRows
from vqbench.storage.vectors import Vectors


@pytest.mark.parametrize("room", [True, False])
@pytest.mark.parametrize("held", [1 << 20, 0])
@pytest.mark.parametrize(
    ("quantizer", "small"), [(Binary(threshold="mean"), True), (OffsetInt8(), True), (Cast(dtype="float16"), False)]
)
def test_codes_are_the_same_wherever_they_are(
    quantizer: Quantizer, small: bool, held: int, room: bool, gaussian: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "_HELD", held)
    monkeypatch.setattr(encoding, "_BLOCK", 7)
    monkeypatch.setattr(encoding, "has_room", lambda expected: room)
    codec = quantizer.fit(gaussian, np.random.default_rng(0))
    encoded = encode_corpus(codec, Vectors(gaussian, normalize=False), [MSE(), CosineError()])
    wanted_nb = codec.encode(gaussian)
    assert isinstance(encoded.codes, CodeArray if held else Kept if room and small else Recoded)
    assert encoded.codes.n == len(gaussian)
    np.testing.assert_array_equal(encoded.codes.block(3, 290), wanted_nb[3:290])
    rows = np.array([299, 0, 5, 5, 4])
    np.testing.assert_array_equal(encoded.codes.take(rows), wanted_nb[rows])
    for metric in (MSE(), CosineError()):
        values_n = metric.measure(gaussian, codec.decode(wanted_nb), codec)
        assert encoded.means[metric.name] == math.fsum(values_n) / len(values_n)
    if isinstance(encoded.codes, Kept):
        stored = encoded.codes.codes_nb
        assert isinstance(stored, RawRows)
        path = stored.path
        del stored
        assert path.stat().st_size == wanted_nb.size
        del encoded
        gc.collect()
        assert not path.exists()


@dataclass(frozen=True, kw_only=True)
class Bent(Quantizer):
    """Bytes of int8 steps, which ``encode`` and ``decode`` hand over in a way of their own."""

    encode: Callable[[np.ndarray], object] = lambda codes_nb: codes_nb
    decode: Callable[[np.ndarray], object] = lambda x_nd: x_nd

    def fit(self, sample_nd: np.ndarray, rng: np.random.Generator) -> Codec:
        return BentCodec(d=sample_nd.shape[1], bent=self)


@dataclass(frozen=True, kw_only=True)
class BentCodec(Codec):
    bent: Bent

    def encode(self, x_nd):  # type: ignore[no-untyped-def]
        return self.bent.encode(np.clip(np.rint(60 * x_nd + 128), 0, 255).astype(np.uint8))

    def decode(self, codes_nb):  # type: ignore[no-untyped-def]
        return self.bent.decode(((codes_nb.astype(np.float32)) - 128) / 60)

    def integers(self, codes_nb):  # type: ignore[no-untyped-def]
        return codes_nb

    def ledger(self) -> Ledger:
        return Ledger.of_bits(bits=8 * self.d)


SIMILARITIES = ("decoded", "symmetric", "asymmetric", "estimate", "raw")
_ENCODE = "BentCodec.encode gives {}: must give uint8 (1, bytes of a code)"
_DECODE = "BentCodec.decode gives {}: must give float32 "


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize(
    ("encode", "told"),
    [
        (lambda codes_nb: codes_nb.astype(np.int32), _ENCODE.format("int32 (1, 16)")),  # cut to 8 bits, once
        (lambda codes_nb: codes_nb.astype(np.float32) * 300, _ENCODE.format("float32 (1, 16)")),
        (lambda codes_nb: codes_nb.astype(np.int8), _ENCODE.format("int8 (1, 16)")),
        (lambda codes_nb: codes_nb[0], _ENCODE.format("uint8 (16,)")),
        (lambda codes_nb: codes_nb.tolist(), _ENCODE.format("a list")),
        (lambda codes_nb: np.repeat(codes_nb, 2, axis=0), _ENCODE.format("uint8 (2, 16)")),
        (lambda codes_nb: codes_nb[:, :1], "a code has 1 bytes, its ledger says 16"),
        (lambda codes_nb: codes_nb if len(codes_nb) == 1 else codes_nb[:, :1], "a code has 1 bytes, its ledger"),
    ],
)
def test_codes_that_are_no_bytes_fail(encode, told: str, similarity, gaussian: np.ndarray) -> None:  # type: ignore[no-untyped-def]
    variant = vqbench.Variant(quantizer=Bent(encode=encode), similarity=similarity)
    with pytest.raises(VqbenchError) as error:
        vqbench.evaluate(gaussian[:60, :16], variants={"bent": variant})
    assert told in str(error.value)


@pytest.mark.parametrize("transforms", [(), (Center(),)])
@pytest.mark.parametrize("similarity", SIMILARITIES[:-1])
@pytest.mark.parametrize(
    ("decode", "told"),
    [
        (lambda x_nd: (60 * x_nd).astype(np.int16), _DECODE.format("int16 ({n}, 16)")),
        (lambda x_nd: x_nd[:, :1], _DECODE.format("float32 ({n}, 1)")),
        (lambda x_nd: x_nd[0], _DECODE.format("float32 (16,)")),
        (lambda x_nd: list(x_nd), _DECODE.format("a list")),
        (lambda x_nd: x_nd / np.float32(0), "BentCodec.decode gives NaN or infinity, for code 0 of {n} first"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_vectors_that_are_none_fail(decode, told: str, similarity, transforms, gaussian: np.ndarray) -> None:  # type: ignore[no-untyped-def]
    quantizer = Bent(decode=decode)
    codec = vqbench.Variant(quantizer=quantizer, transforms=transforms).fit(gaussian[:60, :16], 0)
    codes_nb = codec.encode(gaussian[:60, :16])
    with pytest.raises(VqbenchError) as error:
        vqbench.code_topk(codec, gaussian[:60, :16], codes_nb, 3, similarity=similarity)
    assert told.format(n=60) in str(error.value)


def test_codes_of_any_order_in_memory_count_alike(gaussian: np.ndarray) -> None:
    x_nd = gaussian[:60, :16]
    tables = [
        vqbench.evaluate(x_nd, variants={"bent": vqbench.Variant(quantizer=each, similarity="raw")}, metrics=[MSE()])
        for each in (Bent(), Bent(encode=np.asfortranarray), Bent(decode=lambda x_nd: x_nd.astype(np.float64)))
    ]
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])
    assert encode_checked(Bent(encode=np.asfortranarray).fit(x_nd, np.random.default_rng()), x_nd).flags.c_contiguous
