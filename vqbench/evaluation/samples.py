"""The little that figures need beyond the metrics: a few vectors, pairs, lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from vqbench.errors import NotApplicableError
from vqbench.evaluation.bench import Bench
from vqbench.evaluation.deep_search import DeepSearch
from vqbench.evaluation.encoding import Encoded
from vqbench.numerics.arrays import Floats, Ints
from vqbench.numerics.draws import drawn, named
from vqbench.quantizers.base import Codec, Similarity, decode_checked
from vqbench.search.topk import Hits

_QUERIES, _EACH = 200, 5  # pairs: so many queries, so many near and so many other documents each
_LISTED = 10


def take_samples(
    bench: Bench, codec: Codec, encoded: Encoded, similarity: Similarity, deep: DeepSearch, worst: Sequence[int] = ()
) -> pd.DataFrame:
    """Take tidy rows ``kind, id, index, other, value, code``.

    - vector: value = component ``index`` of the example row as the quantizer gets it, code = what is stored.
    - balance: value = share of ones in bit ``index``.
    - pair: value = float cosine, code = the code's score, index = true rank or nothing for a row drawn at random.
    - nearest: rank ``index`` of the example's list is row ``other``; value and code as for pairs.
    - worst: the same for the queries numbered in ``worst``; worst_float: what float search lists for them.
    """
    data = bench.data
    example_1d = data.corpus.take(np.array([bench.example]))
    example_1b = encoded.codes.take(np.array([bench.example]))
    query_f, row_f, rank_f = _pairs(bench)
    frames = [
        _frame(
            "vector",
            data.ids[bench.example],
            index=np.arange(codec.core.d),
            value=codec.project(example_1d)[0],
            code=_stored(codec.core, example_1b)[0],
        ),
        _frame(
            "pair",
            named(data.query_ids, query_f),
            index=rank_f,
            other=named(data.ids, row_f),
            value=bench.search.pairs(query_f, row_f),
            code=deep.scores(query_f, row_f),
        ),
    ]
    if encoded.balance_d is not None:
        frames.insert(1, _frame("balance", "", index=np.arange(codec.core.code_bits), value=encoded.balance_d))
    if k := min(_LISTED, data.corpus.n - 1):
        like = replace(bench.search, exclude_q=np.array([bench.example]))
        alone = DeepSearch.of_codes(like, codec, encoded.codes, similarity, example_1d, k, example_1b)
        frames += _lists(bench, "nearest", [data.ids[bench.example]], example_1d, alone.lists([0], k, data.ids))
    if k and worst:
        names, queries_qd = named(data.query_ids, np.array(worst)), data.queries_qd[worst]
        true = DeepSearch(bench.search, bench.truth.hits).lists(worst, k, data.ids)
        frames += _lists(bench, "worst", names, queries_qd, deep.lists(worst, k, data.ids))
        frames += [each.assign(code=np.nan) for each in _lists(bench, "worst_float", names, queries_qd, true)]
    return pd.concat(frames, ignore_index=True)


def _lists(bench: Bench, kind: str, names: Sequence[str], queries_qd: Floats, hits: Hits) -> list[pd.DataFrame]:
    """The listed rows of each query, with float cosine and code score."""
    q, k = hits.ids_qk.shape
    search = replace(bench.search, queries_qd=queries_qd)
    cosine_qk = search.pairs(np.repeat(np.arange(q), k), hits.ids_qk.ravel()).reshape(q, k)
    return [
        _frame(kind, name, index=np.arange(1, k + 1), other=named(bench.data.ids, ids_k), value=cosine_k, code=scores_k)
        for name, ids_k, cosine_k, scores_k in zip(names, hits.ids_qk, cosine_qk, hits.scores_qk, strict=True)
    ]


def _stored(codec: Codec, codes_nb: np.ndarray) -> Floats:
    """What a reader would call the stored numbers: integers where there are any."""
    try:
        return codec.integers(codes_nb).astype(np.float64)
    except NotApplicableError:
        return decode_checked(codec, codes_nb).astype(np.float64)


def _pairs(bench: Bench) -> tuple[Ints, Ints, Floats]:
    """For the first queries: their nearest rows with their true ranks, and rows drawn by key, without a rank."""
    data, truth = bench.data, bench.truth
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
