"""Which files a folder, a glob or a list means, in which order, and what is refused."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqbench.datasets.file import File
from vqbench.datasets.series import files_of_folder, files_of_list, files_of_pattern, lacking
from vqbench.errors import VqbenchError
from vqbench.text import natural


def _made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


@given(st.lists(st.integers(0, 10**12), unique=True, min_size=1), st.booleans())
def test_numbers_are_in_the_order_of_numbers(numbers: list[int], padded: bool) -> None:
    names = [Path(f"emb_{x:0{13 * padded}}.part.npy") for x in numbers]
    in_order = [Path(f"emb_{x:0{13 * padded}}.part.npy") for x in sorted(numbers)]
    assert sorted(names, key=natural) == in_order


@given(st.lists(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_names_without_digits_are_in_the_order_of_text(names: list[str]) -> None:
    """Any name has a place."""
    paths = [Path("x") / name for name in names]
    assert sorted(sorted(paths, key=natural)) == sorted(paths)
    plain = [path for path in paths if not any(char in "0123456789" for char in str(path))]
    assert sorted(plain, key=natural) == sorted(plain, key=str)


def test_a_folder_of_numbered_parts(tmp_path: Path) -> None:
    """Other files, hidden ones and those about others do not count."""
    names = [f"part-{x}.npy" for x in (0, 1, 2, 10)]
    _made(tmp_path, *names, "README.md", ".part-3.npy", "_SUCCESS", "metadata.json", "config.json")
    assert [path.name for path in files_of_folder(tmp_path)] == names
    assert [path.name for path in files_of_pattern(f"{tmp_path}/part-?.npy")] == names[:3]


def test_one_level_down(tmp_path: Path) -> None:
    """As in a repository of the Hub; where several folders hold vectors, they are named."""
    _made(tmp_path, "README.md", "data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet", ".git/x.npy")
    assert [path.name[6:11] for path in files_of_folder(tmp_path)] == ["00000", "00001"]
    _made(tmp_path, "more/x.npy")
    with pytest.raises(VqbenchError, match=f"several folders .* name one of them: {tmp_path}/data, {tmp_path}/more"):
        files_of_folder(tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        ["train-00000-of-00002-0a1b2c3d4e5f6a7b.parquet", "train-00001-of-00002-ffffffffffffffff.parquet"],
        [f"part-{x:05}-6b1f0c1e-{x}b9a-4c7e-9a55-0123456789ab-c000.snappy.parquet" for x in range(2)],
        ["emb_0.npy.gz", "emb_1.npy.gz"],
    ],
)
def test_names_with_what_writers_add(tmp_path: Path, names: list[str]) -> None:
    assert [path.name for path in files_of_folder(_made(tmp_path, *names))] == names


def test_one_file_in_each_of_several_folders(tmp_path: Path) -> None:
    _made(tmp_path, "run10/emb.npy", "run2/emb.npy")
    assert [path.parent.name for path in files_of_pattern(f"{tmp_path}/*/emb.npy")] == ["run2", "run10"]


@pytest.mark.parametrize(
    ("names", "commands"),
    [
        (["docs.npy", "queries.npy"], ["vqbench {0}/docs.npy dataset.queries={0}/queries.npy"]),
        (
            ["train-00000-of-00001.parquet", "test-00000-of-00001.parquet"],
            ["vqbench {0}/train-00000-of-00001.parquet dataset.queries={0}/test-00000-of-00001.parquet"],
        ),
        (
            [f"{split}-0000{x}-of-00002.parquet" for split in ("train", "test") for x in range(2)],
            ["vqbench '{0}/train-*-of-*' 'dataset.queries={0}/test-*-of-*'"],
        ),
        (["emb_0.npy", "emb_1.npy", "ids.csv"], ["vqbench '{0}/emb_*.npy'"]),
        (["a.npy", "b.npy"], ["vqbench dataset=file 'dataset.path=[{0}/a.npy,{0}/b.npy]'"]),
    ],
)
def test_what_is_no_series_is_refused_with_commands(tmp_path: Path, names: list[str], commands: list[str]) -> None:
    """Each command names files that are there, as a shell reads it."""
    _made(tmp_path, *names)
    for call in (lambda: files_of_folder(tmp_path), lambda: files_of_pattern(f"{tmp_path}/*")):
        with pytest.raises(VqbenchError, match="do not make one series of numbered parts") as error:
            call()
        for command in commands:
            assert command.format(tmp_path) in str(error.value)
            for word in shlex.split(command.format(tmp_path))[1:]:
                for path in word.removeprefix("dataset.queries=").removeprefix("dataset.path=").strip("[]").split(","):
                    assert path == "dataset=file" or files_of_pattern(path)


def test_parts_that_are_not_there(tmp_path: Path) -> None:
    """Fewer files than their names say are refused, a gap in a plain count is said."""
    _made(tmp_path, "train-00000-of-00003.parquet", "train-00002-of-00003.parquet")
    with pytest.raises(VqbenchError, match=r"2 of 3 files .* get the others, or list those that you have: ") as error:
        files_of_folder(tmp_path)
    listed = shlex.split(str(error.value).rpartition(": ")[2])[0].removeprefix("dataset.path=").strip("[]").split(",")
    assert [path.name for path in files_of_list([Path(each) for each in listed])] == sorted(
        path.name for path in tmp_path.iterdir()
    )
    assert lacking([Path(f"p{x}.npy") for x in (0, 1, 2, 4, 5)]) == "3"
    assert lacking([Path(f"p{x}.npy") for x in (20240101, 20240108, 20240301)]) == ""
    assert lacking([Path(f"p{x}.npy") for x in (0, 1000, 2000)]) == ""


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "names no file"),
        (["a.npy", "a.npy"], "is listed twice"),
        (["a.npy", "b.csv"], "is another format than"),
    ],
)
def test_lists(tmp_path: Path, names: list[str], message: str) -> None:
    _made(tmp_path, *names)
    with pytest.raises(VqbenchError, match=message):
        files_of_list([tmp_path / name for name in names])


def test_nothing_to_read(tmp_path: Path) -> None:
    _made(tmp_path, "README.md")
    with pytest.raises(VqbenchError, match=r"is a folder without a file of vectors \(it holds README.md\)"):
        files_of_folder(tmp_path)
    with pytest.raises(VqbenchError, match="no file matches"):
        files_of_pattern(f"{tmp_path}/*.npy")


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("clip/parts/*.npy", "parts"),
        ("clip/data/*.npy", "clip"),
        (["clip/a_0.npy", "clip/a_1.npy"], "clip"),
        ("clip/wiki.vec.gz", "wiki"),
        ("clip/embeddings.npy", "clip"),
    ],
)
def test_titles(path: str | list[str], title: str) -> None:
    assert File(path=path).title == title
