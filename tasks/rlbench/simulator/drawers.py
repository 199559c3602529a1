# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Open one of three drawers, and put what lies on the cabinet into it."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from .colours import COLOURS, DARK, GREY, WOOD, Colour
from .scene import TABLE_HEIGHT, Scene, body, geom
from .task import Keyframe, Task, above, raised

_DRAWERS = ("bottom", "middle", "top")
_PITCH = 0.095
_HALF_WIDTH, _HALF_DEPTH = 0.13, 0.12
_HEIGHT = 3 * _PITCH + 0.02
_TRAVEL = 0.20
_OPENED = 0.12
_MOVED = 0.04
# From the cabinet's middle to the bar of a handle.
_HANDLE = _HALF_DEPTH + 0.045
_WALL = 0.006
_ITEM = 0.02
# The gripper comes to the handles 30 degrees from above.
_TILT = Rotation.from_euler("y", 60, degrees=True) * Rotation.from_quat([0.0, 1.0, 0.0, 0.0])
_FRONT: Colour = (0.88, 0.86, 0.82)


class OpenDrawer(Task):
    """Variations are the drawers. It has to be open by 12 cm."""

    name = "open_drawer"
    num_variations = len(_DRAWERS)
    lift_height = 1.25

    @staticmethod
    def scene() -> Scene:
        return Scene(_cabinet(), graspable=_DRAWERS)

    @staticmethod
    def instructions(variation: int) -> Sequence[str]:
        drawer = _DRAWERS[variation]
        return (
            f"open the {drawer} drawer",
            f"grip the {drawer} handle and pull the {drawer} drawer open",
            f"slide the {drawer} drawer open",
        )

    def _arrange(self, generator: np.random.Generator) -> None:
        self._drawer = _DRAWERS[self._variation]
        spot = generator.uniform((0.04, -0.12), (0.12, 0.12))
        self._yaw = float(generator.uniform(-0.3, 0.3))
        self._world.place("cabinet", np.array([*spot, TABLE_HEIGHT]), self._yaw)

    def is_done(self) -> bool:
        return self._world.joint(self._drawer) > _OPENED

    def is_mistaken(self) -> bool:
        others = (drawer for drawer in _DRAWERS if drawer != self._drawer)
        return any(self._world.joint(drawer) > _MOVED for drawer in others)

    def positions(self) -> np.ndarray:
        others = [drawer for drawer in _DRAWERS if drawer != self._drawer]
        return np.concatenate([self._handle(name) for name in (self._drawer, *others)])

    def _handle(self, drawer: str) -> np.ndarray:
        """Returns the middle of the bar of a drawer's handle, [3]."""
        place, axes = self._world.position(drawer), self._world.rotation(drawer)
        return place + axes @ [_HANDLE, 0.0, 0.0]

    def _outwards(self) -> np.ndarray:
        return np.array([np.cos(self._yaw), np.sin(self._yaw), 0.0])

    def _at_handle(self, offset: np.ndarray) -> np.ndarray:
        """Returns the pose [7] whose tip is at the handle, moved by an offset [3]."""
        rotation = Rotation.from_euler("z", self._yaw) * _TILT
        return np.concatenate([self._handle(self._drawer) + offset, rotation.as_quat()])

    def _pull(self, is_open: bool) -> Iterator[Keyframe]:
        """Yields the actions that open the drawer; the fingers end open or closed."""
        back = raised(0.10 * self._outwards(), 0.05)
        yield Keyframe(self._at_handle(back), True, False)
        yield Keyframe(self._at_handle(np.zeros(3)), False, True)
        yield Keyframe(self._at_handle(0.18 * self._outwards()), is_open, True)

    def expert(self) -> Iterator[Keyframe]:
        yield from self._pull(is_open=False)


