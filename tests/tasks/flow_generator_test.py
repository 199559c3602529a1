# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The generator of training pairs: its flow is exact, its pairs depend on their number alone."""

import concurrent.futures
import dataclasses
import json
import math
import pickle

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.flow.generator import (
    GeneratedSource,
    Textures,
    effects,
    generate,
    motion,
    outlines,
    render,
)
from PIL import Image

from perceiver_bench import overrides
from perceiver_bench.config.flow_generator import _BOUNDS, GeneratorConfig
from perceiver_bench.errors import UserError

PLAIN = GeneratorConfig(
    motion_blur_probability=0.0,
    fog_probability=0.0,
    colour_probability=0.0,
    noise_probability=0.0,
)
# All motion at the most that the configuration allows.
EXTREME = GeneratorConfig(
    translation=(0.5, 0.5),
    rotation=(0.0, 180.0),
    scaling=(0.5, 0.5),
    shear=(0.5, 0.5),
    perspective=(0.25, 0.25),
    background_motion=(1.0, 1.0),
    deformation_probability=1.0,
    num_waves=(10, 10),
    wave_length=(0.05, 0.3),
    wave_height=(0.2, 0.2),
    hole_probability=1.0,
)
SAME_TONES = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
PLACED_AS_IS = np.eye(3)[:2]


def smooth_texture(seed, side=160):
    """Returns a texture without detail smaller than some pixels."""
    values = np.random.default_rng(seed).standard_normal((side, side, 3))
    smooth = scipy.ndimage.gaussian_filter(values, (5, 5, 0), mode="wrap")
    return np.clip(128 + 45 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def shift(across, down):
    return motion.Motion(np.array([[1, 0, across], [0, 1, down], [0, 0, 1.0]]))


def layer(rings, moves, seed=0, smear=(0.0, 0.0)):
    return render.Layer(rings, moves, smooth_texture(seed), PLACED_AS_IS, SAME_TONES, smear)


def square(left, top, right, bottom):
    """Returns the ring about the pixels of a square; right and bottom are no more of it."""
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    # OpenCV also fills the quarter of a pixel that a border runs through.
    middle = np.mean(corners, axis=0)
    return np.array([(c - middle) * 0.97 + middle - 0.5 for c in np.array(corners, float)])


class TestHandWorked:
    """A square of 6 x 4 moves by (3, -2) over a background that moves by (-4, 1)."""

    size = (20, 24)

    @pytest.fixture
    def drawn(self):
        layers = [layer(None, shift(-4, 1)), layer([square(8, 9, 14, 13)], shift(3, -2), seed=1)]
        return render.render(layers, self.size)

    def test_flow_is_the_motion(self, drawn):
        due = np.broadcast_to([-4.0, 1.0], (*self.size, 2)).copy()
        due[9:13, 8:14] = (3, -2)
        np.testing.assert_allclose(drawn.flow, due, atol=1e-4)
        assert drawn.flow.dtype == np.float32

    def test_objects_are_where_they_were_put(self, drawn):
        due = np.zeros(self.size, bool)
        due[9:13, 8:14] = True
        np.testing.assert_array_equal(drawn.is_object, due)

    def test_occluded_is_what_leaves_or_is_covered(self, drawn):
        due = np.zeros(self.size, bool)
        due[:, :4] = True  # leaves to the left
        due[19, :] = True  # leaves below
        # The square comes to columns 11 to 16 and rows 7 to 10; the background that goes
        # there is four columns to the right and one row above.
        due[6:10, 15:21] = True
        due[9:13, 8:14] = False  # the square is in front and stays inside
        np.testing.assert_array_equal(drawn.is_occluded, due)

    def test_frames_show_the_texture_where_it_went(self, drawn):
        texture, other = smooth_texture(0), smooth_texture(1)
        np.testing.assert_array_equal(drawn.images[0][:8], texture[:8, :24])
        np.testing.assert_array_equal(drawn.images[0][10:12, 9:13], other[10:12, 9:13])
        np.testing.assert_array_equal(drawn.images[1][12:, :20], texture[11:19, 4:24])
        np.testing.assert_array_equal(drawn.images[1][8:10, 12:16], other[10:12, 9:13])


def point_by_hand(moves, x, y):
    """Moves one point by the formulas, in Python's numbers."""
    for bend in moves.bends:
        a, b = bend.frequency
        wave = bend.height * math.sin(a * x + b * y + bend.phase) / math.hypot(a, b)
        x, y = x - b * wave, y + a * wave
    across, down, depth = (row[0] * x + row[1] * y + row[2] for row in moves.homography)
    return across / depth, down / depth


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32))
def test_motions_are_undone_by_their_inverse(seed):
    generator = np.random.default_rng(seed)
    moves = motion.draw_motion(EXTREME, (30.0, 20.0), 80.0, 1.0, generator)
    x, y = generator.uniform(0, 64, 50), generator.uniform(0, 48, 50)
    new_x, new_y = moves.forward(x, y)
    by_hand = [point_by_hand(moves, *point) for point in zip(x, y, strict=True)]
    # The sine of the bends has the precision of float32.
    np.testing.assert_allclose(np.stack([new_x, new_y], axis=1), by_hand, atol=1e-4, rtol=1e-5)
    old_x, old_y = moves.inverse(new_x, new_y)
    np.testing.assert_allclose([old_x, old_y], [x, y], atol=1e-3)


