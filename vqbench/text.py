"""Text from configs and data as names of files and on a screen, and numbers as they are printed."""

from __future__ import annotations

import difflib
import hashlib
import itertools
import math
import re
import shlex
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from vqbench.errors import VqbenchError

#: Bytes of a file name made of a name: what is added to it (seed, key, ending) fits into 255.
MOST_SLUG = 120
_MOST_NAME = 1000
_MOST_SHOWN = 80
#: Characters of valid names in a message; how many names where that is too long.
_MOST_SUGGESTED, _FEW_SUGGESTED = 400, 4
#: What Windows takes for devices, whatever follows after a dot.
_DEVICES = {
    "con",
    "prn",
    "aux",
    "nul",
    "conin",
    "conout",
    *(f"{port}{number}" for port in ("com", "lpt") for number in range(10)),
}
#: Begin a formula in a spreadsheet that opens metrics.csv.
_FORMULA = "=+-@"
#: Controls of terminals, and signs that turn the direction of writing.
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
#: Letters, their marks and decimal digits; other digits are none, since Windows takes COM\u00b9 for a device.
_LETTERS = {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd"}
#: Letters and marks that leave no trace on a screen.
_BLANK = set("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0") | {
    chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
}


def slug(name: str) -> str:
    """Return a safe file name: letters, digits, ``.``, ``_`` and ``-``, no path, no device of Windows.

    Letters and digits of any script are kept, composed (NFC) as most file systems write them. A name that is too long
    or has other than ASCII letters also gets 8 digits of its hash, so that two of them stay apart, whatever a file
    system takes for the same.
    """
    kept = "".join(char if _plain(char) else "\0" for char in unicodedata.normalize("NFC", name))
    plain = re.sub("\0+", "-", kept).strip("-.")
    if plain.partition(".")[0].casefold() in _DEVICES:
        plain = f"_{plain}"
    if plain and len(plain) <= MOST_SLUG and name.isascii():
        return plain
    key = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    begins = plain.encode()[: MOST_SLUG - 9].decode(errors="ignore").rstrip("-.")
    return f"{begins or 'unnamed'}-{key}" if name else "unnamed"


def _plain(char: str) -> bool:
    if char.isascii():
        return char.isalnum() or char in "._-"
    return unicodedata.category(char) in _LETTERS and char not in _BLANK


def distinct(names: Iterable[str]) -> list[str]:
    """Return a slug for each name, no two alike, even where capitals do not count: a later one gets a number.

    >>> distinct(["int8", "INT8", "a/b"])
    ['int8', 'INT8-2', 'a-b']
    """
    taken, slugs = set[str](), []
    for name in names:
        first = slug(name)
        numbered = itertools.chain([first], (f"{first}-{number}" for number in itertools.count(2)))
        slugs.append(next(each for each in numbered if each.casefold() not in taken))
        taken.add(slugs[-1].casefold())
    return slugs


def checked_name(name: object, place: str) -> str:
    """Return the name, if tables, figures and screens can show it; ``place`` stands before the message.

    Raises VqbenchError where it is not text, empty, too long, begins as a formula of a spreadsheet does, or has
    characters that are not seen, as a terminal's controls are.
    """
    if not isinstance(name, str) or not name.strip():
        raise VqbenchError(f"{place}: the name {name!r} must be text, and not empty: write it in quotes")
    if len(name) > _MOST_NAME:
        raise VqbenchError(f"{place}: the name {name[:40]!r}... has {len(name):,} characters; at most {_MOST_NAME:,}")
    if name[0] in _FORMULA:
        raise VqbenchError(
            f"{place}: the name {name[:40]!r} begins with {name[0]}, as formulas do: begin with a letter"
        )
    if shown(name) != name:
        raise VqbenchError(f"{place}: the name {name[:40]!r} has characters that cannot be seen: leave them out")
    return name


def shown(text: str) -> str:
    """Return the text in one line, with escapes for what could move a cursor, ring a bell or reverse the writing."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if unicodedata.category(char) not in _UNSEEN else char.encode("unicode_escape").decode() for char in text
    )


def shortened(value: object, most: int = _MOST_SHOWN) -> str:
    """Return a value as a message shows it: in one line, and cut off where it is long."""
    text = str(value)
    return shown(text if len(text) <= most else f"{text[:most]}...")


def one_line(text: str, most: int = 60) -> str:
    """Return the beginning of a text in one line, with one blank for blanks, tabs and line ends of any number.

    >>> one_line("A title\\n\\nand a text", 12)
    'A title and...'
    """
    words = " ".join(text[: 16 * most].split())
    return shown(words if len(words) <= most else f"{words[:most].rstrip()}...")


def fit_message(message: object, most: int = 2000) -> str:
    """Return a message in one line, without its middle where somebody's file or setting made it endless."""
    text = shown(str(message))
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 2 :]}"


