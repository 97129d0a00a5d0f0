"""The visual language of all figures: colours, markers, fonts, where titles and notes stand.

Hue says how many bits a number keeps, the marker how a query meets the codes, a hollow marker that
floats had a second look. The hues are those of Okabe and Ito (2008), safe for colour-blind readers.
"""

from __future__ import annotations

import re
import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

WIDTH = 9.0  # inches; at 200 dpi twice the width of a README's column
DPI = 200
INK, GREY, FAINT = "#222222", "#5A5A5A", "#C8C8C8"
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
SMALL, TINY = 8.5, 7.5
MINUS = "\N{MINUS SIGN}"

#: Light to dark: the members of a family differ in shade.
_SHADES = {
    "float": ("#8A8A8A", "#1A1A1A"),
    "int8": ("#56B4E9", "#0072B2", "#08306B"),
    "binary": ("#F0A030", "#D55E00", "#7A2800"),
    "other": ("#4DBD9B", "#009E73", "#00513B"),
}
FAMILIES = {
    "float": "2 bytes a number or more",
    "int8": "1 byte a number",
    "binary": "about 1 bit a number",
    "other": "other codes",
}
_MARKERS = {"decoded": "o", "raw": "s", "hamming": "^", "symmetric": "D", "asymmetric": "P", "estimate": "v"}
SIMILARITIES = {
    "decoded": "float query, decoded codes",
    "raw": "cosine of the stored integers",
    "hamming": "differing bits counted",
    "symmetric": "both sides decoded",
    "asymmetric": "query transformed, in the codes' space",
    "estimate": "the code's own estimate",
}
_LINES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))


@dataclass(frozen=True)
class Look:
    """How one variant is drawn, the same in every figure."""

    family: str
    similarity: str
    color: str
    line: str | tuple

    @property
    def marker(self) -> str:
        return _MARKERS.get(self.similarity, "o")

    @property
    def ink(self) -> str:
        """The colour for text: light shades darkened until they can be read on white."""
        red, green, blue = to_rgb(self.color)
        brightness = 0.299 * red + 0.587 * green + 0.114 * blue
        scale = min(1.0, 0.42 / max(brightness, 1e-9))
        return to_hex((red * scale, green * scale, blue * scale))


def family_of(name: str, bytes_per_dimension: float, is_binary: bool) -> str:
    """float, int8, binary or other; a 48-byte product code is no binary one, so bytes come last."""
    if (is_binary or "binary" in name) and bytes_per_dimension <= 0.2:
        return "binary"
    if bytes_per_dimension >= 2 or name.startswith("float"):
        return "float"
    if "int8" in name or 0.9 <= bytes_per_dimension <= 1.2:
        return "int8"
    return "other"


def looks_of(families: Mapping[str, str], similarities: Mapping[str, str]) -> dict[str, Look]:
    """A look for each variant: the family's hue, shaded by its place in the family."""
    found = {}
    for family in FAMILIES:
        members = [name for name in families if families[name] == family]
        ramp = LinearSegmentedColormap.from_list(family, _SHADES[family])
        for at, name in enumerate(members):
            shade = 0.55 if len(members) == 1 else at / (len(members) - 1)
            found[name] = Look(family, similarities[name], to_hex(ramp(shade)), _LINES[at % len(_LINES)])
    return {name: found[name] for name in families}


@contextmanager
def drawing() -> Iterator[None]:
    """Within it, matplotlib draws in this style; afterwards its settings are as before.

    Names come from users: ``$`` is no formula. Ids in scripts that the font lacks stay text in the SVG.
    """
    settings: dict[Any, Any] = {
        **sns.axes_style("ticks"),
        **sns.plotting_context("paper"),
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 9,
        "axes.titlesize": 9.5,
        "axes.labelsize": 9,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "legend.fontsize": SMALL,
        "legend.title_fontsize": SMALL,
        "legend.frameon": False,
        "text.color": INK,
        "axes.labelcolor": INK,
        "xtick.color": GREY,
        "ytick.color": GREY,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "axes.edgecolor": GREY,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.unicode_minus": True,
        "axes.titlelocation": "left",
        "grid.color": "#E6E6E6",
        "grid.linewidth": 0.7,
        "axes.axisbelow": True,
        "text.parse_math": False,
        "svg.fonttype": "none",
        "svg.hashsalt": "vqbench",
        "figure.dpi": 100,
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="constrained_layout not applied")  # names of a hundred letters
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        warnings.filterwarnings("ignore", message="Attempting to set identical low and high")  # one point: it widens
        yield