def test_ranges_of_motion_are_kept():
    config = GeneratorConfig(
        translation=(0.1, 0.2), rotation=(0.0, 0.0), scaling=(0.0, 0.0), shear=(0.0, 0.0),
        perspective=(0.0, 0.0), deformation_probability=0.0,
    )  # fmt: skip
    lengths = []
    for seed in range(200):
        generator = np.random.default_rng(seed)
        moves = motion.draw_motion(config, (3.0, 4.0), 100.0, 0.5, generator)
        lengths.append(math.hypot(*moves.homography[:2, 2]))
        np.testing.assert_allclose(moves.homography[:2, :2], np.eye(2), atol=1e-12)
    assert 5 <= min(lengths) < 5.1
    assert 9.8 < max(lengths) <= 10
    # The square of a uniform number is below a quarter half of the time.
    assert 0.4 < np.mean(np.array(lengths) < 6.25) < 0.6


def warped(image, flow):
    """Returns the values of `image` where the flow leads, by SciPy."""
    rows, columns = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float64)
    places = [rows + flow[..., 1], columns + flow[..., 0]]
    channels = np.moveaxis(image.astype(np.float64), -1, 0)
    found = [
        scipy.ndimage.map_coordinates(one, places, order=1, mode="nearest") for one in channels
    ]
    return np.stack(found, axis=-1)


def inner(example):
    """Returns the pixels that are seen twice and not beside a border of objects or frames.

    Borders are blended, and so are the pixels that interpolation takes from beside them.
    """
    jumps = np.hypot(*np.moveaxis(np.stack(np.gradient(example["flow"], axis=(0, 1))), 0, 0))
    is_border = scipy.ndimage.binary_dilation(jumps.max(axis=-1) > 0.7, iterations=2)
    is_hidden = scipy.ndimage.binary_dilation(example["occlusion"] == 1, iterations=2)
    return ~is_border & ~is_hidden


@pytest.mark.parametrize("seed", range(6))
def test_the_flow_leads_to_the_same_colours(seed):
    textures = [smooth_texture(number) for number in range(8)]
    config = dataclasses.replace(PLAIN, wave_length=(0.3, 0.8), texture_zoom=(1.0, 2.0))
    example = generate(config, textures, (96, 128), np.random.default_rng(seed))
    first, second = example["images"]
    kept = inner(example)
    assert kept.mean() > 0.4

    def error(flow):
        return np.abs(warped(second, flow) - first)[kept]

    found = error(example["flow"])
    assert found.mean() < 0.7  # of 255; rounding to bytes alone makes 0.4
    assert np.percentile(found, 99) < 3
    # Half of a pixel next to it is seen.
    for aside in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)):
        assert error(example["flow"] + np.array(aside)).mean() > 1.5 * found.mean()


def is_within(rings, x, y):
    """Says of points whether they are within an odd number of rings: crossings of a ray."""
    inside = np.zeros(np.shape(x), bool)
    for ring in rings:
        for (x1, y1), (x2, y2) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            if y1 != y2:
                is_right = x < x1 + (y - y1) / (y2 - y1) * (x2 - x1)
                inside ^= ((y1 > y) != (y2 > y)) & is_right
    return inside


def distance_to(rings, x, y):
    """Returns the distance of points to the nearest edge."""
    nearest = np.full(np.shape(x), np.inf)
    for ring in rings:
        for (x1, y1), (x2, y2) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            across, down = x2 - x1, y2 - y1
            along = ((x - x1) * across + (y - y1) * down) / (across**2 + down**2)
            along = np.clip(along, 0, 1)
            aside = np.hypot(x - x1 - along * across, y - y1 - along * down)
            nearest = np.minimum(nearest, aside)
    return nearest


