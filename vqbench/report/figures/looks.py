"""How each variant is drawn, the same in every figure.

The hue says how many bits a number keeps, the marker how a query is compared with the codes. A hollow marker means
that a finer store rescored the result. The hues are those of Okabe and Ito (2008), safe for colour-blind readers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.artist import Artist
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vqbench.report.figures.style import GREY, TIMES, below

#: Families: how they are called, and from the lightest to the darkest shade of their members.
_FAMILIES = {
    "float": ("16 bits or more per dimension", ("#8A8A8A", "#1A1A1A")),
    "int8": ("8 bits per dimension", ("#56B4E9", "#0072B2", "#08306B")),
    "binary": ("about 1 bit per dimension", ("#F0A030", "#D55E00", "#7A2800")),
    "other": ("other codes", ("#4DBD9B", "#009E73", "#00513B")),
}
#: Similarities: marker, and how a query is compared with the codes.
_SIMILARITIES = {
    "decoded": ("o", "float query, decoded codes"),
    "raw": ("s", "cosine of the stored integers"),
    "hamming": ("^", "Hamming distance"),
    "symmetric": ("D", "both sides quantized, then decoded"),
    "asymmetric": ("P", "query transformed into the codes' space"),
    "estimate": ("v", "the code's own estimate"),
}
_LINES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))


@dataclass(frozen=True)
class Look:
    """How one variant is drawn."""

    family: str  # float, int8, binary or other
    similarity: str
    color: str  # hex
    line: str | tuple  # matplotlib's line style

    @property
    def marker(self) -> str:
        return _SIMILARITIES.get(self.similarity, ("o",))[0]

    @property
    def ink(self) -> str:
        """The colour for text: light shades darkened until they can be read on white."""
        red, green, blue = to_rgb(self.color)
        brightness = 0.299 * red + 0.587 * green + 0.114 * blue
        scale = min(1.0, 0.42 / max(brightness, 1e-9))
        return to_hex((red * scale, green * scale, blue * scale))

    @property
    def mark(self) -> dict[str, Any]:
        """Colour and marker, as matplotlib's arguments."""
        return {"color": self.color, "marker": self.marker}


def family_of(name: str, bytes_per_dimension: float, is_binary: bool) -> str:
    """Tell float, int8, binary and other apart; a 48-byte product code is not binary, so bytes come last."""
    if (is_binary or "binary" in name) and bytes_per_dimension <= 0.2:
        return "binary"
    if bytes_per_dimension >= 2 or name.startswith("float"):
        return "float"
    if "int8" in name or 0.9 <= bytes_per_dimension <= 1.2:
        return "int8"
    return "other"


def looks_of(families: Mapping[str, str], similarities: Mapping[str, str]) -> dict[str, Look]:
    """Give each variant a look: the family's hue, shaded by its place in the family."""
    looks = {}
    for family in _FAMILIES:
        members = [name for name in families if families[name] == family]
        for place, name in enumerate(members):
            shade = 0.55 if len(members) == 1 else place / (len(members) - 1)
            looks[name] = Look(family, similarities[name], _shade(family, shade), _LINES[place % len(_LINES)])
    return {name: looks[name] for name in families}


def _shade(family: str, shade: float) -> str:
    return to_hex(LinearSegmentedColormap.from_list(family, _FAMILIES[family][1])(shade))


def rescored_mark(factor: int, store: str) -> list[Artist]:
    """Return the entry of a legend for hollow markers, rescored by ``store``; none where ``factor`` is 0."""
    text = f"rescored {TIMES}{factor} ({store})"
    return [Line2D([], [], color=GREY, marker="o", mfc="white", ls=":", ms=6, label=text)] if factor else []


def legend(figure: Figure, looks: Sequence[Look], extra: Sequence[Artist] = (), lines: bool = False) -> None:
    """Explain hues and markers below the axes; only those that occur.

    Args:
        extra: More entries.
        lines: Markers are joined by lines.
    """
    handles = [
        Line2D([], [], color=_shade(family, 0.55), lw=6, solid_capstyle="butt", label=text)
        for family, (text, _) in _FAMILIES.items()
        if any(look.family == family for look in looks)
    ]
    handles += [
        Line2D([], [], color=GREY, marker=marker, ls="-" if lines else "", ms=6, label=text)
        for similarity, (marker, text) in _SIMILARITIES.items()
        if any(look.similarity == similarity for look in looks)
    ]
    below(figure, [*handles, *extra])
