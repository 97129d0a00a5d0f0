"""Numbers of 1 to 8 bits in bytes, as they would be stored: most significant bit first, zero padding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vqbench.numerics.arrays import Bools, Codes, Floats, Ints

Words = NDArray[np.uint64]


def pack_bits(bits_nd: Bools) -> Codes:
    """Pack bits to bytes ``(n, ceil(d / 8))``: the first dimension is the highest bit, zero padding."""
    return np.packbits(bits_nd, axis=-1)


def unpack_bits(codes_nb: Codes, d: int) -> Codes:
    """Return the first ``d`` bits of each row as zeros and ones ``(n, d)`` uint8; padding is dropped."""
    return np.unpackbits(codes_nb, axis=-1, count=d)


def expand_bits(codes_nb: Codes, d: int, low: float, high: float) -> Floats:
    """Return ``low`` and ``high`` in the place of zeros and ones: ``(n, d)`` float32, eight at a time from a table."""
    bits_8 = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    table_8 = np.where(bits_8, np.float32(high), np.float32(low))
    wide_nd = np.take(table_8, codes_nb[:, : -(-d // 8)], axis=0).reshape(len(codes_nb), -1)
    return wide_nd if wide_nd.shape[1] == d else np.ascontiguousarray(wide_nd[:, :d])


def plus_minus(codes_nb: Codes, size_n: Floats, out_nd: Floats) -> None:
    """Fill ``out_nd``: for each bit of row i ``size_n[i]`` where it is set, else the negative of that."""
    out_nd[:] = expand_bits(codes_nb, out_nd.shape[1], -1.0, 1.0)
    out_nd *= size_n[:, None]


def only_bits(codes_nb: Codes, bits: int) -> Codes:
    """Return the bytes that hold the first ``bits`` bits, what pads the last of them set to zero."""
    used_nb = np.ascontiguousarray(codes_nb[:, : packed_bytes(bits, 1)])
    if bits % 8:
        used_nb = used_nb.copy()
        used_nb[:, -1] &= np.uint8(256 - 2 ** (8 - bits % 8))
    return used_nb


def as_words(codes_nb: Codes) -> Words:
    """Return bytes as 64-bit words ``(n, w)`` with zeros after them; w is even, as kernels take two words at a time."""
    words_nb = np.zeros((len(codes_nb), -(-codes_nb.shape[1] // 16) * 16), np.uint8)
    words_nb[:, : codes_nb.shape[1]] = codes_nb
    return words_nb.view(np.uint64)


def packed_bytes(d: int, bits: int) -> int:
    """Return how many bytes ``d`` numbers of ``bits`` bits fill."""
    return -(-d * bits // 8)


def pack_levels(levels_nd: Ints, bits: int) -> Codes:
    """Pack whole numbers below ``2 ** bits``, ``(n, d)``, as one stream of bits a row: ``(n, ceil(d * bits / 8))``.

    >>> pack_levels(np.array([[1, 2, 3]]), bits=4).tolist()
    [[18, 48]]
    """
    levels_nd = np.asarray(levels_nd).astype(np.uint8)
    if bits == 1:
        return pack_bits(levels_nd.astype(bool))
    n, d = levels_nd.shape
    if 8 % bits:  # a number lies in two bytes; every eighth begins at the same bit, ``bits`` bytes on
        wide_nb = np.zeros((n, packed_bytes(d, bits) + 1), np.uint8)
        for i in range(min(8, d)):
            first, skipped = divmod(i * bits, 8)
            pair_nm = levels_nd[:, i::8].astype(np.uint16) << np.uint16(16 - bits - skipped)
            wide_nb[:, first::bits][:, : pair_nm.shape[1]] |= (pair_nm >> 8).astype(np.uint8)
            wide_nb[:, first + 1 :: bits][:, : pair_nm.shape[1]] |= pair_nm.astype(np.uint8)
        return np.ascontiguousarray(wide_nb[:, :-1])
    each = 8 // bits
    padded_nd = np.pad(levels_nd, ((0, 0), (0, -d % each)))
    codes_nb = np.zeros((n, packed_bytes(d, bits)), np.uint8)
    for i in range(each):
        codes_nb |= padded_nd[:, i::each] << np.uint8(8 - bits * (i + 1))
    return codes_nb


def unpack_levels(codes_nb: Codes, d: int, bits: int) -> Codes:
    """Undo ``pack_levels``: ``(n, d)`` uint8."""
    if bits == 1:
        return unpack_bits(codes_nb, d)
    mask = np.uint8(2**bits - 1)
    if 8 % bits:  # a number lies in two bytes
        first_d, skipped_d = np.divmod(np.arange(d) * bits, 8)
        wide_nb = np.pad(codes_nb, ((0, 0), (0, 1))).astype(np.uint16)
        pair_nd = wide_nb[:, first_d] << 8 | wide_nb[:, first_d + 1]
        return (pair_nd >> (16 - bits - skipped_d).astype(np.uint16)).astype(np.uint8) & mask
    each = 8 // bits
    levels_nd = np.empty((len(codes_nb), codes_nb.shape[1] * each), np.uint8)
    for i in range(each):
        levels_nd[:, i::each] = (codes_nb >> (8 - bits * (i + 1))) & mask
    return levels_nd[:, :d]


def append_floats(codes_nb: Codes, floats_nf: Floats) -> Codes:
    """Append to each code its own side values ``(n, f)``, as little-endian float32."""
    stored_nf = np.ascontiguousarray(floats_nf, dtype="<f4").reshape(len(codes_nb), -1)
    return np.concatenate([codes_nb, stored_nf.view(np.uint8)], axis=1)


def split_floats(codes_nb: Codes, count: int) -> tuple[Codes, Floats]:
    """Undo ``append_floats``: return the codes, and ``(n, count)`` float32."""
    width = codes_nb.shape[1] - 4 * count
    stored_nb = np.ascontiguousarray(codes_nb[:, width:])
    return codes_nb[:, :width], stored_nb.view("<f4").astype(np.float32, copy=False).reshape(len(codes_nb), count)