@pytest.mark.parametrize("seed", range(3))
def test_occlusion_equals_that_of_single_points(seed):
    size, diagonal = (30, 40), 50.0
    generator = np.random.default_rng(seed)
    config = dataclasses.replace(PLAIN, radius=(0.15, 0.3), hole_probability=1.0)
    moves = [motion.draw_motion(config, (20.0, 15.0), diagonal, 0.5, generator)]
    layers = [layer(None, moves[0])]
    for number in range(3):
        middle = (generator.uniform(8, 32), generator.uniform(8, 22))
        rings = outlines.draw_outline(config, middle, diagonal, generator)
        moves.append(motion.draw_motion(config, middle, diagonal, 1.0, generator))
        layers.append(layer(rings, moves[-1], seed=number))
    drawn = render.render(layers, size)
    moved = [
        [np.stack(one.motion.forward(*outlines.densified(ring, 0.5).T), 1) for ring in one.rings]
        for one in layers[1:]
    ]
    rows, columns = np.mgrid[: size[0], : size[1]]
    # About half a pixel to each side of a border may be of either layer.
    is_near = np.array([distance_to(one.rings, columns, rows) < 0.6 for one in layers[1:]])
    is_inside = np.array([is_within(one.rings, columns, rows) for one in layers[1:]])
    is_near_later = np.array([distance_to(rings, columns, rows) < 0.6 for rings in moved])
    is_inside_later = np.array([is_within(rings, columns, rows) for rings in moved])
    num_compared = num_occluded = 0
    for row, column in np.ndindex(size):
        if is_near[:, row, column].any():
            continue
        owner = max([0, *(np.flatnonzero(is_inside[:, row, column]) + 1)])
        x, y = point_by_hand(moves[owner], column, row)
        np.testing.assert_allclose(drawn.flow[row, column], [x - column, y - row], atol=1e-4)
        if min(abs(x % 1 - 0.5), abs(y % 1 - 0.5)) < 1e-3:
            continue  # between two pixels
        x, y = round(x), round(y)
        is_gone = not (0 <= x < size[1] and 0 <= y < size[0])
        if not is_gone:
            if is_near_later[owner:, y, x].any():
                continue
            is_gone = is_inside_later[owner:, y, x].any()
        assert drawn.is_occluded[row, column] == is_gone, (row, column)
        num_compared += 1
        num_occluded += is_gone
    assert num_compared > 500
    assert num_occluded > 20


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32),
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    config=st.sampled_from([GeneratorConfig(), EXTREME, GeneratorConfig(num_objects=(0, 0))]),
)
def test_pairs_have_the_agreed_form(seed, height, width, config):
    textures = [smooth_texture(0, side=20)]
    example = generate(config, textures, (height, width), np.random.default_rng(seed))
    forms = {
        "images": (np.uint8, (2, height, width, 3)),
        "flow": (np.float32, (height, width, 2)),
        "flow_known": (bool, (height, width)),
        "occlusion": (np.int8, (height, width)),
        "foreground": (np.int8, (height, width)),
    }
    assert {n: (a.dtype, a.shape) for n, a in example.items() if n != "name"} == forms
    assert np.isfinite(example["flow"]).all()
    assert example["flow_known"].all()
    assert set(np.unique(example["occlusion"])) <= {0, 1}
    assert set(np.unique(example["foreground"])) <= {0, 1}


