"""JSON: one object of id to list of numbers, read whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from vqbench.datasets.readers.base import Content, Wanted, check_whole, refusal

ENDINGS = (".json",)
NEEDS = ("needs one object of id to list of numbers, in UTF-8", "write it again")
USES = ()
_RULE = "needs an object of id to list of numbers"


def read(path: Path, wanted: Wanted) -> Content:
    """``{id: [numbers]}``, all lists of one length, all numbers finite."""
    check_whole(path)
    content = _parsed(path)
    if not isinstance(content, dict) or not content:
        raise refusal(
            path,
            problem="an empty object" if content == {} else f"{type(content).__name__} at the top",
            rule=_RULE,
            remedy="write {id: [numbers], ...}",
        )
    width = None
    for name, row in content.items():
        _check_id(path, name)
        wrong = [value for value in row if type(value) not in (int, float)] if isinstance(row, list) else [row]
        if wrong:
            raise refusal(
                path,
                place=f"id {name[:80]!r}",
                problem=json.dumps(wrong[0])[:40],
                rule="the value must be a list of numbers",
                remedy="correct or remove that id",
            )
        width = len(row) if width is None else width
        if len(row) != width or not width:
            raise refusal(
                path,
                place=f"id {name[:80]!r}",
                problem=f"{len(row)} numbers, the first id has {width}",
                rule="all must have the same number, at least one",
                remedy="correct or remove that id",
            )
    return Content(rows_nd=_numbers(path, content), ids=list(content))


def _parsed(path: Path) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            seen = set[str]()
            twice = next(name for name, _ in pairs if name in seen or seen.add(name))
            raise refusal(
                path,
                problem=f"id {twice[:80]!r} occurs twice",
                rule="ids must be unique",
                remedy="remove or rename one",
            )
        return content

    def no_constant(literal: str) -> float:
        raise refusal(
            path,
            problem=f"the literal {literal}",
            rule="every component must be a finite number",
            remedy="remove those rows: JSON has no such number",
        )

    try:
        return json.loads(path.read_text("utf-8"), object_pairs_hook=unique, parse_constant=no_constant)
    except RecursionError:
        raise ValueError("lists or objects nested hundreds deep") from None


def _check_id(path: Path, name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise refusal(
            path,
            place=f"id {name[:80]!r}",
            problem="half of a surrogate pair",
            rule="ids must be text that UTF-8 can hold",
            remedy="correct that id",
        ) from None


def _numbers(path: Path, content: dict[str, list[float]]) -> np.ndarray:
    """The lists as rows; JSON writes numbers of any size, of which float64 holds those up to 1.8e308."""
    try:
        rows_nd = np.array(list(content.values()), dtype=np.float64)
        finite_n = np.isfinite(rows_nd).all(axis=1)
        if finite_n.all():
            return rows_nd
        name = list(content)[int(np.flatnonzero(~finite_n)[0])]
    except OverflowError:
        name = next(name for name, row in content.items() if max(map(abs, row)) > 1.7e308)
    raise refusal(
        path,
        place=f"id {name[:80]!r}",
        problem="a number that no float can represent",
        rule="every component must be a finite number",
        remedy="correct or remove that id",
    )
