# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Put the lid on the jar of the colour that the instruction names, and turn it."""

from collections.abc import Iterator, Sequence

import numpy as np

from .colours import COLOURS, GREY, NAMES, WHITE
from .scene import TABLE_HEIGHT, Scene, body, geom
from .task import Keyframe, Task, above, raised, scattered

_JARS = ("jar0", "jar1")
_RADIUS, _HEIGHT = 0.030, 0.10
_LID = 0.012
_ASIDE = 0.02
_SEATED = 0.008
_TURNED = np.radians(45)
_TURN = np.radians(85)


class CloseJar(Task):
    """Variations are the colours of the jar; another stands beside it.

    The lid has to lie on the jar, let loose, and have been turned by 45 degrees there.
    """

    name = "close_jar"
    num_variations = len(NAMES)
    lift_height = 1.05

    @staticmethod
    def scene() -> Scene:
        jars = (
            body(
                name,
                geom("cylinder", (_RADIUS, _HEIGHT / 2), WHITE, (0, 0, _HEIGHT / 2), name=name)
                + geom(
                    "cylinder",
                    (0.042, 0.002),
                    WHITE,
                    (0, 0, 0.002),
                    name=f"{name}_foot",
                ),
            )
            for name in _JARS
        )
        lid = body(
            "lid",
            '<freejoint name="lid"/>'
            + geom("cylinder", (_RADIUS, _LID), GREY, mass=0.05)
            + geom("box", (0.026, 0.004, 0.003), WHITE, (0, 0, _LID), mass=0.002),
        )
        return Scene("".join(jars) + lid, graspable=("lid",))

    @staticmethod
    def instructions(variation: int) -> Sequence[str]:
        colour = NAMES[variation]
        return (
            f"close the {colour} jar",
            f"screw on the {colour} jar lid",
            f"grasping the lid, lift it from the table and use it to seal the {colour} jar",
            f"pick up the lid from the table and put it on the {colour} jar",
        )

    def _arrange(self, generator: np.random.Generator) -> None:
        colour = NAMES[self._variation]
        other = str(generator.choice([name for name in NAMES if name != colour]))
        spots = scattered(generator, 3, (0.10, -0.24), (0.38, 0.24), 0.18)
        for jar, name, spot in zip(_JARS, (colour, other), spots[:2], strict=True):
            self._world.place(jar, np.array([*spot, TABLE_HEIGHT]))
            for part in (jar, f"{jar}_foot"):
                self._world.paint(part, COLOURS[name])
        yaw = generator.uniform(-np.pi / 4, np.pi / 4)
        self._world.place("lid", np.array([*spots[2], TABLE_HEIGHT + _LID]), yaw)
        self._yaw: float | None = None
        self._turned = 0.0

    def _is_on(self, jar: str) -> bool:
        way = self._world.position("lid") - self._world.position(jar)
        is_level = self._world.rotation("lid")[2, 2] > 0.98
        aside = np.linalg.norm(way[:2]) < _ASIDE
        return bool(is_level and aside and abs(way[2] - _HEIGHT - _LID) < _SEATED)

    def watch(self) -> None:
        if not self._is_on(_JARS[0]):
            self._yaw, self._turned = None, 0.0
            return
        yaw = self._world.yaw("lid")
        if self._yaw is not None:
            self._turned += (yaw - self._yaw + np.pi) % (2 * np.pi) - np.pi
        self._yaw = yaw

    def is_done(self) -> bool:
        is_turned = abs(self._turned) > _TURNED
        return self._is_on(_JARS[0]) and is_turned and self._world.held() is None

    def is_mistaken(self) -> bool:
        return self._is_on(_JARS[1]) and self._world.held() is None

    def positions(self) -> np.ndarray:
        return np.concatenate([self._world.position(name) for name in ("lid", *_JARS)])

    def expert(self) -> Iterator[Keyframe]:
        lid, yaw = self._world.position("lid"), self._world.yaw("lid")
        yield Keyframe(above(lid, 0.10, yaw), True, False)
        yield Keyframe(above(lid, 0.0, yaw), False, True)
        closed = raised(self._world.position(_JARS[0]), _HEIGHT + _LID)
        yield Keyframe(above(closed, 0.10, 0.0), False, False)
        yield Keyframe(above(closed, 0.001, 0.0), False, True)
        yield Keyframe(above(closed, 0.001, -_TURN), True, True)
