# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Documents of text files, JSON lines and Parquet, streamed part by part."""

import collections
import dataclasses
import gzip
import json
import pathlib
import re
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from absl import logging

from perceiver_bench.data.parquet import parquet_rows
from perceiver_bench.errors import UserError

TEXT_COLUMN = "text"
# A longer document is cut at white space, so that a book is not one of ten joined documents.
PART_BYTES = 1 << 16
# Far above any document; keeps a hostile file from filling the memory.
_MAX_LINE_BYTES = 1 << 28
_KINDS = (".txt", ".jsonl", ".json", ".parquet")
_READ_BYTES = 1 << 20
_BROKEN = (EOFError, zlib.error, gzip.BadGzipFile)


@dataclasses.dataclass
class Counts:
    """What was read, and what was mended or left out on the way.

    A document is cut into parts of at most 64 KiB. Documents without text are left out, a
    NUL becomes a space, bytes that are not UTF-8 become the replacement character; lines
    and files that break off count as broken, and what came before is kept.
    """

    documents: int = 0
    parts: int = 0
    empty_documents: int = 0
    parts_with_nul: int = 0
    parts_with_broken_utf8: int = 0
    broken_lines: int = 0
    broken_files: int = 0


def text_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns all files of text below `folder`, sorted by path.

    Raises:
        UserError: if there are none.
    """
    found = sorted(path for path in folder.rglob("*") if path.is_file() and _kind(path))
    if not found:
        raise UserError(
            f"--data_dir: {folder} holds no text: .txt, .jsonl or .json (also .gz), or .parquet"
        )
    return found


def _kind(path: pathlib.Path) -> str | None:
    """Returns the suffix that says how a file is read, without `.gz`; None for others."""
    name = path.name.removesuffix(".gz")
    suffix = pathlib.PurePath(name).suffix
    if suffix not in _KINDS or (suffix == ".parquet" and name != path.name):
        return None
    return suffix


def parts(path: pathlib.Path, counts: Counts) -> Iterator[bytes]:
    """Yields the documents of a file as UTF-8, in parts of at most `PART_BYTES`.

    A text file is one document; JSON lines and Parquet have one in every `text`.

    Raises:
        UserError: if the file cannot be read or holds no `text`.
    """
    reader = {".txt": _text_file, ".parquet": _parquet}.get(_kind(path) or "", _json_lines)
    try:
        for raw in reader(path, counts):
            part = _cleaned(raw, counts)
            if part:
                counts.parts += 1
                yield part
    except _BROKEN as error:
        counts.broken_files += 1
        logging.warning("%s breaks off: %s; what comes before is used", path, error)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error


def _cleaned(raw: bytes, counts: Counts) -> bytes:
    if b"\0" in raw:
        counts.parts_with_nul += 1
        raw = raw.replace(b"\0", b" ")
    try:
        raw.decode()
    except UnicodeDecodeError:
        counts.parts_with_broken_utf8 += 1
        raw = raw.decode(errors="replace").encode()
    return raw.strip()


def _open(path: pathlib.Path) -> BinaryIO:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # pyright: ignore


def _text_file(path: pathlib.Path, counts: Counts) -> Iterator[bytes]:
    rest, is_empty = b"", True
    with _open(path) as file:
        while block := file.read(_READ_BYTES):
            *whole, rest = _cut(rest + block)
            is_empty = is_empty and not block.strip()
            yield from whole
    yield from _cut(rest)
    counts.documents += 1
    counts.empty_documents += is_empty


def _cut(text: bytes) -> list[bytes]:
    """Cuts text into parts of at most `PART_BYTES` at white space, or within a long word."""
    found = []
    while len(text) > PART_BYTES:
        end = max(text.rfind(space, 0, PART_BYTES) for space in (b" ", b"\n", b"\t")) + 1
        if not end:
            end = PART_BYTES
            while end > PART_BYTES - 4 and text[end] & 0xC0 == 0x80:  # not inside a character
                end -= 1
        found.append(text[:end])
        text = text[end:]
    return [*found, text]


def _json_lines(path: pathlib.Path, counts: Counts) -> Iterator[bytes]:
    found_any = False
    with _open(path) as file:
        number = 0
        while line := file.readline(_MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > _MAX_LINE_BYTES:
                raise UserError(f"{path}, line {number}: longer than {_MAX_LINE_BYTES:,} bytes")
            if not line.strip():
                continue
            try:
                document = json.loads(line.decode(errors="replace"))
            except (json.JSONDecodeError, RecursionError):
                counts.broken_lines += 1
                continue
            found_any = True
            yield from _document(_text_of(document, path, number), counts)
    if not found_any and counts.broken_lines:
        raise UserError(f"{path}: no line is JSON; one object with a field 'text' a line is due")


def _text_of(document: Any, path: pathlib.Path, number: int) -> str:
    text = document.get(TEXT_COLUMN) if isinstance(document, dict) else None
    if not isinstance(text, str):
        raise UserError(f"{path}, line {number}: it has no field {TEXT_COLUMN!r} with text")
    return text


def _document(text: str, counts: Counts) -> Iterator[bytes]:
    counts.documents += 1
    counts.empty_documents += not re.search(r"[^\s\0]", text)
    # A lone surrogate, which JSON can spell, is no text.
    yield from _cut(text.encode("utf-8", errors="surrogatepass"))


def _parquet(path: pathlib.Path, counts: Counts) -> Iterator[bytes]:
    broken = collections.Counter()
    for number, cells in parquet_rows(path, broken, only=TEXT_COLUMN):
        if not number:
            continue  # the names of the columns
        (text,) = cells
        if not isinstance(text, str | None):
            raise UserError(f"{path}, row {number}: its {TEXT_COLUMN!r} is no text")
        yield from _document(text or "", counts)
    counts.parts_with_broken_utf8 += broken.total()
