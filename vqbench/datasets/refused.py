"""Formats that are not read, each with the one line that converts them.

They hold Python objects, which run code when they are loaded, or need a library of their own, or hold no vectors.
"""

from __future__ import annotations

import shlex
import struct
from pathlib import Path
from typing import NoReturn

from vqbench.errors import VqbenchError
from vqbench.text import python_command

_TORCH = "import torch, numpy; numpy.save({npy}, torch.load({path}, weights_only=True).float().numpy())"
_PICKLE = (
    "import pandas, numpy; x = pandas.read_pickle({path}); x.to_parquet({parquet}) if hasattr(x, 'to_parquet') else "
    "numpy.save({npy}, numpy.array(x, dtype='float32'))"
)
_RUNS_CODE = "holds Python objects, which run code when they are loaded"
_OWN_LIBRARY = "is read by a library of its own"
_NO_VECTORS = "holds a model, not vectors: encode your texts with it, and save what it returns with numpy.save"
_PACKED = "is an archive of files"
_INSIDE = "; then name a file of {folder}"
_OF_R = (".rds", ".rda")
_D = "; replace 768 by your dimension"
#: Ending -> what is in the way, Python code that converts, what must be said with it.
_PYTHON: dict[str, tuple[str, str, str]] = {
    **dict.fromkeys((".pt", ".pth", ".ckpt"), (_RUNS_CODE, _TORCH, "")),
    **dict.fromkeys((".pkl", ".pickle"), (_RUNS_CODE, _PICKLE, "; only if you trust the file")),
    ".joblib": (
        _RUNS_CODE,
        "import joblib, numpy; numpy.save({npy}, numpy.array(joblib.load({path}), dtype='float32'))",
        "; only if you trust the file",
    ),
    ".lance": (
        _OWN_LIBRARY,
        "import lance, pyarrow.parquet; pyarrow.parquet.write_table(lance.dataset({path}).to_table(), {parquet})",
        "",
    ),
    ".mat": (
        _OWN_LIBRARY,
        "import scipy.io, numpy; x = scipy.io.loadmat({path}); "
        "numpy.savez({npz}, **{{k: v for k, v in x.items() if k[0] != '_'}})",
        "",
    ),
    **dict.fromkeys(
        (".xlsx", ".xls", ".ods"),
        (_OWN_LIBRARY, "import pandas; pandas.read_excel({path}).to_csv({csv}, index=False)", ""),
    ),
    ".ann": (
        _OWN_LIBRARY,
        "import annoy, numpy; a = annoy.AnnoyIndex(768, 'angular'); a.load({path}); "
        "numpy.save({npy}, [a.get_item_vector(i) for i in range(a.get_n_items())])",
        _D,
    ),
    ".hnsw": (
        _OWN_LIBRARY,
        "import hnswlib, numpy; i = hnswlib.Index('cosine', 768); i.load_index({path}); "
        "numpy.savez({npz}, ids=i.get_ids_list(), vectors=i.get_items(i.get_ids_list()))",
        _D,
    ),
    ".usearch": (
        _OWN_LIBRARY,
        "import numpy; from usearch.index import Index; i = Index.restore({path}); "
        "numpy.savez({npz}, ids=numpy.array(i.keys), vectors=i.get(numpy.array(i.keys)))",
        "",
    ),
    ".zip": (_PACKED, "import zipfile; zipfile.ZipFile({path}).extractall({folder})", _INSIDE),
    **dict.fromkeys(
        (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz"),
        (_PACKED, "import tarfile; tarfile.open({path}).extractall({folder}, filter='data')", _INSIDE),
    ),
}
#: Ending -> what is in the way, a command that converts; for files of R its code.
_COMMANDS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        _OF_R,
        (_OWN_LIBRARY, "write.csv(readRDS({path}), {csv}, row.names=FALSE)"),
    ),
    ".bz2": ("is compressed in a way that is not read", "bzip2 -dk {path}"),
    ".xz": ("is compressed in a way that is not read", "xz -dk {path}"),
    ".lz4": ("is compressed in a way that is not read", "lz4 -d {path}"),
    ".tar.zst": (_PACKED, "tar --zstd -xf {path}"),
}
_MODELS = (".onnx", ".gguf", ".tflite", ".mlmodel")


