"""Text in blocks of complete lines, in UTF-8 whatever it was written in."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from vqbench.datasets.readers.base import refusal

#: Bytes of a line at most.
LINE = 1 << 24
_BLOCK = 1 << 21  # bytes at a time
_HEAD = 1 << 18  # bytes by which line ends are told
_END = b"\n"
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_WIDE_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


def encoding_of(path: Path) -> tuple[str, int]:
    """Return the encoding of a file of text by the mark at its beginning, and the bytes of that mark."""
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(_WIDE_MARKS):
        raise refusal(
            path,
            problem="UTF-32",
            rule="needs UTF-8 or UTF-16",
            remedy=f"convert it: iconv -f UTF-32 -t UTF-8 {quote(str(path))} > new.csv",
        )
    return next(((name, len(mark)) for mark, name in _MARKS.items() if start.startswith(mark)), ("utf-8", 0))


def blocks_of(path: Path, *, quoted: bool) -> Iterator[bytes]:
    """Yield the text of a file in UTF-8, complete lines at a time, with ``\\n`` or ``\\r\\n`` at their ends.

    Args:
        path: of the file.
        quoted: whether a line end between quotes is none.

    Raises:
        VqbenchError: what the file holds is no text, or has no line ends.
    """
    encoding, begin = encoding_of(path)
    decoder = codecs.getincrementaldecoder(encoding)()
    line, rest, held = 1, b"", b""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        returns = b"\r" in head and b"\n" not in head  # line ends of old Macs
        file.seek(begin)
        while chunk := file.read(_BLOCK):
            if encoding != "utf-8":
                chunk = _decoded(path, decoder, chunk)
            rest += chunk.replace(b"\r", b"\n") if returns else chunk
            end = _last_end(rest, quoted)
            if not end and len(rest) >= LINE:
                raise refusal(
                    path,
                    place=f"line {line}",
                    problem=f"{LINE} characters and more",
                    rule="a line is one row" + (", and a quote must be closed" if quoted and b'"' in rest else ""),
                    remedy="write it again with line ends",
                )
            if end:
                if held:
                    yield held
                held, rest = _checked(path, rest[:end], line), rest[end:]
                line += held.count(b"\n")
    rest += _decoded(path, decoder, b"", final=True)
    if rest and held:
        yield held
    held = _checked(path, rest, line) if rest else held
    if held := held.rstrip(b"\r\n"):
        yield held + b"\n"


def _decoded(path: Path, decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bytes:
    try:
        return decoder.decode(chunk, final).encode()
    except UnicodeError:
        raise refusal(
            path, problem="not UTF-16, as its first bytes say", rule="needs text", remedy="write it again as UTF-8"
        ) from None


def _last_end(text: bytes, quoted: bool) -> int:
    """Where the last line ends that ends outside of quotes; 0 where none does."""
    end = text.rfind(b"\n") + 1
    if not quoted or not end:
        return end
    quotes = text.count(b'"', 0, end)
    while quotes % 2 and end:
        before = text.rfind(b"\n", 0, end - 1) + 1
        quotes -= text.count(b'"', before, end)
        end = before
    return end


def _checked(path: Path, text: bytes, line: int) -> bytes:
    """Lines that are UTF-8 and hold no NUL."""
    if b"\0" in text:
        nuls = text.count(b"\0")
        raise refusal(
            path,
            place=f"line {line + text.count(_END, 0, text.index(0))}",
            problem="a NUL character",
            rule="needs text",
            remedy=f"it may be UTF-16 without a mark: iconv -f UTF-16LE -t UTF-8 {quote(str(path))} > utf8{path.suffix}"
            if nuls * 3 > len(text)
            else "write it again: it was damaged, or is of another type",
        )
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError as error:
            raise refusal(
                path,
                place=f"line {line + text.count(_END, 0, error.start)}",
                problem=f"byte 0x{text[error.start]:02x} is not UTF-8",
                rule="needs UTF-8 text, or UTF-16 with a byte order mark",
                remedy=f"if it is Latin-1, convert it: iconv -f LATIN1 -t UTF-8 {quote(str(path))} > utf8{path.suffix}",
            ) from None
    return text
