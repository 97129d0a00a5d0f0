"""What the schema of a table says its columns hold: vectors, what can name a row, or something else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from vqbench.datasets.choice import Kind, Part
from vqbench.datasets.part_names import INDEX
from vqbench.datasets.sparse import SPARSE, sparse_pair

if TYPE_CHECKING:
    import pyarrow as pa

UUID = "UUID"
_BYTE_KINDS = ("int8", "uint8", "bool")


class Form(Enum):
    """How a column stores a vector."""

    LISTS = "lists"  #: a list of numbers in each row
    NESTED = "nested"  #: a list of one list of numbers
    TEXT = "text"  #: numbers written as text
    BLOB = "blob"  #: the bytes of numbers
    WIDE = "wide"  #: a number in each of several columns
    NONE = "none"  #: no vector


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table, or a field of its structs."""

    part: Part
    #: The names of the column and of the fields within it.
    path: tuple[str, ...]
    #: Its type, without what only codes or marks it.
    kind: pa.DataType
    form: Form = Form.NONE
    #: The type of number of bytes: ``float32`` or ``float64``.
    number: str = ""
    #: How many numbers a row has, by its type or as most of the first rows have; 0: not known yet.
    width: int = 0
    #: The columns that a wide table is made of, in order.
    members: tuple[Column, ...] = ()
    #: The values of an index that is no column: pandas states it in the schema.
    counted: range | None = None

    def of(self, batch: pa.RecordBatch) -> pa.Array:
        """Its values in a batch; null where a struct around it is null."""
        import pyarrow.compute as pc

        array = batch.column(self.path[0])
        for name in self.path[1:]:
            array = pc.struct_field(plain(array), name)  # type: ignore[attr-defined]
        return plain(array)


def plain(array: Any) -> Any:
    """An array without what only codes or marks its values: dictionaries, runs, extensions."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    while True:
        if isinstance(array, pa.ExtensionArray):
            array = array.storage
        elif t.is_dictionary(array.type):
            array = array.dictionary_decode()
        elif t.is_run_end_encoded(array.type):
            array = pc.run_end_decode(array)  # type: ignore[attr-defined]
        else:
            return array


def inner_values(lists: Any) -> Any:
    """The values of lists, one after the other, also where each is the only field of a struct."""
    import pyarrow.compute as pc
    import pyarrow.types as t

    values = plain(lists.flatten())
    return plain(pc.struct_field(values, [0])) if t.is_struct(values.type) else values  # type: ignore[attr-defined]


def unmarked(kind: Any) -> Any:
    """A type without what only codes or marks its values."""
    import pyarrow as pa
    import pyarrow.types as t

    while True:
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        elif t.is_dictionary(kind) or t.is_run_end_encoded(kind):
            kind = kind.value_type
        else:
            return kind


def columns_of(schema: pa.Schema) -> list[Column]:
    """All columns and fields of structs, in order."""
    indexes, columns = _indexes(schema), list[Column]()
    for name, count in Counter(schema.names).items():
        if count == 1:
            columns += _leaves(schema.field(name), (), name in indexes)
        else:
            part = Part(name=name, kind=Kind.OTHER, what=f"{count} columns of this name")
            columns.append(Column(part=part, path=(name,), kind=None))
    return columns


def _leaves(field: pa.Field, above: tuple[str, ...], is_index: bool = False) -> Iterator[Column]:
    import pyarrow.types as t

    path, kind = (*above, field.name), unmarked(field.type)
    names = [inner.name for inner in kind] if t.is_struct(kind) else []
    if names and len(set(names)) == len(names):
        sparse = sparse_pair({inner.name: _found(inner, unmarked(inner.type))[0] for inner in kind})
        for inner in kind:
            for column in _leaves(inner, path):
                hidden = inner.name in sparse and column.path == (*path, inner.name)
                yield replace(column, part=replace(column.part, kind=Kind.OTHER, what=SPARSE)) if hidden else column
        return
    found, what, form = _found(field, kind)
    part = Part(name=".".join(path), kind=found, what=what, is_index=is_index)
    width = kind.list_size if form == Form.LISTS and t.is_fixed_size_list(kind) else 0
    yield Column(part=part, path=path, kind=kind, form=form, width=width)


def _found(field: pa.Field, kind: Any) -> tuple[Kind, str, Form]:
    """What a column holds, in words too, and how it stores vectors, where it may hold some."""
    import pyarrow.types as t

    if is_list(kind):
        return _of_lists(field, kind)
    if t.is_floating(kind) or t.is_decimal(kind):
        return Kind.NUMBER, _short(kind), Form.NONE
    if t.is_integer(kind):
        return Kind.WHOLE, _short(kind), Form.NONE
    if t.is_date(kind) or t.is_timestamp(kind):
        return Kind.TEXT, "date" if t.is_date(kind) else "timestamp", Form.NONE
    if is_bytes(kind):
        return Kind.TEXT, UUID if "arrow.uuid" in str(field.type) else "bytes", Form.BLOB
    if is_text(kind):
        return Kind.TEXT, "text", Form.TEXT
    return Kind.OTHER, _short(kind), Form.NONE


def _of_lists(field: pa.Field, kind: Any) -> tuple[Kind, str, Form]:
    import pyarrow.types as t

    number = unmarked(kind.value_type)
    if t.is_struct(number) and number.num_fields == 1:  # as BigQuery writes lists
        number = unmarked(number.field(0).type)
    if is_list(number):
        inner = unmarked(number.value_type)
        form = Form.NESTED if _is_number(inner) else Form.NONE
        return Kind.OTHER, f"lists of lists of {_short(inner)}", form
    if not _is_number(number):
        return Kind.OTHER, f"lists of {_short(number)}", Form.NONE
    shape = _shape(field)
    if sum(size != 1 for size in shape) > 1:
        return Kind.OTHER, f"tensors of {_short(number)}, {' x '.join(map(str, shape))}", Form.NONE
    return kind_of_rows(number), f"lists of {_short(number)}", Form.LISTS


def kind_of_rows(number: pa.DataType) -> Kind:
    """What rows of a type of numbers are."""
    import pyarrow.types as t

    if _short(number) in _BYTE_KINDS:
        return Kind.BYTES
    return Kind.FLOATS if t.is_floating(number) or t.is_decimal(number) else Kind.WHOLES


def _shape(field: pa.Field) -> list[int]:
    """The shape that a type of tensors states; also one of a library that is not loaded, such as Ray."""
    if hasattr(field.type, "shape"):
        return list(field.type.shape)
    try:
        shape = json.loads((field.metadata or {})[b"ARROW:extension:metadata"])
    except (KeyError, ValueError, RecursionError):
        return []
    shape = shape.get("shape") if isinstance(shape, dict) else shape
    return shape if isinstance(shape, list) and all(isinstance(x, int) for x in shape) else []


def is_list(kind: Any) -> bool:
    import pyarrow.types as t

    views = str(kind).startswith(("list_view<", "large_list_view<"))  # older versions of pyarrow have none
    return t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind) or views


def is_bytes(kind: Any) -> bool:
    import pyarrow.types as t

    views = hasattr(t, "is_binary_view") and t.is_binary_view(kind)
    return t.is_binary(kind) or t.is_large_binary(kind) or t.is_fixed_size_binary(kind) or views


def is_text(kind: Any) -> bool:
    import pyarrow.types as t

    return t.is_string(kind) or t.is_large_string(kind) or (hasattr(t, "is_string_view") and t.is_string_view(kind))


def _is_number(kind: Any) -> bool:
    import pyarrow.types as t

    return t.is_floating(kind) or t.is_integer(kind) or t.is_boolean(kind) or t.is_decimal(kind)


def _short(kind: Any) -> str:
    """The type's name as numpy has it, cut where it is long."""
    names = {"halffloat": "float16", "float": "float32", "double": "float64"}
    return names.get(str(kind), str(kind))[:40]


