# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Both protocols against plain loops, JAX, and numbers that TensorFlow and hands gave."""

import functools
import math

import hypothesis
import hypothesis.strategies as st
import jax
import numpy as np
import PIL.Image
import pytest
from perceiver_bench.tasks.imagenet import decoding, preprocessing, resizing

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def keys(distance):
    """Keys' cubic kernel with a = -1/2 (1981), as its definition has it."""
    distance = abs(distance)
    if distance < 1:
        return 1.5 * distance**3 - 2.5 * distance**2 + 1
    if distance < 2:
        return -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    return 0.0


@functools.cache
def reference_weights(size, new_size):
    """One row after the other, in float64 but for the place, which TensorFlow has in float32."""
    weights = np.zeros((new_size, size))
    for new in range(new_size):
        scale = np.float32(size) / np.float32(new_size)
        place = np.float32(np.float32(new + 0.5) * scale) - np.float32(0.5)
        first = math.floor(place)
        # Python rounds halves to the even number, and so does lrintf.
        fraction = round(float(place - np.float32(first)) * 1024) / 1024
        for old in range(first - 1, first + 3):
            if 0 <= old < size:
                weights[new, old] = keys(first + fraction - old)
    return weights / weights.sum(axis=1, keepdims=True)


def reference_resize(pixels, size):
    rows = reference_weights(pixels.shape[0], size[0])
    columns = reference_weights(pixels.shape[1], size[1])
    return np.einsum("yY,xX,YXc->yxc", rows, columns, pixels.astype(float), optimize=True)


def test_the_middle_of_two_pixels_worked_by_hand():
    # Half the size: each new centre lies in the middle between two old ones, where the
    # kernel is 9/16 and -1/16. At the edge three pixels are left, of weight 17/16.
    found = resizing.bicubic_weights(6, 3).toarray()
    due = [[9 / 17, 9 / 17, -1 / 17, 0, 0, 0], [0, -1 / 16, 9 / 16, 9 / 16, -1 / 16, 0]]
    np.testing.assert_allclose(found[:2], due, rtol=0, atol=1e-7)
    np.testing.assert_allclose(found[2], found[0, ::-1], rtol=0, atol=1e-7)


def test_places_are_rounded_to_1024_steps():
    # 3 pixels of 2: the first centre lies at -1/6, which is 5/6 after pixel -1, that is 853
    # steps of 1024 (853.33), so 171 steps before pixel 0.
    distance = 171 / 1024
    near, far = keys(distance), keys(1 + distance)
    found = resizing.bicubic_weights(2, 3).toarray()
    np.testing.assert_allclose(found[0], np.array([near, far]) / (near + far), rtol=1e-6)


# From tf.image.resize(pixels, size, "bicubic") of TensorFlow 2.21, first channel.
TENSORFLOW = {
    (3, 5): [
        [-2.2625098, 19.117727, 69.3048, 173.79639, 237.57603],
        [48.399864, 67.69527, 93.4375, 74.67499, 59.22234],
        [237.82962, 241.50917, 223.71884, 88.86914, 1.1520748],
    ],
    (6, 2): [
        [0.9528856, 228.22015],
        [33.687847, 135.35294],
        [68.215805, 46.961327],
        [59.350487, 96.56696],
        [171.15802, 76.981964],
        [273.11026, 45.74305],
    ],
}


@pytest.mark.parametrize("size", TENSORFLOW)
def test_the_numbers_of_tensorflow(size):
    first = np.array([[0, 50, 255], [30, 200, 10], [90, 0, 128], [255, 255, 1]], np.uint8)
    pixels = np.stack([first, 255 - first, first // 2], axis=-1)
    found = resizing.resize_bicubic(pixels, size)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[..., 0], np.array(TENSORFLOW[size], np.float32))


@hypothesis.settings(deadline=None, max_examples=60)
@hypothesis.given(size=SIZES, new_size=SIZES, seed=st.integers(0, 9))
def test_resizing_equals_plain_loops(size, new_size, seed):
    pixels = noise(*size, seed)
    found = resizing.resize_bicubic(pixels, new_size)
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found, reference_resize(pixels, new_size), rtol=0, atol=2e-3)


@pytest.mark.parametrize(("size", "new_size"), [(328, 224), (224, 328), (1000, 7), (3, 500)])
def test_weights_equal_plain_loops(size, new_size):
    found = resizing.bicubic_weights(size, new_size).toarray()
    np.testing.assert_allclose(found, reference_weights(size, new_size), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("size", "new_size"), [((50, 70), (32, 32)), ((20, 9), (37, 64))])
