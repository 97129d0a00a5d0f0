"""Which part of a file is meant: what can be meant in one way is taken, what in two ways is refused with both named."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqbench.datasets.choice import Choice, Kind, Part, choose, pair, wide_parts
from vqbench.datasets.part_names import is_id_name, side
from vqbench.datasets.readers.base import Wanted
from vqbench.errors import VqbenchError

PATH = Path("x.any")
WORDS = {
    Kind.FLOATS: "floats",
    Kind.BYTES: "bytes",
    Kind.WHOLES: "wholes",
    Kind.TEXT: "text",
    Kind.WHOLE: "whole",
    Kind.NUMBER: "number",
    Kind.OTHER: "other",
}


def _part(spec: str, n: int | None = None) -> Part:
    """``name:kind`` or ``name:kind:n``."""
    name, kind, *rows = spec.split(":")
    return Part(name=name, kind=Kind[kind.upper()], what=kind, n=int(rows[0]) if rows else n)


def _choice(specs: str, **wanted) -> dict[str, str]:
    """The names that are taken, by role."""
    choice = choose(PATH, [_part(spec) for spec in specs.split()], Wanted(**wanted))
    roles = ("vectors", "ids", "queries", "query_ids", "texts", "labels")
    return {role: part.name for role in roles if (part := getattr(choice, role)) is not None}


def _refused(specs: str, **wanted) -> str:
    with pytest.raises(VqbenchError) as error:
        _choice(specs, **wanted)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix("x.any: ")


@pytest.mark.parametrize(
    ("specs", "taken"),
    [
        ("e:floats", "e"),
        ("e:bytes", "e"),
        ("tokens:wholes e:floats", "e"),
        ("tokens:wholes e:bytes", "e"),
        ("mask:bytes e:floats", "e"),
        ("n:whole x:number t:text e:floats", "e"),
    ],
)
def test_the_only_one_that_can_be_meant_is_taken(specs: str, taken: str) -> None:
    assert _choice(specs) == {"vectors": taken}
    assert _choice(specs, queries=True) == {"vectors": taken}


def test_two_that_could_be_meant_are_refused_with_both_named() -> None:
    said = _refused("a:floats b:floats t:text")
    assert said == (
        "columns a (floats), b (floats): more than one column could hold the vectors; choose with dataset.key=NAME, as "
        "in dataset.key=a"
    )
    assert "dataset.queries_key=NAME, as in dataset.queries_key=a" in _refused("a:floats b:floats", queries=True)
    assert _choice("a:floats b:floats", key="b") == {"vectors": "b"}
    assert _choice("a:floats b:floats", queries_key="a") == {"vectors": "b", "queries": "a"}
    assert _choice("a:floats b:floats c:floats", key="b", queries_key="c") == {"vectors": "b", "queries": "c"}
    three = _refused("query:floats title:floats docs:floats")
    assert "dataset.key=docs and dataset.queries_key=query for queries" in three


def test_whole_numbers_are_taken_by_name_only() -> None:
    assert _refused("ids_of_tokens:wholes t:text").startswith(
        "column ids_of_tokens (wholes): whole numbers may be token"
    )
    assert _choice("x:wholes t:text", key="x") == {"vectors": "x"}


def test_nothing_can_be_meant() -> None:
    assert _refused("t:text n:whole o:other").startswith(
        "columns with vectors: none; it has t (text), n (whole), o (other): needs rows of numbers; store each vector"
    )
    with pytest.raises(VqbenchError, match="arrays with vectors: none; it has nothing"):
        choose(PATH, [], Wanted(), noun="array")


@pytest.mark.parametrize(
    ("corpus", "queries"),
    [
        ("train", "test"),
        ("base", "query"),
        ("docs", "queries"),
        ("corpus", "queries"),
        ("passage_emb", "query_emb"),
        ("passageEmbedding", "queryEmbedding"),
        ("xb", "xq"),
        ("document-vectors", "question-vectors"),
    ],
)
def test_usual_pairs(corpus: str, queries: str) -> None:
    for specs in (f"{corpus}:floats:9 {queries}:floats:4", f"{queries}:floats:4 {corpus}:floats:9"):
        assert _choice(specs) == {"vectors": corpus, "queries": queries}
        assert _choice(specs, queries=True) == {"vectors": queries}
        assert _choice(specs, key=queries) == {"vectors": queries}
        with_third = f"{specs} more:floats:9"
        assert "more than one" in _refused(with_third)


def test_what_is_no_pair() -> None:
    for one, other in (("train", "base"), ("query_a", "passage_b"), ("a", "b"), ("test", "query"), ("train", "x")):
        assert pair([_part(f"{one}:floats"), _part(f"{other}:floats")]) is None
    assert (side("query_of_doc"), side("qid"), side("pid"), side("latest")) == ("", "queries", "corpus", "")


@pytest.mark.parametrize(
    ("specs", "ids"),
    [
        ("id:text e:floats", "id"),
        ("doc_id:text id:whole e:floats", "id"),
        ("title:text doc_id:whole e:floats", "doc_id"),
        ("_id:text chunk_id:text e:floats", "_id"),
        ("meta.doc_id:text e:floats", "meta.doc_id"),
        ("docId:text e:floats", "docId"),
        ("a.id:text doc_id:text e:floats", "doc_id"),
        ("custom_id:text id:whole e:floats", "custom_id"),
        ("id:number e:floats", "id"),
        ("uuid:text key:text e:floats", "uuid"),
        ("query_id:text e:floats", "query_id"),
        ("query_id:text passage_id:text e:floats", "passage_id"),
        ("__index_level_0__:whole doc_id:text e:floats", "doc_id"),
        ("__index_level_0__:whole e:floats", "__index_level_0__"),
        ("title:text identity:text valid:whole grid:whole e:floats", None),
        ("id:other e:floats", None),
        ("id:text:3 e:floats:4", None),
        ("id:text:4 e:floats:4", "id"),
    ],
)
def test_ids(specs: str, ids: str | None) -> None:
    assert _choice(specs).get("ids") == ids
    assert "ids" not in _choice(specs, id_column="none")


def test_ids_of_a_table_are_for_its_rows() -> None:
    parts = [
        Part(name="a.e", kind=Kind.FLOATS, what="floats", table="a"),
        Part(name="b.id", kind=Kind.TEXT, what="text", table="b"),
    ]
    assert choose(PATH, parts, Wanted()).ids is None
    own = Part(name="a.doc_id", kind=Kind.TEXT, what="text", table="a")
    assert choose(PATH, [*parts, own], Wanted()).ids == own


def test_an_index_is_for_ids() -> None:
    e = _part("e:floats")
    index = Part(name="movie", kind=Kind.TEXT, what="text", is_index=True)
    assert choose(PATH, [e, _part("title:text"), index], Wanted()).ids == index
    numbered = Part(name="year", kind=Kind.WHOLE, what="whole", is_index=True)
    assert choose(PATH, [numbered, e, _part("doc_id:text")], Wanted()).ids == _part("doc_id:text")
    assert choose(PATH, [numbered, e], Wanted()).ids == numbered


def test_ids_of_queries() -> None:
    pairs = "query_id:text query_vec:floats passage_id:text passage_vec:floats"
    assert _choice(pairs) == {
        "vectors": "passage_vec",
        "ids": "passage_id",
        "queries": "query_vec",
        "query_ids": "query_id",
    }
    assert _choice(pairs, queries=True) == {"vectors": "query_vec", "ids": "query_id"}
    assert "query_ids" not in _choice(pairs, query_id_column="none")
    both = _choice("id:text query_vec:floats passage_vec:floats")
    assert (both["ids"], both["query_ids"]) == ("id", "id")
    arrays = "docs:floats:9 queries:floats:4 query_ids:text:4 doc_ids:text:9"
    assert _choice(arrays) == {"vectors": "docs", "ids": "doc_ids", "queries": "queries", "query_ids": "query_ids"}
    equal = _choice("docs:floats:9 queries:floats:9 query_ids:text:9 titles:text:9")
    assert equal == {"vectors": "docs", "queries": "queries", "query_ids": "query_ids"}
    assert _refused("e:floats id:text", query_id_column="id").startswith("dataset.query_id_column=id: has no effect")


def test_a_name_that_is_not_there_or_cannot_serve() -> None:
    specs = "embedding:floats other:bytes title:text n:whole id:other"
    assert _refused(specs, key="embeding") == (
        "dataset.key=embeding: no such column: it could be: embedding (floats), other (bytes); did you mean embedding?"
    )
    assert _refused(specs, key="title").startswith("dataset.key=title: this column is text: it could be: embedding")
    assert _refused(specs, key="title", queries=True).startswith("dataset.queries_key=title: this column is text")
    assert _refused(specs, id_column="id").startswith("dataset.id_column=id: this column is other: it could be: title")
    assert _refused(specs, labels="x").startswith("dataset.labels=x: no such column: it could be: embedding")
    assert _refused("e:floats:4 t:text:3", texts="t").startswith("dataset.texts=t: this column is text: it could be: e")


def test_texts_and_labels() -> None:
    assert _choice("e:floats t:text l:whole", texts="t", labels="l") == {"vectors": "e", "texts": "t", "labels": "l"}


def test_the_sentence() -> None:
    parts = [_part("e:floats"), _part("id:text"), _part("text:text"), _part("tokens:wholes")]
    choice = choose(PATH, parts, Wanted())
    assert choice.sentence(PATH, "column") == (
        "x.any: column 'e' (floats), ids from 'id'; not used: text, tokens (wholes)"
    )
    many = [*parts, *(_part(f"more{at}x:text") for at in range(20))]
    assert choose(PATH, many, Wanted()).sentence(PATH, "array").endswith("more5x (text) and 14 more")


def test_columns_that_could_name_the_rows_instead() -> None:
    """The likeliest first; no measured number, no column of a wide table."""
    specs = ("id:text", "text:text", "score:number", "chunk_id:whole", "e:floats", "x0:whole", "x1:whole")
    parts = [_part(spec) for spec in specs]
    assert choose(PATH, [*parts, *wide_parts(parts)], Wanted()).id_choices == ("chunk_id", "text")


def _numbered(names: str, kind: str = "number") -> list[Part]:
    return [_part(f"{name}:{kind}") for name in names.split()]


def test_wide_tables() -> None:
    assert [part.members for part in wide_parts(_numbered("d1 d0 id d2 e10"))] == [("d0", "d1", "d2")]
    padded = " ".join(f"dim_{at:03}" for at in range(120))
    assert [part.members for part in wide_parts(_numbered(padded))] == [tuple(padded.split())]
    assert wide_parts(_numbered("d0 d1 d3")) == wide_parts(_numbered("d2 d3")) == wide_parts(_numbered("d0")) == []
    assert wide_parts(_numbered("d01 d1 d2")) == wide_parts(_numbered("d0 d1", "text")) == []
    assert wide_parts([*_numbered("d1 d2"), _part("d0:other")]) == []
    wide = wide_parts(_numbered("0 1 2"))[0]
    assert (wide.name, wide.what, wide.kind, wide.setting) == ("0 ... 2", "3 columns, number", Kind.FLOATS, "*")
    mixed = wide_parts([*_numbered("d0 d1"), *_numbered("d2", "whole")])[0]
    assert (mixed.kind, mixed.setting) == (Kind.FLOATS, "d*")
    assert wide_parts(_numbered("d0 d1", "whole"))[0].kind == Kind.WHOLES
    small = [Part(name=f"d{at}", kind=Kind.WHOLE, what="int8") for at in range(2)]
    assert wide_parts(small)[0].kind == Kind.BYTES


def test_wide_tables_beside_others() -> None:
    """Few columns give way to a column of lists, and are vectors alone; many could be meant as well."""
    few, many = (_numbered(" ".join(f"x{at}" for at in range(count))) for count in (7, 8))
    few, many = [*few, *wide_parts(few)], [*many, *wide_parts(many)]
    e = _part("e:floats")
    assert choose(PATH, [e, *few], Wanted()).vectors == e
    assert choose(PATH, [*few], Wanted()).vectors.name == "x0 ... x6"
    assert choose(PATH, [e, *many], Wanted(key="x*")).vectors.name == "x0 ... x7"
    assert choose(PATH, [*few], Wanted()).unused == ()
    with pytest.raises(
        VqbenchError, match=r"e \(floats\), x0 ... x7 \(8 columns, number\): more than one .*dataset.key=e$"
    ):
        choose(PATH, [e, *many], Wanted())


def test_names_of_ids() -> None:
    assert all(map(is_id_name, ("id", "ID", "_id", "doc-id", "docId", "userID", "a.b.id", "group/ids", "PMID", "uuid")))
    assert not any(map(is_id_name, ("identity", "grid", "title", "hidden", "idx_note", "id.text", "valid")))


NAMES = st.sampled_from(["a", "b", "train", "test", "query_vec", "passage_vec", "id", "doc_id", "text", "x0", "x1"])
PARTS = st.builds(
    lambda name, kind, n: Part(name=name, kind=kind, what=WORDS[kind], n=n),
    NAMES,
    st.sampled_from(Kind),
    st.sampled_from([None, 3, 4]),
)
SETTINGS = st.fixed_dictionaries(
    {}, optional={field.name: NAMES for field in fields(Wanted) if field.name != "queries"} | {"queries": st.booleans()}
)


@settings(max_examples=500)
@given(st.lists(PARTS, max_size=7, unique_by=lambda part: part.name), SETTINGS)
def test_any_mix_is_taken_as_the_rules_say_or_refused_by_name(parts: list[Part], wanted: dict) -> None:
    try:
        choice = choose(PATH, parts, Wanted(**wanted))
    except VqbenchError as error:
        said = str(error)
        assert "dataset." in said or "with vectors: none" in said
        named = [part.name for part in parts if part.name in said]
        assert named or "none" in said or "nothing" in said or "has no effect" in said
        return
    _check_chosen(choice, parts, Wanted(**wanted))


def _check_chosen(choice: Choice, parts: list[Part], wanted: Wanted) -> None:
    numbers = (Kind.FLOATS, Kind.BYTES, Kind.WHOLES)
    assert choice.vectors.kind in numbers
    assert wanted.key in (None, choice.vectors.name)
    assert wanted.queries or wanted.queries_key is None or choice.queries.name == wanted.queries_key
    if wanted.key is None and wanted.queries_key is None:
        assert choice.vectors.kind != Kind.WHOLES
        best = min(part.kind for part in parts)
        assert choice.vectors.kind == best
        rivals = [part for part in parts if part.kind == best and part not in (choice.vectors, choice.queries)]
        assert not rivals or (wanted.queries and len(rivals) == 1)
    if choice.ids is not None:
        assert choice.ids.kind in (Kind.TEXT, Kind.WHOLE, Kind.NUMBER)
        assert None in (choice.ids.n, choice.vectors.n) or choice.ids.n == choice.vectors.n
        assert choice.ids.name == wanted.id_column if wanted.id_column else is_id_name(choice.ids.name)
    assert wanted.id_column is None or choice.ids is not None
    for part in parts:
        roles = (choice.vectors, choice.queries, choice.ids, choice.query_ids, choice.texts, choice.labels)
        assert (part in choice.unused) != any(part is role for role in roles)
