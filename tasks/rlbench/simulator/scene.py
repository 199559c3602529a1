# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The MJCF of what all tasks share: room, table, lights, cameras and a free parallel gripper.

The hand is a free body that a stiff weld ties to a body without mass, `aim`, which the
controller moves; so contacts act on the hand as on any other body. The fingers are servos.
Geoms of group 3 take part in contacts and are not drawn; those of class `drawn` are only drawn.
"""

import dataclasses
from collections.abc import Iterable, Mapping

from . import placements
from .colours import DARK, FLOOR, GREY, WALL, WHITE, WOOD, Colour

TABLE_HEIGHT = 0.75
FINGER_RANGE = 0.04
GRASP = "grasp_"
"""The prefix of the weld between the hand and a body that it may hold."""
LARGEST_PICTURE = 1024

_SHADOWS_FROM = (0.35, -0.45, 0.82)
_FILL_FROM = (0.55, 0.6, 0.58)


@dataclasses.dataclass(frozen=True)
class Scene:
    """What a task adds to the table.

    Attributes:
        bodies: MJCF of bodies, below `worldbody`.
        graspable: the names of the bodies that the gripper may hold.
    """

    bodies: str
    graspable: tuple[str, ...] = ()


def geom(
    kind: str,
    size: Iterable[float],
    colour: Colour,
    position: Iterable[float] = (0, 0, 0),
    **attributes: object,
) -> str:
    """Returns a geom; attributes are MJCF's, `class` as `class_`."""
    settings = {
        "type": kind,
        "size": _numbers(size),
        "rgba": _numbers((*colour, 1)),
        "pos": _numbers(position),
        **{name.rstrip("_"): value for name, value in attributes.items()},
    }
    return f"<geom {_attributes(settings)}/>"


def body(name: str, content: str, position: Iterable[float] = (0, 0, 0), **attributes: str) -> str:
    """Returns a body around MJCF content."""
    settings = {"name": name, "pos": _numbers(position), **attributes}
    return f"<body {_attributes(settings)}>{content}</body>"


def model(scene: Scene) -> str:
    """Returns the whole MJCF of a task's scene."""
    welds = "".join(
        f'<weld name="{GRASP}{name}" body1="hand" body2="{name}" active="false" '
        'solref="0.01 1" solimp="0.95 0.99 0.001"/>'
        for name in scene.graspable
    )
    return f"""
<mujoco model="rlbench">
  <compiler angle="radian" autolimits="true"/>
  <option timestep="0.002" integrator="implicitfast" cone="elliptic" impratio="10"/>
  <statistic extent="1" center="0.2 0 0.9"/>
  <visual>
    <global offwidth="{LARGEST_PICTURE}" offheight="{LARGEST_PICTURE}"/>
    <quality shadowsize="2048" offsamples="0"/>
    <map znear="{placements.NEAR}" zfar="12" shadowclip="1.2"/>
    <headlight ambient="0.46 0.46 0.46" diffuse="0 0 0" specular="0 0 0"/>
  </visual>
  <default>
    <geom friction="0.8 0.01 0.001" solref="0.005 1" solimp="0.98 0.995 0.001"/>
    <default class="drawn"><geom contype="0" conaffinity="0" mass="0"/></default>
    <default class="hidden"><geom group="3" rgba="0 0 0 0.5"/></default>
    <default class="finger"><geom friction="1.5 0.02 0.001" condim="4"/></default>
  </default>
  <worldbody>
    {_light(_SHADOWS_FROM, 0.48, "true")}
    {_light(_FILL_FROM, 0.16, "false")}
    {_room()}
    {_cameras("world")}
    <body name="aim" mocap="true"/>
    {_hand()}
    {scene.bodies}
  </worldbody>
  <equality>
    <weld name="aim" body1="aim" body2="hand" relpose="0 0 0 1 0 0 0" solref="0.015 1"/>
    <joint joint1="left_finger" joint2="right_finger" solref="0.005 1"/>
    {welds}
  </equality>
  <actuator>
    <position name="left_finger" joint="left_finger" kp="600" forcerange="-15 15"/>
    <position name="right_finger" joint="right_finger" kp="600" forcerange="-15 15"/>
  </actuator>
</mujoco>
"""