def test_resizing_is_that_of_jax_up_to_the_rounding_of_places(size, new_size):
    pixels = noise(*size)
    due = jax.image.resize(
        pixels.astype(np.float32), (*new_size, 3), method="cubic", antialias=False
    )
    # A place is off by at most half a step, 1/2048. The absolute derivatives of the weights,
    # 11/8 and 1/8 on each side in the middle between two pixels, sum to at most 3, at edges
    # as well, and the absolute weights of the other axis to at most 5/4.
    bound = 2 * 255 * (3 / 2048) * (5 / 4)
    difference = np.abs(resizing.resize_bicubic(pixels, new_size) - due)
    assert difference.max() < bound
    assert difference.mean() < bound / 10


@hypothesis.settings(deadline=None, max_examples=40)
@hypothesis.given(size=SIZES, new_size=SIZES, value=st.integers(0, 255))
@pytest.mark.parametrize("protocol", ["original", "pillow"])
def test_one_colour_stays_that_colour(protocol, size, new_size, value):
    pixels = np.full((*size, 3), value, np.uint8)
    found = preprocessing.resize(pixels, new_size, protocol)
    assert found.dtype == np.float32
    assert found.shape == (*new_size, 3)
    np.testing.assert_allclose(found, value, rtol=0, atol=1e-3)


@hypothesis.settings(deadline=None, max_examples=40)
@hypothesis.given(size=st.integers(5, 60), new_size=st.integers(1, 120), slope=st.integers(1, 4))
def test_a_ramp_stays_a_ramp_inside(size, new_size, slope):
    ramp = np.repeat(slope * np.arange(size, dtype=np.uint8)[:, None, None], 3, axis=2)
    found = preprocessing.resize(ramp, (new_size, 1), "original")[:, 0, 0]
    places = (np.arange(new_size) + 0.5) * size / new_size - 0.5
    inside = (places >= 1) & (places <= size - 2)
    # Keys' kernel is exact for a line, at the place rounded to 1/1024.
    np.testing.assert_allclose(found[inside], slope * places[inside], rtol=0, atol=slope / 2000)


def test_resizing_neither_rounds_nor_clips_in_the_original_protocol():
    edge = np.zeros((8, 8, 3), np.uint8)
    edge[:, 4:] = 255
    found = preprocessing.resize(edge, (16, 16), "original")
    assert found.min() < -5
    assert found.max() > 260
    assert (found != np.rint(found)).any()
    pillow = preprocessing.resize(edge, (16, 16), "pillow")
    assert pillow.min() == 0
    assert pillow.max() == 255


def test_antialiasing_counts_every_pixel():
    lines = np.zeros((64, 64, 3), np.uint8)
    lines[:, ::8] = 240
    # A line in eight pixels: an eighth of its brightness, or all that is hit or missed.
    assert np.ptp(preprocessing.resize(lines, (8, 8), "pillow")[:, 1:-1]) <= 2
    np.testing.assert_allclose(
        preprocessing.resize(lines, (8, 8), "pillow")[:, 1:-1].mean(), 30, atol=1
    )
    assert preprocessing.resize(lines, (8, 8), "original").max() < 5


@pytest.mark.parametrize(
    ("shape", "share", "side", "top", "left"),
    [
        ((375, 500), 224 / 256, 328, 24, 86),  # 328.125; 23.5 and 86
        ((500, 375), 224 / 256, 328, 86, 24),
        ((256, 256), 224 / 256, 224, 16, 16),
        ((300, 200), 1.0, 200, 50, 0),
        ((301, 200), 1.0, 200, 51, 0),
        ((1, 1), 224 / 256, 1, 0, 0),
        ((2, 900), 224 / 256, 1, 1, 450),
    ],
)
def test_the_central_square(shape, share, side, top, left):
    pixels = noise(*shape)
    found = preprocessing.central_crop(pixels, share)
    np.testing.assert_array_equal(found, pixels[top : top + side, left : left + side])


def test_the_side_is_formed_in_float32():
    # In float64 0.29 x 100 is less than 29.
    assert int(0.29 * 100) == 28
    assert preprocessing.central_crop(noise(100, 100), 0.29).shape == (29, 29, 3)