class TestOutlines:
    @pytest.mark.parametrize("smooth_probability", [0.0, 1.0])
    def test_the_radius_is_the_largest_distance(self, smooth_probability):
        config = GeneratorConfig(
            radius=(0.1, 0.2), aspect=(1.0, 1.0), indentation=(0.0, 0.0), num_corners=(8, 12),
            hole_probability=0.0, smooth_probability=smooth_probability,
        )  # fmt: skip
        for seed in range(20):
            generator = np.random.default_rng(seed)
            (ring,) = outlines.draw_outline(config, (5.0, -7.0), 100.0, generator)
            distance = np.hypot(*(ring - (5, -7)).T).max()
            assert 9 < distance <= 20 + 1e-9

    def test_holes_are_holes(self):
        ring = np.array([(2, 2), (18, 2), (18, 14), (2, 14)], float)
        hole = np.array([(6, 5), (12, 5), (12, 11), (6, 11)], float)
        shares = outlines.coverage([ring, hole], (0, 0, 20, 16))
        assert shares[3, 3] == 1
        assert shares[8, 8] == 0
        # Borders of quarters of pixels are filled on both sides of them.
        assert shares.sum() == pytest.approx(16 * 12 - 6 * 6, rel=0.1)

    @pytest.mark.parametrize("seed", range(5))
    def test_covered_shares_add_up_to_the_area(self, seed):
        config = GeneratorConfig(hole_probability=0.0, radius=(0.3, 0.4), aspect=(0.8, 1.0))
        generator = np.random.default_rng(seed)
        (ring,) = outlines.draw_outline(config, (50.0, 50.0), 100.0, generator)
        x, y = ring.T
        area = abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2
        left, top, right, bottom = outlines.bounding_box([ring], 0, (100, 100))
        shares = np.zeros((100, 100))
        shares[top:bottom, left:right] = outlines.coverage([ring], (left, top, right, bottom))
        assert shares.sum() == pytest.approx(area, rel=0.03)
        rows, columns = np.mgrid[:100, :100]
        is_far = distance_to([ring], columns, rows) > 0.75
        np.testing.assert_array_equal(shares[is_far], is_within([ring], columns, rows)[is_far])

    def test_dense_rings_are_the_same_rings(self):
        ring = np.array([(0, 0), (10, 0), (10, 3)], float)
        dense = outlines.densified(ring, 2.0)
        steps = np.hypot(*(np.roll(dense, -1, axis=0) - dense).T)
        assert steps.max() <= 2.0
        assert steps.sum() == pytest.approx(10 + 3 + math.hypot(10, 3))
        assert {tuple(point) for point in ring} <= {tuple(point) for point in dense}


class TestEffects:
    frames = np.random.default_rng(0).integers(60, 190, (2, 40, 50, 3), np.uint8)

    def only(self, **fields):
        return effects.apply_effects(
            self.frames, dataclasses.replace(PLAIN, **fields), np.random.default_rng(1)
        )

    def test_nothing_changes_without_them(self):
        np.testing.assert_array_equal(self.only(), self.frames)

    def test_noise_has_its_deviation_and_is_new_in_each_frame(self):
        noise = self.only(noise_probability=1.0, noise=(6.0, 6.0)).astype(float) - self.frames
        assert noise.std() == pytest.approx(6, rel=0.03)
        assert abs(noise.mean()) < 0.15
        assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.05
        assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.05

    def test_fog_takes_its_share_of_the_contrast(self):
        foggy = self.only(fog_probability=1.0, fog_density=(0.8, 0.8))
        assert 0.3 < foggy.std() / self.frames.std() < 0.9
        assert foggy.mean() > self.frames.mean()

    def test_brightness_adds(self):
        none = {"contrast": (0.0, 0.0), "gamma": (0.0, 0.0), "saturation": (0.0, 0.0)}
        none |= {"hue": (0.0, 0.0), "colour_difference": (0.0, 0.0)}
        changed = self.only(colour_probability=1.0, brightness=(20.0, 20.0), **none)
        assert abs(changed.astype(int) - self.frames).min() == 20
        assert abs(changed.astype(int) - self.frames).max() == 20

    def test_hue_turns_the_channels(self):
        turned = effects._in_colours(self.frames[0], 0.0, 0.0, 0.0, 0.0, 120.0)
        np.testing.assert_array_equal(turned, np.roll(self.frames[0], 1, axis=-1))

    def test_no_saturation_is_grey(self):
        grey = effects._in_colours(self.frames[0], 0.0, 0.0, 0.0, -1.0, 0.0)
        due = self.frames[0].mean(axis=-1, keepdims=True)
        assert np.abs(grey - due).max() <= 1

    def test_contrast_and_gamma_leave_their_fixed_points(self):
        picture = np.array([[[0, 0, 0], [255, 255, 255], [127, 127, 127]]], np.uint8)
        curved = effects._in_colours(picture, 0.0, 0.0, 0.7, 0.0, 0.0)
        np.testing.assert_array_equal(curved[0, :2], picture[0, :2])
        assert curved[0, 2, 0] == round(255 * (127 / 255) ** math.exp(0.7))
        assert effects._in_colours(picture, 0.0, 0.5, 0.0, 0.0, 0.0)[0, 2, 0] in (126, 127, 128)

    def test_the_flow_stays_as_it_is(self):
        textures = [smooth_texture(number) for number in range(3)]
        every = {f.name: 1.0 for f in dataclasses.fields(PLAIN) if f.name.endswith("probability")}
        shape = ("smooth_probability", "hole_probability", "follow_probability")
        kept = {name: value for name, value in every.items() if name not in shape}
        kept.pop("deformation_probability")
        loud = dataclasses.replace(PLAIN, **kept)
        plain, changed = (
            generate(config, textures, (40, 60), np.random.default_rng(3))
            for config in (PLAIN, loud)
        )
        for name in ("flow", "occlusion", "foreground"):
            np.testing.assert_array_equal(plain[name], changed[name])
        assert np.abs(plain["images"].astype(int) - changed["images"]).mean() > 3

    @pytest.mark.parametrize("smear", [(7.0, 0.0), (0.0, 4.0), (-3.0, 5.0), (0.4, 0.2)])
    def test_motion_blur_averages_along_the_motion(self, smear):
        kernel = render._line(smear).astype(float)
        reach = len(kernel) // 2
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        assert kernel.sum() == pytest.approx(1)
        assert (kernel * x).sum() == pytest.approx(0, abs=1e-6)
        assert (kernel * y).sum() == pytest.approx(0, abs=1e-6)
        # As along a line, which has a twelfth of its length squared, within a pixel's own.
        spread = (kernel * (x**2 + y**2)).sum()
        assert spread == pytest.approx(np.square(smear).sum() / 12, abs=0.9)
        np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-6)

    def test_without_motion_nothing_is_blurred(self):
        assert render._line((0.0, 0.0)) is None


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("textures")
    for number in range(3):
        Image.fromarray(smooth_texture(number)).save(folder / f"{number}.png")
    textures = Textures(folder, split="train", seed=5)
    return GeneratedSource(GeneratorConfig(), textures, (24, 32), 12, 5, "train")