def python_command(code: str) -> str:
    """Return the command that runs Python code, as a shell takes it; names and paths stand in it as ``repr`` does.

    >>> print(python_command("f('x.npy')"), python_command("f('$x')"))
    python -c "f('x.npy')" python -c 'f('"'"'$x'"'"')'
    """
    return f"python -c {shlex.quote(code)}" if set(code) & set('"$`\\!') else f'python -c "{code}"'


def share(value: float) -> str:
    """Write a share with three decimals; ``-`` where it is not known.

    What is almost but not quite all is rounded down: only 1 itself may be written as 1.000.

    >>> share(0.9655), share(0.9996), share(1.0)
    ('0.966', '0.999', '1.000')
    """
    if math.isnan(value):
        return "-"
    return "0.999" if 0.9995 <= value < 1 else f"{value:.3f}"


def percent(value: float) -> str:
    """Write a share as a percentage, with its sign: the digits of ``share``, so that both round alike.

    >>> percent(0.9655), percent(0.9996), percent(1.0)
    ('96.6 %', '99.9 %', '100.0 %')
    """
    return "-" if math.isnan(value) else f"{100 * float(share(value)):.1f} %"


def signed(value: float) -> str:
    """Write a difference with its sign and three decimals; no sign where all decimals are zero, ``-`` if unknown.

    >>> signed(0.1), signed(-0.00049), signed(float("nan"))
    ('+0.100', '0.000', '-')
    """
    if math.isnan(value):
        return "-"
    return "0.000" if abs(value) < 0.0005 else f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")


def expanded(path: str) -> Path:
    """Return the path with ``~`` and ``~name`` as home folders, which no shell expands behind a ``=``."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # there is no such user: a message that names the path follows
        return Path(path)


def natural(path: str | Path) -> tuple[tuple[int, int, str], ...]:
    """Return what sorts names as people count: part-2 before part-10.

    >>> [path.name for path in sorted(map(Path, ["p10.npy", "p2.npy", "p1.npy"]), key=natural)]
    ['p1.npy', 'p2.npy', 'p10.npy']
    """
    pieces = [piece for piece in re.split(r"([0-9]+)", str(path)) if piece]
    return tuple((0, int(x), x) if x[0] in "0123456789" else (1, 0, x) for x in pieces)


def check_no_links(folder: Path) -> None:
    """Raise VqbenchError where a folder inside a results folder is a link: what is written would land elsewhere."""
    cells = folder / "cells"
    below = sorted(cells.iterdir()) if cells.is_dir() and not cells.is_symlink() else []
    for path in (folder / "figures", cells, *below):
        if path.is_symlink():
            raise VqbenchError(
                f"{path}: is a link to {path.readlink()}, so results would be written outside {folder}: "
                "remove the link, or choose another folder with out=DIR"
            )


def did_you_mean(name: str, valid: Iterable[str], otherwise: str = "see vqbench list") -> str:
    """Return "did you mean a, b?", or the valid names where there are few; ``otherwise`` where there are many.

    >>> did_you_mean("int9", ["int8", "binary"])
    'did you mean int8?'
    """
    valid = sorted(valid)
    close = difflib.get_close_matches(name, valid, n=3, cutoff=0.5)
    if close:
        return f"did you mean {', '.join(close)}?"
    if not valid:
        return "it takes none"
    if len(valid) > 30:
        return otherwise
    listed = ", ".join(valid)
    if len(listed) > _MOST_SUGGESTED:
        listed = f"{', '.join(valid[:_FEW_SUGGESTED])} and {len(valid) - _FEW_SUGGESTED} more"
    return f"valid: {listed}"