class PutItemInDrawer(OpenDrawer):
    """Variations are the drawers. The item has to lie in the drawer, let loose."""

    name = "put_item_in_drawer"
    lift_height = 1.30

    @staticmethod
    def scene() -> Scene:
        item = body(
            "item",
            '<freejoint name="item"/>'
            + geom("box", (_ITEM, _ITEM, _ITEM), COLOURS["red"], mass=0.05),
        )
        return Scene(_cabinet() + item, graspable=(*_DRAWERS, "item"))

    @staticmethod
    def instructions(variation: int) -> Sequence[str]:
        drawer = _DRAWERS[variation]
        return (
            f"put the item in the {drawer} drawer",
            f"put the block away in the {drawer} drawer",
            f"open the {drawer} drawer and place the block inside of it",
            f"leave the {drawer} drawer open with the block inside",
        )

    def _arrange(self, generator: np.random.Generator) -> None:
        super()._arrange(generator)
        self._world.refresh()
        corner = np.array([*generator.uniform((-0.05, -0.07), (0.05, 0.07)), _HEIGHT + _ITEM])
        axes = self._world.rotation("cabinet")
        yaw = generator.uniform(-np.pi / 4, np.pi / 4)
        self._world.place("item", self._world.position("cabinet") + axes @ corner, yaw)

    def _is_in(self, drawer: str) -> bool:
        if self._world.held() == "item":
            return False
        way = self._world.position("item") - self._world.position(drawer)
        inside = np.abs(self._world.rotation(drawer).T @ way)
        return bool(np.all(inside < [_HALF_DEPTH, _HALF_WIDTH, _PITCH / 2]))

    def is_done(self) -> bool:
        return self._is_in(self._drawer)

    def is_mistaken(self) -> bool:
        others = (drawer for drawer in _DRAWERS if drawer != self._drawer)
        return super().is_mistaken() or any(self._is_in(drawer) for drawer in others)

    def positions(self) -> np.ndarray:
        return np.concatenate([self._world.position("item"), super().positions()])

    def expert(self) -> Iterator[Keyframe]:
        yield from self._pull(is_open=True)
        back = raised(0.10 * self._outwards(), 0.05)
        yield Keyframe(self._at_handle(back), True, True)
        item, yaw = self._world.position("item"), self._world.yaw("item")
        yield Keyframe(above(item, 0.10, yaw), True, False)
        yield Keyframe(above(item, 0.0, yaw), False, True)
        # The free part of the drawer's inside begins where the drawers above it end.
        drawer = self._world.position(self._drawer)
        middle = drawer + self._outwards() * (_HALF_DEPTH - 0.055)
        over = np.array([*middle[:2], TABLE_HEIGHT + _HEIGHT])
        yield Keyframe(above(over, 0.12, self._yaw), False, False)
        yield Keyframe(above(middle, 0.02, self._yaw), True, True)


def _cabinet() -> str:
    """Returns a cabinet of three drawers that come out along its x axis."""
    below = (_HEIGHT - 0.012) / 2
    sides = [
        geom("box", (_HALF_DEPTH, 0.005, below), WOOD[1], (0, side, below))
        for side in (-_HALF_WIDTH - 0.008, _HALF_WIDTH + 0.008)
    ]
    levels = [
        geom("box", (_HALF_DEPTH, _HALF_WIDTH + 0.003, 0.004), WOOD[3], (0, 0, height))
        for height in (0.004, *(0.012 + _PITCH * number for number in (1, 2)))
    ]
    back = geom(
        "box", (0.005, _HALF_WIDTH + 0.013, below), WOOD[1], (-_HALF_DEPTH - 0.005, 0, below)
    )
    top = geom(
        "box",
        (_HALF_DEPTH + 0.01, _HALF_WIDTH + 0.02, 0.006),
        WOOD[2],
        (0, 0, _HEIGHT - 0.006),
    )
    drawers = [
        _drawer(name, 0.012 + _PITCH * (number + 0.5)) for number, name in enumerate(_DRAWERS)
    ]
    return body("cabinet", "".join((*sides, *levels, back, top, *drawers)))


def _drawer(name: str, height: float) -> str:
    half = _PITCH / 2 - 0.010
    wall = half - 0.012
    parts = [
        geom("box", (_HALF_DEPTH - 0.01, _HALF_WIDTH - 0.004, 0.003), GREY, (0, 0, -half + 0.003)),
        geom(
            "box",
            (0.006, _HALF_WIDTH, half + 0.003),
            _FRONT,
            (_HALF_DEPTH + 0.004, 0, 0),
        ),
        geom(
            "box", (_WALL / 2, _HALF_WIDTH - 0.004, wall), GREY, (-_HALF_DEPTH + 0.012, 0, -0.012)
        ),
        *(
            geom(
                "box",
                (_HALF_DEPTH - 0.01, _WALL / 2, wall),
                GREY,
                (0, side, -0.012),
            )
            for side in (-_HALF_WIDTH + 0.007, _HALF_WIDTH - 0.007)
        ),
        geom("box", (0.006, 0.006, 0.028), DARK, (_HANDLE, 0, 0), name=f"{name}_handle"),
        *(
            geom("box", (0.018, 0.005, 0.005), DARK, (_HALF_DEPTH + 0.025, 0, side))
            for side in (-0.023, 0.023)
        ),
    ]
    joint = (
        f'<joint name="{name}" type="slide" axis="1 0 0" range="0 {_TRAVEL}" damping="4" '
        'frictionloss="0.5"/>'
    )
    return body(name, joint + "".join(parts), (0, 0, height))