def digest(example):
    return {n: v if n == "name" else (str(v.dtype), v.tobytes()) for n, v in example.items()}


class TestSource:
    def test_a_pair_depends_on_its_number_alone(self, source):
        forward = [digest(source[i]) for i in range(12)]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            threads = list(pool.map(lambda i: digest(source[i]), reversed(range(12))))
        copy = pickle.loads(pickle.dumps(source))
        assert forward == threads[::-1]
        assert digest(copy[7]) == forward[7]
        assert len({str(one["images"]) for one in forward}) == 12
        assert forward[3]["name"] == "train_000003"

    def test_other_seeds_and_splits_have_other_pairs(self, source):
        others = [
            dataclasses.replace(source, seed=6),
            dataclasses.replace(source, split="validation"),
        ]
        flows = [one[i]["flow"].tobytes() for one in (source, *others) for i in range(12)]
        assert len(set(flows)) == 36

    def test_it_ends(self, source):
        assert len(source) == 12
        for index in (12, -1):
            with pytest.raises(IndexError, match="of 12"):
                source[index]

    def test_its_fingerprint_tells_all_that_decides(self, source):
        others = [
            dataclasses.replace(source, seed=6),
            dataclasses.replace(source, split="validation"),
            dataclasses.replace(source, num_pairs=13),
            dataclasses.replace(source, size=(32, 24)),
            dataclasses.replace(source, config=PLAIN),
            dataclasses.replace(source, textures=Textures(None, split="train", seed=5)),
        ]
        prints = [one.fingerprint for one in (source, *others)]
        assert len({one["sha256"] for one in prints}) == 7
        again = pickle.loads(pickle.dumps(source)).fingerprint
        assert json.dumps(again) == json.dumps(prints[0])


class TestConfig:
    def test_a_range_is_set_by_two_numbers(self):
        config = overrides.apply(GeneratorConfig(), ["translation=0,0.25", "num_objects=2,4"])
        assert config.translation == (0.0, 0.25)
        assert config.num_objects == (2, 4)

    @pytest.mark.parametrize(
        "override",
        [
            "translation=0,10",
            "rotation=10,5",
            "num_objects=-1,3",
            "num_corners=2,3",
            "noise_probability=1.5",
            "aspect=0,1",
            "translation_power=0",
        ],
    )
    def test_an_impossible_range_is_told(self, override):
        name = override.partition("=")[0]
        with pytest.raises(UserError, match=rf"{override}.*{name} is .* is due"):
            overrides.apply(GeneratorConfig(), [override])

    def test_nan_is_no_number(self):
        with pytest.raises(ValueError, match="finite"):
            GeneratorConfig(rotation=(0.0, math.nan))

    def test_every_field_has_its_bounds(self):
        names = {f.name for f in dataclasses.fields(GeneratorConfig)}
        assert {n for n in names if not n.endswith("probability")} == set(_BOUNDS)
