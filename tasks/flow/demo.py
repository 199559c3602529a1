# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Small data sets of generated pairs, in the layouts of the benchmarks."""

import functools
import pathlib

import cv2
import numpy as np

from perceiver_bench import api

from . import files, generator

_SIZE = (40, 56)
_NUM_PAIRS = 12
_NUM_TEXTURES = 12
_SCENES = tuple(f"scene_{number}" for number in range(_NUM_PAIRS))


@functools.cache
def _textures(seed: int) -> list[np.ndarray]:
    painted = generator.Textures(None, split="demo", seed=seed)
    return [painted[index] for index in range(_NUM_TEXTURES)]


@functools.cache
def _examples(seed: int) -> list[api.Example]:
    config, textures = api.GeneratorConfig(), _textures(seed)
    return [
        generator.generate(config, textures, _SIZE, np.random.default_rng((seed, index)))
        for index in range(_NUM_PAIRS)
    ]


def _image(suffix: str, image: np.ndarray) -> bytes:
    colours = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    return cv2.imencode(suffix, colours)[1].tobytes()


def write_textures(folder: pathlib.Path, seed: int) -> None:
    """Writes images for the generator to paint with."""
    for index, texture in enumerate(_textures(seed)):
        api.write_atomically(folder / f"texture_{index:02}.png", _image(".png", texture))


def write_sintel(folder: pathlib.Path, seed: int) -> None:
    """Writes both renderings of MPI-Sintel/training with occlusions, two frames a scene."""
    training = folder / "MPI-Sintel" / "training"
    for scene, example in zip(_SCENES, _examples(seed), strict=True):
        for number, image in enumerate(example["images"], 1):
            name = f"{scene}/frame_{number:04}.png"
            blurred = cv2.GaussianBlur(image, (3, 3), 0)
            api.write_atomically(training / "clean" / name, _image(".png", image))
            api.write_atomically(training / "final" / name, _image(".png", blurred))
        name = f"{scene}/frame_0001"
        flow = files.flo_bytes(example["flow"])
        occluded = (example["occlusion"] == 1).astype(np.uint8) * 255
        api.write_atomically(training / "flow" / f"{name}.flo", flow)
        api.write_atomically(training / "occlusions" / f"{name}.png", _image(".png", occluded))


def write_kitti(dataset: str, folder: pathlib.Path, seed: int) -> None:
    """Writes `training` of a KITTI benchmark, of which truth covers half of the pixels."""
    training = folder / "training"
    images = training / ("image_2" if dataset == "kitti2015" else "colored_0")
    rng = np.random.default_rng(seed)
    for number, example in enumerate(_examples(seed)):
        for frame, image in zip((10, 11), example["images"], strict=True):
            path = images / f"{number:06}_{frame}.png"
            api.write_atomically(path, _image(".png", image))
        name = f"{number:06}_10.png"
        known = rng.random(_SIZE) < 0.5
        matched = known & (example["occlusion"] == 0)
        for kind, where in (("flow_occ", known), ("flow_noc", matched)):
            content = files.kitti_png_bytes(example["flow"], where)
            api.write_atomically(training / kind / name, content)
        if dataset == "kitti2015":
            objects = np.zeros(_SIZE, np.uint8)
            objects[_SIZE[0] // 2 :] = 1
            api.write_atomically(training / "obj_map" / name, _image(".png", objects))


def write_flyingchairs(folder: pathlib.Path, seed: int) -> None:
    """Writes FlyingChairs_release with its split: half of the pairs are for validation."""
    release = folder / "FlyingChairs_release"
    for number, example in enumerate(_examples(seed), 1):
        for frame, image in enumerate(example["images"], 1):
            path = release / "data" / f"{number:05}_img{frame}.ppm"
            api.write_atomically(path, _image(".ppm", image))
        flow = files.flo_bytes(example["flow"])
        api.write_atomically(release / "data" / f"{number:05}_flow.flo", flow)
    marks = "\n".join(str(1 + number % 2) for number in range(_NUM_PAIRS))
    api.write_atomically(release / "FlyingChairs_train_val.txt", f"{marks}\n".encode())


def write_mixture(folder: pathlib.Path, seed: int) -> None:
    """Writes Sintel and KITTI 2015 side by side."""
    write_sintel(folder, seed)
    write_kitti("kitti2015", folder, seed + 1)
