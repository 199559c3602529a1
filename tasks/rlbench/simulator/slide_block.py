# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Slide a block on to the square of the colour that the instruction names."""

from collections.abc import Iterator, Sequence

import numpy as np

from .colours import COLOURS, GREY, NAMES, WHITE
from .scene import TABLE_HEIGHT, Scene, body, geom
from .task import Keyframe, Task, above

_PADS = ("pad0", "pad1", "pad2", "pad3")
_DIRECTIONS = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
_HALF = 0.035
_DISTANCE = 0.16
_ON_PAD = 0.04
# From the block's middle to the tip that pushes it: half a finger is 1 cm wide.
_CONTACT = _HALF + 0.010
_COLOURS = NAMES[:4]


class SlideBlock(Task):
    """Variations are the colours of four squares, which lie around the block in any order.

    The block's middle has to come within 4 cm of the square's, along both of its sides.
    """

    name = "slide_block_to_color_target"
    num_variations = len(_COLOURS)

    @staticmethod
    def scene() -> Scene:
        block = body(
            "block",
            '<freejoint name="block"/>'
            + geom(
                "box", (_HALF, _HALF, _HALF), GREY, mass=0.15, friction="0.5 0.01 0.001", priority=1
            ),
        )
        pads = (
            body(name, geom("box", (0.06, 0.06, 0.001), WHITE, name=name, class_="drawn"))
            for name in _PADS
        )
        return Scene(block + "".join(pads))

    @staticmethod
    def instructions(variation: int) -> Sequence[str]:
        colour = _COLOURS[variation]
        return (
            f"slide the block to {colour} target",
            f"slide the block onto the {colour} square",
            f"push the block until it is sitting on top of the {colour} target",
            f"cover the {colour} target with the block",
        )

    def _arrange(self, generator: np.random.Generator) -> None:
        middle = generator.uniform((0.20, -0.06), (0.28, 0.06))
        self._world.place("block", np.array([*middle, TABLE_HEIGHT + _HALF]))
        order = generator.permutation(len(_PADS))
        for pad, direction in zip(_PADS, order, strict=True):
            spot = middle + _DISTANCE * _DIRECTIONS[direction]
            self._world.place(pad, np.array([*spot, TABLE_HEIGHT + 0.001]))
        for pad, colour in zip(_PADS, _COLOURS, strict=True):
            self._world.paint(pad, COLOURS[colour])
        self._pad = _PADS[self._variation]

    def _is_on(self, pad: str) -> bool:
        way = self._world.position("block") - self._world.position(pad)
        return bool(np.abs(way[:2]).max() < _ON_PAD)

    def is_done(self) -> bool:
        return self._is_on(self._pad)

    def is_mistaken(self) -> bool:
        return any(self._is_on(pad) for pad in _PADS if pad != self._pad)

    def positions(self) -> np.ndarray:
        others = [pad for pad in _PADS if pad != self._pad]
        return np.concatenate(
            [self._world.position(name) for name in ("block", self._pad, *others)]
        )

    def expert(self) -> Iterator[Keyframe]:
        block, pad = self._world.position("block"), self._world.position(self._pad)
        way = (pad - block) * [1.0, 1.0, 0.0]
        direction = way / np.linalg.norm(way)
        yaw = float(np.arctan2(direction[1], direction[0]))
        behind = block - direction * (_CONTACT + 0.03)
        yield Keyframe(above(behind, 0.08, yaw), False, False)
        yield Keyframe(above(behind, 0.0, yaw), False, True)
        end = pad - direction * _CONTACT
        end[2] = behind[2]
        yield Keyframe(above(end, 0.0, yaw), False, True)
