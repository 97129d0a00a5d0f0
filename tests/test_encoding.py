"""Codes are the same wherever they are kept: in memory, in a scratch file, or made again from the rows."""

from __future__ import annotations

import gc
import math

import numpy as np
import pytest

from vqbench.arrays import Vectors
from vqbench.evaluation import encoding
from vqbench.evaluation.encoding import CodeFile, Recoded, encode_corpus
from vqbench.metrics.reconstruction import MSE, CosineError
from vqbench.quantizers.base import Quantizer
from vqbench.quantizers.binary import Binary
from vqbench.quantizers.cast import Cast
from vqbench.quantizers.offset_int8 import OffsetInt8
from vqbench.rawrows import RawRows
from vqbench.search.similarity import CodeArray


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
    assert isinstance(encoded.codes, CodeArray if held else CodeFile if room and small else Recoded)
    assert encoded.codes.n == len(gaussian)
    np.testing.assert_array_equal(encoded.codes.block(3, 290), wanted_nb[3:290])
    rows = np.array([299, 0, 5, 5, 4])
    np.testing.assert_array_equal(encoded.codes.take(rows), wanted_nb[rows])
    for metric in (MSE(), CosineError()):
        values_n = metric.measure(gaussian, codec.decode(wanted_nb), codec)
        assert encoded.means[metric.name] == math.fsum(values_n) / len(values_n)
    if isinstance(encoded.codes, CodeFile):
        stored = encoded.codes.codes_nb
        assert isinstance(stored, RawRows)
        path = stored.path
        del stored
        assert path.stat().st_size == wanted_nb.size
        del encoded
        gc.collect()
        assert not path.exists()
