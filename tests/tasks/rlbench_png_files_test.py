# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import contextlib
import struct
import zlib

import numpy as np
import pytest
import rlbench_made_files as made
from hypothesis import given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.rlbench import png_files

from perceiver_bench.errors import UserError


def parts(*parts):
    whole = b"\x89PNG\r\n\x1a\n"
    for kind, content in (*parts, (b"IEND", b"")):
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        whole += struct.pack(">I", len(content)) + kind + content + checksum
    return whole


def head(width=2, height=2, kind=b"\x08\x02\x00\x00\x00"):
    return b"IHDR", struct.pack(">II", width, height) + kind


ROWS = b"\0abcdef" * 2
WHOLE = parts(head(), (b"IDAT", zlib.compress(ROWS)))


def test_a_picture_of_parts_is_read(tmp_path):
    path, packed = tmp_path / "0.png", zlib.compress(ROWS)
    path.write_bytes(
        parts(head(), (b"tEXt", b"\xff"), (b"IDAT", packed[:3]), (b"IDAT", packed[3:]))
    )
    np.testing.assert_array_equal(
        png_files.read_picture(path), np.array([list(b"abcdef")] * 2).reshape(2, 2, 3)
    )
    assert png_files.picture_size(path) == (2, 2)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("empty", b"", "the file is empty"),
        ("text", b"a text" * 10, "not a PNG file"),
        ("JPEG", b"\xff\xd8\xff" * 20, "not a PNG file"),
        ("zero size", parts(head(0, 0), (b"IDAT", zlib.compress(b""))), "0 x 0 pixels"),
        ("huge", parts(head(2**30, 2**30), (b"IDAT", b"")), "1073741824 x 1073741824 pixels"),
        ("grey", made.png(np.zeros((2, 2), np.uint8)), "not an RGB picture"),
        ("alpha", made.png(np.zeros((2, 2, 4), np.uint8)), "not an RGB picture"),
        ("16 bits", parts(head(kind=b"\x10\x02\0\0\0"), (b"IDAT", b"")), "not an RGB picture"),
        ("a row is missing", parts(head(), (b"IDAT", zlib.compress(ROWS[:7]))), "do not fill"),
        ("a row too many", parts(head(), (b"IDAT", zlib.compress(ROWS * 2))), "do not fill"),
        ("bomb", parts(head(), (b"IDAT", zlib.compress(bytes(10**7)))), "do not fill"),
        ("no pixels", parts(head()), "damaged"),
        ("no stream", parts(head(), (b"IDAT", b"abc")), "damaged"),
        ("checksum", WHOLE[:50] + b"\0" + WHOLE[51:], "checksum"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_odd_picture_is_told(name, content, match, tmp_path):  # noqa: ARG001
    path = tmp_path / "7.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"7\.png: .*{match}") as error:
        png_files.read_picture(path)
    assert "\n" not in str(error.value)


def test_every_truncation_of_a_picture_is_told(tmp_path):
    path = tmp_path / "7.png"
    content = made.png(np.arange(300, dtype=np.uint8).reshape(10, 10, 3))
    for end in range(len(content)):
        path.write_bytes(content[:end])
        with pytest.raises(UserError, match=r"7\.png: "):
            png_files.read_picture(path)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_changed_byte_is_told_or_changes_nothing(tmp_path_factory, position, change):
    path = tmp_path_factory.getbasetemp() / "changed.png"
    content = bytearray(WHOLE)
    content[position] ^= change
    path.write_bytes(content)
    with contextlib.suppress(UserError):
        np.testing.assert_array_equal(
            png_files.read_picture(path), np.array([list(b"abcdef")] * 2).reshape(2, 2, 3)
        )
