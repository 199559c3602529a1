# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Pick up the block of a colour, and stack blocks of a colour on a plate."""

from collections.abc import Iterator, Sequence

import numpy as np

from .colours import COLOURS, GREY, NAMES, WHITE
from .scene import TABLE_HEIGHT, Scene, body, geom
from .task import Keyframe, Task, above, raised, scattered

_HALF = 0.0225
_LIFTED = 0.10
_TOUCHED = 0.03


def _blocks(names: Sequence[str]) -> str:
    return "".join(
        body(
            name,
            f'<freejoint name="{name}"/>'
            + geom("box", (_HALF, _HALF, _HALF), WHITE, name=name, mass=0.06),
        )
        for name in names
    )


class PickAndLift(Task):
    """Variations are the colours of the block; two blocks of other colours lie beside it.

    The block has to be in the gripper, 10 cm above where it lay.
    """

    name = "pick_and_lift"
    num_variations = len(NAMES)

    _BLOCKS = ("block0", "block1", "block2")

    @staticmethod
    def scene() -> Scene:
        return Scene(_blocks(PickAndLift._BLOCKS), graspable=PickAndLift._BLOCKS)

    @staticmethod
    def instructions(variation: int) -> Sequence[str]:
        colour = NAMES[variation]
        return (
            f"pick up the {colour} block and lift it up",
            f"grasp the {colour} block and lift it",
            f"lift the {colour} block off the table",
        )

    def _arrange(self, generator: np.random.Generator) -> None:
        colour = NAMES[self._variation]
        others = [name for name in NAMES if name != colour]
        chosen = [colour, *generator.choice(others, len(self._BLOCKS) - 1, replace=False)]
        spots = scattered(generator, len(self._BLOCKS), (0.08, -0.26), (0.40, 0.26), 0.13)
        for block, name, spot in zip(self._BLOCKS, chosen, spots, strict=True):
            yaw = generator.uniform(-np.pi / 4, np.pi / 4)
            self._world.place(block, np.array([*spot, TABLE_HEIGHT + _HALF]), yaw)
            self._world.paint(block, COLOURS[str(name)])

    def _height(self, block: str) -> float:
        return float(self._world.position(block)[2] - TABLE_HEIGHT - _HALF)

    def is_done(self) -> bool:
        block = self._BLOCKS[0]
        return self._world.held() == block and self._height(block) > _LIFTED

    def is_mistaken(self) -> bool:
        return any(self._height(block) > _TOUCHED for block in self._BLOCKS[1:])

    def positions(self) -> np.ndarray:
        return np.concatenate([self._world.position(block) for block in self._BLOCKS])

    def expert(self) -> Iterator[Keyframe]:
        block = self._BLOCKS[0]
        place, yaw = self._world.position(block), self._world.yaw(block)
        yield Keyframe(above(place, 0.10, yaw), True, False)
        yield Keyframe(above(place, 0.0, yaw), False, True)
        yield Keyframe(above(place, 0.20, yaw), False, True)


class StackBlocks(Task):
    """Variations are colours and counts of 2 to 4; four blocks have the colour, two another.

    So many blocks of the colour have to stand on each other over the plate, let loose.
    """

    name = "stack_blocks"
    num_variations = 3 * len(NAMES)
    lift_height = 1.10

    _MEANT = ("block0", "block1", "block2", "block3")
    _OTHERS = ("block4", "block5")
    _ASIDE = 0.03
    _TOLERANCE = 0.008

    @staticmethod
    def scene() -> Scene:
        names = StackBlocks._MEANT + StackBlocks._OTHERS
        plate = body("plate", geom("box", (0.055, 0.055, 0.001), GREY, class_="drawn"))
        return Scene(_blocks(names) + plate, graspable=names)

    @staticmethod
    def instructions(variation: int) -> Sequence[str]:
        colour, count = _colour_and_count(variation)
        return (
            f"stack {count} {colour} blocks",
            f"place {count} of the {colour} cubes on top of each other",
            f"pick up and set down {count} {colour} blocks on top of each other",
            f"build a tall tower out of {count} {colour} cubes",
        )

    def _arrange(self, generator: np.random.Generator) -> None:
        colour, self._count = _colour_and_count(self._variation)
        other = str(generator.choice([name for name in NAMES if name != colour]))
        names = self._MEANT + self._OTHERS
        plate = generator.uniform((0.16, -0.05), (0.30, 0.05))
        while True:
            spots = scattered(generator, len(names), (0.05, -0.30), (0.42, 0.30), 0.105)
            if np.linalg.norm(spots - plate, axis=1).min() > 0.15:
                break
        self._world.place("plate", np.array([*plate, TABLE_HEIGHT + 0.001]))
        for block, spot in zip(names, spots, strict=True):
            yaw = generator.uniform(-np.pi / 4, np.pi / 4)
            self._world.place(block, np.array([*spot, TABLE_HEIGHT + _HALF]), yaw)
            self._world.paint(block, COLOURS[colour if block in self._MEANT else other])

    def _tower(self, names: Sequence[str]) -> int:
        """Returns how many of the blocks stand on each other over the plate, let loose."""
        plate, held = self._world.position("plate"), self._world.held()
        places = np.array([self._world.position(name) for name in names if name != held])
        aside = np.linalg.norm(places[:, :2] - plate[:2], axis=1)
        heights = np.sort(places[aside < self._ASIDE, 2])
        levels = TABLE_HEIGHT + _HALF * (2 * np.arange(len(heights)) + 1)
        stands = np.abs(heights - levels) < self._TOLERANCE
        return int(np.cumprod(stands).sum())

    def is_done(self) -> bool:
        return self._tower(self._MEANT) >= self._count

    def is_mistaken(self) -> bool:
        plate = self._world.position("plate")[:2]
        places = np.array([self._world.position(name)[:2] for name in self._OTHERS])
        return bool(np.linalg.norm(places - plate, axis=1).min() < self._ASIDE)

    def positions(self) -> np.ndarray:
        names = ("plate", *self._MEANT, *self._OTHERS)
        return np.concatenate([self._world.position(name) for name in names])

    def expert(self) -> Iterator[Keyframe]:
        plate = self._world.position("plate") * [1.0, 1.0, 0.0]
        far = [-np.linalg.norm(self._world.position(name)[:2] - plate[:2]) for name in self._MEANT]
        for level, number in enumerate(np.argsort(far)[::-1][: self._count]):
            block = self._MEANT[number]
            place, yaw = self._world.position(block), self._world.yaw(block)
            yield Keyframe(above(place, 0.10, yaw), True, False)
            yield Keyframe(above(place, 0.0, yaw), False, True)
            stack = raised(plate, TABLE_HEIGHT + _HALF * (2 * level + 1))
            yield Keyframe(above(stack, 0.10), False, False)
            yield Keyframe(above(stack, 0.001), True, True)


def _colour_and_count(variation: int) -> tuple[str, int]:
    return NAMES[variation // 3], 2 + variation % 3
