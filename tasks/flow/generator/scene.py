# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Draws a scene and makes the training pair of it."""

import dataclasses
import math

import numpy as np

from perceiver_bench import api

from .effects import apply_effects
from .motion import Motion, draw_motion, either_way
from .outlines import draw_outline
from .render import Layer, render
from .textures import TextureSet


def generate(
    config: api.GeneratorConfig,
    textures: TextureSet,
    size: tuple[int, int],
    generator: np.random.Generator,
) -> api.Example:
    """Draws a pair of frames of `size` (height, width) with the flow between them.

    Returns:
        `images` uint8 [2, H, W, 3], RGB; `flow` float32 [H, W, 2], (x, y) in pixels from the
        first frame to the second, of every pixel, occluded or not; `flow_known` bool [H, W],
        all True; `occlusion` int8 [H, W], 1 where a pixel of the first frame is not seen in the
        second; `foreground` int8 [H, W], 1 on objects.
    """
    height, width = size
    diagonal = math.hypot(height, width)
    shutter = generator.uniform(*config.shutter)
    shutter *= generator.random() < config.motion_blur_probability
    middle = ((width - 1) / 2, (height - 1) / 2)
    strength = generator.uniform(*config.background_motion)
    motion = draw_motion(config, middle, diagonal, strength, generator)
    layers = [_layer(config, textures, None, motion, middle, shutter, generator)]
    background = motion.homography
    for _ in range(generator.integers(*config.num_objects, endpoint=True)):
        middle = (generator.uniform(0, width - 1), generator.uniform(0, height - 1))
        rings = draw_outline(config, middle, diagonal, generator)
        motion = draw_motion(config, middle, diagonal, 1.0, generator)
        if generator.random() < config.follow_probability:
            motion = dataclasses.replace(motion, homography=background @ motion.homography)
        layers.append(_layer(config, textures, rings, motion, middle, shutter, generator))
    drawn = render(layers, size)
    return {
        "images": apply_effects(drawn.images, config, generator),
        "flow": drawn.flow,
        "flow_known": np.ones(size, bool),
        "occlusion": drawn.is_occluded.astype(np.int8),
        "foreground": drawn.is_object.astype(np.int8),
        "name": "generated",
    }


def _layer(
    config: api.GeneratorConfig,
    textures: TextureSet,
    rings: list[np.ndarray] | None,
    motion: Motion,
    middle: tuple[float, float],
    shutter: float,
    generator: np.random.Generator,
) -> Layer:
    """Draws the look of a shape."""
    texture = textures[int(generator.integers(len(textures)))]
    zoom = generator.uniform(*config.texture_zoom)
    angle = math.radians(either_way(config.texture_rotation, generator))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    place = generator.random(2) * (texture.shape[1], texture.shape[0])
    offset = place - turn @ middle / zoom
    gains = [1 + either_way(config.texture_colour, generator) for _ in range(3)]
    tones = np.clip(np.rint(np.arange(256)[:, None] * gains), 0, 255).astype(np.uint8)
    (new_x,), (new_y,) = motion.forward(*np.array(middle)[:, None])
    return Layer(
        rings=rings,
        motion=motion,
        texture=texture,
        placement=np.concatenate([turn / zoom, offset[:, None]], axis=1),
        tones=tones[None],
        smear=(shutter * float(new_x - middle[0]), shutter * float(new_y - middle[1])),
    )