def check_known(path: Path) -> None:
    """Raise VqbenchError for a format that is not read, with the line that converts it; the file is not read."""
    name = path.name.lower()
    if name.endswith((".safetensors.index.json", ".safetensors.index")):
        raise VqbenchError(f"{path}: lists the files of a model, and holds no vectors; name one of the files")
    for ending in _MODELS:
        if name.endswith(ending):
            raise VqbenchError(f"{path}: {ending} {_NO_VECTORS}")
    for ending in sorted({*_PYTHON, *_COMMANDS}, key=len, reverse=True):
        if name.endswith(ending):
            raise VqbenchError(f"{path}: {_refused(path, ending)}")


def check_folder(folder: Path) -> None:
    """Raise VqbenchError for a cache of MTEB: plain numbers in ``vectors.npy``, and which text has which row."""
    if not all((folder / name).is_file() for name in ("vectors.npy", "index.json", "dimension")):
        return
    code = (
        "import json, numpy, pathlib; p = pathlib.Path({path}); i = json.loads((p / 'index.json').read_text()); "
        "x = numpy.fromfile(p / 'vectors.npy', 'float32').reshape(-1, int((p / 'dimension').read_text())); "
        "numpy.savez({npz}, ids=list(i), vectors=x[list(i.values())])"
    )
    raise VqbenchError(
        f"{folder}: a cache of MTEB, with documents and queries in one table of plain numbers; convert it: "
        f"{_python(folder, folder.suffix, code)}"
    )


def refuse_bin(path: Path) -> NoReturn:
    """Raise VqbenchError for a ``.bin`` file without word vectors: say what its first bytes are."""
    with path.open("rb") as file:
        first = file.read(8)
    if first.startswith((b"PK\x03\x04", b"\x80")):
        raise VqbenchError(f"{path}: {_refused(path, '.pt')}")
    size, (n, d) = path.stat().st_size, struct.unpack("<II", first.ljust(8, b"\0"))
    if n and d and size == 8 + 4 * n * d:
        renamed = shlex.quote(str(path.with_suffix(".fbin")))
        raise VqbenchError(
            f"{path}: .bin may hold anything, and its header and size are those of .fbin ({n:,} x {d:,}); name it so: "
            f"mv {shlex.quote(str(path))} {renamed}"
        )
    code = "import numpy; numpy.save({npy}, numpy.fromfile({path}, dtype='float32').reshape(-1, 768))"
    raise VqbenchError(
        f"{path}: .bin does not say how many numbers a row has; convert it: {_python(path, '.bin', code)}{_D}"
    )


def _refused(path: Path, ending: str) -> str:
    """Why a file is not read, and what converts it."""
    if ending in _COMMANDS:
        problem, command = _COMMANDS[ending]
        of_r = ending in _OF_R
        written = repr if of_r else shlex.quote
        command = command.format(**{name: written(str(place)) for name, place in _places(path, ending).items()})
        command = f"Rscript -e {shlex.quote(command)}" if of_r else command
        return f"{ending} {problem}; convert it: {command}"
    problem, code, more = _PYTHON[ending]
    more = more.format(folder=_places(path, ending)["folder"])
    return f"{ending} {problem}; convert it: {_python(path, ending, code)}{more}"


def _python(path: Path, ending: str, code: str) -> str:
    """A command that runs Python code, with paths in it."""
    code = code.format(**{name: repr(str(place)) for name, place in _places(path, ending).items()})
    return python_command(code)


def _places(path: Path, ending: str) -> dict[str, Path]:
    """The file, and what it may be converted to."""
    bare = path.name[: -len(ending)] if ending and path.name.lower().endswith(ending) else path.stem
    kinds = ("npy", "npz", "parquet", "csv")
    return {"path": path, "folder": path.with_name(bare), **{x: path.with_name(f"{bare}.{x}") for x in kinds}}
