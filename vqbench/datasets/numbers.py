"""What the numbers of a corpus are: floats, bytes, bits, token ids. Looked at, so that none is taken for another.

Facts about all rows come from the one pass that checks them; what needs values side by side is looked at in a sample
drawn by key. No order of rows changes either.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from vqbench.numerics.arrays import Floats, row_norms

#: Rows of the sample.
SAMPLED = 4096
_SPREAD = 1.05  # longest row to shortest: from there on dot product and cosine differ noticeably
_FEW = 256  # different values: as many as a byte can hold
_ROWS_OF_FEW = 4 * _FEW  # with fewer rows a column of floats may hold few values by chance
_LARGE = 255  # whole numbers beyond that are no bytes
_EXACT = 2.0**24  # from there on every float32 is whole
# Sign bits of 12 sets of embeddings, packed (also around the medians): the least frequent of the 8 places of a byte
# has .69 to 1.00 of the ones of the most frequent, and the mean correlation of two places is at most .07. Bytes that
# hold numbers: int8 and uint8 codes of the same embeddings correlate by .37 and more, SIFT has at most .39 of the ones.
_ALIKE = 0.5
_CORRELATED = 0.2
_ENOUGH, _MOST = 512, 1 << 18  # bytes: of fewer the correlation may be chance; more take memory and tell no more

#: Codes of a provider: bits packed into bytes, or whole numbers of a byte each.
CodesKind = Literal["packed", "int8", "uint8"]


@dataclass(frozen=True)
class Stored:
    """What one vector takes as it is stored today: the base line of ratios and advice.

    >>> Stored.of(np.dtype("u1"), 32).plain()
    {'as': 'uint8', 'bytes_per_vector': 32}
    """

    #: Names it in sentences: float32, uint8, int8, bits, packed bits.
    kind: str
    bytes_per_vector: float

    @classmethod
    def of(cls, dtype: np.dtype[Any], d: int, codes: CodesKind | None = None) -> Stored:
        """What rows of a dtype are. codes: what they were declared to be; ``d`` then counts the unpacked bits."""
        if codes == "packed" or dtype.kind == "b":
            return cls("packed bits" if codes == "packed" else "bits", -(-d // 8))
        if dtype.kind in "iu" and dtype.itemsize == 1:
            return cls(dtype.name, d)
        return cls("float32", 4 * d)

    @property
    def floats(self) -> bool:
        """Whether float32 is the base line, as of every float and every wider whole number."""
        return self.kind == "float32"

    def plain(self) -> dict[str, Any]:
        """As it stands in meta.json."""
        return {"as": self.kind, "bytes_per_vector": self.bytes_per_vector}


@dataclass(frozen=True)
class Remark:
    """One thing worth saying of the numbers."""

    sentence: str
    level: Literal["note", "warning"] = "note"
    #: Whether nothing can be recommended for such numbers: they are hardly the vectors that are meant.
    doubt: bool = False


@dataclass(frozen=True)
class Numbers:
    """What was seen, and what is worth saying."""

    dtype: str
    low: float
    high: float
    stored: Stored
    remarks: tuple[Remark, ...] = ()

    @property
    def sentences(self) -> list[str]:
        """What is worth saying, for people."""
        return [remark.sentence for remark in self.remarks]

    @property
    def doubt(self) -> str:
        """Why nothing can be recommended for these numbers; empty where something can."""
        return next((remark.sentence for remark in self.remarks if remark.doubt), "")


@dataclass
class Facts:
    """Facts about all rows, gathered block by block."""

    low: float = np.inf
    high: float = -np.inf
    #: Norms of the shortest and the longest row.
    shortest: float = np.inf
    longest: float = -np.inf
    #: Whether every number is whole. The next two are known only then.
    whole: bool = True
    zeros: int = 0
    #: Whether zeros stand at the same end of every row that has any, as padding does.
    padded: dict[str, bool] = field(default_factory=lambda: {"end": True, "start": True})

    def add(self, x_nd: Floats) -> None:
        """Take in some rows ``(m, d)`` float32."""
        if not len(x_nd):
            return
        self.low, self.high = min(self.low, float(x_nd.min())), max(self.high, float(x_nd.max()))
        norms_n = row_norms(x_nd)
        self.shortest = min(self.shortest, float(norms_n.min()))
        self.longest = max(self.longest, float(norms_n.max()))
        self.whole = self.whole and max(-self.low, self.high) < _EXACT and bool((x_nd == np.rint(x_nd)).all())
        if self.whole:
            some_nd = x_nd != 0
            self.zeros += some_nd.size - int(np.count_nonzero(some_nd))
            self.padded["end"] &= bool((some_nd[:, :-1] >= some_nd[:, 1:]).all())
            self.padded["start"] &= bool((some_nd[:, :-1] <= some_nd[:, 1:]).all())


def look(facts: Facts, sample_md: Floats, dtype: np.dtype[Any], codes: CodesKind | None = None) -> Numbers:
    """Say what the numbers are, as far as it is worth saying.

    Args:
        facts: of all rows.
        sample_md: some of them, float32, as they came.
        dtype: as they are stored.
        codes: what they were declared to be.
    """
    d, stored = sample_md.shape[1], Stored.of(dtype, sample_md.shape[1], codes)
    remarks = _bits(facts, d, stored)
    if not remarks and not stored.floats:
        remarks = _bytes(facts, sample_md, stored, declared=codes is not None)
    if not remarks:
        remarks = _floats(facts, sample_md, dtype)
    return Numbers(dtype.name, facts.low, facts.high, stored, tuple(remarks))


def _bits(facts: Facts, d: int, stored: Stored) -> list[Remark]:
    """Two values only: one bit a number."""
    packed = f"{-(-d // 8):,} bytes/vector"
    if stored.kind == "packed bits":
        text = f"Packed bits, as declared: ratios and advice count from the {packed} that are stored today."
        return [Remark(text)]
    if not facts.whole or max(-facts.low, facts.high) > 1:
        return []
    if facts.low == -1 and facts.high == 1 and not facts.zeros:
        text = "Every number is -1 or 1: these are bits, and cosine orders rows as Hamming distance does."
        return [Remark(f"{text} Packed they take {packed}.")]
    if facts.low < 0:
        return []
    if facts.shortest == facts.longest == 1:
        text = "Every row holds a single 1 (one-hot): two rows are equal or have cosine 0, so there is nothing to rank."
        return [Remark(text, "warning", doubt=True)]
    today = f"the {packed} of packed bits count as stored today" if stored.kind == "bits" else f"packed: {packed}"
    text = (
        f"Every number is 0 or 1: these are bits ({today}), and cosine of 0 and 1 is not Hamming order. For that "
        "save numpy.packbits(x > 0, axis=1) and set dataset.codes=packed."
    )
    return [Remark(text, "warning")]


def _bytes(facts: Facts, sample_md: Floats, stored: Stored, *, declared: bool) -> list[Remark]:
    """Bytes: packed bits by their statistics, or numbers as they are stored."""
    remarks = []
    if not declared and looks_packed(sample_md.astype(np.int16).astype(np.uint8)):
        text = (
            "These bytes look like packed bits: each of their 8 bits is 1 about as often and independent of the "
            "others, and cosine of such bytes means nothing. If they are bits, set dataset.codes=packed."
        )
        remarks.append(Remark(text, "warning", doubt=True))
    text = (
        f"Vectors arrive as {stored.kind}: ratios and advice count from the {stored.bytes_per_vector:,.0f} "
        "bytes/vector that are stored today."
    )
    return [*remarks, Remark(text), *([] if remarks else _lengths(facts))]


def looks_packed(bytes_mb: np.ndarray) -> bool:
    """Whether bytes ``(m, b)`` uint8 have the statistics of packed bits.

    Each of the 8 places of a byte is then one dimension among many: none is 1 far more often than another, and on
    average over the bytes no two go together. Of numbers the higher bits are rarer, or follow one another.

    >>> rng = np.random.default_rng(0)
    >>> looks_packed(np.packbits(rng.normal(size=(300, 64)) > 0, axis=1))
    True
    >>> looks_packed(np.clip(rng.normal(128, 30, size=(300, 64)), 0, 255).astype(np.uint8))
    False
    """
    bytes_mb = bytes_mb[: max(1, _MOST // bytes_mb.shape[1])]
    m, b = bytes_mb.shape
    if m * b < _ENOUGH:
        return False
    bits_mb8 = np.unpackbits(bytes_mb[:, :, None], axis=2).astype(np.float32)
    ones_b8 = bits_mb8.mean(axis=0, dtype=np.float64)
    ones_8 = ones_b8.mean(axis=0)
    if min(ones_8.min() / max(ones_8.max(), 1e-9), (1 - ones_8).min() / max((1 - ones_8).max(), 1e-9)) < _ALIKE:
        return False
    spread_b8 = np.sqrt(ones_b8 * (1 - ones_b8))
    bits_mb8 -= ones_b8
    bits_mb8 /= np.where(spread_b8 == 0, np.inf, spread_b8)
    flat_8f = bits_mb8.reshape(m * b, 8).T.astype(np.float64)
    correlation_88 = flat_8f @ flat_8f.T / (m * b)
    np.fill_diagonal(correlation_88, 0)
    return float(np.abs(correlation_88).max()) < _CORRELATED


def _floats(facts: Facts, sample_md: Floats, dtype: np.dtype[Any]) -> list[Remark]:
    """Whole numbers that are no bits, floats that were quantized before, numbers without a sign, rows of any length."""
    low, high = facts.low, facts.high
    if facts.whole and low >= 0 and high > _LARGE and any(facts.padded.values()):
        end = "end" if facts.padded["end"] else "start"
        zeros = f", zeros only at the {end} of rows" if facts.zeros else ""
        text = (
            f"Whole numbers from {low:,.0f} to {high:,.0f}{zeros}: this is what token ids look like, not vectors. "
            "Check which file, column or array holds the vectors (dataset.path, dataset.key)."
        )
        return [Remark(text, "warning", doubt=True)]
    remarks = []
    if facts.whole and low < high and (low >= 0 or high - low <= _LARGE):
        remarks.append(Remark(_whole(low, high, sample_md.shape[1], dtype.name)))
    elif (few := _few_values(sample_md)) and dtype.itemsize >= 4:
        text = f"{few}: they were quantized or rounded before, and what is measured here is lost on top of that."
        remarks.append(Remark(text))
    if low >= 0 and not facts.whole:
        text = "No number is negative, so a threshold of 0 (binary_zero) tells little. Use one at the mean or median."
        remarks.append(Remark(text))
    return [*remarks, *_lengths(facts)]


def _whole(low: float, high: float, d: int, dtype: str) -> str:
    """Whole numbers: bytes, if they fit."""
    text = f"Whole numbers from {low:,.0f} to {high:,.0f}{', none negative' if low >= 0 else ''}"
    byte = "uint8" if low >= 0 and high <= _LARGE else "int8" if low >= -128 and high <= 127 else ""
    if not byte:
        return f"{text}: counts, or vectors that were quantized before."
    return f"{text}: bytes stored as {dtype}. {byte} would hold them exactly in {d:,} bytes/vector."


def _few_values(sample_md: Floats) -> str:
    """How few different values there are, in words; nothing where there are many.

    Rounding to float16 leaves thousands.
    """
    few = np.unique(sample_md[:64])
    if len(few) <= _FEW and len(few := np.unique(sample_md)) <= _FEW and 4 * len(few) <= sample_md.size:
        return f"All numbers take only {len(few)} values"
    if len(sample_md) < _ROWS_OF_FEW:
        return ""
    for rows in (_ROWS_OF_FEW, len(sample_md)):  # most often the first rows say no
        sorted_md = np.sort(sample_md[:rows], axis=0)
        most = 1 + int((sorted_md[1:] != sorted_md[:-1]).sum(axis=0).max())
        if most > _FEW:
            return ""
    return f"In no dimension {len(sample_md):,} rows take more than {most} values"


def _lengths(facts: Facts) -> list[Remark]:
    """Rows of different lengths."""
    if facts.longest <= _SPREAD * facts.shortest:
        return []
    ends = " to ".join(f"{x:,.0f}" if x >= 1000 else f"{x:.3g}" for x in (facts.shortest, facts.longest))
    text = f"Rows have lengths from {ends}. Cosine ignores them; dot product would rank differently."
    return [Remark(text)]