def canvas(height: float, title: str, reading: str, about: str) -> Figure:
    """A figure whose body is ``height`` inches high, between its title and its notes.

    title: what is seen. reading: how to read it. about: what was measured, on what.
    """
    head, read, foot = _wrapped(title, 88), _wrapped(reading, 138), _wrapped(about, 156)
    top = 0.26 + 0.215 * len(head) + 0.165 * len(read)
    bottom = 0.08 + 0.15 * len(foot)
    total = height + top + bottom
    layout = ConstrainedLayoutEngine(
        rect=(0.008, bottom / total, 0.984, height / total), w_pad=0.05, h_pad=0.05, hspace=0.04, wspace=0.03
    )
    figure = Figure(figsize=(WIDTH, total), layout=layout)
    FigureCanvasAgg(figure)
    at = {"x": 0.012, "ha": "left", "va": "top"}
    figure.suptitle("\n".join(head), y=1 - 0.10 / total, fontsize=12, weight="bold", **at).set_in_layout(False)
    y = 1 - (0.16 + 0.215 * len(head)) / total
    for text, place, size in (("\n".join(read), y, 9), ("\n".join(foot), bottom / total, 8)):
        note = figure.text(at["x"], place, text, ha="left", va="top", fontsize=size, color=GREY)
        note.set_in_layout(False)
    return figure


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` letters; a number stays with its unit."""
    tied = re.sub(r"(?<=[=\d]) (?=[%B\d])|(?<=\bk) (?==)", "\N{NO-BREAK SPACE}", text)
    return textwrap.wrap(tied, width, break_on_hyphens=False)


def below(figure: Figure, handles: Sequence[Artist], columns: int = 4, title: str | None = None) -> None:
    """A legend under the axes and above the notes, for which the axes make room."""
    engine = figure.get_layout_engine()
    if not isinstance(engine, ConstrainedLayoutEngine):
        raise TypeError("the figure has been drawn already")
    left, bottom, width, height = engine.get()["rect"]
    while True:
        box = figure.legend(
            handles=list(handles),
            loc="lower left",
            bbox_to_anchor=(left, bottom),
            ncols=columns,
            title=title,
            alignment="left",
            columnspacing=1.3,
            handletextpad=0.6,
            borderaxespad=0.2,
        )
        box.set_in_layout(False)
        if columns == 1 or box.get_window_extent().x1 <= figure.bbox.x1:
            break
        box.remove()
        columns -= 1
    taken = box.get_window_extent().height / figure.bbox.height + 0.05 / figure.get_figheight()
    engine.set(rect=(left, bottom + taken, width, height - taken))


def legend(figure: Figure, looks: Sequence[Look], extra: Sequence[Artist] = (), lines: bool = False) -> None:
    """What hues and markers mean, below the axes; only those that occur."""
    handles = []
    for family, text in FAMILIES.items():
        if any(look.family == family for look in looks):
            color = to_hex(LinearSegmentedColormap.from_list("", _SHADES[family])(0.55))
            handles.append(Line2D([], [], color=color, lw=6, solid_capstyle="butt", label=text))
    for similarity, text in SIMILARITIES.items():
        if any(look.similarity == similarity for look in looks):
            handles.append(
                Line2D([], [], color=GREY, marker=_MARKERS[similarity], ls="-" if lines else "", ms=6, label=text)
            )
    below(figure, [*handles, *extra])


def grid(ax: Axes, axis: str = "y") -> None:
    """Faint lines along which values are read."""
    ax.grid(visible=True, axis=axis)  # pyright: ignore[reportArgumentType]


def number(value: float) -> str:
    """Three decimals where they say something, else two significant digits: 0.978, 5e-06, 0."""
    if value == 0:
        return "0"
    if abs(value) < 0.0095:
        return f"{value:.0e}".replace("e-0", "e-").replace("-", MINUS)
    return (f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}").replace("-", MINUS)


def share(value: float) -> str:
    """Three decimals, as the table on the screen has them."""
    return f"{value:.3f}".replace("-", MINUS)


def size(count: float) -> str:
    """Bytes as people write them: 48 B, 1,536 B."""
    return f"{count:,.0f} B" if float(count).is_integer() else f"{count:,.1f} B"


def thousands(count: float) -> str:
    """A count as an axis has room for: 10k, 1M."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:g}{unit}"
    return f"{count:g}"


def quoted(name: object) -> str:
    """An id in a sentence."""
    return f"\N{LEFT DOUBLE QUOTATION MARK}{short(str(name), 40)}\N{RIGHT DOUBLE QUOTATION MARK}"


def short(text: str, width: int) -> str:
    """Text cut to a width, with an ellipsis."""
    return text if len(text) <= width else text[: width - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