def test_images_are_normalised_colour_by_colour():
    pixels = np.array([[[123.675, 116.28, 103.53], [0, 0, 255]]])
    found = preprocessing.normalise(pixels)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0, 0], 0, rtol=0, atol=1e-6)
    np.testing.assert_allclose(
        found[0, 1], [-0.485 / 0.229, -0.456 / 0.224, (1 - 0.406) / 0.225], rtol=1e-6
    )


def torchvision_rules(pixels, size, share):
    """Resize(floor(size / share), bicubic), CenterCrop(size), ToTensor, Normalize."""
    image = PIL.Image.fromarray(pixels)
    width, height = image.size
    target = math.floor(size / share)
    if width <= height:
        new_width, new_height = target, int(target * height / width)
    else:
        new_width, new_height = int(target * width / height), target
    image = image.resize((new_width, new_height), PIL.Image.Resampling.BICUBIC)
    top = round((new_height - size) / 2.0)
    left = round((new_width - size) / 2.0)
    image = image.crop((left, top, left + size, top + size))
    unit = np.asarray(image) / 255
    return (unit - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]


def original_rules(pixels, size, share):
    """The middle of the shorter side, resized by plain loops, less mean over deviation."""
    height, width = pixels.shape[:2]
    side = int(share * min(height, width))
    top, left = (height - side + 1) // 2, (width - side + 1) // 2
    found = reference_resize(pixels[top : top + side, left : left + side], (size, size))
    return (found / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]


RULES = {"original": original_rules, "pillow": torchvision_rules}


@pytest.mark.parametrize("protocol", RULES)
@pytest.mark.parametrize("shape", [(40, 60), (61, 40), (16, 16), (7, 5), (9, 400), (300, 11)])
@pytest.mark.parametrize(("size", "share"), [(32, 224 / 256), (17, 1.0), (24, 0.75)])
def test_evaluation_equals_its_rules(protocol, shape, size, share):
    pixels = noise(*shape)
    found = preprocessing.prepare_evaluation(pixels, (size, size), protocol, share)
    assert found.dtype == np.float32
    due = RULES[protocol](pixels, size, share)
    np.testing.assert_allclose(found, due, rtol=0, atol=2e-5)


@pytest.mark.parametrize("protocol", RULES)
def test_an_image_of_one_pixel(protocol):
    pixels = np.array([[[7, 100, 250]]], np.uint8)
    found = preprocessing.prepare_evaluation(pixels, (12, 12), protocol, 224 / 256)
    due = preprocessing.normalise(np.broadcast_to(pixels, (12, 12, 3)))
    np.testing.assert_allclose(found, due, rtol=0, atol=1e-5)


def test_a_target_that_is_no_square_is_covered_in_the_pillow_protocol():
    # 40 x 60 is wider than 20 x 25 is: the height fits 20 / 0.8 = 25, the width is 37.5, cut
    # off; 2.5 rows above (rounded to even) and 6 columns on the left are left out.
    pixels = noise(40, 60)
    found = preprocessing.prepare_evaluation(pixels, (20, 25), "pillow", 0.8)
    image = PIL.Image.fromarray(pixels).resize((37, 25), PIL.Image.Resampling.BICUBIC)
    due = preprocessing.normalise(np.asarray(image)[2:22, 6:31])
    np.testing.assert_array_equal(found, due)


@hypothesis.settings(deadline=None, max_examples=60)
@hypothesis.given(shape=SIZES, size=SIZES, share=st.floats(0.3, 1))
@pytest.mark.parametrize("protocol", RULES)
def test_any_image_gets_the_size(protocol, shape, size, share):
    found = preprocessing.prepare_evaluation(noise(*shape), size, protocol, share)
    assert found.shape == (*size, 3)
    assert np.isfinite(found).all()


def test_both_protocols_on_real_images(shared):
    folder = shared / "data" / "imagenet" / "val"
    if not folder.is_dir():
        pytest.skip(f"needs images of ImageNet in {folder}")
    paths = sorted(folder.glob("*/*.JPEG"))
    assert len(paths) == 100
    for path in paths:
        content = path.read_bytes()
        for protocol, rules in RULES.items():
            pixels = decoding.decode(content, protocol)
            found = preprocessing.prepare_evaluation(pixels, (224, 224), protocol, 224 / 256)
            due = rules(pixels, 224, 224 / 256)
            np.testing.assert_allclose(found, due, rtol=0, atol=3e-5, err_msg=path.name)
