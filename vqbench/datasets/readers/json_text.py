"""JSON and lines of JSON, as APIs, databases and notebooks write them.

A field of vectors is a list of numbers (or base64 of float32, or a list in a text) that stands at one place of each
record: element of a list, line of a file, member of an object ``{id: vector}``. No vendor is known by name.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from vqbench.datasets.choice import Choice
from vqbench.datasets.json_choice import Chosen
from vqbench.datasets.json_fields import Survey
from vqbench.datasets.json_rows import Taker, values_of
from vqbench.datasets.readers.base import Content, Wanted, check_whole, refusal
from vqbench.datasets.unpacking import check_unique
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Table
from vqbench.text import python_command

ENDINGS = (".json", ".jsonl", ".ndjson")
NEEDS = ("needs JSON in UTF-8: one value, or one on each line", "write it again")
USES = ("key", "queries_key", "id_column", "query_id_column", "texts", "labels")
_FIRST = 1000  # lines from which the fields are chosen, until all were seen
_DEEP = "lists or objects nested hundreds deep"
_LINE = 1 << 28  # bytes of a line at most

#: Documents with their places, from the beginning.
Documents = Callable[[], Iterator[tuple[str, Any]]]


def read(path: Path, wanted: Wanted) -> Content:
    """Read the vectors of one field, or of ``key``, with ids from a field that is called like one."""
    documents, about = _lines(path), dict[str, Any](lone=False)
    if path.suffix.lower() == ".json":
        check_whole(path)
        documents, about = _whole(path, documents)
    try:
        return _File(path, wanted, documents, about).content()
    except RecursionError:
        raise ValueError(_DEEP) from None


def _whole(path: Path, lines: Documents) -> tuple[Documents, dict[str, Any]]:
    """The elements of a list at the top, or an object as the only document; or lines of JSON, called ``.json``.

    With what ``Survey`` has to know of them.
    """
    try:
        content = _parsed(_decoder(path), path.read_text("utf-8-sig"))
    except json.JSONDecodeError as error:
        if not error.msg.startswith("Extra data"):
            raise
        return lines, {"lone": False}
    if isinstance(content, list) and not _is_vector(content):
        return lambda: ((f"row {row}", each) for row, each in enumerate(content)), {"lone": False, "listed": True}
    if isinstance(content, dict):
        _check_split(path, content)
    about = {"lone": True, "index": _table_index(content)}
    return lambda: iter([("the object at the top", content)]), about


def _check_split(path: Path, content: dict[str, Any]) -> None:
    """Raise VqbenchError for a frame whose rows are lists without names."""
    if {"columns", "index", "data"} <= set(content) and all(isinstance(content[x], list) for x in ("columns", "data")):
        target = path.with_suffix(".parquet")
        orient = "tight" if "index_names" in content else "split"
        load = {
            "split": f"pandas.read_json({str(path)!r}, orient='split')",
            "tight": f"pandas.DataFrame.from_dict(json.load(open({str(path)!r})), orient='tight')",
        }[orient]
        code = f"import json, pandas; {load}.to_parquet({str(target)!r})"
        raise refusal(
            path,
            problem=f"a frame of pandas in orient={orient!r}",
            rule="needs records with named fields",
            remedy=f"convert it: {python_command(code)}",
        )


def _table_index(content: Any) -> str:
    """The field with the index of a frame in ``orient="table"``; none where it has no name and counts the rows."""
    schema = content.get("schema") if type(content) is dict else None
    names, records = (
        (schema.get("primaryKey") if type(schema) is dict else None),
        content.get("data") if schema else None,
    )
    if type(names) is not list or len(names) != 1 or type(names[0]) is not str or type(records) is not list:
        return ""
    values = [x.get(names[0]) if type(x) is dict else None for x in records]
    return "" if names == ["index"] and values == list(range(len(values))) else f"data.{names[0]}"


def _is_vector(content: list[Any]) -> bool:
    return bool(content) and all(type(x) in (int, float) for x in content)


def _lines(path: Path) -> Documents:
    def documents() -> Iterator[tuple[str, Any]]:
        decoder = _decoder(path)
        with open(path, "rb") as file:
            number = 0
            while line := file.readline(_LINE):
                number += 1
                place = f"line {number}"
                if len(line) == _LINE:
                    raise refusal(
                        path, place=place, problem=f"more than {_LINE >> 20} MiB", rule="lines are read whole"
                    )
                if text := line.decode("utf-8-sig" if number == 1 else "utf-8").strip():
                    try:
                        yield place, _parsed(decoder, text)
                    except ValueError as error:
                        raise refusal(
                            path,
                            place=place,
                            problem=f"cannot be read as JSON ({error})",
                            rule="each line must be one value",
                            remedy="if the file is one value over several lines, name it .json; else correct that line",
                        ) from None

    return documents


def _decoder(path: Path) -> json.JSONDecoder:
    """What refuses names that occur twice in an object, and numbers that JSON does not have."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            seen = set[str]()
            twice = next(name for name, _ in pairs if name in seen or seen.add(name))
            raise refusal(
                path,
                problem=f"{twice[:80]!r} occurs twice in an object",
                rule="ids and names of fields must be unique",
                remedy="remove or rename one",
            )
        return content

    def no_constant(literal: str) -> float:
        raise refusal(
            path,
            problem=f"the literal {literal}",
            rule="every component must be a finite number",
            remedy="write null instead: JSON has no such number",
        )

    return json.JSONDecoder(object_pairs_hook=unique, parse_constant=no_constant)


