"""The little that figures need beyond the metrics: a few vectors, pairs, lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from vqbench.arrays import Floats, Ints, drawn, named
from vqbench.datasets.base import Data
from vqbench.errors import NotApplicableError
from vqbench.evaluation.bench import Bench
from vqbench.evaluation.encoding import Encoded
from vqbench.evaluation.truth import Truth
from vqbench.quantizers.base import Codec
from vqbench.search.by_id import top_by_id
from vqbench.search.similarity import Similarity, meet

_QUERIES, _EACH = 200, 5  # pairs: so many queries, so many near and so many other documents each
_LISTED = 10


def take_samples(
    bench: Bench, codec: Codec, encoded: Encoded, similarity: Similarity, worst: Sequence[int] = ()
) -> pd.DataFrame:
    """Tidy rows ``kind, id, index, other, value, code``.

    vector: value = component ``index`` of the example row as the quantizer gets it, code = what is
    stored. balance: value = share of ones in bit ``index``. pair: value = float cosine, code = the
    code's score, index = true rank or nothing for a row drawn at random.
    nearest: rank ``index`` of the example's list is row ``other``; value and code as for pairs. worst: the same for
    the queries numbered in ``worst``; worst_float: what float search lists for them.
    """
    data, search, example = bench.data, bench.search, bench.example
    vector_d = data.corpus.take(np.array([example]))[0]
    frames = [_frame("vector", data.ids[example], index=np.arange(codec.core.d),
                     value=codec.project(vector_d[None, :])[0],
                     code=_stored(codec.core, codec.encode(vector_d[None, :]))[0])]  # fmt: skip
    if encoded.balance_d is not None:
        frames.append(_frame("balance", "", index=np.arange(codec.core.code_bits), value=encoded.balance_d))

    sides = meet(codec, data.queries_qd[:_QUERIES], encoded.codes, similarity)
    coded = replace(search, rows=sides.rows, measure=sides.measure)
    query_f, row_f, rank_f = _pairs(data, bench.truth)
    frames.append(_frame(
        "pair", named(data.query_ids, query_f), index=rank_f, other=named(data.ids, row_f),
        value=search.pairs(data.queries_qd, query_f, row_f), code=coded.pairs(sides.queries_qd, query_f, row_f),
    ))  # fmt: skip

    frames += _lists(bench, codec, encoded, similarity, list(worst))
    return pd.concat(frames, ignore_index=True)


def _lists(
    bench: Bench, codec: Codec, encoded: Encoded, similarity: Similarity, worst: list[int]
) -> list[pd.DataFrame]:
    """The nearest rows of the example and of the worst queries, equal scores by id."""
    data, rows = bench.data, np.array([bench.example])
    own_q = np.full(len(worst), -1) if data.exclude_q is None else data.exclude_q[worst]
    k = min(_LISTED, data.corpus.n - 1)
    if k < 1:
        return []
    queries_qd = np.concatenate([data.corpus.take(rows), data.queries_qd[worst]])
    float_search = replace(bench.search, exclude_q=np.concatenate([rows, own_q]))
    sides = meet(codec, queries_qd, encoded.codes, similarity)
    code_search = replace(float_search, rows=sides.rows, measure=sides.measure)
    coded = top_by_id(code_search, sides.queries_qd, k, data.ids)
    names = [data.ids[bench.example], *named(data.query_ids, np.array(worst, dtype=np.int64))]
    kinds = ["nearest"] + ["worst"] * len(worst)
    query_f = np.repeat(np.arange(len(names)), k)
    cosine_qk = float_search.pairs(queries_qd, query_f, coded.ids_qk.ravel()).reshape(coded.ids_qk.shape)
    found = [
        _frame(kind, name, index=np.arange(1, k + 1), other=named(data.ids, ids_k), value=cosine_k, code=scores_k)
        for kind, name, ids_k, cosine_k, scores_k in zip(
            kinds, names, coded.ids_qk, cosine_qk, coded.scores_qk, strict=True
        )
    ]
    if worst:
        true = top_by_id(replace(float_search, exclude_q=own_q), queries_qd[1:], k, data.ids)
        found += [
            _frame("worst_float", name, index=np.arange(1, k + 1), other=named(data.ids, ids_k), value=scores_k)
            for name, ids_k, scores_k in zip(names[1:], true.ids_qk, true.scores_qk, strict=True)
        ]
    return found


def _stored(codec: Codec, codes_nb: np.ndarray) -> Floats:
    """What a reader would call the stored numbers: integers where there are any."""
    try:
        return codec.integers(codes_nb).astype(np.float64)
    except NotApplicableError:
        return codec.decode(codes_nb).astype(np.float64)


def _pairs(data: Data, truth: Truth) -> tuple[Ints, Ints, Floats]:
    """For the first queries: their nearest rows with their true ranks, and rows drawn by key, without a rank."""
    q, near = min(_QUERIES, len(data.query_ids)), min(_EACH, truth.hits.ids_qk.shape[1])
    first = drawn(data.keys_n, q * _EACH, 0, "ties")  # in the order of ``data.priority``
    others_qe = first[(np.arange(q * _EACH) % data.corpus.n).reshape(q, _EACH)]
    rows_f = np.concatenate([truth.hits.ids_qk[:q, :near], others_qe], axis=1).ravel()
    rank_f = np.tile(np.concatenate([np.arange(1.0, near + 1), np.full(_EACH, np.nan)]), q)
    query_f = np.repeat(np.arange(q), near + _EACH)
    kept_f = rows_f != (-1 if data.exclude_q is None else data.exclude_q[query_f])
    return query_f[kept_f], rows_f[kept_f], rank_f[kept_f]


def _frame(kind: str, item: str | list[str], **columns: object) -> pd.DataFrame:
    empty = {"index": np.nan, "other": "", "value": np.nan, "code": np.nan}
    return pd.DataFrame({"kind": kind, "id": item, **(empty | columns)})
