# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import struct
import tracemalloc
import zlib

import cv2
import hypothesis
import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np
import pytest
from flow_made_files import SIGNATURE, flo_of, part, pfm_of, png_of, saved
from hypothesis import settings
from perceiver_bench.tasks.flow import files

from perceiver_bench import errors

INTERLACED = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4)]
INTERLACED += [(1, 0, 2, 2), (0, 1, 1, 2)]
SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 7))


@pytest.fixture
def write(tmp_path):
    def to(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return to


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("flow_files")


@settings(max_examples=40, deadline=None)
@hypothesis.given(
    SHAPES.flatmap(lambda s: arrays.arrays(np.float32, (*s, 2))), st.sampled_from("<>")
)
def test_flo_is_read_in_both_byte_orders(place, flow, order):
    path = place / "a.flo"
    path.write_bytes(flo_of(flow, order))
    found, known = files.read_flow(path)
    with np.errstate(invalid="ignore"):
        due = np.array([[all(abs(x) <= 1e9 for x in pixel) for pixel in row] for row in flow])
    np.testing.assert_array_equal(known, due)
    np.testing.assert_array_equal(found, np.where(due[..., None], flow, 0))
    assert found.dtype == np.float32
    assert known.dtype == bool


FINITE = st.floats(-1e9, 1e9, width=32)


@settings(max_examples=40, deadline=None)
@hypothesis.given(SHAPES.flatmap(lambda s: arrays.arrays(np.float32, (*s, 2), elements=FINITE)))
def test_flo_written_and_read_is_the_same_and_opencvs(place, flow):
    path = place / "b.flo"
    path.write_bytes(files.flo_bytes(flow))
    found, known = files.read_flow(path)
    assert found.tobytes() == flow.tobytes()
    assert known.all()
    np.testing.assert_array_equal(cv2.readOpticalFlow(str(path)), flow)
    assert cv2.writeOpticalFlow(str(place / "c.flo"), flow)
    assert (place / "c.flo").read_bytes() == path.read_bytes()


def test_what_middlebury_marks_as_unknown(write):
    flow = np.zeros((1, 6, 2), np.float32)
    flow[0, :, 1] = [1.666666752e9, np.nan, -np.inf, 1e9, -1.1e9, 7]
    flow[0, :, 0] = 3
    found, known = files.read_flow(write("a.flo", flo_of(flow)))
    assert known.tolist() == [[False, False, False, True, False, True]]
    assert found[0].tolist() == [[0, 0], [0, 0], [0, 0], [3, 1e9], [0, 0], [3, 7]]


def test_kitti_png_by_hand(write):
    pixels = [(32768 + 64 * 3, 32768 - 64 * 2, 1), (65535, 0, 7), (40000, 41000, 0)]
    rows = [b"\x00" + struct.pack(">9H", *(value for pixel in pixels for value in pixel))]
    path = write("a.png", png_of((3, 1, 16, 2, 0), rows))
    flow, known = files.read_flow(path)
    assert flow.tolist() == [[[3, -2], [32767 / 64, -512], [0, 0]]]
    assert known.tolist() == [[True, True, False]]


@settings(max_examples=40, deadline=None)
@hypothesis.given(SHAPES.flatmap(lambda s: arrays.arrays(np.uint16, (*s, 3))))
def test_kitti_png_is_what_opencv_decodes(place, values):
    path = place / "d.png"
    assert cv2.imwrite(str(path), values)
    blue_green_red = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(float)
    flow, known = files.read_flow(path)
    np.testing.assert_array_equal(known, blue_green_red[..., 0] > 0)
    for axis, channel in ((0, 2), (1, 1)):
        due = np.where(known, (blue_green_red[..., channel] - 2**15) / 64, 0)
        np.testing.assert_array_equal(flow[..., axis], due)


@settings(max_examples=40, deadline=None)
@hypothesis.given(
    SHAPES.flatmap(
        lambda s: st.tuples(
            arrays.arrays(np.float32, (*s, 2), elements=st.floats(-600, 600, width=32)),
            arrays.arrays(bool, s),
        )
    )
)
def test_kitti_png_keeps_steps_of_a_64th(place, flow_and_known):
    flow, known = flow_and_known
    path = place / "e.png"
    path.write_bytes(files.kitti_png_bytes(flow, known))
    found, found_known = files.read_flow(path)
    np.testing.assert_array_equal(found_known, known)
    due = np.clip(flow, -512, 65535 / 64 - 512)[known]
    assert np.abs(found[known] - due).max(initial=0) <= 1 / 128
    assert not found[~known].any()
    # What was read once is written and read without any change.
    assert files.kitti_png_bytes(found, known) == path.read_bytes()


def test_nothing_is_asked_of_flow_that_is_not_known(write):
    flow = np.array([[[np.nan, 1e20], [1.25, -2]]], np.float32)
    found, known = files.read_flow(
        write("a.png", files.kitti_png_bytes(flow, np.array([[False, True]])))
    )
    assert found.tolist() == [[[0, 0], [1.25, -2]]]
    assert known.tolist() == [[False, True]]


@pytest.mark.parametrize("value", [np.nan, np.inf, 2e9])
def test_values_that_mean_unknown_are_not_written(value):
    flow = np.full((2, 3, 2), value, np.float32)
    with pytest.raises(errors.UserError, match="the flow holds NaN or values beyond 1e9"):
        files.flo_bytes(flow)
    with pytest.raises(errors.UserError, match="the flow holds NaN or values beyond 1e9"):
        files.kitti_png_bytes(flow, np.ones((2, 3), bool))


def test_other_shapes_are_not_written():
    with pytest.raises(ValueError, match="flow"):
        files.flo_bytes(np.zeros((2, 3, 3), np.float32))


@settings(max_examples=40, deadline=None)
@hypothesis.given(
    SHAPES.flatmap(lambda s: arrays.arrays(np.float32, (*s, 3))), st.sampled_from("<>")
)
def test_pfm_is_read_from_the_bottom_in_both_byte_orders(place, values, order):
    path = place / "a.pfm"
    path.write_bytes(pfm_of(values, order))
    found, known = files.read_flow(path)
    with np.errstate(invalid="ignore"):
        due = (np.abs(values[..., :2].astype(float)) <= 1e9).all(-1)
    np.testing.assert_array_equal(known, due)
    np.testing.assert_array_equal(found, np.where(due[..., None], values[..., :2], 0))


def test_pfm_is_what_opencv_reads(write):
    values = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
    path = write("a.pfm", pfm_of(values, "<"))
    blue_green_red = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(files.read_flow(path)[0], blue_green_red[..., :0:-1])


FLOW = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
FLO = flo_of(FLOW)
PFM = pfm_of(np.arange(18, dtype=np.float32).reshape(2, 3, 3), "<")
KITTI = files.kitti_png_bytes(FLOW, np.ones((2, 3), bool))
ROWS = [bytes(19), bytes(19)]
KITTI_HEADER = (3, 2, 16, 2, 0)


def at(content, position, value):
    return content[:position] + value + content[position + len(value) :]


BROKEN_FLOW = {
    "tag.flo": (b"PIEX" + FLO[4:], r"its tag is b'PIEX', and a \.flo file begins with 202021\.25"),
    "png_inside.flo": (KITTI, r"its tag is b'\\x89PNG'"),
    "empty.flo": (b"", "the file is empty; copy or unpack it again"),
    "head_only.flo": (FLO[:9], "cut off: 9 bytes and no whole header"),
    "cut.flo": (FLO[:-1], "cut off: 59 bytes, and 60 are due for 3 x 2 pixels"),
    "long.flo": (FLO + b"\0", "too long: 61 bytes, and 60 are due for 3 x 2 pixels"),
    "swapped.flo": (at(FLO, 4, struct.pack(">ii", 3, 2)), r"says 50331648 x 33554432 pixels, and"),
    "zero.flo": (at(FLO, 4, struct.pack("<ii", 0, 2)), "its header says 0 x 2 pixels"),
    "negative.flo": (at(FLO, 4, struct.pack("<ii", -3, -2)), "its header says -3 x -2 pixels"),
    "other.flo": (at(FLO, 4, struct.pack("<ii", 4, 2)), "cut off: 60 bytes, and 76 are due"),
    "huge.flo": (
        at(FLO, 4, struct.pack("<ii", 10**5, 10**4)),
        "100000 x 10000 pixels, and at most",
    ),
    "size.flo": (
        at(FLO, 4, struct.pack("<ii", 10**4, 10**4)),
        "cut off: 60 bytes, and 800,000,012",
    ),
    "empty.pfm": (b"", "the file is empty"),
    "one_channel.pfm": (b"Pf" + PFM[2:], "it has one channel, as disparity has"),
    "no.pfm": (b"PG" + PFM[2:], r"no header of a \.pfm file with three channels"),
    "header.pfm": (b"PF\n3 2", r"no header of a \.pfm file with three channels"),
    "scale.pfm": (PFM.replace(b"-1.000000", b"0.0"), "its scale is 0"),
    "cut.pfm": (PFM[:-4], r"cut off: \d+ bytes, and \d+ are due for 3 x 2 pixels"),
    "long.pfm": (PFM + b"\n", r"too long: \d+ bytes"),
    "huge.pfm": (b"PF\n100000 10000\n-1\n", "100000 x 10000 pixels, and at most 100,000,000"),
    "size.pfm": (b"PF\n10000 10000\n-1\n", "cut off: 18 bytes, and 1,200,000,018 are due"),
    "empty.png": (b"", "the file is empty"),
    "text.png": (b"not an image", "not a PNG file: it begins with b'not an i'"),
    "eight_bits.png": (
        saved(np.zeros((2, 3, 3), np.uint8), "png"),
        "a PNG of 8 bits, RGB, and flow needs",
    ),
    "grey.png": (
        saved(np.zeros((2, 3), np.uint16), "png"),
        "a PNG of 16 bits, grey, and flow",
    ),
    "alpha.png": (png_of((3, 2, 16, 6, 0), [bytes(25)] * 2), "16 bits, RGB with alpha, and flow"),
    "palette.png": (png_of((3, 2, 8, 3, 0), [bytes(4)] * 2), "8 bits, a palette, and flow"),
    "head_only.png": (KITTI[:20], "cut off in its header"),
    "no_header.png": (SIGNATURE + part(b"IDAT", bytes(40)), "it has no header"),
    "bits.png": (png_of((3, 2, 5, 2, 0), ROWS), "its header is none of a PNG: 05 02 00 00 00"),
    "zero.png": (png_of((0, 2, 16, 2, 0), ROWS), "its header says 0 x 2 pixels"),
    "huge.png": (png_of((10**5, 10**4, 16, 2, 0), ROWS), "100000 x 10000 pixels, and at most"),
    "size.png": (png_of((10**4, 10**4, 16, 2, 0), ROWS), "its pixels do not fill 10000 x 10000"),
    "cut.png": (KITTI[:-5], "cut off"),
    "cut_between.png": (KITTI[:33], "cut off"),
    "flipped.png": (
        at(KITTI, 45, bytes([KITTI[45] ^ 1])),
        "the checksum of its part b'IDAT' is wro",
    ),
    "few_rows.png": (png_of(KITTI_HEADER, ROWS[:1]), "its pixels do not fill 3 x 2"),
    "many_rows.png": (png_of(KITTI_HEADER, 2 * ROWS), "its pixels do not fill 3 x 2"),
    "rest.png": (png_of(KITTI_HEADER, zlib.compress(bytes(38)) + b"x"), "its pixels do not fill"),
    "no_rows.png": (png_of(KITTI_HEADER, b""), "its pixels do not fill"),
    "zlib.png": (png_of(KITTI_HEADER, b"\x00" * 30), "damaged: Error -3 while decompressing"),
    "adler.png": (
        png_of(KITTI_HEADER, zlib.compress(bytes(38))[:-1] + b"x"),
        "incorrect data check",
    ),
    "filter.png": (png_of(KITTI_HEADER, [b"\x05" + bytes(18)] * 2), "a row has an unknown filter"),
    "interlaced.png": (png_of((3, 2, 16, 2, 1), ROWS), "its pixels do not fill 3 x 2"),
    "interlaced_filter.png": (
        png_of((2, 1, 16, 2, 1), [bytes(7), b"\x07" + bytes(6)]),
        "a row has an unknown filter",
    ),
    "flow.npy": (b"\x93NUMPY", r"flow is read from \.flo, \.png \(16-bit\) and \.pfm files"),
}


@pytest.mark.parametrize("name", BROKEN_FLOW)
def test_broken_flow_is_told_in_one_line(write, capfd, name):
    content, message = BROKEN_FLOW[name]
    path = write(name, content)
    tracemalloc.start()
    try:
        with pytest.raises(errors.UserError, match=message) as raised:
            files.read_flow(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("read", [files.read_flow, files.read_image, files.read_mask])
def test_what_is_no_file(tmp_path, read):
    for name in ("absent.png", "."):
        with pytest.raises(errors.UserError, match="no such file"):
            read(tmp_path / name)


def test_a_file_that_fills_the_memory_is_not_read(tmp_path):
    path = tmp_path / "sparse.png"
    with path.open("wb") as file:
        file.write(KITTI)
        file.truncate(1 << 31)
    for read in (files.read_flow, files.read_image):
        with pytest.raises(errors.UserError, match="2,147,483,648 bytes, and at most"):
            read(path)


def test_parts_that_pixels_do_not_need_are_passed_over(write, capfd):
    broken = (
        part(b"gAMA", b"xx"),
        part(b"iCCP", b"?"),
        part(b"tRNS", bytes(6)),
        part(b"PLTE", b""),
    )
    flow, known = files.read_flow(write("a.png", png_of(KITTI_HEADER, ROWS, *broken)))
    assert flow.shape == (2, 3, 2)
    assert not known.any()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 3), (3, 1), (4, 4), (9, 10), (17, 6)])
def test_interlaced_files_decode(write, height, width):
    values = np.random.default_rng(2).integers(0, 65536, (height, width, 3), np.uint16)
    rows = []
    for left, top, across, down in INTERLACED:
        small = values[top::down, left::across]
        rows += [b"\x00" + row.astype(">u2").tobytes() for row in small if small.size]
    flow, known = files.read_flow(write("a.png", png_of((width, height, 16, 2, 1), rows)))
    due = (values[..., :2].astype(float) - 32768) / 64
    np.testing.assert_array_equal(flow, np.where(values[..., 2:] > 0, due, 0))
    np.testing.assert_array_equal(known, values[..., 2] > 0)
