"""Which files a path means: a file, a series of numbered files in a folder or by a pattern, or files in a list."""

from __future__ import annotations

import glob
import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from vqbench.datasets.choice import pasted
from vqbench.datasets.formats import readable_ending, readers_by_ending
from vqbench.datasets.refused import check_folder
from vqbench.errors import VqbenchError
from vqbench.text import expanded, natural, shortened

_LISTED = 6  # names in a message
_OF = re.compile(r"^(.*?)([0-9]+)-of-0*([0-9]+)", re.I)  # train-00000-of-00003.parquet
#: What writers add to the names of parts, one for each or one for all: a hash, a UUID.
_TAGS = re.compile(r"[-_.](?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16})(?=[-_.])")
_QUERY_NAMES = re.compile(r"quer|question|test|valid|dev", re.I)
#: What lies beside vectors: codes of them, or facts about their rows.
_BESIDE = re.compile(r"meta|label|(?<![a-z])ids?(?![a-z])|neighbo|truth|binary|int8|codes", re.I)
_CORPUS_NAMES = re.compile(r"corpus|train|base|doc|passage", re.I)
_ABOUT = {"config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "metadata.json", "index.json"}


def is_pattern(path: str) -> bool:
    """Say whether a path is a glob, as in ``parts/*.npy``, and not the name of a file that is there."""
    return glob.has_magic(path) and not expanded(path).exists()


def files_of_pattern(pattern: str) -> list[Path]:
    """Return the files that a glob matches, in natural order. Raises VqbenchError unless they make one series."""
    files = [path for name in glob.glob(str(expanded(pattern)), recursive=True) if (path := Path(name)).is_file()]
    if not files:
        raise VqbenchError(f"{pattern}: no file matches; check the pattern (it is relative to the current folder)")
    return one_series(files, pattern)


def files_of_folder(folder: Path) -> list[Path]:
    """Return the files of a folder, or of the only folder in it, that hold vectors, in natural order.

    Raises:
        VqbenchError: it holds none, or more than one series of them.
    """
    check_folder(folder)
    places = [folder, *(path for path in listed(folder) if path.is_dir() and not path.name.startswith("."))]
    by_place = {place: files for place in places if (files := _readable(place))}
    if folder in by_place:
        return one_series(by_place[folder], str(folder))
    if len(by_place) == 1:
        return one_series(next(iter(by_place.values())), str(folder))
    if by_place:
        names = ", ".join(shlex.quote(str(place)) for place in list(by_place)[:_LISTED])
        raise VqbenchError(f"{folder}: several folders in it hold files of vectors; name one of them: {names}")
    inside = ", ".join(shortened(path.name) for path in listed(folder)[:_LISTED]) or "nothing"
    raise VqbenchError(
        f"{folder}: is a folder without a file of vectors (it holds {inside}); save them there, as in "
        f"numpy.save('{folder / 'corpus.npy'}', x)"
    )


def files_of_list(paths: Sequence[Path]) -> list[Path]:
    """Return files that were listed, in the order of the list: other files, such as that of the ids, may follow it.

    Raises:
        VqbenchError: one is listed twice, or they have several formats.
    """
    files = list(paths)
    if len(files) < 1:
        raise VqbenchError("dataset.path=[]: names no file; list at least one")
    seen = set[Path]()
    twice = next((path for path in files if (place := path.resolve()) in seen or seen.add(place)), None)
    if twice is not None:
        raise VqbenchError(f"{twice}: is listed twice in dataset.path; name it once")
    endings = [readable_ending(path) or path.suffix for path in files]
    for path, ending in zip(files, endings, strict=True):
        if ending != endings[0]:
            raise VqbenchError(
                f"{path}: is another format than {files[0]}; the parts of one corpus must have the same ending"
            )
    return files


def order_of(files: Sequence[Path]) -> str:
    """Say in which order files are read: that of a list may be any."""
    return "in natural order" if list(files) == sorted(files, key=natural) else "in the order given"


def listed(folder: Path) -> list[Path]:
    """Return what a folder holds, in the order of names. Raises VqbenchError where it cannot be listed."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise VqbenchError(
            f"{folder}: cannot be listed ({error.strerror}); ask its owner, or name a file in it"
        ) from None


def _readable(folder: Path) -> list[Path]:
    """The files in a folder that may hold vectors by their names; hidden ones do not count, nor those about others."""
    known = readers_by_ending()
    paths = [path for path in listed(folder) if not path.name.startswith((".", "_")) and path.name not in _ABOUT]
    return [path for path in paths if readable_ending(path, known) and path.is_file()]


def _bare(path: Path) -> str:
    """The name without a hash that a writer put into it."""
    return _TAGS.sub("", path.name)


def _shape(path: Path) -> str:
    """What the names of a series have in common."""
    return re.sub(r"[0-9]+", "#", _bare(path))


def one_series(files: Iterable[Path], place: str) -> list[Path]:
    """The files in natural order. Raises VqbenchError where their names differ in more than numbers, or some lack."""
    files = sorted(files, key=natural)
    series: dict[tuple[Path, str], list[Path]] = {}
    for path in files:
        series.setdefault((path.parent, _shape(path)), []).append(path)
    apart = len({path.parent for path in files}) == len(files) and len({_shape(path) for path in files}) == 1
    if len(series) > 1 and not apart:  # apart: one file of that name in each of several folders
        raise VqbenchError(_several(place, list(series.values()), files))
    parts = [match for path in files if (match := _OF.match(path.name))]
    if len({(match[1], match[3]) for match in parts}) == 1 and len(parts) == len(files) != int(parts[0][3]):
        raise VqbenchError(
            f"{place}: {len(files):,} of {int(parts[0][3]):,} files ({files[0].name} to {files[-1].name}); get the "
            f"others, or list those that you have: {_as_list(files)}"
        )
    return files


def _several(place: str, series: Sequence[Sequence[Path]], files: Sequence[Path]) -> str:
    """What to write where names do not make one series: corpus and queries, or one of them, or the parts as a list."""
    names = ", ".join(shortened(x.name) for x in files[:_LISTED]) + (", ..." if len(files) > _LISTED else "")
    queries = [each for each in series if _QUERY_NAMES.search(each[0].name)]
    rest = [each for each in series if each not in queries]
    rest = [each for each in rest if not _BESIDE.search(each[0].name)] or rest
    rest = [each for each in rest if _CORPUS_NAMES.search(each[0].name)] or rest
    if len(queries) == 1 and len(rest) == 1:
        settings = pasted("queries", _pattern(queries[0]))
        way = f"for a corpus and its queries write vqbench {shlex.quote(_pattern(rest[0]))} {settings}"
    else:
        way = f"name those that you mean, as in vqbench {shlex.quote(_pattern(max(rest or series, key=len)))}"
    beside = any(_BESIDE.search(each[0].name) for each in series)
    alike = len({readable_ending(x) for x in files}) == 1 and len(files) <= _LISTED and not queries and not beside
    more = f", and for the parts of one corpus vqbench dataset=file {_as_list(files)}" if alike else ""
    return f"{place}: its files ({names}) do not make one series of numbered parts; {way}{more}"


def _pattern(series: Sequence[Path]) -> str:
    """The file, or a glob that matches a series."""
    if len(series) == 1:
        return str(series[0])
    if match := _OF.match(series[0].name):
        return str(series[0].with_name(f"{match[1]}*-of-*"))
    return str(series[0].with_name(re.sub(r"[0-9]+", "*", _TAGS.sub("*", series[0].name))))


def _as_list(files: Sequence[Path]) -> str:
    """The setting for a list of files, quoted for a shell."""
    paths = [str(path) if re.fullmatch(r"[\w./-]+", str(path)) else f'"{path}"' for path in files]
    return pasted("path", f"[{','.join(paths)}]")


def lacking(files: Sequence[Path]) -> str:
    """Say which numbers a series lacks, if it is numbered one by one but for a few; else nothing.

    >>> lacking([Path("p_0.npy"), Path("p_1.npy"), Path("p_3.npy")])
    '2'
    """
    numbers = [[int(x) for x in re.findall(r"[0-9]+", _bare(path))] for path in files]
    if len({(path.parent, _shape(path)) for path in files}) > 1:
        return ""
    varying = [column for column in zip(*numbers, strict=True) if len(set(column)) > 1]
    if len(varying) != 1:
        return ""
    present = set(varying[0])
    span = max(present) - min(present) + 1
    if span > 2 * len(present):  # no count, but dates or offsets
        return ""
    missing = [str(x) for x in range(min(present), max(present)) if x not in present]
    return ", ".join(missing[:_LISTED]) + (", ..." if len(missing) > _LISTED else "")
