# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Push one button, or two or three in the order that the instruction names."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from .colours import COLOURS, DARK, NAMES, WHITE
from .scene import TABLE_HEIGHT, Scene, body, geom
from .task import Keyframe, Task, above, raised, scattered

_BUTTONS = ("button0", "button1", "button2")
_CAP = 0.035
_TRAVEL = 0.025
_PRESSED = 0.010
_RELEASED = 0.005
# The fingers end 1 cm beyond the tip.
_FINGER_END = 0.010
_DEPTH = 0.020


def _orders() -> tuple[tuple[str, ...], ...]:
    """Returns all single colours, then 24 orders of two and of three, alternating."""
    generator = np.random.default_rng(0)
    pairs = list(itertools.permutations(NAMES, 2))
    triples = list(itertools.permutations(NAMES, 3))
    chosen = [
        some[number]
        for some in (pairs, triples)
        for number in sorted(generator.choice(len(some), 12, replace=False))
    ]
    return (*((name,) for name in NAMES), *chosen)


_ORDERS = _orders()


class PushButtons(Task):
    """Variations are orders of colours: 6 of one button, 12 of two and 12 of three.

    There are always three buttons of different colours. A button out of order is a mistake
    that nothing mends.
    """

    name = "push_buttons"
    num_variations = len(_ORDERS)
    is_mistake_final = True

    @staticmethod
    def scene() -> Scene:
        return Scene("".join(_button(name) for name in _BUTTONS))

    @staticmethod
    def instructions(variation: int) -> Sequence[str]:
        first, *later = _ORDERS[variation]
        return tuple(
            f"{verb} the {first} {what}"
            + "".join(f", then {verb} the {name} {what}" for name in later)
            for verb, what in (("push", "button"), ("press", "button"), ("push down", "knob"))
        )

    def _arrange(self, generator: np.random.Generator) -> None:
        order = _ORDERS[self._variation]
        others = [name for name in NAMES if name not in order]
        fillers = generator.choice(others, len(_BUTTONS) - len(order), replace=False)
        spots = scattered(generator, len(_BUTTONS), (0.08, -0.26), (0.40, 0.26), 0.16)
        for button, colour, spot in zip(_BUTTONS, (*order, *fillers), spots, strict=True):
            self._world.place(button, np.array([*spot, TABLE_HEIGHT]))
            self._world.paint(f"{button}_cap", COLOURS[str(colour)])
        self._wanted = list(_BUTTONS[: len(order)])
        self._pushed: list[str] = []
        self._down: set[str] = set()

    def watch(self) -> None:
        for button in _BUTTONS:
            depth = -self._world.joint(button)
            if depth > _PRESSED and button not in self._down:
                self._down.add(button)
                self._pushed.append(button)
            elif depth < _RELEASED:
                self._down.discard(button)

    def is_done(self) -> bool:
        return self._pushed == self._wanted

    def is_mistaken(self) -> bool:
        return self._pushed != self._wanted[: len(self._pushed)]

    def positions(self) -> np.ndarray:
        return np.concatenate([self._world.position(button) for button in _BUTTONS])

    def expert(self) -> Iterator[Keyframe]:
        for button in self._wanted:
            top = raised(self._world.position(button), 0.02 + _CAP + _FINGER_END)
            yield Keyframe(above(top, 0.07), False, False)
            yield Keyframe(above(top, -_DEPTH), False, True)


class PushButton(PushButtons):
    """Variations are the colours of one button among three."""

    name = "push_button"
    num_variations = len(NAMES)


def _button(name: str) -> str:
    """Returns a button whose cap goes down 25 mm against a spring."""
    cap = (
        f'<joint name="{name}" type="slide" axis="0 0 1" range="-{_TRAVEL} 0" stiffness="60" '
        'springref="0.02" damping="3"/>'
        + geom(
            "cylinder",
            (0.028, _CAP / 2),
            WHITE,
            (0, 0, 0.02 + _CAP / 2),
            name=f"{name}_cap",
            mass=0.05,
        )
    )
    return body(
        name,
        geom("box", (0.045, 0.045, 0.01), DARK, (0, 0, 0.01), class_="drawn")
        + body(f"{name}_moving", cap),
    )
