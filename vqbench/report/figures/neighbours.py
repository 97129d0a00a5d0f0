"""The example's nearest documents, variant by variant, as a table."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vqbench.report.figures.figure_data import FIRST, Slice
from vqbench.report.figures.style import BLUE, FAINT, GREY, INK, MINUS, VERMILION, canvas, quoted, short

_LINE = 0.185  # inches a row
_SIGNS = {
    "same": ("=", GREY, "same rank"),
    "up": ("\N{BLACK UP-POINTING TRIANGLE}", BLUE, "higher by so many ranks"),
    "down": ("\N{BLACK DOWN-POINTING TRIANGLE}", "#A35C00", "lower by so many ranks"),
    "new": ("+", VERMILION, "not in the float list"),
}


def nearest(part: Slice) -> Figure | None:
    """Draw rank, id and score by variant; signs and colours tell how ranks differ from the float list."""
    lists = {name: rows.sort_values("index") for name, rows in part.sampled("nearest").items()}
    if not lists:
        return None
    base = part.baseline if part.baseline in lists else None
    ranks = {} if base is None else dict(zip(lists[base]["other"], lists[base]["index"].astype(int), strict=True))
    example = quoted(next(iter(lists.values()))["id"].iloc[0])
    depth = max(len(rows) for rows in lists.values())
    across = min(range(3, 0, -1) if len(lists) < 4 else (3, 4), key=lambda x: (math.ceil(len(lists) / x), x))
    down = math.ceil(len(lists) / across)
    figure = canvas(
        down * _LINE * (depth + 3.0),
        _title(part, lists, ranks, base, example),
        _reading(base, depth),
        part.facts(
            f"example: {example}, left out of its own list",
            "scores: each code's own, a cosine or minus the Hamming distance",
            seeds=FIRST,
        ),
    )
    axes = figure.subplots(down, across, squeeze=False)
    width = int(0.70 * 8.9 / across / 0.064)  # letters of 0.064 inches
    for ax in axes.flat:
        ax.set_axis_off()
        ax.set(xlim=(0, 1), ylim=(depth + 1.6, -0.6))
    for ax, (name, rows) in zip(axes.flat, lists.items(), strict=False):
        _block(ax, part, name, rows, {} if name == base else ranks, width)
    return figure


def _title(part: Slice, lists: dict[str, pd.DataFrame], ranks: dict, base: str | None, example: str) -> str:
    kept = {name: sum(x in ranks for x in rows["other"]) for name, rows in lists.items() if name != base}
    if base is None or not kept:
        return f"Nearest to {example}, by variant"
    worst = min(kept, key=lambda name: kept[name])
    codes = [name for name in kept if part.looks[name].family != "float"]
    best = max(codes, key=lambda name: kept[name], default=worst)
    other = "" if worst == best else f", {worst} finds {kept[worst]}"
    return f"Nearest to {example}: {best} finds {kept[best]} of float's top {len(ranks)}{other}"


def _reading(base: str | None, depth: int) -> str:
    text = f"Each list holds the {depth} nearest by one code. Equal scores are ordered by id."
    if base is None:
        return f"{text} There is no float variant to compare them with."
    signs = "; ".join(f"{sign} {meaning}" for sign, _, meaning in _SIGNS.values())
    return f"{text} Compared with {base}: {signs}."


def _block(ax: Axes, part: Slice, name: str, rows: pd.DataFrame, ranks: dict[str, int], width: int) -> None:
    look = part.looks[name]
    _put(ax, 0, 0, short(name, width + 8), fontsize=8, weight="bold", color=look.ink)
    ax.plot([0, 1], [0.55, 0.55], color=look.color, lw=0.9)
    squeezed = rows["code"].max() - rows["code"].min() < 0.002
    digits = 0 if look.similarity == "hamming" else 6 if squeezed else 4
    room = width - 4 if digits == 6 else width
    captions = (part.about.get("captions") or {}).get("rows") or {}
    for place, row in enumerate(rows.itertuples(), start=1):
        kind, sign, color = _move(place, ranks.get(str(row.other))) if ranks else ("same", "", INK)
        for x, text, ha, shade in (
            (0.06, str(place), "right", GREY),
            (
                0.075,
                short(f"{row.other} {captions.get(str(row.other), '')}".rstrip(), room),
                "left",
                color if kind == "new" else INK,
            ),
            (0.885, f"{row.code:.{digits}f}".replace("-", MINUS), "right", INK),
            (0.995, sign, "right", color),
        ):
            _put(ax, x, place + 0.15, text, ha=ha, color=shade)
    if ranks:
        kept = sum(str(x) in ranks for x in rows["other"])
        _put(ax, 0.075, len(rows) + 1.2, f"{kept} of float's top {len(ranks)}", color=GREY)
    ax.axhline(len(rows) + 0.7, color=FAINT, lw=0.6)


def _put(ax: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Text of a table; it claims no room, so that all columns stay equally wide."""
    ax.text(x, y, text, **{"va": "center", "fontsize": 7.3, **style}).set_in_layout(False)


def _move(place: int, before: int | None) -> tuple[str, str, str]:
    """What became of a document: its kind, its sign, the sign's colour."""
    if before is None or before == place:
        kind, by = "new" if before is None else "same", ""
    else:
        kind, by = "up" if before > place else "down", str(abs(before - place))
    sign, color, _ = _SIGNS[kind]
    return kind, sign + by, color
