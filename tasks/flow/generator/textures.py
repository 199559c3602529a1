# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Textures by number: the images of a folder, or painted ones where there is no folder."""

import pathlib
import threading
import zlib
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from . import folder as folders
from . import painting

NUM_PAINTED = 200
# Held in memory; each has at most folder.MAX_SIDE^2 pixels, 0.8 MB.
_MAX_HELD = 250
_HELD_OUT_SHARE = 10


class TextureSet(Protocol):
    """Textures uint8 [height, width, 3] by number."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> np.ndarray: ...


class Textures:
    """The textures of one split, made or read when they are asked for and then kept.

    Several threads may draw at once. A copy in another process starts with nothing kept.

    Args:
        folder: holds images, in folders of any depth; a tenth of them is for other splits
            than `train` alone, if there are ten. None for textures that are painted.
        split: `train`, or another that shares no texture with it.
        seed: decides what is painted.

    Raises:
        UserError: if the folder is missing or has no usable image.
    """

    def __init__(self, folder: pathlib.Path | None, *, split: str, seed: int):
        self._folder, self._split, self._seed = folder, split, seed
        self._names: tuple[str, ...] = ()
        self._facts: dict[str, Any] = {"painted": NUM_PAINTED, "seed": seed, "split": split}
        if folder is not None:
            images = folders.scan(folder)
            held_out = len(images.names) // _HELD_OUT_SHARE
            self._names = images.names
            if held_out:
                is_train = split == "train"
                self._names = images.names[held_out:] if is_train else images.names[:held_out]
            self._facts = {
                "images": len(self._names),
                "broken_images": len(images.broken),
                "textures_sha256": images.sha256,
            }
        self._held: dict[int, np.ndarray] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._names) or NUM_PAINTED

    def __getitem__(self, index: int) -> np.ndarray:
        """Returns a texture uint8 [height, width, 3], not to be written to."""
        with self._lock:
            texture = self._held.get(index)
        if texture is None:
            texture = self._make(index)
            texture.flags.writeable = False
            with self._lock:
                if len(self._held) >= _MAX_HELD:
                    del self._held[next(iter(self._held))]
                self._held[index] = texture
        return texture

    def _make(self, index: int) -> np.ndarray:
        if self._folder is not None:
            return folders.read(self._folder / self._names[index])
        key = (self._seed, zlib.crc32(self._split.encode()), index)
        return painting.paint(np.random.default_rng(key))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_held": {}, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """What decides painted textures; of a folder how many images and how many broken ones."""
        return dict(self._facts)
