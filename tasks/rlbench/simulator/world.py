# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A scene's state by names: where bodies are, what touches what, and placing things."""

import numpy as np
from scipy.spatial.transform import Rotation

from . import scene
from .colours import Colour
from .engine import mujoco


class World:
    """A model with its state.

    Raises:
        ValueError: by its methods, for a name that the scene lacks.
    """

    def __init__(self, contents: scene.Scene):
        self.model = mujoco.MjModel.from_xml_string(scene.model(contents))
        self.data = mujoco.MjData(self.model)
        self.graspable = contents.graspable
        self._welds = {
            name: self.model.equality(scene.GRASP + name).id for name in contents.graspable
        }

    def clear(self) -> None:
        """Puts all back to where the scene has it, at rest and let loose."""
        mujoco.mj_resetData(self.model, self.data)

    def advance(self, steps: int) -> None:
        """Simulates some steps of 2 ms."""
        mujoco.mj_step(self.model, self.data, steps)

    def refresh(self) -> None:
        """Computes positions and contacts of what was placed."""
        mujoco.mj_forward(self.model, self.data)

    def locate(self) -> None:
        """Computes where all is now; a step leaves it where it was 2 ms before."""
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)

    def place(self, name: str, position: np.ndarray, yaw: float = 0.0) -> None:
        """Moves a body, fixed or free, to a position [3] and turns it about the vertical."""
        quaternion = [np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)]
        number = self.model.body(name).id
        if self.model.body_dofnum[number] == 6:
            start = self.model.jnt_qposadr[self.model.body_jntadr[number]]
            self.data.qpos[start : start + 7] = [*position, *quaternion]
        else:
            self.model.body_pos[number] = position
            self.model.body_quat[number] = quaternion

    def paint(self, name: str, colour: Colour) -> None:
        """Colours a geom."""
        self.model.geom(name).rgba[:3] = colour

    def position(self, name: str) -> np.ndarray:
        """Returns the position of a body, [3]."""
        return self.data.body(name).xpos.copy()

    def rotation(self, name: str) -> np.ndarray:
        """Returns the axes of a body as columns, [3, 3]."""
        return self.data.body(name).xmat.reshape(3, 3).copy()

    def yaw(self, name: str) -> float:
        """Returns how far a body is turned about the vertical, in radians."""
        rotation = self.rotation(name)
        return float(np.arctan2(rotation[1, 0], rotation[0, 0]))

    def joint(self, name: str) -> float:
        """Returns the position of a sliding joint in metres."""
        return float(self.data.joint(name).qpos[0])

    def pose(self) -> np.ndarray:
        """Returns the pose of the gripper's tip, [7]; its quaternion is (x, y, z, w)."""
        x, y, z, qw, qx, qy, qz = self.data.joint("hand").qpos
        return np.array([x, y, z, qx, qy, qz, qw])

    def touched_by(self, finger: str) -> set[str]:
        """Returns the names of the bodies that a finger touches."""
        number = self.model.geom(finger).id
        found = set()
        for contact in self.data.contact[: self.data.ncon]:
            pair = (int(contact.geom[0]), int(contact.geom[1]))
            if number in pair:
                other = pair[0] if pair[1] == number else pair[1]
                found.add(self.model.body(self.model.geom_bodyid[other]).name)
        return found

    def held(self) -> str | None:
        """Returns the name of the body in the gripper, if there is one."""
        active = self.data.eq_active
        return next((name for name, weld in self._welds.items() if active[weld]), None)

    def tie(self, name: str) -> None:
        """Welds a body to the hand in their present relation."""
        number = self._welds[name]
        hand = Rotation.from_matrix(self.rotation("hand"))
        relation = hand.inv() * Rotation.from_matrix(self.rotation(name))
        offset = hand.inv().apply(self.position(name) - self.position("hand"))
        x, y, z, w = relation.as_quat()
        self.model.eq_data[number, :10] = [0, 0, 0, *offset, w, x, y, z]
        self.data.eq_active[number] = 1

    def slip(self, name: str) -> float:
        """Returns how far a held body has been pulled out of its place in the hand, in metres."""
        number = self._welds[name]
        place = self.position("hand") + self.rotation("hand") @ self.model.eq_data[number, 3:6]
        return float(np.linalg.norm(self.position(name) - place))

    def untie(self) -> None:
        """Lets loose what the hand holds."""
        for weld in self._welds.values():
            self.data.eq_active[weld] = 0
