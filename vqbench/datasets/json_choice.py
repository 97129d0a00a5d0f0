"""Which fields of JSON are read: the vectors, ids and texts of a corpus and of queries."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from vqbench.datasets.choice import VECTORS, Choice, Part, choose
from vqbench.datasets.json_fields import EACH, KEYS, Field, Survey
from vqbench.datasets.json_lists import INDEX, Order
from vqbench.datasets.readers.base import Wanted, refusal


@dataclass(frozen=True, kw_only=True)
class Side:
    """The fields of a corpus or of queries."""

    vectors: Field
    ids: Field | None = None
    texts: Field | None = None
    labels: Field | None = None
    order: Order = Order.ANSWERS  #: of the records in a list

    @classmethod
    def of(cls, survey: Survey, vectors: Field, ids: Field | None, **beside: Field | None) -> Side:
        """These fields, in the order that fits their ids."""
        order, path = Order.ANSWERS, vectors.path
        inner = max((at for at, step in enumerate(path) if step is EACH), default=-1)
        if survey.index or (ids is not None and ids.path[-1:] == (INDEX,)):
            order = Order.NONE
        elif (
            ids is not None
            and inner >= 0
            and ids.path in ((*path[:inner], KEYS), (*path[: inner + 1], *ids.path[inner + 1 :]))
        ):
            order = Order.OWN_IDS
        return cls(vectors=vectors, ids=ids, order=order, **beside)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What is read."""

    choice: Choice
    fields: Mapping[str, Field]  #: all of them, by name
    sides: Sequence[Side]  #: the corpus, and the queries, if there are any

    @classmethod
    def of(cls, path: FilePath, survey: Survey, wanted: Wanted) -> Chosen:
        """What is read of the fields that a survey saw. Raises VqbenchError as ``choose`` does."""
        fields = {one.part.name: one for one in survey.fields()}
        _check_several(path, list(fields.values()), wanted)
        choice = choose(path, [one.part for one in fields.values()], wanted, noun="field")

        def of(part: Part | None) -> Field | None:
            return None if part is None else fields[part.name]

        vectors, beside = fields[choice.vectors.name], {"texts": of(choice.texts), "labels": of(choice.labels)}
        corpus, queries = Side.of(survey, vectors, of(choice.ids), **beside), of(choice.queries)
        sides = [corpus] if queries is None else [corpus, Side.of(survey, queries, of(choice.query_ids))]
        return cls(choice=choice, fields=fields, sides=sides)

    @property
    def plan(self) -> list[Any]:
        """All that decides how documents are read."""
        plan = []
        for side in self.sides:
            plan += [None if x is None else x.path for x in (side.vectors, side.ids, side.texts, side.labels)]
            plan += [side.vectors.width, side.vectors.dtype, side.vectors.form]
        return plan


def _check_several(path: FilePath, fields: Sequence[Field], wanted: Wanted) -> None:
    """Raise VqbenchError where all that could be meant are lists of several vectors, as those of tokens."""
    several = [one for one in fields if one.several]
    if not several or wanted.key is not None or any(one.part.kind in VECTORS for one in fields):
        return
    rows, (name, file) = several[0], (path.stem, shlex.quote(str(path)))
    mean, each = (shlex.quote(str(path.with_name(f"{name}_{x}.jsonl"))) for x in ("mean", "rows"))
    top = rows.path == (EACH,)
    raise refusal(
        path,
        problem=f"several vectors for each row ({rows.part.what})",
        rule="needs one for each row",
        remedy=f"for their mean: jq -c '.[] | transpose | map(add / length)' {file} > {mean}; for a row each: "
        f"jq -c '.[][]' {file} > {each}"
        if top
        else "store one vector for each row",
    )
