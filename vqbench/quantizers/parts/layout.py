"""How a code is laid out, and what follows from it: how it is packed, read back and counted."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vqbench.numerics.arrays import Bools, Codes, Floats, Ints, blocks
from vqbench.numerics.packing import pack_levels, packed_bytes, unpack_levels
from vqbench.quantizers.base import Codec
from vqbench.quantizers.parts.ledger import Item, Ledger
from vqbench.quantizers.parts.rounding import LARGEST, to_float32
from vqbench.quantizers.parts.stored import stored_arrays, stored_items


@dataclass(frozen=True)
class Layout:
    """One code: ``count`` numbers of ``bits`` bits as one stream, zeros up to a whole word, then the side values.

    >>> layout = Layout(count=3, bits=4, side=(("norm", "<f4"),))
    >>> codes_nb = layout.pack(np.uint8([[1, 2, 15]]), np.array([0.5]))
    >>> codes_nb
    array([[ 18, 240,   0,   0,   0,  63]], dtype=uint8)
    >>> layout.numbers(codes_nb), layout.side_values(codes_nb)
    (array([[ 1,  2, 15]], dtype=uint8), {'norm': array([0.5])})
    """

    count: int  # numbers in a code: most often one for each dimension
    bits: int  # bits of a number
    word: int = 8  # the stream is filled up to a multiple of so many bits
    side: tuple[tuple[Any, ...], ...] = ()  # values behind the stream: name, NumPy dtype and, where it has one, shape

    @property
    def dtype(self) -> np.dtype:
        """The code as a NumPy record."""
        stream = -(-self.count * self.bits // self.word) * self.word // 8
        return np.dtype([("numbers", np.uint8, (stream,)), *self.side])

    def pack(self, numbers_nc: Ints | Bools, *side: Floats) -> Codes:
        """Codes ``(n, bytes)`` of numbers ``(n, count)`` below ``2**bits`` and the side values, in order.

        A side value beyond the range of float32 becomes its largest number.
        """
        dtype = self.dtype
        rows_n, stream_nb = np.zeros(len(numbers_nc), dtype), pack_levels(np.asarray(numbers_nc, np.uint8), self.bits)
        rows_n["numbers"][:, : stream_nb.shape[1]] = stream_nb
        for (name, *_), values in zip(self.side, side, strict=True):
            rows_n[name] = np.clip(values, -LARGEST, LARGEST)
        return rows_n.view(np.uint8).reshape(len(rows_n), dtype.itemsize)

    def numbers(self, codes_nb: Codes) -> Codes:
        """The numbers of codes, ``(n, count)`` uint8."""
        return unpack_levels(codes_nb[:, : packed_bytes(self.count, self.bits)], self.count, self.bits)

    def side_values(self, codes_nb: Codes) -> dict[str, Floats]:
        """The side values by name, float64: ``(n,)``, or ``(n, ...)`` where a value has a shape."""
        rows_n = np.ascontiguousarray(codes_nb).view(self.dtype)[:, 0]
        return {name: rows_n[name].astype(np.float64) for name, *_ in self.side}

    def ledger(self, stored: Mapping[str, NDArray[Any]]) -> Ledger:
        """The bytes of a code item by item, then those of the arrays that are ``stored`` once."""
        side = [Item(name, "vector", self.dtype[name].itemsize) for name, *_ in self.side]
        return Ledger.of_bits(bits=self.count * self.bits, word=self.word, once=[*side, *stored_items(stored)])


@dataclass(frozen=True, kw_only=True)
class BlockCodec(Codec):
    """A codec that says how a code is laid out and encodes one block of rows. Its ledger follows from its fields."""

    #: Numbers that are encoded at a time: what that takes stays in the processor's cache.
    numbers_at_once: ClassVar[int] = 2**17

    @property
    def layout(self) -> Layout:
        """The parts of a code. By default a bit for each that is compared, or a byte for each dimension."""
        return Layout(count=self.code_bits, bits=1) if self.is_binary else Layout(count=self.d, bits=8)

    @abstractmethod
    def encode_block(self, x_nd: Floats) -> Codes:
        """``encode`` for a block of rows."""

    def encode(self, x_nd: Floats) -> Codes:
        codes_nb = np.empty((len(x_nd), self.layout.dtype.itemsize), np.uint8)
        for start, stop in blocks(len(x_nd), max(1, self.numbers_at_once // self.d)):
            codes_nb[start:stop] = self.encode_block(x_nd[start:stop])
        return codes_nb

    def learned(self) -> Mapping[str, NDArray[Any]]:
        """What is stored once, by name. By default every array among the fields."""
        return stored_arrays(self)

    def ledger(self) -> Ledger:
        return self.layout.ledger(self.learned())


@dataclass(frozen=True, kw_only=True)
class SymmetricCodec(BlockCodec):
    """Numbers that products compare as they are: a query is coded too, and both sides stand for ``values``.

    Its estimate is the inner product of both sides' values, which are float64, before they are rounded for ``decode``.
    """

    @abstractmethod
    def values(self, codes_nb: Codes) -> Floats:
        """What codes stand for, ``(n, d)`` float64."""

    def decode(self, codes_nb: Codes) -> Floats:
        return to_float32(self.values(codes_nb))

    def integers(self, codes_nb: Codes) -> Ints:
        return self.layout.numbers(codes_nb)

    def estimate_queries(self, queries_qd: Floats) -> Floats:
        return self.values(self.encode(queries_qd))

    def estimate_rows(self, codes_nb: Codes) -> Floats:
        return self.values(codes_nb)
