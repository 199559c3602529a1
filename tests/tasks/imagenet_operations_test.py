# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The operations of RandAugment against TensorFlow, Pillow and values worked by hand.

TensorFlow 2.21 computed the table below by the operations of the original training code
(ImageProjectiveTransformV3 for the geometry).
"""

import ast
import zlib

import numpy as np
import pytest
from perceiver_bench.tasks.imagenet import operations
from PIL import Image, ImageEnhance, ImageOps

# The operation; its argument; the checksum of the large picture after it, and the small one.
TENSORFLOW = """
autocontrast -     88b37ec2 0000002a49765592ed7fdb5daa23d3d46c44ffb5ba0aff2b3446a15f8f1189d888b420fe
equalize     -     07970200 030303284a744d91e572d85c9725cdbc6c44e1b3b50cfa2c31479d568e147bd585a022f6
invert       -     13a6f540 fcfcfcd7b58bb26e1a8d27a368da324393bb1e4c4af305d3ceb862a971eb842a7a5fdd09
rotate       15.0  bc1e0b49 030303284a744d91e572d85c9725cdbc6c44e1b3b50cfa2c31479d568e147bd585a022f6
rotate       -30.0 b6a92af3 9725cd284a74284a7480808031479dbc6c44e1b3b572d85c8080807bd5857bd5850cfa2c
posterize    2     2939c13c 0000000040404080c040c0408000c0804040c0808000c00000408040800040c0808000c0
posterize    0     90f83d15 000000000000008080008000800080800000808080008000000080008000008080800080
solarize     128   11117484 030303284a744d6e1a72275c682532436c441e4c4a0c052c3147625671147b2a7a5f2209
color        0.1   aaf5ce22 03030341444880878fa5afa3605465857d79c4bfbf8ca48f4749526c7265abb4ac66596f
color        1.9   08ec4da1 0303030e4f9f199aff3eff14cd00fff25a0efda6aa00ff001a44e73fa9004af55dd900ff
contrast     0.1   c6baaf06 00000004070b070e160b15090f0314120a0616111201190404070f080e020c150d100318
contrast     1.9   13daf37c 0505054c8cdc92ffffd8ffaeff46ffffcd81ffffff16ff535d86ffa3ff26e9fffcff40ff
brightness   0.1   586eefc9 00000004070b070e160b15090f0314120a0616111201190404070f080e020c150d100318
brightness   1.9   a57909f9 0505054c8cdc92ffffd8ffaeff46ffffcd81ffffff16ff535d86ffa3ff26e9fffcff40ff
sharpness    0.1   85cf82f6 030303284a744d91e572d85c9725cd876c669ba1910cfa2c31479d568e147bd585a022f6
sharpness    1.9   7185c889 030303284a744d91e572d85c9725cdf06c21ffc5d80cfa2c31479d568e147bd585a022f6
shear_x      0.15  0237dc5c 030303284a744d91e572d85c9725cdbc6c44e1b3b50cfa2c31479d568e147bd585a022f6
shear_x      -0.3  7a8e5b92 030303284a744d91e572d85c9725cdbc6c44e1b3b50cfa2c80808031479d568e147bd585
shear_y      0.15  19c6e866 030303284a744d91e572d85c9725cdbc6c44e1b3b50cfa2c31479d568e147bd585a022f6
shear_y      -0.3  c98de278 030303284a748080808080809725cdbc6c444d91e572d85c31479d568e14e1b3b50cfa2c
translate_x  2.5   173fdb51 72d85c8080808080808080800cfa2c808080808080808080a022f6808080808080808080
translate_x  -1.0  3458f646 808080030303284a744d91e58080809725cdbc6c44e1b3b580808031479d568e147bd585
translate_y  2.5   444d832b 808080808080808080808080808080808080808080808080808080808080808080808080
translate_y  -1.0  fc2ccf39 808080808080808080808080030303284a744d91e572d85c9725cdbc6c44e1b3b50cfa2c
solarize_add 55    5ebfd2e6 3a3a3a5f81ab8491e5a9d893975ccdbca37be1b3b543fa63687e9d8d8e4bb2d585a059f6
"""


def small_picture():
    """Returns an image [3, 4, 3] of values from 3 to 252."""
    channels = [(np.arange(12) * step % 250 + 3).reshape(3, 4) for step in (37, 71, 113)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def large_picture():
    """Returns an image [97, 131, 3] of values from 7 to 237."""
    y, x = np.mgrid[:97, :131]
    sums = [(x * x + 3 * y * x // 4 + 5 * y) // 3, (y * y + 7 * x) // 2, 11 * x + 13 * y]
    return (np.stack(sums, axis=-1) % 231 + 7).astype(np.uint8)


def pillow():
    return Image.fromarray(large_picture())


def brightness(image, factor):
    return ImageEnhance.Brightness(image).enhance(factor)


@pytest.mark.parametrize("line", TENSORFLOW.strip().splitlines(), ids=lambda line: line[:18])
def test_operations_are_those_of_tensorflow_to_the_last_bit(line):
    name, argument, checksum, pixels = line.split()
    operation = getattr(operations, name)
    arguments = () if argument == "-" else (ast.literal_eval(argument),)
    assert operation(small_picture(), *arguments).tobytes().hex() == pixels
    assert zlib.crc32(operation(large_picture(), *arguments).tobytes()) == int(checksum, 16)


@pytest.mark.parametrize(
    ("name", "argument", "reference"),
    [
        ("equalize", (), ImageOps.equalize),
        ("invert", (), ImageOps.invert),
        *[("posterize", (bits,), ImageOps.posterize) for bits in range(1, 9)],
        *[("solarize", (start,), ImageOps.solarize) for start in (0, 1, 100, 128, 255, 256)],
        *[("brightness", (factor,), brightness) for factor in (0.1, 0.46, 1.0, 1.27, 1.9)],
    ],
)
def test_operations_that_are_pillows(name, argument, reference):
    got = getattr(operations, name)(large_picture(), *argument)
    np.testing.assert_array_equal(got, np.asarray(reference(pillow(), *argument)))


def test_autocontrast_is_pillows_but_for_roundings():
    got = operations.autocontrast(large_picture()).astype(int)
    difference = got - np.asarray(ImageOps.autocontrast(pillow()))
    assert set(np.unique(difference)) <= {-1, 0, 1}
    assert (difference != 0).mean() < 0.02
    assert got.min(axis=(0, 1)).tolist() == [0, 0, 0]
    assert got.max(axis=(0, 1)).min() >= 254


@pytest.mark.parametrize("factor", [0.1, 0.64, 1.0, 1.36, 1.9])
def test_color_and_sharpness_are_pillows_but_for_roundings_of_what_they_start_from(factor):
    for got, enhance in [
        (operations.color(large_picture(), factor), ImageEnhance.Color),
        (operations.sharpness(large_picture(), factor), ImageEnhance.Sharpness),
    ]:
        due = np.asarray(enhance(pillow()).enhance(factor), int)
        # One grey value at the start is |1 - factor| of one here, and then cut off.
        np.testing.assert_allclose(got, due, atol=1)
    np.testing.assert_array_equal(operations.color(large_picture(), 1.0), large_picture())


@pytest.mark.parametrize("factor", [0.1, 0.64, 1.36, 1.9])
def test_contrast_is_about_the_number_of_pixels_over_256_not_the_mean(factor):
    grey = 97 * 131 // 256
    due = Image.blend(Image.new("RGB", (131, 97), (grey,) * 3), pillow(), factor)
    np.testing.assert_array_equal(operations.contrast(large_picture(), factor), np.asarray(due))
    white = np.full((256, 256, 3), 100, np.uint8)  # 65,536 / 256 is more than white
    assert np.unique(operations.contrast(white, 0.5)).tolist() == [177]


def test_sharpness_leaves_the_edge_and_images_without_an_inside():
    picture = large_picture()
    got = operations.sharpness(picture, 0.1)
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        np.testing.assert_array_equal(got[edge], picture[edge])
    assert (got[1:-1, 1:-1] != picture[1:-1, 1:-1]).mean() > 0.4
    np.testing.assert_array_equal(operations.sharpness(picture[:2], 0.1), picture[:2])
    dot = np.zeros((3, 3, 3), np.uint8)
    dot[1, 1] = 130
    assert operations.sharpness(dot, 0.0)[1, 1].tolist() == [50, 50, 50]  # 5/13 of 130
    dot[0, 0] = 13
    assert operations.sharpness(dot, 0.0)[1, 1].tolist() == [51, 51, 51]


@pytest.mark.parametrize("distance", [0, 1, 50, -50, 131, -200])
def test_translations_are_pillows_on_grey(distance):
    for operation, matrix in [
        (operations.translate_x, (1, 0, distance, 0, 1, 0)),
        (operations.translate_y, (1, 0, 0, 0, 1, distance)),
    ]:
        due = pillow().transform(
            (131, 97), Image.Transform.AFFINE, matrix, fillcolor=(operations.FILL,) * 3
        )
        np.testing.assert_array_equal(operation(large_picture(), distance), np.asarray(due))


@pytest.mark.parametrize("level", [0.0, 0.1234, -0.1234, 0.2718, -0.2718])
def test_shears_are_pillows_half_a_pixel_further(level):
    # Pillow's coordinates are half a pixel greater, so the same line has an offset there.
    for operation, matrix in [
        (operations.shear_x, (1, level, -level / 2, 0, 1, 0)),
        (operations.shear_y, (1, 0, 0, level, 1, -level / 2)),
    ]:
        due = pillow().transform(
            (131, 97), Image.Transform.AFFINE, matrix, fillcolor=(operations.FILL,) * 3
        )
        differs = (operation(large_picture(), level) != np.asarray(due)).any(axis=-1)
        assert differs.mean() < 0.01


@pytest.mark.parametrize("degrees", [15, -15, 30])
def test_rotation_is_pillows_about_the_same_middle(degrees):
    due = np.asarray(pillow().rotate(degrees, fillcolor=(operations.FILL,) * 3))
    differs = (operations.rotate(large_picture(), degrees) != due).any(axis=-1)
    assert differs.mean() < 0.01


def test_a_quarter_turn_is_counterclockwise():
    picture = large_picture()[:, :97]
    np.testing.assert_array_equal(operations.rotate(picture, 90), np.rot90(picture))


def test_geometry_does_not_depend_on_how_many_rows_are_done_at_once(monkeypatch):
    picture = large_picture()
    got = operations.rotate(picture, 22.0)
    monkeypatch.setattr(operations, "_ROWS_AT_ONCE", 1)
    np.testing.assert_array_equal(operations.rotate(picture, 22.0), got)


def test_solarize_add_changes_the_darker_half():
    picture = np.array([[[0, 72, 127], [128, 200, 255]]], np.uint8)
    assert operations.solarize_add(picture, 55).tolist() == [[[55, 127, 182], [128, 200, 255]]]
    assert operations.solarize_add(picture, 200).tolist() == [[[200, 255, 255], [128, 200, 255]]]


def test_autocontrast_leaves_an_even_channel():
    picture = np.array([[[7, 50, 0], [7, 100, 255]]], np.uint8)
    assert operations.autocontrast(picture).tolist() == [[[7, 0, 0], [7, 255, 255]]]


def test_cutout_is_a_square_about_a_uniform_pixel_cut_off_at_the_edge():
    picture = np.zeros((12, 9, 3), np.uint8)
    generator = np.random.default_rng(0)
    corners = set()
    for _ in range(2000):
        is_cut = operations.cutout(picture, 2, generator) == operations.FILL
        rows, columns = np.nonzero(is_cut[..., 0])
        box = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
        assert is_cut[box[0] : box[1], box[2] : box[3]].all()
        corners.add(box)
    rows = [(max(0, row - 2), min(12, row + 2)) for row in range(12)]
    columns = [(max(0, column - 2), min(9, column + 2)) for column in range(9)]
    assert corners == {(*row, *column) for row in rows for column in columns}
    np.testing.assert_array_equal(operations.cutout(picture, 0, generator), picture)
