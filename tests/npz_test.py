# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0

import io
import pathlib
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from perceiver_bench import npz

ARRAYS = {
    "sum": np.linspace(0, 1, 7, dtype=np.float32),
    "part/label": np.arange(7, dtype=np.int32),
    "part/valid": np.array([True, False]),
    "matrix": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "scalar": np.float64(0.1),
    "nothing": np.zeros((0, 3)),
}
LARGE = 10**9


def packed(arrays, save=np.savez_compressed):
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


def read(content, max_bytes=LARGE, prefix=""):
    return npz.read_arrays(io.BytesIO(content), max_bytes=max_bytes, prefix=prefix)


def zipped(entries, **options):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def npy(array, *, shape=None):
    """The bytes of an .npy file, with a header that says another shape if one is given."""
    buffer = io.BytesIO()
    header = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(buffer, header | ({"shape": shape} if shape else {}))
    return buffer.getvalue() + array.tobytes()


def refuse(content, match, max_bytes=LARGE):
    """Asserts that a file is refused in one line and without much memory."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=match) as caught:
            read(content, max_bytes)
        assert tracemalloc.get_traced_memory()[1] < 10**7
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_writes_is_read(save):
    found = read(packed(ARRAYS, save))
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@given(arrays_of.arrays(arrays_of.scalar_dtypes(), arrays_of.array_shapes(min_dims=0, min_side=0)))
def test_any_array_of_numbers_and_texts_comes_back(array):
    content = packed({"one": array})
    (found,) = read(content).values()
    with np.load(io.BytesIO(content), allow_pickle=False) as expected:
        np.testing.assert_array_equal(found, expected["one"])
        assert found.dtype == expected["one"].dtype


def test_only_arrays_of_the_prefix_are_read_and_counted():
    content = packed({**ARRAYS, "large": np.zeros(10**6)})
    assert read(content, 1000, prefix="part/").keys() == {"part/label", "part/valid"}
    refuse(content, "take 8,00.,... bytes, at most 1,000 are read", max_bytes=1000)


def test_a_pickle_is_refused_and_not_run(tmp_path):
    class Harm:
        def __reduce__(self):
            return (pathlib.Path.touch, (tmp_path / "harm",))

    refuse(packed({"one": np.array([Harm()], dtype=object)}), "Python objects")
    assert not list(tmp_path.iterdir())


def test_a_bomb_is_refused_before_it_is_unpacked():
    content = packed({"one": np.zeros(5 * 10**7, np.int8)})
    assert len(content) < 10**5
    refuse(content, "take 50,000,128 bytes", max_bytes=10**7)


@pytest.mark.parametrize("shape", [(10**12,), (3,), (2**62, 2**62), (-1,), (-2, -2)])
def test_a_header_of_another_size_than_the_entry_is_refused(shape):
    refuse(zipped([("one.npy", npy(np.arange(4), shape=shape))]), "size|negative")


def test_an_entry_that_unpacks_to_more_than_it_says_is_refused():
    small = npy(np.zeros(100, np.int8))
    content = zipped([("one.npy", small + bytes(10**6))], compression=zipfile.ZIP_DEFLATED)
    size = struct.pack("<L", len(small) + 10**6)
    assert content.count(size) == 2  # before the entry and in the table at the end
    refuse(content.replace(size, struct.pack("<L", len(small))), "CRC")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "not a zip file"),
        (b"\x93NUMPY", "not a zip file"),
        (zipped([("one.npy", b"\x93NUMPY\x01\x00\x05\x00{'a'}")]), "not a dictionary"),
        (zipped([("one.npy", b"")]), "EOF"),
        (zipped([("one.npy", b"\x93NUMPY\x03\x00")]), "version"),
        (zipped([("one.txt", b"")]), "'one.txt' is no array"),
        (zipped([("one.npy", npy(np.ones(2)))], compression=zipfile.ZIP_LZMA), "never does it"),
    ],
    ids=["empty", "single", "header", "nothing", "version", "text", "lzma"],
)
def test_what_is_no_file_of_arrays_is_refused(content, match):
    refuse(content, match)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused():
    refuse(zipped([("one.npy", npy(np.ones(2)))] * 2), "there twice")


def test_a_file_cut_short_is_refused_wherever_it_is_cut():
    content = packed(ARRAYS)
    for length in range(0, len(content) - 1, 29):
        refuse(content[:length], "not a zip file")


CONTENT = packed(ARRAYS)


@given(st.lists(st.tuples(st.integers(0, len(CONTENT) - 1), st.integers(0, 255)), min_size=1))
def test_damage_gives_arrays_or_one_kind_of_error(places):
    damaged = bytearray(CONTENT)
    for place, byte in places:
        damaged[place] = byte
    try:
        found = read(bytes(damaged), 10**6)
    except ValueError:
        return
    for array in found.values():
        assert not array.dtype.hasobject
        assert array.nbytes < 10**6
