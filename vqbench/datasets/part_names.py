"""What the name of a column, array or tensor says: ids, labels and the like, corpus or queries."""

from __future__ import annotations

import re

_QUERY_WORDS = {"query", "queries", "question", "questions", "test", "xq"}
_CORPUS_WORDS = {
    "train", "base", "doc", "docs", "document", "documents", "corpus", "passage", "passages", "database", "db", "xb",
    "index", "context", "contexts", "answer", "answers",
}  # fmt: skip
#: Last words of names that are usual for what stands beside vectors, such as ``attention_mask`` and ``train_labels``.
_BESIDE_WORDS = {
    "y", "label", "labels", "target", "targets", "onehot", "prob", "probs", "probabilities", "logit", "logits", "mask",
    "masks", "score", "scores",
}  # fmt: skip
_SPLIT_WORDS = {"train", "test", "val", "valid", "validation", "dev", "eval"}
#: Usual names of ids, the likeliest first.
ID_NAMES = (
    "custom_id",
    "id",
    "_id",
    "ids",
    "docid",
    "docno",
    "pid",
    "uid",
    "uuid",
    "guid",
    "key",
    "keys",
    "qid",
    "rowid",
)
_ID_ENDINGS = ("_id", "_ids", "-id", "-ids", "uuid", "docno")
#: What pandas calls an index without a name.
INDEX = "__index_level_0__"


def words_of(name: str) -> list[str]:
    """Split a name where its words meet: ``queryEmbedding``, ``query_embedding`` and ``query-embedding`` are alike."""
    parts = re.split(r"[^A-Za-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name))
    return [part.lower() for part in parts if part]


def is_id_name(name: str) -> bool:
    """Whether a name is usual for ids, also within a struct or group: ``meta.doc_id``, ``meta/doc_id``."""
    last = re.split(r"[./]", name.strip())[-1]
    lower = last.lower()
    return lower in ID_NAMES or lower.endswith(_ID_ENDINGS) or name == INDEX or last.endswith(("Id", "ID"))


def is_beside_name(name: str) -> bool:
    """Whether a name is usual for labels, scores and masks: ``y``, ``y_train``, ``labels``, ``attention_mask``.

    >>> is_beside_name("y_test"), is_beside_name("token_type_ids"), is_beside_name("label_embeddings")
    (True, True, False)
    """
    words = words_of(re.split(r"[./]", name.strip())[-1])
    kept = [word for word in words if word not in _SPLIT_WORDS] or [""]
    together = "".join(words)
    return kept[-1] in _BESIDE_WORDS or words[:1] == ["y"] or together.endswith(("onehot", "tokentypeids"))


def side(name: str) -> str:
    """Return ``queries`` or ``corpus`` where a word of the name says so, else nothing."""
    words = set(words_of(name))
    query = bool(words & {*_QUERY_WORDS, "qid"})
    corpus = bool(words & {*_CORPUS_WORDS, "pid", "did", "docid", "docno"})
    return "" if query == corpus else "queries" if query else "corpus"


def without_side(name: str) -> list[str]:
    """Return the words of a name that do not say whether corpus or queries are meant."""
    return [word for word in words_of(name) if word not in _QUERY_WORDS | _CORPUS_WORDS]
