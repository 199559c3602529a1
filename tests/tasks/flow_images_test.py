# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import io
import re
import struct

import cv2
import numpy as np
import PIL.Image
import pytest
from flow_made_files import flo_of, pfm_of, png_of, saved
from perceiver_bench.tasks.flow import files

from perceiver_bench import errors

FLOW = np.arange(18, dtype=np.float32).reshape(2, 3, 3)
KITTI = png_of((3, 2, 16, 2, 0), [bytes(19), bytes(19)])
RGB = np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)
GREY = RGB[..., 0]
ALPHA = np.concatenate([RGB, GREY[..., None]], axis=-1)


@pytest.fixture
def write(tmp_path):
    def to(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return to


@pytest.mark.parametrize(
    ("name", "content", "due"),
    [
        ("rgb.png", saved(RGB, "png"), RGB),
        ("opencv.png", cv2.imencode(".png", RGB[..., ::-1])[1].tobytes(), RGB),
        ("alpha.png", saved(ALPHA, "png"), RGB),
        ("grey.png", saved(GREY, "png"), GREY[..., None].repeat(3, -1)),
        ("grey_alpha.png", saved(ALPHA[..., 2:], "png"), RGB[..., 2:].repeat(3, -1)),
        ("bit.png", saved(GREY > 99, "png"), (255 * (GREY > 99))[..., None].repeat(3, -1)),
        ("colours.ppm", b"P6\n7 5\n255\n" + RGB.tobytes(), RGB),
        ("one_line.ppm", b"P6 7 5 255\n" + RGB.tobytes(), RGB),
        ("comment.ppm", b"P6 # by\n#\n7 # 9\n5\n255\n" + RGB.tobytes(), RGB),
        ("grey.pgm", b"P5\n7 5\n255\n" + GREY.tobytes(), GREY[..., None].repeat(3, -1)),
        ("lossless.webp", saved(RGB, "webp", lossless=True), RGB),
        ("png_inside.jpg", saved(RGB, "png"), RGB),
    ],
)
def test_images_of_every_kind(write, name, content, due):
    image = files.read_image(write(name, content))
    np.testing.assert_array_equal(image, due)
    assert image.dtype == np.uint8
    assert image.flags.writeable


def test_a_palette_is_looked_up_and_jpeg_decoded_as_pillow_does(write):
    palette = PIL.Image.fromarray(RGB).quantize(9)
    content = io.BytesIO()
    palette.save(content, "png", transparency=bytes([0, 200, 255]))
    image = files.read_image(write("a.png", content.getvalue()))
    np.testing.assert_array_equal(image, np.array(palette.convert("RGB")))
    content = saved(RGB, "jpeg")
    due = np.array(PIL.Image.open(io.BytesIO(content)))
    np.testing.assert_array_equal(files.read_image(write("a.jpg", content)), due)


BROKEN_IMAGES = {
    "empty.png": (b"", "the file is empty"),
    "text.png": (b"hello", r"not an image; \.png, \.ppm, \.jpg and \.webp are read"),
    "gif.png": (saved(RGB, "gif"), "not an image"),
    "cut.png": (saved(RGB, "png")[:-20], "cut off"),
    "flow.png": (KITTI, "a PNG of 16 bits, RGB, and a frame or a mask has 8 bits"),
    "rows.png": (png_of((7, 5, 8, 2, 0), [bytes(22)] * 3), "its pixels do not fill 7 x 5"),
    "huge.png": (png_of((10**5, 10**4, 8, 2, 0), [b""]), "100000 x 10000 pixels, and at most"),
    "cut.ppm": (b"P6\n7 5\n255\n" + RGB.tobytes()[1:], "cut off: 115 bytes, and 116 are due"),
    "long.ppm": (b"P6\n7 5\n255\n" + RGB.tobytes() + b"0", "too long: 117 bytes, and 116 are due"),
    "bits.ppm": (b"P6\n7 5\n65535\n" + 2 * RGB.tobytes(), r"value is 65535, and 255 \(8 bits\)"),
    "header.ppm": (b"P6\n7", r"no whole header of a \.ppm file"),
    "huge.ppm": (b"P6\n100000 10000\n255\n", "100000 x 10000 pixels, and at most"),
    "zero.ppm": (b"P6\n0 5\n255\n", "0 x 5 pixels"),
    "cut.jpg": (saved(RGB, "jpeg")[:-30], "damaged or cut off: "),
    "head.jpg": (saved(RGB, "jpeg")[:30], "damaged or cut off: "),
    "cut.webp": (saved(RGB, "webp")[:-30], "damaged or cut off: "),
    "sound.webp": (b"RIFF\x10\0\0\0WAVEfmt ", "damaged or cut off: "),
}


@pytest.mark.parametrize("name", BROKEN_IMAGES)
@pytest.mark.parametrize("read", [files.read_image, files.read_mask])
def test_broken_images_are_told_in_one_line(write, capfd, name, read):
    content, message = BROKEN_IMAGES[name]
    path = write(name, content)
    with pytest.raises(errors.UserError, match=message) as raised:
        read(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)
    assert capfd.readouterr() == ("", "")


def test_a_jpeg_that_claims_too_many_pixels(write):
    content = saved(RGB, "jpeg")
    position = content.index(b"\xff\xc0") + 5
    content = content[:position] + struct.pack(">HH", 60_000, 60_000) + content[position + 4 :]
    with pytest.raises(errors.UserError, match="60000 x 60000 pixels, and at most 100,000,000"):
        files.read_image(write("a.jpg", content))


def test_a_mask_is_grey(write):
    np.testing.assert_array_equal(files.read_mask(write("a.png", saved(GREY, "png"))), GREY)
    repeated = GREY[..., None].repeat(3, -1)
    np.testing.assert_array_equal(files.read_mask(write("b.png", saved(repeated, "png"))), GREY)
    with pytest.raises(errors.UserError, match="it has colours, and a grey mask is due"):
        files.read_mask(write("c.png", saved(RGB, "png")))


WHOLE = {
    "a.flo": flo_of(FLOW[..., :2]),
    "a.pfm": pfm_of(FLOW, "<"),
    "flow.png": KITTI,
    "frame.png": saved(RGB, "png"),
    "frame.ppm": b"P6\n7 5\n255\n" + RGB.tobytes(),
    "frame.jpg": saved(RGB, "jpeg"),
    "frame.webp": saved(RGB, "webp"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_no_damage_gives_anything_but_an_array_or_a_user_error(write, capfd, name):
    read = files.read_image if name.startswith("frame") else files.read_flow
    content = WHOLE[name]
    generator = np.random.default_rng(0)
    refused = []
    for _ in range(200):
        bytes_ = bytearray(content)
        for position in generator.integers(0, len(content), generator.integers(1, 4)):
            bytes_[position] = generator.integers(0, 256)
        damaged = bytes(
            bytes_[: generator.choice([len(content), generator.integers(len(content))])]
        )
        try:
            read(write(name, damaged))
        except errors.UserError as error:
            refused.append(str(error))
    assert refused
    assert all(re.fullmatch(r".+: .+", message) for message in refused)
    assert capfd.readouterr() == ("", "")
