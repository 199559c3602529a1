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

from PIL import Image

from perceiver_bench.errors import UserError

MOST_FILES = 24
"""Of each task, so that one does not fill the page."""
MOST_BYTES = 4 * 2**20
"""Of a picture or a video."""
MOST_TEXT_BYTES = 64 * 2**10
"""Of a text."""
MOST_BYTES_OF_PAGE = 48 * 2**20
"""Of all files together, before they are written as text."""

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
_TEXTS = (".md", ".txt")


class _LeftOut(Exception):
    """Why a file is not shown."""


@dataclasses.dataclass(frozen=True)
class Shown:
    """One file. `content` is a data address of a picture or video, or the text itself.

    `width` and `height` are in pixels, 0 but for pictures.
    """

    name: str
    kind: Literal["picture", "video", "text"]
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


def galleries(results_dir: pathlib.Path, tasks: list[str]) -> dict[str, Gallery]:
    """Returns what `results_dir/pictures/<task>` holds, of the tasks that have such a folder.

    Files of other kinds, as tables, are passed over. A file that is too large, or is not what
    its name says, is left out with the reason; so is what a link points to, which need not be
    of this folder.

    Raises:
        UserError: if a file cannot be read.
    """
    room = MOST_BYTES_OF_PAGE
    found = {}
    for task in tasks:
        folder = results_dir / "pictures" / task
        shown: list[Shown] = []
        left_out = []
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() not in (*_FORMATS, *_TEXTS, ".mp4"):
                continue
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
            found[task] = Gallery(tuple(shown), tuple(left_out))
    return found


def _read(path: pathlib.Path, name: str, room: int) -> Shown:
    if path.is_symlink() or not path.is_file():
        raise _LeftOut("not a plain file")
    suffix = path.suffix.lower()
    most, size = MOST_TEXT_BYTES if suffix in _TEXTS else MOST_BYTES, path.stat().st_size
    if size > most:
        raise _LeftOut(f"{size:,} bytes, more than {most:,}")
    if size > room:
        raise _LeftOut(f"the files of the page would exceed {MOST_BYTES_OF_PAGE:,} bytes")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if suffix in _TEXTS:
        try:
            return Shown(name, "text", content.decode(), size, digest)
        except UnicodeDecodeError:
            raise _LeftOut("not text in UTF-8") from None
    if suffix == ".mp4":
        if content[4:8] != b"ftyp":
            raise _LeftOut("not an MP4 file")
        return Shown(name, "video", _address("video/mp4", content), size, digest)
    kind = _FORMATS[suffix]
    width, height = _size(content, kind)
    address = _address(f"image/{kind.lower()}", content)
    return Shown(name, "picture", address, size, digest, width, height)


def _size(content: bytes, kind: str) -> tuple[int, int]:
    """Returns width and height from the head of a picture, which is not decoded."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(content), formats=[kind]) as picture:
                return picture.size
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise _LeftOut("too many pixels") from None
        except (OSError, SyntaxError, ValueError):
            raise _LeftOut(f"not a {kind} file") from None


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
