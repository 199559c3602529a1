# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Reach the floating ball of the colour that the instruction names, among two others."""

from collections.abc import Iterator, Sequence

import numpy as np

from .colours import COLOURS, NAMES, WHITE
from .scene import Scene, body, geom
from .task import Keyframe, Task, above, scattered

_RADIUS = 0.03
_REACHED = 0.04
_BALLS = ("ball0", "ball1", "ball2")


class ReachTarget(Task):
    """Variations are the colours. The tip has to end less than 4 cm from the ball's middle."""

    name = "reach_target"
    num_variations = len(NAMES)

    @staticmethod
    def scene() -> Scene:
        balls = (
            body(name, geom("sphere", [_RADIUS], WHITE, name=name, class_="drawn"))
            for name in _BALLS
        )
        return Scene("".join(balls))

    @staticmethod
    def instructions(variation: int) -> Sequence[str]:
        colour = NAMES[variation]
        return (
            f"reach the {colour} target",
            f"touch the {colour} ball with the panda gripper",
            f"reach the {colour} sphere",
        )

    def _arrange(self, generator: np.random.Generator) -> None:
        colour = NAMES[self._variation]
        others = [name for name in NAMES if name != colour]
        chosen = [colour, *generator.choice(others, len(_BALLS) - 1, replace=False)]
        spots = scattered(generator, len(_BALLS), (0.05, -0.28), (0.42, 0.28), 0.14)
        heights = generator.uniform(0.80, 1.05, len(_BALLS))
        for ball, colour, spot, height in zip(_BALLS, chosen, spots, heights, strict=True):
            self._world.place(ball, np.array([*spot, height]))
            self._world.paint(ball, COLOURS[colour])

    def _is_reached(self, ball: str) -> bool:
        way = self._world.pose()[:3] - self._world.position(ball)
        return bool(np.linalg.norm(way) < _REACHED)

    def is_done(self) -> bool:
        return self._is_reached(_BALLS[0])

    def is_mistaken(self) -> bool:
        return any(self._is_reached(ball) for ball in _BALLS[1:])

    def positions(self) -> np.ndarray:
        return np.concatenate([self._world.position(ball) for ball in _BALLS])

    def expert(self) -> Iterator[Keyframe]:
        yield Keyframe(above(self._world.position(_BALLS[0])), True, False)
