"""A matplotlib figure as SVG inside an HTML page, once for wide screens and once for phones."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vqbench.report.figures.style import GREY, drawing, grid

_SIZES = {"wide": (760, 400), "narrow": (340, 300)}  # points; a wide one would shrink to unreadable text on a phone
_TITLE = "title: "
#: What the page has no use for, what names what, and what takes room: pattern and replacement.
_CLEANED = (
    (r"(?s)^.*?<svg.*?>|</svg>|<metadata>.*?</metadata>|<style.*?</style>", ""),
    (rf'<g id="{_TITLE}([^"]*)">', r"<g><title>\1</title>"),
    (r'<g id="[^"]*">', "<g>"),
    (r' transform="rotate\(-0 [^"]*"| font-family: [^;]*;', ""),
    (r"\s*\n\s*", " "),
    (r"> <", "><"),
)


@dataclass(frozen=True)
class KeyEntry:
    """A line of a chart's key."""

    name: str
    facts: str
    number: str = ""  # as in the chart
    color: str = ""  # of its line in the chart


@dataclass(frozen=True)
class Chart:
    """A picture in two widths, and its key."""

    pictures: Markup
    key: Sequence[KeyEntry]


def embedded(draw: Callable[[Axes], None], ident: str, title: str, key: Sequence[KeyEntry], description: str) -> Chart:
    """Draw a chart in both widths.

    Args:
        draw: Draws into empty axes, whose limits must hold all that it draws.
        ident: Begins the ids of the SVG's elements, unique in the page.
        title: The chart's name, for those who do not see it.
        description: What it shows, for those who do not see it.
    """
    pictures = Markup("")
    for kind, (width, height) in _SIZES.items():
        with drawing(font=10.5):
            figure = Figure(figsize=(width / 72, height / 72), dpi=72, layout="constrained")
            ax = figure.subplots()
            draw(ax)
            ax.xaxis.label.set_color(GREY)
            grid(ax)
            for artist in figure.findobj():
                artist.set_clip_on(False)
            file = io.StringIO()
            figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
        pictures += Markup(
            '<svg role="img" aria-labelledby="{0}-t {0}-d" viewBox="0 0 {1} {2}" class="{3}">'
            '<title id="{0}-t">{4}</title><desc id="{0}-d">{5}</desc>{6}</svg>'
        ).format(f"{ident}-{kind}", width, height, kind, title, description, _inner(file.getvalue(), f"{ident}-{kind}"))
    return Chart(pictures, key)


def titled(text: str) -> str:
    """Return the ``gid`` of an artist that shows ``text`` when the mouse rests on it."""
    return _TITLE + text


def _inner(svg: str, ident: str) -> Markup:
    """What stands inside matplotlib's ``<svg>``; it has escaped all texts."""
    for pattern, replacement in _CLEANED:
        svg = re.sub(pattern, replacement, svg)
    svg = re.sub(r' [dxy]="[^"]*"', lambda found: re.sub(r"(\.\d\d)\d+", r"\1", found[0]), svg)  # texts stay whole
    return Markup(re.sub(r'( id="|href="#)', rf"\g<1>{ident}-", svg))