def _parsed(decoder: json.JSONDecoder, text: str) -> Any:
    try:
        return decoder.decode(text)
    except RecursionError:
        raise ValueError(_DEEP) from None


class _File:
    """A file, and what is wanted of it. about: what ``Survey`` has to know of its documents."""

    def __init__(self, path: Path, wanted: Wanted, documents: Documents, about: dict[str, Any]):
        self._path, self._wanted, self._documents, self._about = path, wanted, documents, about

    def content(self) -> Content:
        """What the file holds. The first lines say how it is read; it is read again where later ones say otherwise."""
        chosen = None
        first = self._survey(islice(self._documents(), _FIRST))
        with contextlib.suppress(VqbenchError):  # the vectors may come later
            chosen = Chosen.of(self._path, first, self._wanted)
        if chosen is not None:
            survey, takers = self._taken(chosen)
            final = Chosen.of(self._path, survey, self._wanted)
            if final.plan == chosen.plan:
                return self._content(final, takers)
        else:
            final = Chosen.of(self._path, self._survey(self._documents()), self._wanted)
        return self._content(final, self._taken(final)[1])

    def _survey(self, documents: Iterator[tuple[str, Any]]) -> Survey:
        survey = Survey(**self._about)
        for _, document in documents:
            survey.look(document)
        return survey

    def _taken(self, chosen: Chosen) -> tuple[Survey, list[Taker]]:
        """All documents, looked at, and what they hold of the chosen fields, in one pass."""
        survey, takers = Survey(**self._about), [Taker(self._path, side) for side in chosen.sides]
        for place, document in self._documents():
            survey.look(document)
            for taker in takers:
                taker.take(document, place)
        return survey, takers

    def _content(self, chosen: Chosen, takers: list[Taker]) -> Content:
        rows_nd, texts = takers[0].finish()
        self._check_ids(chosen, 0, texts)
        queries_qd, of_queries = None, {}
        if len(takers) > 1:
            queries_qd, of_queries = takers[1].finish()
            self._check_ids(chosen, 1, of_queries)
        return Content(
            rows_nd=rows_nd,
            ids=texts.get("ids"),
            texts=texts.get("texts"),
            labels=texts.get("labels"),
            gaps=takers[0].gaps,
            queries_qd=queries_qd,
            query_ids=of_queries.get("ids"),
            query_gaps=takers[-1].gaps if len(takers) > 1 else {},
            taken=self._choice_of(chosen, rows_nd).sentence(self._path, "field"),
        )

    def _choice_of(self, chosen: Chosen, rows_nd: Table) -> Choice:
        """The choice, with all rows: those that are missing by the ``index`` of the others, too."""
        vectors, (n, d) = chosen.choice.vectors, rows_nd.shape
        if vectors.n == n:
            return chosen.choice
        what = f"{vectors.what.rpartition(', ')[0]}, {n:,} x {d:,}"
        return replace(chosen.choice, vectors=replace(vectors, what=what))

    def _check_ids(self, chosen: Chosen, side: int, texts: dict[str, Sequence[str]]) -> None:
        def values(name: str) -> Iterator[list[str]]:
            documents = (document for _, document in self._documents())
            return values_of(documents, chosen.sides[side].vectors, chosen.fields[name])

        if "ids" in texts:
            setting = self._wanted.setting("id_column") if side == 0 else "query_id_column"
            check_unique(self._path, texts["ids"], chosen.choice, values, of_queries=side == 1, setting=setting)
