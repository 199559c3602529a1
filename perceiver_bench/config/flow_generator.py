# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Configuration of the generator of optical-flow training pairs."""

import dataclasses
import math

# The least and the most that a field may say. The upper bounds on motion keep every point of
# an object in front of the camera, so that its flow is finite.
_BOUNDS: dict[str, tuple[float, float]] = {
    "num_objects": (0, 100),
    "radius": (0.001, 0.5),
    "aspect": (0.05, 1),
    "num_corners": (3, 100),
    "indentation": (0, 0.95),
    "raggedness": (0, 0.3),
    "num_holes": (0, 20),
    "hole_radius": (0.01, 1),
    "translation": (0, 0.5),
    "rotation": (0, 180),
    "scaling": (0, 0.5),
    "shear": (0, 0.5),
    "perspective": (0, 0.25),
    "translation_power": (0.1, 10),
    "background_motion": (0, 1),
    "num_waves": (0, 10),
    "wave_length": (0.05, 10),
    "wave_height": (0, 0.2),
    "texture_zoom": (0.1, 20),
    "texture_rotation": (0, 180),
    "texture_colour": (0, 1),
    "shutter": (0, 1),
    "fog_density": (0, 1),
    "brightness": (0, 255),
    "contrast": (0, 1),
    "gamma": (0, 2),
    "saturation": (0, 1),
    "hue": (0, 180),
    "colour_difference": (0, 1),
    "noise": (0, 255),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """What pairs the generator draws, in the manner of AutoFlow (Sun et al. 2021).

    A pair of numbers is a range from which a value is drawn uniformly for each object, or for
    each pair of frames. Lengths are shares of the picture's diagonal, so the same values serve
    pictures of any size; angles are in degrees; what can be in either direction says so and
    gives the range of the size. A `..._probability` says how often something is there at all.

    Objects:
        num_objects: polygons in front of the background.
        radius: largest distance of the outline from its middle.
        aspect: the shorter axis over the longer one.
        num_corners: corners of the outline.
        indentation: how far a corner lies within `radius` at most, as a share of it.
        smooth_probability: rounded corners; the others have straight and rough edges.
        raggedness: roughness of those: how far the middle of an edge is moved, either way, as
            a share of the edge's length, again and again.
        hole_probability, num_holes: objects with holes and how many.
        hole_radius: a hole's radius as a share of the object's.

    Motion from the first frame to the second, about the object's middle:
        translation: distance, in any direction, drawn as a uniform number to the
            `translation_power`: above 1 short ones are more frequent, as in films.
        rotation: degrees, either way.
        scaling: relative change of size, either way.
        shear: either way.
        perspective: relative change of depth over one diagonal, in any direction.
        background_motion: the background's motion is these ranges times this.
        follow_probability: how often an object's motion adds to that of the background.
        deformation_probability, num_waves: how often and by how many waves a layer bends.
        wave_length: length of a wave.
        wave_height: height of a wave, either way, as a share of its length.

    Textures:
        texture_zoom: pixels of the picture for one pixel of the texture.
        texture_rotation: degrees, either way.
        texture_colour: relative change of each colour channel, either way.

    Effects on the frames, which leave the flow as it is:
        motion_blur_probability, shutter: the share of the motion that a frame gathers.
        fog_probability, fog_density: the share of fog in the colour where it is densest.
        colour_probability: all five below; `brightness` in grey levels of 255, `contrast`,
            `gamma` and `saturation` relative, `hue` in degrees, each either way.
        colour_difference: the second frame's settings are the first's plus new ones times this.
        noise_probability, noise: standard deviation in grey levels of 255.

    Raises:
        ValueError: for a range that is empty or leaves what is possible.
    """

    num_objects: tuple[int, int] = (3, 10)
    radius: tuple[float, float] = (0.03, 0.22)
    aspect: tuple[float, float] = (0.3, 1.0)
    num_corners: tuple[int, int] = (3, 12)
    indentation: tuple[float, float] = (0.0, 0.7)
    smooth_probability: float = 0.5
    raggedness: tuple[float, float] = (0.0, 0.12)
    hole_probability: float = 0.25
    num_holes: tuple[int, int] = (1, 3)
    hole_radius: tuple[float, float] = (0.1, 0.4)

    translation: tuple[float, float] = (0.0, 0.12)
    translation_power: float = 2.0
    rotation: tuple[float, float] = (0.0, 12.0)
    scaling: tuple[float, float] = (0.0, 0.15)
    shear: tuple[float, float] = (0.0, 0.08)
    perspective: tuple[float, float] = (0.0, 0.12)
    background_motion: tuple[float, float] = (0.0, 0.8)
    follow_probability: float = 0.5
    deformation_probability: float = 0.4
    num_waves: tuple[int, int] = (1, 3)
    wave_length: tuple[float, float] = (0.15, 0.8)
    wave_height: tuple[float, float] = (0.0, 0.03)

    texture_zoom: tuple[float, float] = (0.8, 2.0)
    texture_rotation: tuple[float, float] = (0.0, 30.0)
    texture_colour: tuple[float, float] = (0.0, 0.35)

    motion_blur_probability: float = 0.3
    shutter: tuple[float, float] = (0.1, 0.5)
    fog_probability: float = 0.15
    fog_density: tuple[float, float] = (0.1, 0.6)
    colour_probability: float = 0.6
    brightness: tuple[float, float] = (0.0, 40.0)
    contrast: tuple[float, float] = (0.0, 0.3)
    gamma: tuple[float, float] = (0.0, 0.3)
    saturation: tuple[float, float] = (0.0, 0.4)
    hue: tuple[float, float] = (0.0, 20.0)
    colour_difference: tuple[float, float] = (0.0, 0.2)
    noise_probability: float = 0.5
    noise: tuple[float, float] = (0.0, 8.0)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            name, value = field.name, getattr(self, field.name)
            least, most = _BOUNDS.get(name, (0, 1))
            numbers = value if isinstance(value, tuple) else (value, value)
            if not all(math.isfinite(number) for number in numbers):
                raise ValueError(f"{name} is {value}; finite numbers are due")
            if not least <= numbers[0] <= numbers[1] <= most:
                shape = "two numbers, the lesser first," if value is numbers else "a number"
                raise ValueError(f"{name} is {value}; {shape} from {least} to {most} is due")
