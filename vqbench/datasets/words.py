"""Vectors whose ids are words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from vqbench.datasets.choice import Kind, Part, choose
from vqbench.datasets.readers.base import Content, Wanted
from vqbench.datasets.unpacking import Sheet
from vqbench.storage.raw_rows import RawRows


def content_of(
    path: Path, rows_nd: RawRows, words: Callable[[], Iterator[list[str]]], wanted: Wanted, sheet: Sheet
) -> Content:
    """Return vectors whose ids are words, unless ``id_column=none`` says otherwise."""
    n, d = rows_nd.shape
    parts = [
        Part(name="numbers", kind=Kind.FLOATS, what=f"word vectors, {rows_nd.dtype}, {n:,} x {d:,}"),
        Part(name="word", kind=Kind.TEXT, what="text"),
    ]
    choice = choose(path, parts, replace(wanted, id_column=wanted.id_column or "word"))
    return Content(
        rows_nd=rows_nd,
        ids=sheet.unique_ids(n, choice, lambda name: words(), setting=wanted.setting("id_column")),
        texts=None if choice.texts is None else sheet.texts(n, words()),
        labels=None if choice.labels is None else sheet.texts(n, words()),
        taken=choice.sentence(path, "column"),
    )
