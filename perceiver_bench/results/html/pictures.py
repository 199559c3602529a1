# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What a results folder holds to look at: pictures, videos and texts of predictions."""

import base64
import dataclasses
import hashlib
import io
import pathlib
import warnings
from typing import Literal
from xml.etree import ElementTree

from PIL import Image

from perceiver_bench.errors import UserError

MOST_FILES = 64
"""Of each task, so that one does not fill the page; of nine tasks of a robot 57 are written."""
MOST_BYTES = 4 * 2**20
"""Of a picture or a video."""
MOST_TEXT_BYTES = 64 * 2**10
"""Of a text."""
MOST_BYTES_OF_PAGE = 48 * 2**20
"""Of all files together, before they are written as text."""

Kind = Literal["picture", "video", "text"]

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
# What the files begin with, after so many bytes.
_VIDEOS = {".mp4": (4, b"ftyp"), ".webm": (0, b"\x1a\x45\xdf\xa3")}
_KINDS: dict[str, Kind] = {
    **dict.fromkeys((*_FORMATS, ".svg"), "picture"),
    **dict.fromkeys(_VIDEOS, "video"),
    **dict.fromkeys((".md", ".txt"), "text"),
}


class _LeftOut(Exception):
    """Why a file is not shown."""


@dataclasses.dataclass(frozen=True)
class Shown:
    """One file. `content` is a data address of a picture or video, or the text itself.

    `width` and `height` are in pixels, 0 where they are not known and but for pictures.
    """

    name: str
    kind: Kind
    content: str
    size: int
    digest: str
    width: int = 0
    height: int = 0


@dataclasses.dataclass(frozen=True)
class Gallery:
    """The files of one task, and the names of those that are left out with the reason."""

    shown: tuple[Shown, ...]
    left_out: tuple[tuple[str, str], ...]


def galleries(results_dir: pathlib.Path) -> dict[str, Gallery]:
    """Returns what the folders `results_dir/pictures/<family>/<task>` hold, by the task's name.

    Texts come first, then pictures by their paths; a video follows the picture of the same
    name, as that of an episode does its film strip. Files of other kinds, as tables, are passed
    over. A file that is too large, or is not what its name says, is left out with the reason;
    so is what a link points to, which need not be of this folder.

    Raises:
        UserError: if a file cannot be read.
    """
    room = MOST_BYTES_OF_PAGE
    found = {}
    for folder in sorted((results_dir / "pictures").glob("*/*")):
        shown: list[Shown] = []
        left_out = []
        for path in _in_order(folder):
            name = path.relative_to(folder).as_posix()
            try:
                if len(shown) == MOST_FILES:
                    raise _LeftOut(f"more than {MOST_FILES} files of one task")
                one = _read(path, name, room)
            except _LeftOut as reason:
                left_out.append((name, str(reason)))
            except OSError as error:
                raise UserError(f"{path}: cannot be read ({error.strerror}); mend it") from error
            else:
                shown.append(one)
                room -= one.size
        if shown or left_out:
            task = f"{folder.parent.name}/{folder.name}"
            found[task] = Gallery(tuple(shown), tuple(left_out))
    return found


def _in_order(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the paths below a folder whose names are those of files to be shown."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _KINDS)
    pictures = {path.stem: path for path in reversed(paths) if _kind(path) == "picture"}

    def place(path: pathlib.Path) -> tuple[bool, pathlib.Path, bool]:
        is_video = _kind(path) == "video"
        beside = pictures.get(path.stem, path) if is_video else path
        return _kind(path) != "text", beside, is_video

    return sorted(paths, key=place)


def _kind(path: pathlib.Path) -> Kind:
    return _KINDS[path.suffix.lower()]


def _read(path: pathlib.Path, name: str, room: int) -> Shown:
    if path.is_symlink() or not path.is_file():
        raise _LeftOut("not a plain file")
    kind, size = _kind(path), path.stat().st_size
    most = MOST_TEXT_BYTES if kind == "text" else MOST_BYTES
    if size > most:
        raise _LeftOut(f"{size:,} bytes, more than {most:,}")
    if size > room:
        raise _LeftOut(f"the files of the page would exceed {MOST_BYTES_OF_PAGE:,} bytes")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    suffix = path.suffix.lower()
    if kind == "text":
        try:
            return Shown(name, kind, content.decode(), size, digest)
        except UnicodeDecodeError:
            raise _LeftOut("not text in UTF-8") from None
    if kind == "video":
        start, beginning = _VIDEOS[suffix]
        if content[start : start + len(beginning)] != beginning:
            raise _LeftOut(f"not {suffix[1:].upper()} video")
        return Shown(name, kind, _address(f"video/{suffix[1:]}", content), size, digest)
    if suffix == ".svg":
        width, height = _size_of_drawing(content)
        return Shown(name, kind, _address("image/svg+xml", content), size, digest, width, height)
    file_format = _FORMATS[suffix]
    width, height = _size(content, file_format)
    address = _address(f"image/{file_format.lower()}", content)
    return Shown(name, kind, address, size, digest, width, height)


def _size(content: bytes, file_format: str) -> tuple[int, int]:
    """Returns width and height from the head of a picture, which is not decoded."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(content), formats=[file_format]) as picture:
                return picture.size
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise _LeftOut("too many pixels") from None
        except (OSError, SyntaxError, ValueError):
            raise _LeftOut(f"not a {file_format} file") from None


def _size_of_drawing(content: bytes) -> tuple[int, int]:
    """Returns width and height of an SVG file's view box, or zeros if it names none.

    A browser runs no script of a picture and loads nothing for it. What a reader of XML would
    swell with, entities within entities, the parser refuses.
    """
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError):
        raise _LeftOut("not an SVG file") from None
    if root.tag != "{http://www.w3.org/2000/svg}svg":
        raise _LeftOut("not an SVG file")
    try:
        _, _, width, height = map(float, root.get("viewBox", "").replace(",", " ").split())
        return round(width), round(height)
    except (ValueError, OverflowError):
        return 0, 0


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
