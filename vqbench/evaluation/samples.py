"""The little that figures need beyond the metrics: a few vectors, pairs, lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from vqbench.errors import NotApplicableError
from vqbench.evaluation.bench import Bench
from vqbench.evaluation.encoding import Encoded
from vqbench.numerics.arrays import Floats, Ints
from vqbench.numerics.draws import drawn, named
from vqbench.quantizers.base import Codec, Similarity, coded, decoded
from vqbench.search.similarity import CodeBlocks, code_search
from vqbench.search.tie_order import sorted_by_id, top_by_id
from vqbench.search.topk import Hits, Search

_QUERIES, _EACH = 200, 5  # pairs: so many queries, so many near and so many other documents each
_LISTED = 10


@dataclass(frozen=True)
class Answered:
    """One deep search of the codes, for all queries and, behind them, the example row.

    hits: of each, or of the queries alone where the example cannot find so many rows.
    """

    search: Search
    hits: Hits


def ask(bench: Bench, codec: Codec, codes: CodeBlocks, similarity: Similarity, deepest: int) -> Answered:
    """Search the codes for all queries, and for the example in the same pass: figures show its list."""
    data = bench.data
    example_1d = data.corpus.take(np.array([bench.example]))
    found = code_search(codec, np.concatenate([data.queries_qd, example_1d]), codes, similarity)
    own_q = np.full(len(data.query_ids), -1) if data.exclude_q is None else data.exclude_q
    own_q = np.append(own_q, bench.example)
    search = replace(bench.search, queries_qd=found.queries_qd, rows=found.rows, scorer=found.scorer, exclude_q=own_q)
    # The example is left out of its own list, so it may not find as many rows as the queries do.
    count = len(own_q) - (deepest == data.corpus.n)
    return Answered(search, search.only(slice(count)).top(deepest))


def take_samples(
    bench: Bench, codec: Codec, encoded: Encoded, answered: Answered, worst: Sequence[int] = ()
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
    frames = [
        _frame(
            "vector",
            data.ids[example],
            index=np.arange(codec.core.d),
            value=codec.project(vector_d[None, :])[0],
            code=_stored(codec.core, coded(codec, vector_d[None, :]))[0],
        )
    ]
    if encoded.balance_d is not None:
        frames.append(_frame("balance", "", index=np.arange(codec.core.code_bits), value=encoded.balance_d))

    query_f, row_f, rank_f = _pairs(bench)
    frames.append(
        _frame(
            "pair",
            named(data.query_ids, query_f),
            index=rank_f,
            other=named(data.ids, row_f),
            value=search.pairs(query_f, row_f),
            code=answered.search.pairs(query_f, row_f),
        )
    )

    frames += _lists(bench, answered, list(worst))
    return pd.concat(frames, ignore_index=True)


def _lists(bench: Bench, answered: Answered, worst: list[int]) -> list[pd.DataFrame]:
    """The nearest rows of the example and of the worst queries, equal scores by id."""
    data, k = bench.data, min(_LISTED, bench.data.corpus.n - 1)
    if k < 1:
        return []
    at = np.array([len(data.query_ids), *worst])  # the example stands behind the queries
    coded = _by_id(bench, answered, at, k)
    queries_qd = np.concatenate([data.corpus.take(np.array([bench.example])), data.queries_qd[worst]])
    names = [data.ids[bench.example], *named(data.query_ids, at[1:])]
    kinds = ["nearest"] + ["worst"] * len(worst)
    query_f = np.repeat(np.arange(len(names)), k)
    cosine_qk = (
        replace(bench.search, queries_qd=queries_qd).pairs(query_f, coded.ids_qk.ravel()).reshape(coded.ids_qk.shape)
    )
    found = [
        _frame(kind, name, index=np.arange(1, k + 1), other=named(data.ids, ids_k), value=cosine_k, code=scores_k)
        for kind, name, ids_k, cosine_k, scores_k in zip(
            kinds, names, coded.ids_qk, cosine_qk, coded.scores_qk, strict=True
        )
    ]
    if worst:
        true = _by_id(bench, Answered(bench.search, bench.truth.hits), at[1:], k)
        found += [
            _frame("worst_float", name, index=np.arange(1, k + 1), other=named(data.ids, ids_k), value=scores_k)
            for name, ids_k, scores_k in zip(names[1:], true.ids_qk, true.scores_qk, strict=True)
        ]
    return found


def _by_id(bench: Bench, answered: Answered, at: Ints, k: int) -> Hits:
    """The best ``k`` of the queries numbered ``at``, equal scores by id.

    From the deep search where it listed every row that ties with the k-th, which spares a pass over the corpus.
    """
    hits, ids = answered.hits, bench.data.ids
    rows_ak, scores_ak = np.empty((len(at), k), dtype=np.int64), np.empty((len(at), k))
    whole = np.zeros(len(at), dtype=bool)
    if hits.ids_qk.shape[1] >= k:
        there = at < len(hits.ids_qk)
        some = np.where(there, at, 0)
        edge = hits.scores_qk[some, k - 1]
        whole = there & ((hits.scores_qk[some, -1] < edge) | (hits.dropped_ties_q[some] == 0))
        for each in np.flatnonzero(whole):
            near = hits.scores_qk[at[each]] >= edge[each]
            found = sorted_by_id(hits.ids_qk[at[each]][near], hits.scores_qk[at[each]][near], ids)
            rows_ak[each], scores_ak[each] = found[0][:k], found[1][:k]
    if not whole.all():
        left = at[~whole]
        found = top_by_id(answered.search.only(left), k, ids)
        rows_ak[~whole], scores_ak[~whole] = found.ids_qk, found.scores_qk
    return Hits(rows_ak, scores_ak, np.zeros(len(at), dtype=np.int64))


def _stored(codec: Codec, codes_nb: np.ndarray) -> Floats:
    """What a reader would call the stored numbers: integers where there are any."""
    try:
        return codec.integers(codes_nb).astype(np.float64)
    except NotApplicableError:
        return decoded(codec, codes_nb).astype(np.float64)


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