def _numbers(values: Iterable[float]) -> str:
    return " ".join(f"{value:.6g}" for value in values)


def _attributes(settings: Mapping[str, object]) -> str:
    return " ".join(f'{name}="{value}"' for name, value in settings.items())


def _light(towards: Iterable[float], diffuse: float, shadows: str) -> str:
    x, y, z = towards
    return (
        f'<light directional="true" pos="{_numbers((0.2 + 2 * x, 2 * y, 0.75 + 2 * z))}" '
        f'dir="{_numbers((-x, -y, -z))}" diffuse="{_numbers([diffuse] * 3)}" '
        f'specular="0 0 0" castshadow="{shadows}"/>'
    )


def _room() -> str:
    """Returns floor, walls and the table with its planks."""
    drawn = {"class_": "drawn"}
    width = 1.3 / len(WOOD)
    planks = [
        geom(
            "box",
            (0.55, width / 2, 0.02),
            wood,
            (0.25, -0.65 + width * (number + 0.5), TABLE_HEIGHT - 0.02),
            **drawn,
        )
        for number, wood in enumerate(WOOD)
    ]
    legs = [
        geom("box", (0.03, 0.03, 0.355), WOOD[1], (0.25 + x, y, 0.355), **drawn)
        for x in (-0.48, 0.48)
        for y in (-0.58, 0.58)
    ]
    return "".join(
        (
            geom("box", (4, 4, 0.05), FLOOR, (0, 0, -0.05)),
            geom("box", (0.05, 4, 1.5), WALL, (-2.0, 0, 1.5), **drawn),
            geom(
                "box",
                (0.55, 0.65, 0.05),
                WOOD[0],
                (0.25, 0, TABLE_HEIGHT - 0.05),
                name="table",
                class_="hidden",
            ),
            *planks,
            *legs,
        )
    )


def _cameras(parent: str) -> str:
    """Returns the cameras that are fixed to a body."""
    return "".join(
        f'<camera name="{name}" pos="{_numbers(camera.position)}" '
        f'xyaxes="{_numbers((*(-value for value in camera.left), *camera.up))}" '
        f'fovy="{camera.field_of_view}"/>'
        for name, camera in placements.PLACED.items()
        if camera.body == parent
    )


def _hand() -> str:
    """Returns a hand of the proportions of Panda's; its origin is the point between the tips."""
    fingers = "".join(
        body(
            f"{side}_finger",
            f'<joint name="{side}_finger" type="slide" axis="0 {sign} 0" '
            f'range="0 {FINGER_RANGE}" damping="20" armature="0.05"/>'
            + geom(
                "box",
                (0.010, 0.006, 0.026),
                DARK,
                (0, sign * 0.006, -0.016),
                class_="finger",
                name=f"{side}_finger",
                mass=0.03,
            ),
            gravcomp="1",
        )
        for side, sign in (("left", 1), ("right", -1))
    )
    return body(
        "hand",
        '<freejoint name="hand"/>'
        '<inertial pos="0 0 -0.06" mass="1.5" diaginertia="0.01 0.01 0.01"/>'
        + geom("box", (0.024, 0.066, 0.024), WHITE, (0, 0, -0.068))
        + geom("box", (0.0245, 0.0665, 0.005), GREY, (0, 0, -0.052))
        + geom("cylinder", (0.032, 0.014), DARK, (0, 0, -0.106))
        + geom("cylinder", (0.042, 0.05), WHITE, (0, 0, -0.17))
        + geom("cylinder", (0.0425, 0.008), GREY, (0, 0, -0.15))
        + _cameras("hand")
        + fingers,
        gravcomp="1",
    )
