# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Parts of the generator: outlines, effects on frames, motion blur."""

import dataclasses
import math

import numpy as np
import pytest
from flow_made_pairs import PLAIN, distance_to, is_within, smooth_texture
from perceiver_bench.tasks.flow.generator import (
    effects,
    generate,
    outlines,
    render,
)

from perceiver_bench.config.flow_generator import GeneratorConfig


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