def counted_index(schema: pa.Schema, n: int, rows_before: int | None) -> Column | None:
    """The RangeIndex that pandas states in the schema, unless it only numbers the rows.

    As pandas does, one that is not as long as the table is taken for stale: the table was filtered after it was stated.

    Args:
        schema: of the table.
        n: its rows.
        rows_before: those of the parts before it, as in ``Wanted``.
    """
    import pyarrow as pa

    stated = [x for x in _stated_index(schema) if isinstance(x, dict) and x.get("kind") == "range"]
    if len(stated) != 1:
        return None
    index: dict[str, Any] = stated[0]
    name, bounds = index.get("name"), [index.get(x, 0) for x in ("start", "stop", "step")]
    if not all(type(x) is int and abs(x) < 1 << 62 for x in bounds) or bounds[2] == 0:
        return None
    start, _, step = bounds
    counted = range(*bounds)
    if len(counted) != n:
        return None
    if name is None and step == 1 and rows_before is not None and start in (0, rows_before):
        return None
    named = name if isinstance(name, str) and name not in schema.names else INDEX
    if named in schema.names:
        return None
    what = f"index of pandas, {start} to {counted[-1]}" + (f" by {step}" if step != 1 else "")
    part = Part(name=named, kind=Kind.WHOLE, what=what, is_index=True)
    return Column(part=part, path=(), kind=pa.int64(), counted=counted)


def _indexes(schema: pa.Schema) -> set[str]:
    """The columns that pandas wrote as the table's index."""
    return {INDEX, *(name for name in _stated_index(schema) if isinstance(name, str))}


def _stated_index(schema: pa.Schema) -> list[Any]:
    """What pandas states in the schema of the table's index: names of columns, or ranges."""
    try:
        listed = (schema.pandas_metadata or {}).get("index_columns", [])
    except (ValueError, RecursionError, AttributeError):
        return []
    return listed if isinstance(listed, list) else []
