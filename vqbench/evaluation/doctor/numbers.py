"""The check of what the numbers are: floats, bytes, bits, token ids."""

from __future__ import annotations

from vqbench.evaluation.doctor.base import Finding, highest, number
from vqbench.evaluation.doctor.sample import Sample


def kind(sample: Sample) -> Finding | None:
    """Say what the numbers look like, as every run does.

    Returns:
        None where nobody looked.
    """
    seen = sample.numbers
    if seen is None:
        return None
    shown = f"{seen.dtype} from {number(seen.low)} to {number(seen.high)}"
    if not seen.remarks:
        return Finding(0.0, shown, "Floats with signs: no bits, bytes or token ids, and not quantized before.")
    text = " ".join(seen.sentences)
    return Finding(float(len(seen.remarks)), shown, text, highest(remark.level for remark in seen.remarks))
