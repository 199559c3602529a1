# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""MATLAB's own files, read as SciPy reads them; and files that claim what they have not."""

import io
import pathlib
import struct
import zlib

import hypothesis
import imagenet_made_files as made
import numpy as np
import pytest
import scipy.io
from hypothesis import strategies as st
from perceiver_bench.tasks.imagenet import mat_file

MATLAB_FILES = pathlib.Path(scipy.io.__file__).parent / "matlab" / "tests" / "data"
MAX_BYTES = 1 << 24


def as_value(value):
    """What SciPy read, as a text, a number, or None for anything else."""
    if value.dtype.kind == "U":
        return str(value[0]) if value.size == 1 else None
    return float(value.item()) if value.dtype.kind in "biuf" and value.size == 1 else None


@pytest.mark.skipif(not MATLAB_FILES.is_dir(), reason="SciPy came without its .mat files")
@pytest.mark.parametrize("kind", ["struct", "structarr", "structnest"])
@pytest.mark.parametrize("version", ["6.1_SOL2", "6.5.1_GLNX86", "7.1_GLNX86", "7.4_GLNX86"])
def test_files_of_matlab_itself(kind, version):
    path = MATLAB_FILES / f"test{kind}_{version}.mat"
    expected = scipy.io.loadmat(path)[f"test{kind}"].ravel()
    fields = expected.dtype.names
    table = mat_file.read_table(path.read_bytes(), f"test{kind}", fields, MAX_BYTES)
    for field in fields:
        assert table[field] == [as_value(value) for value in expected[field]]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_values_of_every_kind(packed):
    values = [
        "n01440764",
        "größer, 犬",
        "",
        1860.0,
        np.uint8(200),
        np.int16(-3),
        np.float32(0.5),
        np.int64(1 << 40),
        True,
        np.array([1.0, 2.0]),
        np.array([["ab"], ["cd"]]),
        np.empty((0, 0)),
        1j,
    ]
    table = np.empty((len(values), 1), [("value", object), ("number", object)])
    table[:, 0] = [(value, i) for i, value in enumerate(values)]
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"first": np.ones(3), "table": table}, do_compression=packed)
    read = mat_file.read_table(buffer.getvalue(), "table", ["number", "value"], MAX_BYTES)
    assert read["number"] == [*range(len(values))]
    assert read["value"][:2] == values[:2]
    assert read["value"][2] in ("", None)
    assert read["value"][3:9] == [1860, 200, -3, 0.5, 1 << 40, 1]
    assert read["value"][9:] == [None] * 4


def element(kind, content):
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def struct_array(count, cells, width=8, names=b"WNID\0\0\0\0"):
    """A file with one struct array that claims to have `count` structs."""
    body = (
        element(6, struct.pack("<II", 2, 0))
        + element(5, struct.pack("<2i", count, 1))
        + element(1, b"synsets")
        + element(5, struct.pack("<i", width))
        + element(1, names)
        + b"".join(element(14, cell) for cell in cells)
    )
    return made.synsets_table()[:128] + element(14, body)


def packed(content):
    body = zlib.compress(content)
    return made.synsets_table()[:128] + struct.pack("<II", 15, len(body)) + body


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no .mat file of version 5"),
        (b"text" * 100, "no .mat file of version 5"),
        (made.synsets_table()[:128], "it has no table 'synsets'"),
        (made.synsets_table()[:-1], "cut short"),
        (made.mat_of(np.ones(3)), "it has no table 'synsets'"),
        (struct_array(1 << 30, []), "1,073,741,824 structs are due and 0 fields are there"),
        (struct_array(-1, []), "structs are due"),
        (struct_array(0, [], width=0), "damaged names of fields"),
        (struct_array(0, [], width=-8), "damaged names of fields"),
        (struct_array(0, [], names=b""), "damaged names of fields"),
        (struct_array(0, [], 1, b"a" * 100_000), "damaged names of fields"),
        (struct_array(0, [], names=b"OTHER\0\0\0"), "its structs have no 'WNID'"),
        (packed(bytes(1 << 25)), "it unpacks to more than 16,777,216 bytes"),
        (packed(element(14, bytes(64)) * 2), "too many values to unpack"),
    ],
    ids=[
        "empty",
        "text",
        "header",
        "cut short",
        "numbers",
        "claims",
        "minus one",
        "no width",
        "negative width",
        "no names",
        "many names",
        "other field",
        "bomb",
        "two in one",
    ],
)
def test_what_is_no_table_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        mat_file.read_table(content, "synsets", ["WNID"], MAX_BYTES)


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(st.lists(st.tuples(st.integers(0, 1 << 12), st.binary(max_size=8)), max_size=4))
def test_damage_never_does_more_than_a_value_error(changes):
    table = np.empty((4, 1), [("WNID", object), ("ILSVRC2012_ID", object)])
    table[:, 0] = [(f"n0000000{i}", float(i)) for i in range(4)]
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"synsets": table})
    content = bytearray(buffer.getvalue())
    for start, some in changes:
        start %= len(content)
        content[start : start + len(some)] = some[: len(content) - start]
    try:
        read = mat_file.read_table(bytes(content), "synsets", ["WNID"], MAX_BYTES)
    except ValueError:
        return
    assert len(read["WNID"]) <= 4
